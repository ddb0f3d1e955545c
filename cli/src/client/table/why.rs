//! Why a task is not running, for people.
//!
//! Invariant: every worker that serves its type is named, with what it is
//! short of.

use serde_json::Value;

use super::{cell, columns, figure};

/// The answer for one task.
pub(crate) fn task(answer: &Value) -> String {
    let mut blocks = vec![format!(
        "{}: {}",
        cell(&answer["reason"]),
        cell(&answer["detail"])
    )];
    let parents: Vec<_> = rows(&answer["blocking"], |parent| {
        vec![cell(&parent["task_id"]), cell(&parent["status"])]
    });
    if !parents.is_empty() {
        blocks.push(columns(&["WAITS FOR", "STATUS"], &parents));
    }
    let workers: Vec<_> = rows(&answer["workers"], worker);
    if workers.is_empty() {
        blocks.push("no worker serves its type".into());
    } else {
        let headings = [
            "WORKER", "STATE", "ADMITS", "SHORT OF", "VALUE", "LIMIT", "DETAIL",
        ];
        blocks.push(columns(&headings, &workers));
    }
    blocks.join("\n\n")
}

fn rows(list: &Value, row: fn(&Value) -> Vec<String>) -> Vec<Vec<String>> {
    list.as_array().into_iter().flatten().map(row).collect()
}

fn worker(worker: &Value) -> Vec<String> {
    let admits = if worker["admits"] == true {
        "yes"
    } else {
        "no"
    };
    let mut row = vec![
        cell(&worker["worker_id"]),
        cell(&worker["state"]),
        admits.to_owned(),
    ];
    let shortage = &worker["shortage"];
    if !shortage.is_null() {
        row.push(cell(&shortage["resource"]));
        row.extend(figure::amounts(shortage));
        row.push(detail(shortage));
    }
    row
}

fn detail(shortage: &Value) -> String {
    let mut text = cell(&shortage["detail"]);
    if let Some(rule) = shortage["rule"].as_str() {
        text = format!("{text} (rule {rule})");
    }
    if !shortage["until"].is_null() {
        text = format!("{text}, until {}", figure::moment(&shortage["until"]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_worker_shows_what_it_is_short_of_in_its_unit() {
        let text = task(&json!({
            "reason": "capacity", "detail": "no worker would take it now", "blocking": [],
            "workers": [
                {"worker_id": "w1", "state": "gated", "admits": false, "shortage":
                    {"resource": "memory", "value": 2_147_483_648_u64, "limit": 1_073_741_824, "detail": "too much"}},
                {"worker_id": "w2", "state": "ready", "admits": true},
                {"worker_id": "w3", "state": "ready", "admits": false, "shortage":
                    {"resource": "feature", "value": 1, "limit": 0, "detail": "off", "rule": "manual",
                     "until": "2026-11-23T03:01:02.000000Z"}}]}));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "capacity: no worker would take it now");
        assert!(
            lines[3].contains("no      memory    2.0 GiB  1.0 GiB  too much"),
            "{text}"
        );
        assert!(lines[4].ends_with("yes"), "{text}");
        assert!(
            lines[5].ends_with(
                "feature   -        -        off (rule manual), until 2026-11-23 03:01:02Z"
            ),
            "{text}"
        );
    }

    #[test]
    fn parents_that_have_not_ended_are_listed() {
        let text = task(&json!({"reason": "dependencies", "detail": "it waits",
            "blocking": [{"task_id": "t1", "status": "running"}], "workers": []}));
        assert!(text.contains("t1         running"), "{text}");
        assert!(text.ends_with("no worker serves its type"), "{text}");
    }
}
