//! The models against published values and against scikit-learn.

use super::bgbb::{self, History};
use super::logistic::{Case, Model, judge};
use super::shrinkage::{Prior, Trials};
use super::{bgnbd, gamma_gamma};
use crate::Run;

/// Rows of a data set of the Python package `lifetimes`, without the header.
fn rows(csv: &str) -> impl Iterator<Item = Vec<f64>> + '_ {
    csv.lines()
        .skip(1)
        .map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of a shipped file"
)]
fn whole(x: f64) -> u32 {
    x.round() as u32
}

const DONATIONS: &str = include_str!("../../../tests/data/donations.csv");
const CDNOW: &str = include_str!("../../../tests/data/cdnow.csv");

fn donors() -> Vec<(History, f64)> {
    rows(DONATIONS)
        .map(|r| {
            (
                History {
                    x: whole(r[0]),
                    t_x: whole(r[1]),
                    n: whole(r[2]),
                },
                r[3],
            )
        })
        .collect()
}

fn close(value: f64, expected: f64, tolerance: f64) {
    assert!(
        (value - expected).abs() <= tolerance,
        "{value} is not {expected} within {tolerance}"
    );
}

#[test]
fn bgbb_finds_the_published_maximum() {
    let fit = bgbb::fit(&donors(), &Run::unattended()).unwrap().unwrap();
    let p = fit.parameters;
    for (value, expected) in [
        (p.alpha, 1.203_526),
        (p.beta, 0.749_718),
        (p.gamma, 0.656_715),
        (p.delta, 2.783_420),
    ] {
        close(value, expected, 1e-3);
    }
    close(fit.ln_likelihood, -33_225.581_27, 1e-3);
    assert!(fit.converged && !fit.at_boundary);
}

#[test]
fn bgbb_gives_the_published_probabilities() {
    let p = bgbb::Parameters {
        alpha: 1.203_526,
        beta: 0.749_718,
        gamma: 0.656_715,
        delta: 2.783_420,
    };
    for (x, t_x, next, five, alive, expected) in [
        (0, 0, 0.016_363, 0.047_807, Some(0.1081), Some(0.0729)),
        (1, 1, 0.019_245, 0.046_646, None, None),
        (1, 6, 0.257_786, 0.624_813, Some(0.9304), Some(1.1479)),
        (3, 6, 0.491_762, 0.837_924, Some(0.9304), Some(2.1898)),
        (4, 4, 0.130_970, 0.190_062, Some(0.2002), Some(0.5832)),
        (6, 6, 0.842_726, 0.923_195, Some(0.9304), Some(3.7525)),
    ] {
        let h = History { x, t_x, n: 6 };
        close(p.gives_within(h, 1), next, 2e-6);
        close(p.gives_within(h, 5), five, 2e-6);
        if let Some(alive) = alive {
            close(p.alive(h), alive, 6e-5);
        }
        if let Some(expected) = expected {
            close(p.expected(h, 5), expected, 6e-5);
        }
    }
}

#[test]
fn bgbb_likelihoods_of_all_histories_add_up_to_one() {
    let p = bgbb::Parameters {
        alpha: 0.7,
        beta: 1.9,
        gamma: 0.4,
        delta: 5.0,
    };
    // Every 0/1 sequence of length 8 has the likelihood of its (x, t_x).
    let total: f64 = (0_u32..256)
        .map(|bits| {
            p.ln_likelihood(History {
                x: bits.count_ones(),
                t_x: 32 - bits.leading_zeros(),
                n: 8,
            })
            .exp()
        })
        .sum();
    close(total, 1.0, 1e-12);
}

#[test]
fn bgbb_sums_the_same_likelihood_by_tables() {
    let p = bgbb::Parameters {
        alpha: 1.2,
        beta: 0.75,
        gamma: 0.66,
        delta: 2.8,
    };
    for (x, t_x, n) in [
        (0, 0, 0),
        (0, 0, 6),
        (1, 4, 6),
        (6, 6, 6),
        (3, 40, 600),
        (500, 700, 1_200),
    ] {
        let h = History { x, t_x, n };
        let one = p.ln_likelihood(h);
        close(
            bgbb::total(&p, &[(h, 3.0)]),
            3.0 * one,
            1e-9 * (1.0 + one.abs()),
        );
    }
}

#[test]
fn bgbb_chances_grow_with_the_horizon_and_stay_below_one() {
    let p = bgbb::fit(&donors(), &Run::unattended())
        .unwrap()
        .unwrap()
        .parameters;
    for (h, _) in donors() {
        let chances: Vec<_> = (1..=30).map(|m| p.gives_within(h, m)).collect();
        assert!(chances.windows(2).all(|w| w[0] <= w[1] + 1e-15));
        assert!(chances.iter().all(|c| (0.0..=1.0).contains(c)));
        // The sum of probabilities of giving bounds the probability of giving at all.
        assert!(chances[4] <= p.expected(h, 5) + 1e-12);
    }
}

