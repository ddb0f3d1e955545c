//! Answers as text for people.
//!
//! Invariant: a missing member shows as `-`, never as a failure: an older
//! program must be able to show a newer coordinator's answer.

pub(crate) mod figure;

pub(crate) mod alerts;
pub(crate) mod features;
pub(crate) mod history;
pub(crate) mod plan;
pub(crate) mod why;
pub(crate) mod workers;

use std::io::{self, Write};

use serde_json::Value;

/// Writes one block of text to standard output.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// A value as a cell.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => format!("{float:.1}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

/// The beginning of a text that is longer than so many characters.
pub(crate) fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars()
        .take(most.saturating_sub(1))
        .chain(['…'])
        .collect()
}

/// Rows under headings, in columns as wide as their widest cell.
pub(crate) fn columns(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut all = vec![
        headings
            .iter()
            .map(|&heading| heading.to_owned())
            .collect::<Vec<_>>(),
    ];
    all.extend_from_slice(rows);
    let width = |column: usize| {
        all.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..headings.len()).map(|c| width(c).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Members with their names, a line each.
fn facts(value: &Value, names: &[&str]) -> String {
    let widest = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let fact = |name: &&str| format!("{name:<widest$}  {}", cell(&value[*name]));
    names.iter().map(fact).collect::<Vec<_>>().join("\n")
}

/// The answer to a submission of one or many.
pub(crate) fn accepted(answer: &Value) -> String {
    let Some(items) = answer["items"].as_array() else {
        return if answer["task_id"].is_null() {
            "valid; nothing was submitted".into()
        } else {
            format!("{}  {}", cell(&answer["task_id"]), cell(&answer["status"]))
        };
    };
    let row = |item: &Value| {
        let outcome = match &item["problem"] {
            Value::Null => cell(&item["status"]),
            problem => format!("rejected: {}", reasons(problem)),
        };
        vec![
            cell(&item["index"]),
            cell(&item["ref"]),
            cell(&item["task_id"]),
            outcome,
        ]
    };
    let rows: Vec<_> = items.iter().map(row).collect();
    let table = columns(&["#", "REF", "TASK", "STATUS"], &rows);
    let tried = if answer["dry_run"] == true {
        "; nothing was submitted"
    } else {
        ""
    };
    format!(
        "{table}\n{} accepted, {} rejected{tried}",
        answer["accepted"], answer["rejected"]
    )
}

/// The problems of one item, in one line.
fn reasons(problem: &Value) -> String {
    let errors = problem["errors"].as_array();
    let each = errors.into_iter().flatten();
    let texts: Vec<String> = each
        .map(|error| format!("{} {}", cell(&error["pointer"]), cell(&error["detail"])))
        .collect();
    if texts.is_empty() {
        cell(&problem["detail"])
    } else {
        texts.join("; ")
    }
}

/// One task.
pub(crate) fn task(task: &Value) -> String {
    let mut text = facts(
        task,
        &[
            "task_id",
            "workflow_type",
            "priority",
            "status",
            "waiting_on",
            "attempt",
            "max_attempts",
            "submitted_at",
            "started_at",
            "finished_at",
            "worker_id",
            "correlation_id",
        ],
    );
    if let Some(progress) = task["progress"].as_object() {
        let percent = progress
            .get("fraction")
            .and_then(Value::as_f64)
            .unwrap_or(0.0)
            * 100.0;
        let message = progress.get("message").map(cell).unwrap_or_default();
        let percent = format!("{percent:.0}");
        text.push_str(&["\nprogress        ", &percent, " % ", &message].concat());
    }
    let error = &task["error"];
    if !error.is_null() {
        let parts = [
            "\nerror           ",
            &cell(&error["code"]),
            ": ",
            &cell(&error["message"]),
        ];
        text.push_str(&parts.concat());
    }
    if !task["result"].is_null() {
        text.push_str("\nresult\n");
        text.push_str(&readable(&task["workflow_type"], &task["result"]));
    }
    text
}

/// A result as its own type would put it, else as JSON.
pub(crate) fn readable(workflow_type: &Value, result: &Value) -> String {
    match workflow_type.as_str().and_then(workflows::find) {
        Some(known) => (known.summary)(result),
        None => serde_json::to_string_pretty(result).unwrap_or_else(|_| result.to_string()),
    }
}

/// The whole system.
pub(crate) fn system(system: &Value) -> String {
    let dependencies = &system["dependencies"];
    let head = format!(
        "mode    {}\nhealth  {} ({})\nbroker  {}\nstore   {}\nversion {}",
        cell(&system["mode"]),
        cell(&system["health"]["score"]),
        cell(&system["health"]["status"]),
        cell(&dependencies["broker"]),
        cell(&dependencies["store"]),
        cell(&system["version"]),
    );
    format!(
        "{head}\n\n{}\n\n{}",
        queue(&system["queue"]),
        workers::list(system)
    )
}

/// The queue in numbers.
pub(crate) fn queue(queue: &Value) -> String {
    let count = |name: &str| format!("{} {name}", cell(&queue[name]));
    let totals = ["pending", "running", "completed", "failed", "cancelled"]
        .map(count)
        .join(", ");
    let mut rows = Vec::new();
    for (name, tally) in queue["by_type"].as_object().into_iter().flatten() {
        let cells =
            ["pending", "running", "completed", "failed", "cancelled"].map(|c| cell(&tally[c]));
        rows.push([vec![name.clone()], cells.to_vec()].concat());
    }
    let priorities = ["critical", "high", "medium", "low"].map(|level| {
        let tally = &queue["by_priority"][level];
        format!(
            "{level} {}/{}",
            cell(&tally["pending"]),
            cell(&tally["running"])
        )
    });
    let percentiles = |name: &str| {
        let of = &queue[name];
        format!(
            "{} / {} / {}",
            cell(&of["p50"]),
            cell(&of["p95"]),
            cell(&of["p99"])
        )
    };
    format!(
        "{totals}\npending/running by priority: {}\nper minute {}, wait ms p50/p95/p99 {}, run ms {}\n\n{}",
        priorities.join(", "),
        cell(&queue["throughput_per_minute"]),
        percentiles("wait_ms"),
        percentiles("run_ms"),
        columns(
            &[
                "TYPE",
                "PENDING",
                "RUNNING",
                "COMPLETED",
                "FAILED",
                "CANCELLED"
            ],
            &rows
        ),
    )
}

/// What cancel and retry changed.
pub(crate) fn changed(answers: &Value) -> String {
    let row = |answer: &Value| {
        let note = if answer["cancel_requested"] == true && answer["status"] == "running" {
            "running (asked to stop)".into()
        } else {
            cell(&answer["status"])
        };
        vec![cell(&answer["task_id"]), note]
    };
    let rows: Vec<_> = answers.as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        "nothing changed".into()
    } else {
        columns(&["TASK", "STATUS"], &rows)
    }
}

/// The mode after an emergency action.
pub(crate) fn mode(answer: &Value) -> String {
    let changed = if answer["changed"] == true {
        "is now"
    } else {
        "was already"
    };
    format!("the fleet {changed} {}", cell(&answer["mode"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let text = columns(&["A", "LONG"], &[vec!["wide cell".into(), "x".into()]]);
        assert_eq!(text, "A          LONG\nwide cell  x");
    }

    #[test]
    fn missing_members_show_as_dashes() {
        assert!(queue(&json!({})).contains("- pending"));
        assert!(task(&json!({"task_id": "t"})).contains("task_id         t"));
    }
}
