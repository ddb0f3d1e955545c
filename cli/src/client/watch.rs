//! Follows tasks until they end: a progress bar each at a terminal, a line a
//! change elsewhere.
//!
//! Invariant: progress goes to standard error; standard output holds only the
//! final answer, so that it can be piped.

use std::{collections::BTreeMap, io::IsTerminal, process::ExitCode, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::{arguments::Output, exit::Failure};

use super::{http, http::Api, table, verdict};

/// How often the state of each task is asked for: a person sees no difference
/// below, and the coordinator answers thousands a second.
const INTERVAL: Duration = Duration::from_millis(250);

/// More bars than this do not fit a screen; the rest is counted.
const BARS: usize = 20;

/// Follows these tasks, or the whole queue if none is named, and shows how
/// they ended.
pub(crate) fn run(api: &Api, tasks: &[String], output: Output) -> anyhow::Result<ExitCode> {
    if tasks.is_empty() {
        return whole_queue(api, output);
    }
    let ended = follow(api, tasks)?;
    let statuses: Vec<String> = ended
        .iter()
        .map(|task| table::cell(&task["status"]))
        .collect();
    match output {
        Output::Json if ended.len() == 1 => {
            table::line(&serde_json::to_string_pretty(&ended[0])?)?;
        }
        Output::Json => table::line(&serde_json::to_string_pretty(&ended)?)?,
        Output::Table if ended.len() == 1 => table::line(&table::task(&ended[0]))?,
        Output::Table => table::line(&overview(&ended))?,
    }
    Ok(verdict(statuses.iter().map(String::as_str)))
}

/// Follows tasks until all have ended, and returns their final answers in
/// order.
pub(crate) fn follow(api: &Api, tasks: &[String]) -> Result<Vec<Value>, Failure> {
    let mut screen = Screen::new(tasks.len());
    let mut ended: BTreeMap<usize, Value> = BTreeMap::new();
    while ended.len() < tasks.len() {
        let mut last_open = None;
        for (index, task) in tasks.iter().enumerate() {
            if ended.contains_key(&index) {
                continue;
            }
            let answer = api.get(&format!("/api/workflows/status/{}", http::segment(task)?))?;
            screen.show(index, &answer);
            if is_final(&answer) {
                ended.insert(index, answer);
            } else {
                last_open = Some(task);
            }
        }
        match last_open {
            Some(only) if tasks.len() == 1 => {
                let path = format!("/api/workflows/status/{}", http::segment(only)?);
                drop(api.get_when_ended(&path, 1)?);
            }
            Some(_) => pause(),
            None => {}
        }
    }
    Ok(ended.into_values().collect())
}

fn whole_queue(api: &Api, output: Output) -> anyhow::Result<ExitCode> {
    let number = |queue: &Value, name: &str| queue[name].as_u64().unwrap_or(0);
    let first = api.get("/api/workflows/queue")?;
    let start = number(&first, "pending") + number(&first, "running");
    let bar = Screen::bar(start);
    let queue = loop {
        let queue = api.get("/api/workflows/queue")?;
        let open = number(&queue, "pending") + number(&queue, "running");
        bar.set_length(bar.length().unwrap_or(0).max(open));
        bar.set_position(bar.length().unwrap_or(0) - open);
        bar.set_message(format!("{open} open, {} failed", number(&queue, "failed")));
        if open == 0 {
            break queue;
        }
        pause();
    };
    bar.finish_and_clear();
    match output {
        Output::Json => table::line(&serde_json::to_string_pretty(&queue)?)?,
        Output::Table => table::line(&table::queue(&queue))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn is_final(task: &Value) -> bool {
    matches!(
        task["status"].as_str(),
        Some("completed" | "failed" | "cancelled")
    )
}

fn overview(tasks: &[Value]) -> String {
    let row = |task: &Value| {
        let error = match &task["error"] {
            Value::Null => String::new(),
            error => format!(
                "{}: {}",
                table::cell(&error["code"]),
                table::cell(&error["message"])
            ),
        };
        ["task_id", "workflow_type", "status"]
            .map(|name| table::cell(&task[name]))
            .into_iter()
            .chain([error])
            .collect()
    };
    let rows: Vec<Vec<String>> = tasks.iter().map(row).collect();
    table::columns(&["TASK", "TYPE", "STATUS", "ERROR"], &rows)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a command of its own, no executor to block"
)]
fn pause() {
    std::thread::sleep(INTERVAL);
}

/// Bars at a terminal, lines elsewhere.
struct Screen {
    bars: Vec<ProgressBar>,
    said: Vec<String>,
    terminal: bool,
}

impl Screen {
    fn new(tasks: usize) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let many = MultiProgress::new();
        let bars = if terminal { tasks.min(BARS) } else { 0 };
        let bars = (0..bars).map(|_| many.add(Self::bar(1000))).collect();
        Self {
            bars,
            said: vec![String::new(); tasks],
            terminal,
        }
    }

    fn bar(length: u64) -> ProgressBar {
        let bar = ProgressBar::new(length);
        if let Ok(style) = ProgressStyle::with_template("{prefix:28} {bar:30} {msg}") {
            bar.set_style(style);
        }
        bar
    }

    fn show(&mut self, index: usize, task: &Value) {
        let status = table::cell(&task["status"]);
        let detail = match status.as_str() {
            "pending" => format!("pending ({})", table::cell(&task["waiting_on"])),
            "running" => task["progress"]["message"]
                .as_str()
                .unwrap_or("running")
                .to_owned(),
            _ => status.clone(),
        };
        if let Some(bar) = self.bars.get(index) {
            bar.set_prefix(table::cell(&task["workflow_type"]));
            bar.set_position(permille(task, &status));
            bar.set_message(detail.clone());
            if is_final(task) {
                bar.abandon();
            }
        } else if !self.terminal && self.said[index] != detail {
            eprintln!(
                "{}  {}  {detail}",
                table::cell(&task["task_id"]),
                table::cell(&task["workflow_type"])
            );
        }
        self.said[index] = detail;
    }
}

fn permille(task: &Value, status: &str) -> u64 {
    let fraction = task["progress"]["fraction"]
        .as_f64()
        .unwrap_or(0.0)
        .clamp(0.0, 1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=1000"
    )]
    match status {
        "completed" => 1000,
        _ => (fraction * 1000.0) as u64,
    }
}
