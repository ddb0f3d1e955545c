//! BG/BB: who gives in yearly yes/no opportunities, and who has silently stopped.
//!
//! P. S. Fader, B. G. S. Hardie, J. Shang, Marketing Science 29(6), 2010. While alive, a donor gives in each period with
//! probability p ~ Beta(alpha, beta); at the start of each period the donor leaves for good with probability
//! theta ~ Beta(gamma, delta). Invariant: pure; histories of the same (x, t_x, n) are counted once with their number.

use super::logistic::Factor;
use super::simplex::{Minimum, minimise};
use super::special::{ln_beta, ln_sum_exp, logistic};
use crate::{Error, Run};

/// Bound of |ln parameter| in the fit: a parameter of e^6 = 403 is already a point mass for any data we see.
pub(crate) const BOUND: f64 = 6.0;

/// Where the search begins. Several places, for the surface has a long flat ridge towards theta -> 0.
const STARTS: [[f64; 4]; 3] = [[0.0; 4], [0.0, 0.0, -1.0, 1.0], [1.0, 1.0, 0.0, 3.0]];

/// What one donor did: gifts in `x` of `n` opportunities, the last at opportunity `t_x` (0 if none).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct History {
    pub(crate) x: u32,
    pub(crate) t_x: u32,
    pub(crate) n: u32,
}

/// The parameters of the two beta distributions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Parameters {
    pub(crate) alpha: f64,
    pub(crate) beta: f64,
    pub(crate) gamma: f64,
    pub(crate) delta: f64,
}

/// Parameters by maximum likelihood.
#[derive(Debug, Clone)]
pub(crate) struct Fit {
    pub(crate) parameters: Parameters,
    pub(crate) ln_likelihood: f64,
    pub(crate) converged: bool,
    /// A parameter lies at the edge of what is searched: the data cannot tell it.
    pub(crate) at_boundary: bool,
    /// Observed information of the log-parameters; `None` where the likelihood is not curved in every direction.
    information: Option<Factor>,
}

impl Fit {
    /// The middle 90 % of the chance of a gift in the next `m` periods, as far as the parameters are uncertain: the
    /// delta method on the logit. `None` at a boundary, where it does not hold.
    pub(crate) fn interval90(&self, h: History, m: u32) -> Option<(f64, f64)> {
        const Z: f64 = 1.644_853_626_951_472_7;
        let information = self.information.as_ref().filter(|_| !self.at_boundary)?;
        let logs = self.parameters.logs();
        let logit = |logs: &[f64; 4]| {
            let p = Parameters::from_logs(logs).gives_within(h, m);
            (p / (1.0 - p)).ln()
        };
        let gradient: Vec<f64> = (0..4)
            .map(|k| {
                (logit(&moved(logs, k, SHIFT)) - logit(&moved(logs, k, -SHIFT))) / (2.0 * SHIFT)
            })
            .collect();
        let (centre, half) = (logit(&logs), Z * information.quadratic(&gradient).sqrt());
        (centre.is_finite() && half.is_finite())
            .then(|| (logistic(centre - half), logistic(centre + half)))
    }
}

/// Step of numerical derivatives in the logs: its square, times the rounding of a sum of thousands, stays small.
const SHIFT: f64 = 1e-3;

fn moved(mut logs: [f64; 4], k: usize, by: f64) -> [f64; 4] {
    logs[k] += by;
    logs
}

/// The negative second derivatives of the likelihood at `logs`, factored.
fn information(logs: [f64; 4], histories: &[(History, f64)]) -> Option<Factor> {
    let at = |x: &[f64; 4]| -total(&Parameters::from_logs(x), histories);
    let centre = at(&logs);
    let mut matrix = vec![0.0; 16];
    for i in 0..4 {
        for j in 0..=i {
            matrix[4 * i + j] = if i == j {
                (at(&moved(logs, i, SHIFT)) - 2.0 * centre + at(&moved(logs, i, -SHIFT)))
                    / (SHIFT * SHIFT)
            } else {
                let both = |a: f64, b: f64| at(&moved(moved(logs, i, a * SHIFT), j, b * SHIFT));
                (both(1.0, 1.0) - both(1.0, -1.0) - both(-1.0, 1.0) + both(-1.0, -1.0))
                    / (4.0 * SHIFT * SHIFT)
            };
        }
    }
    Factor::new(matrix, 4)
}

impl Parameters {
    fn logs(&self) -> [f64; 4] {
        [self.alpha, self.beta, self.gamma, self.delta].map(f64::ln)
    }

    fn from_logs(logs: &[f64; 4]) -> Self {
        let [alpha, beta, gamma, delta] = logs.map(f64::exp);
        Self {
            alpha,
            beta,
            gamma,
            delta,
        }
    }

