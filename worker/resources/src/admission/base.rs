//! The memory that is in use whatever runs: the least excess of the measured
//! over the booked in the last ten minutes.
//!
//! Invariant: exact over the window, in constant memory and amortised constant
//! time: values ascend from the oldest, and each second leaves at most one.

use std::{collections::VecDeque, time::Duration};

/// Long enough to see a worker between two tasks, short enough to follow what
/// it comes to keep (caches, a pool of children).
const WINDOW: Duration = Duration::from_mins(10);

/// One a second, and the current one.
const ROOM: usize = 602;

/// The running minimum.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    lows: VecDeque<(Duration, u64)>,
}

impl Base {
    pub(crate) fn new() -> Self {
        Self {
            lows: VecDeque::with_capacity(ROOM),
        }
    }

    /// So many bytes were in use beyond those booked.
    pub(crate) fn observe(&mut self, at: Duration, excess: u64) {
        while self
            .lows
            .front()
            .is_some_and(|&(then, _)| then + WINDOW < at)
        {
            self.lows.pop_front();
        }
        while self.lows.back().is_some_and(|&(_, low)| low >= excess) {
            self.lows.pop_back();
        }
        let same = |&(then, _): &(Duration, u64)| then.as_secs() == at.as_secs();
        if !self.lows.back().is_some_and(same) {
            self.lows.push_back((at, excess));
        }
    }

    /// The least; `None` before anything was observed.
    pub(crate) fn least(&self) -> Option<u64> {
        self.lows.front().map(|&(_, low)| low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_least_of_ten_minutes_counts_then_the_next() {
        let mut base = Base::new();
        assert_eq!(base.least(), None);
        for (at, excess) in [(0, 50), (60, 20), (120, 90), (180, 70)] {
            base.observe(Duration::from_secs(at), excess);
        }
        assert_eq!(base.least(), Some(20));
        base.observe(Duration::from_mins(11), 80);
        assert_eq!(base.least(), Some(20));
        base.observe(Duration::from_secs(661), 80);
        assert_eq!(base.least(), Some(70));
    }

    proptest! {
        #[test]
        fn it_is_the_minimum_of_the_window(values in prop::collection::vec(0_u64..1_000, 1..900)) {
            let mut base = Base::new();
            for (at, &value) in values.iter().enumerate() {
                base.observe(Duration::from_secs(at as u64), value);
                let from = at.saturating_sub(600);
                prop_assert_eq!(base.least(), values[from..=at].iter().min().copied());
                prop_assert!(base.lows.len() <= ROOM);
            }
        }
    }
}
