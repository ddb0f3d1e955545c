//! Where samples come from.
//!
//! [`detect`] finds what this process has: [`Cgroups`] where the kernel keeps
//! control groups (version 2, version 1, or controllers on version 1 with
//! pressure on version 2), [`SysinfoHost`] elsewhere. A [`TraceSource`] replays
//! what was recorded.
//!
//! Invariant: a source reports what it reads, raw; what a figure means is the
//! business of [`crate::capacity`] and [`crate::meter`]. What cannot be read is
//! absent, never zero, and never keeps the rest from being reported. A sample
//! never waits for a disk: file systems are asked on a thread of their own.
//! Deliberately absent: the pace, and the thread that keeps it.

mod cgroups;
mod cpu;
mod disk;
mod file;
mod heartbeat;
mod host;
mod machine;
mod place;
mod pressure;
mod trace;
mod v1;
mod v2;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

pub use cgroups::Cgroups;
pub use disk::{DiskWatch, Probe};
pub use heartbeat::Heartbeat;
pub use host::SysinfoHost;
pub use place::{Root, Subject};
pub use trace::TraceSource;

use crate::sample::{Disk, RawSample};

/// Something that can be asked how things stand.
pub trait SampleSource: Send {
    /// Reads everything. `at` is the time since the worker's start.
    fn sample(&mut self, at: Duration) -> Result<RawSample, Error>;

    /// What it reads, for the log and for `why`.
    fn describe(&self) -> Description;
}

/// What kind of system a source reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Control groups, version 2.
    CgroupV2,
    /// Control groups, version 1.
    CgroupV1,
    /// Controllers of version 1, pressure of version 2.
    Hybrid,
    /// The machine alone.
    Host,
    /// A recording.
    Trace,
}

/// What a source reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The kind of system.
    pub kind: Kind,
    /// The folders of the memory control groups, the own one first.
    pub memory: Vec<PathBuf>,
    /// The folders of the control groups that may have a processor quota.
    pub cpu: Vec<PathBuf>,
    /// The file of memory pressure.
    pub pressure: Option<PathBuf>,
    /// Some level of the hierarchy exists and cannot be seen or opened.
    pub hidden: bool,
}

/// Why there is no sample.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The portable source does not know this system.
    #[error("cannot ask this system for its memory and processors: {0}")]
    System(String),
    /// A helper thread cannot be started.
    #[error("cannot start the thread that watches the {what}: {error}; raise the limit of threads")]
    Thread {
        /// What it would have watched.
        what: &'static str,
        /// Why.
        error: io::Error,
    },
    /// A recording cannot be read.
    #[error("line {line} of the recorded samples: {why}")]
    Trace {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it, and what would be right.
        why: String,
    },
    /// A recording has no more samples.
    #[error("the recorded samples are at their end")]
    Ended,
}

/// The best source for this process, with the file system of `work_dir`
/// watched and a heartbeat running.
pub fn detect(work_dir: &Path) -> Result<Box<dyn SampleSource>, Error> {
    let aides = Aides {
        disk: Some(DiskWatch::of(work_dir)?),
        heartbeat: Some(Heartbeat::start()?),
    };
    let cgroups = Cgroups::open(&Root::real(), &Subject::Own);
    if cgroups.is_any() {
        return Ok(Box::new(cgroups.with_aides(aides)));
    }
    let hidden = cgroups.describe().hidden;
    Ok(Box::new(SysinfoHost::new(hidden)?.with_aides(aides)))
}

/// Processor time that the calling thread has used: what a monitor costs.
/// `None` where the system does not count it.
#[must_use]
pub fn thread_cpu() -> Option<Duration> {
    clock(rustix::time::ClockId::ThreadCPUTime)
}

fn clock(id: rustix::time::ClockId) -> Option<Duration> {
    let time = rustix::time::clock_gettime(id);
    let nanos = u32::try_from(time.tv_nsec).ok()?;
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, nanos))
}

/// What is watched on threads of its own. Their threads end with it.
#[derive(Debug, Default)]
pub struct Aides {
    /// The file system of the work folder.
    pub disk: Option<DiskWatch>,
    /// How late things run.
    pub heartbeat: Option<Heartbeat>,
}

impl Aides {
    fn disk(&self) -> Option<Disk> {
        self.disk.as_ref().and_then(DiskWatch::latest)
    }

    fn lateness(&self) -> Option<Duration> {
        self.heartbeat.as_ref().and_then(Heartbeat::lateness_p99)
    }
}

/// Something that is done again after a while; in between, what was read last
/// stands.
#[derive(Clone, Copy, Debug)]
struct Every {
    period: Duration,
    last: Option<Duration>,
}

impl Every {
    const fn new(period: Duration) -> Self {
        Self { period, last: None }
    }

    fn is_due(&mut self, at: Duration) -> bool {
        let due = self
            .last
            .is_none_or(|last| at.saturating_sub(last) >= self.period || at < last);
        if due {
            self.last = Some(at);
        }
        due
    }
}

#[cfg(test)]
mod tests;
