//! BG/NBD: purchases at any time, used here as a second opinion on who is still active.
//!
//! P. S. Fader, B. G. S. Hardie, K. L. Lee, Marketing Science 24(2), 2005. Purchases are Poisson with rates
//! Gamma(r, alpha) across customers; after each purchase a customer leaves with probability Beta(a, b).

use crate::{Error, Run};
use statrs::function::gamma::ln_gamma;

use super::bgbb::BOUND;
use super::simplex::minimise;
use super::special::ln_sum_exp;

/// One customer: repeat purchases, time of the last since the first, time observed since the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Customer {
    pub(crate) x: u32,
    pub(crate) t_x: f64,
    pub(crate) t: f64,
}

/// The parameters; `alpha` in the unit of time of the customers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Parameters {
    pub(crate) r: f64,
    pub(crate) alpha: f64,
    pub(crate) a: f64,
    pub(crate) b: f64,
}

impl Parameters {
    /// ln of the likelihood of one customer (equation 6, in the form that does not overflow).
    pub(crate) fn ln_likelihood(&self, c: Customer) -> f64 {
        let x = f64::from(c.x);
        let common = ln_gamma(self.r + x) - ln_gamma(self.r)
            + self.r * self.alpha.ln()
            + ln_gamma(self.a + self.b)
            + ln_gamma(self.b + x)
            - ln_gamma(self.b)
            - ln_gamma(self.a + self.b + x);
        common + ln_sum_exp(self.fates(c).into_iter())
    }

    /// Still active at `t`, or left right after the last purchase: the two parts of the likelihood, in logs.
    fn fates(&self, c: Customer) -> [f64; 2] {
        let x = f64::from(c.x);
        let active = -(self.r + x) * (self.alpha + c.t).ln();
        let left = if c.x == 0 {
            f64::NEG_INFINITY
        } else {
            self.a.ln() - (self.b + x - 1.0).ln() - (self.r + x) * (self.alpha + c.t_x).ln()
        };
        [active, left]
    }

    /// Probability of still being active. Always 1 without a repeat purchase: the model lets nobody leave before one.
    pub(crate) fn alive(&self, c: Customer) -> f64 {
        let fates = self.fates(c);
        (fates[0] - ln_sum_exp(fates.into_iter())).exp()
    }
}

/// Fits the model; `None` if it does not converge inside the bounds.
pub(crate) fn fit(customers: &[Customer], run: &Run<'_>) -> Result<Option<Parameters>, Error> {
    if customers.iter().all(|c| c.x == 0) {
        return Ok(None);
    }
    // In units of the mean time observed, so that the bounds mean the same for weeks and years.
    let unit = customers.iter().map(|c| c.t).sum::<f64>() / customers.len() as f64;
    if unit <= 0.0 {
        return Ok(None);
    }
    let scaled: Vec<_> = customers
        .iter()
        .map(|c| Customer {
            x: c.x,
            t_x: c.t_x / unit,
            t: c.t / unit,
        })
        .collect();
    let from = |logs: &[f64; 4]| {
        let [r, alpha, a, b] = logs.map(f64::exp);
        Parameters { r, alpha, a, b }
    };
    let best = minimise(&[[0.0; 4]], BOUND, run, |logs| {
        -scaled
            .iter()
            .map(|c| from(logs).ln_likelihood(*c))
            .sum::<f64>()
    })?;
    let inside = best.at.iter().all(|log| log.abs() < BOUND - 1e-3);
    Ok((best.converged && inside).then(|| {
        let found = from(&best.at);
        Parameters {
            alpha: found.alpha * unit,
            ..found
        }
    }))
}
