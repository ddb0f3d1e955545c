//! Zero Gate as its users start it: coordinator and worker processes on the nodes, or `zerogate dev`.
//!
//! Invariant: the program is known by its contract alone (command line, environment, HTTP); a [`Fleet`] starts empty
//! and leaves nothing behind.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use zerogate_tests::{nursery, ports};

use crate::http::Client;
use crate::nodes::Nodes;
use crate::options::Options;
use crate::process::{self, Group};
use crate::system::System;

const READY_WITHIN: Duration = Duration::from_secs(30);
/// Short, because the start of the embedded mode is measured by it.
const READY_POLL: Duration = Duration::from_millis(2);

/// A running Zero Gate; dropped, it is gone.
pub(crate) struct Fleet {
    base: String,
    /// From the start of the process until it said that it is ready, milliseconds.
    pub(crate) start_ms: f64,
    coordinator: Group,
    worker: Option<Group>,
    /// Removed with the fleet.
    _data: TempDir,
}

impl Fleet {
    /// Starts the given variant on empty stores and waits until it is ready and has run a task.
    pub(crate) fn start(
        system: System,
        options: &Options,
        nodes: &Nodes,
        logs: &Path,
    ) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let listen = format!("127.0.0.1:{}", ports::free()?);
        let role = Role {
            system,
            options,
            nodes,
            data: data.path(),
        };
        let (name, is_whole) = match system {
            System::OursEmbedded => ("dev", true),
            _ => ("coordinator", false),
        };
        let mut first = role.command(name)?;
        first.args(["--listen", &listen]);
        let log = |role: &str| format!("{}-{role}", system.name());
        let started = Instant::now();
        let coordinator = Group::spawn(first, logs, &log(name))?;
        let worker = (!is_whole)
            .then(|| Group::spawn(role.command("worker")?, logs, &log("worker")))
            .transpose()?;
        let mut fleet = Self {
            base: format!("http://{listen}"),
            start_ms: 0.0,
            coordinator,
            worker,
            _data: data,
        };
        fleet.wait_ready()?;
        fleet.start_ms = started.elapsed().as_secs_f64() * 1000.0;
        fleet.try_one()?;
        Ok(fleet)
    }

    /// A client with its own connection.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.base)
    }

    /// An error with the end of the log if a process has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.coordinator.check().context("the coordinator")?;
        self.worker
            .as_mut()
            .map_or(Ok(()), Group::check)
            .context("the worker")
    }

    /// Resident memory of the coordinator (or of the one embedded process) and of the worker, MiB.
    pub(crate) fn resident_mib(&self) -> Result<(f64, Option<f64>)> {
        let worker = self.worker.as_ref().map(Group::resident_mib).transpose()?;
        Ok((self.coordinator.resident_mib()?, worker))
    }

    /// Processor time used so far, seconds, in the same order.
    pub(crate) fn cpu_seconds(&self) -> Result<(f64, Option<f64>)> {
        let worker = self.worker.as_ref().map(Group::cpu_seconds).transpose()?;
        Ok((self.coordinator.cpu_seconds()?, worker))
    }

    fn wait_ready(&mut self) -> Result<()> {
        let client = self.client();
        process::wait_until("readiness", READY_WITHIN, READY_POLL, || {
            self.check()?;
            Ok(client.is_ready())
        })
    }

    /// Only a finished task proves that a worker is there.
    fn try_one(&mut self) -> Result<()> {
        let client = self.client();
        let tried = client
            .submit(NOOP)
            .and_then(|id| client.completed(&id))
            .context("the first task");
        self.check()?;
        tried
    }
}

/// The body of a submission that does nothing.
pub(crate) const NOOP: &str = r#"{"workflow_type":"diagnostic.noop","input":{}}"#;

/// The release build of the program: as asked, or beside the build's output.
pub(crate) fn program(options: &Options) -> Result<PathBuf> {
    let path = options.bin.clone().map_or_else(beside_the_build, Ok)?;
    if !path.is_file() {
        bail!(
            "no program at {}: build it with `cargo build --release` or name it with ZEROGATE_BIN",
            path.display()
        );
    }
    Ok(path)
}

/// `<target>/release/zerogate`, seen from `<target>/<profile>/bench`.
fn beside_the_build() -> Result<PathBuf> {
    Ok(build_output()?.join("release").join("zerogate"))
}

/// The folder of the build's output in which this program lies.
pub(crate) fn build_output() -> Result<PathBuf> {
    let own = std::env::current_exe().context("find the own program")?;
    let output = own
        .ancestors()
        .nth(2)
        .context("the bench lies outside a build folder")?;
    Ok(output.to_owned())
}

/// How one process of a variant is started.
struct Role<'a> {
    system: System,
    options: &'a Options,
    nodes: &'a Nodes,
    data: &'a Path,
}

impl Role<'_> {
    fn command(&self, name: &str) -> Result<Command> {
        let mut command = nursery::command(program(self.options)?);
        command
            .args([name, "--diagnostics", "--data-dir"])
            .arg(self.data.join(name));
        if name != "coordinator" {
            command.args(["--concurrency", &self.options.concurrency.to_string()]);
        }
        if name != "dev" {
            command
                .env("ZEROGATE_AMQP_URL", self.nodes.amqp_url())
                .env("ZEROGATE_REDIS_URL", self.nodes.redis_url())
                .args(variant(self.system));
        }
        Ok(command)
    }
}

/// Both roles get the same options, as they would from one configuration file.
fn variant(system: System) -> &'static [&'static str] {
    match system {
        System::OursSingle => &["--queue-type", "classic", "--bundle-ms", "0"],
        System::OursQuorum => &["--queue-type", "quorum"],
        _ => &["--queue-type", "classic"],
    }
}
