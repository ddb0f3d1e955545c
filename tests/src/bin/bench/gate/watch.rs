//! Looks at a run while it goes on: the memory of the groups by the kernel, the state of the workers by their heartbeats.
//!
//! Invariant: looking changes nothing, and costs every arm the same. Transitions of the gate are those of a worker's
//! level across `high`; a worker that tells no level has none.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::model::Level;

use super::memory::Gauge;
use super::plan::LIMIT_BYTES;
use crate::http::Client;
use crate::process;

/// Five looks in the shortest hold that matters.
const LOOK: Duration = Duration::from_millis(200);
/// Workers beat every two seconds; more looks than beats miss none.
const ASK: Duration = Duration::from_secs(1);
/// A group with less than this share in use has room for the largest task: 384 MiB less 200 MiB are 48 %.
const FREE_BELOW: f64 = 0.48;

/// What was seen while work was offered.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Mean anonymous memory as a share of the limits.
    pub(crate) utilisation: f64,
    /// The highest share of one group.
    pub(crate) peak: f64,
    /// Level transitions across `high` a minute, of all workers; `None` if no worker tells a level.
    pub(crate) transitions_per_minute: Option<f64>,
    /// Such transitions of the worker that had most of them.
    pub(crate) most_transitions: Option<u32>,
    /// Share of the time in which a worker took nothing although the largest task would have fit.
    pub(crate) closed_with_free_memory: f64,
}

/// Looks until told to stop.
pub(crate) fn watch(client: &Client, gauges: &[Gauge], stop: &AtomicBool) -> Result<Seen> {
    let began = Instant::now();
    let mut sums = Sums::default();
    let mut asked: Option<Instant> = None;
    while !stop.load(Ordering::Acquire) {
        let shares = gauges
            .iter()
            .map(|gauge| Ok(share(gauge.anonymous()?)))
            .collect::<Result<Vec<f64>>>()?;
        sums.memory(&shares);
        if asked.is_none_or(|at| at.elapsed() >= ASK) {
            asked = Some(Instant::now());
            // A coordinator too busy to answer tells nothing; that shows elsewhere.
            if let Ok(answer) = client.json("/api/workers") {
                sums.workers(&answer, &shares);
            }
        }
        process::pause(LOOK);
    }
    Ok(sums.seen(began.elapsed()))
}

/// What one worker told.
#[derive(Default)]
struct Levels {
    /// Whether it was at least high, by its last word.
    is_high: bool,
    transitions: u32,
}

#[derive(Default)]
struct Sums {
    looks: u32,
    utilisation: f64,
    peak: f64,
    /// By worker id.
    levels: HashMap<String, Levels>,
    asked: u32,
    closed: u32,
}

impl Sums {
    fn memory(&mut self, shares: &[f64]) {
        for share in shares {
            self.looks += 1;
            self.utilisation += share;
            self.peak = self.peak.max(*share);
        }
    }

    /// Workers are called `member-1` and so on, in the order of the groups.
    fn workers(&mut self, answer: &Value, shares: &[f64]) {
        for worker in answer["workers"].as_array().into_iter().flatten() {
            let host = worker["host"].as_str().unwrap_or_default();
            let number = host.strip_prefix("member-").and_then(|n| n.parse().ok());
            let Some(share) = number.and_then(|n: usize| shares.get(n.checked_sub(1)?)) else {
                continue;
            };
            if worker["state"] == "lost" {
                continue;
            }
            self.asked += 1;
            self.closed += u32::from(worker["state"] == "gated" && *share < FREE_BELOW);
            self.level(worker);
        }
    }

    fn level(&mut self, worker: &Value) {
        let named = |level: &Level| worker["level"] == level.as_str();
        let Some(level) = Level::ALL.into_iter().find(named) else {
            return;
        };
        let is_high = level >= Level::High;
        let id = worker["worker_id"].as_str().unwrap_or_default();
        let levels = self.levels.entry(id.to_owned()).or_default();
        levels.transitions += u32::from(levels.is_high != is_high);
        levels.is_high = is_high;
    }

    fn seen(&self, length: Duration) -> Seen {
        let minutes = length.as_secs_f64() / 60.0;
        let transitions = || self.levels.values().map(|levels| levels.transitions);
        let most_transitions = transitions().max();
        Seen {
            utilisation: self.utilisation / f64::from(self.looks.max(1)),
            peak: self.peak,
            transitions_per_minute: most_transitions
                .map(|_| f64::from(transitions().sum::<u32>()) / minutes),
            most_transitions,
            closed_with_free_memory: f64::from(self.closed) / f64::from(self.asked.max(1)),
        }
    }
}

fn share(bytes: u64) -> f64 {
    let mib = |bytes: u64| f64::from(u32::try_from(bytes >> 10).unwrap_or(u32::MAX));
    mib(bytes) / mib(LIMIT_BYTES)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(level: &Value, state: &str) -> Value {
        json!({"workers": [{"worker_id": "w", "host": "member-2", "state": state, "level": level}]})
    }

    #[test]
    fn only_crossings_of_high_are_transitions() {
        let mut sums = Sums::default();
        for level in [
            "normal", "elevated", "high", "critical", "high", "elevated", "high",
        ] {
            sums.workers(&answer(&json!(level), "ready"), &[0.5, 0.5]);
        }
        let seen = sums.seen(Duration::from_mins(1));
        assert_eq!(seen.transitions_per_minute, Some(3.0));
        assert_eq!(seen.most_transitions, Some(3));
    }

    #[test]
    fn a_worker_without_a_level_has_no_transitions_but_may_be_closed() {
        let mut sums = Sums::default();
        sums.workers(&answer(&Value::Null, "gated"), &[0.9, 0.2]);
        sums.workers(&answer(&Value::Null, "gated"), &[0.1, 0.9]);
        let seen = sums.seen(Duration::from_mins(1));
        assert_eq!(seen.transitions_per_minute, None);
        assert!((seen.closed_with_free_memory - 0.5).abs() < 1e-9);
    }
}
