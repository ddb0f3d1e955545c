//! Memory as a straight line over the input's size: least squares whose
//! points fade, and how far above the line the latest points lay.
//!
//! Invariant: a line is only given that is fit for a forecast: enough points
//! over different sizes, and no fall with size.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::bins::{FADE, FULL, as_f64};

/// Points of which the residual's quantile is taken: three beyond the 95th
/// percentile, and few enough to keep and to sort at each end of a task.
const RECENT: usize = 64;

/// Fewer points give no line: the 95th percentile of fewer residuals would be
/// their maximum.
const ENOUGH: u64 = 20;

/// A spread of sizes below this share of their mean says nothing about the
/// slope.
const SPREAD: f64 = 0.05;

/// Fading sums over (input bytes, peak bytes).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Line {
    count: u64,
    weight: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    recent: VecDeque<(u64, u64)>,
}

/// A line, and what to add to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fit {
    start: f64,
    slope: f64,
    above: f64,
}

impl Fit {
    /// Bytes that 95 % of the tasks with so large an input stay below.
    pub(crate) fn at(&self, input: u64) -> f64 {
        (self.start + self.slope * as_f64(input) + self.above).max(0.0)
    }
}

impl Line {
    /// Adds a point.
    pub(crate) fn add(&mut self, input: u64, peak: u64) {
        let (x, y) = (as_f64(input), as_f64(peak));
        for (sum, new) in [
            (&mut self.weight, 1.0),
            (&mut self.x, x),
            (&mut self.y, y),
            (&mut self.xx, x * x),
            (&mut self.xy, x * y),
        ] {
            *sum = *sum * FADE + new;
        }
        self.count += 1;
        self.recent.push_back((input, peak));
        self.trim();
    }

    fn trim(&mut self) {
        while self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    /// The line, if there is a good one.
    pub(crate) fn fit(&self) -> Option<Fit> {
        if self.count < ENOUGH || self.recent.is_empty() {
            return None;
        }
        let mean = self.x / self.weight;
        let variance = self.xx / self.weight - mean * mean;
        if variance.sqrt().partial_cmp(&(SPREAD * mean)) != Some(std::cmp::Ordering::Greater) {
            return None;
        }
        let slope = (self.xy / self.weight - mean * self.y / self.weight) / variance;
        let start = self.y / self.weight - slope * mean;
        (slope >= 0.0 && start.is_finite()).then(|| Fit {
            start,
            slope,
            above: self.residual(start, slope),
        })
    }

    /// The 95th percentile of the latest residuals.
    fn residual(&self, start: f64, slope: f64) -> f64 {
        let mut residuals: Vec<_> = self
            .recent
            .iter()
            .map(|&(input, peak)| as_f64(peak) - start - slope * as_f64(input))
            .collect();
        residuals.sort_unstable_by(f64::total_cmp);
        residuals[(residuals.len() * 95).div_ceil(100) - 1]
    }

    /// The points of both.
    pub(crate) fn merged(&self, other: &Self) -> Self {
        let weight = self.weight + other.weight;
        let scale = if weight > FULL { FULL / weight } else { 1.0 };
        let mut recent: VecDeque<_> = self.recent.iter().chain(&other.recent).copied().collect();
        if recent.len() > RECENT {
            // The latest of each, in proportion: neither drives out the other.
            let keep = |from: &VecDeque<_>| RECENT * from.len() / recent.len();
            let (left, right) = (keep(&self.recent), keep(&other.recent));
            let newest = |from: &VecDeque<_>, count: usize| {
                from.range(from.len() - count..)
                    .copied()
                    .collect::<Vec<_>>()
            };
            recent = newest(&self.recent, left).into();
            recent.extend(newest(&other.recent, right));
        }
        Self {
            count: self.count.saturating_add(other.count),
            weight: weight * scale,
            x: (self.x + other.x) * scale,
            y: (self.y + other.y) * scale,
            xx: (self.xx + other.xx) * scale,
            xy: (self.xy + other.xy) * scale,
            recent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;

    #[test]
    fn a_line_is_found_again() {
        let mut line = Line::default();
        for step in 1..=40 {
            line.add(step * 100 * KIB, 8 * MIB + 20 * step * 100 * KIB);
        }
        let at = line.fit().unwrap().at(10 * MIB) / as_f64(MIB);
        assert!((at - 208.0).abs() < 0.01, "{at}");
    }

    #[test]
    fn too_few_points_equal_sizes_and_a_fall_give_no_line() {
        let mut few = Line::default();
        let mut same = Line::default();
        let mut falling = Line::default();
        for step in 1..=30 {
            if step < ENOUGH {
                few.add(step * KIB, step * MIB);
            }
            same.add(MIB, step * MIB);
            falling.add(step * MIB, (100 - step) * MIB);
        }
        assert_eq!((few.fit(), same.fit(), falling.fit()), (None, None, None));
    }

    #[test]
    fn the_residual_covers_noise() {
        let mut line = Line::default();
        for step in 0..64_u64 {
            let noise = (step * 37) % 64 * MIB;
            line.add((1 + step % 8) * MIB, 10 * MIB + noise);
        }
        let fit = line.fit().unwrap();
        let above = line
            .recent
            .iter()
            .filter(|&&(input, peak)| as_f64(peak) > fit.at(input) + 1.0)
            .count();
        assert!(above <= 3, "{above}");
    }
}
