//! The pane of the workers.
//!
//! Invariant: pure; what a worker does not tell shows as a dash.

use ratatui::{
    layout::Constraint,
    style::{Color, Style},
    widgets::{Cell, Row},
};
use serde_json::Value;

use super::{Sheet, alarm, level_style, text};
use crate::{
    client::table::{figure, workers},
    top::{look::Snapshot, view::Pane},
};

/// Cells of a bar: a step is 10 %.
const BAR: usize = 10;

pub(super) fn sheet(snapshot: &Snapshot) -> Sheet<'_> {
    let workers = snapshot.workers.list("workers");
    Sheet {
        pane: Pane::Workers,
        title: format!("workers: {}", workers.len()),
        part: &snapshot.workers,
        headings: vec![
            "WORKER", "STATE", "PROFILE", "LEVEL", "SLOTS", "MEMORY", "CPU", "HEALTH",
        ],
        widths: vec![
            Constraint::Fill(1),
            Constraint::Length(8),
            Constraint::Length(11),
            Constraint::Length(9),
            Constraint::Length(11),
            Constraint::Length(16),
            Constraint::Length(16),
            Constraint::Length(6),
        ],
        rows: workers.iter().map(row).collect(),
    }
}

fn row(worker: &Value) -> Row<'static> {
    Row::new(vec![
        text(&worker["worker_id"]),
        text(&worker["state"]).style(state_style(&worker["state"])),
        text(&worker["profile"]),
        text(&worker["level"]).style(level_style(&worker["level"])),
        Cell::new(workers::slots(worker)),
        used(&worker["memory"]["utilisation"]),
        used(&worker["cpu"]["utilisation"]),
        Cell::new(workers::score(worker)),
    ])
}

fn used(share: &Value) -> Cell<'static> {
    let (bar, percent) = (figure::bar(share, BAR), figure::percent(share));
    Cell::new(format!("{bar} {percent:>5}"))
}

fn state_style(state: &Value) -> Style {
    match state.as_str() {
        Some("ready") => Style::new().fg(Color::Green),
        Some("gated") => Style::new().fg(Color::Yellow),
        Some("draining") => Style::new().fg(Color::Blue),
        Some(_) => alarm(),
        None => Style::new(),
    }
}
