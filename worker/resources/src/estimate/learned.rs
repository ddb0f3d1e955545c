//! What is known of task types: compact, mergeable, for the store.
//!
//! Invariant: merging is symmetric, and what two workers learned apart is,
//! merged, what one would about know. Estimates rise at once and fall slowly,
//! also when a neighbour's knowledge comes in.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use shared::wire::Ticket;

use super::bins::{BYTES, Bins, FADE, FULL, MICROS, as_f64, as_u64};
use super::line::Line;

/// The version of the stored form.
const VERSION: u32 = 1;

/// Which share of tasks an estimate is to cover.
pub(crate) const COVER: f64 = 0.95;

/// On top of that: what the peaks of yesterday say too little of.
pub(crate) const MARGIN: f64 = 1.15;

/// What an estimate keeps at least from task to task: 5 % less after ten.
const FALL: f64 = 0.994_883_803_150_3;

/// After a task that its memory limit ended: at least so many times what it
/// was given ...
const BUMP: f64 = 1.2;

/// ... and at least so many bytes more (100 MiB, as the vertical pod
/// autoscaler does).
const BUMP_BYTES: u64 = 100 << 20;

/// What one ended task tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// The length of its input in bytes.
    pub input: u64,
    /// The most memory that it had at once, in bytes; `None` where nobody
    /// measured.
    pub peak: Option<u64>,
    /// Processor time.
    pub cpu: Duration,
    /// Time from start to end.
    pub wall: Duration,
}

/// What is known of all types, as the store keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    version: u32,
    pub(crate) types: BTreeMap<String, Known>,
}

impl Default for Learned {
    fn default() -> Self {
        Self {
            version: VERSION,
            types: BTreeMap::new(),
        }
    }
}

impl Learned {
    /// Whether this program wrote it in the form that it reads. What another
    /// version wrote is to be ignored: it is learned again within minutes.
    #[must_use]
    pub const fn is_current(&self) -> bool {
        self.version == VERSION
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// What both know. Nothing may be in both: a worker gives only what it
    /// learned since it last gave.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        let mut types = self.types.clone();
        for (name, known) in &other.types {
            let both = types.get(name).map(|own| own.merged(known));
            types.insert(name.clone(), both.unwrap_or_else(|| known.clone()));
        }
        Self {
            version: VERSION,
            types,
        }
    }
}

/// What is known of one type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Known {
    pub(crate) buckets: BTreeMap<u8, Bucket>,
    pub(crate) line: Line,
    pub(crate) pace: Pace,
}

/// What is known of the tasks of one size bucket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Bucket {
    /// How many peaks were seen.
    pub(crate) count: u64,
    /// The estimate in bytes.
    pub(crate) held: u64,
    peaks: Bins,
    /// Fading pinball losses of the two ways to estimate, on the same peaks.
    loss_bins: f64,
    loss_line: f64,
}

impl Bucket {
    /// What the bucket asks for, before any slowness.
    fn target(&self, bucket: u8, line: &Line) -> u64 {
        let bytes = match line.fit() {
            Some(fit) if self.loss_line < self.loss_bins => fit.at(largest(bucket)),
            _ => as_f64(self.peaks.quantile(&BYTES, COVER)),
        };
        as_u64(bytes * MARGIN)
    }

    /// How much this bucket counts among others: its share of late tasks.
    pub(crate) fn weight(&self) -> f64 {
        self.peaks.weight()
    }

    /// Scores both ways on a peak that neither has seen.
    fn score(&mut self, bucket: u8, line: &Line, peak: u64) {
        let (true, Some(fit)) = (self.count > 0, line.fit()) else {
            return;
        };
        let bins = as_f64(self.peaks.quantile(&BYTES, COVER));
        let line = fit.at(largest(bucket));
        self.loss_bins = self.loss_bins * FADE + pinball(bins, peak);
        self.loss_line = self.loss_line * FADE + pinball(line, peak);
    }

