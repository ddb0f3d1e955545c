//! What happened to runs since the monitor last looked.
//!
//! Invariant: bounded; what is beyond the bound is the newest, of which there
//! is enough.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use shared::model::ErrorCode;

/// Waits that are kept between two looks: enough for a percentile.
const WAITS: usize = 1024;

/// The counts.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    completed: AtomicU32,
    failed: AtomicU32,
    waits: Mutex<Vec<Duration>>,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) completed: u32,
    pub(crate) failed: u32,
    /// 95 of 100 tasks that started had waited no longer.
    pub(crate) waited_p95: Option<Duration>,
}

impl Tally {
    /// A task started, so long after its acceptance.
    pub(crate) fn waited(&self, wait: Duration) {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        if waits.len() < WAITS {
            waits.push(wait);
        }
    }

    /// A run ended and the store has it; `error` if it failed. A run whose own
    /// input was at fault says nothing of the worker.
    pub(crate) fn ended(&self, error: Option<ErrorCode>) {
        match error {
            None => self.completed.fetch_add(1, Ordering::Relaxed),
            Some(ErrorCode::InvalidInput | ErrorCode::LimitExceeded | ErrorCode::Cancelled) => 0,
            Some(_) => self.failed.fetch_add(1, Ordering::Relaxed),
        };
    }

    /// What was counted since the last question.
    pub(crate) fn take(&self) -> Counted {
        let mut waits = {
            let mut kept = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *kept)
        };
        waits.sort_unstable();
        Counted {
            completed: self.completed.swap(0, Ordering::Relaxed),
            failed: self.failed.swap(0, Ordering::Relaxed),
            waited_p95: waits.get(waits.len() * 95 / 100).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_told_once_and_inputs_at_fault_are_not() {
        let tally = Tally::default();
        for ms in 1..=100 {
            tally.waited(Duration::from_millis(ms));
        }
        tally.ended(None);
        tally.ended(Some(ErrorCode::Panic));
        tally.ended(Some(ErrorCode::InvalidInput));
        let counted = tally.take();
        assert_eq!((counted.completed, counted.failed), (1, 1));
        assert_eq!(counted.waited_p95, Some(Duration::from_millis(96)));
        assert_eq!(tally.take(), Counted::default());
    }
}
