//! Work to break things under: sleeps, and sleeps with dependents.

use serde_json::{Value, json};

use crate::api::{task, with};

/// `n` independent tasks that each take `ms` milliseconds.
#[must_use]
pub fn sleeps(n: usize, ms: u64) -> Vec<Value> {
    vec![task("diagnostic.sleep", &json!({"ms": ms})); n]
}

/// `n` parents of `ms` milliseconds, one task that waits for all of them, and a chain of three behind it.
#[must_use]
pub fn dag(n: usize, ms: u64) -> Vec<Value> {
    let parents: Vec<String> = (0..n).map(|n| format!("parent{n}")).collect();
    let mut tasks: Vec<Value> = parents
        .iter()
        .zip(sleeps(n, ms))
        .map(|(name, parent)| with(parent, &json!({"ref": name})))
        .collect();
    let node = |name: &str, input: &Value, on: &[String]| {
        let members = json!({"ref": name, "depends_on": on});
        with(task("diagnostic.echo", input), &members)
    };
    tasks.push(node("join", &json!({"step": 0}), &parents));
    for step in 1..4 {
        let before = if step == 1 {
            "join".to_owned()
        } else {
            format!("chain{}", step - 1)
        };
        let input = json!({"step": step, "before": {"$result": before, "pointer": "/step"}});
        tasks.push(node(&format!("chain{step}"), &input, &[]));
    }
    tasks
}
