//! Rung 0: a rate from few trials, drawn towards what segments of sponsors do.
//!
//! `p = (s + a) / (n + a + b)`: the mean of the Beta(s + a, n - s + b) posterior. The prior's a and b follow from mean
//! and variance of the segments' rates (method of moments); without enough segments they are Jeffreys' 1/2 and 1/2.

use statrs::distribution::{Beta, ContinuousCDF};

use super::special::ln_beta;

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
    #[cfg(test)]
    pub(crate) fn mean(self, own: Trials) -> f64 {
        self.within(own, 1)
    }

    /// The chance of at least one success in the next `m` trials: 1 - B(a', b' + m) / B(a', b') of the posterior.
    pub(crate) fn within(self, own: Trials, m: u32) -> f64 {
        let (a, b) = self.posterior(own);
        -(ln_beta(a, b + f64::from(m)) - ln_beta(a, b)).exp_m1()
    }

    /// The middle 90 % of the posterior of that chance.
    pub(crate) fn interval90(self, own: Trials, m: u32) -> Option<(f64, f64)> {
        let (a, b) = self.posterior(own);
        let posterior = Beta::new(a, b).ok()?;
        let within = |p: f64| 1.0 - (1.0 - p).powf(f64::from(m));
        Some((
            within(posterior.inverse_cdf(0.05)),
            within(posterior.inverse_cdf(0.95)),
        ))
    }

    fn posterior(self, own: Trials) -> (f64, f64) {
        let failures = own.trials - own.successes;
        (
            f64::from(own.successes) + self.a,
            f64::from(failures) + self.b,
        )
    }
}
