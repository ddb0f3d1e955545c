//! The pane of the features.
//!
//! Invariant: pure; rule and reason are those of the answer.

use ratatui::{
    layout::Constraint,
    style::{Color, Style},
    widgets::{Cell, Row},
};
use serde_json::Value;

use super::{Sheet, text};
use crate::{
    client::table::features,
    top::{look::Snapshot, view::Pane},
};

pub(super) fn sheet(snapshot: &Snapshot) -> Sheet<'_> {
    let features = snapshot.features.list("features");
    let off = features.iter().filter(|it| it["state"] == "disabled");
    Sheet {
        pane: Pane::Features,
        title: format!("features: {}, {} off", features.len(), off.count()),
        part: &snapshot.features,
        headings: vec!["FEATURE", "STATE", "ON", "RULE", "WHY"],
        widths: vec![
            Constraint::Length(20),
            Constraint::Length(8),
            Constraint::Length(5),
            Constraint::Length(10),
            Constraint::Fill(1),
        ],
        rows: features.iter().map(row).collect(),
    }
}

fn row(feature: &Value) -> Row<'static> {
    let style = match feature["state"].as_str() {
        Some("enabled") => Style::new().fg(Color::Green),
        Some("partly") => Style::new().fg(Color::Yellow),
        Some(_) => Style::new().fg(Color::LightRed),
        None => Style::new(),
    };
    Row::new(vec![
        text(&feature["name"]),
        text(&feature["state"]).style(style),
        Cell::new(features::share(feature)),
        text(&feature["rule"]),
        text(&feature["reason"]),
    ])
}
