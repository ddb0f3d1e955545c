//! A worker as the API shows it.
//!
//! Invariant: the members of the contract are always there; figures that a
//! worker does not give are null, never guessed.

use std::collections::BTreeMap;

use resources::report::{Cpu as SaidCpu, Disk, Forecast, Memory as SaidMemory, Pressure, Report};
use serde::Serialize;
use shared::{
    model::{HealthState, Level, ProfileName, Stamp, TaskId, TypeName, WorkerId},
    store::{
        query::{Readiness, Slots},
        verbs::WorkerOrders,
    },
};

use crate::fleet::{Fleet, Member};

/// One worker.
#[derive(Debug, Serialize)]
pub(in crate::api) struct Worker<'a> {
    #[serde(rename = "worker_id")]
    id: &'a WorkerId,
    host: &'a str,
    version: &'a str,
    started_at: Stamp,
    last_heartbeat_at: Stamp,
    state: Readiness,
    profile: Option<ProfileName>,
    level: Option<Level>,
    slots: Slots,
    memory: Memory,
    cpu: Cpu,
    health: Option<Health<'a>>,
    types: &'a [TypeName],
    running: &'a [TaskId],
    gate: Option<&'a str>,
    /// What was ordered of it.
    orders: Option<&'a WorkerOrders>,
    #[serde(flatten)]
    told: Option<Told<'a>>,
}

#[derive(Debug, Serialize)]
struct Memory {
    process_bytes: u64,
    total_bytes: u64,
    used_bytes: Option<u64>,
    limit_bytes: Option<u64>,
    utilisation: Option<f64>,
    high_bytes: Option<u64>,
    critical_bytes: Option<u64>,
    hard_bytes: Option<u64>,
    reserved_bytes: Option<u64>,
    room_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Cpu {
    process_cores: f64,
    utilisation: Option<f64>,
    cores: Option<f64>,
    throttled: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Health<'a> {
    score: f64,
    status: HealthState,
    components: &'a BTreeMap<String, f64>,
}

/// What only a worker with a monitor tells.
#[derive(Debug, Serialize)]
struct Told<'a> {
    known: bool,
    disk: Option<Disk>,
    pressure: Pressure,
    levels: &'a BTreeMap<String, Level>,
    level_for_ms: u64,
    forecast: Option<&'a Forecast>,
    features: Vec<Feature<'a>>,
    shortages: &'a [resources::report::Shortage],
    loads: &'a [resources::report::TypeLoad],
    evidence: &'a serde_json::Value,
    monitor: Monitor,
}

#[derive(Debug, Serialize)]
struct Feature<'a> {
    #[serde(flatten)]
    said: &'a resources::report::Feature,
    until: Option<Stamp>,
}

#[derive(Debug, Serialize)]
struct Monitor {
    cpu_ms: f64,
    sample_every_ms: u64,
}

impl<'a> Worker<'a> {
    pub(in crate::api) fn of(member: &'a Member, fleet: &'a Fleet) -> Self {
        let (seen, report) = (&member.seen, &member.report);
        let state = &seen.state;
        let tells = member.tells();
        let known = report.known;
        Self {
            id: member.id(),
            host: &state.host,
            version: &state.version,
            started_at: state.started_at,
            last_heartbeat_at: seen.last_heartbeat_at,
            state: fleet.readiness(member),
            profile: tells.then_some(state.profile),
            level: tells.then_some(state.level),
            slots: state.slots,
            memory: Memory {
                process_bytes: state.memory_bytes,
                total_bytes: state.memory_total_bytes,
                ..Memory::of(known.then_some(&report.memory))
            },
            cpu: Cpu {
                process_cores: state.cpu_cores,
                ..Cpu::of(known.then_some(&report.cpu))
            },
            health: tells.then_some(Health {
                score: state.health,
                status: state.health_state,
                components: &report.health,
            }),
            types: &state.types,
            running: &state.running,
            gate: tells.then_some(report.gate.as_str()),
            orders: fleet.orders.workers.get(member.id()),
            told: tells.then(|| Told::of(report, seen.last_heartbeat_at)),
        }
    }
}

impl Memory {
    fn of(said: Option<&SaidMemory>) -> Self {
        Self {
            process_bytes: 0,
            total_bytes: 0,
            used_bytes: said.map(|it| it.used),
            limit_bytes: said.map(|it| it.limit),
            utilisation: said.map(|it| it.utilisation),
            high_bytes: said.map(|it| it.high),
            critical_bytes: said.map(|it| it.critical),
            hard_bytes: said.map(|it| it.hard),
            reserved_bytes: said.map(|it| it.reserved),
            room_bytes: said.map(|it| it.room),
        }
    }
}

impl Cpu {
    fn of(said: Option<&SaidCpu>) -> Self {
        Self {
            process_cores: 0.0,
            utilisation: said.and_then(|it| it.utilisation),
            cores: said.map(|it| it.cores),
            throttled: said.and_then(|it| it.throttled),
        }
    }
}

impl<'a> Told<'a> {
    fn of(report: &'a Report, heard: Stamp) -> Self {
        let until = |said: &resources::report::Feature| {
            let lasts = said.for_ms.map(std::time::Duration::from_millis);
            lasts.map(|lasts| heard.after(lasts))
        };
        Self {
            known: report.known,
            disk: report.disk,
            pressure: report.pressure,
            levels: &report.levels,
            level_for_ms: report.level_for_ms,
            forecast: report.forecast.as_ref(),
            features: report
                .features
                .iter()
                .map(|said| Feature {
                    said,
                    until: until(said),
                })
                .collect(),
            shortages: &report.shortages,
            loads: &report.types,
            evidence: &report.evidence,
            monitor: Monitor {
                cpu_ms: report.monitor_cpu_ms,
                sample_every_ms: report.sample_every_ms,
            },
        }
    }
}
