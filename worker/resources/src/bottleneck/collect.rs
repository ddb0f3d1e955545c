//! Sums up what a worker sees.
//!
//! Invariant: bounded by the number of the gate's resources, and a function of
//! what it was told.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::Evidence;
use crate::{profile::Thresholds, sample::Measured};

/// Figures are averaged over about this time: a bottleneck lasts.
const AVERAGED: Duration = Duration::from_secs(10);
/// After this time a denial counts half.
const HALF_LIFE: Duration = Duration::from_mins(2);

/// What a worker sees at one tick.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// Now.
    pub at: Duration,
    /// The measurement.
    pub measured: &'a Measured,
    /// The profile's thresholds.
    pub thresholds: &'a Thresholds,
    /// Slots in use.
    pub slots_used: u32,
    /// The dynamic limit.
    pub slots_limit: u32,
    /// The configured number.
    pub slots_cap: u32,
    /// Share of the running tasks' time in which they used a processor.
    pub busy: Option<f64>,
    /// Tasks that wait for a worker of this sort, as far as it has heard.
    pub waiting: u32,
    /// Tasks fetched since the observation before.
    pub fetched: u32,
}

/// The sum so far.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Collector {
    seen: Option<Duration>,
    counted: Duration,
    figures: Evidence,
    denied: BTreeMap<&'static str, f64>,
    granted: f64,
}

impl Collector {
    /// A tick.
    pub fn observe(&mut self, now: &Observation<'_>) {
        let elapsed = self.seen.map(|seen| now.at.saturating_sub(seen));
        let part = elapsed.map_or(1.0, |elapsed| {
            1.0 - (-elapsed.as_secs_f64() / AVERAGED.as_secs_f64()).exp()
        });
        let blend = |old: &mut Option<f64>, new: Option<f64>| {
            *old = match (*old, new) {
                (Some(old), Some(new)) => Some(old + part * (new - old)),
                (None, new) => new,
                (Some(_), None) => None,
            };
        };
        let (f, m) = (&mut self.figures, now.measured);
        blend(&mut f.throttled, m.throttled);
        blend(&mut f.memory, Some(m.memory));
        blend(&mut f.memory_some, m.memory_some);
        blend(&mut f.memory_full, m.memory_full);
        blend(&mut f.cpu, m.cpu);
        let lateness = m.lateness_p99.map(|late| late.as_secs_f64() * 1000.0);
        blend(&mut f.lateness_ms, lateness);
        blend(&mut f.io_full, m.io_full);
        blend(&mut f.busy, now.busy);
        let average = |old: &mut f64, new: f64| *old += part * (new - *old);
        average(&mut f.slots_used, f64::from(now.slots_used));
        average(&mut f.slots_limit, f64::from(now.slots_limit));
        average(&mut f.waiting, f64::from(now.waiting));
        if let Some(elapsed) = elapsed.filter(|elapsed| !elapsed.is_zero()) {
            let rate = f64::from(now.fetched) / elapsed.as_secs_f64();
            average(&mut f.fetched_per_s, rate);
        }
        f.slots_cap = f64::from(now.slots_cap);
        f.cpu_high = now.thresholds.cpu_high;
        f.pressure_some = now.thresholds.pressure_some;
        f.pressure_full = now.thresholds.pressure_full;
        self.seen = Some(now.at);
    }

    /// The gate denied a task for want of this resource. To be told once per
    /// tick and route that was blocked, not once per question: a gate that is
    /// asked often has not more reason to deny.
    pub fn denied(&mut self, at: Duration, resource: &'static str) {
        self.decay(at);
        *self.denied.entry(resource).or_default() += 1.0;
    }

    /// The gate admitted a task.
    pub fn granted(&mut self, at: Duration) {
        self.decay(at);
        self.granted += 1.0;
    }

    /// What the heartbeat carries.
    #[must_use]
    pub fn evidence(&self, at: Duration) -> Evidence {
        let kept = self.kept(at);
        Evidence {
            denied: self
                .denied
                .iter()
                .map(|(resource, count)| ((*resource).to_owned(), count * kept))
                .collect(),
            granted: self.granted * kept,
            ..self.figures.clone()
        }
    }

    fn decay(&mut self, at: Duration) {
        let kept = self.kept(at);
        self.counted = self.counted.max(at);
        self.granted *= kept;
        for count in self.denied.values_mut() {
            *count *= kept;
        }
    }

    fn kept(&self, at: Duration) -> f64 {
        let elapsed = at.saturating_sub(self.counted);
        (-elapsed.as_secs_f64() / HALF_LIFE.as_secs_f64()).exp2()
    }
}
