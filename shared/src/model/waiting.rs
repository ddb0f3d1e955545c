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
    /// Every live worker that serves the task's type has it switched off for
    /// the task's priority.
    pub off: bool,
    /// The task is known to be larger than any of them has room for.
    pub too_large: bool,
    /// Some live worker that serves the task's type would take it now.
    pub room: bool,
}

impl Surroundings {
    /// What a task waits for that may start.
    const fn line(self) -> WaitingOn {
        match (self.off, self.too_large, self.room) {
            (true, _, _) => WaitingOn::FeatureDisabled,
            (_, true, _) => WaitingOn::TooLarge,
            (_, _, true) => WaitingOn::Queue,
            (_, _, false) => WaitingOn::Capacity,
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
            TaskState::Ready | TaskState::Taken | TaskState::Queued => around.line(),
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
