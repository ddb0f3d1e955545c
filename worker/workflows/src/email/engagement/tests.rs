//! Kaplan-Meier against lifelines (results made by `tests/oracle/make_latency.py`), its properties, and rates.

use proptest::prelude::*;
use serde::Deserialize;

use super::answers::{Asked, Rate, rate};
use super::survival::{Observed, curve, of};

#[derive(Deserialize)]
struct Sample {
    #[serde(rename = "sample")]
    pairs: Vec<(f64, bool)>,
    median: Option<f64>,
    curve: Vec<(f64, f64)>,
}

fn observed(pairs: &[(f64, bool)]) -> Vec<Observed> {
    pairs
        .iter()
        .map(|&(hours, answered)| Observed { hours, answered })
        .collect()
}

#[test]
fn curves_and_medians_are_those_of_lifelines() {
    let samples: Vec<Sample> =
        serde_json::from_str(include_str!("../../../tests/oracle/latency.json")).unwrap();
    assert_eq!(samples.len(), 300);
    for (i, expected) in samples.iter().enumerate() {
        let sample = observed(&expected.pairs);
        let ours = curve(sample.clone());
        assert_eq!(ours.len(), expected.curve.len(), "sample {i}");
        for ((hours, share), (their_hours, their_share)) in ours.iter().zip(&expected.curve) {
            assert!((hours - their_hours).abs() < 1e-12, "sample {i}");
            assert!(
                (share - their_share).abs() < 1e-9,
                "sample {i}: {share} {their_share}"
            );
        }
        // Where a share is one half, the last bit of lifelines' logarithms decides whether it counts as reached: there
        // its curve is read, with room for that bit.
        let half = expected
            .curve
            .iter()
            .find(|(_, share)| (share - 0.5).abs() < 1e-9);
        let median = half.map_or(expected.median, |(hours, _)| Some(*hours));
        assert_eq!(of(sample).median, median, "sample {i}");
    }
}

#[test]
fn exactly_one_half_is_half() {
    // S falls by 4/5, 3/4, 2/3 ... : products that are not exact in binary.
    for n in (2_u32..200).step_by(2) {
        let sample: Vec<(f64, bool)> = (1..=n).map(|h| (f64::from(h), true)).collect();
        assert_eq!(of(observed(&sample)).median, Some(f64::from(n / 2)), "{n}");
    }
    let none = of(Vec::new());
    assert_eq!(
        (none.median, none.reason()),
        (None, Some("no mail that needs an answer"))
    );
    let few = of(observed(&[(1.0, true), (9.0, false), (9.0, false)]));
    assert_eq!((few.median, few.answered, few.censored), (None, 1, 2));
    assert!(few.reason().is_some());
}

#[test]
fn what_may_still_be_answered_is_pending() {
    let mail = |answered_after, age, direct| Asked {
        answered_after,
        age,
        direct,
    };
    let asked = [
        mail(Some(10.0), 1_000.0, true),
        mail(Some(500.0), 1_000.0, true), // too late
        mail(None, 1_000.0, false),
        mail(None, 300.0, true), // not over
        mail(Some(300.0), 310.0, false),
    ];
    assert_eq!(
        rate(&asked, 336.0, false),
        Rate {
            num: 2,
            den: 4,
            pending: 1
        }
    );
    assert_eq!(
        rate(&asked, 336.0, true),
        Rate {
            num: 1,
            den: 2,
            pending: 1
        }
    );
    assert!(rate(&[], 336.0, true).describe()["reason"].is_string());
}

fn samples() -> impl Strategy<Value = Vec<(f64, bool)>> {
    prop::collection::vec(
        ((0_u32..60).prop_map(|h| f64::from(h) / 2.0), any::<bool>()),
        1..60,
    )
}

proptest! {
    #[test]
    fn without_censoring_it_is_the_plain_median(hours in prop::collection::vec(0_u32..1_000, 1..60)) {
        let mut hours: Vec<f64> = hours.into_iter().map(f64::from).collect();
        let sample: Vec<(f64, bool)> = hours.iter().map(|h| (*h, true)).collect();
        hours.sort_by(f64::total_cmp);
        // The lower one of two middle ones.
        prop_assert_eq!(of(observed(&sample)).median, Some(hours[(hours.len() - 1) / 2]));
    }

    #[test]
    fn a_curve_falls_and_its_median_is_never_below_that_of_the_answers(sample in samples()) {
        let steps = curve(observed(&sample));
        prop_assert!(steps.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 > w[1].1));
        prop_assert!(steps.iter().all(|s| (0.0..1.0).contains(&s.1)));
        let answers: Vec<(f64, bool)> = sample.iter().copied().filter(|s| s.1).collect();
        if let (Some(with), Some(without)) = (of(observed(&sample)).median, of(observed(&answers)).median) {
            prop_assert!(with >= without);
        }
    }

    #[test]
    fn slower_answers_never_shorten_the_median(sample in samples(), by in 1.0_f64..3.0) {
        let slower: Vec<(f64, bool)> = sample.iter().map(|(h, a)| (h * by, *a)).collect();
        match (of(observed(&sample)).median, of(observed(&slower)).median) {
            (Some(a), Some(b)) => prop_assert!(b >= a),
            (a, b) => prop_assert_eq!(a.is_none(), b.is_none()),
        }
    }
}
