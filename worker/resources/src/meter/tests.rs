//! The meter on steady, broken and absent counters.

use super::*;
use crate::sample::{CpuReading, HostMemory, MemoryGroup, Pressure, Throttle};

const GIB: u64 = 1 << 30;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A machine of two cores at `at` seconds: the group has used `own` seconds,
/// the machine was busy for `host` of twice the time.
fn sample(at: f64, own: f64, host: f64) -> RawSample {
    RawSample {
        at: seconds(at),
        host: Some(HostMemory {
            total: GIB,
            available: GIB / 2,
        }),
        cpu: CpuReading {
            used: Some(seconds(own)),
            host_busy: Some(seconds(host)),
            host_total: Some(seconds(at * 2.0)),
            affinity: 2,
            quotas: Vec::new(),
        },
        ..RawSample::default()
    }
}

#[track_caller]
fn assert_near(value: Option<f64>, expected: f64) {
    let value = value.unwrap();
    assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
}

#[test]
fn the_first_sample_has_no_rates() {
    let measured = Meter::new().measure(&sample(5.0, 3.0, 4.0));
    assert_eq!(measured.cpu, None);
    assert_eq!(measured.throttled, None);
    assert_eq!(measured.oom_kills, 0);
    assert_eq!(measured.limit, GIB);
    assert!((measured.memory - 0.5).abs() < 1e-9);
}

#[test]
fn processor_time_is_a_share_of_the_effective_cores() {
    let mut meter = Meter::new();
    let _ = meter.measure(&sample(0.0, 0.0, 0.0));
    assert_near(meter.measure(&sample(1.0, 1.0, 0.5)).cpu, 0.5);
}

#[test]
fn a_window_is_never_shorter_than_a_second() {
    let mut meter = Meter::new();
    let _ = meter.measure(&sample(0.0, 0.0, 0.0));
    for tenths in 1..=9_u32 {
        let at = f64::from(tenths) / 10.0;
        assert_eq!(
            meter.measure(&sample(at, (2.0 * at).min(1.0), 0.0)).cpu,
            None,
            "{at}"
        );
    }
    // Busy for the first half second, idle since: half of a core of two.
    assert_near(meter.measure(&sample(1.0, 1.0, 0.0)).cpu, 0.5);
    assert_near(meter.measure(&sample(1.5, 1.0, 0.0)).cpu, 0.0);
}

#[test]
fn a_pace_of_a_second_gives_windows_of_a_second() {
    let mut meter = Meter::new();
    let _ = meter.measure(&sample(0.0, 0.0, 0.0));
    let _ = meter.measure(&sample(1.001, 0.0, 0.0));
    // 0.999 s later, not measured from the beginning.
    assert_near(meter.measure(&sample(2.0, 1.998, 0.0)).cpu, 1.0);
}

#[test]
fn neighbours_count_only_without_a_quota() {
    let run = |quotas: Vec<f64>| {
        let mut meter = Meter::new();
        let mut before = sample(0.0, 0.0, 0.0);
        before.cpu.quotas.clone_from(&quotas);
        let _ = meter.measure(&before);
        let mut after = sample(2.0, 0.2, 3.6);
        after.cpu.quotas = quotas;
        meter.measure(&after).cpu
    };
    assert_near(run(vec![]), 0.9);
    assert_near(run(vec![0.5]), 0.2);
}

#[test]
fn a_throttled_group_is_busy_on_an_idle_machine() {
    let mut meter = Meter::new();
    let mut last = Measured::default();
    for second in 0..=6_u32 {
        let at = f64::from(second);
        // Half a core of quota, all used; the machine is 90 % idle.
        let mut raw = sample(at, at * 0.5, at * 0.2);
        raw.cpu.quotas = vec![0.5];
        raw.throttle = Some(Throttle {
            periods: u64::from(second) * 10,
            throttled: u64::from(second) * 6,
            throttled_for: Duration::ZERO,
        });
        last = meter.measure(&raw);
        assert_eq!(last.throttled.is_some(), second >= 5, "{second}");
    }
    assert_near(last.cpu, 1.0);
    assert_near(last.throttled, 0.6);
}

#[test]
fn a_group_that_did_not_run_was_not_throttled() {
    let mut meter = Meter::new();
    for second in [0.0, 5.0] {
        let mut raw = sample(second, 0.0, 0.0);
        raw.throttle = Some(Throttle::default());
        let measured = meter.measure(&raw);
        assert_eq!(measured.throttled, (second > 0.0).then_some(0.0));
    }
}

fn stalls(at: f64, some: f64, full: f64) -> RawSample {
    let psi = Pressure {
        some_total: seconds(some),
        full_total: seconds(full),
        some_avg10: 0.25,
        some_avg60: 0.125,
        ..Pressure::default()
    };
    RawSample {
        memory_pressure: Some(psi),
        io_pressure: Some(psi),
        ..sample(at, 0.0, 0.0)
    }
}

#[test]
fn pressure_is_measured_over_two_seconds() {
    let mut meter = Meter::new();
    assert_eq!(meter.measure(&stalls(0.0, 5.0, 5.0)).memory_some, None);
    assert_eq!(meter.measure(&stalls(1.0, 5.1, 5.0)).memory_some, None);
    let measured = meter.measure(&stalls(2.0, 5.3, 5.02));
    assert_near(measured.memory_some, 0.15);
    assert_near(measured.memory_full, 0.01);
    assert_near(measured.io_full, 0.01);
    assert_eq!(measured.memory_some_avg, Some((0.25, 0.125)));
    assert_near(meter.measure(&stalls(3.0, 5.3, 5.02)).memory_some, 0.1);
}

