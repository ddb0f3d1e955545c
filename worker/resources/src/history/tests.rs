//! Rows, their alignment, their figures and their size.

use super::*;

fn reading(at: f64, memory: f64) -> Reading {
    Reading {
        at: Duration::from_secs_f64(at),
        memory: Some(memory),
        health: Some(100.0 * (1.0 - memory)),
        ..Reading::default()
    }
}

fn all(history: &History, resolution: Resolution) -> Vec<Row> {
    history.rows(resolution, Duration::ZERO, Duration::MAX)
}

#[test]
fn it_stays_within_half_a_mebibyte_for_a_month_at_five_a_second() {
    let mut history = History::new(&Retention::default()).unwrap();
    let before = history.bytes();
    assert!(before < 512 << 10, "{before} bytes");
    // Eight days, with an hour of five readings a second at the end.
    let calm = (0..8 * 24 * 3600_u32).map(f64::from);
    let fast = (0..18_000_u32).map(|tick| 8.0 * 86_400.0 + f64::from(tick) / 5.0);
    for at in calm.chain(fast) {
        history.observe(&reading(at, 0.5));
    }
    assert_eq!(history.bytes(), before);
    assert_eq!(all(&history, Resolution::Full).len(), 3600 + 1);
    assert_eq!(all(&history, Resolution::Minute).len(), 1440 + 1);
    assert_eq!(all(&history, Resolution::TenMinutes).len(), 1008 + 1);
    let first = all(&history, Resolution::Full)[0].at;
    let last = all(&history, Resolution::Full)[3600].at;
    assert_eq!(last - first, Duration::from_hours(1));
}

#[test]
fn a_second_carries_its_worst_reading() {
    let mut history = History::new(&Retention::default()).unwrap();
    for (at, memory) in [(7.0, 0.2), (7.2, 0.9), (7.9, 0.4), (8.1, 0.1)] {
        history.observe(&reading(at, memory));
    }
    let rows = all(&history, Resolution::Full);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].at, Duration::from_secs(7));
    assert_eq!(rows[0].memory, Some(Summary::single(0.9)));
    assert!((rows[0].health.unwrap().max - 10.0).abs() < 1e-4);
    assert_eq!(rows[0].cpu, None);
}

#[test]
fn a_minute_sums_up_all_of_its_readings() {
    let mut history = History::new(&Retention::default()).unwrap();
    // A hundred readings in the second minute: 0.01 to 1.00, shuffled.
    for index in 0..100_u32 {
        let memory = f64::from((index * 37) % 100 + 1) / 100.0;
        history.observe(&reading(60.0 + f64::from(index) * 0.5, memory));
    }
    history.observe(&reading(120.0, 0.0));
    let rows = all(&history, Resolution::Minute);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].at, Duration::from_mins(1));
    let memory = rows[0].memory.unwrap();
    assert_eq!((memory.min, memory.max, memory.p95), (0.01, 1.0, 0.95));
    assert!((memory.mean - 0.505).abs() < 1e-6);
}

#[test]
fn ten_minutes_are_of_readings_and_not_of_rows() {
    let mut history = History::new(&Retention::default()).unwrap();
    // 6 % of the time full, all of it in the first minute: the largest of the
    // minutes' percentiles and their mean would both be wrong.
    for second in 0..600_u32 {
        let memory = if second < 36 { 1.0 } else { 0.1 };
        history.observe(&reading(f64::from(second), memory));
    }
    let memory = all(&history, Resolution::TenMinutes)[0].memory.unwrap();
    assert_eq!((memory.p95, memory.max), (1.0, 1.0));
    assert!((memory.mean - 0.154).abs() < 1e-5);
    let mut history = History::new(&Retention::default()).unwrap();
    for second in 0..600_u32 {
        let memory = if second < 24 { 1.0 } else { 0.1 };
        history.observe(&reading(f64::from(second), memory));
    }
    let memory = all(&history, Resolution::TenMinutes)[0].memory.unwrap();
    assert_eq!((memory.p95, memory.max), (0.1, 1.0));
}

