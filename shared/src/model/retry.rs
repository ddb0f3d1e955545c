//! When a failed attempt is tried again.
//!
//! Invariant: pure; the randomness of the jitter is an argument.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Exponential backoff: after the n-th failure the wait is
/// `min(initial * multiplier^(n-1), max)`; with jitter it is drawn uniformly
/// from the upper half of that, so that delays grow and yet do not align.
///
/// Members that are not known are passed over, because stores hold policies
/// that a newer version wrote; the API refuses them by its own reading.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetryPolicy {
    /// Runs that may fail or time out, the first included; at least 1.
    pub max_attempts: u32,
    /// The wait after the first failure, in milliseconds.
    pub initial_delay_ms: u64,
    /// The growth from one wait to the next; at least 1.
    pub multiplier: f64,
    /// The longest wait, in milliseconds.
    pub max_delay_ms: u64,
    /// Whether to draw from `[d/2, d]` instead of waiting exactly `d`.
    pub jitter: bool,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            initial_delay_ms: 1000,
            multiplier: 2.0,
            max_delay_ms: 60_000,
            jitter: true,
        }
    }
}

impl RetryPolicy {
    /// The most attempts that a submission may ask for: more is a loop.
    pub const MAX_ATTEMPTS: u32 = 100;
    /// The longest delay that a submission may ask for: a week.
    pub const MAX_DELAY_MS: u64 = 7 * 24 * 3600 * 1000;

    /// The wait after the `failures`-th failure (1 for the first). `unit` is
    /// uniform in [0, 1) and decides the jitter.
    #[must_use]
    pub fn delay(&self, failures: u32, unit: f64) -> Duration {
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds far below 2^53")]
        let (initial, max) = (self.initial_delay_ms as f64, self.max_delay_ms as f64);
        let full = (initial * self.multiplier.powi(exponent)).min(max);
        let millis = if self.jitter {
            full * (0.5 + 0.5 * unit)
        } else {
            full
        };
        Duration::try_from_secs_f64(millis / 1000.0)
            .unwrap_or(Duration::from_millis(self.max_delay_ms))
    }

    /// Everything that is out of range: pairs of a field's name and what to do.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if !(1..=Self::MAX_ATTEMPTS).contains(&self.max_attempts) {
            found.push((
                "max_attempts",
                format!("must be 1 to {}", Self::MAX_ATTEMPTS),
            ));
        }
        if !(1.0..=100.0).contains(&self.multiplier) {
            found.push(("multiplier", "must be 1 to 100".into()));
        }
        for (field, value) in [
            ("initial_delay_ms", self.initial_delay_ms),
            ("max_delay_ms", self.max_delay_ms),
        ] {
            if value > Self::MAX_DELAY_MS {
                found.push((
                    field,
                    format!("must be at most {} (a week)", Self::MAX_DELAY_MS),
                ));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_jitter_the_delays_are_the_series() {
        let policy = RetryPolicy {
            jitter: false,
            ..RetryPolicy::default()
        };
        let millis: Vec<_> = (1..=8).map(|n| policy.delay(n, 0.9).as_millis()).collect();
        assert_eq!(
            millis,
            [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]
        );
    }

    proptest! {
        #[test]
        fn jitter_stays_in_the_upper_half_and_below_the_cap(
            failures in 1u32..2000, unit in 0.0f64..1.0, initial in 0u64..100_000, multiplier in 1.0f64..100.0,
        ) {
            let policy = RetryPolicy { initial_delay_ms: initial, multiplier, ..RetryPolicy::default() };
            let exact = RetryPolicy { jitter: false, ..policy.clone() }.delay(failures, 0.0);
            let drawn = policy.delay(failures, unit);
            prop_assert!(drawn <= exact + Duration::from_micros(1));
            prop_assert!(drawn + Duration::from_micros(1) >= exact / 2);
            prop_assert!(drawn <= Duration::from_millis(policy.max_delay_ms));
        }
    }
}