#[test]
fn bgbb_says_when_the_data_cannot_tell_a_parameter() {
    // Everybody gives every year: nobody ever leaves, and theta's distribution is unknown.
    let always = [
        (History { x: 5, t_x: 5, n: 5 }, 40.0),
        (History { x: 3, t_x: 3, n: 3 }, 10.0),
    ];
    assert!(
        bgbb::fit(&always, &Run::unattended())
            .unwrap()
            .unwrap()
            .at_boundary
    );
    assert!(
        bgbb::fit(&[(History { x: 0, t_x: 0, n: 0 }, 4.0)], &Run::unattended())
            .unwrap()
            .is_none()
    );
}

#[test]
fn bgnbd_has_the_published_likelihood() {
    let p = bgnbd::Parameters {
        r: 0.243,
        alpha: 4.414,
        a: 0.793,
        b: 2.426,
    };
    let customers: Vec<_> = rows(CDNOW)
        .map(|r| bgnbd::Customer {
            x: whole(r[1]),
            t_x: r[2],
            t: r[3],
        })
        .collect();
    assert_eq!(customers.len(), 2_357);
    close(
        customers.iter().map(|c| p.ln_likelihood(*c)).sum(),
        -9_582.426_831,
        1e-3,
    );
    let fitted = bgnbd::fit(&customers, &Run::unattended()).unwrap().unwrap();
    close(fitted.r, 0.243, 2e-3);
    close(fitted.alpha, 4.414, 2e-2);
    close(fitted.a, 0.793, 1e-2);
    close(fitted.b, 2.426, 3e-2);
    close(
        p.alive(bgnbd::Customer {
            x: 0,
            t_x: 0.0,
            t: 39.0,
        }),
        1.0,
        0.0,
    );
}

#[test]
fn gamma_gamma_has_the_published_likelihood() {
    let givings: Vec<_> = rows(CDNOW)
        .filter(|r| r[1] > 0.0)
        .map(|r| gamma_gamma::Giving {
            x: r[1],
            mean: r[4],
        })
        .collect();
    assert_eq!(givings.len(), 946);
    let p = gamma_gamma::Parameters {
        p: 6.25,
        q: 3.74,
        v: 15.44,
    };
    close(
        givings.iter().map(|g| p.ln_likelihood(*g)).sum(),
        -4_055.924_713,
        1e-3,
    );
    let fit = gamma_gamma::fit(&givings, &Run::unattended())
        .unwrap()
        .unwrap();
    assert!(fit.converged && !fit.at_boundary && fit.ln_likelihood >= -4_055.924_72);
    close(fit.parameters.p, 6.25, 0.02);
    close(fit.parameters.q, 3.74, 0.02);
    close(fit.parameters.v, 15.44, 0.1);
    // Shrinks a lone gift towards the mean of all.
    let lone = fit
        .parameters
        .expected(gamma_gamma::Giving {
            x: 1.0,
            mean: 100.0,
        })
        .unwrap();
    assert!(lone > 35.0 && lone < 100.0, "{lone}");
}

/// Cases of a small deterministic data set: the script beside the expected numbers makes the same.
fn cases() -> Vec<Case<2>> {
    (0..60_u32)
        .map(|i| {
            let (a, b) = (f64::from(i * 37 % 60) / 60.0, f64::from(i * 17 % 60) / 10.0);
            Case {
                features: [Some(a), Some(b)],
                success: 3.0 * a - 0.4 * b + f64::from(i % 7) / 7.0 > 1.0,
            }
        })
        .collect()
}

#[test]
fn a_fit_of_asks_stops_between_its_rounds() {
    let asked = std::sync::atomic::AtomicU32::new(0);
    let stop = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 2;
    let run = Run {
        stop: &stop,
        ..Run::unattended()
    };
    assert_eq!(
        Model::fit(&cases(), &run).err(),
        Some(crate::Error::Stopped)
    );
    let begun = judge(
        &[0.9, 0.2, 0.6],
        &[true, false, true],
        0.5,
        &Run {
            stop: &|| true,
            ..run
        },
    );
    assert_eq!(begun, Err(crate::Error::Stopped));
}

#[test]
fn logistic_regression_agrees_with_scikit_learn() {
    // LogisticRegression(C=1.0, tol=1e-12) on StandardScaler() of the same 60 rows: tests/oracle/make_logistic.py
    let model = Model::fit(&cases(), &Run::unattended()).unwrap().unwrap();
    assert!(model.converged);
    let expected = [-1.007_553_023_9, 2.225_145_579_9, -1.852_490_840_7];
    for (value, expected) in model.coefficients.iter().zip(expected) {
        close(*value, expected, 1e-6);
    }
}

#[test]
fn logistic_regression_stays_finite_when_outcomes_are_separated() {
    let cases: Vec<_> = (0..40)
        .map(|i| Case {
            features: [Some(f64::from(i)), None],
            success: i >= 20,
        })
        .collect();
    let model = Model::fit(&cases, &Run::unattended()).unwrap().unwrap();
    assert!(model.converged && model.coefficients.iter().all(|c| c.is_finite()));
    assert!(model.predict(&[Some(39.0), None]) > 0.9 && model.predict(&[Some(0.0), None]) < 0.1);
    let (low, high) = model.interval90(&[Some(39.0), None]);
    let p = model.predict(&[Some(39.0), None]);
    assert!(low < p && p < high);
}

