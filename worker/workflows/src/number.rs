//! Numbers on their way out, and the few statistics that both types share.
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

/// Ranks from 1, mean rank for ties.
pub(crate) fn ranks(values: &[f64]) -> Vec<f64> {
    // One integer that orders as `total_cmp` and then by place: sorting those takes no look at the values.
    let mut keys: Vec<u128> = values
        .iter()
        .zip(0_u32..)
        .map(|(x, i)| {
            let bits = x.to_bits();
            let ordered = if x.is_sign_negative() {
                !bits
            } else {
                bits | 1 << 63
            };
            u128::from(ordered) << 32 | u128::from(i)
        })
        .collect();
    keys.sort_unstable();
    let order: Vec<u32> = keys
        .iter()
        .map(|&key| u32::try_from(key & 0xFFFF_FFFF).expect("the lower half is 32 bits"))
        .collect();
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    while from < order.len() {
        let value = values[order[from] as usize];
        let until = from
            + order[from..]
                .iter()
                .take_while(|&&i| values[i as usize] <= value)
                .count();
        let mean = (from + 1 + until) as f64 / 2.0;
        for &i in &order[from..until] {
            ranks[i as usize] = mean;
        }
        from = until;
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
    fn wilson_agrees_with_statsmodels() {
        // statsmodels.stats.proportion.proportion_confint(8, 10, method="wilson")
        let (low, high) = wilson95(8, 10);
        assert!((low - 0.490_162_472_153_8).abs() < 1e-9, "{low}");
        assert!((high - 0.943_317_848_545_6).abs() < 1e-9, "{high}");
        assert!(wilson95(0, 10).0.abs() < 1e-15);
    }
}
