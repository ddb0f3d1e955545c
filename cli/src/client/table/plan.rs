//! Capacity and bottleneck for people.
//!
//! Invariant: how far a figure can be trusted stands beside it.

use serde_json::Value;

use super::{cell, columns, figure};

/// How many workers the work needs.
pub(crate) fn capacity(answer: &Value) -> String {
    let room = &answer["room"];
    let terms = ["cpu", "memory", "slots"].map(|term| {
        let workers = answer["terms"][term].as_f64();
        let workers = workers.map_or_else(|| "-".into(), figure::plain);
        format!("{term} {workers}")
    });
    let mut blocks = vec![format!(
        "workers     {} needed, {} there\nbinding     {}\nutilisation {}\nin workers  {}\nconfidence  {} ({} minutes of history)\n{}",
        cell(&answer["desired_workers"]),
        cell(&room["workers"]),
        cell(&answer["binding"]),
        figure::percent(&answer["utilisation"]),
        terms.join(", "),
        cell(&answer["confidence"]),
        cell(&answer["minutes"]),
        cell(&answer["note"]),
    )];
    let unknown = super::workers::words(&answer["unknown_types"]);
    if !unknown.is_empty() {
        blocks.push(format!("need not known yet: {unknown}"));
    }
    let hours: Vec<_> = answer["forecast"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|hour| !hour["arrivals_per_minute"].is_null())
        .map(hour)
        .collect();
    if !hours.is_empty() {
        let headings = ["IN HOURS", "ARRIVALS/MIN", "WORKERS", "CONFIDENCE"];
        blocks.push(columns(&headings, &hours));
    }
    blocks.join("\n\n")
}

fn hour(hour: &Value) -> Vec<String> {
    [
        "ahead",
        "arrivals_per_minute",
        "desired_workers",
        "confidence",
    ]
    .map(|name| cell(&hour[name]))
    .to_vec()
}

/// What holds the fleet back.
pub(crate) fn bottleneck(answer: &Value) -> String {
    let mut blocks = vec![format!(
        "{}: {}",
        cell(&answer["bottleneck"]),
        cell(&answer["advice"])
    )];
    let facts: Vec<_> = answer["evidence"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|fact| {
            let number = |name: &str| {
                let value = fact[name].as_f64();
                value.map_or_else(|| "-".into(), figure::plain)
            };
            vec![cell(&fact["name"]), number("value"), number("limit")]
        })
        .collect();
    if !facts.is_empty() {
        blocks.push(columns(&["EVIDENCE", "VALUE", "LIMIT"], &facts));
    }
    let causes: Vec<_> = answer["workers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(cause, workers)| vec![cause.clone(), super::workers::words(workers)])
        .collect();
    if !causes.is_empty() {
        blocks.push(columns(&["CAUSE", "WORKERS"], &causes));
    }
    blocks.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn capacity_names_the_binding_term_and_how_far_to_trust_it() {
        let text = capacity(&json!({
            "desired_workers": 3, "binding": "memory", "utilisation": 1.26, "confidence": "low", "minutes": 7,
            "terms": {"cpu": 0.5, "memory": 2.52, "slots": 1.0}, "note": "add a worker", "room": {"workers": 2},
            "unknown_types": ["x"],
            "forecast": [{"ahead": 1, "arrivals_per_minute": 12.0, "desired_workers": 4, "confidence": "high"},
                {"ahead": 2, "arrivals_per_minute": null}]}));
        assert!(text.contains("3 needed, 2 there"), "{text}");
        assert!(text.contains("utilisation 126 %"), "{text}");
        assert!(text.contains("cpu 0.50, memory 2.52, slots 1"), "{text}");
        assert!(text.contains("need not known yet: x"), "{text}");
        assert_eq!(text.lines().filter(|line| line.contains("high")).count(), 1);
        assert!(capacity(&json!({})).contains("- needed, - there"));
    }

    #[test]
    fn the_bottleneck_comes_with_evidence_and_advice() {
        let text = bottleneck(&json!({"bottleneck": "slots", "advice": "raise the limit",
            "evidence": [{"name": "slots_used", "value": 4.0, "limit": 4.0}, {"name": "cpu", "value": 0.314, "limit": null}],
            "workers": {"slots": ["w1", "w2"]}}));
        assert!(text.starts_with("slots: raise the limit"), "{text}");
        assert!(text.contains("slots_used  4      4"), "{text}");
        assert!(text.contains("cpu         0.31   -"), "{text}");
        assert!(text.contains("slots  w1, w2"), "{text}");
    }
}
