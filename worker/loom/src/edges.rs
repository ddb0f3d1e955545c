//! A model of `worker/src/edges.rs`.
//!
//! Invariant: no change falls between a look and the wait that follows it.

use loom::sync::atomic::{AtomicU64, Ordering};

use crate::notify::Notify;

pub(crate) struct Edges {
    count: AtomicU64,
    passed: Notify,
}

impl Edges {
    pub(crate) fn new() -> Self {
        Self {
            count: AtomicU64::new(0),
            passed: Notify::new(),
        }
    }

    pub(crate) fn pass(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
        self.passed.notify_waiters();
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    pub(crate) fn after(&self, seen: u64) -> u64 {
        loop {
            let passed = self.passed.notified();
            match self.count() {
                count if count != seen => return count,
                _ => passed.wait(),
            }
        }
    }

    /// Looks first and registers afterwards: the mistake that the order above
    /// avoids.
    fn after_looking_first(&self, seen: u64) -> u64 {
        loop {
            match self.count() {
                count if count != seen => return count,
                _ => self.passed.notified().wait(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loom::{sync::Arc, thread};

    #[test]
    fn no_change_is_slept_through() {
        crate::every_order(|| {
            let edges = Arc::new(Edges::new());
            let passer = {
                let edges = Arc::clone(&edges);
                thread::spawn(move || edges.pass())
            };
            assert_eq!(edges.after(0), 1);
            passer.join().unwrap();
        });
    }

    #[test]
    fn two_waiters_hear_two_changes() {
        crate::every_order(|| {
            let edges = Arc::new(Edges::new());
            let waiter = {
                let edges = Arc::clone(&edges);
                thread::spawn(move || {
                    let first = edges.after(0);
                    if first < 2 { edges.after(first) } else { first }
                })
            };
            let passer = {
                let edges = Arc::clone(&edges);
                thread::spawn(move || edges.pass())
            };
            edges.pass();
            assert!(edges.after(0) >= 1);
            assert_eq!(waiter.join().unwrap(), 2);
            passer.join().unwrap();
        });
    }

    #[test]
    fn what_was_released_before_a_change_is_seen_after_it() {
        crate::every_order(|| {
            let edges = Arc::new(Edges::new());
            let room = Arc::new(AtomicU64::new(0));
            let passer = {
                let (edges, room) = (Arc::clone(&edges), Arc::clone(&room));
                thread::spawn(move || {
                    room.store(1, Ordering::Relaxed);
                    edges.pass();
                })
            };
            edges.after(0);
            assert_eq!(room.load(Ordering::Relaxed), 1);
            passer.join().unwrap();
        });
    }

    #[test]
    fn whoever_looks_before_registering_sleeps_for_ever() {
        assert!(crate::is_noticed("edges::tests::looking_first"));
    }

    #[test]
    #[ignore = "deadlocks on purpose: the test above runs it"]
    fn looking_first() {
        crate::every_order(|| {
            let edges = Arc::new(Edges::new());
            let passer = {
                let edges = Arc::clone(&edges);
                thread::spawn(move || edges.pass())
            };
            edges.after_looking_first(0);
            passer.join().unwrap();
        });
    }
}