#[test]
fn predictions_are_judged_as_defined() {
    let outcomes = [true, true, false, false];
    let perfect = judge(&[0.9, 0.8, 0.2, 0.1], &outcomes, 0.5, &Run::unattended()).unwrap();
    assert_eq!(perfect.auc, Some(1.0));
    close(perfect.brier, (0.01 + 0.04 + 0.04 + 0.01) / 4.0, 1e-12);
    close(perfect.brier_skill, 1.0 - 0.025 / 0.25, 1e-12);
    assert_eq!(
        perfect.calibration, None,
        "separated outcomes have no finite slope"
    );
    let useless = judge(&[0.5; 4], &outcomes, 0.5, &Run::unattended()).unwrap();
    assert_eq!(useless.auc, Some(0.5));
    close(useless.brier_skill, 0.0, 1e-12);
}

#[test]
fn calibration_of_well_calibrated_predictions_is_one_and_zero() {
    // 100 cases at each of 0.1, 0.3, 0.5, 0.8 with exactly that share of successes.
    let (mut predictions, mut outcomes) = (Vec::new(), Vec::new());
    for (p, successes) in [(0.1, 10), (0.3, 30), (0.5, 50), (0.8, 80)] {
        for i in 0..100 {
            predictions.push(p);
            outcomes.push(i < successes);
        }
    }
    let (slope, intercept) = judge(&predictions, &outcomes, 0.425, &Run::unattended())
        .unwrap()
        .calibration
        .unwrap();
    close(slope, 1.0, 1e-8);
    close(intercept, 0.0, 1e-8);
}

#[test]
fn rates_are_drawn_towards_the_segments() {
    let of = |successes, trials| Trials { successes, trials };
    let prior = Prior::of(&[of(10, 100), of(20, 100), of(30, 100)]);
    assert!(prior.learned);
    close(prior.a / (prior.a + prior.b), 0.2, 1e-12);
    // Mean 0.2, variance 0.01: a + b = 0.2 * 0.8 / 0.01 - 1 = 15.
    close(prior.a + prior.b, 15.0, 1e-9);
    close(prior.mean(of(0, 0)), 0.2, 1e-12);
    close(prior.mean(of(5, 5)), (5.0 + 3.0) / 20.0, 1e-9);
    let (low, high) = prior.interval90(of(5, 5), 1).unwrap();
    assert!(low < 0.4 && 0.4 < high && low > 0.0 && high < 1.0);
}

#[test]
fn without_segments_the_prior_is_jeffreys() {
    let of = |successes, trials| Trials { successes, trials };
    for segments in [
        vec![],
        vec![of(3, 4)],
        vec![of(1, 2), of(2, 4)],
        vec![of(0, 5), of(5, 5)],
    ] {
        assert_eq!(Prior::of(&segments), Prior::JEFFREYS);
    }
    close(Prior::JEFFREYS.mean(of(3, 4)), 0.7, 1e-12);
}

#[test]
fn bgbb_intervals_hold_the_truth_they_came_from() {
    // Donors drawn from known parameters; the interval of each history's chance must hold the true one 9 times in 10.
    use rand::{RngExt, SeedableRng};
    use rand_distr::{Beta, Distribution};
    let truth = bgbb::Parameters {
        alpha: 1.2,
        beta: 0.75,
        gamma: 0.66,
        delta: 2.8,
    };
    let (gives, leaves) = (
        Beta::new(truth.alpha, truth.beta).unwrap(),
        Beta::new(truth.gamma, truth.delta).unwrap(),
    );
    let (mut held, mut asked) = (0, 0);
    for seed in 0..20 {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..600 {
            let (p, theta) = (gives.sample(&mut rng), leaves.sample(&mut rng));
            let mut h = History { x: 0, t_x: 0, n: 6 };
            for period in 1..=6 {
                if rng.random::<f64>() < theta {
                    break;
                }
                if rng.random::<f64>() < p {
                    (h.x, h.t_x) = (h.x + 1, period);
                }
            }
            *counts.entry(h).or_insert(0.0) += 1.0;
        }
        let histories: Vec<_> = counts.into_iter().collect();
        let fit = bgbb::fit(&histories, &Run::unattended()).unwrap().unwrap();
        for h in [
            History { x: 3, t_x: 6, n: 6 },
            History { x: 1, t_x: 2, n: 6 },
        ] {
            let p = fit.parameters.gives_within(h, 1);
            if let Some((low, high)) = fit.interval90(h, 1) {
                assert!(low <= p && p <= high);
                asked += 1;
                held += u32::from((low..=high).contains(&truth.gives_within(h, 1)));
            }
        }
    }
    // 40 intervals of 90 %: fewer than 30 would happen once in ten thousand times.
    assert!(asked >= 36 && held * 40 >= 30 * asked, "{held} of {asked}");
}
