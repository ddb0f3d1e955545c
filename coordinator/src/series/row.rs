//! The rows: the fleet's and a worker's.
//!
//! Invariant: pure, and never larger than a store takes: what a fleet of very
//! many types did is told in sum rather than not at all. Members have defaults,
//! because rows outlive versions.

use std::{collections::BTreeMap, time::Duration};

use resources::plan::{Minute, TypeMinute};
use serde::{Deserialize, Serialize};
use shared::{
    model::{HealthState, Json, Priority, Stamp, TypeName},
    store::{
        query::{Readiness, Tally, Totals},
        verbs::SeriesRow,
    },
};

use crate::fleet::{Fleet, Member};

/// Microseconds of a minute.
const MINUTE: i64 = 60_000_000;

/// The beginning of the minute of a time.
pub(crate) const fn minute_of(at: Stamp) -> Stamp {
    Stamp::from_micros(at.micros().div_euclid(MINUTE) * MINUTE)
}

/// The fleet in one minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct FleetRow {
    /// Workers that live.
    pub(crate) workers: u32,
    /// Of these, those that take work.
    pub(crate) working: u32,
    pub(crate) slots_used: u32,
    pub(crate) slots_limit: u32,
    pub(crate) slots_cap: u32,
    /// Mean use of memory and processors, shares.
    pub(crate) memory: Option<f64>,
    pub(crate) cpu: Option<f64>,
    /// The level of the hardest pressed worker, 0 to 4.
    pub(crate) level: u8,
    /// The health of the least well one.
    pub(crate) health: Option<f64>,
    /// Tasks that ran and waited when the row was written.
    pub(crate) in_flight: u32,
    pub(crate) pending: u64,
    /// Tasks that arrived and ended, in so many seconds.
    pub(crate) arrivals: u64,
    pub(crate) finished: u64,
    pub(crate) over_s: f64,
    /// Mean run time of what ended.
    pub(crate) run_s: Option<f64>,
    /// By type.
    pub(crate) types: BTreeMap<String, TypeMinute>,
    /// By `<type>.<priority>`: arrived, ended.
    pub(crate) routes: BTreeMap<String, [u64; 2]>,
    /// Types and routes that did not fit into the row.
    pub(crate) left_out: usize,
}

/// One worker in one minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct WorkerRow {
    state: Option<Readiness>,
    /// 0 to 4.
    level: Option<u8>,
    health: Option<f64>,
    memory: Option<f64>,
    cpu: Option<f64>,
    disk: Option<f64>,
    process_bytes: u64,
    slots_used: u32,
    slots_limit: u32,
    in_flight: usize,
}

fn text_of(row: &impl Serialize) -> Json {
    let value = serde_json::to_value(row).expect("plain figures under plain names are JSON");
    Json::from_value(&value)
}

impl WorkerRow {
    pub(super) fn of(member: &Member, fleet: &Fleet) -> Self {
        let (state, report) = (&member.seen.state, &member.report);
        let known = report.known;
        Self {
            state: Some(fleet.readiness(member)),
            level: member.tells().then_some(state.level.rank()),
            health: health(member),
            memory: known.then_some(report.memory.utilisation),
            cpu: report.cpu.utilisation.filter(|_| known),
            disk: report.disk.map(|disk| disk.utilisation),
            process_bytes: state.memory_bytes,
            slots_used: state.slots.used,
            slots_limit: state.slots.limit,
            in_flight: state.running.len(),
        }
    }

    pub(super) fn text(&self) -> Json {
        text_of(self)
    }
}

fn health(member: &Member) -> Option<f64> {
    let state = &member.seen.state;
    (state.health_state != HealthState::Unknown).then_some(state.health)
}

impl FleetRow {
    pub(super) fn of(fleet: &Fleet, before: &Totals, now: &Totals, span: Duration) -> Self {
        let mut row = Self {
            over_s: span.as_secs_f64(),
            working: count(fleet.working()),
            ..Self::staff(fleet)
        };
        for (route, tally) in &now.by_route {
            let earlier = before.by_route.get(route).copied().unwrap_or_default();
            row.add(route, tally, &earlier);
        }
        row.needs(fleet, now);
        row
    }

