//! Why a pending task is not running: the first reason that holds.

use serde::{Deserialize, Serialize};

use super::{TaskState, TaskView};

/// The closed set of reasons, in the order in which they are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingOn {
    /// The fleet is paused or stopped.
    Paused,
    /// A parent has not finished.
    Dependencies,
    /// Its `run_at` has not come.
    Schedule,
    /// It failed and waits for its next attempt.
    Retry,
    /// Its tenant's quota is used up.
    Quota,
    /// Its feature is switched off.
    FeatureDisabled,
    /// It did not fit on the worker that was to run it, and waits to be offered
    /// again.
    TooLarge,
    /// No worker that serves its type has room.
    Capacity,
    /// It stands in line.
    Queue,
}

/// What the fleet looks like to one pending task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// Nothing new may start.
    pub paused: bool,
    /// What the live workers that serve its type would do with it.
    pub staff: Staff,
}

/// What workers would do with a task: the first of these that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staff {
    /// Every one of them has its type switched off for its priority.
    SwitchedOff,
    /// It is known to be larger than any of them has room for.
    TooSmall,
    /// None of them would take it now, or there is none.
    Busy,
    /// Some would take it.
    Ready,
}

impl Staff {
    /// What a task waits for that may start.
    const fn keeps(self) -> WaitingOn {
        match self {
            Self::SwitchedOff => WaitingOn::FeatureDisabled,
            Self::TooSmall => WaitingOn::TooLarge,
            Self::Busy => WaitingOn::Capacity,
            Self::Ready => WaitingOn::Queue,
        }
    }
}

impl WaitingOn {
    /// The first reason that holds, or `None` when the task is not pending.
    #[must_use]
    pub fn first(task: &TaskView, around: Surroundings) -> Option<Self> {
        let reason = match task.state {
            TaskState::Running
            | TaskState::Completed
            | TaskState::Failed
            | TaskState::Cancelled => return None,
            _ if around.paused => Self::Paused,
            TaskState::Waiting => Self::Dependencies,
            TaskState::Scheduled if task.too_large.is_some() => Self::TooLarge,
            TaskState::Scheduled if task.failures > 0 => Self::Retry,
            TaskState::Scheduled => Self::Schedule,
            TaskState::Ready | TaskState::Taken | TaskState::Queued => around.staff.keeps(),
        };
        Some(reason)
    }

    /// The reason as it stands in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Dependencies => "dependencies",
            Self::Schedule => "schedule",
            Self::Retry => "retry",
            Self::Quota => "quota",
            Self::FeatureDisabled => "feature_disabled",
            Self::TooLarge => "too_large",
            Self::Capacity => "capacity",
            Self::Queue => "queue",
        }
    }
}
