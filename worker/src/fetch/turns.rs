//! In which order a worker asks its routes: pure.
//!
//! Invariant: strict priority, types in rotation within a priority; and of any
//! `every` turns in a row that found work, at least one began with the lowest
//! priority.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How many priorities there are.
const LEVELS: usize = 4;

/// Hands out turns and remembers the bottom's share.
#[derive(Debug)]
pub(crate) struct Turns {
    every: u64,
    begun: AtomicU64,
    owed: AtomicBool,
}

/// One search for work.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) low_first: bool,
}

impl Turns {
    /// One turn in `every` begins with the lowest priority.
    pub(crate) fn new(every: u32) -> Self {
        Self {
            every: u64::from(every.max(1)),
            begun: AtomicU64::new(0),
            owed: AtomicBool::new(false),
        }
    }

    /// Begins a search.
    pub(crate) fn begin(&self) -> Turn {
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let due = number.is_multiple_of(self.every);
        Turn {
            low_first: self.owed.swap(false, Ordering::AcqRel) || due,
        }
    }

    /// The search found nothing. If it was the bottom's, the next one is.
    pub(crate) fn fruitless(&self, turn: &Turn) {
        if turn.low_first {
            self.owed.store(true, Ordering::Release);
        }
    }
}

/// The places of a sorted list of routes (by priority, then type; each of
/// `types` types at every priority) in the order in which a turn asks them.
/// `starts` names the type with which each priority begins.
pub(crate) fn places(
    types: usize,
    starts: [usize; LEVELS],
    low_first: bool,
) -> impl Iterator<Item = usize> {
    (0..LEVELS).flat_map(move |step| {
        let level = if low_first { LEVELS - 1 - step } else { step };
        (0..types).map(move |next| level * types + (starts[level] + next) % types)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_strict_and_types_rotate() {
        let asked: Vec<_> = places(3, [0, 1, 2, 0], false).collect();
        assert_eq!(asked, [0, 1, 2, 4, 5, 3, 8, 6, 7, 9, 10, 11]);
        let from_below: Vec<_> = places(2, [0, 0, 0, 1], true).collect();
        assert_eq!(from_below, [7, 6, 4, 5, 2, 3, 0, 1]);
        assert_eq!(places(0, [0; LEVELS], false).count(), 0);
    }

    /// Plays turns of which some find nothing, in every pattern of a small
    /// linear generator, and counts the longest drought of the bottom.
    fn longest_drought(every: u32, mut seed: u64) -> u32 {
        let turns = Turns::new(every);
        let (mut drought, mut longest) = (0, 0);
        for _ in 0..20_000 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let turn = turns.begin();
            if seed >> 62 == 0 {
                turns.fruitless(&turn);
            } else if turn.low_first {
                drought = 0;
            } else {
                drought += 1;
                longest = longest.max(drought);
            }
        }
        longest
    }

    #[test]
    fn of_any_sixteen_finds_in_a_row_one_began_at_the_bottom() {
        for seed in 0..50 {
            assert!(longest_drought(16, seed) <= 15);
        }
        let always_finds = Turns::new(16);
        let low: Vec<_> = (1..=64)
            .filter(|_| always_finds.begin().low_first)
            .collect();
        assert_eq!(low.len(), 4, "and no more than the share: {low:?}");
    }

    #[test]
    fn a_share_of_one_always_begins_at_the_bottom() {
        assert_eq!(longest_drought(1, 7), 0);
    }
}