    fn staff(fleet: &Fleet) -> Self {
        let mut row = Self::default();
        let (mut memory, mut cpu) = (Mean::default(), Mean::default());
        for member in fleet.live() {
            let (state, report) = (&member.seen.state, &member.report);
            row.workers += 1;
            row.slots_used += state.slots.used;
            row.slots_limit += state.slots.limit;
            row.slots_cap += state.slots.cap;
            row.level = row.level.max(state.level.rank());
            if report.known {
                memory.add(report.memory.utilisation, 1.0);
                report
                    .cpu
                    .utilisation
                    .into_iter()
                    .for_each(|it| cpu.add(it, 1.0));
            }
            row.health = match (row.health, health(member)) {
                (Some(least), Some(own)) => Some(least.min(own)),
                (known, own) => known.or(own),
            };
        }
        row.memory = memory.value();
        row.cpu = cpu.value();
        row
    }

    /// What arrived and ended on one route. Counters only grow; a store that
    /// lost them starts again, and that minute then counts for nothing.
    fn add(&mut self, route: &(TypeName, Priority), now: &Tally, before: &Tally) {
        let arrived = known(now).saturating_sub(known(before));
        let ended = ended(now).saturating_sub(ended(before));
        self.pending += now.pending;
        let running = u32::try_from(now.running).unwrap_or(u32::MAX);
        self.in_flight = self.in_flight.saturating_add(running);
        self.arrivals += arrived;
        self.finished += ended;
        if arrived + ended > 0 {
            let kind = self.types.entry(route.0.to_string()).or_default();
            kind.arrivals += arrived;
            kind.finished += ended;
            let name = format!("{}.{}", route.0, route.1);
            self.routes.insert(name, [arrived, ended]);
        }
    }

    /// What a run of each type takes: its time by the store, the rest by the
    /// workers that have learned it.
    fn needs(&mut self, fleet: &Fleet, totals: &Totals) {
        let mut runs = Mean::default();
        for (name, kind) in &mut self.types {
            let (mut cores, mut bytes, mut seconds) =
                (Mean::default(), Mean::default(), Mean::default());
            let loads = fleet.live().flat_map(|member| &member.report.types);
            for load in loads.filter(|load| load.workflow_type.as_str() == name) {
                // A guess counts only where nobody knows better.
                let weight = if load.learned { 1.0 } else { 1e-6 };
                cores.add(load.cores, weight);
                bytes.add(number(load.bytes), weight);
                seconds.add(load.mean_ms / 1e3, weight);
            }
            let learned = name.parse().ok();
            let learned = learned.and_then(|name: TypeName| totals.expected_run.get(&name));
            let learned = learned.map(Duration::as_secs_f64);
            kind.seconds = learned.or_else(|| seconds.value()).unwrap_or_default();
            kind.cores = cores.value().unwrap_or_default();
            kind.bytes = bytes.value().unwrap_or_default();
            runs.add(kind.seconds, number(kind.finished));
        }
        self.run_s = runs.value();
    }

    /// What arrived, by the minute.
    pub(crate) fn arrivals_per_minute(&self) -> f64 {
        number(self.arrivals) * self.scale()
    }

    fn scale(&self) -> f64 {
        if self.over_s > 0.0 {
            60.0 / self.over_s
        } else {
            0.0
        }
    }

    /// The row as a plan reads it.
    pub(crate) fn minute(self, at: Stamp) -> Minute {
        let scale = self.scale();
        let types = self.types.into_iter().map(|(name, kind)| {
            let scaled = TypeMinute {
                arrivals: scaled(kind.arrivals, scale),
                ..kind
            };
            (name, scaled)
        });
        Minute {
            minute: at.micros().div_euclid(MINUTE),
            types: types.collect(),
        }
    }

