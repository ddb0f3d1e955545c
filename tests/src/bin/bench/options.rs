//! What the caller asks of a run. Invariant: every figure that shapes a measurement is an option with its default here,
//! and goes into the report. Deliberately absent: anything read from the environment past `ZEROGATE_BIN`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;

use crate::gate;
use crate::system::System;

/// Compares Zero Gate with Celery, Dramatiq and BullMQ on one private RabbitMQ and Redis.
#[derive(Debug, Parser)]
#[command(name = "bench", args_conflicts_with_subcommands = true)]
pub(crate) struct Program {
    /// What has options of its own.
    #[command(subcommand)]
    pub(crate) own: Option<Own>,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// What has options of its own.
#[derive(Debug, Subcommand)]
pub(crate) enum Own {
    /// The gate against no gate and other gates, on four workers with 384 MiB each.
    Gate(gate::Options),
    /// One worker of that experiment.
    #[command(hide = true)]
    GateWorker(gate::member::Arguments),
}

/// Which measurement to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Measure {
    /// No-op tasks a second: submission, and submission to completion; the backlog; the cost of orchestration.
    Throughput,
    /// One task at a time on an idle system, submit to result; memory; the API under load.
    Latency,
    /// Fan-in 100 -> 1, a chain of 50, one bulk request of 10,000 tasks, a 1,000-node DAG.
    Dag,
}

/// What shapes the comparison with the peers.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Options {
    /// What to measure; all of it when none is named.
    #[arg(value_enum)]
    #[serde(skip)]
    measure: Option<Measure>,
    /// Interleaved rounds; the report gives medians.
    #[arg(long, default_value_t = 5)]
    pub(crate) runs: u32,
    /// Only these systems (comma separated); all by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<System>,
    /// Tasks of a throughput run of ours; slower systems get a share of it that takes about as long.
    #[arg(long, default_value_t = 40_000)]
    pub(crate) tasks: u32,
    /// Tasks in one bulk submission, ours and BullMQ's alike.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) chunk: u32,
    /// Clients that submit to ours at the same time.
    #[arg(long, default_value_t = 4)]
    pub(crate) clients: u32,
    /// Slots of one Zero Gate worker.
    #[arg(long, default_value_t = 16)]
    pub(crate) concurrency: u32,
    /// Samples of a latency run.
    #[arg(long, default_value_t = 300)]
    pub(crate) samples: u32,
    /// Fan-ins and chains of a dag run.
    #[arg(long, default_value_t = 20)]
    pub(crate) dag_samples: u32,
    /// Pending tasks of the backlog measurement.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) backlog: u32,
    /// The report as JSON.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Where the peers are installed (kept between runs); `bench-peers` beside the build's output by default.
    #[arg(long)]
    pub(crate) peers_dir: Option<PathBuf>,
    /// The release build of the program; `release/zerogate` beside the build's output by default.
    #[arg(long, env = "ZEROGATE_BIN")]
    pub(crate) bin: Option<PathBuf>,
}

impl Options {
    /// The measurements in the order in which they are taken.
    pub(crate) fn measures(&self) -> Vec<Measure> {
        self.measure
            .map_or_else(|| Measure::value_variants().to_vec(), |one| vec![one])
    }

    /// The systems that can be measured so, narrowed by `--only`.
    pub(crate) fn systems(&self, measure: Measure) -> Vec<System> {
        System::value_variants()
            .iter()
            .copied()
            .filter(|system| system.takes(measure))
            .filter(|system| self.only.is_empty() || self.only.contains(system))
            .collect()
    }

    /// Whether any of the chosen measurements involves a system of this kind.
    pub(crate) fn needs(&self, kind: impl Fn(System) -> bool) -> bool {
        self.measures()
            .into_iter()
            .flat_map(|measure| self.systems(measure))
            .any(kind)
    }
}
