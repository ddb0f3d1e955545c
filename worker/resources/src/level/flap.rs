//! The flap lock: whoever goes up and down too often must be calm for longer.
//!
//! Invariant: while locked, every dwell is three times as long; the lock opens
//! only after ten minutes without any transition.

use std::collections::VecDeque;
use std::time::Duration;

/// Transitions are counted over this time, and the lock holds for as long.
const SPAN: Duration = Duration::from_mins(10);
/// One incident takes up to four transitions (up twice, down twice); the fifth
/// within the span is a flap.
const ALLOWED: usize = 4;
/// How much longer everything must be calm while locked.
const STRETCH: u32 = 3;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FlapLock {
    recent: VecDeque<Duration>,
    until: Option<Duration>,
}

impl FlapLock {
    /// What to multiply dwells with at this time.
    pub(super) fn stretch(&self, at: Duration) -> u32 {
        if self.is_locked(at) { STRETCH } else { 1 }
    }

    pub(super) fn is_locked(&self, at: Duration) -> bool {
        self.until.is_some_and(|until| at < until)
    }

    /// A transition has happened.
    pub(super) fn count(&mut self, at: Duration) {
        self.recent
            .retain(|earlier| at.saturating_sub(*earlier) < SPAN);
        self.recent.push_back(at);
        if self.recent.len() > ALLOWED || self.is_locked(at) {
            self.until = Some(at + SPAN);
        }
        // The lock's end carries everything older; this bounds the memory.
        while self.recent.len() > ALLOWED + 1 {
            self.recent.pop_front();
        }
    }

    /// Thresholds have changed: what was counted was counted by others.
    pub(super) fn restart(&mut self) {
        self.recent.clear();
    }
}
