//! Why a task may not start: what is short, in numbers and in a sentence.
//!
//! Invariant: the set of resources is closed, and their names are stable:
//! metrics, the API and the bottleneck classifier count by them.

use std::fmt;

use serde::Serialize;
use shared::model::Priority;

/// What can be short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Slots of the dynamic limit.
    Slots,
    /// Slots of the feature's category.
    Share,
    /// Slots on top of the limit, for critical and high work.
    Bypass,
    /// Memory, in bytes.
    Memory,
    /// Memory, in bytes: the task is larger than this worker will ever hold.
    TooLarge,
    /// Processors: the sum of what CPU-bound tasks use.
    Cpu,
    /// The feature is switched off.
    Feature,
    /// The measurements are too old, in seconds.
    Stale,
    /// The worker's limits cannot be read.
    Capacity,
    /// A task of unknown needs has just started, seconds ago.
    Settling,
    /// A task of unknown, perhaps large needs runs alone: others in flight.
    Solo,
    /// Room is kept for a task that has waited too long.
    Held,
}

impl Resource {
    /// All resources.
    pub const ALL: [Self; 12] = [
        Self::Slots,
        Self::Share,
        Self::Bypass,
        Self::Memory,
        Self::TooLarge,
        Self::Cpu,
        Self::Feature,
        Self::Stale,
        Self::Capacity,
        Self::Settling,
        Self::Solo,
        Self::Held,
    ];

    /// The resource's name in the API and in labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slots => "slots",
            Self::Share => "share",
            Self::Bypass => "bypass",
            Self::Memory => "memory",
            Self::TooLarge => "too_large",
            Self::Cpu => "cpu",
            Self::Feature => "feature",
            Self::Stale => "stale",
            Self::Capacity => "capacity",
            Self::Settling => "settling",
            Self::Solo => "solo",
            Self::Held => "held",
        }
    }
}

/// Who switched a feature off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Off {
    /// Nobody: it is on.
    #[default]
    No,
    /// An operator's override.
    Manual,
    /// The emergency level or profile.
    Emergency,
    /// The profile.
    Profile,
    /// Pressed resources, or a forecast. Does not bind critical and high work.
    Automatic,
}

impl Off {
    const fn as_str(self) -> &'static str {
        match self {
            Self::No => "nobody",
            Self::Manual => "an operator",
            Self::Emergency => "the emergency",
            Self::Profile => "the profile",
            Self::Automatic => "pressed resources",
        }
    }
}

/// What stands in the way of a task. `value` exceeds `limit`, in the
/// resource's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Shortage {
    /// What is short.
    pub resource: Resource,
    /// How much would be in use with this task.
    pub value: f64,
    /// How much may be.
    pub limit: f64,
    /// More about it.
    pub detail: Detail,
}

/// More about a shortage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// The numbers say it all.
    None,
    /// Who switched the feature off.
    Off(Off),
    /// For which type (its place in the list) and priority room is kept.
    For(u16, Priority),
}

impl Shortage {
    pub(crate) const fn new(resource: Resource, value: f64, limit: f64) -> Self {
        Self {
            resource,
            value,
            limit,
            detail: Detail::None,
        }
    }

    pub(crate) const fn with(self, detail: Detail) -> Self {
        Self { detail, ..self }
    }
}

/// One mebibyte, for sentences.
const MIB: f64 = 1_048_576.0;

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, limit) = (self.value, self.limit);
        match self.resource {
            Resource::Slots => write!(f, "it would be task {value} of at most {limit} at once"),
            Resource::Share => write!(
                f,
                "it would be task {value} of at most {limit} of its category"
            ),
            Resource::Bypass => write!(
                f,
                "it would be task {value} of at most {limit} on top of the limit"
            ),
            Resource::Memory => write!(
                f,
                "{:.1} MiB would be in use with it, {:.1} MiB may be",
                value / MIB,
                limit / MIB
            ),
            Resource::TooLarge => write!(
                f,
                "it needs {:.1} MiB and this worker never has more than {:.1} MiB for a task",
                value / MIB,
                limit / MIB
            ),
            Resource::Cpu => write!(
                f,
                "CPU-bound tasks would use {value:.2} processors, {limit:.2} may be used"
            ),
            Resource::Feature => match self.detail {
                Detail::Off(off) => write!(f, "its feature is switched off by {}", off.as_str()),
                _ => f.write_str("its feature is switched off"),
            },
            Resource::Stale => write!(
                f,
                "the last measurement is {value:.1} s old, {limit:.1} s may be"
            ),
            Resource::Capacity => {
                f.write_str("the worker's limits cannot be read: essential and standard work only")
            }
            Resource::Settling => write!(
                f,
                "a task of unknown needs started {:.1} s ago and has {limit:.1} s to show them",
                limit - value
            ),
            Resource::Solo => write!(
                f,
                "a task of unknown needs runs alone: {value} would be in flight"
            ),
            Resource::Held => write!(f, "room is kept for a task that has waited too long"),
        }
    }
}
