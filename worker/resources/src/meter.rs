//! Samples make a measurement: counters become rates.
//!
//! Each rate is taken over a window of a fixed least length, between the newest
//! sample and the youngest one that is at least that old.
//!
//! Invariant: a rate is only ever computed between two readings of the same
//! counter. A counter that went back or was missing forgets its past, and the
//! rate is `None` until its window has filled again. Time never goes back.
//! Deliberately absent: smoothing and judgement (see [`crate::level`]).

use std::{collections::VecDeque, time::Duration};

use crate::{
    capacity::{Capacity, float, share},
    sample::{Disk, Measured, RawSample},
};

/// Processor time is measured over at least a second: the machine's counters
/// move in ticks of 10 ms, which makes 1 % of it.
const CPU_WINDOW: Duration = Duration::from_secs(1);

/// Stalls are measured over two seconds, the kernel's own period of averaging.
const PRESSURE_WINDOW: Duration = Duration::from_secs(2);

/// Quota periods last 100 ms: five seconds make fifty of them.
const THROTTLE_WINDOW: Duration = Duration::from_secs(5);

/// A sample that comes this much early still closes its window; without it a
/// pace of exactly one second would give windows of one and two seconds in
/// turn.
const EARLY: Duration = Duration::from_millis(20);

/// Samples closer together than this are measured but not kept: bounds what is
/// kept to five seconds of ten each, and one.
const APART: Duration = Duration::from_millis(100);

/// The counters of one sample.
#[derive(Clone, Copy, Debug, Default)]
struct Point {
    at: Duration,
    counters: [Option<Counter>; COUNTERS],
}

/// A value, and what it is counted against where that is not time itself.
#[derive(Clone, Copy, Debug)]
struct Counter {
    value: f64,
    of: Option<f64>,
}

const COUNTERS: usize = 6;
const CPU: usize = 0;
const HOST: usize = 1;
const MEMORY_SOME: usize = 2;
const MEMORY_FULL: usize = 3;
const IO_FULL: usize = 4;
const THROTTLED: usize = 5;

/// Turns samples into measurements.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    /// Oldest first; one of them is older than the longest window.
    points: VecDeque<Point>,
    newest: Option<Point>,
    kills: Option<u64>,
    last: Measured,
}

impl Meter {
    /// A meter that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What this sample and those before it say. A sample that is not later
    /// than the one before gives that one's rates again.
    #[must_use]
    pub fn measure(&mut self, raw: &RawSample) -> Measured {
        let at = raw.at.max(self.last.at);
        let capacity = self.capacity(raw);
        let later = self.newest.is_none_or(|newest| at > newest.at);
        let rates = if later {
            self.rates(Point::of(at, raw), capacity.cores, raw)
        } else {
            self.last
        };
        let pressure = raw.memory_pressure;
        let measured = Measured {
            at,
            limit: capacity.limit,
            used: capacity.used,
            memory: capacity.memory,
            cores: capacity.cores,
            memory_some_avg: pressure.map(|psi| (psi.some_avg10, psi.some_avg60)),
            lateness_p99: raw.lateness_p99,
            disk: raw.disk.as_ref().and_then(disk_use),
            disk_bytes: raw.disk.map(|disk| (disk.bytes_free, disk.bytes_total)),
            oom_kills: self.kills(raw.oom_kills),
            known: capacity.known,
            ..rates
        };
        self.last = measured;
        measured
    }

    /// The sample's capacity; where nothing at all could be read, the one
    /// before, as unknown: one failed read is no emergency.
    fn capacity(&self, raw: &RawSample) -> Capacity {
        let capacity = Capacity::of(raw);
        if capacity.limit > 0 || self.last.limit == 0 || !raw.groups.is_empty() {
            return capacity;
        }
        Capacity {
            limit: self.last.limit,
            used: self.last.used,
            memory: self.last.memory,
            known: false,
            ..capacity
        }
    }

