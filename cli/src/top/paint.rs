//! Draws a snapshot as a person has chosen to see it.
//!
//! Invariant: pure: the same snapshot, view and size give the same cells. No
//! size is too small to survive.

mod alerts;
mod features;
pub(super) mod queues;
mod workers;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Cell, Paragraph, Row, Table, TableState},
};
use serde_json::Value;

use crate::client::table::{self, figure};

use super::{
    look::{Part, Snapshot},
    view::{Pane, View},
};

/// Lines of the head: the system, and its workload or why there is no answer.
const HEAD: u16 = 2;
/// Lines of the foot: keys, a question, or what came of it.
const FOOT: u16 = 1;
/// Lines of a pane around its rows: frame and headings.
const AROUND: u16 = 3;
/// Narrower, and neither bars fit, nor queues and features side by side.
const WIDE: u16 = 110;

const KEYS: &str = "q quit   tab/arrows move   p pause   r resume   d drain the selected worker";

/// A pane as it is to be drawn.
struct Sheet<'a> {
    pane: Pane,
    title: String,
    part: &'a Part,
    headings: Vec<&'static str>,
    widths: Vec<Constraint>,
    rows: Vec<Row<'static>>,
}

/// The whole screen.
pub(super) fn all(frame: &mut Frame<'_>, snapshot: &Snapshot, view: &View) {
    let area = frame.area();
    let sheets = sheets(snapshot, area.width);
    let areas = areas(area, sheets.each_ref().map(lines));
    head(frame, areas.head, snapshot);
    for (sheet, area) in sheets.into_iter().zip(areas.panes) {
        pane(frame, area, sheet, (snapshot, view));
    }
    foot(frame, areas.foot, view);
}

/// How high a screen of this width must be to hold everything.
pub(super) fn height(snapshot: &Snapshot, width: u16) -> u16 {
    let [workers, queues, features, alerts] = sheets(snapshot, width).each_ref().map(lines);
    let middle = if width < WIDE {
        queues + features
    } else {
        queues.max(features)
    };
    HEAD + workers + middle + alerts + FOOT
}

fn sheets(snapshot: &Snapshot, width: u16) -> [Sheet<'_>; 4] {
    [
        workers::sheet(snapshot, width >= WIDE),
        queues::sheet(snapshot),
        features::sheet(snapshot),
        alerts::sheet(snapshot),
    ]
}

/// Lines that a pane would like to have.
fn lines(sheet: &Sheet<'_>) -> u16 {
    let rows = u16::try_from(sheet.rows.len()).unwrap_or(u16::MAX);
    // A screen of more lines does not exist.
    rows.clamp(1, 1000) + AROUND
}

struct Areas {
    head: Rect,
    panes: [Rect; 4],
    foot: Rect,
}

fn areas(area: Rect, [workers, queues, features, alerts]: [u16; 4]) -> Areas {
    let beside = area.width >= WIDE;
    let middle = if beside {
        queues.max(features)
    } else {
        queues + features
    };
    let rest = area.height.saturating_sub(HEAD + FOOT);
    // Where not all fits, workers and alerts have a third each at most.
    let (workers, alerts) = if workers + middle + alerts <= rest {
        (workers, alerts)
    } else {
        (workers.min(rest / 3), alerts.min(rest / 3))
    };
    let [head, above, between, below, foot] = Layout::vertical([
        Constraint::Length(HEAD),
        Constraint::Length(workers),
        Constraint::Fill(1),
        Constraint::Length(alerts),
        Constraint::Length(FOOT),
    ])
    .areas(area);
    let [left, right] = if beside {
        Layout::horizontal([Constraint::Percentage(45), Constraint::Fill(1)]).areas(between)
    } else {
        let shares = [Constraint::Fill(queues), Constraint::Fill(features)];
        Layout::vertical(shares).areas(between)
    };
    Areas {
        head,
        panes: [above, left, right, below],
        foot,
    }
}

