//! What a judgement says: levels, figures, thresholds and reasons.
//!
//! Invariant: plain data that a log can keep; everything a person needs in
//! order to see why a level is what it is, and what would change it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::model::Level;

/// What can be short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resource {
    /// Memory by its use.
    Memory,
    /// Memory by the time that tasks stall for it.
    Pressure,
    /// Processor time.
    Cpu,
    /// The work folder's file system.
    Disk,
}

impl Resource {
    /// All of them, in the order of [`Judgement::standings`].
    pub const ALL: [Self; 4] = [Self::Memory, Self::Pressure, Self::Cpu, Self::Disk];

    /// The name in the API and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Pressure => "pressure",
            Self::Cpu => "cpu",
            Self::Disk => "disk",
        }
    }
}

/// Which rule put a resource, or the worker, where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// None.
    #[default]
    Calm,
    /// A moderate load: within ten points of high.
    Near,
    /// At or above the high threshold.
    AboveHigh,
    /// At or above the critical threshold.
    AboveCritical,
    /// Memory at the absolute limit that nothing may cross.
    AtHardLimit,
    /// The kernel has ended a process for want of memory.
    OutOfMemoryKill,
    /// Some task stalls for memory, and memory is at least half used.
    SomeStall,
    /// All tasks stall for memory.
    AllStall,
    /// Stalled for a fifth of the last minute and not easing.
    LongStall,
    /// The heartbeat comes late: no processor to be had.
    Late,
    /// The disk is all but full.
    DiskEnd,
    /// A forecast says that a high level will be reached.
    Predicted,
}

/// How a resource stands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Which.
    pub resource: Resource,
    /// Its level.
    pub level: Level,
    /// Since when it has this level.
    pub since: Duration,
    /// Why.
    pub rule: Rule,
    /// The filtered figure that was judged, a share (for a kill: how many);
    /// `None` if it was never known.
    pub value: Option<f64>,
    /// Where the level was entered; while calm, where the lowest one begins.
    pub enter_at: Option<f64>,
    /// What it takes to leave the level; `None` while calm.
    pub leave: Option<Leave>,
    /// The newest sample did not know the figure: the last judgement holds.
    pub held: bool,
}

/// What it takes to leave a level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leave {
    /// The value must be below this ...
    pub below: f64,
    /// ... for so long (three times the usual under the flap lock).
    pub dwell: Duration,
    /// How long it has been already.
    pub lasted: Duration,
}

/// A level has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// Of which resource; `None` for the overall level.
    pub resource: Option<Resource>,
    /// When.
    pub at: Duration,
    /// From this level ...
    pub from: Level,
    /// ... to this one.
    pub to: Level,
    /// Why.
    pub rule: Rule,
}

impl Transition {
    /// Whether it counts as one: normal and elevated are both calm.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.from.max(self.to) >= Level::High
    }
}

/// What [`Levels::observe`](super::Levels::observe) says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Judgement {
    /// When.
    pub at: Duration,
    /// The overall level.
    pub level: Level,
    /// Since when.
    pub since: Duration,
    /// The first resource that has the overall level; `None` while normal, or
    /// if only a forecast speaks.
    pub by: Option<Resource>,
    /// Why.
    pub rule: Rule,
    /// Each resource, in the order of [`Resource::ALL`].
    pub standings: [Standing; 4],
    /// A forecast of a high level is, or was lately, in force.
    pub predicted: bool,
    /// The flap lock holds: everything must be calm for three times as long.
    pub locked: bool,
    /// What changed with this sample.
    pub transitions: Vec<Transition>,
}

impl Judgement {
    /// The standing of a resource.
    #[must_use]
    pub fn of(&self, resource: Resource) -> &Standing {
        &self.standings[resource as usize]
    }

    /// What the level would be if one resource did not count. With
    /// [`Resource::Cpu`]: what nothing but the processor is to blame for.
    #[must_use]
    pub fn level_without(&self, resource: Resource) -> Level {
        let floor = if self.predicted {
            Level::Elevated
        } else {
            Level::Normal
        };
        let others = self.standings.iter().filter(|s| s.resource != resource);
        others.map(|s| s.level).fold(floor, Level::max)
    }
}
