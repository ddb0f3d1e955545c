//! `bench gate` (RESOURCES 4.4): what gates do for a fleet that is offered more memory demand than it has, on real
//! RabbitMQ and Redis, with the kernel's limits and the kernel's counters.
//!
//! Reading order: [`mix`] what is offered; [`plan`] the arms, the seeds and the order; [`handlers`], [`rules`] and
//! [`member`] a worker; [`memory`] and [`fleet`] where it runs; [`offer`], [`watch`], [`outcome`] and [`trial`] one run;
//! [`record`] what is kept of it; [`resample`], [`lines`] and [`table`] what all runs say.
//! Invariant: each run is kept when it ends and never made twice, so the experiment can be stopped and gone on with at
//! any time. Where the kernel's memory groups are out of reach it says so and does nothing.

mod mix;

mod plan;

mod handlers;

mod rules;

pub(crate) mod member;

mod memory;

mod fleet;

mod offer;

mod watch;

mod outcome;

mod trial;

mod record;

mod resample;

mod lines;

mod table;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use zerogate_tests::settings;

use crate::board::median;
use crate::nodes::Nodes;
use crate::{ours, process, report};
use plan::{Arm, Key};
use record::Archive;

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Make the runs that are missing, then report.
    Run,
    /// Report what there is.
    Report,
}

/// What is asked of the experiment.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Make the missing runs and report, or report only.
    #[arg(value_enum, default_value = "run")]
    action: Action,
    /// Where runs are kept; `bench-gate` beside the build's output by default.
    #[arg(long)]
    state: Option<PathBuf>,
    /// Phases are so many times as long: 0.1 for a smoke run, whose figures mean nothing.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Seeds that are reported.
    #[arg(long, default_value_t = 5)]
    seeds: u32,
    /// Seeds on which the best fixed limit is found.
    #[arg(long, default_value_t = 2)]
    tuning_seeds: u32,
    /// Fixed limits that are tried (comma separated).
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 3, 4, 6, 8])]
    limits: Vec<u32>,
    /// Only these arms (comma separated); all that this build has by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    arms: Vec<Arm>,
    /// Begin no further run after so many minutes.
    #[arg(long)]
    minutes: Option<f64>,
    /// The program that coordinates; `ZEROGATE_BIN` or the one beside this program by default.
    #[arg(long)]
    bin: Option<PathBuf>,
}

/// What runs stand on.
struct Ground {
    program: PathBuf,
    nodes: Nodes,
}

/// Makes what is missing and reports.
pub(crate) fn run(options: &Options) -> Result<()> {
    if !(options.scale > 0.0 && options.scale <= 10.0) {
        bail!("--scale {}: must be above 0 and at most 10", options.scale);
    }
    let folder = match &options.state {
        Some(folder) => folder.clone(),
        None => ours::build_output()?.join("bench-gate"),
    };
    let archive = Archive::open(&folder, options.scale)?;
    if options.action == Action::Run {
        memory::sweep_leftovers();
        if let Some(obstacle) = memory::obstacle() {
            report::note(&format!("bench gate: skipped: {obstacle}"));
            return Ok(());
        }
        process::end_groups_on_signal();
        make_missing(options, &archive)?;
    }
    let best = best_limit(options, &archive)?;
    let reported = plan::reported(&Arm::ALL, best, options.seeds);
    let records = archive.all(&reported)?;
    report::show(&table::of(&records, options.scale)?)
}

fn make_missing(options: &Options, archive: &Archive) -> Result<()> {
    let arms = arms(options);
    let program = options.bin.clone().map_or_else(settings::program, Ok)?;
    let mut maker = Maker {
        archive,
        program,
        scale: options.scale,
        began: Instant::now(),
        budget: options
            .minutes
            .map(|minutes| Duration::from_secs_f64(minutes.max(0.0) * 60.0)),
        ground: None,
    };
    if arms.contains(&Arm::Best) {
        maker.make_all(&plan::sweep(&options.limits, options.tuning_seeds))?;
    }
    let best = best_limit(options, archive)?;
    maker.make_all(&plan::reported(&arms, best, options.seeds))
}

/// The chosen arms.
fn arms(options: &Options) -> Vec<Arm> {
    let chosen = |arm: &Arm| options.arms.is_empty() || options.arms.contains(arm);
    Arm::ALL.into_iter().filter(chosen).collect()
}

/// The fixed limit with the highest median goodput over all phases on the tuning seeds, once the sweep is whole. Kills
/// do not disqualify one: it is to be the strongest rival.
fn best_limit(options: &Options, archive: &Archive) -> Result<Option<u32>> {
    let keys = plan::sweep(&options.limits, options.tuning_seeds);
    let records = archive.all(&keys)?;
    if records.len() < keys.len() {
        return Ok(None);
    }
    let goodput = |limit: &u32| {
        let own = records.iter().filter(|record| record.key.slots == *limit);
        let all: Vec<f64> = own
            .map(|record| record.goodput(&lines::ALL_PHASES))
            .collect();
        median(&all)
    };
    let best = options
        .limits
        .iter()
        .max_by(|a, b| goodput(a).total_cmp(&goodput(b)));
    Ok(best.copied())
}

/// Makes runs, as long as there is time.
struct Maker<'a> {
    archive: &'a Archive,
    program: PathBuf,
    scale: f64,
    began: Instant,
    budget: Option<Duration>,
    /// Started with the first run that is missing.
    ground: Option<Ground>,
}

impl Maker<'_> {
    fn make_all(&mut self, keys: &[Key]) -> Result<()> {
        for (index, key) in keys.iter().enumerate() {
            if self.archive.get(key)?.is_some() {
                continue;
            }
            if self
                .budget
                .is_some_and(|budget| self.began.elapsed() >= budget)
            {
                report::note("bench gate: the time is over; the same command goes on from here");
                return Ok(());
            }
            report::note(&format!(
                "gate {}/{}: {}",
                index + 1,
                keys.len(),
                key.name()
            ));
            self.make(*key).with_context(|| key.name())?;
        }
        Ok(())
    }

    fn make(&mut self, key: Key) -> Result<()> {
        if self.ground.is_none() {
            self.ground = Some(Ground {
                program: self.program.clone(),
                nodes: Nodes::start()?,
            });
        }
        let ground = self
            .ground
            .as_ref()
            .context("the nodes were just started")?;
        let record = trial::make(key, ground, self.scale)?;
        report::note(&format!(
            "  {} of {} completed, {} OOM kills, {} not completed, {:.1}/s until the end",
            record.completed,
            record.offered,
            record.kills(),
            record.not_completed(),
            record.whole_per_s
        ));
        self.archive.put(&record)
    }
}
