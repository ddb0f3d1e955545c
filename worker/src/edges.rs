//! Counts changes and wakes those who wait for one.
//!
//! Invariant: no change falls between a look and the wait that follows it.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

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
