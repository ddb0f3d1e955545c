//! Little's law by hand, percentiles, the forecast, and honesty.

use proptest::prelude::*;

use super::{load::number, *};

const GIB: f64 = 1024.0 * 1024.0 * 1024.0;
const MONDAY: Now = Now(0);

fn room() -> Room {
    Room {
        workers: 2,
        cores: 2.0,
        bytes: 4.0 * GIB,
        slots: 10.0,
    }
}

fn row(arrivals: u64, seconds: f64, cores: f64, bytes: f64) -> TypeMinute {
    TypeMinute {
        arrivals,
        finished: arrivals,
        seconds,
        cores,
        bytes,
    }
}

fn series(count: i64, types: &[(&str, TypeMinute)]) -> Vec<Minute> {
    (0..count)
        .map(|minute| Minute {
            minute,
            types: types
                .iter()
                .map(|(name, row)| ((*name).to_owned(), *row))
                .collect(),
        })
        .collect()
}

fn near(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
}

#[test]
fn littles_law_by_hand() {
    // 60 a minute is 1/s; 7 s each on 0.8 cores and 1 GiB:
    // 7 tasks, 5.6 cores, 7 GiB in flight.
    let series = series(60, &[("a", row(60, 7.0, 0.8, GIB))]);
    let plan = plan(&series, &room(), MONDAY, &[]);
    near(plan.terms.cpu, 5.6 / (0.7 * 2.0));
    near(plan.terms.memory, 7.0 / (0.8 * 4.0));
    near(plan.terms.slots, 0.7);
    assert_eq!(plan.desired_workers, 4);
    assert_eq!(plan.binding, Binding::Cpu);
    near(plan.utilisation.unwrap(), 2.0);
    assert_eq!(plan.confidence, Confidence::Medium);
    assert_eq!(plan.note, "the processors bind: add 2 workers");
}

#[test]
fn each_term_can_bind() {
    let of = |row| plan(&series(60, &[("a", row)]), &room(), MONDAY, &[]).binding;
    assert_eq!(of(row(60, 4.0, 0.1, 2.0 * GIB)), Binding::Memory);
    assert_eq!(of(row(60, 30.0, 0.01, 1.0)), Binding::Slots);
    assert_eq!(of(row(0, 0.0, 0.0, 0.0)), Binding::None);
}

#[test]
fn rare_peaks_do_not_count_and_frequent_ones_do() {
    let with_peaks = |peaks: usize| {
        let mut series = series(100, &[("a", row(60, 1.0, 0.1, 1.0))]);
        for minute in series.iter_mut().take(peaks) {
            minute.types.get_mut("a").unwrap().arrivals = 6000;
        }
        plan(&series, &room(), MONDAY, &[]).desired_workers
    };
    assert_eq!(with_peaks(5), 1);
    assert_eq!(with_peaks(6), 10);
}

#[test]
fn types_that_peak_in_turn_share_workers() {
    // Each has its peak in half of the minutes, never both at once.
    let rows: Vec<Minute> = (0..100)
        .map(|minute| {
            let (a, b) = if minute % 2 == 0 { (600, 0) } else { (0, 600) };
            let types = [("a", a), ("b", b)].map(|(name, arrivals)| {
                let finished = 300;
                let row = TypeMinute {
                    finished,
                    ..row(arrivals, 2.0, 0.0, 0.0)
                };
                (name.to_owned(), row)
            });
            Minute {
                minute,
                types: types.into(),
            }
        })
        .collect();
    assert_eq!(plan(&rows, &room(), MONDAY, &[]).desired_workers, 2);
}

#[test]
fn means_are_by_tasks_not_by_minutes() {
    let mut rows = series(60, &[("a", row(60, 1.0, 0.0, 0.0))]);
    rows[0].types.insert(
        "a".to_owned(),
        TypeMinute {
            finished: 1,
            ..row(60, 100.0, 0.0, 0.0)
        },
    );
    let plan = plan(&rows, &room(), MONDAY, &[]);
    near(plan.terms.slots * 10.0, (59.0 * 60.0 + 100.0) / 3541.0);
}

#[test]
fn no_data_is_said_plainly() {
    let nothing = plan(&[], &room(), MONDAY, &[]);
    assert_eq!(nothing.confidence, Confidence::None);
    assert_eq!(nothing.desired_workers, 2);
    assert_eq!(nothing.utilisation, None);
    let json = serde_json::to_value(&nothing).unwrap();
    assert_eq!(json["confidence"], "none");
    assert_eq!(json["binding"], "none");
    let busy = series(60, &[("a", row(60, 1.0, 0.5, GIB))]);
    let no_workers = plan(&busy, &Room::of(&[]), MONDAY, &[]);
    assert_eq!(no_workers.confidence, Confidence::None);
    assert!(no_workers.note.contains("start one"));
    let never_ended = TypeMinute {
        finished: 0,
        ..row(60, 0.0, 0.0, 0.0)
    };
    let blind = plan(&series(60, &[("a", never_ended)]), &room(), MONDAY, &[]);
    assert_eq!(blind.confidence, Confidence::None);
    assert_eq!(blind.unknown_types, ["a"]);
    let half = plan(
        &series(60, &[("a", never_ended), ("b", row(1, 1.0, 0.1, 1.0))]),
        &room(),
        MONDAY,
        &[],
    );
    assert_eq!(half.confidence, Confidence::Low);
}

