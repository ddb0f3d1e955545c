//! An output in words, for a programme officer.

use std::fmt::Write;

use serde_json::Value;

const SHOWN: usize = 5;

/// A few sentences, the best introductions, and the people who matter most.
pub(super) fn text(output: &Value) -> String {
    let network = &output["network"];
    let mut text = format!(
        "The network has {} nodes and {} ties in {} component(s); the largest holds {}.",
        network["n"], network["m"], network["components"], network["giant"]
    );
    if let Some(mean) = network["avg_path"].as_f64() {
        write!(
            text,
            " Any two are {mean:.1} hops apart on average, {} at most.",
            network["diameter"]
        )
        .expect("writing to a string cannot fail");
    }
    if let (Some(reach), Some(k)) = (
        output["reach"].as_object(),
        output["influence"]["radius90"].as_u64(),
    ) {
        let most = reach.values().filter_map(Value::as_u64).max().unwrap_or(0);
        write!(
            text,
            " The source reaches {most} others; nine tenths of its influence lie within {k} hop(s)."
        )
        .expect("writing to a string cannot fail");
    }
    text.push('\n');
    paths(output, &mut text);
    people(output, &mut text);
    text
}

fn paths(output: &Value, text: &mut String) {
    let best: Vec<&Value> = output["paths"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|p| p["rank"] == 1)
        .collect();
    if best.is_empty() {
        return;
    }
    text.push_str("\nBest introductions\n");
    for path in best.iter().take(SHOWN) {
        writeln!(
            text,
            "  {}",
            path["explanation"].as_str().unwrap_or_default()
        )
        .expect("writing to a string cannot fail");
    }
}

fn people(output: &Value, text: &mut String) {
    let mut nodes: Vec<&Value> = output["nodes"].as_array().into_iter().flatten().collect();
    let between = |v: &Value| v["betweenness"].as_f64().unwrap_or(-1.0);
    // A stable sort keeps equals in id order.
    nodes.sort_by(|a, b| between(b).total_cmp(&between(a)));
    nodes.retain(|v| v["betweenness"].is_number());
    if nodes.is_empty() {
        return;
    }
    text.push_str("\nMost between others         ties  betweenness  closeness  broker\n");
    for v in nodes.iter().take(SHOWN) {
        let name: String = v["name"]
            .as_str()
            .or(v["id"].as_str())
            .unwrap_or_default()
            .chars()
            .take(24)
            .collect();
        let number = |field: &str| v[field].as_f64().map_or("-".into(), |x| format!("{x:.3}"));
        let broker = if v["broker"] == true { "yes" } else { "" };
        let ties = v["degree"].as_u64().map_or("-".into(), |d| d.to_string());
        writeln!(
            text,
            "  {name:<24}{ties:>6}{:>13}{:>11}  {broker}",
            number("betweenness"),
            number("closeness")
        )
        .expect("writing to a string cannot fail");
    }
}
