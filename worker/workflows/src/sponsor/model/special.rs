//! Logarithms of gamma and beta functions, and sums of exponentials that neither overflow nor vanish.

use statrs::function::gamma::ln_gamma;

/// ln B(a, b) for positive a and b.
pub(crate) fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// ln of the sum of the exponentials of `terms`; negative infinity without any.
pub(crate) fn ln_sum_exp(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let greatest = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    if greatest == f64::NEG_INFINITY {
        return greatest;
    }
    greatest + terms.map(|t| (t - greatest).exp()).sum::<f64>().ln()
}

/// 1 / (1 + e^-x), accurate at both ends.
pub(crate) fn logistic(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}
