//! A model of the gate that asks the governor: bookings under one lock, the
//! last answers beside them, and edges; and of a run's permit that is kept
//! until the run's threads have ended.
//!
//! Invariant: a booking is entered once and left once; a slot of a run that
//! was given up is free at once, its memory when its threads have ended;
//! whoever was refused hears when the answer may be another.

use loom::sync::{Arc, Mutex};

use crate::edges::Edges;

/// One slot; memory is counted in bookings.
pub(crate) struct Gate {
    inner: Mutex<Inner>,
    edges: Edges,
    /// Broken on purpose: what is returned wakes nobody.
    silent: bool,
}

#[derive(Default)]
struct Inner {
    slots: u32,
    memory: u32,
    /// Bookings by number: whether they were given up.
    entries: Vec<Option<bool>>,
    /// The last answer was yes.
    open: bool,
}

pub(crate) struct Permit {
    booking: usize,
    gate: Arc<Gate>,
}

impl Gate {
    fn new(silent: bool) -> Arc<Self> {
        Arc::new(Self {
            silent,
            inner: Mutex::new(Inner {
                open: true,
                ..Inner::default()
            }),
            edges: Edges::new(),
        })
    }

    /// `ask`, with `note` under the same lock.
    pub(crate) fn admit(gate: &Arc<Self>) -> Option<Permit> {
        let mut inner = gate.inner.lock().unwrap();
        let granted = inner.slots == 0;
        if std::mem::replace(&mut inner.open, granted) != granted {
            gate.edges.pass();
        }
        if !granted {
            return None;
        }
        inner.slots += 1;
        inner.memory += 1;
        inner.entries.push(Some(false));
        Some(Permit {
            booking: inner.entries.len() - 1,
            gate: Arc::clone(gate),
        })
    }

    pub(crate) fn get(gate: &Arc<Self>) -> Permit {
        loop {
            let version = gate.edges.count();
            if let Some(permit) = Self::admit(gate) {
                return permit;
            }
            gate.edges.after(version);
        }
    }

    fn abandoned(&self, booking: usize) {
        {
            let mut inner = self.inner.lock().unwrap();
            if inner.entries[booking] == Some(false) {
                inner.entries[booking] = Some(true);
                inner.slots -= 1;
            }
        }
        self.edges.pass();
    }

    fn returned(&self, booking: usize) {
        let mut inner = self.inner.lock().unwrap();
        let entry = inner.entries[booking].take();
        let abandoned = entry.expect("a booking is left once");
        inner.slots -= u32::from(!abandoned);
        inner.memory -= 1;
        let closed = !std::mem::replace(&mut inner.open, true);
        drop(inner);
        if closed && !self.silent {
            self.edges.pass();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.returned(self.booking);
    }
}

/// A run's threads, and the permit that waits for them.
pub(crate) struct Tether {
    threads: Mutex<Threads>,
}

struct Threads {
    live: u32,
    kept: Option<Permit>,
}

impl Tether {
    fn with_one_thread() -> Arc<Self> {
        Arc::new(Self {
            threads: Mutex::new(Threads {
                live: 1,
                kept: None,
            }),
        })
    }

    /// `Tether::keep`: a permit of a run with threads waits for them.
    pub(crate) fn keep(&self, permit: Permit) {
        let mut threads = self.threads.lock().unwrap();
        if threads.live > 0 {
            permit.gate.abandoned(permit.booking);
            threads.kept = Some(permit);
        }
    }

    /// The drop of `Counted`.
    pub(crate) fn thread_ends(&self) {
        let mut threads = self.threads.lock().unwrap();
        threads.live -= 1;
        let kept = threads.kept.take();
        drop(threads);
        drop(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loom::thread;

    fn is_empty(gate: &Gate) -> bool {
        let inner = gate.inner.lock().unwrap();
        let left = inner.entries.iter().flatten().count();
        (inner.slots, inner.memory, left) == (0, 0, 0)
    }

    fn two_flows(silent: bool) {
        crate::every_order(move || {
            let gate = Gate::new(silent);
            let other = {
                let gate = Arc::clone(&gate);
                thread::spawn(move || drop(Gate::get(&gate)))
            };
            drop(Gate::get(&gate));
            other.join().unwrap();
            assert!(is_empty(&gate));
        });
    }

    #[test]
    fn whoever_was_refused_gets_the_slot_that_is_returned() {
        two_flows(false);
    }

    #[test]
    fn a_run_that_is_given_up_frees_its_slot_at_once_and_its_memory_once() {
        crate::every_order(|| {
            let gate = Gate::new(false);
            let tether = Tether::with_one_thread();
            let permit = Gate::get(&gate);
            let thread = {
                let tether = Arc::clone(&tether);
                thread::spawn(move || tether.thread_ends())
            };
            let next = {
                let gate = Arc::clone(&gate);
                thread::spawn(move || drop(Gate::get(&gate)))
            };
            tether.keep(permit);
            // Whether its thread has ended or not.
            next.join().unwrap();
            thread.join().unwrap();
            assert!(is_empty(&gate));
        });
    }

    #[test]
    fn a_return_that_wakes_nobody_is_noticed() {
        assert!(crate::is_noticed("booked::tests::silent_return"));
    }

    #[test]
    #[ignore = "deadlocks on purpose: the test above runs it"]
    fn silent_return() {
        two_flows(true);
    }
}
