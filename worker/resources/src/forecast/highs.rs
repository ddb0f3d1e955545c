//! Whether a value is a new high.
//!
//! Invariant: a value that merely returns to where it was within the lookback
//! is none. Single outliers do not count as highs: the median of three does.

use std::collections::VecDeque;

use super::window::Point;

/// What came lately is the rise itself and not what it is compared with.
const RECENT: f64 = 10.0;
/// A new high lies at least one point above the old one.
const MARGIN: f64 = 0.01;

/// The highs of the lookback.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Highs {
    /// Seconds looked back.
    lookback: f64,
    /// Seconds between two samples.
    period: f64,
    medians: VecDeque<Point>,
    last: VecDeque<Point>,
    first: Option<f64>,
}

impl Highs {
    pub(super) fn new(lookback: f64, period: f64) -> Self {
        Self {
            lookback,
            period,
            medians: VecDeque::new(),
            last: VecDeque::new(),
            first: None,
        }
    }

    pub(super) fn push(&mut self, at: f64, value: f64) {
        self.first.get_or_insert(at);
        self.last.push_back(Point { at, value });
        if let [a, b, c] = *self.last.make_contiguous() {
            let value = median(a.value, b.value, c.value);
            self.medians.push_back(Point { at: b.at, value });
            self.last.pop_front();
        }
        while self
            .medians
            .front()
            .is_some_and(|p| p.at < at - self.lookback)
        {
            self.medians.pop_front();
        }
    }

    /// The lookback is filled: what is usual is known.
    pub(super) fn is_settled(&self, at: f64) -> bool {
        self.first.is_some_and(|first| at - first >= self.lookback)
    }

    /// The fitted value lies above everything of the lookback but the last ten
    /// periods, and so does what was really seen: past a turn, a line through
    /// the rise before it overshoots.
    pub(super) fn exceeds(&self, at: f64, fitted: f64) -> bool {
        let seen = self.medians.back().map_or(fitted, |p| p.value.min(fitted));
        self.max_before(at - RECENT * self.period)
            .is_none_or(|high| seen > high + MARGIN)
    }

    fn max_before(&self, until: f64) -> Option<f64> {
        let earlier = self.medians.iter().filter(|p| p.at <= until);
        earlier.map(|p| p.value).reduce(f64::max)
    }
}

fn median(a: f64, b: f64, c: f64) -> f64 {
    a.max(b).min(a.min(b).max(c))
}
