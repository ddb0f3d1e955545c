//! The table of thresholds, samples and dwells, one function per resource.
//!
//! Invariant: every figure here is a named constant with its reason; signs are
//! computed from a measurement and nothing else. A figure that is missing or
//! not a number gives no sign.
//!
//! Deliberately absent: time. What has to last is said in [`Terms`] and
//! counted by the ladder.

use std::time::Duration;

use shared::model::Level;

use super::Rule;
use super::latch::{Ladder, Rung, Sign, Terms};
use crate::profile::Thresholds;
use crate::sample::Measured;

/// Elevated begins this far below high: a moderate load.
const NEAR: f64 = 0.10;
/// Elevated ends another 5 points lower.
const NEAR_MARGIN: f64 = 0.05;
/// Memory leaves a level 5 points below where it entered: more than the noise
/// of a garbage collector, less than the distance between high and critical.
const MEMORY_MARGIN: f64 = 0.05;
/// The processor's load is noisier.
const CPU_MARGIN: f64 = 0.10;
/// A disk moves slowly.
const DISK_MARGIN: f64 = 0.03;
/// High memory stays at least this far below critical, whatever the limit:
/// otherwise the absolute reserve of a small limit would swallow it.
const HIGH_BELOW_CRITICAL: f64 = 0.05;
/// Stalls mean a shortage only if memory is at least half used: below that
/// they come from elsewhere (the guard of GLib's memory monitor).
const PRESSURE_GUARD: f64 = 0.50;
/// Some task stalls less than this: over.
const SOME_OVER: f64 = 0.02;
/// All tasks stall less than this: over.
const FULL_OVER: f64 = 0.01;
/// A profile with very low thresholds still needs a margin: half of them.
const OVER_SHARE: f64 = 0.5;
/// Stalled a fifth of the last minute and of the last 10 s ...
pub(super) const LONG_STALL: f64 = 0.20;
/// ... and not yet easing (the rule of Meta's out-of-memory daemon).
pub(super) const EASING: f64 = 0.85;
/// A heartbeat of 20 ms that comes later than this finds no processor.
const LATE: Duration = Duration::from_millis(50);
/// And this is in time again.
const IN_TIME: Duration = Duration::from_millis(40);
/// A disk with less than this is at its end, whatever its size ...
const DISK_FLOOR: u64 = 1 << 30;
/// ... or with less than this share.
const DISK_FLOOR_SHARE: u64 = 100;

const fn terms(samples: u32, lasting: u64, dwell: u64) -> Terms {
    Terms {
        samples,
        lasting: Duration::from_secs(lasting),
        dwell: Duration::from_secs(dwell),
    }
}

/// At 200 ms, two samples are 200 ms apart: a burst counts sooner where the
/// monitor already looks closer, which is what the fast mode is for.
pub(super) fn memory_ladder() -> Ladder {
    Ladder::new(vec![
        Rung::new(Level::Elevated, terms(1, 5, 15)),
        Rung::new(Level::High, terms(2, 0, 15)),
        Rung::new(Level::Critical, terms(1, 0, 10)),
        Rung::new(Level::Emergency, terms(1, 0, 10)),
        // Another rung of the same level: a kill holds it for a minute.
        Rung::new(Level::Emergency, terms(1, 0, 60)),
    ])
}

pub(super) fn pressure_ladder() -> Ladder {
    Ladder::new(vec![
        Rung::new(Level::High, terms(1, 0, 30)),
        Rung::new(Level::Critical, terms(1, 0, 15)),
    ])
}

/// No rung above critical: the processor can always be shared further.
pub(super) fn cpu_ladder() -> Ladder {
    Ladder::new(vec![
        Rung::new(Level::Elevated, terms(1, 5, 15)),
        Rung::new(Level::High, terms(1, 10, 15)),
        Rung::new(Level::Critical, terms(1, 5, 15)),
    ])
}

/// The disk is read every 10 s and its last figure repeated in between: two
/// samples are two readings only if 10 s lie between them.
pub(super) fn disk_ladder() -> Ladder {
    Ladder::new(vec![
        Rung::new(Level::High, terms(2, 10, 60)),
        Rung::new(Level::Critical, terms(1, 0, 60)),
        Rung::new(Level::Emergency, terms(1, 0, 60)),
    ])
}

