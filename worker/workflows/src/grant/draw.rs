//! Draws beta-PERT values by a table of the distribution: one uniform number, one look-up.
//!
//! alpha = 1 + 4 (m - a) / (b - a), beta = 6 - alpha. The table holds the exact share of every one of [`CELLS`] equal
//! parts of [a, b]: by Simpson's rule, at both ends by the power series, for the density may have no derivative there.
//! Inside a part, the ends excepted, the density is flat, which moves the distribution function by less than 3e-5. A
//! draw takes exactly one number of the stream, whatever it gives.

use std::sync::OnceLock;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::input::ThreePoint;

/// Parts of the range: 8 KB a table; a million runs could not tell their edges from the smooth curve.
const CELLS: usize = 1_024;
/// Ends that differ by less, relative to their size, leave no room for a distribution.
const NARROW: f64 = 1e-12;

/// A duration or delay to draw.
#[derive(Debug)]
pub(super) enum Draw {
    Fixed(f64),
    Beta(Table),
}

/// The distribution function of one estimate, ready to be inverted.
#[derive(Debug)]
pub(super) struct Table {
    low: f64,
    /// Length of a part.
    step: f64,
    /// The powers of the share of the first part and the last that lead to a place in them: the density there is
    /// that of a power of the distance from the end.
    ends: (f64, f64),
    /// Share below the upper end of each part; the last is 1.
    below: Vec<f64>,
    /// The first part whose `below` exceeds k / CELLS.
    from: Vec<u16>,
}

impl Draw {
    pub(super) fn new(points: ThreePoint) -> Self {
        let (low, high) = (points.optimistic, points.pessimistic);
        let range = high - low;
        if range <= NARROW * high {
            return Self::Fixed(points.likely);
        }
        let mode = (points.likely - low) / range;
        let (p, q) = (4.0 * mode, 4.0 * (1.0 - mode));
        let below = shares(p, q);
        let mut at = 0_u16;
        let from = (0..CELLS).map(|k| {
            while below[usize::from(at)] <= k as f64 / CELLS as f64 {
                at += 1;
            }
            at
        });
        Self::Beta(Table {
            low,
            step: range / CELLS as f64,
            ends: (1.0 / (p + 1.0), 1.0 / (q + 1.0)),
            from: from.collect(),
            below,
        })
    }

    pub(super) fn sample(&self, rng: &mut ChaCha8Rng) -> f64 {
        let share: f64 = rng.random();
        match self {
            Self::Fixed(x) => *x,
            Self::Beta(table) => table.quantile(share),
        }
    }
}

impl Table {
    /// The value below which `share`, in [0, 1), of the distribution lies.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share below 1 times the number of parts"
    )]
    fn quantile(&self, share: f64) -> f64 {
        let mut cell = usize::from(self.from[(share * CELLS as f64) as usize]);
        // The last one is 1, which no share reaches.
        while self.below[cell] <= share {
            cell += 1;
        }
        let under = if cell == 0 { 0.0 } else { self.below[cell - 1] };
        let part = self.below[cell] - under;
        let inside = if cell == 0 {
            (share / part).powf(self.ends.0)
        } else if cell == CELLS - 1 {
            1.0 - ((1.0 - share) / part).powf(self.ends.1)
        } else {
            (share - under) / part
        };
        self.low + self.step * (cell as f64 + inside)
    }
}

/// Logarithms of k / (2 CELLS), the edges and middles of all parts.
fn logs() -> &'static [f64] {
    static LOGS: OnceLock<Vec<f64>> = OnceLock::new();
    LOGS.get_or_init(|| {
        (0..=2 * CELLS)
            .map(|k| (k as f64 / (2 * CELLS) as f64).ln())
            .collect()
    })
}

/// The distribution function of x^p (1 - x)^q at the upper end of each part.
fn shares(p: f64, q: f64) -> Vec<f64> {
    let logs = logs();
    let density = |k: usize| (p * logs[k] + q * logs[2 * CELLS - k]).exp();
    let h = 1.0 / CELLS as f64;
    // x^p (1 - q x) from 0 to h.
    let end = |p: f64, q: f64| h.powf(p + 1.0) * (1.0 / (p + 1.0) - q * h / (p + 2.0));
    let mut sum = end(p, q);
    let mut below = Vec::with_capacity(CELLS);
    below.push(sum);
    let mut left = density(2);
    for cell in 1..CELLS - 1 {
        let right = density(2 * cell + 2);
        sum += h / 6.0 * (left + 4.0 * density(2 * cell + 1) + right);
        below.push(sum);
        left = right;
    }
    sum += end(q, p);
    for share in &mut below {
        *share /= sum;
    }
    below.push(1.0);
    below
}

#[cfg(test)]
mod tests {
    use statrs::function::beta::beta_reg;

    use super::*;

    /// Quantiles that are looked at.
    const N: u32 = 100_000;

    #[test]
    fn the_table_is_the_beta_distribution() {
        for likely in [10.0, 10.01, 10.7, 11.0, 12.5, 14.9, 15.0] {
            let points = ThreePoint {
                optimistic: 10.0,
                likely,
                pessimistic: 15.0,
            };
            let Draw::Beta(table) = Draw::new(points) else {
                panic!("a range of five days");
            };
            let alpha = 1.0 + 4.0 * (likely - 10.0) / 5.0;
            let (mut mean, mut square) = (0.0, 0.0);
            for i in 0..N {
                let share = (f64::from(i) + 0.5) / f64::from(N);
                let x = table.quantile(share);
                let exact = beta_reg(alpha, 6.0 - alpha, ((x - 10.0) / 5.0).clamp(0.0, 1.0));
                assert!((exact - share).abs() < 3e-5, "{likely} at {share}: {exact}");
                mean += x / f64::from(N);
                square += x * x / f64::from(N);
            }
            assert!((mean - points.mean()).abs() < 1e-4, "{likely}: {mean}");
            let variance = square - mean * mean;
            assert!(
                (variance - points.variance()).abs() < 1e-3,
                "{likely}: {variance}"
            );
        }
    }

    #[test]
    fn the_ends_of_the_range_are_kept() {
        let points = ThreePoint {
            optimistic: 0.0,
            likely: 0.0,
            pessimistic: 3_650.0,
        };
        let Draw::Beta(table) = Draw::new(points) else {
            panic!("a range of ten years");
        };
        assert!(table.quantile(0.0).abs() < 1e-12);
        assert!(table.quantile(1.0 - f64::EPSILON / 2.0) <= 3_650.0);
    }

    #[test]
    fn no_range_is_no_distribution() {
        let points = |pessimistic| ThreePoint {
            optimistic: 2.0,
            likely: 2.0,
            pessimistic,
        };
        assert!(matches!(Draw::new(points(2.0)), Draw::Fixed(x) if (x - 2.0).abs() < 1e-12));
        assert!(matches!(Draw::new(points(2.0 + 1e-15)), Draw::Fixed(_)));
    }
}
