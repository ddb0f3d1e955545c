//! The pane of the queues: by priority, then by type.
//!
//! Invariant: pure; as many rows as [`rows`] says.

use ratatui::{
    layout::Constraint,
    widgets::{Cell, Row},
};
use serde_json::Value;

use super::{Sheet, text};
use crate::{
    client::table::{cell, figure},
    top::{look::Snapshot, view::Pane},
};

const PRIORITIES: [&str; 4] = ["critical", "high", "medium", "low"];

pub(super) fn sheet(snapshot: &Snapshot) -> Sheet<'_> {
    let queue = &snapshot.queue.answer;
    Sheet {
        pane: Pane::Queues,
        title: format!(
            "queues: {} pending, oldest {}, {} a minute",
            cell(&queue["pending"]),
            figure::span(&queue["oldest_pending_age_ms"]),
            cell(&queue["throughput_per_minute"]),
        ),
        part: &snapshot.queue,
        headings: vec!["QUEUE", "PENDING", "RUNNING", "DONE", "FAILED"],
        widths: vec![
            Constraint::Fill(1),
            Constraint::Length(7),
            Constraint::Length(7),
            Constraint::Length(7),
            Constraint::Length(6),
        ],
        rows: tallies(queue)
            .map(|(name, tally)| row(name, tally))
            .collect(),
    }
}

/// Rows of the pane.
pub(in crate::top) fn rows(snapshot: &Snapshot) -> usize {
    tallies(&snapshot.queue.answer).count()
}

fn tallies(queue: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let priorities = PRIORITIES.map(|name| (name, &queue["by_priority"][name]));
    let types = queue["by_type"].as_object().into_iter().flatten();
    let types = types.map(|(name, tally)| (name.as_str(), tally));
    priorities.into_iter().chain(types)
}

fn row(name: &str, tally: &Value) -> Row<'static> {
    Row::new(vec![
        Cell::new(name.to_owned()),
        text(&tally["pending"]),
        text(&tally["running"]),
        text(&tally["completed"]),
        text(&tally["failed"]),
    ])
}
