//! The report: a table and the goals for people, JSON for programs. The only module that prints.
//!
//! Invariant: figures never appear without the versions, settings and machine that they belong to.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::board::Series;
use crate::goals::{self, Goal};
use crate::machine::Machine;
use crate::options::Options;
use crate::ours;
use crate::peers::Peer;
use crate::process;
use crate::stage::Stage;
use crate::system::System;

/// A line for whoever watches; the report alone goes to standard output.
pub(crate) fn note(text: &str) {
    // Nobody to tell when standard error is gone.
    drop(writeln!(io::stderr(), "{text}"));
}

/// A report on standard output.
pub(crate) fn show(text: &str) -> Result<()> {
    io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .context("print the report")
}

/// Everything known at the end of a run.
#[derive(Serialize)]
pub(crate) struct Report<'a> {
    machine: &'a Machine,
    versions: Vec<(String, String)>,
    options: &'a Options,
    systems: Vec<Row>,
    figures: &'a [Series],
    goals: Vec<Goal>,
}

/// One system of the run.
#[derive(Serialize)]
struct Row {
    system: System,
    settings: &'static str,
    throughput_tasks: u32,
}

impl<'a> Report<'a> {
    /// Gathers versions and machine and judges the goals.
    pub(crate) fn of(stage: &'a Stage) -> Result<Self> {
        let measured = |system: &System| {
            stage
                .board
                .series()
                .iter()
                .any(|series| series.system == system.name())
        };
        let systems = <System as clap::ValueEnum>::value_variants()
            .iter()
            .copied()
            .filter(measured)
            .map(|system| Row {
                system,
                settings: system.settings(),
                throughput_tasks: system.tasks(stage.options.tasks),
            })
            .collect();
        Ok(Self {
            machine: &stage.machine,
            versions: versions(stage)?,
            options: &stage.options,
            systems,
            figures: stage.board.series(),
            goals: goals::judge(&stage.board),
        })
    }

    /// The table on standard output.
    pub(crate) fn print(&self) -> Result<()> {
        show(&self.text()?)
    }

    /// The JSON into a file.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(path, text).with_context(|| format!("write {}", path.display()))
    }

    fn text(&self) -> Result<String> {
        let mut text = String::new();
        self.head(&mut text)?;
        self.table(&mut text)?;
        self.standing(&mut text)?;
        Ok(text)
    }

    fn head(&self, text: &mut String) -> Result<()> {
        let machine = &self.machine;
        writeln!(
            text,
            "{}: {} cores ({}), {:.1} GiB, Linux {}, load {}, bench built in {}; medians of {} interleaved runs",
            machine.date,
            machine.cores,
            machine.processor,
            machine.memory_gib,
            machine.kernel,
            machine.load_average,
            machine.bench_build,
            self.options.runs
        )?;
        let versions: Vec<String> = self
            .versions
            .iter()
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        writeln!(text, "versions: {}", versions.join(", "))?;
        for row in &self.systems {
            writeln!(text, "{}: {}", row.system.name(), row.settings)?;
        }
        Ok(())
    }

    fn table(&self, text: &mut String) -> Result<()> {
        writeln!(
            text,
            "\n{:<14} {:<32} {:>12} {:>12} {:>12}",
            "system", "measure", "median", "least", "most"
        )?;
        for series in self.figures {
            let least = series.runs.iter().copied().fold(f64::INFINITY, f64::min);
            let most = series
                .runs
                .iter()
                .copied()
                .fold(f64::NEG_INFINITY, f64::max);
            writeln!(
                text,
                "{:<14} {:<32} {:>12} {:>12} {:>12}",
                series.system,
                series.measure,
                figure(series.median),
                figure(least),
                figure(most)
            )?;
        }
        Ok(())
    }

    fn standing(&self, text: &mut String) -> Result<()> {
        writeln!(
            text,
            "\n{:<52} {:>10} {:>12} {:>7}  standing",
            "goal", "value", "limit", "ratio"
        )?;
        for goal in &self.goals {
            let standing = match goal.reached {
                Some(true) => "reached",
                Some(false) => "missed",
                None => "not measured",
            };
            let sign = if goal.at_least { ">=" } else { "<=" };
            let limit = format!("{sign} {}", figure(goal.limit));
            writeln!(
                text,
                "{:<52} {:>10} {limit:>12} {:>7}  {standing}",
                goal.what,
                goal.value.map_or_else(|| "-".to_owned(), figure),
                goal.ratio
                    .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
            )?;
        }
        Ok(())
    }
}

/// Three significant digits or so: more would claim more than a benchmark knows.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn versions(stage: &Stage) -> Result<Vec<(String, String)>> {
    let mut versions = stage.nodes.versions()?.to_vec();
    if stage.options.needs(System::is_ours) {
        let version = process::ask(ours::program(&stage.options)?, &["--version"])?;
        versions.push(("ours".to_owned(), version));
    }
    for peer in Peer::ALL {
        if stage.options.needs(|system| Peer::of(system) == Some(peer)) {
            versions.extend(stage.toolbox.versions(peer)?);
        }
    }
    Ok(versions)
}
