//! A whole system under test: RabbitMQ, Redis, coordinators and workers, or the embedded program in one process.
//!
//! Everything of a fleet is its own (ports, folder, virtual host, Redis), so any number of them run side by side. When
//! a test fails the ends of all logs are printed and the folder is kept.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::api::Api;
use crate::broker::Broker;
use crate::process::{Process, tail};
use crate::redis::{Redis, RedisOptions};
use crate::wait::{self, Look};
use crate::{nursery, ports, settings};

/// A process is ready in well under a second alone; a loaded machine takes longer.
pub const READY: Duration = Duration::from_secs(30);

/// What a fleet is made of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// One process with embedded parts instead of RabbitMQ, Redis and separate roles.
    pub embedded: bool,
    /// Workers go by their resources. Not by default: the machine that runs tests is busy with other tests, and what a
    /// gate decides there is chance.
    pub gated: bool,
    /// How many coordinators start with the fleet.
    pub coordinators: usize,
    /// How many workers start with the fleet.
    pub workers: usize,
    /// Slots of each worker.
    pub concurrency: usize,
    /// A RabbitMQ node of its own, to be stopped and wiped.
    pub private_broker: bool,
    /// How Redis is configured.
    pub redis: RedisOptions,
    /// Flags for every process: timing, queue type.
    pub flags: Vec<String>,
}

impl Options {
    /// One coordinator and one worker with four slots on RabbitMQ and Redis, with leases short enough to test.
    #[must_use]
    pub fn distributed() -> Self {
        let options = Self {
            embedded: false,
            gated: false,
            coordinators: 1,
            workers: 1,
            concurrency: 4,
            private_broker: false,
            redis: RedisOptions::default(),
            flags: Vec::new(),
        };
        options.timing(3_000, 700, 3_000)
    }

    /// Everything in one process, with the same leases.
    #[must_use]
    pub fn embedded() -> Self {
        Self {
            embedded: true,
            ..Self::distributed()
        }
    }

    /// With workers that go by their resources.
    #[must_use]
    pub fn gated(mut self) -> Self {
        self.gated = true;
        self
    }

    /// Sets lease, renew interval and re-publish deadline in milliseconds.
    #[must_use]
    pub fn timing(self, lease: u32, renew: u32, republish: u32) -> Self {
        self.flag("--lease-ms", &lease.to_string())
            .flag("--renew-ms", &renew.to_string())
            .flag("--republish-ms", &republish.to_string())
    }

    /// Sets a flag of every process, in place of an earlier value.
    #[must_use]
    pub fn flag(mut self, name: &str, value: &str) -> Self {
        if let Some(at) = self.flags.iter().position(|flag| flag == name) {
            self.flags.drain(at..at + 2);
        }
        self.flags.extend([name.to_owned(), value.to_string()]);
        self
    }

    /// Sets how many coordinators, workers and slots a worker there are.
    #[must_use]
    pub fn size(mut self, coordinators: usize, workers: usize, concurrency: usize) -> Self {
        self.coordinators = coordinators;
        self.workers = workers;
        self.concurrency = concurrency;
        self
    }

    /// Asks for a RabbitMQ node of its own.
    #[must_use]
    pub fn own_broker(mut self) -> Self {
        self.private_broker = true;
        self
    }

    /// Configures Redis.
    #[must_use]
    pub fn redis(mut self, redis: RedisOptions) -> Self {
        self.redis = redis;
        self
    }
}

/// One process of the fleet, and how to start it again.
#[derive(Debug)]
pub struct Member {
    /// The running (or ended) process.
    pub process: Process,
    port: u16,
    role: Role,
    extra: Vec<String>,
}

impl Member {
    /// A client of this process' own port.
    #[must_use]
    pub fn api(&self) -> Api {
        Api::new(self.port)
    }
}

#[derive(Debug, Clone, Copy)]
enum Role {
    Dev,
    Coordinator,
    Worker,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Coordinator => "coordinator",
            Self::Worker => "worker",
        }
    }
}

/// A running system. The public parts are for breaking.
#[derive(Debug)]
pub struct Fleet {
    /// The coordinators (or the one embedded process), in the order of their start.
    pub coordinators: Vec<Member>,
    /// The workers, in the order of their start.
    pub workers: Vec<Member>,
    broker: Option<Broker>,
    redis: Option<Redis>,
    options: Options,
    folder: Option<TempDir>,
}

impl Fleet {
    /// Starts a fleet, runs the scenario on it, and takes it down; a failure comes with the ends of all logs.
    pub fn run(options: Options, scenario: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let mut fleet = Self::bare(options)?;
        let outcome = fleet.populate().and_then(|()| scenario(&mut fleet));
        if outcome.is_err() {
            fleet.keep_evidence();
        }
        outcome
    }

    fn bare(options: Options) -> Result<Self> {
        let folder = TempDir::with_prefix("zerogate-fleet-").context("make the fleet's folder")?;
        std::fs::create_dir(folder.path().join("data")).context("make the data folder")?;
        let (mut broker, mut redis) = (None, None);
        if !options.embedded {
            redis = Some(Redis::start(options.redis.clone())?);
            broker = Some(if options.private_broker {
                Broker::private()?
            } else {
                Broker::shared()?
            });
        }
        Ok(Self {
            coordinators: Vec::new(),
            workers: Vec::new(),
            broker,
            redis,
            options,
            folder: Some(folder),
        })
    }