#[test]
fn a_high_rate_is_sampled_evenly() {
    let mut history = History::new(&Retention::default()).unwrap();
    for tick in 0..6000_u32 {
        history.observe(&reading(f64::from(tick) / 10.0, f64::from(tick) / 6000.0));
    }
    let memory = all(&history, Resolution::TenMinutes)[0].memory.unwrap();
    assert!((memory.p95 - 0.95).abs() < 0.005, "{memory:?}");
    assert!((memory.mean - 0.5).abs() < 1e-3);
    assert!(history.of_ten_minutes.bytes() <= 600 * size_of::<[f32; FIGURES]>());
}

#[test]
fn silence_has_no_rows_and_old_rows_age_by_time() {
    let retention = Retention {
        full: Duration::from_secs(10),
        ..Retention::default()
    };
    let mut history = History::new(&retention).unwrap();
    for at in [0.0, 1.0, 2.0, 11.0, 12.0] {
        history.observe(&reading(at, 0.5));
    }
    let seconds: Vec<u64> = all(&history, Resolution::Full)
        .iter()
        .map(|row| row.at.as_secs())
        .collect();
    assert_eq!(seconds, [2, 11, 12]);
}

#[test]
fn a_range_is_half_open() {
    let mut history = History::new(&Retention::default()).unwrap();
    for at in 0..10_u32 {
        history.observe(&reading(f64::from(at), 0.5));
    }
    let rows = history.rows(
        Resolution::Full,
        Duration::from_secs(3),
        Duration::from_secs(6),
    );
    let seconds: Vec<u64> = rows.iter().map(|row| row.at.as_secs()).collect();
    assert_eq!(seconds, [3, 4, 5]);
}

#[test]
fn what_is_not_a_number_is_left_out() {
    let mut history = History::new(&Retention::default()).unwrap();
    history.observe(&reading(0.0, f64::NAN));
    history.observe(&reading(0.5, 0.25));
    history.observe(&reading(1.5, f64::INFINITY));
    assert_eq!(
        all(&history, Resolution::Minute)[0].memory,
        Some(Summary::single(0.25))
    );
    assert_eq!(all(&history, Resolution::Full)[1].memory, None);
}

#[test]
fn rows_survive_json() {
    let mut history = History::new(&Retention::default()).unwrap();
    history.observe(&Reading {
        level: Some(3),
        in_flight: Some(7),
        ..reading(61.0, 0.5)
    });
    for resolution in Resolution::ALL {
        let rows = all(&history, resolution);
        let json = serde_json::to_string(&rows).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Row>>(&json).unwrap(), rows);
        assert_eq!(
            rows[0].level.unwrap().max.total_cmp(&3.0),
            std::cmp::Ordering::Equal
        );
    }
}

#[test]
fn a_retention_that_cannot_be_kept_is_refused_by_name() {
    let none = Retention {
        minute: Duration::from_secs(59),
        ..Retention::default()
    };
    let error = History::new(&none).unwrap_err();
    assert_eq!((error.field, error.rows), ("minute", 0));
    let endless = Retention {
        ten_minutes: Duration::MAX,
        ..Retention::default()
    };
    assert_eq!(History::new(&endless).unwrap_err().field, "ten_minutes");
}

#[test]
fn time_that_goes_back_counts_for_the_current_step() {
    let mut history = History::new(&Retention::default()).unwrap();
    history.observe(&reading(100.0, 0.2));
    history.observe(&reading(3.0, 0.8));
    let rows = all(&history, Resolution::Minute);
    assert_eq!(rows.len(), 1);
    assert_eq!(
        rows[0].memory.unwrap().max.total_cmp(&0.8),
        std::cmp::Ordering::Equal
    );
}
