//! An output in words, for a programme officer.

use std::fmt::Write;

use serde_json::Value;

/// Sponsors in the table.
const SHOWN: usize = 10;
/// Characters of a name that are shown.
const NAME: usize = 22;
const FINE: &str = "writing to a string cannot fail";

/// A few sentences, the sponsors of the greatest potential, and what to do first.
pub(super) fn text(output: &Value) -> String {
    let sponsors = output["sponsors"].as_array().map_or(&[][..], Vec::as_slice);
    let gave = sponsors
        .iter()
        .filter(|s| s["rfm"]["frequency"].as_u64().unwrap_or(0) > 0)
        .count();
    let mut text = format!(
        "{} sponsor(s), {gave} of whom have given; amounts in {}.",
        sponsors.len(),
        output["currency"].as_str().unwrap_or_default()
    );
    if let Some(first) = sponsors.first() {
        write!(
            text,
            " Chances of funding are for {} and come from {}.",
            first["funding"]["horizon"].as_str().unwrap_or_default(),
            rungs(sponsors)
        )
        .expect(FINE);
    }
    if output["model"]["at_boundary"] == true {
        text.push_str(" A parameter of the model lies at its bound: chances have no interval.");
    }
    text.push('\n');
    table(sponsors, &mut text);
    first_steps(sponsors, &mut text);
    cautions(output, &mut text);
    text
}

/// The rungs with the number of sponsors that each answered for.
fn rungs(sponsors: &[Value]) -> String {
    let of = |rung: &str, words: &str| {
        let n = sponsors
            .iter()
            .filter(|s| s["funding"]["rung"] == rung)
            .count();
        (n > 0).then(|| format!("{words} ({n})"))
    };
    [
        of("logistic", "a model of decided asks"),
        of("bgbb", "the BG/BB model of giving"),
        of("beta_binomial", "rates of similar sponsors"),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(" and ")
}

fn money(value: &Value) -> Option<f64> {
    value.as_str()?.parse().ok()
}

fn table(sponsors: &[Value], text: &mut String) {
    let mut best: Vec<&Value> = sponsors.iter().collect();
    // A stable sort keeps equals in id order.
    best.sort_by(|a, b| {
        let of = |s: &Value| money(&s["potential"]).unwrap_or(-1.0);
        of(b).total_cmp(&of(a))
    });
    text.push_str(
        "\nGreatest potential      relationship  trend  chance    next gift    potential\n",
    );
    for s in best.iter().take(SHOWN) {
        let number = |v: &Value, digits: usize| {
            v.as_f64()
                .map_or_else(|| "-".to_owned(), |x| format!("{x:.digits$}"))
        };
        let amount = |v: &Value| money(v).map_or_else(|| "-".to_owned(), |x| format!("{x:.0}"));
        let chance = s["funding"]["p"]
            .as_f64()
            .map_or_else(|| "-".to_owned(), |p| format!("{:.0} %", 100.0 * p));
        writeln!(
            text,
            "{:<24}{:>12}{:>7}{chance:>8}{:>13}{:>13}",
            name(s),
            number(&s["relationship"]["score"], 0),
            number(&s["relationship"]["trend_90d"], 1),
            amount(&s["amount"]["mean"]),
            amount(&s["potential"]),
        )
        .expect(FINE);
    }
    if sponsors.len() > SHOWN {
        writeln!(text, "and {} more", sponsors.len() - SHOWN).expect(FINE);
    }
}

fn name(sponsor: &Value) -> String {
    let name = sponsor["name"].as_str().or(sponsor["id"].as_str());
    name.unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control())
        .take(NAME)
        .collect()
}

/// The most urgent recommendations, those for the greatest potential first.
fn first_steps(sponsors: &[Value], text: &mut String) {
    let mut steps: Vec<(u64, f64, &Value, &Value)> = Vec::new();
    for sponsor in sponsors {
        for advice in sponsor["recommendations"].as_array().into_iter().flatten() {
            let priority = advice["priority"].as_u64().unwrap_or(u64::MAX);
            let potential = money(&sponsor["potential"]).unwrap_or(0.0);
            steps.push((priority, potential, sponsor, advice));
        }
    }
    if steps.is_empty() {
        return;
    }
    steps.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    text.push_str("\nWhat to do first\n");
    for (_, _, sponsor, advice) in steps.iter().take(SHOWN) {
        let what = advice["text"].as_str().unwrap_or_default();
        writeln!(text, "  {}: {what}", name(sponsor)).expect(FINE);
    }
    if steps.len() > SHOWN {
        writeln!(text, "  and {} more", steps.len() - SHOWN).expect(FINE);
    }
}

fn cautions(output: &Value, text: &mut String) {
    let gaps: Vec<String> = output["data_gaps"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|gap| {
            let name = gap["gap"].as_str()?.replace('_', " ");
            let n = gap["sponsors"].as_u64().or(gap["interactions"].as_u64())?;
            Some(format!("{name} ({n})"))
        })
        .collect();
    if !gaps.is_empty() {
        writeln!(text, "\nMissing in the data: {}.", gaps.join(", ")).expect(FINE);
    }
    if let Some(first) = output["cannot_tell"][0].as_str() {
        writeln!(text, "The data cannot tell {first}.").expect(FINE);
    }
}
