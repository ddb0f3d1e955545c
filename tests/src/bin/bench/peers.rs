//! The peers: installed from their registries into a scratch folder, started as their users start them, driven by
//! their own client libraries. The programs are in `tests/peers`; each prints one JSON object of measurements.
//!
//! Invariant: a peer's worker runs alone with its driver, on the same nodes as ours. Deliberately absent: any pinned
//! patch version; the report states what was installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;
use zerogate_tests::nursery;

use crate::nodes::Nodes;
use crate::process::{self, Group};
use crate::system::System;

/// One file of a peer: where it goes, and its text.
type Source = (&'static str, &'static str);

const CELERY: &[Source] = &[
    (
        "requirements.txt",
        include_str!("../../../peers/celery/requirements.txt"),
    ),
    ("app.py", include_str!("../../../peers/celery/app.py")),
    ("drive.py", include_str!("../../../peers/celery/drive.py")),
];
const DRAMATIQ: &[Source] = &[
    (
        "requirements.txt",
        include_str!("../../../peers/dramatiq/requirements.txt"),
    ),
    ("app.py", include_str!("../../../peers/dramatiq/app.py")),
    ("drive.py", include_str!("../../../peers/dramatiq/drive.py")),
];
const BULLMQ: &[Source] = &[
    (
        "package.json",
        include_str!("../../../peers/bullmq/package.json"),
    ),
    (
        "worker.mjs",
        include_str!("../../../peers/bullmq/worker.mjs"),
    ),
    ("drive.mjs", include_str!("../../../peers/bullmq/drive.mjs")),
];

/// Which installation a system runs from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Python, with or without quorum queues.
    Celery,
    /// Python.
    Dramatiq,
    /// Node.js.
    Bullmq,
}

impl Peer {
    /// All of them, in the order of installation.
    pub(crate) const ALL: [Self; 3] = [Self::Celery, Self::Dramatiq, Self::Bullmq];

    /// The peer behind a system; none for ours and for the reference loops.
    pub(crate) fn of(system: System) -> Option<Self> {
        match system {
            System::Celery | System::CeleryQuorum => Some(Self::Celery),
            System::Dramatiq => Some(Self::Dramatiq),
            System::Bullmq => Some(Self::Bullmq),
            _ => None,
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Celery => "celery",
            Self::Dramatiq => "dramatiq",
            Self::Bullmq => "bullmq",
        }
    }

    fn sources(self) -> &'static [Source] {
        match self {
            Self::Celery => CELERY,
            Self::Dramatiq => DRAMATIQ,
            Self::Bullmq => BULLMQ,
        }
    }
}

/// Where the peers live.
pub(crate) struct Toolbox {
    dir: PathBuf,
}

impl Toolbox {
    /// A folder that may or may not hold installations from an earlier run.
    pub(crate) fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Writes the peer's programs and installs its dependencies unless the same list is installed already.
    pub(crate) fn install(&self, peer: Peer) -> Result<()> {
        let dir = self.dir.join(peer.folder());
        fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        for (name, text) in peer.sources() {
            fs::write(dir.join(name), text)?;
        }
        let (_, wanted) = peer.sources()[0];
        let stamp = dir.join("installed");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        match peer {
            Peer::Celery | Peer::Dramatiq => install_python(&dir)?,
            Peer::Bullmq => install_node(&dir)?,
        }
        fs::write(stamp, wanted)?;
        Ok(())
    }

    /// The installed version of the peer itself and of its driver for the broker or the store.
    pub(crate) fn versions(&self, peer: Peer) -> Result<Vec<(String, String)>> {
        let dir = self.dir.join(peer.folder());
        if peer == Peer::Bullmq {
            return node_versions(&dir);
        }
        let mut pip = nursery::command(dir.join("venv/bin/pip"));
        pip.args(["list", "--format", "json", "--disable-pip-version-check"]);
        let listed: Vec<Value> = serde_json::from_str(&process::output(pip)?)?;
        let wanted = ["celery", "kombu", "dramatiq", "pika", "redis"];
        Ok(listed
            .iter()
            .filter_map(|entry| Some((entry["name"].as_str()?, entry["version"].as_str()?)))
            .filter(|(name, _)| wanted.contains(name))
            .map(|(name, version)| {
                let of = peer.folder();
                let name = if name == of {
                    of.to_owned()
                } else {
                    format!("{of}'s {name}")
                };
                (name, version.to_owned())
            })
            .collect())
    }

