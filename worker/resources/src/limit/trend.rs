//! Whether a higher limit went along with more throughput of late.
//!
//! Invariant: the last minute and no more; pure arithmetic.

use serde::Serialize;

/// A minute at one tick a second.
const TICKS: usize = 60;

/// The last minute of limits and throughputs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Trend {
    pairs: std::collections::VecDeque<(f64, f64)>,
}

impl Trend {
    pub(crate) fn new() -> Self {
        Self {
            pairs: std::collections::VecDeque::with_capacity(TICKS + 1),
        }
    }

    pub(crate) fn add(&mut self, limit: f64, throughput: f64) {
        self.pairs.push_back((limit, throughput));
        if self.pairs.len() > TICKS {
            self.pairs.pop_front();
        }
    }

    /// The covariance, or 0 before there are two ticks.
    pub(crate) fn covariance(&self) -> f64 {
        let (Ok(count), 2..) = (u32::try_from(self.pairs.len()), self.pairs.len()) else {
            return 0.0;
        };
        let count = f64::from(count);
        let mean = |of: fn(&(f64, f64)) -> f64| self.pairs.iter().map(of).sum::<f64>() / count;
        let (x, y) = (mean(|pair| pair.0), mean(|pair| pair.1));
        let products = self.pairs.iter().map(|pair| (pair.0 - x) * (pair.1 - y));
        products.sum::<f64>() / count
    }
}
