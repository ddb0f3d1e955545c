//! How many workers the work needs.
//!
//! Little's law: work that arrives at a rate l and stays for d seconds keeps
//! l*d tasks in flight. With c cores and m bytes per task of a type
//!
//! ```text
//! workers = ceil(max( sum l*d*c / (0.7 * cores),
//!                     sum l*d*m / (0.8 * memory),
//!                     sum l*d   / slots ))
//! ```
//!
//! The three sums are computed for every minute of the series, and their 95th
//! percentile counts: types seldom peak in the same minute, so the sum of
//! their own percentiles would ask for more than was ever needed.
//!
//! Invariant: the same rows give the same plan. Where there is no data the
//! answer says so: confidence none, and the present number of workers.
//!
//! Deliberately absent: reading the series, starting workers, and the limits
//! of what more workers can do (contention is not modelled).

mod forecast;
mod load;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use forecast::{Hour, Now, Usual};

use load::{Need, load, mix, needs, unknown};

/// Processors are planned to be used this much on average.
const CPU_TARGET: f64 = 0.7;
/// Memory is planned to be used this much.
const MEMORY_TARGET: f64 = 0.8;
/// Of the minutes, this share is served without waiting.
const PERCENTILE: f64 = 0.95;
/// Fewer minutes than this say nothing.
const LEAST_MINUTES: usize = 10;
/// An hour shows the present, not the day.
const MEDIUM_MINUTES: usize = 60;
/// A day shows its own peaks.
const HIGH_MINUTES: usize = 24 * 60;
/// No plan asks for more; a figure beyond it is a fault in the series.
const MOST_WORKERS: f64 = 1e6;

/// What one type did in one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypeMinute {
    /// Tasks that became ready.
    pub arrivals: u64,
    /// Tasks that ended; the means below are theirs.
    pub finished: u64,
    /// Mean run time in seconds.
    pub seconds: f64,
    /// Mean processors in use while running.
    pub cores: f64,
    /// Mean memory of a task, in bytes.
    pub bytes: f64,
}

/// One minute of the fleet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Minute {
    /// Minutes since 1970.
    pub minute: i64,
    /// By workflow type; a type that is not named had no arrivals.
    pub types: BTreeMap<String, TypeMinute>,
}

/// What there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Room {
    /// Workers that are there.
    pub workers: u32,
    /// Effective cores of a worker, on average.
    pub cores: f64,
    /// Memory limit of a worker in bytes, on average.
    pub bytes: f64,
    /// Slots of a worker, on average.
    pub slots: f64,
}

impl Room {
    /// The fleet of these workers, each (cores, memory limit in bytes, slots).
    #[must_use]
    pub fn of(workers: &[(f64, f64, f64)]) -> Self {
        let count = u32::try_from(workers.len()).unwrap_or(u32::MAX);
        let mean = |get: fn(&(f64, f64, f64)) -> f64| {
            workers.iter().map(get).sum::<f64>() / f64::from(count.max(1))
        };
        Self {
            workers: count,
            cores: mean(|worker| worker.0),
            bytes: mean(|worker| worker.1),
            slots: mean(|worker| worker.2),
        }
    }
}

/// What a number of workers is made of: each term in workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// For the processors.
    pub cpu: f64,
    /// For the memory.
    pub memory: f64,
    /// For the slots.
    pub slots: f64,
}

impl Terms {
    fn most(&self) -> (Binding, f64) {
        let mut most = (Binding::None, 0.0);
        for (binding, term) in [
            (Binding::Cpu, self.cpu),
            (Binding::Memory, self.memory),
            (Binding::Slots, self.slots),
        ] {
            if term > most.1 {
                most = (binding, term);
            }
        }
        most
    }
}

/// Which term asks for most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Binding {
    /// The processors.
    Cpu,
    /// The memory.
    Memory,
    /// The slots.
    Slots,
    /// None: there is no work, or nothing is known.
    None,
}

