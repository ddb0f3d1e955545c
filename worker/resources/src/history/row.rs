//! One row of a series.
//!
//! Invariant: a figure that was never read in the row's time is `None` outside
//! and not a number inside; no other value is ever not finite.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{FIGURES, Reading};

/// The order of figures within a row.
const HEALTH: usize = 6;

/// The least, mean, largest and 95th percentile of one figure. Single
/// precision: seven digits are more than any of them means.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The least.
    pub min: f32,
    /// The mean of all observations.
    pub mean: f32,
    /// The largest.
    pub max: f32,
    /// 95 % of the observations are at most this (nearest rank).
    pub p95: f32,
}

impl Summary {
    pub(super) const NONE: Self = Self::single(f32::NAN);

    pub(super) const fn single(value: f32) -> Self {
        Self {
            min: value,
            mean: value,
            max: value,
            p95: value,
        }
    }

    fn known(self) -> Option<Self> {
        (!self.mean.is_nan()).then_some(self)
    }
}

/// One row: when its step begins, and what is known of each figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// When its step begins, since the worker's start.
    pub at: Duration,
    /// Use of memory, as a share.
    pub memory: Option<Summary>,
    /// Use of processors, as a share.
    pub cpu: Option<Summary>,
    /// Use of the disk, as a share.
    pub disk: Option<Summary>,
    /// Time in which some task stalled for memory, as a share.
    pub pressure: Option<Summary>,
    /// The rank of the level, 0 to 4.
    pub level: Option<Summary>,
    /// Tasks in flight.
    pub in_flight: Option<Summary>,
    /// The health score, 0 to 100.
    pub health: Option<Summary>,
}

impl Row {
    pub(super) fn new(at: Duration, figures: &[Summary; FIGURES]) -> Self {
        let [memory, cpu, disk, pressure, level, in_flight, health] = figures.map(Summary::known);
        Self {
            at,
            memory,
            cpu,
            disk,
            pressure,
            level,
            in_flight,
            health,
        }
    }
}

/// The figures of a reading in the order of a row; what is missing or not
/// finite is not a number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "single precision is what rows keep"
)]
pub(super) fn values(reading: &Reading) -> [f32; FIGURES] {
    let real = |value: Option<f64>| match value {
        Some(value) if (value as f32).is_finite() => value as f32,
        _ => f32::NAN,
    };
    [
        real(reading.memory),
        real(reading.cpu),
        real(reading.disk),
        real(reading.pressure),
        reading.level.map_or(f32::NAN, f32::from),
        reading.in_flight.map_or(f32::NAN, |count| count as f32),
        real(reading.health),
    ]
}

/// Keeps the worse of each figure; `f32::max` and `min` prefer a number.
pub(super) fn worsen(worst: &mut [f32; FIGURES], values: &[f32; FIGURES]) {
    for (index, (worst, value)) in worst.iter_mut().zip(values).enumerate() {
        *worst = if index == HEALTH {
            worst.min(*value)
        } else {
            worst.max(*value)
        };
    }
}
