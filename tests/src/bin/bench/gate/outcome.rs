//! What became of the offered tasks, by the store's own records, and the figures of it.
//!
//! Invariant: a task counts for goodput once, when it completed, in the phase during which it did. Latency runs from
//! the time at which a task was due, so a slow submission is the system's and not forgotten.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use shared::model::Stamp;

use super::mix::{Arrival, Class, Phase};
use super::offer::Sent;
use super::record::{Latency, PhaseFigures};
use crate::board::percentile;
use crate::http::Client;

/// What was offered, and when that began.
pub(crate) struct Offered<'a> {
    /// The start of the arrivals by the machine's clock, which is the store's as well.
    pub(crate) began: Stamp,
    /// The schedule.
    pub(crate) arrivals: &'a [Arrival],
    /// The accepted tasks by their id.
    pub(crate) sent: HashMap<String, Sent>,
}

/// A task as the store has it at the end.
pub(crate) struct State {
    id: String,
    /// `completed` and the like.
    status: String,
    /// Why it failed.
    code: Option<String>,
    submitted_us: i64,
    finished_us: Option<i64>,
}

/// The figures of a run that come from its tasks.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) latest_ms: f64,
    pub(crate) completed: u32,
    pub(crate) failed: BTreeMap<String, u32>,
    pub(crate) lost: u32,
    pub(crate) phases: Vec<PhaseFigures>,
    pub(crate) whole_per_s: f64,
    pub(crate) whole_s: f64,
    pub(crate) latency_ms: BTreeMap<Class, Latency>,
    pub(crate) critical_ms: Vec<f64>,
}

/// Every task that the store has.
pub(crate) fn final_states(client: &Client) -> Result<Vec<State>> {
    let mut states = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.json(&format!("/api/workflows/tasks?limit=1000{cursor}"))?;
        let items = page["items"].as_array().context("a page without items")?;
        for item in items {
            states.push(state(item)?);
        }
        let Some(next) = page["next_cursor"].as_str() else {
            return Ok(states);
        };
        cursor = format!("&cursor={next}");
    }
}

fn state(item: &Value) -> Result<State> {
    let text = |name: &str| item[name].as_str().map(ToOwned::to_owned);
    let submitted = text("submitted_at").context("a task without submitted_at")?;
    let finished = text("finished_at");
    Ok(State {
        id: text("task_id").context("a task without id")?,
        status: text("status").context("a task without status")?,
        code: item["error"]["code"].as_str().map(ToOwned::to_owned),
        submitted_us: micros(&submitted)?,
        finished_us: finished.as_deref().map(micros).transpose()?,
    })
}

fn micros(text: &str) -> Result<i64> {
    let time: jiff::Timestamp = text.parse().with_context(|| format!("read {text}"))?;
    Ok(time.as_microsecond())
}

/// Counts and measures.
pub(crate) fn figures(
    states: &[State],
    offered: &Offered<'_>,
    phases: &[Phase],
    scale: f64,
) -> Figures {
    let mut figures = Figures {
        phases: empty(phases, offered.arrivals, scale),
        ..Figures::default()
    };
    let by_id: HashMap<&str, &State> = states.iter().map(|one| (one.id.as_str(), one)).collect();
    let mut latencies: BTreeMap<Class, Vec<f64>> = BTreeMap::new();
    for (id, sent) in &offered.sent {
        figures.latest_ms = figures.latest_ms.max(ms(sent.late));
        let state = by_id.get(id.as_str());
        match state.map(|state| (state.status.as_str(), state.finished_us)) {
            Some(("completed", Some(finished))) => {
                figures.completed += 1;
                let arrival = &offered.arrivals[sent.arrival];
                let after = between(offered.began.micros(), finished);
                figures.whole_s = figures.whole_s.max(after.as_secs_f64());
                complete(&mut figures.phases, after, arrival);
                let submitted = state.map_or(finished, |state| state.submitted_us);
                let latency = ms(between(submitted, finished)) + ms(sent.late);
                latencies.entry(arrival.class).or_default().push(latency);
            }
            Some(("failed" | "cancelled", _)) => {
                let code = state.and_then(|state| state.code.clone());
                *figures.failed.entry(code.unwrap_or_default()).or_default() += 1;
            }
            // Also what was accepted and the store does not know.
            _ => figures.lost += 1,
        }
    }
    for phase in &mut figures.phases {
        phase.work /= phase.seconds;
    }
    figures.whole_per_s = f64::from(figures.completed) / figures.whole_s.max(f64::MIN_POSITIVE);
    figures.latency_ms = latencies
        .iter()
        .map(|(class, all)| (*class, latency(all)))
        .collect();
    figures.critical_ms = latencies.remove(&Class::Critical).unwrap_or_default();
    figures.critical_ms.sort_by(f64::total_cmp);
    figures
}

