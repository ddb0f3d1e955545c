//! The hidden subcommand `gate-worker`: one worker of the experiment, built from the worker's own parts as a team's own
//! worker would be, with the arm's gate.
//!
//! Invariant: arms differ in [`gate_of`] alone.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use shared::blobs::{Blobs, objects::Objects};
use shared::broker::{Broker, rabbit, rabbit::RabbitBroker};
use shared::clock::SystemClock;
use shared::lifecycle::Tasks;
use shared::store::{large::LargePayloads, redis, redis::RedisStore};
use shared::telemetry::{self, LogFormat};
use worker::{Options, Seams, Worker, gate::Choice};

use super::memory::Gauge;
use super::plan::{Arm, LIMIT_BYTES};
use super::rules::{Rule, RuleGate};

/// Its loops have nothing left to do once the worker drained.
const LOOPS_END_WITHIN: Duration = Duration::from_secs(5);

/// What the supervisor tells a worker.
#[derive(Clone, Debug, Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    name: String,
    #[arg(long)]
    amqp_url: String,
    #[arg(long)]
    redis_url: String,
    /// The coordinator's.
    #[arg(long)]
    data_dir: PathBuf,
    #[arg(long)]
    ledger: PathBuf,
    /// The memory group that it runs in.
    #[arg(long)]
    group: PathBuf,
    #[arg(long, value_enum)]
    arm: Arm,
    #[arg(long)]
    slots: u32,
}

impl Arguments {
    /// The same as words of a command line.
    pub(crate) fn words(&self) -> Vec<std::ffi::OsString> {
        let arm = self.arm.to_possible_value();
        let arm = arm.map_or_else(String::new, |value| value.get_name().to_owned());
        vec![
            "gate-worker".into(),
            "--name".into(),
            (&self.name).into(),
            "--amqp-url".into(),
            (&self.amqp_url).into(),
            "--redis-url".into(),
            (&self.redis_url).into(),
            "--data-dir".into(),
            (&self.data_dir).into(),
            "--ledger".into(),
            (&self.ledger).into(),
            "--group".into(),
            (&self.group).into(),
            "--arm".into(),
            arm.into(),
            "--slots".into(),
            self.slots.to_string().into(),
        ]
    }
}

/// What all workers of a fleet are told alike.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    /// RabbitMQ.
    pub(crate) amqp_url: String,
    /// Redis.
    pub(crate) redis_url: String,
    /// The coordinator's folder.
    pub(crate) data_dir: PathBuf,
    /// What runs did.
    pub(crate) ledger: PathBuf,
    /// Who decides.
    pub(crate) arm: Arm,
    /// Slots of each.
    pub(crate) slots: u32,
}

impl Common {
    /// The arguments of one of them.
    pub(crate) fn of(&self, name: &str, gauge: &Gauge) -> Arguments {
        Arguments {
            name: name.to_owned(),
            amqp_url: self.amqp_url.clone(),
            redis_url: self.redis_url.clone(),
            data_dir: self.data_dir.clone(),
            ledger: self.ledger.clone(),
            group: gauge.folder().to_owned(),
            arm: self.arm,
            slots: self.slots,
        }
    }
}

/// The gate of an arm: the one place where arms differ.
fn gate_of(arm: Arm, slots: u32, gauge: Gauge) -> Result<Choice> {
    let ruled = |rule| -> Result<Choice> {
        let gate = RuleGate::start(rule, slots, gauge, LIMIT_BYTES)?;
        Ok(Choice::Own(Arc::new(gate)))
    };
    match arm {
        Arm::None | Arm::Best => Ok(Choice::Off),
        Arm::Pause => ruled(Rule::Pause),
        Arm::Tuner => ruled(Rule::Tuner),
        Arm::Ours => Ok(Choice::Enforce),
    }
}

/// Runs until it is killed, or until the worker itself wants to be restarted.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    telemetry::start_logs(LogFormat::Text, "warn")?;
    tokio::runtime::Runtime::new()?.block_on(work(arguments))
}

async fn work(arguments: Arguments) -> Result<ExitCode> {
    let tasks = Tasks::new();
    let broker = rabbit::Options {
        channels: u16::try_from(arguments.slots)?.clamp(4, 64),
        ..rabbit::Options::new(arguments.amqp_url)
    };
    let broker = RabbitBroker::connect(broker, &tasks)?;
    let blobs = Objects::open(None, &arguments.data_dir.join("blobs"))?;
    let store = RedisStore::connect(redis::Options::new(arguments.redis_url)).await?;
    let seams = Seams {
        store: LargePayloads::over(store, Arc::clone(&blobs) as Arc<dyn Blobs>),
        blobs,
        broker: Arc::clone(&broker) as Arc<dyn Broker>,
        clock: Arc::new(SystemClock),
    };
    let gauge = Gauge::at(arguments.group);
    let options = Options {
        work_dir: Some(arguments.data_dir.join("work")),
        host: Some(arguments.name),
        concurrency: arguments.slots,
        gate: gate_of(arguments.arm, arguments.slots, gauge)?,
        ..Options::default()
    };
    let registry = super::handlers::registry(&arguments.ledger)?;
    let worker = Worker::start(options, registry, seams, &tasks).await?;
    let report = worker.drained().await;
    broker.close().await;
    tasks.finish(LOOPS_END_WITHIN).await;
    Ok(ExitCode::from(report.exit_code))
}