    fn rates(&mut self, point: Point, cores: f64, raw: &RawSample) -> Measured {
        self.forget_broken(&point);
        let over = |index, window| self.rate(&point, index, window);
        let own = over(CPU, CPU_WINDOW).map(|used| used / cores);
        let cpu = if raw.cpu.quotas.is_empty() {
            // Without a quota the neighbours' work is in our way, too.
            let host = over(HOST, CPU_WINDOW);
            own.into_iter().chain(host).max_by(f64::total_cmp)
        } else {
            own
        };
        let rates = Measured {
            cpu,
            memory_some: over(MEMORY_SOME, PRESSURE_WINDOW).map(ratio),
            memory_full: over(MEMORY_FULL, PRESSURE_WINDOW).map(ratio),
            io_full: over(IO_FULL, PRESSURE_WINDOW).map(ratio),
            throttled: over(THROTTLED, THROTTLE_WINDOW).map(ratio),
            ..Measured::default()
        };
        self.keep(point);
        rates
    }

    /// Counters that went back or are missing have no past.
    fn forget_broken(&mut self, point: &Point) {
        let Some(newest) = self.newest else { return };
        for index in 0..COUNTERS {
            let runs_on = match (point.counters[index], newest.counters[index]) {
                (Some(now), Some(before)) => now.value >= before.value && now.of >= before.of,
                (_, None) => continue,
                (None, Some(_)) => false,
            };
            if !runs_on {
                for old in &mut self.points {
                    old.counters[index] = None;
                }
            }
        }
    }

    fn rate(&self, point: &Point, index: usize, window: Duration) -> Option<f64> {
        let start = self
            .points
            .iter()
            .rev()
            .find(|old| point.at.saturating_sub(old.at) + EARLY >= window)?;
        let (now, before) = (point.counters[index]?, start.counters[index]?);
        let counted = now.value - before.value;
        match (now.of, before.of) {
            (Some(now), Some(before)) => Some(if now > before {
                counted / (now - before)
            } else {
                0.0
            }),
            _ => Some(counted / (point.at - start.at).as_secs_f64()),
        }
    }

    fn keep(&mut self, point: Point) {
        self.newest = Some(point);
        let last = self.points.back().map(|last| last.at);
        if last.is_none_or(|last| point.at.saturating_sub(last) + EARLY >= APART) {
            self.points.push_back(point);
        }
        let old_enough = |old: &Point| point.at.saturating_sub(old.at) >= THROTTLE_WINDOW;
        while self.points.get(1).is_some_and(old_enough) {
            self.points.pop_front();
        }
    }

    /// Kills since the count was last read; a count that went back belongs to
    /// another group and is the new base.
    fn kills(&mut self, count: Option<u64>) -> u64 {
        let Some(count) = count else { return 0 };
        let before = self.kills.replace(count).unwrap_or(count);
        count.saturating_sub(before)
    }
}

impl Point {
    fn of(at: Duration, raw: &RawSample) -> Self {
        let time = |value: Duration| Counter {
            value: value.as_secs_f64(),
            of: None,
        };
        let mut counters = [None; COUNTERS];
        counters[CPU] = raw.cpu.used.map(time);
        counters[HOST] = raw
            .cpu
            .host_busy
            .zip(raw.cpu.host_total)
            .map(|(busy, total)| Counter {
                value: busy.as_secs_f64(),
                of: Some(total.as_secs_f64()),
            });
        counters[MEMORY_SOME] = raw.memory_pressure.map(|psi| time(psi.some_total));
        counters[MEMORY_FULL] = raw.memory_pressure.map(|psi| time(psi.full_total));
        counters[IO_FULL] = raw.io_pressure.map(|psi| time(psi.full_total));
        counters[THROTTLED] = raw.throttle.map(|throttle| Counter {
            value: float(throttle.throttled),
            of: Some(float(throttle.periods)),
        });
        Self { at, counters }
    }
}

/// A share of time: counters are read a moment apart and may overshoot.
fn ratio(rate: f64) -> f64 {
    rate.clamp(0.0, 1.0)
}

/// The worse of bytes and inodes.
fn disk_use(disk: &Disk) -> Option<f64> {
    let used =
        |total: u64, free: u64| (total > 0).then(|| share(total.saturating_sub(free), total));
    used(disk.bytes_total, disk.bytes_free)
        .into_iter()
        .chain(used(disk.inodes_total, disk.inodes_free))
        .max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests;