    /// ln of the likelihood of one history (equation 5 of the paper).
    pub(crate) fn ln_likelihood(&self, h: History) -> f64 {
        let (x, t_x, n) = (f64::from(h.x), f64::from(h.t_x), f64::from(h.n));
        let scale = ln_beta(self.alpha, self.beta) + ln_beta(self.gamma, self.delta);
        let alive =
            ln_beta(self.alpha + x, self.beta + n - x) + ln_beta(self.gamma, self.delta + n);
        // Left between t_x and n: after exactly t_x + i opportunities.
        let left = (0..h.n.saturating_sub(h.t_x)).map(|i| {
            let i = f64::from(i);
            ln_beta(self.alpha + x, self.beta + t_x - x + i)
                + ln_beta(self.gamma + 1.0, self.delta + t_x + i)
        });
        ln_sum_exp(std::iter::once(alive).chain(left)) - scale
    }

    /// Probability of at least one gift in the next `m` periods: 1 less the chance of `m` more zeros.
    pub(crate) fn gives_within(&self, h: History, m: u32) -> f64 {
        let later = History { n: h.n + m, ..h };
        -(self.ln_likelihood(later) - self.ln_likelihood(h)).exp_m1()
    }

    /// Probability of being alive in period n + 1 (equation 11).
    pub(crate) fn alive(&self, h: History) -> f64 {
        let (x, n) = (f64::from(h.x), f64::from(h.n));
        let joint = ln_beta(self.alpha + x, self.beta + n - x) - ln_beta(self.alpha, self.beta)
            + ln_beta(self.gamma, self.delta + n + 1.0)
            - ln_beta(self.gamma, self.delta);
        (joint - self.ln_likelihood(h)).exp().min(1.0)
    }

    /// Expected gifts in the next `m` periods: over each of them, E[p; alive then] given the history. The sum equals
    /// the closed form of the paper (equation 13), which divides by gamma - 1.
    pub(crate) fn expected(&self, h: History, m: u32) -> f64 {
        let (x, n) = (f64::from(h.x), f64::from(h.n));
        let gives =
            ln_beta(self.alpha + x + 1.0, self.beta + n - x) - ln_beta(self.alpha, self.beta);
        let stays = (1..=m).map(|i| ln_beta(self.gamma, self.delta + n + f64::from(i)));
        (gives + ln_sum_exp(stays) - ln_beta(self.gamma, self.delta) - self.ln_likelihood(h)).exp()
    }
}

/// Fits the model to histories with their numbers. `None` without any opportunity at all.
pub(crate) fn fit(histories: &[(History, f64)], run: &Run<'_>) -> Result<Option<Fit>, Error> {
    if histories.iter().all(|(h, _)| h.n == 0) {
        return Ok(None);
    }
    let cost = |logs: &[f64; 4]| -total(&Parameters::from_logs(logs), histories);
    let best = minimise(&STARTS, BOUND, run, cost)?;
    Ok(Some(told(&best, histories)))
}

fn told(best: &Minimum<4>, histories: &[(History, f64)]) -> Fit {
    Fit {
        parameters: Parameters::from_logs(&best.at),
        ln_likelihood: -best.value,
        converged: best.converged,
        at_boundary: best.at.iter().any(|log| log.abs() > BOUND - 1e-3),
        information: information(best.at, histories),
    }
}

/// ln likelihood of all histories.
pub(crate) fn total(parameters: &Parameters, histories: &[(History, f64)]) -> f64 {
    let longest = histories.iter().map(|(h, _)| h.n).max().unwrap_or(0);
    let table = Table::new(parameters, longest);
    histories
        .iter()
        .map(|(h, number)| number * table.ln_likelihood(*h))
        .sum()
}

/// Quotients of gamma functions whose arguments differ by a count, once for all histories: entry `k` is
/// ln(G(a + k) / G(a)), the sum of ln(a + i) over i < k.
struct Table {
    alpha: Vec<f64>,
    beta: Vec<f64>,
    both: Vec<f64>,
    gamma: Vec<f64>,
    delta: Vec<f64>,
    all: Vec<f64>,
}

impl Table {
    fn new(p: &Parameters, longest: u32) -> Self {
        let rising = |a: f64| -> Vec<f64> {
            let steps = (0..=longest).map(|i| (a + f64::from(i)).ln());
            let sums = steps.scan(0.0, |sum, step| {
                *sum += step;
                Some(*sum)
            });
            std::iter::once(0.0).chain(sums).collect()
        };
        Self {
            alpha: rising(p.alpha),
            beta: rising(p.beta),
            both: rising(p.alpha + p.beta),
            gamma: rising(p.gamma),
            delta: rising(p.delta),
            all: rising(p.gamma + p.delta),
        }
    }

    /// As [`Parameters::ln_likelihood`].
    fn ln_likelihood(&self, h: History) -> f64 {
        let (x, t_x, n) = (h.x as usize, h.t_x as usize, h.n as usize);
        // `m` opportunities were met alive.
        let gave = |m: usize| self.alpha[x] + self.beta[m - x] - self.both[m];
        let alive = gave(n) + self.delta[n] - self.all[n];
        let left = (t_x..n).map(|m| gave(m) + self.gamma[1] + self.delta[m] - self.all[m + 1]);
        ln_sum_exp(std::iter::once(alive).chain(left))
    }
}
