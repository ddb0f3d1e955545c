//! What holds a worker, or the fleet, back, and what would help.
//!
//! [`Collector`] sums up what a worker sees into [`Evidence`], which travels
//! with its heartbeat; [`classify`] names the first cause that matches;
//! [`fleet`] judges several workers together. The reasons for which the gate
//! denied are the best evidence there is, and cost nothing.
//!
//! Invariant: the first match wins, in the order of [`Cause`]'s variants; the
//! same evidence gives the same finding.
//!
//! Deliberately absent: measuring, heartbeats and the store.

mod collect;
mod fleet;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::model::ProfileName;

use crate::profile::Profile;

pub use collect::{Collector, Observation};
pub use fleet::{Fleet, fleet, merge};

/// Held back by the quota in this share of its periods: the quota is too small.
const THROTTLED: f64 = 0.25;
/// A heartbeat this late, in milliseconds: tasks wait for a processor.
const LATE_MS: f64 = 50.0;
/// All tasks stall for input and output in this share of the time.
const IO_FULL: f64 = 0.10;
/// Below this share a resource has room for more tasks.
const ROOMY: f64 = 0.60;
/// Tasks that use the processor less than this wait for something outside.
const OUTSIDE: f64 = 0.30;
/// The slots bind from this share on: averages hardly reach the limit itself.
const BINDING: f64 = 0.90;
/// Fewer denials than this, decayed, are no evidence.
const SOME_DENIALS: f64 = 1.0;
/// Free slots should fill within this many seconds when work waits.
const FILL_S: f64 = 10.0;

/// What holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The processor quota.
    Throttled,
    /// Memory.
    Memory,
    /// The processors.
    Cpu,
    /// Input and output of the disk.
    Io,
    /// The number of slots, while every resource has room.
    Slots,
    /// Something that the tasks wait for outside the worker.
    Downstream,
    /// Slots are full and the resources well used: this is what it can do.
    Saturated,
    /// Slips arrive more slowly than the worker could take them.
    Broker,
    /// The gate holds work back for another reason, such as a feature that is
    /// off.
    Gate,
    /// There is no worker.
    NoWorkers,
    /// Nothing: there is no work waiting.
    Idle,
    /// Nothing that can be seen: work waits a little and flows.
    Flowing,
}

impl Cause {
    /// The cause's name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Io => "io",
            Self::Slots => "slots",
            Self::Downstream => "downstream",
            Self::Saturated => "saturated",
            Self::Broker => "broker",
            Self::Gate => "gate",
            Self::NoWorkers => "no_workers",
            Self::Idle => "idle",
            Self::Flowing => "flowing",
        }
    }
}

/// What a worker saw lately. Shares are 0 to 1; `None` is unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// Share of the quota's periods in which the worker was held back.
    pub throttled: Option<f64>,
    /// Use of memory.
    pub memory: Option<f64>,
    /// Share of time in which some task stalled for memory.
    pub memory_some: Option<f64>,
    /// Share of time in which all tasks did.
    pub memory_full: Option<f64>,
    /// Use of the processors.
    pub cpu: Option<f64>,
    /// 99th percentile of the heartbeat's lateness, in milliseconds.
    pub lateness_ms: Option<f64>,
    /// Share of time in which all tasks stalled for input and output.
    pub io_full: Option<f64>,
    /// The profile's threshold for `cpu`.
    pub cpu_high: f64,
    /// The profile's threshold for `memory_some`.
    pub pressure_some: f64,
    /// The profile's threshold for `memory_full`.
    pub pressure_full: f64,
    /// Slots in use, on average.
    pub slots_used: f64,
    /// The dynamic limit, on average.
    pub slots_limit: f64,
    /// The configured number.
    pub slots_cap: f64,
    /// Share of the running tasks' time in which they used a processor.
    pub busy: Option<f64>,
    /// Tasks that wait for a worker of this sort.
    pub waiting: f64,
    /// Tasks fetched per second.
    pub fetched_per_s: f64,
    /// Denials of the gate by resource, decayed over the last minutes.
    pub denied: BTreeMap<String, f64>,
    /// Grants of the gate, decayed alike.
    pub granted: f64,
}

