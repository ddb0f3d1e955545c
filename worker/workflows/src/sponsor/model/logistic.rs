//! Rung 2: logistic regression with an L2 penalty, and how well it predicts.
//!
//! Fitted by iteratively reweighted least squares (Newton's method); features are standardised on the training rows
//! and missing ones take the training mean. Invariant: the penalty keeps every coefficient finite, also when the
//! outcomes can be separated. Judged on rows that were not trained on: by Brier score and calibration, not by AUC alone
//! (calibration: B. Van Calster et al., J. Am. Med. Inform. Assoc. 27(4), 2020).

use super::special::logistic;
use crate::{Error, Run};

/// Penalty on each standardised coefficient; the intercept has none.
pub(crate) const RIDGE: f64 = 1.0;
/// Newton's method doubles the correct digits each round.
const MAX_ROUNDS: usize = 100;
const TOLERANCE: f64 = 1e-10;

/// One decided case: its features (`None` is unknown) and whether it succeeded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Case<const K: usize> {
    pub(crate) features: [Option<f64>; K],
    pub(crate) success: bool,
}

/// A fitted model.
#[derive(Debug, Clone)]
pub(crate) struct Model<const K: usize> {
    means: [f64; K],
    deviations: [f64; K],
    /// Intercept, then one per standardised feature.
    pub(crate) coefficients: Vec<f64>,
    /// Cholesky factor of the penalised information matrix.
    factor: Factor,
    pub(crate) converged: bool,
}

impl<const K: usize> Model<K> {
    /// Fits to the cases. `None` unless both outcomes occur.
    pub(crate) fn fit(cases: &[Case<K>], run: &Run<'_>) -> Result<Option<Self>, Error> {
        let successes = cases.iter().filter(|c| c.success).count();
        if successes == 0 || successes == cases.len() {
            return Ok(None);
        }
        let (means, deviations) = moments(cases);
        let rows: Vec<_> = cases
            .iter()
            .map(|c| standardised(&c.features, &means, &deviations))
            .collect();
        let outcomes: Vec<_> = cases.iter().map(|c| c.success).collect();
        let newton = newton(&rows, &outcomes, RIDGE, run)?;
        Ok(newton.map(|newton| Self {
            means,
            deviations,
            coefficients: newton.at,
            factor: newton.factor,
            converged: newton.converged,
        }))
    }

    /// The probability of success.
    pub(crate) fn predict(&self, features: &[Option<f64>; K]) -> f64 {
        logistic(self.logit(features).0)
    }

    /// The middle 90 % by the normal approximation of the coefficients, on the logit scale.
    pub(crate) fn interval90(&self, features: &[Option<f64>; K]) -> (f64, f64) {
        const Z: f64 = 1.644_853_626_951_472_7;
        let (logit, row) = self.logit(features);
        let half = Z * self.factor.quadratic(&row).sqrt();
        (logistic(logit - half), logistic(logit + half))
    }

    fn logit(&self, features: &[Option<f64>; K]) -> (f64, Vec<f64>) {
        let row = standardised(features, &self.means, &self.deviations);
        (dot(&row, &self.coefficients), row)
    }
}

/// How probabilities compare with what happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Judgement {
    /// Probability that a success ranks above a failure; `None` unless both occur.
    pub(crate) auc: Option<f64>,
    /// Mean squared error.
    pub(crate) brier: f64,
    /// 1 - Brier / Brier of always saying the training base rate.
    pub(crate) brier_skill: f64,
    /// Slope and intercept of a logistic regression of the outcomes on the logits; 1 and 0 are perfect.
    pub(crate) calibration: Option<(f64, f64)>,
}

/// Judges predictions against outcomes, and against always saying `base_rate`.
pub(crate) fn judge(
    predictions: &[f64],
    outcomes: &[bool],
    base_rate: f64,
    run: &Run<'_>,
) -> Result<Judgement, Error> {
    let truth = |o: bool| if o { 1.0 } else { 0.0 };
    let n = outcomes.len() as f64;
    let score = |p: &mut dyn Iterator<Item = f64>| {
        p.zip(outcomes)
            .map(|(p, &o)| (p - truth(o)).powi(2))
            .sum::<f64>()
            / n
    };
    let brier = score(&mut predictions.iter().copied());
    let naive = score(&mut std::iter::repeat(base_rate));
    let rows: Vec<_> = predictions
        .iter()
        .map(|p| p.clamp(1e-12, 1.0 - 1e-12))
        .map(|p| vec![1.0, (p / (1.0 - p)).ln()])
        .collect();
    Ok(Judgement {
        auc: auc(predictions, outcomes),
        brier,
        brier_skill: 1.0 - brier / naive,
        calibration: newton(&rows, outcomes, 0.0, run)?
            .filter(|fit| fit.converged && fit.at.iter().all(|c| c.abs() < 1e3))
            .map(|fit| (fit.at[1], fit.at[0])),
    })
}

