//! Estimates learn the right figure, at the right speed, and travel.

use std::time::Duration;

use shared::wire::Ticket;

use super::*;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

const ROOM: Room = Room {
    limit: 512 * MIB,
    cores: 2.0,
};

fn estimates() -> Estimates {
    Estimates::new([
        ("a", Declared::default()),
        (
            "b",
            Declared {
                bytes: Some(40 * MIB),
                cores: Some(1.0),
            },
        ),
    ])
}

fn usage(input: u64, peak: u64) -> Usage {
    Usage {
        input,
        peak: Some(peak),
        cpu: Duration::from_millis(80),
        wall: Duration::from_millis(100),
    }
}

fn within(value: u64, low: u64, high: u64) {
    assert!(
        (low..=high).contains(&value),
        "{value} not in {low}..={high}"
    );
}

#[test]
fn a_cold_type_is_declared_or_a_share_of_the_worker() {
    let estimates = estimates();
    let guess = estimates.before_pull(0, &ROOM);
    within(guess.bytes, 128 * MIB - 5, 128 * MIB);
    assert_eq!((guess.basis, guess.is_confident()), (Basis::Guessed, false));
    let declared = estimates.sized(1, 12, &ROOM);
    assert_eq!(declared.bytes, 40 * MIB);
    assert_eq!(
        (declared.basis, declared.cpu_bound),
        (Basis::Declared, true)
    );
    assert_eq!(estimates.before_pull(9, &ROOM).basis, Basis::Guessed);
}

#[test]
fn five_peaks_replace_the_guess_and_a_peak_above_it_counts_at_once() {
    let mut estimates = estimates();
    for _ in 0..4 {
        estimates.learn(0, &usage(KIB, 10 * MIB));
    }
    let unsure = estimates.before_pull(0, &ROOM);
    assert!(!unsure.is_confident() && unsure.bytes > 20 * MIB);
    estimates.learn(0, &usage(KIB, 10 * MIB));
    let sure = estimates.before_pull(0, &ROOM);
    assert!(sure.is_confident());
    within(sure.bytes, 11 * MIB, 13 * MIB);
    estimates.learn(1, &usage(KIB, 300 * MIB));
    assert!(estimates.before_pull(1, &ROOM).bytes > 300 * MIB);
}

#[test]
fn it_rises_at_once_and_falls_at_most_five_percent_in_ten_tasks() {
    let mut estimates = estimates();
    for _ in 0..20 {
        estimates.learn(0, &usage(KIB, 100 * MIB));
    }
    for _ in 0..4 {
        estimates.learn(0, &usage(KIB, 400 * MIB));
    }
    let high = estimates.sized(0, Ticket::bucket_of(KIB), &ROOM).bytes;
    assert!(
        high > 400 * MIB,
        "four in twenty-four are above the 95th percentile"
    );
    let mut last = high;
    for _ in 0..60 {
        for _ in 0..10 {
            estimates.learn(0, &usage(KIB, 10 * MIB));
        }
        let now = estimates.sized(0, Ticket::bucket_of(KIB), &ROOM).bytes;
        assert!(
            now <= last && as_f64(now) >= as_f64(last) * 0.9499,
            "{last} -> {now}"
        );
        last = now;
    }
    for _ in 0..600 {
        estimates.learn(0, &usage(KIB, 10 * MIB));
    }
    within(
        estimates.sized(0, Ticket::bucket_of(KIB), &ROOM).bytes,
        11 * MIB,
        13 * MIB,
    );
}

#[test]
fn want_of_memory_raises_by_a_fifth_and_at_least_a_hundred_mebibytes() {
    let mut estimates = estimates();
    for _ in 0..10 {
        estimates.learn(0, &usage(KIB, 10 * MIB));
    }
    let bucket = Ticket::bucket_of(KIB);
    estimates.starved(0, bucket, 12 * MIB);
    assert_eq!(estimates.sized(0, bucket, &ROOM).bytes, 112 * MIB);
    estimates.starved(0, bucket, 1_000 * MIB);
    assert_eq!(estimates.sized(0, bucket, &ROOM).bytes, 1_200 * MIB);
    assert_eq!(estimates.take_fresh(), estimates.whole);
}

#[test]
fn a_line_wins_where_memory_follows_the_input() {
    let mut estimates = estimates();
    // Sizes at the lower end of the bucket early, at its upper end later.
    for step in 0..200_u64 {
        let input = 64 * KIB + step * 300;
        estimates.learn(0, &usage(input, 10 * MIB + 100 * input));
    }
    let bucket = Ticket::bucket_of(100 * KIB);
    let truth = 10 * MIB + 100 * largest(bucket);
    let learned = estimates.sized(0, bucket, &ROOM).bytes;
    within(learned, truth, truth * 13 / 10);
    // A larger bucket, never seen: the line speaks, but nobody vouches.
    let beyond = estimates.sized(0, bucket + 1, &ROOM);
    let truth = 10 * MIB + 100 * largest(bucket + 1);
    assert!(!beyond.is_confident());
    within(beyond.bytes, truth, truth * 13 / 10);
    // A smaller one borrows from above.
    let below = estimates.sized(0, bucket - 3, &ROOM);
    assert!(below.is_confident() && below.bytes >= learned);
}