    fn populate(&mut self) -> Result<()> {
        for _ in 0..self.options.coordinators {
            self.add_coordinator(&[])?;
        }
        // The embedded program is its own worker.
        let workers = if self.options.embedded {
            0
        } else {
            self.options.workers
        };
        for _ in 0..workers {
            self.add_worker(&[])?;
        }
        Ok(())
    }

    /// Starts one more coordinator (the embedded program in embedded mode) with further flags, and waits until it is ready.
    pub fn add_coordinator(&mut self, extra: &[&str]) -> Result<usize> {
        let role = if self.options.embedded {
            Role::Dev
        } else {
            Role::Coordinator
        };
        let index = self.coordinators.len();
        let member = self.start(role, index, extra)?;
        self.coordinators.push(member);
        wait_ready(&mut self.coordinators[index])?;
        Ok(index)
    }

    /// Starts one more worker with further flags, and waits until it is ready.
    pub fn add_worker(&mut self, extra: &[&str]) -> Result<usize> {
        let index = self.workers.len();
        let member = self.start(Role::Worker, index, extra)?;
        self.workers.push(member);
        wait_ready(&mut self.workers[index])?;
        Ok(index)
    }

    /// Starts an ended coordinator again on its old port, with new further flags.
    pub fn restart_coordinator(&mut self, index: usize, extra: &[&str]) -> Result<()> {
        let (role, port) = {
            let old = &mut self.coordinators[index];
            old.process.kill()?;
            old.extra = extra.iter().map(ToString::to_string).collect();
            (old.role, old.port)
        };
        let process = self.launch(role, index, port, extra)?;
        let member = &mut self.coordinators[index];
        member.process = process;
        wait_ready(member)
    }

    /// A client of the first coordinator.
    #[must_use]
    pub fn api(&self) -> Api {
        self.coordinators[0].api()
    }

    /// RabbitMQ, as this fleet has it.
    pub fn broker(&mut self) -> Result<&mut Broker> {
        self.broker
            .as_mut()
            .context("embedded: there is no RabbitMQ")
    }

    /// The AMQP URL of this fleet's virtual host.
    pub fn amqp(&self) -> Result<String> {
        let broker = self.broker.as_ref();
        Ok(broker.context("embedded: there is no RabbitMQ")?.url())
    }

    /// Redis, as this fleet has it.
    pub fn redis(&mut self) -> Result<&mut Redis> {
        self.redis.as_mut().context("embedded: there is no Redis")
    }

    /// The slots of one worker.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.options.concurrency
    }

    fn start(&self, role: Role, index: usize, extra: &[&str]) -> Result<Member> {
        let port = ports::free()?;
        Ok(Member {
            process: self.launch(role, index, port, extra)?,
            port,
            role,
            extra: extra.iter().map(ToString::to_string).collect(),
        })
    }

    fn launch(&self, role: Role, index: usize, port: u16, extra: &[&str]) -> Result<Process> {
        let name = format!("{}-{index}", role.name());
        let folder = self.path();
        let mut command = nursery::command(settings::program()?);
        command
            .arg(role.name())
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .arg("--data-dir")
            .arg(folder.join("data"))
            .args(["--diagnostics", "--log-format", "json"])
            .args(&self.options.flags)
            .args(extra)
            .current_dir(&folder)
            .env_clear()
            .env("PATH", settings::search_path())
            .env("HOME", &folder)
            .env("RUST_BACKTRACE", "1")
            .env(
                "ZEROGATE_GATE",
                if self.options.gated { "enforce" } else { "off" },
            );
        if !matches!(role, Role::Coordinator) && !extra.contains(&"--concurrency") {
            command.args(["--concurrency", &self.options.concurrency.to_string()]);
        }
        if let (Some(broker), Some(redis)) = (&self.broker, &self.redis) {
            command
                .env("ZEROGATE_AMQP_URL", broker.url())
                .env("ZEROGATE_REDIS_URL", redis.url());
        }
        Process::start(&name, command, &folder.join(format!("{name}.log")))
    }

    /// Where its files are; the data directory of all its processes is `data` in it.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.path()
    }

    fn path(&self) -> PathBuf {
        let folder = self.folder.as_ref();
        folder.map_or_else(PathBuf::new, |folder| folder.path().to_owned())
    }

    fn keep_evidence(&mut self) {
        for member in self.coordinators.iter().chain(&self.workers) {
            let name = member.process.name();
            let log = self.path().join(format!("{name}.log"));
            eprintln!("--- the end of {name}'s log\n{}", tail(&log, 25));
        }
        if let Some(folder) = self.folder.take() {
            eprintln!("--- all logs are kept in {}", folder.keep().display());
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.keep_evidence();
        }
    }
}

fn wait_ready(member: &mut Member) -> Result<()> {
    let name = member.process.name().to_owned();
    let api = member.api();
    wait::until_strict(&format!("{name} to be ready"), READY, || {
        if !member.process.is_running()? {
            let last = member.process.lines()?;
            let last = last[last.len().saturating_sub(15)..].join("\n");
            bail!("{name} ended while starting; its last words:\n{last}");
        }
        Ok(Look::when(api.is_ready(), "/readyz does not answer 200"))
    })
}