impl Default for Evidence {
    fn default() -> Self {
        let t = Profile::preset(ProfileName::Balanced).thresholds;
        Self {
            throttled: None,
            memory: None,
            memory_some: None,
            memory_full: None,
            cpu: None,
            lateness_ms: None,
            io_full: None,
            cpu_high: t.cpu_high,
            pressure_some: t.pressure_some,
            pressure_full: t.pressure_full,
            slots_used: 0.0,
            slots_limit: 0.0,
            slots_cap: 0.0,
            busy: None,
            waiting: 0.0,
            fetched_per_s: 0.0,
            denied: BTreeMap::new(),
            granted: 0.0,
        }
    }
}

impl Evidence {
    /// The resource for which the gate denied most; the first by name of
    /// equals.
    #[must_use]
    pub fn top_denial(&self) -> Option<(&str, f64)> {
        let mut top: Option<(&str, f64)> = None;
        for (resource, count) in &self.denied {
            if *count >= SOME_DENIALS && top.is_none_or(|(_, most)| *count > most) {
                top = Some((resource, *count));
            }
        }
        top
    }

    fn denied_most_for(&self, resource: &str) -> bool {
        self.top_denial().is_some_and(|(top, _)| top == resource)
    }

    fn slots_bind(&self) -> bool {
        let full = self.slots_limit > 0.0 && self.slots_used >= BINDING * self.slots_limit;
        full && (self.waiting > 0.0 || self.denied_most_for("slots"))
    }

    fn has_room(&self) -> bool {
        let roomy = |value: Option<f64>| value.is_none_or(|value| value < ROOMY);
        roomy(self.memory) && roomy(self.cpu)
    }

    fn waits_outside(&self) -> bool {
        self.cpu.is_some_and(|cpu| cpu < OUTSIDE) && self.busy.is_some_and(|busy| busy < OUTSIDE)
    }
}

/// A number that a finding rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Its name, as in [`Evidence`].
    pub name: String,
    /// What it is.
    pub value: f64,
    /// What it is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
}

/// What holds back, why one thinks so, and what would help.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The cause.
    pub bottleneck: Cause,
    /// The numbers that it rests on.
    pub evidence: Vec<Fact>,
    /// One sentence.
    pub advice: String,
}

/// The first cause that matches.
#[must_use]
pub fn classify(e: &Evidence) -> Finding {
    let (bottleneck, evidence) = by_resource(e)
        .or_else(|| by_slots(e))
        .unwrap_or_else(|| by_flow(e));
    Finding {
        bottleneck,
        evidence,
        advice: advice(bottleneck, e),
    }
}

type Match = (Cause, Vec<Fact>);

fn by_resource(e: &Evidence) -> Option<Match> {
    let over = |value: Option<f64>, limit: f64| value.is_some_and(|value| value >= limit);
    if over(e.throttled, THROTTLED) {
        return Some((
            Cause::Throttled,
            facts(&[("throttled", e.throttled, Some(THROTTLED))], e),
        ));
    }
    let stalls = over(e.memory_some, e.pressure_some) || over(e.memory_full, e.pressure_full);
    if stalls || e.denied_most_for("memory") {
        let named = [
            ("memory_some", e.memory_some, Some(e.pressure_some)),
            ("memory_full", e.memory_full, Some(e.pressure_full)),
            ("memory", e.memory, None),
        ];
        return Some((Cause::Memory, facts(&named, e)));
    }
    let crowded = over(e.cpu, e.cpu_high) && over(e.lateness_ms, LATE_MS);
    if crowded || e.denied_most_for("cpu") {
        let named = [
            ("cpu", e.cpu, Some(e.cpu_high)),
            ("lateness_ms", e.lateness_ms, Some(LATE_MS)),
        ];
        return Some((Cause::Cpu, facts(&named, e)));
    }
    over(e.io_full, IO_FULL).then(|| {
        (
            Cause::Io,
            facts(&[("io_full", e.io_full, Some(IO_FULL))], e),
        )
    })
}

