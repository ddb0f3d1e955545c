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

/// On a narrow screen without profiles and bars.
pub(super) fn sheet(snapshot: &Snapshot, wide: bool) -> Sheet<'_> {
    let workers = snapshot.workers.list("workers");
    let columns = columns(wide);
    Sheet {
        pane: Pane::Workers,
        title: format!("workers: {}", workers.len()),
        part: &snapshot.workers,
        headings: columns.iter().map(|column| column.0).collect(),
        widths: columns.iter().map(|column| column.1).collect(),
        rows: workers
            .iter()
            .map(|worker| Row::new(columns.iter().map(|column| column.2(worker))))
            .collect(),
    }
}

/// A heading, a width, and what stands below it.
type Column = (&'static str, Constraint, fn(&Value) -> Cell<'static>);

fn columns(wide: bool) -> Vec<Column> {
    let fixed = Constraint::Length;
    let profile: Column = ("PROFILE", fixed(11), |worker| text(&worker["profile"]));
    let bars: [Column; 2] = [
        ("MEMORY", fixed(16), |worker| bar(&worker["memory"])),
        ("CPU", fixed(16), |worker| bar(&worker["cpu"])),
    ];
    let numbers: [Column; 2] = [
        ("MEMORY", fixed(6), |worker| percent(&worker["memory"])),
        ("CPU", fixed(5), |worker| percent(&worker["cpu"])),
    ];
    let mut columns: Vec<Column> = vec![
        ("WORKER", Constraint::Fill(1), |worker| {
            text(&worker["worker_id"])
        }),
        ("STATE", fixed(8), |worker| {
            text(&worker["state"]).style(state_style(&worker["state"]))
        }),
    ];
    columns.extend(wide.then_some(profile));
    columns.extend([
        ("LEVEL", fixed(9), |worker: &Value| {
            text(&worker["level"]).style(level_style(&worker["level"]))
        }),
        ("SLOTS", fixed(11), |worker: &Value| {
            Cell::new(workers::slots(worker))
        }),
    ] as [Column; 2]);
    columns.extend(if wide { bars } else { numbers });
    columns.push(("HEALTH", fixed(6), |worker| {
        Cell::new(workers::score(worker))
    }));
    columns
}

fn bar(used: &Value) -> Cell<'static> {
    let share = &used["utilisation"];
    let (bar, percent) = (figure::bar(share, BAR), figure::percent(share));
    Cell::new(format!("{bar} {percent:>5}"))
}

fn percent(used: &Value) -> Cell<'static> {
    Cell::new(figure::percent(&used["utilisation"]))
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
