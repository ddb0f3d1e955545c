//! Places where a process can be broken on purpose.
//!
//! A point that was armed stops the flow that reaches it first, for ever,
//! after one log line; a fault test then kills the process exactly there.
//! Points are armed once, by the composition root, and only together with the
//! diagnostic types.
//!
//! Invariant: unarmed, a point costs one load of an empty list.

use std::{
    future,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing::warn;

/// A place on the way of a task, or a way of misbehaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Step 4: after `take_ready`, before the publication.
    DispatchTaken,
    /// Step 5: after the broker's confirm, before `published`.
    DispatchPublished,
    /// Every slip is published twice.
    DispatchDuplicate,
    /// The bell is never rung.
    DispatchNoBell,
    /// Step 7: message in hand, before the claim.
    WorkerFetched,
    /// Step 7: after the claim, before the acknowledgement.
    WorkerClaimed,
    /// Step 7: after the acknowledgement, before the run.
    WorkerAcked,
    /// Step 8: after the run, before the finish.
    WorkerRan,
    /// Step 9: after the finish.
    WorkerFinished,
}

impl Point {
    /// Every point, with the name by which it is armed.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::DispatchTaken, "dispatch.taken"),
        (Self::DispatchPublished, "dispatch.published"),
        (Self::DispatchDuplicate, "dispatch.duplicate"),
        (Self::DispatchNoBell, "dispatch.no_bell"),
        (Self::WorkerFetched, "worker.fetched"),
        (Self::WorkerClaimed, "worker.claimed"),
        (Self::WorkerAcked, "worker.acked"),
        (Self::WorkerRan, "worker.ran"),
        (Self::WorkerFinished, "worker.finished"),
    ];

    /// The point with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(_, known)| *known == name)
            .map(|(point, _)| point)
    }

    /// The point's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(point, _)| *point == self)
            .map_or("unnamed", |(_, name)| name)
    }
}

static ARMED: OnceLock<Vec<(Point, AtomicBool)>> = OnceLock::new();

/// Arms these points for the life of the process. Later calls change nothing.
pub fn arm(points: impl IntoIterator<Item = Point>) {
    let armed = points
        .into_iter()
        .map(|point| (point, AtomicBool::new(false)))
        .collect();
    if ARMED.set(armed).is_err() {
        warn!("fault points were armed already; the first choice stands");
    }
}

/// Whether a way of misbehaving was asked for.
#[must_use]
pub fn armed(point: Point) -> bool {
    find(point).is_some()
}

/// Passes the point, or stops here for ever if it is armed and this is its
/// first passage.
pub async fn pass(point: Point) {
    if let Some(reached) = find(point)
        && !reached.swap(true, Ordering::SeqCst)
    {
        warn!(point = point.name(), "fault point reached");
        future::pending::<()>().await;
    }
}

fn find(point: Point) -> Option<&'static AtomicBool> {
    ARMED
        .get()?
        .iter()
        .find(|(armed, _)| *armed == point)
        .map(|(_, reached)| reached)
}