/// Area under the ROC curve by ranks; ties count half (Mann and Whitney).
fn auc(predictions: &[f64], outcomes: &[bool]) -> Option<f64> {
    let ranks = crate::number::ranks(predictions);
    let successes = outcomes.iter().filter(|&&o| o).count() as f64;
    let failures = outcomes.len() as f64 - successes;
    let sum: f64 = ranks
        .iter()
        .zip(outcomes)
        .filter(|(_, o)| **o)
        .map(|(r, _)| r)
        .sum();
    (successes > 0.0 && failures > 0.0)
        .then(|| (sum - successes * (successes + 1.0) / 2.0) / (successes * failures))
}

fn moments<const K: usize>(cases: &[Case<K>]) -> ([f64; K], [f64; K]) {
    let known = |k: usize| cases.iter().filter_map(move |c| c.features[k]);
    let means = std::array::from_fn(|k| {
        let n = known(k).count();
        if n == 0 {
            0.0
        } else {
            known(k).sum::<f64>() / n as f64
        }
    });
    let deviations = std::array::from_fn(|k| {
        let n = known(k).count().max(1);
        let variance = known(k).map(|x: f64| (x - means[k]).powi(2)).sum::<f64>() / n as f64;
        // A feature that does not vary says nothing; dividing by 1 leaves it at zero.
        if variance > 0.0 { variance.sqrt() } else { 1.0 }
    });
    (means, deviations)
}

/// The row of a regression: 1, then each feature in standard deviations from its mean.
fn standardised<const K: usize>(
    features: &[Option<f64>; K],
    means: &[f64; K],
    deviations: &[f64; K],
) -> Vec<f64> {
    let scaled = (0..K).map(|k| features[k].map_or(0.0, |x| (x - means[k]) / deviations[k]));
    std::iter::once(1.0).chain(scaled).collect()
}

struct Newton {
    at: Vec<f64>,
    factor: Factor,
    converged: bool,
}

fn newton(
    rows: &[Vec<f64>],
    outcomes: &[bool],
    ridge: f64,
    run: &Run<'_>,
) -> Result<Option<Newton>, Error> {
    let Some(k) = rows.first().map(Vec::len) else {
        return Ok(None);
    };
    let mut at = vec![0.0; k];
    let mut converged = false;
    let mut factor = None;
    for _ in 0..MAX_ROUNDS {
        // Of a million rows a round takes a tenth of a second.
        run.check()?;
        let (mut gradient, mut information) = (vec![0.0; k], vec![0.0; k * k]);
        for (row, &outcome) in rows.iter().zip(outcomes) {
            let p = logistic(dot(row, &at));
            let weight = p * (1.0 - p);
            for i in 0..k {
                gradient[i] += row[i] * (f64::from(u8::from(outcome)) - p);
                for j in 0..=i {
                    information[i * k + j] += weight * row[i] * row[j];
                }
            }
        }
        for i in 1..k {
            gradient[i] -= ridge * at[i];
            information[i * k + i] += ridge;
        }
        let Some(cholesky) = Factor::new(information, k) else {
            return Ok(None);
        };
        let step = cholesky.solve(&gradient);
        factor = Some(cholesky);
        // Far from the optimum a full step may overshoot into flat ground.
        let longest = step.iter().fold(0.0_f64, |a, s| a.max(s.abs()));
        let scale = if longest > 5.0 { 5.0 / longest } else { 1.0 };
        for (a, s) in at.iter_mut().zip(&step) {
            *a += scale * s;
        }
        if longest < TOLERANCE {
            converged = true;
            break;
        }
    }
    Ok(factor.map(|factor| Newton {
        at,
        factor,
        converged,
    }))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// The Cholesky factor L of a symmetric matrix L L'.
#[derive(Debug, Clone)]
pub(crate) struct Factor {
    lower: Vec<f64>,
    k: usize,
}

impl Factor {
    /// Reads the lower triangle of a row-major matrix. `None` unless it is positive definite.
    pub(crate) fn new(mut matrix: Vec<f64>, k: usize) -> Option<Self> {
        for i in 0..k {
            for j in 0..=i {
                let inner: f64 = (0..j).map(|m| matrix[i * k + m] * matrix[j * k + m]).sum();
                let rest = matrix[i * k + j] - inner;
                if i == j {
                    let positive = rest > 1e-12;
                    if !positive {
                        return None;
                    }
                    matrix[i * k + i] = rest.sqrt();
                } else {
                    matrix[i * k + j] = rest / matrix[j * k + j];
                }
            }
        }
        Some(Self { lower: matrix, k })
    }

    /// x of L L' x = b.
    fn solve(&self, b: &[f64]) -> Vec<f64> {
        let (l, k) = (&self.lower, self.k);
        let mut x = self.forward(b);
        for i in (0..k).rev() {
            let later: f64 = (i + 1..k).map(|j| l[j * k + i] * x[j]).sum();
            x[i] = (x[i] - later) / l[i * k + i];
        }
        x
    }

    /// b' (L L')^-1 b.
    pub(crate) fn quadratic(&self, b: &[f64]) -> f64 {
        self.forward(b).iter().map(|x| x * x).sum()
    }

    fn forward(&self, b: &[f64]) -> Vec<f64> {
        let (l, k) = (&self.lower, self.k);
        let mut x = b.to_vec();
        for i in 0..k {
            let earlier: f64 = (0..i).map(|j| l[i * k + j] * x[j]).sum();
            x[i] = (x[i] - earlier) / l[i * k + i];
        }
        x
    }
}