/// How far a figure can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Not at all: there is no data.
    None,
    /// Some minutes, or types whose need is unknown.
    Low,
    /// An hour.
    Medium,
    /// A day.
    High,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// How many workers the work needs; at least one. Without data, those
    /// that are there.
    pub desired_workers: u32,
    /// The term that asks for most.
    pub binding: Binding,
    /// The need as a share of what is there, 1 being full to the target;
    /// `None` without workers or data.
    pub utilisation: Option<f64>,
    /// All terms.
    pub terms: Terms,
    /// The next 24 hours, as far as they are usual.
    pub forecast: Vec<Hour>,
    /// How far this can be trusted.
    pub confidence: Confidence,
    /// Minutes that it rests on.
    pub minutes: usize,
    /// Types that arrived and of which no task has ended: their need is not
    /// in the figures.
    pub unknown_types: Vec<String>,
    /// One sentence.
    pub note: String,
}

/// The plan for this series (any order, one row per minute) and this room.
/// `baseline` is what is usual, by hour of the week, for [`Now`].
#[must_use]
pub fn plan(series: &[Minute], room: &Room, now: Now, baseline: &[Option<Usual>]) -> Plan {
    let needs = needs(series);
    let unknown_types = unknown(series, &needs);
    let confidence = confidence(series.len(), room, &needs, &unknown_types);
    let per_minute: Vec<Terms> = series
        .iter()
        .map(|minute| load(minute, &needs).terms(room))
        .collect();
    if confidence == Confidence::None {
        return Plan {
            desired_workers: room.workers,
            binding: Binding::None,
            utilisation: None,
            terms: Terms::default(),
            forecast: Vec::new(),
            confidence,
            minutes: series.len(),
            note: why_nothing(series.len(), room),
            unknown_types,
        };
    }
    let terms = Terms {
        cpu: percentile(&per_minute, |terms| terms.cpu),
        memory: percentile(&per_minute, |terms| terms.memory),
        slots: percentile(&per_minute, |terms| terms.slots),
    };
    let (binding, most) = terms.most();
    let desired_workers = whole(most).max(1);
    Plan {
        desired_workers,
        binding,
        utilisation: (room.workers > 0).then(|| most / f64::from(room.workers)),
        terms,
        forecast: forecast::next_day(now, baseline, mix(series, &needs).terms(room)),
        confidence,
        minutes: series.len(),
        note: note(binding, desired_workers, room.workers),
        unknown_types,
    }
}

fn confidence(
    minutes: usize,
    room: &Room,
    needs: &BTreeMap<&str, Need>,
    unknown: &[String],
) -> Confidence {
    let measured = room.cores > 0.0 && room.bytes > 0.0 && room.slots > 0.0;
    // A quiet series is data too; work of which nothing is known is not.
    let blind = needs.is_empty() && !unknown.is_empty();
    if minutes < LEAST_MINUTES || !measured || blind {
        Confidence::None
    } else if minutes < MEDIUM_MINUTES || !unknown.is_empty() {
        Confidence::Low
    } else if minutes < HIGH_MINUTES {
        Confidence::Medium
    } else {
        Confidence::High
    }
}

fn why_nothing(minutes: usize, room: &Room) -> String {
    if room.workers == 0 {
        "no worker is there to measure the work by: start one".to_owned()
    } else if minutes < LEAST_MINUTES {
        format!("only {minutes} minutes are known: ask again after {LEAST_MINUTES}")
    } else {
        "work arrives, and none of it has ended yet".to_owned()
    }
}

fn note(binding: Binding, desired: u32, present: u32) -> String {
    let what = match binding {
        Binding::Cpu => "the processors bind",
        Binding::Memory => "the memory binds",
        Binding::Slots => "the slots bind",
        Binding::None => return "no work arrives: one worker is enough".to_owned(),
    };
    match desired.cmp(&present) {
        std::cmp::Ordering::Greater => format!("{what}: add {} workers", desired - present),
        std::cmp::Ordering::Equal => format!("{what}: the number of workers fits"),
        std::cmp::Ordering::Less => {
            format!("{what}: {} workers could be spared", present - desired)
        }
    }
}

/// The nearest rank.
fn percentile(all: &[Terms], get: fn(&Terms) -> f64) -> f64 {
    let mut values: Vec<f64> = all.iter().map(get).collect();
    values.sort_by(f64::total_cmp);
    let count = u32::try_from(values.len()).unwrap_or(u32::MAX);
    let rank = whole(PERCENTILE * f64::from(count)) as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// Rounds up, within what a plan may ask for.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=1e6 in the line itself"
)]
fn whole(workers: f64) -> u32 {
    // What is a hair above a whole number is that number: sums of fractions
    // must not cost a worker.
    (workers - 1e-9).ceil().clamp(0.0, MOST_WORKERS) as u32
}