#[test]
fn a_counter_that_goes_back_starts_a_new_window() {
    let mut meter = Meter::new();
    let _ = meter.measure(&stalls(0.0, 0.5, 9.0));
    let _ = meter.measure(&stalls(2.0, 0.7, 9.0));
    // Another group: its counters begin anew and soon exceed the old ones.
    for (second, some) in [(3.0, 0.6), (4.0, 0.9)] {
        let measured = meter.measure(&stalls(second, some, 0.0));
        assert_eq!((measured.memory_some, measured.io_full), (None, None));
    }
    assert_near(meter.measure(&stalls(5.0, 1.0, 0.0)).memory_some, 0.2);
    // Processor time was not touched by that.
    assert!(meter.measure(&stalls(6.0, 1.0, 0.0)).cpu.is_some());
}

#[test]
fn a_missing_file_costs_its_window_only() {
    let mut meter = Meter::new();
    let _ = meter.measure(&sample(0.0, 0.0, 0.0));
    let mut gap = sample(1.0, 0.0, 1.0);
    gap.cpu.used = None;
    // The machine's counters still say something.
    assert_near(meter.measure(&gap).cpu, 0.5);
    assert_near(meter.measure(&sample(2.0, 2.0, 1.0)).cpu, 0.0);
    assert_near(meter.measure(&sample(3.0, 3.0, 1.0)).cpu, 0.5);
}

#[test]
fn time_never_goes_back() {
    let mut meter = Meter::new();
    let _ = meter.measure(&sample(10.0, 0.0, 0.0));
    let before = meter.measure(&sample(11.0, 1.0, 0.0));
    let mut stepped = sample(4.0, 1.5, 0.0);
    stepped.oom_kills = Some(3);
    let measured = meter.measure(&stepped);
    assert_eq!((measured.at, measured.cpu), (before.at, before.cpu));
    assert_near(meter.measure(&sample(12.0, 1.5, 0.0)).cpu, 0.25);
}

#[test]
fn kills_are_counted_once_and_never_below_zero() {
    let mut meter = Meter::new();
    let mut kills = |at: f64, count: Option<u64>| {
        let mut raw = sample(at, 0.0, 0.0);
        raw.oom_kills = count;
        meter.measure(&raw).oom_kills
    };
    // What happened before the worker is none of its concern.
    assert_eq!(kills(0.0, Some(7)), 0);
    assert_eq!(kills(1.0, Some(9)), 2);
    assert_eq!(kills(2.0, None), 0);
    assert_eq!(kills(3.0, Some(10)), 1);
    assert_eq!(kills(4.0, Some(1)), 0);
    assert_eq!(kills(5.0, Some(2)), 1);
}

#[test]
fn the_disk_is_as_full_as_the_scarcer_of_bytes_and_inodes() {
    let disk = |inodes_total, inodes_free| Disk {
        bytes_total: 1000,
        bytes_free: 400,
        inodes_total,
        inodes_free,
    };
    let measure = |disk: Disk| {
        let mut raw = sample(0.0, 0.0, 0.0);
        raw.disk = Some(disk);
        Meter::new().measure(&raw)
    };
    assert_near(measure(disk(0, 0)).disk, 0.6);
    assert_near(measure(disk(100, 5)).disk, 0.95);
    assert_eq!(measure(disk(100, 5)).disk_bytes, Some((400, 1000)));
    assert_eq!(measure(Disk::default()).disk, None);
}

#[test]
fn one_blind_sample_keeps_the_capacity_as_unknown() {
    let mut meter = Meter::new();
    let before = meter.measure(&sample(0.0, 0.0, 0.0));
    let blind = RawSample {
        at: seconds(1.0),
        ..RawSample::default()
    };
    let measured = meter.measure(&blind);
    assert!(!measured.known);
    assert_eq!((measured.limit, measured.used), (before.limit, before.used));
}

#[test]
fn a_limit_that_is_halved_is_measured_at_once() {
    let mut meter = Meter::new();
    let mut raw = sample(0.0, 0.0, 0.0);
    raw.groups = vec![MemoryGroup {
        limit: Some(GIB / 2),
        anon: GIB / 4,
        ..MemoryGroup::default()
    }];
    let _ = meter.measure(&raw);
    raw.at = seconds(1.0);
    raw.groups[0].limit = Some(GIB / 4);
    let measured = meter.measure(&raw);
    assert_eq!(measured.limit, GIB / 4);
    assert!((measured.memory - 1.0).abs() < 1e-9);
}

#[test]
fn what_is_kept_is_bounded() {
    let mut meter = Meter::new();
    for tick in 0..10_000_u32 {
        let at = f64::from(tick) / 200.0;
        let _ = meter.measure(&sample(at, at, at));
        assert!(meter.points.len() <= 64, "{}", meter.points.len());
    }
    // Silence, then one sample: the window spans it.
    let cpu = meter.measure(&sample(150.0, 50.0, 0.0)).cpu.unwrap();
    assert!(cpu < 0.001, "{cpu}");
}
