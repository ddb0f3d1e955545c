use proptest::prelude::*;

use super::*;

/// Monday, 2026-11-23, 00:00 UTC.
const MONDAY: u64 = 1_795_392_000;

fn hour(week: u64, of_week: u64) -> Hour {
    Hour(Hour::of_unix(MONDAY).0 + week * u64::from(BINS) + of_week)
}

/// A whole hour of the same value, minute by minute.
fn watch(pattern: &mut Pattern, hour: Hour, memory: f64) {
    for _ in 0..60 {
        pattern.observe(
            hour,
            &Values {
                memory: Some(memory),
                ..Values::default()
            },
        );
    }
}

fn learned(weeks: u64, value: impl Fn(u64, u64) -> f64) -> Pattern {
    let mut pattern = Pattern::default();
    for week in 0..weeks {
        for of_week in 0..u64::from(BINS) {
            watch(&mut pattern, hour(week, of_week), value(week, of_week));
        }
    }
    pattern.observe(hour(weeks, 0), &Values::default());
    pattern
}

#[test]
fn weeks_begin_on_monday() {
    assert_eq!(Hour::of_unix(MONDAY).of_week(), 0);
    assert_eq!(Hour::of_unix(MONDAY + 3600 * 167 + 3599).of_week(), 167);
    assert_eq!(Hour::of_unix(MONDAY + 3600 * 168).of_week(), 0);
    assert_eq!(Hour(0).of_week(), 72); // a Thursday
}

#[test]
fn one_week_is_no_habit_and_two_are() {
    let shape = |_: u64, h: u64| if h == 9 { 0.7 } else { 0.3 };
    assert_eq!(learned(1, shape).expected(hour(5, 9), Figure::Memory), None);
    let usual = learned(2, shape)
        .expected(hour(5, 9), Figure::Memory)
        .unwrap();
    assert!((usual.mean - 0.7).abs() < 1e-12 && usual.deviation < 1e-12);
    assert_eq!(usual.weeks, 2);
    assert_eq!(learned(2, shape).expected(hour(5, 9), Figure::Cpu), None);
}

#[test]
fn spread_within_hours_and_between_weeks_counts() {
    let pattern = learned(2, |week, _| if week == 0 { 0.4 } else { 0.6 });
    let usual = pattern.expected(hour(9, 30), Figure::Memory).unwrap();
    assert!((usual.deviation - 0.1).abs() < 0.002, "{usual:?}");
    assert!(usual.mean > 0.5, "the later week counts more: {usual:?}");
    let mut within = Pattern::default();
    for week in 0..2 {
        for minute in 0..60 {
            let memory = Some(if minute % 2 == 0 { 0.2 } else { 0.4 });
            within.observe(
                hour(week, 3),
                &Values {
                    memory,
                    ..Values::default()
                },
            );
        }
    }
    within.observe(hour(2, 3), &Values::default());
    let usual = within.expected(hour(0, 3), Figure::Memory).unwrap();
    assert!((usual.deviation - 0.1).abs() < 1e-9, "{usual:?}");
}

#[test]
fn old_habits_fade() {
    let pattern = learned(40, |week, _| if week < 20 { 0.8 } else { 0.2 });
    let usual = pattern.expected(hour(50, 1), Figure::Memory).unwrap();
    assert!(usual.mean < 0.32, "{usual:?}");
    // A long absence fades them as well: the first week back weighs more.
    let mut away = learned(20, |_, _| 0.8);
    watch(&mut away, hour(60, 1), 0.2);
    away.observe(hour(60, 2), &Values::default());
    assert!(away.expected(hour(61, 1), Figure::Memory).unwrap().mean < 0.35);
}

#[test]
fn an_hour_hardly_watched_does_not_count() {
    let mut pattern = learned(2, |_, _| 0.3);
    for _ in 0..9 {
        pattern.observe(
            hour(2, 0),
            &Values {
                memory: Some(0.9),
                ..Values::default()
            },
        );
    }
    pattern.observe(hour(2, 1), &Values::default());
    assert!((pattern.expected(hour(3, 0), Figure::Memory).unwrap().mean - 0.3).abs() < 1e-9);
}

