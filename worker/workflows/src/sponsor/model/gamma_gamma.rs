//! Gamma-Gamma: how much a donor gives on average, shrunk towards all donors.
//!
//! P. S. Fader, B. G. S. Hardie, "The Gamma-Gamma Model of Monetary Value" (2013). Gifts of one donor are
//! Gamma(p, nu), and nu ~ Gamma(q, v) across donors. Invariant: amounts are positive and in one currency.

use crate::{Error, Run};
use statrs::function::gamma::ln_gamma;

use super::bgbb::BOUND;
use super::simplex::minimise;

/// One donor: how many gifts, and their mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Giving {
    pub(crate) x: f64,
    pub(crate) mean: f64,
}

/// Shape of gifts, shape and scale across donors; `v` in the unit of the amounts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Parameters {
    pub(crate) p: f64,
    pub(crate) q: f64,
    pub(crate) v: f64,
}

/// Parameters by maximum likelihood.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fit {
    pub(crate) parameters: Parameters,
    pub(crate) ln_likelihood: f64,
    pub(crate) converged: bool,
    pub(crate) at_boundary: bool,
}

impl Parameters {
    /// ln of the density of a donor's mean gift (equation 1a).
    pub(crate) fn ln_likelihood(&self, g: Giving) -> f64 {
        let (px, total) = (self.p * g.x, g.x * g.mean);
        ln_gamma(px + self.q) - ln_gamma(px) - ln_gamma(self.q) - g.mean.ln()
            + self.q * (self.v / (self.v + total)).ln()
            + px * (total / (self.v + total)).ln()
    }

    /// Expected gift given the history: p (v + x m) / (p x + q - 1) (equation 5). `None` where it does not exist.
    pub(crate) fn expected(&self, g: Giving) -> Option<f64> {
        let below = self.p * g.x + self.q - 1.0;
        (below > 0.0).then(|| self.p * (self.v + g.x * g.mean) / below)
    }
}

/// Fits the model to at least two donors whose mean gifts differ; `None` otherwise.
pub(crate) fn fit(givings: &[Giving], run: &Run<'_>) -> Result<Option<Fit>, Error> {
    let Some(first) = givings.first() else {
        return Ok(None);
    };
    if givings
        .iter()
        .all(|g| (g.mean - first.mean).abs() < 1e-9 * first.mean)
    {
        return Ok(None);
    }
    // In units of the mean gift, so that the bounds mean the same in any currency.
    let unit = givings.iter().map(|g| g.mean).sum::<f64>() / givings.len() as f64;
    let scaled: Vec<_> = givings
        .iter()
        .map(|g| Giving {
            x: g.x,
            mean: g.mean / unit,
        })
        .collect();
    let from = |logs: &[f64; 3]| {
        let [p, q, v] = logs.map(f64::exp);
        Parameters { p, q, v }
    };
    let best = minimise(&[[1.0, 1.0, 0.0]], BOUND, run, |logs| {
        -scaled
            .iter()
            .map(|g| from(logs).ln_likelihood(*g))
            .sum::<f64>()
    })?;
    let found = from(&best.at);
    Ok(Some(Fit {
        parameters: Parameters {
            v: found.v * unit,
            ..found
        },
        ln_likelihood: -best.value - givings.len() as f64 * unit.ln(),
        converged: best.converged,
        at_boundary: best.at.iter().any(|log| log.abs() > BOUND - 1e-3),
    }))
}
