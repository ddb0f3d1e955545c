//! How long tasks waited and ran in the last minutes.
//!
//! Invariant: memory only; a restart begins with no figures, because they
//! describe the last five minutes. Pure: the time is an argument.

use std::{collections::BTreeMap, time::Duration};

use crate::{model::Stamp, store::query::Percentiles};

/// Each bucket is a tenth wider than the one before.
const GROWTH: f64 = 1.1;
/// The window that percentiles and throughput look at, in minutes.
const WINDOW: i64 = 5;

/// Durations that were counted, by bucket.
#[derive(Clone, Debug, Default)]
struct Histogram(BTreeMap<i32, u64>);

impl Histogram {
    fn add(&mut self, duration: Duration) {
        *self.0.entry(bucket(duration)).or_default() += 1;
    }

    fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            *self.0.entry(*bucket).or_default() += count;
        }
    }

    fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The middle of the bucket in which the `per_cent`-th value lies.
    fn percentile(&self, per_cent: u64) -> Option<f64> {
        let rank = (self.count() * per_cent).div_ceil(100).max(1);
        let mut seen = 0;
        for (bucket, count) in &self.0 {
            seen += count;
            if seen >= rank {
                return Some(GROWTH.powf(f64::from(*bucket) + 0.5) / 1000.0);
            }
        }
        None
    }

    fn percentiles(&self) -> Percentiles {
        Percentiles {
            p50: self.percentile(50),
            p95: self.percentile(95),
            p99: self.percentile(99),
        }
    }
}

/// The bucket of a duration: the logarithm of its microseconds.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the logarithm of 2^63 microseconds is below 500"
)]
fn bucket(duration: Duration) -> i32 {
    let micros = (duration.as_secs_f64() * 1e6).max(1.0);
    micros.log(GROWTH).floor() as i32
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Measure {
    /// From acceptance to the first claim.
    Wait,
    /// From claim to commit.
    Run,
}

/// One histogram per minute, tenant and measure.
#[derive(Debug, Default)]
pub(super) struct Pace(BTreeMap<(i64, i64, Measure), Histogram>);

impl Pace {
    /// Counts one duration.
    pub(super) fn add(&mut self, now: Stamp, tenant: i64, measure: Measure, took: Duration) {
        let minute = minute(now);
        let oldest = (minute - WINDOW, i64::MIN, Measure::Wait);
        while self
            .0
            .first_key_value()
            .is_some_and(|(key, _)| *key < oldest)
        {
            self.0.pop_first();
        }
        self.0
            .entry((minute, tenant, measure))
            .or_default()
            .add(took);
    }

    /// The percentiles of a tenant, and how many values there are per minute.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of five minutes are far below 2^53"
    )]
    pub(super) fn of(&self, now: Stamp, tenant: i64, measure: Measure) -> (Percentiles, f64) {
        let mut sum = Histogram::default();
        for ((minute_of, tenant_of, measure_of), histogram) in &self.0 {
            let recent = *minute_of > minute(now) - WINDOW;
            if recent && (*tenant_of, *measure_of) == (tenant, measure) {
                sum.merge(histogram);
            }
        }
        (sum.percentiles(), sum.count() as f64 / WINDOW as f64)
    }
}

fn minute(at: Stamp) -> i64 {
    at.millis() / 60_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_tenth_and_old_values_are_forgotten() {
        let mut pace = Pace::default();
        let start = Stamp::from_millis(600_000);
        for millis in 1..=1000 {
            pace.add(start, 1, Measure::Run, Duration::from_millis(millis));
        }
        let (found, rate) = pace.of(start, 1, Measure::Run);
        for (found, truth) in [(found.p50, 500.0), (found.p95, 950.0), (found.p99, 990.0)] {
            let found = found.unwrap();
            assert!((found / truth - 1.0).abs() <= 0.1, "{found} for {truth}");
        }
        assert!((rate - 200.0).abs() < 1e-9);
        assert_eq!(pace.of(start, 2, Measure::Run).0, Percentiles::default());
        let later = start.after(Duration::from_mins(5));
        assert_eq!(pace.of(later, 1, Measure::Run).0, Percentiles::default());
    }
}