#[test]
fn a_restart_within_an_hour_neither_loses_nor_doubles_it() {
    let mut pattern = learned(1, |_, _| 0.3);
    for _ in 0..30 {
        pattern.observe(
            hour(1, 0),
            &Values {
                memory: Some(0.5),
                ..Values::default()
            },
        );
    }
    let mut again = Pattern::from_text(&pattern.to_text()).unwrap();
    watch(&mut again, hour(1, 0), 0.5);
    again.observe(hour(1, 1), &Values::default());
    let usual = again.expected(hour(4, 0), Figure::Memory).unwrap();
    assert_eq!(usual.weeks, 2);
    // Kept after the hour was over, then seen again by a clock set back.
    let before = again.clone();
    again.observe(
        hour(1, 0),
        &Values {
            memory: Some(0.9),
            ..Values::default()
        },
    );
    assert_eq!(again.bins, before.bins);
}

#[test]
fn the_next_hour_counts_if_it_goes_higher() {
    let pattern = learned(3, |_, h| if h == 9 { 0.7 } else { 0.3 });
    let at = |h| pattern.around(hour(3, h), Figure::Memory).unwrap().mean;
    assert!((at(8) - 0.7).abs() < 1e-9 && (at(9) - 0.7).abs() < 1e-9);
    assert!((at(10) - 0.3).abs() < 1e-9);
}

#[test]
fn the_kept_form_is_compact_and_stable() {
    let pattern = {
        let mut pattern = Pattern::default();
        for week in 0..4 {
            for of_week in 0..u64::from(BINS) {
                for minute in 0..60_u32 {
                    let value = Some(f64::from(minute).sin() / 3.0 + 0.4);
                    let values = Values {
                        memory: value,
                        cpu: value,
                        arrivals: value,
                        in_flight: value,
                    };
                    pattern.observe(hour(week, of_week), &values);
                }
            }
        }
        pattern
    };
    let text = pattern.to_text();
    assert!(text.len() < 40 * 1024, "{}", text.len());
    let read = Pattern::from_text(&text).unwrap();
    assert_eq!(read.to_text(), text);
    let (a, b) = (
        pattern.expected(hour(9, 7), Figure::Cpu),
        read.expected(hour(9, 7), Figure::Cpu),
    );
    assert!((a.unwrap().mean - b.unwrap().mean).abs() < 1e-4);
}

#[test]
fn the_golden_text_is_read() {
    let golden = r#"{"v":1,"bins":{"9":[[3,498729,2.75,0.7,0.0004],[0,0,0.0,0.0,0.0],[0,0,0.0,0.0,0.0],[0,0,0.0,0.0,0.0]]}}"#;
    let pattern = Pattern::from_text(golden).unwrap();
    let usual = pattern.expected(hour(0, 9), Figure::Memory).unwrap();
    assert_eq!(
        usual,
        Usual {
            mean: 0.7,
            deviation: 0.0004_f64.sqrt(),
            weeks: 3
        }
    );
    assert_eq!(pattern.to_text(), golden);
    // The hour that it holds already does not count once more.
    let mut again = pattern.clone();
    watch(&mut again, hour(0, 9), 0.1);
    again.observe(hour(0, 10), &Values::default());
    assert_eq!(again.expected(hour(0, 9), Figure::Memory), Some(usual));
    assert_eq!(
        Pattern::from_text(r#"{"v":2,"bins":{}}"#),
        Err(BadPattern::Version(2))
    );
    assert!(matches!(
        Pattern::from_text("{"),
        Err(BadPattern::Damaged { .. })
    ));
}

proptest! {
    #[test]
    fn merging_with_oneself_changes_nothing_and_lies_between(a in 0.0_f64..1.0, b in 0.0_f64..1.0) {
        let (ours, theirs) = (learned(3, |_, _| a), learned(2, |_, _| b));
        let mut same = ours.clone();
        same.merge(&ours);
        let mean = |p: &Pattern| p.expected(hour(0, 5), Figure::Memory).unwrap();
        prop_assert!((mean(&same).mean - mean(&ours).mean).abs() < 1e-12);
        prop_assert_eq!(mean(&same).weeks, 3);
        let mut merged = ours.clone();
        merged.merge(&theirs);
        prop_assert!(mean(&merged).mean >= a.min(b) - 1e-12 && mean(&merged).mean <= a.max(b) + 1e-12);
        prop_assert_eq!(mean(&merged).weeks, 3);
        let mut fresh = Pattern::default();
        fresh.merge(&theirs);
        prop_assert_eq!(mean(&fresh), mean(&theirs));
    }
}
