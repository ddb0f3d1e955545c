//! Tests of whole runs: rules and formulas, what must not change a result, chains with the other types.

mod chains;
mod ladder;
mod looking_back;
mod metamorphic;
mod rules;

use serde_json::{Value, json};

use crate::{Error, Run};

/// Two sponsors, of whom one gives, writes and is known.
fn base() -> Value {
    json!({
        "as_of": "2026-11-23", "currency": "GBP", "fx": {"USD": 0.5},
        "sponsors": [{"id": "s1", "type": "foundation", "person_ids": ["p1"]}, {"id": "s2", "type": "corporate"}],
        "gifts": [
            {"id": "g1", "sponsor_id": "s1", "date": "2024-05-01", "amount": "100.10"},
            {"id": "g2", "sponsor_id": "s1", "date": "2025-05-01", "amount": 0.2, "currency": "USD"}],
        "interactions": [
            {"id": "i1", "person_id": "p1", "ts": "2026-08-25T23:59:59Z", "channel": "meeting", "direction": "mutual"},
            {"id": "i2", "sponsor_id": "s1", "ts": "2026-10-01T09:00:00Z", "channel": "email", "direction": "out"},
            {"id": "i3", "sponsor_id": "s1", "ts": "2026-10-02T09:00:00Z", "channel": "email", "direction": "in",
                "reply_to": "i2", "sentiment": 0.5}],
    })
}

fn run(input: &Value) -> Value {
    super::run(input, &Run::unattended()).unwrap()
}

fn sponsor<'o>(output: &'o Value, id: &str) -> &'o Value {
    let mut all = output["sponsors"].as_array().unwrap().iter();
    all.find(|s| s["id"] == id).unwrap()
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

fn close(value: &Value, expected: f64) {
    let x = number(value);
    assert!((x - expected).abs() < 1e-9, "{x} is not {expected}");
}

/// Places of the problems of an input.
fn refused(input: &Value) -> Vec<String> {
    match super::run(input, &Run::unattended()) {
        Err(Error::InvalidInput(problems)) => problems.into_iter().map(|p| p.pointer).collect(),
        other => panic!("{other:?}"),
    }
}

fn advised(output: &Value, id: &str) -> Vec<String> {
    let advice = sponsor(output, id)["recommendations"].as_array().unwrap();
    advice
        .iter()
        .map(|a| a["rule"].as_str().unwrap()[..3].to_owned())
        .collect()
}