    /// As it is stored: routes go first, then the types with the least to tell.
    pub(super) fn text(&self) -> Json {
        let text = text_of(self);
        if text.as_str().len() <= SeriesRow::LONGEST {
            return text;
        }
        let mut short = self.clone();
        short.left_out += short.routes.len();
        short.routes.clear();
        let mut least: Vec<(u64, String)> = short
            .types
            .iter()
            .map(|(name, kind)| (kind.arrivals + kind.finished, name.clone()))
            .collect();
        least.sort_unstable();
        for (_, name) in least {
            let text = text_of(&short);
            if text.as_str().len() <= SeriesRow::LONGEST {
                return text;
            }
            short.types.remove(&name);
            short.left_out += 1;
        }
        text_of(&short)
    }
}

fn count<T>(all: impl Iterator<Item = T>) -> u32 {
    u32::try_from(all.count()).unwrap_or(u32::MAX)
}

/// Every task of a route that was ever accepted, and every retry.
const fn known(tally: &Tally) -> u64 {
    tally.pending + tally.running + ended(tally)
}

const fn ended(tally: &Tally) -> u64 {
    tally.completed + tally.failed + tally.cancelled
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and bytes far below 2^53"
)]
const fn number(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count that was scaled by a share of a minute"
)]
fn scaled(count: u64, scale: f64) -> u64 {
    (number(count) * scale).round() as u64
}

/// A weighted mean.
#[derive(Clone, Copy, Default)]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, value: f64, weight: f64) {
        if value.is_finite() {
            self.sum += value * weight;
            self.weight += weight;
        }
    }

    fn value(self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(counts: &[(&str, u64, u64)]) -> Totals {
        let tally = |pending, completed| Tally {
            pending,
            completed,
            ..Tally::default()
        };
        let by_route = counts.iter().map(|(name, pending, completed)| {
            let key = (name.parse().unwrap(), Priority::Medium);
            (key, tally(*pending, *completed))
        });
        Totals {
            by_route: by_route.collect(),
            ..Totals::default()
        }
    }

    fn row(before: &Totals, now: &Totals, seconds: u64) -> FleetRow {
        FleetRow::of(&Fleet::default(), before, now, Duration::from_secs(seconds))
    }

    #[test]
    fn what_arrived_is_the_difference_whatever_became_of_it() {
        let before = totals(&[("a", 5, 10)]);
        let now = totals(&[("a", 2, 17), ("b", 1, 0)]);
        let row = row(&before, &now, 30);
        assert_eq!((row.arrivals, row.finished, row.pending), (5, 7, 3));
        assert_eq!(row.routes["a.medium"], [4, 7]);
        assert!((row.arrivals_per_minute() - 10.0).abs() < 1e-9);
        let minute = row.minute(Stamp::from_micros(3 * MINUTE));
        assert_eq!((minute.minute, minute.types["a"].arrivals), (3, 8));
    }

    #[test]
    fn counters_that_start_again_count_for_nothing() {
        let row = row(&totals(&[("a", 5, 10)]), &totals(&[("a", 1, 0)]), 60);
        assert_eq!((row.arrivals, row.finished), (0, 0));
    }

    #[test]
    fn a_row_of_very_many_types_still_fits_and_keeps_the_busiest() {
        let names: Vec<String> = (0..400)
            .map(|n| format!("a.rather.long.name.{n}"))
            .collect();
        let counts: Vec<(&str, u64, u64)> = names
            .iter()
            .zip(1..)
            .map(|(name, n)| (name.as_str(), n, 0))
            .collect();
        let all = row(&Totals::default(), &totals(&counts), 60);
        let text = all.text();
        assert!(text.as_str().len() <= SeriesRow::LONGEST);
        let read: FleetRow = serde_json::from_str(text.as_str()).unwrap();
        assert_eq!(read.arrivals, 400 * 401 / 2);
        assert!(read.types.contains_key("a.rather.long.name.399"));
        assert_eq!(read.left_out, 800 - read.types.len());
    }

    #[test]
    fn a_minute_begins_where_it_begins_also_before_1970() {
        assert_eq!(minute_of(Stamp::from_micros(MINUTE + 1)).micros(), MINUTE);
        assert_eq!(minute_of(Stamp::from_micros(-1)).micros(), -MINUTE);
    }
}
