//! What time brings, and what workers say of themselves.
//!
//! Invariant: plain data.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::{
    model::{Route, WorkerId},
    store::query::WorkerState,
};

use super::{dispatching::Overdue, steering::Mode};

/// The policy of one sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// If no sweep has run for longer than this (or the server restarted), all
    /// leases are extended by `lease` once instead of lapsing: the workers
    /// could not have renewed them.
    pub outage_after: Duration,
    /// The extension after an outage.
    pub lease: Duration,
    /// Lapses while alone after which a task fails with `worker_lost`.
    pub lapse_cap: u32,
    /// How long finished tasks are kept.
    pub retention: Duration,
    /// At most this many of each kind in one sweep.
    pub limit: u32,
}

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Scheduled tasks that became ready.
    pub due: u32,
    /// Takes whose deadline had passed.
    pub takes_lapsed: u32,
    /// Leases that ran out; the tasks are ready again, or cancelled.
    pub leases_lapsed: u32,
    /// Tasks that failed with `worker_lost`.
    pub workers_lost: u32,
    /// Tasks that expired.
    pub expired: u32,
    /// Tasks that were removed.
    pub reaped: u32,
    /// Files that nobody referred to for as long as they were to be kept.
    pub files_expired: u32,
    /// Leases were extended because nobody could have renewed them.
    pub outage: bool,
    /// Routes with overdue slips.
    pub overdue: Vec<Overdue>,
    /// Some kind reached the limit: sweep again soon.
    pub more: bool,
    /// How long until the next task is due, if one is scheduled.
    pub next_due: Option<Duration>,
}

/// A worker's sign of life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beat {
    /// Who.
    pub worker: WorkerId,
    /// Everything it says of itself. Of a `detail` that is larger than
    /// [`Beat::MOST_DETAIL`] nothing is kept: a worker must not be believed
    /// lost because it talks too much.
    pub state: WorkerState,
}

impl Beat {
    /// The longest `detail` that is kept, in bytes of JSON: thousands of
    /// figures, and for a thousand workers still little to read at once.
    pub const MOST_DETAIL: usize = 64 * 1024;

    /// As it is stored.
    pub(crate) fn bounded(mut self) -> Self {
        if self.state.detail.to_string().len() > Self::MOST_DETAIL {
            warn!(worker = %self.worker, "what a worker says of itself is too long and is left out");
            self.state.detail = serde_json::Value::Null;
        }
        // JSON has no other numbers than finite ones.
        if !self.state.health.is_finite() {
            self.state.health = 0.0;
        }
        self
    }
}

/// What a worker learns from its heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BeatReply {
    /// The mode of the fleet.
    pub mode: Mode,
    /// The routes that have queued work, the most urgent first.
    pub hint: Vec<Route>,
    /// The store had not heard of this worker: it should announce its types
    /// again.
    pub unknown: bool,
    /// The version of the standing orders: if it is another than before, ask
    /// for them.
    pub orders_version: u64,
}
