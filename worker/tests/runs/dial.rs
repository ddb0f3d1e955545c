//! A machine whose fill a test turns up and down: what a gated worker measures
//! here is what the test shows it.
//!
//! Invariant: every look reads what was shown last, with the look's own time.
//! Deliberately absent: the kernel.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use resources::{
    profile::Profile,
    sample::{CpuReading, Disk, HostMemory, MemoryGroup, RawSample},
    source::{Description, Error, Kind, SampleSource},
};
use shared::model::ProfileName;
use worker::{Options, gate::Choice, options::SourceOf};

use crate::stand::Stand;

/// The worker's limit: half a percent of it, what counts as negligible, is
/// more than a light task is said to need.
pub(crate) const LIMIT: u64 = 8 << 30;
/// Below every threshold.
pub(crate) const CALM: f64 = 0.5;
/// Above the critical threshold of the balanced profile (0.92) and below the
/// hard limit (0.98).
pub(crate) const CRITICAL: f64 = 0.95;
/// Above the hard limit.
pub(crate) const FULL: f64 = 0.99;

/// What the monitor of one worker or of several reads.
pub(crate) struct Dial {
    face: Mutex<Face>,
}

#[derive(Clone, Copy)]
struct Face {
    memory: f64,
    disk: Option<f64>,
    kills: u64,
    blind: bool,
    /// When this was first read, and how often.
    read: Option<Instant>,
    looks: u64,
}

impl Dial {
    /// Shows this share of the memory in use, and no disk.
    pub(crate) fn at(memory: f64) -> Arc<Self> {
        Arc::new(Self {
            face: Mutex::new(Face {
                memory,
                disk: None,
                kills: 0,
                blind: false,
                read: None,
                looks: 0,
            }),
        })
    }

    fn change(&self, change: impl FnOnce(&mut Face)) {
        let mut face = self.face.lock().unwrap();
        change(&mut face);
        (face.read, face.looks) = (None, 0);
    }

    pub(crate) fn turn(&self, memory: f64) {
        self.change(|face| face.memory = memory);
    }

    pub(crate) fn disk(&self, used: f64) {
        self.change(|face| face.disk = Some(used));
    }

    /// The kernel ends a process for want of memory.
    pub(crate) fn kill(&self) {
        self.change(|face| face.kills += 1);
    }

    /// Nothing can be read any more.
    pub(crate) fn blind(&self) {
        self.change(|face| face.blind = true);
    }

    /// When what is shown was first read, if it was.
    pub(crate) fn read(&self) -> Option<Instant> {
        self.face.lock().unwrap().read
    }

    /// How often what is shown was read.
    pub(crate) fn looks(&self) -> u64 {
        self.face.lock().unwrap().looks
    }

    /// Options of a worker whose gate goes by this dial.
    pub(crate) fn options(self: &Arc<Self>) -> Options {
        let dial = Arc::clone(self);
        Options {
            gate: Choice::Enforce,
            source: Some(SourceOf::new(move || {
                Ok(Box::new(Needle(Arc::clone(&dial))))
            })),
            profile: Profile {
                sample_fast: Duration::from_millis(50),
                ..Profile::preset(ProfileName::Balanced)
            },
            heartbeat: Duration::from_millis(20),
            concurrency: 4,
            ..Stand::options()
        }
    }
}

struct Needle(Arc<Dial>);

impl SampleSource for Needle {
    fn sample(&mut self, at: Duration) -> Result<RawSample, Error> {
        let face = {
            let mut face = self.0.face.lock().unwrap();
            face.looks += 1;
            face.read.get_or_insert_with(Instant::now);
            *face
        };
        if face.blind {
            return Err(Error::Ended);
        }
        let used = share(face.memory, LIMIT);
        Ok(RawSample {
            at,
            host: Some(HostMemory {
                total: 4 * LIMIT,
                available: 3 * LIMIT,
            }),
            groups: vec![MemoryGroup {
                limit: Some(LIMIT),
                current: used,
                anon: used,
                ..MemoryGroup::default()
            }],
            cpu: CpuReading {
                affinity: 4,
                ..CpuReading::default()
            },
            disk: face.disk.map(|used| Disk {
                bytes_total: 1 << 40,
                bytes_free: share(1.0 - used, 1 << 40),
                inodes_total: 0,
                inodes_free: 0,
            }),
            oom_kills: Some(face.kills),
            ..RawSample::default()
        })
    }

    fn describe(&self) -> Description {
        Description {
            kind: Kind::Trace,
            memory: Vec::new(),
            cpu: Vec::new(),
            pressure: None,
            hidden: false,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a share of bytes far below 2^53"
)]
fn share(of: f64, whole: u64) -> u64 {
    (of * whole as f64) as u64
}
