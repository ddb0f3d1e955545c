//! A histogram over logarithmic bins whose entries fade: what quantiles are
//! taken from.
//!
//! Invariant: bins ascend, every weight is above [`FAINT`], and the sum of
//! weights never exceeds [`FULL`], so that a merged histogram fades as fast as
//! one that was filled here.

use serde::{Deserialize, Serialize};

/// What an entry keeps of its weight when another is added: half after 200.
pub(crate) const FADE: f64 = 0.996_540_262_823_3;

/// The sum of weights after endless entries: `1 / (1 - FADE)`.
pub(crate) const FULL: f64 = 289.0;

/// A weight that no quantile in use can notice (0.01 % of a full histogram);
/// lighter bins are dropped, which bounds the number of bins.
const FAINT: f32 = 0.03;

/// The highest bin: beyond a pebibyte of [`BYTES`], a year of [`MICROS`].
const LAST: u16 = 500;

/// Where bins lie: the first holds everything below `least`, each further one
/// reaches `ratio` times as far.
#[derive(Debug)]
pub(crate) struct Scale {
    least: f64,
    ratio: f64,
}

/// Bytes in steps of 5 %, finer than any estimate deserves. What is below 64
/// KiB counts as nothing: it is less than the noise of an allocator.
pub(crate) const BYTES: Scale = Scale {
    least: 65_536.0,
    ratio: 1.05,
};

/// Microseconds in steps of 10 %. What is below 100 counts as nothing.
pub(crate) const MICROS: Scale = Scale {
    least: 100.0,
    ratio: 1.1,
};

impl Scale {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=LAST before the cast"
    )]
    fn bin(&self, value: u64) -> u16 {
        let steps = (as_f64(value) / self.least).ln() / self.ratio.ln();
        if steps < 0.0 {
            return 0;
        }
        (steps.floor() + 1.0).clamp(1.0, f64::from(LAST)) as u16
    }

    /// The upper end of a bin; nothing for the first.
    fn reach(&self, bin: u16) -> u64 {
        match bin {
            0 => 0,
            bin => as_u64(self.least * self.ratio.powi(i32::from(bin))),
        }
    }
}

/// The histogram.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Bins {
    cells: Vec<(u16, f32)>,
}

impl Bins {
    /// Adds one entry; all others fade.
    pub(crate) fn add(&mut self, scale: &Scale, value: u64) {
        for (_, weight) in &mut self.cells {
            *weight *= single(FADE);
        }
        self.cells.retain(|&(_, weight)| weight > FAINT);
        self.put(scale.bin(value), 1.0);
    }

    fn put(&mut self, bin: u16, weight: f32) {
        match self.cells.binary_search_by_key(&bin, |&(bin, _)| bin) {
            Ok(place) => self.cells[place].1 += weight,
            Err(place) => self.cells.insert(place, (bin, weight)),
        }
    }

    /// The sum of weights: about the number of entries, at most [`FULL`].
    pub(crate) fn weight(&self) -> f64 {
        self.cells
            .iter()
            .map(|&(_, weight)| f64::from(weight))
            .sum()
    }

    /// The least value that at least this share of the entries does not
    /// exceed, rounded up to the end of its bin. 0 while empty.
    pub(crate) fn quantile(&self, scale: &Scale, share: f64) -> u64 {
        let wanted = self.weight() * share;
        let mut sum = 0.0;
        for &(bin, weight) in &self.cells {
            sum += f64::from(weight);
            if sum >= wanted {
                return scale.reach(bin);
            }
        }
        self.cells.last().map_or(0, |&(bin, _)| scale.reach(bin))
    }

    /// The entries of both.
    pub(crate) fn merged(&self, other: &Self) -> Self {
        let mut all = self.clone();
        for &(bin, weight) in &other.cells {
            all.put(bin, weight);
        }
        let weight = all.weight();
        if weight > FULL {
            for cell in &mut all.cells {
                cell.1 *= single(FULL / weight);
            }
        }
        all
    }
}

/// Exact below 2^53, far beyond any memory.
#[expect(
    clippy::cast_precision_loss,
    reason = "bytes and microseconds stay below 2^53"
)]
pub(crate) fn as_f64(value: u64) -> f64 {
    value as f64
}

/// Rounded up; 0 for what is negative or no number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and gives 0 for what is no number"
)]
pub(crate) fn as_u64(value: f64) -> u64 {
    value.ceil() as u64
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a weight needs no more than single precision"
)]
fn single(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn half_the_weight_is_gone_after_two_hundred() {
        assert!((FADE.powi(200) - 0.5).abs() < 1e-9);
        assert!((1.0 / (1.0 - FADE) - FULL).abs() < 0.5);
        let mut bins = Bins::default();
        bins.add(&BYTES, MIB);
        for _ in 0..200 {
            bins.add(&BYTES, 100 * MIB);
        }
        assert!((f64::from(bins.cells[0].1) - 0.5).abs() < 1e-3);
    }

    #[test]
    fn a_quantile_is_at_most_one_step_above_the_value() {
        let mut bins = Bins::default();
        for mib in 1..=100 {
            bins.add(&BYTES, mib * MIB);
        }
        let found = as_f64(bins.quantile(&BYTES, 0.95)) / as_f64(MIB);
        assert!((95.0..102.0).contains(&found), "{found}");
    }

    #[test]
    fn next_to_nothing_is_nothing() {
        let mut bins = Bins::default();
        assert_eq!(bins.quantile(&BYTES, 0.95), 0);
        bins.add(&BYTES, 4_096);
        assert_eq!(bins.quantile(&BYTES, 0.95), 0);
    }

    #[test]
    fn the_number_of_bins_and_the_weight_are_bounded() {
        let mut bins = Bins::default();
        for step in 0..20_000_u64 {
            bins.add(&BYTES, (step * 7_919 * MIB) % (1 << 40));
        }
        assert!(bins.cells.len() <= usize::from(LAST));
        assert!(bins.weight() <= FULL + 1.0);
        assert!(bins.merged(&bins).weight() <= FULL + 1.0);
    }
}