/// When memory counts as high, critical and at its end, as shares of the
/// limit: the profile's figures, but never beyond the hard limit, and high at
/// least 5 points below critical.
pub(super) fn memory_bounds(thresholds: &Thresholds, limit: u64, hard: u64) -> [f64; 3] {
    let end = hard as f64 / limit.max(1) as f64;
    let critical = thresholds.memory_critical.min(end);
    let high = thresholds.memory_high.min(critical - HIGH_BELOW_CRITICAL);
    [high, critical, end]
}

pub(super) fn memory(raw: f64, smooth: f64, bounds: [f64; 3], kills: u64) -> [Option<Sign>; 5] {
    let [high, critical, end] = bounds;
    let sign = |at, margin, rule| Some(Sign::of(raw, smooth, at, margin, rule));
    [
        sign(high - NEAR, NEAR_MARGIN, Rule::Near),
        sign(high, MEMORY_MARGIN, Rule::AboveHigh),
        sign(critical, MEMORY_MARGIN, Rule::AboveCritical),
        sign(end, MEMORY_MARGIN, Rule::AtHardLimit),
        Some(kill(kills)),
    ]
}

/// A kill speaks for itself, known memory or not.
pub(super) fn kill(kills: u64) -> Sign {
    Sign {
        value: kills as f64,
        enter_at: 1.0,
        leave_below: 1.0,
        enter: (kills > 0).then_some(Rule::OutOfMemoryKill),
        leave: kills == 0,
    }
}

pub(super) fn pressure(m: &Measured, t: &Thresholds, stalled_long: bool) -> [Option<Sign>; 2] {
    let some = m.memory_some.filter(|v| v.is_finite()).map(|value| {
        let over = SOME_OVER.min(t.pressure_some * OVER_SHARE);
        let tight = m.memory >= PRESSURE_GUARD;
        Sign {
            value,
            enter_at: t.pressure_some,
            leave_below: over,
            enter: (value >= t.pressure_some && tight).then_some(Rule::SomeStall),
            leave: value < over,
        }
    });
    let full = m.memory_full.filter(|v| v.is_finite());
    let over = FULL_OVER.min(t.pressure_full * OVER_SHARE);
    let all = (full.is_some() || m.memory_some_avg.is_some()).then(|| Sign {
        value: full.unwrap_or_default(),
        enter_at: t.pressure_full,
        leave_below: over,
        enter: match full {
            Some(full) if full >= t.pressure_full => Some(Rule::AllStall),
            _ => stalled_long.then_some(Rule::LongStall),
        },
        leave: full.is_none_or(|full| full < over) && !stalled_long,
    });
    [some, all]
}

pub(super) fn cpu(
    smooth: Option<f64>,
    late: Option<Duration>,
    t: &Thresholds,
) -> [Option<Sign>; 3] {
    let sign = |at, margin, rule| smooth.map(|v| Sign::of(v, v, at, margin, rule));
    let is_late = late.is_some_and(|late| late > LATE);
    let in_time = late.is_none_or(|late| late <= IN_TIME);
    let by_load = sign(t.cpu_critical, CPU_MARGIN, Rule::AboveCritical);
    let critical = match by_load {
        Some(sign) => Some(Sign {
            enter: sign.enter.or(is_late.then_some(Rule::Late)),
            leave: sign.leave && in_time,
            ..sign
        }),
        None => is_late.then_some(Sign {
            value: 0.0,
            enter_at: t.cpu_critical,
            leave_below: t.cpu_critical - CPU_MARGIN,
            enter: Some(Rule::Late),
            leave: false,
        }),
    };
    [
        sign(t.cpu_high - NEAR, NEAR_MARGIN, Rule::Near),
        sign(t.cpu_high, CPU_MARGIN, Rule::AboveHigh),
        critical,
    ]
}

pub(super) fn disk(m: &Measured, t: &Thresholds) -> [Option<Sign>; 3] {
    let used = m.disk.filter(|v| v.is_finite());
    let sign = |at, rule| used.map(|v| Sign::of(v, v, at, DISK_MARGIN, rule));
    let end = m
        .disk_bytes
        .filter(|(_, size)| *size > 0)
        .map(|(free, size)| {
            let floor = DISK_FLOOR.max(size / DISK_FLOOR_SHARE);
            let share = |bytes: u64| 1.0 - bytes as f64 / size as f64;
            let leave_below = share(floor) - DISK_MARGIN;
            Sign {
                value: share(free),
                enter_at: share(floor),
                leave_below,
                enter: (free < floor).then_some(Rule::DiskEnd),
                leave: share(free) < leave_below,
            }
        });
    [
        sign(t.disk_high, Rule::AboveHigh),
        sign(t.disk_critical, Rule::AboveCritical),
        end,
    ]
}
