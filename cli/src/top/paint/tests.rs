//! What stands on the screen: text, places, and that no size breaks it.

use ratatui::{Terminal, backend::TestBackend, crossterm::event::KeyCode};
use serde_json::json;
use shared::model::Stamp;

use super::*;

fn part(answer: Value) -> Part {
    Part {
        answer,
        at: Some(Stamp::from_micros(0)),
        error: None,
    }
}

fn snapshot() -> Snapshot {
    let worker = |id: &str, state: &str| {
        json!({"worker_id": id, "state": state, "profile": "balanced", "level": "high",
            "slots": {"used": 3, "limit": 4, "cap": 10}, "memory": {"utilisation": 0.83},
            "cpu": {"utilisation": 0.4}, "health": {"score": 61.7}})
    };
    let alert =
        |level: &str, message: &str| json!({"level": level, "worker_id": "w1", "message": message});
    Snapshot {
        url: "http://127.0.0.1:1".into(),
        at: Some(Stamp::from_micros(0)),
        system: part(json!({"mode": "paused", "version": "0.1.0",
            "health": {"score": 61, "status": "degraded"}, "dependencies": {"broker": "ok", "store": "ok"}})),
        queue: part(
            json!({"pending": 7, "oldest_pending_age_ms": 75_000, "throughput_per_minute": 12.0,
            "by_priority": {"critical": {"pending": 1, "running": 2}},
            "by_type": {"email_analysis": {"pending": 6, "running": 1, "completed": 5, "failed": 4}}}),
        ),
        workers: part(json!({"workers": [worker("w1", "ready"), worker("w2", "gated")]})),
        features: part(
            json!({"features": [{"name": "email_analysis", "state": "partly", "rule": "level",
            "reason": "off: level high", "workers": {"w1": "enabled", "w2": "disabled"}}]}),
        ),
        alerts: part(json!({"alerts": [alert("low", "soon"), alert("critical", "now")]})),
    }
}

fn drawn(snapshot: &Snapshot, view: &View, (width, height): (u16, u16)) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| all(frame, snapshot, view)).unwrap();
    let buffer = terminal.backend().buffer();
    let lines = buffer.content().chunks(usize::from(width).max(1));
    lines
        .map(|cells| cells.iter().map(ratatui::buffer::Cell::symbol).collect())
        .collect()
}

fn line<'a>(lines: &'a [String], with: &str) -> &'a str {
    let found = lines.iter().find(|line| line.contains(with));
    found.unwrap_or_else(|| panic!("no `{with}` in\n{}", lines.join("\n")))
}

#[test]
fn everything_is_there() {
    let lines = drawn(&snapshot(), &View::default(), (140, 40));
    assert!(lines[0].contains("mode paused  health 61 (degraded)  1970-01-01 00:00:00Z"));
    assert!(lines[1].contains("broker ok  store ok  workers 1 of 2 ready"));
    let worker = line(&lines, "w1  ");
    for part in [
        "ready",
        "balanced",
        "high",
        "3/4 of 10",
        "████████░░  83 %",
        "████░░░░░░  40 %",
        "61",
    ] {
        assert!(worker.contains(part), "{part}: {worker}");
    }
    line(
        &lines,
        "queues: 7 pending, oldest 1 min 15 s, 12.0 a minute",
    );
    let feature = line(&lines, "off: level high");
    assert!(feature.contains("partly    1/2    level"), "{feature}");
    line(&lines, "alerts: 1 critical, 0 high, 0 medium, 1 low");
    let at = |text: &str| lines.iter().position(|line| line.contains(text)).unwrap();
    assert!(at("now") < at("soon"), "the urgent one comes first");
    assert!(lines[39].contains("q quit"));
}

#[test]
fn numbers_of_a_queue_stand_in_their_columns() {
    let lines = drawn(&snapshot(), &View::default(), (140, 40));
    let mut left = lines.iter().filter(|line| line.starts_with('│'));
    let shown = left
        .find(|line| line.starts_with("│email_analysis"))
        .unwrap();
    let queue = shown.split('│').nth(1).unwrap();
    let cells: Vec<&str> = queue.split_whitespace().collect();
    assert_eq!(cells, ["email_analysis", "6", "1", "5", "4"], "{shown}");
}

#[test]
fn a_part_that_is_away_says_so_and_keeps_its_rows() {
    let mut snapshot = snapshot();
    snapshot.workers.error = Some("503: the store is away\nmore".into());
    let lines = drawn(&snapshot, &View::default(), (140, 40));
    let title = line(&lines, "workers: 2");
    assert!(
        title.contains("as of 1970-01-01 00:00:00Z: 503: the store is away"),
        "{title}"
    );
    line(&lines, "w2");
}

#[test]
fn nobody_there_is_said_at_the_top() {
    let mut snapshot = Snapshot::at("http://127.0.0.1:1");
    assert!(drawn(&snapshot, &View::default(), (100, 30))[1].contains("asking"));
    snapshot.at = Some(Stamp::from_micros(0));
    snapshot.system.error = Some("no answer from http://127.0.0.1:1".into());
    let lines = drawn(&snapshot, &View::default(), (100, 30));
    assert!(
        lines[1].contains("no answer from http://127.0.0.1:1"),
        "{lines:#?}"
    );
}

#[test]
fn a_question_takes_the_place_of_the_keys() {
    let mut view = View::default();
    view.on_key(KeyCode::Char('d').into(), &snapshot());
    let lines = drawn(&snapshot(), &view, (140, 40));
    assert!(lines[39].starts_with("drain w1, so that it takes nothing new? (y/n)"));
}

#[test]
fn no_size_is_too_small() {
    for width in [0, 1, 2, 7, 40, 109, 110, 300] {
        for height in [0, 1, 2, 3, 4, 8, 15, 60] {
            drawn(&snapshot(), &View::default(), (width, height));
        }
    }
}

#[test]
fn as_high_as_asked_for_everything_fits() {
    let mut many = snapshot();
    let workers: Vec<Value> = (0..30)
        .map(|n| json!({"worker_id": format!("worker-{n:02}")}))
        .collect();
    many.workers = part(json!({"workers": workers}));
    for width in [80, 120] {
        let lines = drawn(&many, &View::unfocused(), (width, height(&many, width)));
        for n in 0..30 {
            line(&lines, &format!("worker-{n:02}"));
        }
        for row in ["email_analysis", "soon", "partly"] {
            line(&lines, row);
        }
        assert_eq!(lines.last().unwrap().trim(), "");
    }
}

#[test]
fn the_selected_row_is_in_sight() {
    let workers: Vec<Value> = (0..50)
        .map(|n| json!({"worker_id": format!("worker-{n:02}")}))
        .collect();
    let mut many = snapshot();
    many.workers = part(json!({"workers": workers}));
    let mut view = View::default();
    view.on_key(KeyCode::End.into(), &many);
    line(&drawn(&many, &view, (120, 30)), "worker-49");
}
