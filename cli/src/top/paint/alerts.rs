//! The pane of the alerts that fire, the most urgent first.
//!
//! Invariant: pure; shows what the answer holds and judges nothing.

use ratatui::{
    layout::Constraint,
    widgets::{Cell, Row},
};
use serde_json::Value;

use super::{Sheet, level_style, text};
use crate::{
    client::table::figure,
    top::{look::Snapshot, view::Pane},
};

/// From the most urgent.
const LEVELS: [&str; 4] = ["critical", "high", "medium", "low"];

pub(super) fn sheet(snapshot: &Snapshot) -> Sheet<'_> {
    let mut alerts: Vec<&Value> = snapshot.alerts.list("alerts").iter().collect();
    // Stable: those of one level stay the newest first.
    alerts.sort_by_key(|alert| urgency(alert));
    let counts = LEVELS.map(|level| {
        let of_level = alerts.iter().filter(|alert| alert["level"] == level);
        format!("{} {level}", of_level.count())
    });
    Sheet {
        pane: Pane::Alerts,
        title: format!("alerts: {}", counts.join(", ")),
        part: &snapshot.alerts,
        headings: vec!["LEVEL", "SINCE", "WORKER", "MESSAGE"],
        widths: vec![
            Constraint::Length(8),
            Constraint::Length(20),
            Constraint::Length(24),
            Constraint::Fill(1),
        ],
        rows: alerts.into_iter().map(row).collect(),
    }
}

fn urgency(alert: &Value) -> usize {
    let place = LEVELS.iter().position(|level| alert["level"] == *level);
    place.unwrap_or(LEVELS.len())
}

fn row(alert: &Value) -> Row<'static> {
    Row::new(vec![
        text(&alert["level"]).style(level_style(&alert["level"])),
        Cell::new(figure::moment(&alert["since"])),
        text(&alert["worker_id"]),
        text(&alert["message"]),
    ])
}