fn empty(phases: &[Phase], arrivals: &[Arrival], scale: f64) -> Vec<PhaseFigures> {
    let offered = |index| arrivals.iter().filter(|one| one.phase == index).count();
    phases
        .iter()
        .enumerate()
        .map(|(index, phase)| PhaseFigures {
            name: phase.name.to_owned(),
            seconds: phase.length.as_secs_f64() * scale,
            offered: u32::try_from(offered(index)).unwrap_or(u32::MAX),
            completed: 0,
            work: 0.0,
        })
        .collect()
}

/// Adds a completion to the phase in which it fell; after the last one it falls in none.
fn complete(phases: &mut [PhaseFigures], after: Duration, arrival: &Arrival) {
    let mut left = after.as_secs_f64();
    for phase in phases {
        if left < phase.seconds {
            phase.completed += 1;
            phase.work += arrival.demand();
            return;
        }
        left -= phase.seconds;
    }
}

fn latency(all: &[f64]) -> Latency {
    Latency {
        tasks: u32::try_from(all.len()).unwrap_or(u32::MAX),
        p50: percentile(all, 50),
        p99: percentile(all, 99),
    }
}

fn between(from_us: i64, to_us: i64) -> Duration {
    Duration::from_micros(u64::try_from(to_us - from_us).unwrap_or(0))
}

fn ms(length: Duration) -> f64 {
    length.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::mix::MIXED;

    const BEGAN: i64 = 1_000_000_000;

    fn offered(arrivals: &[Arrival]) -> Offered<'_> {
        let sent = |(index, _): (usize, &Arrival)| {
            let late = Duration::from_millis(7);
            let sent = Sent {
                arrival: index,
                late,
            };
            (index.to_string(), sent)
        };
        Offered {
            began: Stamp::from_micros(BEGAN),
            arrivals,
            sent: arrivals.iter().enumerate().map(sent).collect(),
        }
    }

    fn arrival(class: Class, phase: usize) -> Arrival {
        Arrival {
            at: Duration::ZERO,
            class,
            bytes: 10 << 20,
            phase,
        }
    }

    fn state(id: usize, status: &str, finished_s: Option<i64>) -> State {
        State {
            id: id.to_string(),
            status: status.to_owned(),
            code: (status == "failed").then(|| "worker_lost".to_owned()),
            submitted_us: BEGAN,
            finished_us: finished_s.map(|s| BEGAN + s * 1_000_000),
        }
    }

    #[test]
    fn every_offered_task_is_completed_failed_or_lost_and_counts_where_it_completed() {
        let arrivals = [
            arrival(Class::Critical, 0),
            arrival(Class::Excel, 0),
            arrival(Class::Excel, 1),
            arrival(Class::Excel, 2),
            arrival(Class::Excel, 2),
            arrival(Class::Standard, 2),
        ];
        let states = [
            state(0, "completed", Some(1)),
            state(1, "completed", Some(130)),
            state(2, "failed", Some(70)),
            state(3, "pending", None),
            // Number 4 is one that the store forgot; 5 came after all phases.
            state(5, "completed", Some(200)),
        ];
        let figures = figures(&states, &offered(&arrivals), &MIXED, 1.0);
        assert_eq!((figures.completed, figures.lost), (3, 2));
        assert_eq!(figures.failed, BTreeMap::from([("worker_lost".into(), 1)]));
        let completed: Vec<u32> = figures.phases.iter().map(|phase| phase.completed).collect();
        assert_eq!(completed, [1, 0, 1]);
        assert_eq!(figures.phases[2].offered, 3);
        assert!((figures.whole_s - 200.0).abs() < 1e-9);
        assert!((figures.critical_ms[0] - 1007.0).abs() < 1e-9);
    }
}
