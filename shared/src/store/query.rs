//! What the store shows to those who only look.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::model::{
    HealthState, Level, Priority, ProfileName, RetryPolicy, Stamp, Status, TaskId, TaskView,
    TenantId, TypeName, WorkerId,
};

/// Which tasks to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskQuery {
    /// Whose.
    pub tenant: TenantId,
    /// Only with this status.
    pub status: Option<Status>,
    /// Only of this type.
    pub workflow_type: Option<TypeName>,
    /// Only of this priority.
    pub priority: Option<Priority>,
    /// Only with all of these labels.
    pub labels: BTreeMap<String, String>,
    /// At most this many, at least 1.
    pub limit: u32,
    /// Continue after an earlier page.
    pub cursor: Option<Cursor>,
}

/// Where a page ended: the acceptance number of its last task. Numbers only
/// ever grow, so tasks that arrive meanwhile do not shift later pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub u64);

/// One page of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Newest first, without results.
    pub items: Vec<TaskView>,
    /// Present if there may be more.
    pub next: Option<Cursor>,
}

/// One workflow type as a worker announces it. Stores hold what older and
/// newer versions wrote: a member that is added has a default, and one that is
/// not known is passed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TypeInfo {
    /// Its name.
    pub name: TypeName,
    /// A short name for people.
    pub title: String,
    /// One or two sentences.
    pub description: String,
    /// JSON Schema (2020-12) of its input.
    pub input_schema: serde_json::Value,
    /// An input that is valid as it stands.
    #[serde(default)]
    pub example: serde_json::Value,
    /// Members that a submission's input receives where it does not name them.
    #[serde(default)]
    pub defaults: serde_json::Value,
    /// The retry policy of submissions that do not name one.
    pub retry: RetryPolicy,
    /// The timeout of submissions that do not name one, in milliseconds.
    pub timeout_ms: u64,
    /// The priority of submissions that do not name one.
    pub priority: Priority,
    /// A first guess of its run time, in milliseconds.
    #[serde(default)]
    pub estimated_duration_ms: u64,
    /// `light`, `cpu` or `memory`.
    #[serde(default)]
    pub resource_class: String,
    /// `essential`, `standard`, `advanced` or `experimental`.
    #[serde(default)]
    pub feature_category: String,
}

/// Whether a worker takes work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Readiness {
    /// It takes what its gate admits.
    Ready,
    /// Its gate admits nothing now.
    Gated,
    /// It finishes what it has and takes nothing new.
    Draining,
    /// It has not been heard of for longer than a lease.
    Lost,
}

/// A worker's slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Slots {
    /// Occupied now.
    pub used: u32,
    /// How many it would fill now.
    pub limit: u32,
    /// How many it was given.
    pub cap: u32,
}

/// What a worker says of itself in every heartbeat. For its members the rule
/// of [`TypeInfo`] holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerState {
    /// The machine's name.
    pub host: String,
    /// The program's version.
    pub version: String,
    /// When this boot began, by the worker's clock.
    pub started_at: Stamp,
    /// Whether it takes work.
    pub readiness: Readiness,
    /// Its slots.
    pub slots: Slots,
    /// The types it serves.
    pub types: Vec<TypeName>,
    /// What it runs now.
    #[serde(default)]
    pub running: Vec<TaskId>,
    /// Resident memory of the process, in bytes.
    #[serde(default)]
    pub memory_bytes: u64,
    /// Memory of the machine, in bytes.
    #[serde(default)]
    pub memory_total_bytes: u64,
    /// CPU use of the process in cores, over the last beat.
    #[serde(default)]
    pub cpu_cores: f64,
    /// The profile that it goes by.
    #[serde(default)]
    pub profile: ProfileName,
    /// How hard pressed it is.
    #[serde(default)]
    pub level: Level,
    /// How well it goes, from 0 to 100; means nothing while `health_state` is
    /// unknown.
    #[serde(default)]
    pub health: f64,
    /// How well it goes, in one word.
    #[serde(default)]
    pub health_state: HealthState,
    /// Whatever else it says, as a JSON object of at most
    /// [`Beat::MOST_DETAIL`](super::verbs::Beat::MOST_DETAIL) bytes: figures,
    /// features, shortages. No store reads it.
    #[serde(default)]
    pub detail: serde_json::Value,
}

