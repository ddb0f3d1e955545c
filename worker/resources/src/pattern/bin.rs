//! One figure in one hour of the week.
//!
//! Invariant: means and variances are combined by the exact formula for two
//! groups (Chan, Golub, LeVeque 1979), so a spread within hours and one between
//! weeks both count.

use serde::{Deserialize, Serialize};

use super::{BINS, Hour, Usual};

/// What a week's weight is worth a week later: half after eight weeks. Habits
/// of a quarter are kept, a holiday season fades.
const DECAY: f64 = 0.917;
/// An hour watched for fewer minutes than this says little about the hour.
const MINUTES: u32 = 10;
/// Fewer weeks than this are no habit.
const WEEKS: u32 = 2;
/// Digits that are stored: a hundredth of a point.
const DIGITS: f64 = 10_000.0;

/// The hour under way: count, mean, sum of squared distances (Welford).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "(u32, f64, f64)", into = "(u32, f64, f64)")]
pub(super) struct Open {
    minutes: u32,
    mean: f64,
    squares: f64,
}

impl Open {
    pub(super) fn add(&mut self, value: f64) {
        self.minutes = self.minutes.saturating_add(1);
        let step = value - self.mean;
        self.mean += step / f64::from(self.minutes);
        self.squares += step * (value - self.mean);
    }
}

/// The weeks so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub(super) struct Bin {
    weeks: u32,
    /// The last hour that was folded in.
    last: u64,
    /// Weeks, decayed.
    weight: f64,
    mean: f64,
    variance: f64,
}

type Row = (u32, u64, f64, f64, f64);

impl Bin {
    /// Takes in an hour that is over.
    pub(super) fn fold(&mut self, hour: Hour, open: &Open) {
        if open.minutes < MINUTES || (self.weeks > 0 && hour.0 <= self.last) {
            return;
        }
        let weeks_since = hour.0.saturating_sub(self.last) / u64::from(BINS);
        let age = i32::try_from(weeks_since).unwrap_or(i32::MAX);
        self.weight *= DECAY.powi(age);
        self.combine(1.0, open.mean, open.squares / f64::from(open.minutes));
        self.weeks = self.weeks.saturating_add(1);
        self.last = hour.0;
    }

    /// Takes in another bin of the same hour.
    pub(super) fn merge(&mut self, other: &Self) {
        if other.weeks == 0 {
            return;
        }
        let weight = self.weight.max(other.weight);
        self.combine(other.weight, other.mean, other.variance);
        self.weight = weight;
        self.weeks = self.weeks.max(other.weeks);
        self.last = self.last.max(other.last);
    }

    fn combine(&mut self, weight: f64, mean: f64, variance: f64) {
        let total = self.weight + weight;
        if total <= 0.0 {
            return;
        }
        let (ours, theirs) = (self.weight / total, weight / total);
        let apart = mean - self.mean;
        self.mean += theirs * apart;
        self.variance = ours * self.variance + theirs * variance + ours * theirs * apart * apart;
        self.weight = total;
    }

    pub(super) fn usual(&self) -> Option<Usual> {
        (self.weeks >= WEEKS).then(|| Usual {
            mean: self.mean,
            deviation: self.variance.max(0.0).sqrt(),
            weeks: self.weeks,
        })
    }

    /// Nothing that arithmetic cannot digest.
    pub(super) fn is_sound(&self) -> bool {
        let figures = [self.weight, self.mean, self.variance];
        figures.iter().all(|v| v.is_finite()) && self.weight >= 0.0 && self.variance >= 0.0
    }
}

fn short(value: f64, digits: f64) -> f64 {
    (value * digits).round() / digits
}

impl From<Row> for Bin {
    fn from((weeks, last, weight, mean, variance): Row) -> Self {
        Self {
            weeks,
            last,
            weight,
            mean,
            variance,
        }
    }
}

impl From<Bin> for Row {
    fn from(bin: Bin) -> Self {
        // A variance is a square: twice the digits.
        let variance = short(bin.variance, DIGITS * DIGITS);
        let (weight, mean) = (short(bin.weight, DIGITS), short(bin.mean, DIGITS));
        (bin.weeks, bin.last, weight, mean, variance)
    }
}

impl From<(u32, f64, f64)> for Open {
    fn from((minutes, mean, squares): (u32, f64, f64)) -> Self {
        Self {
            minutes,
            mean,
            squares,
        }
    }
}

impl From<Open> for (u32, f64, f64) {
    fn from(open: Open) -> Self {
        let squares = short(open.squares, DIGITS * DIGITS);
        (open.minutes, short(open.mean, DIGITS), squares)
    }
}
