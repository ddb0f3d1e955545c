//! Rung 0: a rate from few trials, drawn towards what segments of sponsors do.
//!
//! `p = (s + a) / (n + a + b)`: the mean of the Beta(s + a, n - s + b) posterior. The prior's a and b follow from mean
//! and variance of the segments' rates (method of moments); without enough segments they are Jeffreys' 1/2 and 1/2.

use statrs::distribution::{Beta, ContinuousCDF};

/// Trials and successes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Trials {
    pub(crate) successes: u32,
    pub(crate) trials: u32,
}

impl Trials {
    pub(crate) fn add(&mut self, other: Self) {
        self.successes += other.successes;
        self.trials += other.trials;
    }

    /// Successes per trial.
    pub(crate) fn rate(self) -> Option<f64> {
        (self.trials > 0).then(|| f64::from(self.successes) / f64::from(self.trials))
    }
}

/// What is believed of a rate before its own trials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Prior {
    pub(crate) a: f64,
    pub(crate) b: f64,
    /// Whether the segments gave it; otherwise it is Jeffreys'.
    pub(crate) learned: bool,
}

impl Prior {
    /// Jeffreys' prior of a proportion.
    pub(crate) const JEFFREYS: Self = Self {
        a: 0.5,
        b: 0.5,
        learned: false,
    };

    /// By moments over the segments that have trials. Jeffreys' with fewer than two of them, or where their rates do
    /// not vary, or vary more than any beta distribution can.
    pub(crate) fn of(segments: &[Trials]) -> Self {
        let rates: Vec<f64> = segments.iter().filter_map(|s| s.rate()).collect();
        if rates.len() < 2 {
            return Self::JEFFREYS;
        }
        let n = rates.len() as f64;
        let mean = rates.iter().sum::<f64>() / n;
        let variance = rates.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let size = mean * (1.0 - mean) / variance - 1.0;
        if !size.is_finite() || size <= 0.0 {
            return Self::JEFFREYS;
        }
        // More weight than all trials together would let the segments overrule any sponsor's own record.
        let most = segments.iter().map(|s| f64::from(s.trials)).sum::<f64>();
        let size = size.min(most);
        Self {
            a: mean * size,
            b: (1.0 - mean) * size,
            learned: true,
        }
    }

    /// The shrunk rate.
    pub(crate) fn mean(self, own: Trials) -> f64 {
        (f64::from(own.successes) + self.a) / (f64::from(own.trials) + self.a + self.b)
    }

    /// The middle 90 % of the posterior.
    pub(crate) fn interval90(self, own: Trials) -> Option<(f64, f64)> {
        let failures = f64::from(own.trials - own.successes);
        let posterior = Beta::new(f64::from(own.successes) + self.a, failures + self.b).ok()?;
        Some((posterior.inverse_cdf(0.05), posterior.inverse_cdf(0.95)))
    }
}
