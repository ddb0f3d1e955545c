//! How sure a paired difference is: the bootstrap of its median.
//!
//! Invariant: the same values always give the same interval; the draws come from a fixed seed.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::board::{median, percentile};

/// Enough that the ends of a 95 % interval no longer move visibly.
const RESAMPLES: usize = 10_000;
const SEED: u64 = 44;

/// A median and the interval in which it lies with 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    /// The median of the values.
    pub(crate) median: f64,
    /// The lower end.
    pub(crate) low: f64,
    /// The upper end.
    pub(crate) high: f64,
}

/// The percentile bootstrap of the median; `None` of fewer than two values, which say nothing of their spread.
pub(crate) fn of_median(values: &[f64]) -> Option<Interval> {
    if values.len() < 2 {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn: Vec<f64> = (0..values.len())
                .map(|_| values[rng.random_range(0..values.len())])
                .collect();
            median(&drawn)
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    Some(Interval {
        median: median(values),
        low: medians[RESAMPLES / 40],
        high: medians[RESAMPLES - RESAMPLES / 40 - 1],
    })
}

/// The 99th percentile of all values of several runs together.
pub(crate) fn pooled_p99<'a>(runs: impl Iterator<Item = &'a Vec<f64>>) -> Option<f64> {
    let all: Vec<f64> = runs.flatten().copied().collect();
    (!all.is_empty()).then(|| percentile(&all, 99))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_median_and_widens_with_the_spread() {
        let narrow = of_median(&[1.0, 1.1, 0.9, 1.0, 1.05]).unwrap();
        let wide = of_median(&[1.0, 3.0, -1.0, 2.0, 0.0]).unwrap();
        assert!(narrow.low <= narrow.median && narrow.median <= narrow.high);
        assert!(wide.high - wide.low > narrow.high - narrow.low);
        assert_eq!(of_median(&[1.0, 2.0, 3.0]), of_median(&[1.0, 2.0, 3.0]));
        assert_eq!(of_median(&[1.0]), None);
    }
}