fn by_slots(e: &Evidence) -> Option<Match> {
    if !e.slots_bind() {
        return None;
    }
    let outside = e.waits_outside();
    // Tasks that wait outside leave resources free as well: they are told
    // apart, because more slots press harder on whatever they wait for.
    let cause = match (outside, e.has_room()) {
        (true, _) => Cause::Downstream,
        (false, true) => Cause::Slots,
        (false, false) => Cause::Saturated,
    };
    let limit = outside.then_some(OUTSIDE).or(Some(ROOMY));
    let named = [
        ("slots_used", Some(e.slots_used), Some(e.slots_limit)),
        ("waiting", Some(e.waiting), None),
        ("cpu", e.cpu, limit),
        ("memory", e.memory, Some(ROOMY)),
        ("busy", e.busy, Some(OUTSIDE)),
    ];
    Some((cause, facts(&named, e)))
}

fn by_flow(e: &Evidence) -> Match {
    let free = (e.slots_limit - e.slots_used).max(0.0);
    let wanted = free.min(e.waiting) / FILL_S;
    let named = [
        ("waiting", Some(e.waiting), None),
        ("slots_used", Some(e.slots_used), Some(e.slots_limit)),
        ("fetched_per_s", Some(e.fetched_per_s), Some(wanted)),
    ];
    // Less than half a task on average is none.
    let cause = if e.waiting < 0.5 {
        Cause::Idle
    } else if e.top_denial().is_some() {
        Cause::Gate
    } else if e.slots_used < BINDING * e.slots_limit && e.fetched_per_s < wanted {
        Cause::Broker
    } else {
        Cause::Flowing
    };
    (cause, facts(&named, e))
}

/// The known ones of these numbers, and the denials.
fn facts(named: &[(&str, Option<f64>, Option<f64>)], e: &Evidence) -> Vec<Fact> {
    let denials = e
        .denied
        .iter()
        .filter(|(_, count)| **count >= SOME_DENIALS)
        .map(|(resource, count)| Fact {
            name: format!("denied.{resource}"),
            value: *count,
            limit: None,
        });
    named
        .iter()
        .filter_map(|(name, value, limit)| {
            Some(Fact {
                name: (*name).to_owned(),
                value: (*value)?,
                limit: *limit,
            })
        })
        .chain(denials)
        .collect()
}

fn advice(cause: Cause, e: &Evidence) -> String {
    let text = match cause {
        Cause::Throttled => "raise the processor quota of the worker, or lower its concurrency",
        Cause::Memory => "give the worker more memory, or add workers",
        Cause::Cpu => "give the worker more processors, or add workers",
        Cause::Io => "put the work folder on a faster disk, or lower the concurrency",
        Cause::Slots if e.slots_limit < BINDING * e.slots_cap => {
            "wait: the limit is still rising after an incident, and every resource has room"
        }
        Cause::Slots => "raise --concurrency: every resource has room",
        Cause::Downstream => {
            "look at what the tasks wait for; more workers would only press harder on it"
        }
        Cause::Saturated => "add workers: this one is full and well used",
        Cause::Broker => "look at the broker and its network: slips arrive too slowly",
        Cause::Gate => {
            return match e.top_denial() {
                Some((resource, _)) => format!(
                    "look at the features, profile and workers: most tasks are held back for `{resource}`"
                ),
                None => "look at the features and the profile".to_owned(),
            };
        }
        Cause::NoWorkers => "start a worker",
        Cause::Idle => "nothing to do: no work waits",
        Cause::Flowing => "nothing to do: work flows",
    };
    text.to_owned()
}
