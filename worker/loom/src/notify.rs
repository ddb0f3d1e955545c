//! What tokio promises of `Notify::notified` and `Notify::notify_waiters`, on
//! loom's primitives.
//!
//! Invariant: a [`Notified`] hears every call that begins after it was made,
//! waited for or not. Nothing else is promised, and nothing else is modelled:
//! there are no stored permits, which `notify_one` would leave.

use loom::sync::{Condvar, Mutex};

pub(crate) struct Notify {
    calls: Mutex<u64>,
    bell: Condvar,
}

pub(crate) struct Notified<'a> {
    of: &'a Notify,
    made_at: u64,
}

impl Notify {
    pub(crate) fn new() -> Self {
        Self {
            calls: Mutex::new(0),
            bell: Condvar::new(),
        }
    }

    pub(crate) fn notified(&self) -> Notified<'_> {
        Notified {
            of: self,
            made_at: *self.calls.lock().unwrap(),
        }
    }

    pub(crate) fn notify_waiters(&self) {
        *self.calls.lock().unwrap() += 1;
        self.bell.notify_all();
    }
}

impl Notified<'_> {
    /// As `await` does, but on a thread.
    pub(crate) fn wait(self) {
        let mut calls = self.of.calls.lock().unwrap();
        while *calls == self.made_at {
            calls = self.of.bell.wait(calls).unwrap();
        }
    }
}
