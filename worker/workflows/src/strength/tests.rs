//! The formulae by hand, and what must not change a score or must move it one way.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{
    Channel, Component, Direction, Interaction, Known, Overlap, Policy, Strength,
    overlap::Ties,
    strength,
    sweep::{Besides, Sweep},
};

fn as_of() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn ago(hours: i64) -> Timestamp {
    as_of() - SignedDuration::from_hours(hours)
}

fn mail<'a>(
    id: &'a str,
    hours: i64,
    direction: Direction,
    reply_to: Option<&'a str>,
) -> Interaction<'a> {
    Interaction {
        id,
        at: ago(hours),
        channel: Channel::Email,
        direction,
        reply_to,
        sentiment: None,
    }
}

fn known<'a>(interactions: &'a [Interaction<'a>]) -> Known<'a> {
    Known {
        as_of: as_of(),
        interactions,
        gifts: None,
        overlap: None,
    }
}

fn of(interactions: &[Interaction<'_>]) -> Strength {
    strength(&known(interactions), &Policy::default())
}

fn value(strength: &Strength, name: &str) -> Option<f64> {
    let at = super::COMPONENTS.iter().position(|c| *c == name).unwrap();
    strength.components[at].value()
}

fn close(actual: Option<f64>, expected: f64) {
    let actual = actual.unwrap();
    assert!(
        (actual - expected).abs() < 1e-12,
        "{actual} is not {expected}"
    );
}

#[test]
fn every_component_follows_its_formula() {
    let interactions = [
        // 90 days: a half-life. A meeting then is worth 1.5, our mail on the same day 0.5.
        Interaction {
            channel: Channel::Meeting,
            sentiment: Some(-0.2),
            ..mail("m", 90 * 24, Direction::Mutual, None)
        },
        mail("ask", 90 * 24, Direction::Out, None),
        Interaction {
            sentiment: Some(0.6),
            ..mail("answer", 90 * 24 - 12, Direction::In, Some("ask"))
        },
        mail("ignored", 20 * 24, Direction::Out, None),
        mail("young", 24, Direction::Out, None),
    ];
    let all = Known {
        gifts: Some(2),
        overlap: Some(Overlap { both: 1, either: 4 }),
        ..known(&interactions)
    };
    let s = strength(&all, &Policy::default());
    let w = |days: f64| (-days / 90.0).exp2();
    let (w_in, w_out) = (0.75 + w(89.5), 0.75 + 0.5 + w(20.0) + w(1.0));
    close(
        value(&s, "intensity"),
        (w_in + w_out) / (w_in + w_out + 3.0),
    );
    close(value(&s, "reciprocity"), 2.0 * w_in / (w_in + w_out));
    // The first answered after 12 hours, the second never, the third may still be.
    close(value(&s, "responsiveness"), 0.5_f64.sqrt() / 2.0);
    // August and November.
    close(value(&s, "consistency"), 2.0 / 12.0);
    close(
        value(&s, "duration"),
        1.0 - (-90.0 / 30.436_875 / 24.0_f64).exp(),
    );
    let tone = (1.5 * -0.2 + w(89.5) * 0.6) / (1.5 + w(89.5));
    close(value(&s, "tone"), f64::midpoint(tone, 1.0));
    close(value(&s, "structural"), 0.25);
    close(value(&s, "giving"), 1.0 - (-2.0_f64).exp());
    let weights = [0.25, 0.15, 0.15, 0.15, 0.10, 0.05, 0.05, 0.10];
    let mean: f64 = s
        .components
        .iter()
        .zip(weights)
        .map(|(c, w)| c.value().unwrap() * w)
        .sum();
    close(s.score, 100.0 * mean);
    assert!((s.coverage - 1.0).abs() < 1e-12);
    let Component::Known(evidence) = &s.components[2] else {
        panic!()
    };
    assert_eq!((evidence.n, evidence.censored), (2, 1));
}

#[test]
fn what_is_not_known_is_null_with_a_reason_and_leaves_the_mean() {
    let s = of(&[mail("in", 0, Direction::In, None)]);
    for missing in ["responsiveness", "tone", "structural", "giving"] {
        assert_eq!(value(&s, missing), None, "{missing}");
        assert!(s.describe()["components"][missing]["reason"].is_string());
    }
    // Intensity 1/4, reciprocity 0, one of 12 months, no duration yet.
    close(s.score, 100.0 * (0.25 * 0.25 + 0.15 / 12.0) / 0.65);
    assert!((s.coverage - 0.65).abs() < 1e-12);
    let none = of(&[]);
    // Without any interaction nothing is known: no relationship is not a weak one.
    assert_eq!(none.score, None);
    for (name, component) in super::COMPONENTS.iter().zip(&none.components) {
        assert_eq!(component.value(), None, "{name}");
    }
    assert!(none.coverage.abs() < 1e-12);
    let only_tone = Policy {
        weights: [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        ..Policy::default()
    };
    assert_eq!(strength(&known(&[]), &only_tone).score, None);
}

#[test]
fn a_message_of_ours_counts_whatever_its_channel() {
    let report = Interaction {
        channel: Channel::Report,
        ..mail("report", 40 * 24, Direction::Out, None)
    };
    let unanswered = of(&[report, mail("in", 20 * 24, Direction::In, None)]);
    close(value(&unanswered, "responsiveness"), 0.0);
    let answered = of(&[report, mail("in", 39 * 24, Direction::In, Some("report"))]);
    close(value(&answered, "responsiveness"), 0.5);
    // A conversation of both sides waits for no answer.
    let met = Interaction {
        channel: Channel::Meeting,
        ..mail("met", 40 * 24, Direction::Mutual, None)
    };
    assert_eq!(value(&of(&[met]), "responsiveness"), None);
}

#[test]
fn an_answer_comes_from_them_and_within_fourteen_days() {
    let ours = mail("ask", 40 * 24, Direction::Out, None);
    let our_own = of(&[ours, mail("nudge", 39 * 24, Direction::Out, Some("ask"))]);
    close(value(&our_own, "responsiveness"), 0.0);
    close(
        value(
            &of(&[ours, mail("late", 20 * 24, Direction::In, Some("ask"))]),
            "responsiveness",
        ),
        0.0,
    );
    let twice = of(&[
        ours,
        mail("b", 38 * 24, Direction::In, Some("ask")),
        mail("a", 39 * 24, Direction::In, Some("ask")),
    ]);
    close(value(&twice, "responsiveness"), 0.5);
    // Their clock is an hour slow.
    let before = of(&[ours, mail("early", 40 * 24 + 1, Direction::In, Some("ask"))]);
    close(value(&before, "responsiveness"), 1.0);
}

#[test]
fn what_lies_after_as_of_does_not_exist() {
    let past = [mail("a", 500, Direction::Out, None)];
    let all = [past[0], mail("b", -1, Direction::In, Some("a"))];
    assert_eq!(of(&past), of(&all));
}

#[test]
fn neighbourhoods_overlap_by_jaccard() {
    let ties = Ties::new([
        ("us", "p"),
        ("q", "us"),
        ("s", "p"),
        ("s", "r"),
        ("s", "s2"),
        ("us", "us"),
    ]);
    assert_eq!(
        ties.overlap(&["us"], &["s", "s2"]),
        Overlap { both: 1, either: 3 }
    );
    assert_eq!(
        ties.overlap(&["us"], &["nobody"]),
        Overlap { both: 0, either: 2 }
    );
}

#[test]
fn weights_of_an_input_replace_those_of_the_policy() {
    let weights = [("giving".to_owned(), 0.0), ("tone".to_owned(), 2.0)].into();
    let policy = Policy::new(30.0, &weights);
    for (weight, expected) in policy
        .weights
        .into_iter()
        .zip([0.25, 0.15, 0.15, 0.15, 0.10, 2.0, 0.05, 0.0])
    {
        close(Some(weight), expected);
    }
}

prop_compose! {
    fn interaction()(hours in 0_i64..20_000, channel in 0_usize..6, direction in 0_usize..3, answers in prop::option::of(0_usize..20),
        sentiment in prop::option::of(-1.0_f64..1.0)) -> (i64, usize, usize, Option<usize>, Option<f64>) {
        (hours, channel, direction, answers, sentiment)
    }
}

const IDS: [&str; 20] = [
    "00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15",
    "16", "17", "18", "19",
];

/// Hours ago, channel, direction, what it answers, sentiment.
type Raw = (i64, usize, usize, Option<usize>, Option<f64>);

fn build(raw: &[Raw]) -> Vec<Interaction<'static>> {
    let channels = [
        Channel::Meeting,
        Channel::Call,
        Channel::Intro,
        Channel::Event,
        Channel::Email,
        Channel::Report,
    ];
    let directions = [Direction::In, Direction::Out, Direction::Mutual];
    raw.iter()
        .zip(IDS)
        .map(
            |(&(hours, channel, direction, answers, sentiment), id)| Interaction {
                id,
                at: ago(hours),
                channel: channels[channel],
                direction: directions[direction],
                reply_to: answers.map(|k| IDS[k]),
                sentiment,
            },
        )
        .collect()
}

proptest! {
    #[test]
    fn order_changes_nothing_and_all_stays_in_range(raw in prop::collection::vec(interaction(), 0..20), by in 0_usize..20) {
        let mut interactions = build(&raw);
        let s = of(&interactions);
        prop_assert_eq!(s.score.is_none(), interactions.is_empty());
        prop_assert!(s.score.is_none_or(|score| (0.0..=100.0).contains(&score)));
        for component in s.components.iter().filter_map(Component::value) {
            prop_assert!((0.0..=1.0).contains(&component));
        }
        let middle = if interactions.is_empty() { 0 } else { by % interactions.len() };
        interactions.rotate_left(middle);
        interactions.reverse();
        prop_assert_eq!(of(&interactions), s);
    }

    #[test]
    fn a_sweep_over_days_scores_as_a_look_at_each_of_them(
        raw in prop::collection::vec(interaction(), 0..20),
        mut looks in prop::collection::vec((0_i64..20_000, prop::option::of(0_u64..5)), 1..30),
        half_life_days in 1.0_f64..400.0,
    ) {
        let mut interactions = build(&raw);
        interactions.sort_by_key(|i| (i.at, i.id));
        looks.sort_by_key(|(hours, _)| -hours);
        let policy = Policy { half_life_days, ..Policy::default() };
        let overlap = Some(Overlap { both: 1, either: 3 });
        let mut sweep = Sweep::new(&interactions, half_life_days);
        for (hours, gifts) in looks {
            let as_of = ago(hours);
            let direct = Known { as_of, interactions: &interactions, gifts, overlap };
            let direct = strength(&direct, &policy).score;
            let swept = sweep.score(as_of, Besides { gifts, overlap }, &policy);
            prop_assert_eq!(direct.is_some(), swept.is_some());
            let (direct, swept) = (direct.unwrap_or(0.0), swept.unwrap_or(0.0));
            prop_assert!((direct - swept).abs() < 1e-11, "{} hours ago: {} and {}", hours, direct, swept);
        }
    }

    #[test]
    fn a_longer_half_life_never_lowers_intensity(raw in prop::collection::vec(interaction(), 0..20), half_life in 1.0_f64..1_000.0) {
        let interactions = build(&raw);
        let at = |half_life_days| strength(&known(&interactions), &Policy { half_life_days, ..Policy::default() }).components[0].value();
        prop_assert!(at(2.0 * half_life) >= at(half_life));
    }

    #[test]
    fn ten_years_later_a_relationship_in_both_directions_is_weaker(raw in prop::collection::vec(interaction(), 1..20)) {
        let interactions = build(&raw);
        let later = as_of() + SignedDuration::from_hours(24 * 3_653);
        let (now, then) = (of(&interactions), strength(&Known { as_of: later, ..known(&interactions) }, &Policy::default()));
        prop_assert!(value(&then, "intensity") < value(&now, "intensity"));
        prop_assert!(value(&then, "consistency") <= value(&now, "consistency"));
    }
}