/// A worker as the store knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerView {
    /// Who.
    pub worker: WorkerId,
    /// What it said last.
    pub state: WorkerState,
    /// When it said it, by the store's clock.
    pub last_heartbeat_at: Stamp,
    /// How long ago that was, in milliseconds, by the store's clock.
    pub silent_ms: u64,
}

/// The figures of one type at one priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Pending now.
    pub pending: u64,
    /// Running now.
    pub running: u64,
    /// Committed since installation.
    pub completed: u64,
    /// Committed since installation.
    pub failed: u64,
    /// Committed since installation.
    pub cancelled: u64,
}

impl Tally {
    /// Adds another tally to this one.
    pub fn add(&mut self, other: &Self) {
        self.pending += other.pending;
        self.running += other.running;
        self.completed += other.completed;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
    }
}

/// The whole fleet in numbers, over all tenants. What is counted survives
/// retention, restarts and the end of workers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// By type and priority.
    pub by_route: BTreeMap<(TypeName, Priority), Tally>,
    /// Tasks accepted since installation.
    pub submitted: u64,
    /// Failed runs after which another attempt followed or will, since
    /// installation.
    pub retries: u64,
    /// Leases that ran out since installation.
    pub leases_lapsed: u64,
    /// Learned run time by type: a decayed mean. Absent before the first
    /// success of that type.
    pub expected_run: BTreeMap<TypeName, Duration>,
}

/// Percentiles of a duration, in milliseconds, over the last minutes; all
/// `None` when nothing finished then. From a histogram whose buckets grow by a
/// tenth: the true value lies within 10 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// The median.
    pub p50: Option<f64>,
    /// 95 of 100 were not longer.
    pub p95: Option<f64>,
    /// 99 of 100 were not longer.
    pub p99: Option<f64>,
}

/// A tenant's queue in numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// By type and priority.
    pub by_route: BTreeMap<(TypeName, Priority), Tally>,
    /// Age of the oldest pending task that may start, in milliseconds.
    pub oldest_pending_age_ms: Option<u64>,
    /// Runs that ended, per minute, averaged over the last five minutes.
    pub throughput_per_minute: f64,
    /// From acceptance to the first claim.
    pub wait_ms: Percentiles,
    /// From claim to commit.
    pub run_ms: Percentiles,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::verbs::Orders;
    use serde_json::{Value, json};

    /// What a newer version may have written: every object has a member more.
    fn newer(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.values_mut().for_each(newer);
                members.insert("of_a_newer_version".into(), json!({"n": 1}));
            }
            Value::Array(items) => items.iter_mut().for_each(newer),
            _ => {}
        }
    }

    #[test]
    fn what_a_newer_version_stored_is_read_and_what_an_older_one_did_too() {
        let state = json!({
            "host": "h", "version": "1", "started_at": "2026-11-23T03:01:02Z", "readiness": "ready",
            "slots": {"used": 1, "limit": 2, "cap": 3}, "types": ["t"]
        });
        let info = json!({
            "name": "t", "title": "", "description": "", "input_schema": true,
            "retry": {"max_attempts": 7}, "timeout_ms": 1, "priority": "low"
        });
        let spec = json!({
            "tenant": "default", "workflow_type": "t", "priority": "low",
            "retry": {"max_attempts": 7, "jitter": false}, "timeout_ms": 1, "correlation_id": "c"
        });
        for add in [false, true] {
            let read = |value: &Value| {
                let mut value = value.clone();
                if add {
                    newer(&mut value);
                }
                value.to_string()
            };
            let state: WorkerState = serde_json::from_str(&read(&state)).unwrap();
            assert_eq!((state.slots.cap, state.running.len()), (3, 0));
            assert_eq!(state.health_state, HealthState::Unknown);
            let info: TypeInfo = serde_json::from_str(&read(&info)).unwrap();
            assert_eq!(info.retry.max_attempts, 7);
            let spec: crate::model::TaskSpec = serde_json::from_str(&read(&spec)).unwrap();
            assert_eq!((spec.retry.max_attempts, spec.retry.jitter), (7, false));
            let orders = json!({"version": 3, "workers": {"w": {"drain": {"by": "x"}}}});
            let orders: Orders = serde_json::from_str(&read(&orders)).unwrap();
            assert_eq!((orders.version, orders.features.len()), (3, 0));
            let mode: crate::store::verbs::ModeState =
                serde_json::from_str(&read(&json!({"mode": "paused"}))).unwrap();
            assert!(!mode.mode.starts_work());
        }
    }
}
