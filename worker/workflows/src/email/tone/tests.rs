//! Languages, sentence means, and Theil-Sen against brute force.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::trend::{self, Trend, theil_sen};
use super::{Gathered, Tone, Unscored, of_text};
use crate::vader::polarity_scores;

fn as_of() -> Timestamp {
    "2026-11-23T23:59:59Z".parse().unwrap()
}

fn days_ago(days: i64) -> Timestamp {
    as_of() - SignedDuration::from_hours(24 * days)
}

fn tone(mean: f64) -> Tone {
    Tone {
        mean,
        min: mean - 0.1,
        max: mean + 0.1,
        sentences: 2,
    }
}

#[test]
fn only_english_that_is_long_enough_is_scored() {
    let english = "Thank you very much for the generous support that you have given to our school. The children were delighted with the books, and so were we!";
    let scored = of_text(english).unwrap();
    let [one, two] = [
        "Thank you very much for the generous support that you have given to our school.",
        "The children were delighted with the books, and so were we!",
    ]
    .map(|s| polarity_scores(s).compound);
    assert!((scored.mean - f64::midpoint(one, two)).abs() < 1e-12);
    assert_eq!(
        (scored.min, scored.max, scored.sentences),
        (one.min(two), one.max(two), 2)
    );
    let french = "Nous vous remercions vivement de votre soutien généreux à notre école. Les enfants étaient ravis, et nous aussi.";
    assert_eq!(of_text(french).unwrap_err().reason(), "language:fr");
    let german = "Wir danken Ihnen herzlich für Ihre großzügige Unterstützung unserer Schule. Die Kinder haben sich sehr gefreut.";
    assert_eq!(of_text(german).unwrap_err().reason(), "language:de");
    assert_eq!(of_text("Thanks, great!").unwrap_err(), Unscored::Short);
    assert_eq!(of_text(" \n ").unwrap_err(), Unscored::NoText);
    let numbers = "4711 0815 2026-11-23 17:00 3.14159 2.71828 1.41421 1.73205 0.57721 6.02214";
    assert_eq!(of_text(numbers).unwrap_err(), Unscored::Unreliable);
}

#[test]
fn the_mean_of_a_contact_decays_and_says_what_was_left_out() {
    let mut gathered = Gathered::default();
    gathered.add(days_ago(90), Ok(tone(-0.4)));
    gathered.add(days_ago(0), Ok(tone(0.5)));
    gathered.add(days_ago(0), Err(Unscored::Short));
    gathered.add(days_ago(0), Err(Unscored::Language("fr")));
    let out = gathered.describe(as_of());
    let mean = out["mean"].as_f64().unwrap();
    assert!((mean - (0.5 - 0.2) / 1.5).abs() < 1e-9, "{mean}");
    assert_eq!((&out["n"], &out["sentences"]), (&2.into(), &4.into()));
    assert_eq!(
        out["not_scored"],
        serde_json::json!({"language:fr": 1, "short": 1})
    );
    assert!(out["trend"].is_null() && out["trend_reason"].is_string());
    let mut nothing = Gathered::default();
    nothing.add(days_ago(1), Err(Unscored::Language("fr")));
    let out = nothing.describe(as_of());
    assert_eq!(
        (&out["mean"], &out["reason"]),
        (&serde_json::Value::Null, &"language:fr".into())
    );
}

#[test]
fn a_trend_is_that_of_weekly_means() {
    // Means 0.3 now, 0.2 a week ago (of 0.1 and 0.3), 0.1 two weeks ago, and one outlier that does not matter.
    let values = [
        (0, 0.3),
        (8, 0.1),
        (9, 0.3),
        (15, 0.1),
        (22, 0.0),
        (30, 0.9),
    ]
    .map(|(d, v)| (days_ago(d), v));
    let Trend::Slope { per_week, weeks } = trend::by_week(&values[..5], as_of()) else {
        panic!()
    };
    assert!(
        (per_week - 0.1).abs() < 1e-12 && weeks == 4,
        "{per_week} {weeks}"
    );
    assert_eq!(
        trend::by_week(&values[..3], as_of()),
        Trend::TooFew { weeks: 2 }
    );
    assert_eq!(trend::by_week(&[], as_of()), Trend::TooFew { weeks: 0 });
}

#[test]
fn a_line_has_its_own_slope() {
    // scipy.stats.theilslopes([1, 3, 2, 8, 5], [0, 1, 2, 4, 5]).slope
    let slope = theil_sen(&[(0.0, 1.0), (1.0, 3.0), (2.0, 2.0), (4.0, 8.0), (5.0, 5.0)]).unwrap();
    assert!((slope - 0.9).abs() < 1e-12, "{slope}");
    assert_eq!(theil_sen(&[(1.0, 2.0), (1.0, 3.0)]), None);
}

/// The definition, word by word: all slopes, sorted, the middle one or the mean of the two middle ones.
fn by_definition(points: &[(f64, f64)]) -> Option<f64> {
    let mut slopes: Vec<f64> = (0..points.len())
        .flat_map(|i| (0..i).map(move |j| (i, j)))
        .filter(|&(i, j)| (points[i].0 - points[j].0).abs() > 0.5)
        .map(|(i, j)| (points[i].1 - points[j].1) / (points[i].0 - points[j].0))
        .collect();
    slopes.sort_by(f64::total_cmp);
    let n = slopes.len();
    (n > 0).then(|| f64::midpoint(slopes[(n - 1) / 2], slopes[n / 2]))
}

proptest! {
    #[test]
    fn theil_sen_is_its_definition(points in prop::collection::vec((-20_i8..20, -1.0_f64..1.0), 0..25), by in -3.0_f64..3.0) {
        let points: Vec<(f64, f64)> = points.into_iter().map(|(x, y)| (f64::from(x), y)).collect();
        let slope = theil_sen(&points);
        match (slope, by_definition(&points)) {
            (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-12),
            (a, b) => prop_assert_eq!(a, b),
        }
        // Equivariant: adding a line adds its slope.
        let tilted: Vec<(f64, f64)> = points.iter().map(|(x, y)| (*x, y + by * x)).collect();
        if let (Some(a), Some(b)) = (slope, theil_sen(&tilted)) {
            prop_assert!((a + by - b).abs() < 1e-9);
        }
    }
}
