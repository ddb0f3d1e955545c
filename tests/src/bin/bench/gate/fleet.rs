//! The fleet of one run: a coordinator outside, and workers each in a memory group, started again when they die.
//!
//! Invariant: a fleet starts on empty stores and is ready when every worker is known and every type announced; dropped,
//! its processes and then its groups are gone.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use zerogate_tests::{nursery, ports};

use super::member::Common;
use super::memory::{Gauge, Group as MemoryGroup};
use super::mix::Class;
use super::plan::{Key, LIMIT_BYTES, WORKERS};
use crate::http::Client;
use crate::nodes::Nodes;
use crate::process::{self, Group};

/// A loaded machine takes its time to start six processes.
const READY_WITHIN: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);
/// As soon as an orchestrator starts a container again that died for the first time, or a little later.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// A running fleet.
pub(crate) struct Fleet {
    base: String,
    coordinator: Group,
    crew: Vec<Member>,
    common: Common,
    data: TempDir,
}

/// One worker's place. The process stands first, because its group goes only after it.
struct Member {
    name: String,
    process: Option<Group>,
    died_at: Instant,
    group: MemoryGroup,
}

/// Ends of workers that nobody asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ends {
    /// By SIGKILL: out of memory.
    pub(crate) killed: u32,
    /// By themselves: they asked for a fresh process, or failed.
    pub(crate) left: u32,
}

impl Fleet {
    /// Starts the fleet of a run.
    pub(crate) fn start(key: &Key, program: &Path, nodes: &Nodes) -> Result<Self> {
        nodes.wipe()?;
        let data = tempfile::tempdir()?;
        let listen = format!("127.0.0.1:{}", ports::free()?);
        let common = Common {
            amqp_url: nodes.amqp_url(),
            redis_url: nodes.redis_url(),
            data_dir: data.path().join("data"),
            ledger: data.path().join("ledger"),
            arm: key.arm,
            slots: key.slots,
        };
        let mut command = nursery::command(program);
        command
            .args(["coordinator", "--listen", &listen, "--data-dir"])
            .arg(&common.data_dir)
            .env("ZEROGATE_AMQP_URL", &common.amqp_url)
            .env("ZEROGATE_REDIS_URL", &common.redis_url);
        let coordinator = Group::spawn(command, data.path(), "coordinator")?;
        let crew = (1..=WORKERS).map(Member::new).collect::<Result<_>>()?;
        let mut fleet = Self {
            base: format!("http://{listen}"),
            coordinator,
            crew,
            common,
            data,
        };
        for member in &mut fleet.crew {
            member.launch(&fleet.common, fleet.data.path())?;
        }
        fleet.wait_ready()?;
        Ok(fleet)
    }

    /// A client with its own connection.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.base)
    }

    /// The groups of the workers, in order.
    pub(crate) fn gauges(&self) -> Vec<Gauge> {
        self.crew
            .iter()
            .map(|member| member.group.gauge().clone())
            .collect()
    }

    /// Where runs left their traces.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.common.ledger.clone()
    }

    /// Starts workers again that end, until told to stop; says how many ended. An ended coordinator is an error.
    pub(crate) fn supervise(&mut self, stop: &AtomicBool) -> Result<Ends> {
        let mut ends = Ends::default();
        while !stop.load(Ordering::Acquire) {
            self.coordinator.check().context("the coordinator")?;
            for member in &mut self.crew {
                member.look(&mut ends)?;
                if member.process.is_none() && member.died_at.elapsed() >= RESTART_AFTER {
                    member.launch(&self.common, self.data.path())?;
                }
            }
            process::pause(POLL);
        }
        Ok(ends)
    }

    fn wait_ready(&mut self) -> Result<()> {
        let client = self.client();
        process::wait_until("readiness", READY_WITHIN, POLL, || {
            self.coordinator.check().context("the coordinator")?;
            for member in &mut self.crew {
                let process = member.process.as_mut().context("a worker is missing")?;
                process
                    .check()
                    .with_context(|| format!("worker {}", member.name))?;
            }
            Ok(client.is_ready() && is_complete(&client)?)
        })
    }
}

/// Whether all workers beat and all types are announced.
fn is_complete(client: &Client) -> Result<bool> {
    let workers = client.json("/api/workers")?;
    if workers["workers"].as_array().map_or(0, Vec::len) < WORKERS {
        return Ok(false);
    }
    let templates = client.json("/api/workflows/templates")?;
    let known = templates.as_array().context("templates are a list")?;
    let is_known = |class: &Class| {
        known
            .iter()
            .any(|template| template["workflow_type"] == class.type_name())
    };
    Ok(Class::ALL.iter().all(is_known))
}

impl Member {
    fn new(number: usize) -> Result<Self> {
        Ok(Self {
            name: format!("member-{number}"),
            process: None,
            died_at: Instant::now(),
            group: MemoryGroup::new(LIMIT_BYTES)?,
        })
    }

    /// Starts the worker inside its group: the shell enters, and becomes the worker.
    fn launch(&mut self, common: &Common, logs: &Path) -> Result<()> {
        let own = std::env::current_exe().context("find the own program")?;
        let mut command: Command = nursery::command("sh");
        command
            .args([
                "-c",
                "echo $$ > \"$1\" && shift && exec \"$@\"",
                "gate-worker",
            ])
            .arg(self.group.gauge().door())
            .arg(own)
            .args(common.of(&self.name, self.group.gauge()).words());
        self.process = Some(Group::spawn(command, logs, &self.name)?);
        Ok(())
    }

    fn look(&mut self, ends: &mut Ends) -> Result<()> {
        /// What the kernel sends a process for which there is no memory.
        const SIGKILL: i32 = 9;
        /// Asked for a fresh process: sysexits' EX_TEMPFAIL.
        const FRESH: i32 = 75;
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let Some(status) = process.ended()? else {
            return Ok(());
        };
        match (status.signal(), status.code()) {
            (Some(SIGKILL), _) => ends.killed += 1,
            (_, Some(FRESH)) => ends.left += 1,
            _ => {
                let failed = process.check();
                failed.with_context(|| format!("worker {}", self.name))?;
                bail!("worker {} ended", self.name);
            }
        }
        self.process = None;
        self.died_at = Instant::now();
        Ok(())
    }
}
