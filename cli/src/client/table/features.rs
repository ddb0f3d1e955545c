//! Features for people: the list, and why one is on or off.
//!
//! Invariant: the rule and the numbers are those of the answer.

use serde_json::Value;

use super::{cell, columns, figure};

/// All features.
pub(crate) fn list(answer: &Value) -> String {
    let rows: Vec<_> = answer["features"]
        .as_array()
        .into_iter()
        .flatten()
        .map(row)
        .collect();
    columns(
        &["FEATURE", "CATEGORY", "STATE", "WORKERS", "RULE", "WHY"],
        &rows,
    )
}

fn row(feature: &Value) -> Vec<String> {
    vec![
        cell(&feature["name"]),
        cell(&feature["category"]),
        cell(&feature["state"]),
        share(feature),
        cell(&feature["rule"]),
        cell(&feature["reason"]),
    ]
}

/// On how many of the workers that it concerns it is on.
pub(crate) fn share(feature: &Value) -> String {
    let Some(workers) = feature["workers"].as_object() else {
        return "-".into();
    };
    let on = workers.values().filter(|state| *state == "enabled").count();
    format!("{on}/{}", workers.len())
}

/// One feature after an order. Workers hear of it with their next heartbeat,
/// so after an order's end the answer may still tell what they said before.
pub(crate) fn one(feature: &Value) -> String {
    let (name, state) = (cell(&feature["name"]), cell(&feature["state"]));
    let (rule, reason) = (cell(&feature["rule"]), cell(&feature["reason"]));
    match &feature["order"]["expires_at"] {
        Value::Null => format!(
            "{name} is left to the workers again; they last said: {state} (rule {rule})\n{reason}"
        ),
        until => {
            let until = figure::moment(until);
            format!("{name} is {state} (rule {rule}), ordered until {until}\n{reason}")
        }
    }
}

/// Why a feature is on or off, worker by worker.
pub(crate) fn why(feature: &Value) -> String {
    let mut blocks = vec![format!(
        "{} ({}) is {}",
        cell(&feature["name"]),
        cell(&feature["category"]),
        cell(&feature["state"]),
    )];
    blocks.extend(order(&feature["order"]));
    let details = feature["worker_details"].as_object();
    let each = details.into_iter().flatten();
    blocks.extend(each.map(|(worker, detail)| ruling(worker, detail, &detail["evidence"])));
    if details.is_none_or(serde_json::Map::is_empty) {
        let numbers = &feature["evidence"]["numbers"];
        blocks.push(ruling("no worker is there", feature, numbers));
    }
    blocks.join("\n\n")
}

fn order(order: &Value) -> Option<String> {
    let side = if order["enabled"].as_bool()? {
        "on"
    } else {
        "off"
    };
    Some(format!(
        "ordered {side} by {} at {}, until {}: {}",
        cell(&order["by"]),
        figure::moment(&order["at"]),
        figure::moment(&order["expires_at"]),
        cell(&order["reason"]),
    ))
}

fn ruling(whose: &str, detail: &Value, numbers: &Value) -> String {
    let mut lines = vec![
        whose.to_owned(),
        format!("  rule          {}", cell(&detail["rule"])),
        format!("  why           {}", cell(&detail["reason"])),
        format!("  would change  {}", cell(&detail["would_change"])),
    ];
    if !detail["until"].is_null() {
        lines.push(format!(
            "  until         {}",
            figure::moment(&detail["until"])
        ));
    }
    let numbers = self::numbers(numbers);
    if !numbers.is_empty() {
        lines.push(format!("  numbers       {numbers}"));
    }
    lines.extend(freed(&detail["effect"]));
    lines.join("\n")
}

/// Members of the evidence; shares of 1 in percent.
fn numbers(evidence: &Value) -> String {
    let members = evidence.as_object().into_iter().flatten();
    let known = members.filter(|(_, value)| !value.is_null());
    let each = known.map(|(name, value)| match name.as_str() {
        "memory" | "memory_high" | "cpu" | "cpu_high" | "share" => {
            format!("{name} {}", figure::percent(value))
        }
        _ => format!("{name} {}", cell(value)),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// What switching it off freed the last time.
fn freed(effect: &Value) -> Option<String> {
    let before = effect["bytes_before"].as_f64()?;
    let after = effect["bytes_after"].as_f64()?;
    let freed = figure::bytes(&(before - after).into());
    Some(format!("  freed         {freed} the last time"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn feature() -> Value {
        json!({
            "name": "email_analysis", "category": "experimental", "state": "partly", "rule": "level",
            "reason": "off: the worker is at level high", "workers": {"w1": "enabled", "w2": "disabled"},
            "order": null, "evidence": {"worker_id": "w2", "numbers": {}},
            "worker_details": {
                "w1": {"rule": "free", "reason": "on", "would_change": "level elevated", "evidence": {}},
                "w2": {"rule": "level", "reason": "off", "would_change": "the level falls",
                    "evidence": {"level": "high", "memory": 0.83, "memory_high": 0.8, "cpu": null},
                    "effect": {"bytes_before": 3_145_728, "bytes_after": 1_048_576}}}})
    }

    #[test]
    fn the_list_counts_the_workers() {
        let text = list(&json!({"features": [feature()]}));
        assert!(text.contains("partly  1/2      level"), "{text}");
    }

    #[test]
    fn why_shows_each_worker_with_its_numbers() {
        let text = why(&feature());
        assert!(text.contains("w1\n  rule          free"), "{text}");
        assert!(
            text.contains("level high, memory 83 %, memory_high 80 %\n"),
            "{text}"
        );
        assert!(text.contains("freed         2.0 MiB"), "{text}");
    }

    #[test]
    fn without_workers_the_fleet_itself_speaks() {
        let text = why(&json!({"name": "a", "rule": "essential", "worker_details": {}}));
        assert!(
            text.contains("no worker is there\n  rule          essential"),
            "{text}"
        );
    }

    #[test]
    fn an_order_shows_until_when() {
        let text = one(
            &json!({"name": "a", "state": "disabled", "rule": "manual", "reason": "off: x",
            "order": {"expires_at": "2026-11-23T03:01:02.000000Z"}}),
        );
        assert_eq!(
            text,
            "a is disabled (rule manual), ordered until 2026-11-23 03:01:02Z\noff: x"
        );
        let text =
            one(&json!({"name": "a", "state": "disabled", "rule": "manual", "reason": "off: x"}));
        assert!(text.starts_with("a is left to the workers again"), "{text}");
    }
}
