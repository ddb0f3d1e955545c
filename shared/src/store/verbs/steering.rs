//! What people ask: cancel, retry, and the mode of the fleet.
//!
//! Invariant: plain data.

use serde::{Deserialize, Serialize};

use crate::model::{Stamp, TaskId, TaskState, TenantId};

/// Asks to cancel tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// Whose tasks; those of others are unknown.
    pub tenant: TenantId,
    /// Which.
    pub ids: Vec<TaskId>,
    /// Why, for the task's error; empty if not said.
    pub reason: String,
}

/// What became of one cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It was pending and is cancelled.
    Cancelled,
    /// It is running; its worker is asked to stop it.
    Requested,
    /// It had ended already, like this.
    WrongState(TaskState),
    /// This tenant has no such task.
    Unknown,
}

/// Asks to run failed or cancelled tasks again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Whose tasks; those of others are unknown.
    pub tenant: TenantId,
    /// Which.
    pub ids: Vec<TaskId>,
}

/// What became of one retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryOutcome {
    /// It is pending again, with fresh attempts; its latest run had this
    /// number.
    Revived {
        /// The number of the latest run.
        attempt: u32,
    },
    /// It is not failed or cancelled but this.
    WrongState(TaskState),
    /// This parent is failed or cancelled, and the task depends on its
    /// success.
    ParentFailed(TaskId),
    /// This tenant has no such task.
    Unknown,
}

/// Whether the fleet starts work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Yes.
    #[default]
    Running,
    /// Nothing new starts; submissions are accepted; running work goes on.
    Paused,
    /// Nothing new starts; submissions are refused; running work is given
    /// back.
    Stopped,
}

impl Mode {
    /// Whether new runs may start.
    #[must_use]
    pub const fn starts_work(self) -> bool {
        matches!(self, Self::Running)
    }
}

/// Asks for a mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModeAsked {
    /// Which.
    pub mode: Mode,
    /// Who asks.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// The mode of the fleet, and who set it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModeState {
    /// Which.
    pub mode: Mode,
    /// Whether the last question changed it.
    pub changed: bool,
    /// Who set it; empty if nobody did.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When; the epoch if nobody did.
    pub at: Stamp,
}
