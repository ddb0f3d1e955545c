//! Exponential smoothing that is correct for irregular intervals.
//!
//! Invariant: the weight of a sample depends on the time since the sample
//! before, never on how many samples there were: halving the interval does not
//! halve the time constant.
//!
//! Deliberately absent: any judgement of the value.

use std::time::Duration;

/// A value smoothed with the time constant `tau`:
/// `y += (1 - exp(-dt / tau)) * (x - y)`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Smoothed {
    tau: Duration,
    last: Option<(Duration, f64)>,
}

impl Smoothed {
    pub(super) const fn new(tau: Duration) -> Self {
        Self { tau, last: None }
    }

    /// Takes in a value and gives the smoothed one. The first is taken as it
    /// is; a time that does not advance changes nothing.
    pub(super) fn observe(&mut self, at: Duration, value: f64) -> f64 {
        let Some((before, smooth)) = self.last else {
            self.last = Some((at, value));
            return value;
        };
        let dt = at.saturating_sub(before).as_secs_f64();
        let weight = 1.0 - (-dt / self.tau.as_secs_f64()).exp();
        let next = smooth + weight * (value - smooth);
        self.last = Some((at.max(before), next));
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After one time constant a step has come through by 63.2 %, however
    /// often it was looked at.
    #[test]
    fn the_step_response_does_not_depend_on_the_interval() {
        for steps in [1_u32, 5, 25, 100] {
            let tau = Duration::from_secs(10);
            let mut filter = Smoothed::new(tau);
            filter.observe(Duration::ZERO, 0.0);
            let mut value = 0.0;
            for k in 1..=steps {
                value = filter.observe(tau * k / steps, 1.0);
            }
            assert!((value - 0.632_120_558_828_557_7).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn time_that_stands_still_changes_nothing() {
        let mut filter = Smoothed::new(Duration::from_secs(5));
        filter.observe(Duration::from_secs(3), 0.4);
        assert!((filter.observe(Duration::from_secs(2), 0.9) - 0.4).abs() < 1e-12);
    }
}
