//! A gate with a fixed number of slots and no look at resources: mode `off`.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use shared::{model::Route, store::query::Slots};

use super::{Admission, Book, Gate, Misfit, Permit, Shortage, Size, Spent};
use crate::edges::Edges;

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
    fn resize(&self, _booking: u64, _size: Size) -> Result<(), Misfit> {
        Ok(())
    }

    fn returned(&self, _booking: u64, _spent: Option<Spent>) {
        if self.used.fetch_sub(1, Ordering::AcqRel) == self.cap {
            self.edges.pass();
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
