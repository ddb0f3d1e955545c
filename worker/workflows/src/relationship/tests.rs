//! Golden values of the literature, NetworkX as an oracle, brute force on small graphs, and what must not change.

mod bounds;
mod brute;
mod golden;
mod rules;

use serde_json::{Value, json};

use crate::{Run, find};

fn run(input: &Value) -> Value {
    (find("relationship_mapping").unwrap().run)(input, &Run::unattended()).unwrap()
}

fn close(actual: &Value, expected: f64, what: &str) {
    let x = actual
        .as_f64()
        .unwrap_or_else(|| panic!("{what}: {actual} is not a number, expected {expected}"));
    assert!(
        (x - expected).abs() <= 1e-9 * expected.abs().max(1.0),
        "{what}: {x} is not {expected}"
    );
}

fn node<'a>(output: &'a Value, id: &str) -> &'a Value {
    output["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|v| v["id"] == id)
        .unwrap()
}

/// An input of nodes `ids` and edges (a, b, strength) without a query.
fn network(ids: &[String], edges: &[(String, String, f64)]) -> Value {
    json!({
        "nodes": ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>(),
        "edges": edges.iter().map(|(a, b, s)| json!({"a": a, "b": b, "strength": s})).collect::<Vec<_>>(),
    })
}