fn head(frame: &mut Frame<'_>, area: Rect, snapshot: &Snapshot) {
    let system = &snapshot.system.answer;
    let mode = &system["mode"];
    let at = snapshot.at.map(|at| figure::moment(&at.to_string().into()));
    let first = Line::from(vec![
        Span::styled("zerogate ", Style::new().add_modifier(Modifier::BOLD)),
        Span::raw(format!("{}  mode ", snapshot.url)),
        Span::styled(table::cell(mode), mode_style(mode)),
        Span::raw("  health "),
        Span::styled(health(&system["health"]), health_style(&system["health"])),
        Span::raw(format!("  {}", at.unwrap_or_default())),
    ]);
    let second = match (&snapshot.system.error, snapshot.at) {
        (Some(error), _) => Line::styled(one_line(error), alarm()),
        (None, None) => Line::raw("asking…"),
        (None, Some(_)) => Line::raw(workload(snapshot)),
    };
    frame.render_widget(Paragraph::new(vec![first, second]), area);
}

fn health(health: &Value) -> String {
    let (score, status) = (&health["score"], &health["status"]);
    format!("{} ({})", table::cell(score), table::cell(status))
}

fn workload(snapshot: &Snapshot) -> String {
    let system = &snapshot.system.answer;
    let dependencies = &system["dependencies"];
    let workers = snapshot.workers.list("workers");
    let ready = workers.iter().filter(|worker| worker["state"] == "ready");
    format!(
        "broker {}  store {}  workers {} of {} ready  version {}",
        table::cell(&dependencies["broker"]),
        table::cell(&dependencies["store"]),
        ready.count(),
        workers.len(),
        table::cell(&system["version"]),
    )
}

fn foot(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let line = match (&view.asked, &view.note) {
        (Some(wish), _) => Line::styled(format!("{} (y/n)", wish.question()), alarm()),
        (None, Some(note)) => Line::raw(one_line(note)),
        (None, None) if view.focus.is_none() => Line::default(),
        (None, None) => Line::styled(KEYS, Style::new().fg(Color::DarkGray)),
    };
    frame.render_widget(Paragraph::new(line), area);
}

fn pane(frame: &mut Frame<'_>, area: Rect, sheet: Sheet<'_>, (snapshot, view): (&Snapshot, &View)) {
    let focused = view.focus == Some(sheet.pane);
    let mut title = vec![Span::raw(format!(" {} ", sheet.title))];
    if let Some(error) = &sheet.part.error {
        let since = match sheet.part.at {
            Some(at) => format!("as of {}: ", figure::moment(&at.to_string().into())),
            None => String::new(),
        };
        title.push(Span::styled(
            format!("{since}{} ", one_line(error)),
            alarm(),
        ));
    }
    let edge = if focused {
        Style::new().fg(Color::Cyan)
    } else {
        Style::new()
    };
    let headings = Row::new(sheet.headings).style(Style::new().fg(Color::DarkGray));
    let table = Table::new(sheet.rows, sheet.widths)
        .header(headings)
        .column_spacing(2)
        .block(
            Block::bordered()
                .border_style(edge)
                .title(Line::from(title)),
        )
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let row = view.row(sheet.pane, snapshot).filter(|_| focused);
    let mut state = TableState::default().with_selected(row);
    frame.render_stateful_widget(table, area, &mut state);
}

/// The first line of a text: the rest does not fit a title.
fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn alarm() -> Style {
    Style::new().fg(Color::Red).add_modifier(Modifier::BOLD)
}

fn mode_style(mode: &Value) -> Style {
    match mode.as_str() {
        Some("running") => Style::new().fg(Color::Green),
        Some("paused") => Style::new().fg(Color::Yellow),
        Some(_) => alarm(),
        None => Style::new(),
    }
}

fn health_style(health: &Value) -> Style {
    match health["status"].as_str() {
        Some("healthy") => Style::new().fg(Color::Green),
        Some("degraded" | "stressed") => Style::new().fg(Color::Yellow),
        Some("critical") => alarm(),
        _ => Style::new(),
    }
}

/// Of a worker's level, and of an alert's.
fn level_style(level: &Value) -> Style {
    match level.as_str() {
        Some("normal") => Style::new().fg(Color::Green),
        Some("elevated" | "low") => Style::new().fg(Color::Cyan),
        Some("medium") => Style::new().fg(Color::Yellow),
        Some("high") => Style::new().fg(Color::LightRed),
        Some("critical" | "emergency") => alarm(),
        _ => Style::new(),
    }
}

/// A cell with the text of a member.
fn text(value: &Value) -> Cell<'static> {
    Cell::new(one_line(&table::cell(value)))
}

#[cfg(test)]
mod tests;
