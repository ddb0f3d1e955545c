//! Minimises a smooth function of a few variables without derivatives: Nelder and Mead's simplex.
//!
//! J. A. Nelder, R. Mead, The Computer Journal 7 (1965), with the usual coefficients 1, 2, 1/2, 1/2; restarted from
//! its own answer until a restart no longer helps, which mends the simplex's known habit of collapsing early.
//! Invariant: every point lies in the box `[-bound, bound]` of each variable; the answer does not depend on time.
//! `Stop` is asked in every round, for one value of `f` may be a sum over all sponsors.

use crate::{Error, Run};

/// Rounds of one descent: a four-parameter likelihood takes some 300.
const MAX_ROUNDS: usize = 4_000;
/// Restarts from the best point: two suffice on the published data sets.
const MAX_RESTARTS: usize = 12;
/// Edge of the first simplex.
const STEP: f64 = 0.5;
/// Spread of values over the simplex below which a descent has ended.
const VALUE_TOLERANCE: f64 = 1e-11;
/// Extent of the simplex below which a descent has ended.
const POINT_TOLERANCE: f64 = 1e-9;
/// Extent that is small enough once the values no longer differ.
const WIDE: f64 = 1e-4;

/// Where a function is least.
#[derive(Debug, Clone)]
pub(crate) struct Minimum<const N: usize> {
    pub(crate) at: [f64; N],
    pub(crate) value: f64,
    /// Whether the last restart found nothing better.
    pub(crate) converged: bool,
}

/// The least value of `f` in the box `[-bound, bound]`: one descent from each start, then restarts from the best. A
/// value that is not finite counts as infinitely bad.
///
/// # Errors
///
/// When the run is stopped.
pub(crate) fn minimise<const N: usize>(
    starts: &[[f64; N]],
    bound: f64,
    run: &Run<'_>,
    f: impl Fn(&[f64; N]) -> f64,
) -> Result<Minimum<N>, Error> {
    let safe = |x: &[f64; N]| {
        let value = f(x);
        if value.is_finite() {
            value
        } else {
            f64::INFINITY
        }
    };
    let mut best = Minimum {
        at: [0.0; N],
        value: f64::INFINITY,
        converged: false,
    };
    for start in starts {
        let (at, value) = descend(*start, bound, run, &safe)?;
        if value < best.value {
            (best.at, best.value) = (at, value);
        }
    }
    for _ in 0..MAX_RESTARTS {
        let (at, value) = descend(best.at, bound, run, &safe)?;
        let gained = best.value - value;
        if value <= best.value {
            (best.at, best.value) = (at, value);
        }
        // Infinity minus infinity is not a number, and no convergence.
        if gained.abs() <= 1e-9 * (1.0 + best.value.abs()) {
            best.converged = true;
            break;
        }
    }
    Ok(best)
}

fn descend<const N: usize>(
    start: [f64; N],
    bound: f64,
    run: &Run<'_>,
    f: &impl Fn(&[f64; N]) -> f64,
) -> Result<([f64; N], f64), Error> {
    let mut simplex = first_simplex(start, bound, f);
    for _ in 0..MAX_ROUNDS {
        run.check()?;
        simplex.sort_by(|a, b| a.1.total_cmp(&b.1));
        if settled(&simplex) {
            break;
        }
        let worst = simplex[N];
        let centre: [f64; N] =
            std::array::from_fn(|k| simplex[..N].iter().map(|p| p.0[k]).sum::<f64>() / N as f64);
        let along = |t: f64| {
            let x = std::array::from_fn(|k| {
                (centre[k] + t * (worst.0[k] - centre[k])).clamp(-bound, bound)
            });
            (x, f(&x))
        };
        let reflected = along(-1.0);
        if reflected.1 < simplex[0].1 {
            let expanded = along(-2.0);
            simplex[N] = if expanded.1 < reflected.1 {
                expanded
            } else {
                reflected
            };
        } else if reflected.1 < simplex[N - 1].1 {
            simplex[N] = reflected;
        } else {
            let contracted = along(if reflected.1 < worst.1 { -0.5 } else { 0.5 });
            if contracted.1 < worst.1.min(reflected.1) {
                simplex[N] = contracted;
            } else {
                shrink(&mut simplex, f);
            }
        }
    }
    simplex.sort_by(|a, b| a.1.total_cmp(&b.1));
    Ok(simplex[0])
}

fn first_simplex<const N: usize>(
    start: [f64; N],
    bound: f64,
    f: &impl Fn(&[f64; N]) -> f64,
) -> Vec<([f64; N], f64)> {
    let mut simplex = vec![(start, f(&start))];
    for k in 0..N {
        let mut x = start;
        // Away from the nearer wall, or the simplex would be flat there.
        x[k] += if x[k] + STEP > bound { -STEP } else { STEP };
        simplex.push((x, f(&x)));
    }
    simplex
}

fn settled<const N: usize>(simplex: &[([f64; N], f64)]) -> bool {
    let (best, worst) = (simplex[0], simplex[N]);
    let extent = (0..N)
        .flat_map(|k| simplex.iter().map(move |p| (p.0[k] - best.0[k]).abs()))
        .fold(0.0, f64::max);
    // Either alone would stop on a plateau, or never where rounding hides the last digits.
    (worst.1 - best.1 <= VALUE_TOLERANCE * (1.0 + best.1.abs()) && extent <= WIDE)
        || extent <= POINT_TOLERANCE
}

fn shrink<const N: usize>(simplex: &mut [([f64; N], f64)], f: &impl Fn(&[f64; N]) -> f64) {
    let best = simplex[0].0;
    for point in &mut simplex[1..] {
        point.0 = std::array::from_fn(|k| best[k] + 0.5 * (point.0[k] - best[k]));
        point.1 = f(&point.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_bottom_of_a_curved_valley() {
        let rosenbrock = |x: &[f64; 2]| (1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2);
        let found = minimise(&[[-1.2, 1.0]], 6.0, &Run::unattended(), rosenbrock).unwrap();
        assert!(found.converged);
        assert!(
            (found.at[0] - 1.0).abs() < 1e-4 && (found.at[1] - 1.0).abs() < 1e-4,
            "{found:?}"
        );
    }

    #[test]
    fn stays_in_the_box_and_ends_at_its_wall() {
        let found = minimise(&[[0.0, 0.0, 0.0]], 2.0, &Run::unattended(), |x| {
            -x[0] + x[1] * x[1] + (x[2] - 1.0).powi(2)
        })
        .unwrap();
        assert!(
            (found.at[0] - 2.0).abs() < 1e-6
                && found.at[1].abs() < 1e-3
                && (found.at[2] - 1.0).abs() < 1e-3
        );
    }

    #[test]
    fn does_not_trust_a_function_that_is_nowhere_finite() {
        let found = minimise(&[[0.0]], 1.0, &Run::unattended(), |_| f64::NAN).unwrap();
        assert!(!found.converged);
    }

    #[test]
    fn stops_within_a_round() {
        use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
        let (asked, values) = (AtomicU32::new(0), AtomicU32::new(0));
        let run = Run {
            stop: &|| asked.fetch_add(1, Relaxed) == 5,
            ..Run::unattended()
        };
        let found = minimise(&[[-1.2, 1.0]], 6.0, &run, |x| {
            values.fetch_add(1, Relaxed);
            (1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2)
        });
        assert!(matches!(found, Err(Error::Stopped)));
        // The first simplex, and at most a reflection, a contraction and a shrinkage in each of five rounds.
        assert!(values.into_inner() <= 3 + 5 * 4);
    }
}
