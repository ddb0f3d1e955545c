//! Steps 4 and 5: ready tasks are taken, published, and taken back where their
//! slips were lost.
//!
//! Invariant: plain data.

use std::{collections::BTreeMap, time::Duration};

use crate::model::{Nonce, Route, TaskId, TenantId, TypeName};

/// How many tasks of a route may be taken or queued at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// For types that are not named in `by_type`.
    pub default: u32,
    /// For each route of these types.
    pub by_type: BTreeMap<TypeName, u32>,
}

/// Asks for ready tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Take {
    /// Recognises the same question asked again (remembered 60 s).
    pub nonce: Nonce,
    /// At most this many tasks.
    pub limit: u32,
    /// The windows to stay within.
    pub windows: Windows,
    /// How long the taker has to publish before the tasks are ready again.
    pub deadline: Duration,
}

impl Take {
    /// How many of a take belong to the least urgent priority with room and
    /// ready work, while more urgent ones have work too: a sixteenth, at least
    /// one. A take of one has nothing to share.
    #[must_use]
    pub fn spare(&self) -> u32 {
        if self.limit < 2 {
            0
        } else {
            (self.limit / 16).max(1)
        }
    }
}

/// A task on its way to the broker.
#[derive(Clone, Debug, PartialEq)]
pub struct TakenTask {
    /// Which task.
    pub id: TaskId,
    /// Whose.
    pub tenant: TenantId,
    /// Where it goes.
    pub route: Route,
    /// The attempt that a claim through this slip starts (1 for the first).
    pub attempt: u32,
    /// The input's length in bytes.
    pub input_bytes: u64,
    /// It travels and runs alone, because a lease on it lapsed once.
    pub solo: bool,
    /// Learned run time of its type: a decayed mean. `None` before the first
    /// finish of that type.
    pub expected_run: Option<Duration>,
    /// Travels with it.
    pub correlation_id: String,
    /// Travels with it.
    pub traceparent: Option<String>,
}

/// The answer of `take_ready`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    /// The tasks, in the order in which they should be published.
    pub tasks: Vec<TakenTask>,
    /// Whether more could have been taken, had the limit been higher.
    pub more: bool,
}

/// A slip that the broker has confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedSlip {
    /// Its tickets: task and attempt.
    pub tickets: Vec<(TaskId, u32)>,
    /// How long it may stay unclaimed before it is suspected lost.
    pub republish_after: Duration,
}

/// A route whose queued tasks are overdue for re-publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// Which route.
    pub route: Route,
    /// Tasks past their re-publish deadline, at most the sweep's limit.
    pub tasks: u32,
    /// Slips of this route that the store believes published and unclaimed
    /// (rounded up).
    pub slips: u32,
}

/// Makes queued tasks ready again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requeue {
    /// Of which route.
    pub route: Route,
    /// At most so many.
    pub limit: u32,
    /// Only those whose deadline passed at least this long ago; `None` for all
    /// queued ones, whatever their deadline (a new epoch of the broker).
    pub overdue_by: Option<Duration>,
}