#[test]
fn confidence_grows_with_the_series() {
    let of = |count| {
        let rows = series(count, &[("a", row(1, 1.0, 0.1, 1.0))]);
        plan(&rows, &room(), MONDAY, &[]).confidence
    };
    assert_eq!(of(9), Confidence::None);
    assert_eq!(of(10), Confidence::Low);
    assert_eq!(of(60), Confidence::Medium);
    assert_eq!(of(1440), Confidence::High);
}

#[test]
fn the_next_day_follows_the_pattern() {
    let mut baseline = vec![None; 168];
    baseline[0] = Some(Usual {
        mean: 600.0,
        deviation: 0.0,
        weeks: 5.0,
    });
    baseline[1] = Some(Usual {
        mean: 300.0,
        deviation: 100.0,
        weeks: 2.0,
    });
    baseline[2] = Some(Usual {
        mean: 300.0,
        deviation: 1.0,
        weeks: 1.0,
    });
    let rows = series(60, &[("a", row(60, 4.0, 0.1, 1.0))]);
    // Asked in the last hour of the week: the next one is its first.
    let plan = plan(&rows, &room(), Now(167), &baseline);
    assert_eq!(plan.forecast.len(), 24);
    let first = plan.forecast[0];
    assert_eq!((first.ahead, first.hour_of_week), (1, 0));
    // 10/s for 4 s is 40 tasks: 4 workers of 10 slots.
    assert_eq!(first.desired_workers, Some(4));
    assert_eq!(first.confidence, Confidence::Medium);
    near(plan.forecast[1].arrivals_per_minute.unwrap(), 464.5);
    assert_eq!(plan.forecast[1].confidence, Confidence::Low);
    assert_eq!(plan.forecast[2].desired_workers, None);
    assert_eq!(plan.forecast[2].confidence, Confidence::None);
}

#[test]
fn broken_figures_do_not_spread() {
    let mut rows = series(60, &[("a", row(60, 1.0, 0.1, 1.0))]);
    rows[3]
        .types
        .insert("a".to_owned(), row(60, f64::NAN, f64::INFINITY, -1.0));
    let plan = plan(&rows, &room(), MONDAY, &[]);
    assert!(plan.terms.cpu.is_finite() && plan.terms.slots > 0.0);
    let old: Minute = serde_json::from_str(r#"{"types": {"a": {"arrivals": 3}}}"#).unwrap();
    assert_eq!(old.types["a"].arrivals, 3);
}

#[test]
fn room_is_the_mean_of_its_workers() {
    let room = Room::of(&[(1.0, 100.0, 4.0), (3.0, 300.0, 8.0)]);
    assert_eq!(room.workers, 2);
    near(room.cores, 2.0);
    near(room.bytes, 200.0);
    near(room.slots, 6.0);
}

proptest! {
    /// More work never asks for fewer workers, and the plan suffices for 95 of
    /// 100 minutes.
    #[test]
    fn more_work_needs_no_fewer_workers(
        arrivals in proptest::collection::vec(0u64..2000, 10..80),
        extra in 0u64..500,
        seconds in 0.01..20.0f64,
        cores in 0.0..2.0f64,
        bytes in 0.0..4e9f64,
    ) {
        let of = |extra: u64| -> (Vec<Minute>, Plan) {
            let rows: Vec<Minute> = arrivals
                .iter()
                .zip(0..)
                .map(|(arrivals, minute)| Minute {
                    minute,
                    types: [("a".to_owned(), TypeMinute {
                        finished: 1,
                        ..row(arrivals + extra, seconds, cores, bytes)
                    })].into(),
                })
                .collect();
            let plan = plan(&rows, &room(), MONDAY, &[]);
            (rows, plan)
        };
        let (_, less) = of(0);
        let (rows, more) = of(extra);
        prop_assert!(more.desired_workers >= less.desired_workers);
        let slots = f64::from(more.desired_workers) * room().slots;
        let served = rows
            .iter()
            .filter(|minute| number(minute.types["a"].arrivals) / 60.0 * seconds <= slots + 1e-6)
            .count();
        prop_assert!(served * 100 >= rows.len() * 95);
    }
}