    /// Starts the worker of a peer; its driver waits until it works.
    pub(crate) fn start(&self, system: System, nodes: &Nodes, logs: &Path) -> Result<Running> {
        let peer = Peer::of(system).context("not a peer")?;
        let mut running = Running {
            peer,
            dir: self.dir.join(peer.folder()),
            environment: vec![
                ("BENCH_AMQP_URL", nodes.amqp_url()),
                ("BENCH_REDIS_URL", nodes.redis_url()),
                ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
            ],
            worker: None,
        };
        if system == System::CeleryQuorum {
            running
                .environment
                .push(("BENCH_QUEUE_TYPE", "quorum".to_owned()));
        }
        let worker = running.worker_command();
        running.worker = Some(Group::spawn(worker, logs, system.name())?);
        Ok(running)
    }
}

/// A peer at work; dropped, its processes are gone.
pub(crate) struct Running {
    peer: Peer,
    dir: PathBuf,
    environment: Vec<(&'static str, String)>,
    worker: Option<Group>,
}

impl Running {
    fn worker_command(&self) -> Command {
        match self.peer {
            Peer::Celery => {
                let mut command = self.python("celery");
                command
                    .args([
                        "-A",
                        "app",
                        "worker",
                        "--pool",
                        "prefork",
                        "--concurrency",
                        "2",
                    ])
                    .args(["--loglevel", "WARNING"])
                    .args([
                        "--without-gossip",
                        "--without-mingle",
                        "--without-heartbeat",
                    ]);
                command
            }
            Peer::Dramatiq => {
                let mut command = self.python("dramatiq");
                command.args(["app", "--processes", "2", "--threads", "2"]);
                command
            }
            Peer::Bullmq => {
                let mut command = self.prepared(nursery::command("node"));
                command.arg("worker.mjs");
                command
            }
        }
    }

    fn driver_command(&self) -> Command {
        let (mut command, script) = match self.peer {
            Peer::Bullmq => (self.prepared(nursery::command("node")), "drive.mjs"),
            Peer::Celery | Peer::Dramatiq => (self.python("python"), "drive.py"),
        };
        command.arg(script);
        command
    }

    /// Runs the peer's driver for one measure and reads the last line that it prints.
    pub(crate) fn drive<T: DeserializeOwned>(
        &mut self,
        measure: &str,
        options: &[(&str, u32)],
    ) -> Result<T> {
        let mut command = self.driver_command();
        command.arg(measure);
        for (name, value) in options {
            command.arg(format!("--{name}")).arg(value.to_string());
        }
        let printed = process::output(command);
        if let Some(worker) = &mut self.worker {
            worker.check()?;
        }
        let printed = printed?;
        let last = printed
            .lines()
            .last()
            .context("the driver printed nothing")?;
        serde_json::from_str(last).with_context(|| format!("the driver printed {last}"))
    }

    /// Resident memory of all of the peer's worker processes, MiB.
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        self.worker.as_ref().map_or(Ok(0.0), Group::resident_mib)
    }

    /// A program of the peer's virtual environment.
    fn python(&self, program: &str) -> Command {
        self.prepared(nursery::command(self.dir.join("venv/bin").join(program)))
    }

    fn prepared(&self, mut command: Command) -> Command {
        command
            .current_dir(&self.dir)
            .envs(self.environment.iter().map(|(name, value)| (*name, value)));
        command
    }
}

fn install_python(dir: &Path) -> Result<()> {
    let mut venv = nursery::command("python3");
    venv.args(["-m", "venv", "--clear"]).arg(dir.join("venv"));
    process::output(venv).context("make a virtual environment (python3 with venv is needed)")?;
    let mut pip = nursery::command(dir.join("venv/bin/pip"));
    pip.current_dir(dir)
        .args(["install", "--quiet", "--disable-pip-version-check"])
        .args(["-r", "requirements.txt"]);
    process::output(pip).context("install from PyPI")?;
    Ok(())
}

fn install_node(dir: &Path) -> Result<()> {
    let mut npm = nursery::command("npm");
    npm.current_dir(dir)
        .args(["install", "--silent", "--no-audit", "--no-fund"]);
    process::output(npm).context("install from npm (node and npm are needed)")?;
    Ok(())
}

fn node_versions(dir: &Path) -> Result<Vec<(String, String)>> {
    let mut versions = vec![("node".to_owned(), process::ask("node", &["--version"])?)];
    for (name, package) in [("bullmq", "bullmq"), ("bullmq's ioredis", "ioredis")] {
        let manifest =
            fs::read_to_string(dir.join("node_modules").join(package).join("package.json"))?;
        let manifest: Value = serde_json::from_str(&manifest)?;
        let Some(version) = manifest["version"].as_str() else {
            bail!("{package} does not say its version");
        };
        versions.push((name.to_owned(), version.to_owned()));
    }
    Ok(versions)
}
