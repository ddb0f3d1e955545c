//! Step 6: whether a task may start now.
//!
//! The gate is asked before a message is taken. It answers with a permit,
//! which reserves the room until it is dropped, or with the shortage that
//! stands in the way, as data that operators see.
//!
//! Invariant: room is reserved by [`Gate::admit`] and returned by dropping the
//! [`Permit`], and by nothing else. Asking [`Gate::would_admit`] changes
//! nothing.
//!
//! Deliberately absent: what is asked of the broker with a permit in hand.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use shared::{model::Route, store::query::Slots};
use tokio::sync::Notify;

/// The answer of the gate.
#[derive(Debug)]
#[must_use]
pub enum Admission {
    /// Room is reserved for one slip.
    Granted(Permit),
    /// This stands in the way.
    Blocked(Shortage),
}

/// What there is too little of.
#[derive(Clone, Debug, PartialEq)]
pub struct Shortage {
    /// The resource, such as `slots`.
    pub resource: &'static str,
    /// How much would be in use with this task.
    pub value: f64,
    /// How much may be.
    pub limit: f64,
}

/// Room for one slip, returned when this is dropped.
#[must_use]
pub struct Permit {
    booking: u64,
    book: Arc<dyn Book>,
}

/// Where a gate takes returned permits.
pub trait Book: Send + Sync {
    /// The permit of this booking was dropped.
    fn returned(&self, booking: u64);
}

impl Permit {
    /// A permit that `book` takes back under this number.
    pub fn new(booking: u64, book: Arc<dyn Book>) -> Self {
        Self { booking, book }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.book.returned(self.booking);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("booking", &self.booking)
            .finish_non_exhaustive()
    }
}

/// Decides what may start.
#[async_trait]
pub trait Gate: Send + Sync + fmt::Debug + 'static {
    /// Reserves room for one slip of this route, or says what is short.
    fn admit(&self, route: &Route) -> Admission;

    /// Whether [`admit`](Self::admit) would grant now; reserves nothing. The
    /// worker listens to exactly the bells for which this is true.
    fn would_admit(&self, route: &Route) -> bool;

    /// The most permits that can ever be out at once, bypasses included: the
    /// worker keeps so many flows.
    fn most(&self) -> u32;

    /// The slots, for heartbeats and metrics.
    fn slots(&self) -> Slots;

    /// Grows whenever the answer for some route may have changed.
    fn version(&self) -> u64;

    /// Waits until [`version`](Self::version) differs from `seen`, and returns
    /// it.
    async fn version_after(&self, seen: u64) -> u64;
}

/// A gate with a fixed number of slots and no look at resources.
#[derive(Debug)]
pub struct FixedGate {
    state: Arc<Fixed>,
}

#[derive(Debug)]
struct Fixed {
    cap: u32,
    used: AtomicU32,
    edges: Edges,
}

impl FixedGate {
    /// A gate with this many slots, at least one.
    #[must_use]
    pub fn new(slots: u32) -> Self {
        Self {
            state: Arc::new(Fixed {
                cap: slots.max(1),
                used: AtomicU32::new(0),
                edges: Edges::default(),
            }),
        }
    }
}

#[async_trait]
impl Gate for FixedGate {
    fn admit(&self, _route: &Route) -> Admission {
        let state = &self.state;
        let taken = state
            .used
            .try_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                (used < state.cap).then_some(used + 1)
            });
        match taken {
            Ok(before) => {
                if before + 1 == state.cap {
                    state.edges.pass();
                }
                Admission::Granted(Permit::new(0, Arc::clone(state) as Arc<dyn Book>))
            }
            Err(used) => Admission::Blocked(Shortage {
                resource: "slots",
                value: f64::from(used) + 1.0,
                limit: f64::from(state.cap),
            }),
        }
    }

    fn would_admit(&self, _route: &Route) -> bool {
        self.state.used.load(Ordering::Acquire) < self.state.cap
    }

    fn most(&self) -> u32 {
        self.state.cap
    }

    fn slots(&self) -> Slots {
        Slots {
            used: self.state.used.load(Ordering::Acquire),
            limit: self.state.cap,
            cap: self.state.cap,
        }
    }

    fn version(&self) -> u64 {
        self.state.edges.count()
    }

    async fn version_after(&self, seen: u64) -> u64 {
        self.state.edges.after(seen).await
    }
}

impl Book for Fixed {
    fn returned(&self, _booking: u64) {
        if self.used.fetch_sub(1, Ordering::AcqRel) == self.cap {
            self.edges.pass();
        }
    }
}

/// Counts changes and wakes those who wait for one.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    count: AtomicU64,
    passed: Notify,
}

impl Edges {
    /// Something changed.
    pub(crate) fn pass(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
        self.passed.notify_waiters();
    }

    /// How many changes there were.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Waits until there were others than `seen`.
    pub(crate) async fn after(&self, seen: u64) -> u64 {
        loop {
            // Registered before the look, so that no change falls between.
            let passed = self.passed.notified();
            match self.count() {
                count if count != seen => return count,
                _ => passed.await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::model::Priority;

    fn route() -> Route {
        Route::new("diagnostic.noop".parse().unwrap(), Priority::Low)
    }

    #[test]
    fn permits_are_bounded_and_come_back_by_dropping() {
        let gate = FixedGate::new(2);
        let Admission::Granted(first) = gate.admit(&route()) else {
            panic!("the gate is empty")
        };
        let Admission::Granted(_second) = gate.admit(&route()) else {
            panic!("one slot is free")
        };
        let Admission::Blocked(shortage) = gate.admit(&route()) else {
            panic!("the gate is full")
        };
        assert_eq!((shortage.resource, shortage.limit), ("slots", 2.0));
        assert!(!gate.would_admit(&route()));
        drop(first);
        assert!(gate.would_admit(&route()));
        assert_eq!(gate.slots().used, 1);
    }

    #[tokio::test]
    async fn the_version_moves_when_the_gate_fills_and_opens() {
        let gate = FixedGate::new(1);
        let empty = gate.version();
        let permit = gate.admit(&route());
        let full = gate.version_after(empty).await;
        drop(permit);
        assert_ne!(gate.version_after(full).await, full);
    }
}
