//! An output in words, for a programme officer.

use std::fmt::Write;

use serde_json::Value;

const RISKS_SHOWN: usize = 5;
const FINE: &str = "writing to a string cannot fail";

/// A few sentences, the milestones and the first risks.
pub(crate) fn text(output: &Value) -> String {
    let deadline = &output["deadline"];
    let plain = |v: &Value| v.as_str().unwrap_or("unknown").to_owned();
    let mut text = format!(
        "The deadline is {} {} ({}).",
        plain(&deadline["date"]),
        plain(&deadline["time"]),
        plain(&deadline["tz"])
    );
    let completion = &output["completion"];
    if let (Some(p), Some(low), Some(high)) = (
        completion["p_on_time"].as_f64(),
        completion["ci95"][0].as_f64(),
        completion["ci95"][1].as_f64(),
    ) {
        write!(
            text,
            " In {:.0} % of {} simulated futures (95 % interval {:.1} to {:.1}) everything is ready by {}.",
            100.0 * p, completion["runs"], 100.0 * low, 100.0 * high, plain(&output["submission_target"])
        )
        .expect(FINE);
    }
    if let (Some(p50), Some(p80)) = (
        completion["p50_date"].as_str(),
        completion["p80_date"].as_str(),
    ) {
        write!(
            text,
            " Work ends by {p50} in half of them and by {p80} in four of five."
        )
        .expect(FINE);
    }
    if let Some(day) = output["latest_safe_start"].as_str() {
        write!(text, " The latest safe start is {day}.").expect(FINE);
    }
    if output["infeasible"] == true {
        let reasons: Vec<&str> = output["infeasible_reasons"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        write!(text, " NOT FEASIBLE: {}.", reasons.join("; ")).expect(FINE);
    }
    let path: Vec<&str> = output["critical_path"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if !path.is_empty() {
        write!(text, "\nThe longest chain: {}.", path.join(" -> ")).expect(FINE);
    }
    text.push('\n');
    milestones(output, &mut text);
    risks(output, &mut text);
    text
}

fn milestones(output: &Value, text: &mut String) {
    let all: Vec<&Value> = output["milestones"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    if all.is_empty() {
        return;
    }
    text.push_str("\nDays before  date        working days left  P(met)  status    due\n");
    for m in all {
        let p = m["p_met"]
            .as_f64()
            .map_or("-".into(), |p| format!("{:.0} %", 100.0 * p));
        let due: Vec<&str> = m["tasks_due"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        writeln!(
            text,
            "{:>11}  {}{:>19}{p:>8}  {:<8}  {}",
            m["offset"].to_string(),
            m["date"].as_str().unwrap_or_default(),
            m["working_days_left"].to_string(),
            m["status"]
                .as_str()
                .unwrap_or_default()
                .replace("no_tasks", "-"),
            due.join(", ")
        )
        .expect(FINE);
    }
}

fn risks(output: &Value, text: &mut String) {
    let mut all: Vec<&Value> = output["risks"].as_array().into_iter().flatten().collect();
    if all.is_empty() {
        return;
    }
    // Expected loss where both figures are known; a stable sort keeps the rest in their order behind.
    let weight = |r: &Value| {
        r["probability"]
            .as_f64()
            .zip(r["impact_days"].as_f64())
            .map_or(-1.0, |(p, d)| p * d)
    };
    all.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
    text.push_str("\nRisks\n");
    for risk in all.iter().take(RISKS_SHOWN) {
        let chance = risk["probability"]
            .as_f64()
            .map_or(String::new(), |p| format!(" ({:.0} %)", 100.0 * p));
        let kind = risk["kind"].as_str().unwrap_or_default().replace('_', " ");
        let (subject, message) = (
            risk["subject"].as_str().unwrap_or_default(),
            risk["message"].as_str().unwrap_or_default(),
        );
        writeln!(text, "  {kind}: {subject}{chance}: {message}").expect(FINE);
    }
}