#[test]
fn before_the_pull_three_of_four_count() {
    let mut estimates = estimates();
    for step in 0..400 {
        if step % 10 == 0 {
            estimates.learn(0, &usage(8 * MIB, 200 * MIB));
        } else {
            estimates.learn(0, &usage(KIB, 8 * MIB));
        }
    }
    within(estimates.before_pull(0, &ROOM).bytes, 8 * MIB, 11 * MIB);
    assert!(estimates.sized(0, Ticket::bucket_of(8 * MIB), &ROOM).bytes >= 200 * MIB);
}

#[test]
fn the_estimate_covers_about_nineteen_of_twenty_unseen_tasks() {
    let mut estimates = estimates();
    let (mut covered, mut state) = (0, 1_u64);
    for step in 0..3_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let peak = 10 * MIB + (state >> 40) * 5;
        let booked = estimates.sized(0, Ticket::bucket_of(KIB), &ROOM).bytes;
        covered += u32::from(step >= 1_000 && peak <= booked);
        estimates.learn(0, &usage(KIB, peak));
    }
    assert!(covered >= 1_900, "{covered} of 2000");
}

#[test]
fn processors_count_for_tasks_that_are_long_enough() {
    let mut estimates = estimates();
    for _ in 0..10 {
        estimates.learn(
            0,
            &Usage {
                cpu: Duration::from_micros(20),
                wall: Duration::from_micros(20),
                peak: Some(0),
                input: 0,
            },
        );
        estimates.learn(1, &usage(KIB, MIB));
    }
    let brief = estimates.before_pull(0, &ROOM);
    assert!((brief.bytes, brief.cpu_bound) == (0, false) && brief.cores > 0.9);
    let busy = estimates.before_pull(1, &ROOM);
    assert!(busy.cpu_bound && (busy.cores - 0.8).abs() < 1e-9);
    assert_eq!(busy.mean, Duration::from_millis(100));
    within(u64::try_from(busy.p95.as_millis()).unwrap(), 100, 110);
}

#[test]
fn a_task_nobody_measured_teaches_time_only() {
    let mut estimates = estimates();
    for _ in 0..10 {
        estimates.learn(
            0,
            &Usage {
                peak: None,
                ..usage(KIB, 0)
            },
        );
    }
    let estimate = estimates.before_pull(0, &ROOM);
    assert_eq!((estimate.samples, estimate.basis), (0, Basis::Guessed));
    assert!(estimate.mean > Duration::ZERO);
}

#[test]
fn two_workers_know_together_what_one_would_know() {
    let (mut left, mut right, mut one) = (estimates(), estimates(), estimates());
    for step in 0..60 {
        let seen = usage(KIB, (20 + step % 20) * MIB);
        if step % 2 == 0 { &mut left } else { &mut right }.learn(0, &seen);
        one.learn(0, &seen);
    }
    let (mine, yours) = (left.take_fresh(), right.take_fresh());
    let fleet = mine.merged(&yours);
    assert_eq!(
        fleet.types["a"].buckets,
        yours.merged(&mine).types["a"].buckets
    );
    left.adopt(&fleet);
    let (both, alone) = (left.before_pull(0, &ROOM), one.before_pull(0, &ROOM));
    assert_eq!(both.samples, alone.samples);
    within(both.bytes, alone.bytes * 9 / 10, alone.bytes * 11 / 10);
}

#[test]
fn what_could_not_be_stored_is_not_lost_and_nothing_counts_twice() {
    let mut worker = estimates();
    for _ in 0..6 {
        worker.learn(0, &usage(KIB, 20 * MIB));
    }
    let fresh = worker.take_fresh();
    worker.restore(&fresh);
    assert_eq!(worker.take_fresh().types["a"].pace.count, 6);
    worker.learn(0, &usage(KIB, 20 * MIB));
    worker.adopt(&fresh);
    assert_eq!(worker.before_pull(0, &ROOM).samples, 7);
}

#[test]
fn the_fleet_forgets_too() {
    // One worker's high estimate does not stay for ever in the store.
    let mut fleet = Learned::default();
    let mut worker = estimates();
    for _ in 0..10 {
        worker.learn(0, &usage(KIB, 400 * MIB));
    }
    fleet = fleet.merged(&worker.take_fresh());
    for _ in 0..100 {
        worker.adopt(&fleet);
        for _ in 0..20 {
            worker.learn(0, &usage(KIB, 10 * MIB));
        }
        fleet = fleet.merged(&worker.take_fresh());
    }
    worker.adopt(&fleet);
    within(worker.before_pull(0, &ROOM).bytes, 11 * MIB, 13 * MIB);
}

#[test]
fn the_stored_form_is_compact_and_read_back_equal() {
    let mut worker = estimates();
    for step in 0..5_000_u64 {
        worker.learn(0, &usage(1 << (step % 24), (1 + step % 300) * MIB));
    }
    let text = serde_json::to_string(worker.learned()).unwrap();
    assert!(
        text.len() < 128 * 1_024,
        "{} bytes for one type",
        text.len()
    );
    let back: Learned = serde_json::from_str(&text).unwrap();
    assert!(back.is_current());
    let mut other = estimates();
    other.adopt(&back);
    assert_eq!(other.before_pull(0, &ROOM), worker.before_pull(0, &ROOM));
    let strange: Learned = serde_json::from_str(r#"{"version":9,"types":{}}"#).unwrap();
    assert!(!strange.is_current());
}

#[test]
fn buckets_end_at_powers_of_two() {
    for bucket in 0..64 {
        assert_eq!(Ticket::bucket_of(largest(bucket)), bucket);
        assert_eq!(
            Ticket::bucket_of(largest(bucket).saturating_add(1)),
            bucket + 1
        );
    }
    assert_eq!(largest(64), u64::MAX);
}
