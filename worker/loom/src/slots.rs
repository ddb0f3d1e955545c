//! A model of `worker/src/gate/fixed.rs`: slots in one atomic number.
//!
//! Invariant: never more in use than there are; every permit returns once;
//! whoever was refused hears when there is room.

use loom::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use crate::edges::Edges;

pub(crate) struct Slots {
    cap: u32,
    used: AtomicU32,
    edges: Edges,
}

pub(crate) struct Permit(Arc<Slots>);

impl Slots {
    fn new(cap: u32) -> Arc<Self> {
        Arc::new(Self {
            cap,
            used: AtomicU32::new(0),
            edges: Edges::new(),
        })
    }

    pub(crate) fn admit(slots: &Arc<Self>) -> Option<Permit> {
        let taken = slots
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                (used < slots.cap).then_some(used + 1)
            });
        let before = taken.ok()?;
        if before + 1 == slots.cap {
            slots.edges.pass();
        }
        Some(Permit(Arc::clone(slots)))
    }

    /// As a flow does: the version first, then the question, then the wait.
    pub(crate) fn get(slots: &Arc<Self>) -> Permit {
        loop {
            let version = slots.edges.count();
            if let Some(permit) = Self::admit(slots) {
                return permit;
            }
            slots.edges.after(version);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.0.used.fetch_sub(1, Ordering::AcqRel) == self.0.cap {
            self.0.edges.pass();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loom::thread;

    fn flows(cap: u32, flows: u32) {
        crate::every_order(move || {
            let slots = Slots::new(cap);
            let inside = Arc::new(AtomicU32::new(0));
            let run = {
                let (slots, inside) = (Arc::clone(&slots), Arc::clone(&inside));
                move || {
                    let permit = Slots::get(&slots);
                    let before = inside.fetch_add(1, Ordering::AcqRel);
                    assert!(before < slots.cap, "too many at once");
                    inside.fetch_sub(1, Ordering::AcqRel);
                    drop(permit);
                }
            };
            let others: Vec<_> = (1..flows).map(|_| thread::spawn(run.clone())).collect();
            run();
            others.into_iter().for_each(|other| other.join().unwrap());
            assert_eq!(slots.used.load(Ordering::Acquire), 0);
        });
    }

    #[test]
    fn two_flows_share_a_slot() {
        flows(1, 2);
    }

    #[test]
    fn two_flows_with_two_slots_do_not_wait_for_each_other() {
        flows(2, 2);
    }

    #[test]
    fn a_version_that_is_read_after_the_refusal_sleeps_for_ever() {
        assert!(crate::is_noticed("slots::tests::version_last"));
    }

    #[test]
    #[ignore = "deadlocks on purpose: the test above runs it"]
    fn version_last() {
        crate::every_order(|| {
            let slots = Slots::new(1);
            let other = {
                let slots = Arc::clone(&slots);
                thread::spawn(move || drop(Slots::get(&slots)))
            };
            while Slots::admit(&slots).is_none() {
                let version = slots.edges.count();
                slots.edges.after(version);
            }
            other.join().unwrap();
        });
    }
}
