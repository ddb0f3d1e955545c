//! The next day, as far as it is usual.
//!
//! Invariant: an hour of which too few weeks are known is named with
//! confidence none and without a number.

use serde::{Deserialize, Serialize};

use super::{Confidence, Terms, whole};

/// Hours in a week.
const WEEK: u16 = 168;
/// Hours that are looked ahead.
const AHEAD: u16 = 24;
/// An hour must have been seen in this many weeks: once is no pattern.
const LEAST_WEEKS: f64 = 2.0;
/// A month of weeks makes a pattern reliable.
const MANY_WEEKS: f64 = 4.0;
/// The one-sided 95th percentile of a normal distribution, in deviations.
const P95: f64 = 1.645;

/// What is usual at an hour of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usual {
    /// Arrivals per minute, all types together.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
    /// Weeks in which the hour was seen, decayed.
    pub weeks: f64,
}

/// When a plan is made: the hour of the week, 0 to 167, 0 being the one that
/// the baseline begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now(pub u16);

/// One hour to come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hour {
    /// Hours from now, 1 to 24.
    pub ahead: u16,
    /// The hour of the week.
    pub hour_of_week: u16,
    /// Arrivals per minute, 95th percentile.
    pub arrivals_per_minute: Option<f64>,
    /// Workers for them, given today's mix.
    pub desired_workers: Option<u32>,
    /// How far this can be trusted.
    pub confidence: Confidence,
}

/// `per_arrival`: the terms of one arrival per minute.
pub(super) fn next_day(now: Now, baseline: &[Option<Usual>], per_arrival: Terms) -> Vec<Hour> {
    let (_, workers) = per_arrival.most();
    (1..=AHEAD)
        .map(|ahead| {
            let hour_of_week = (now.0 % WEEK + ahead) % WEEK;
            let usual = baseline
                .get(usize::from(hour_of_week))
                .copied()
                .flatten()
                .filter(|usual| usual.weeks >= LEAST_WEEKS)
                .filter(|usual| usual.mean.is_finite() && usual.deviation.is_finite());
            let arrivals = usual.map(|usual| (usual.mean + P95 * usual.deviation).max(0.0));
            Hour {
                ahead,
                hour_of_week,
                arrivals_per_minute: arrivals,
                // Without a mix (no arrivals at all) no number can be given.
                desired_workers: arrivals
                    .filter(|_| workers > 0.0)
                    .map(|arrivals| whole(arrivals * workers).max(1)),
                confidence: match usual {
                    None => Confidence::None,
                    Some(usual) if usual.weeks < MANY_WEEKS => Confidence::Low,
                    Some(_) => Confidence::Medium,
                },
            }
        })
        .collect()
}