    fn merged(&self, other: &Self, bucket: u8, line: &Line) -> Self {
        let mut both = Self {
            count: self.count.saturating_add(other.count),
            held: 0,
            peaks: self.peaks.merged(&other.peaks),
            loss_bins: self.loss_bins + other.loss_bins,
            loss_line: self.loss_line + other.loss_line,
        };
        // Each estimate has aged by the tasks that the other saw.
        let aged = |held: u64, by: u64| as_f64(held) * FALL.powf(as_f64(by).min(FULL));
        let held = aged(self.held, other.count).max(aged(other.held, self.count));
        both.held = both.target(bucket, line).max(as_u64(held));
        both
    }
}

/// Processor and time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Pace {
    /// How many tasks were seen.
    pub(crate) count: u64,
    weight: f64,
    cpu: f64,
    wall: f64,
    times: Bins,
}

impl Pace {
    fn add(&mut self, cpu: Duration, wall: Duration) {
        self.count += 1;
        self.weight = self.weight * FADE + 1.0;
        self.cpu = self.cpu * FADE + cpu.as_secs_f64();
        self.wall = self.wall * FADE + wall.as_secs_f64();
        let micros = u64::try_from(wall.as_micros()).unwrap_or(u64::MAX);
        self.times.add(&MICROS, micros);
    }

    /// Processors in use while such a task runs, weighted by time: a long task
    /// counts more than a short one.
    pub(crate) fn cores(&self) -> Option<f64> {
        (self.wall > 0.0).then(|| self.cpu / self.wall)
    }

    /// The mean time of a task.
    pub(crate) fn mean(&self) -> Duration {
        if self.weight > 0.0 {
            Duration::try_from_secs_f64(self.wall / self.weight).unwrap_or_default()
        } else {
            Duration::ZERO
        }
    }

    /// The time that 95 % of the tasks stay below.
    pub(crate) fn p95(&self) -> Duration {
        Duration::from_micros(self.times.quantile(&MICROS, 0.95))
    }

    fn merged(&self, other: &Self) -> Self {
        let weight = self.weight + other.weight;
        let scale = if weight > FULL { FULL / weight } else { 1.0 };
        Self {
            count: self.count.saturating_add(other.count),
            weight: weight * scale,
            cpu: (self.cpu + other.cpu) * scale,
            wall: (self.wall + other.wall) * scale,
            times: self.times.merged(&other.times),
        }
    }
}

impl Known {
    /// Learns from an ended task.
    pub(crate) fn learn(&mut self, usage: &Usage) {
        self.pace.add(usage.cpu, usage.wall);
        let Some(peak) = usage.peak else { return };
        let key = Ticket::bucket_of(usage.input);
        let bucket = self.buckets.entry(key).or_default();
        bucket.score(key, &self.line, peak);
        bucket.peaks.add(&BYTES, peak);
        self.line.add(usage.input, peak);
        bucket.count += 1;
        let floor = as_u64(as_f64(bucket.held) * FALL);
        bucket.held = bucket.target(key, &self.line).max(floor);
    }

    /// A task of this bucket wanted more than the `given` bytes.
    pub(crate) fn starved(&mut self, bucket: u8, given: u64) {
        let bumped = as_u64(as_f64(given) * BUMP).max(given.saturating_add(BUMP_BYTES));
        let bucket = self.buckets.entry(bucket).or_default();
        bucket.held = bucket.held.max(bumped);
    }

    fn merged(&self, other: &Self) -> Self {
        let line = self.line.merged(&other.line);
        let mut buckets = BTreeMap::new();
        for &key in self.buckets.keys().chain(other.buckets.keys()) {
            let empty = Bucket::default();
            let own = self.buckets.get(&key).unwrap_or(&empty);
            let others = other.buckets.get(&key).unwrap_or(&empty);
            buckets.insert(key, own.merged(others, key, &line));
        }
        Self {
            buckets,
            line,
            pace: self.pace.merged(&other.pace),
        }
    }
}

/// The largest input of a size bucket ([`Ticket::bucket_of`]), in bytes.
#[must_use]
pub const fn largest(bucket: u8) -> u64 {
    match bucket {
        0..=63 => 1 << bucket,
        64.. => u64::MAX,
    }
}

/// What a quantile that is too low or too high costs; least for the true one.
fn pinball(estimate: f64, peak: u64) -> f64 {
    let over = as_f64(peak) - estimate;
    if over > 0.0 {
        COVER * over
    } else {
        (COVER - 1.0) * over
    }
}
