//! Numbers on their way out, and the few statistics that the types share.
//!
//! Invariant: a float that leaves has 12 significant digits, is finite, and is never negative zero.

use serde_json::Value;

/// `x` rounded to 12 significant digits; null when it is not finite.
pub(crate) fn float(x: f64) -> Value {
    if !x.is_finite() {
        return Value::Null;
    }
    // Formatting rounds in decimal, exactly; scaling by powers of ten would add its own error.
    let rounded: f64 = format!("{x:.11e}").parse().unwrap_or(x);
    Value::from(if rounded == 0.0 { 0.0 } else { rounded })
}

/// An optional float: null when absent.
pub(crate) fn maybe(x: Option<f64>) -> Value {
    x.map_or(Value::Null, float)
}

/// `0..n` as the `u32` that graphs and tables count in.
///
/// Callers are behind caps of a few million.
pub(crate) fn small(n: usize) -> u32 {
    u32::try_from(n).expect("every collection is capped far below 2^32")
}

/// The Wilson score interval at 95 % for `hits` of `n`; `(0, 1)` when `n` is 0.
///
/// E. B. Wilson, J. Am. Stat. Assoc. 22 (1927).
pub(crate) fn wilson95(hits: u64, n: u64) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    if n == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (n as f64, hits as f64 / n as f64);
    let scale = 1.0 + Z * Z / n;
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    (
        ((centre - half) / scale).max(0.0),
        ((centre + half) / scale).min(1.0),
    )
}

/// Pearson's correlation; `None` when a side does not vary.
pub(crate) fn correlation(x: &[f64], y: &[f64]) -> Option<f64> {
    let n = x.len() as f64;
    let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (a, b) in x.iter().zip(y) {
        let (da, db) = (a - mx, b - my);
        xx += da * da;
        yy += db * db;
        xy += da * db;
    }
    (xx > 0.0 && yy > 0.0).then(|| (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0))
}

/// Ranks from 1, mean rank for ties. NaN has no place in an order and must not occur.
pub(crate) fn ranks(values: &[f64]) -> Vec<f64> {
    Ranker::default().ranks(values.iter().copied())
}

/// Ranks many lists in the same memory.
#[derive(Debug, Default)]
pub(crate) struct Ranker {
    from: Vec<u32>,
    placed: Vec<(f64, u32)>,
}

impl Ranker {
    /// As [`ranks`].
    pub(crate) fn ranks(&mut self, values: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
        self.spread(values);
        mean_ranks(&self.placed)
    }

    /// Places all values, ascending by value.
    ///
    /// They are first dealt to as many parts of their range as there are values, which leaves few for each part to sort;
    /// values that crowd in one part cost what an ordinary sort does.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in [0, n]; what is no number counts as 0, for all values alike"
    )]
    fn spread(&mut self, values: impl Iterator<Item = f64> + Clone) {
        let Self { from, placed } = self;
        let (mut n, mut low, mut high) = (0, f64::INFINITY, f64::NEG_INFINITY);
        for x in values.clone() {
            (n, low, high) = (n + 1, low.min(x), high.max(x));
        }
        let scale = n as f64 / (high - low);
        // An infinite range or none at all: one part for all.
        let scale = if scale.is_finite() { scale } else { 0.0 };
        let part = |x: f64| ((x - low) * scale) as usize;
        from.clear();
        from.resize(n + 2, 0);
        for x in values.clone() {
            from[part(x) + 1] += 1;
        }
        for k in 1..from.len() {
            from[k] += from[k - 1];
        }
        placed.resize(n, (0.0, 0));
        for (x, i) in values.zip(0_u32..) {
            let slot = &mut from[part(x)];
            placed[*slot as usize] = (x, i);
            *slot += 1;
        }
        // Each part now begins where the one before it ends.
        let mut begin = 0;
        for &end in &from[..=n] {
            let end = end as usize;
            placed[begin..end].sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            begin = end;
        }
    }
}

/// Ranks of values with their places, ascending by value.
fn mean_ranks(placed: &[(f64, u32)]) -> Vec<f64> {
    let mut ranks = vec![0.0; placed.len()];
    let mut from = 0;
    while from < placed.len() {
        let value = placed[from].0;
        let ties = placed[from..]
            .iter()
            .take_while(|x| x.0 <= value)
            .count()
            .max(1);
        let mean = (2 * from + 1 + ties) as f64 / 2.0;
        for &(_, i) in &placed[from..from + ties] {
            ranks[i as usize] = mean;
        }
        from += ties;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_keep_twelve_significant_digits() {
        assert_eq!(float(0.123_456_789_012_345), Value::from(0.123_456_789_012));
        assert_eq!(float(1.0 / 3.0 * 1e9), Value::from(333_333_333.333));
        assert_eq!(float(-0.0).to_string(), "0.0");
        assert_eq!(float(f64::NAN), Value::Null);
    }

    #[test]
    fn ranks_are_those_of_a_plain_sort() {
        let plain = |values: &[f64]| -> Vec<f64> {
            let below = |x: f64| values.iter().filter(|y| **y < x).count();
            let upto = |x: f64| values.iter().filter(|y| **y <= x).count();
            let rank = |&x: &f64| (below(x) + upto(x) + 1) as f64 / 2.0;
            values.iter().map(rank).collect()
        };
        let scattered = (0..500_u32).map(|i| f64::from(i * 7_919 % 1_009).powi(3));
        let crowded = (0..500_u32).map(|i| f64::from(i % 7) * 1e-300);
        for values in [
            vec![],
            vec![4.0],
            vec![1.0; 9],
            vec![0.0, -0.0, 1.0, -1.0, 0.0],
            vec![f64::INFINITY, 1.0, -5.0, f64::NEG_INFINITY, 1.0],
            vec![f64::MAX, -f64::MAX, 3.0, 1e300],
            scattered.collect(),
            crowded.chain([1e9]).collect(),
        ] {
            assert_eq!(ranks(&values), plain(&values));
        }
    }

    #[test]
    fn wilson_agrees_with_statsmodels() {
        // statsmodels.stats.proportion.proportion_confint(8, 10, method="wilson")
        let (low, high) = wilson95(8, 10);
        assert!((low - 0.490_162_472_153_8).abs() < 1e-9, "{low}");
        assert!((high - 0.943_317_848_545_6).abs() < 1e-9, "{high}");
        assert!(wilson95(0, 10).0.abs() < 1e-15);
    }
}
