//! Tasks, the queue and templates as the API shows them.
//!
//! Invariant: the members and their order are those of the contract.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use shared::{
    model::{
        AttemptRecord, Category, Priority, Progress, Stamp, Status, TaskError, TaskId, TaskView,
        TypeName, WaitingOn, WorkerId, waiting::Surroundings,
    },
    store::query::{Counts, Percentiles, Tally, TypeInfo},
};

use super::problem::{Code, Problem};
use crate::{catalogue::Kind, fleet::Fleet, submit::Labels};

/// One task.
#[derive(Debug, Serialize)]
pub(super) struct Task<'a> {
    #[serde(rename = "task_id")]
    id: TaskId,
    workflow_type: &'a TypeName,
    tenant: &'a str,
    priority: Priority,
    status: Status,
    waiting_on: Option<WaitingOn>,
    attempt: u32,
    max_attempts: u32,
    progress: Option<&'a Progress>,
    depends_on: &'a [TaskId],
    dependents: &'a [TaskId],
    submitted_at: Stamp,
    started_at: Option<Stamp>,
    finished_at: Option<Stamp>,
    worker_id: Option<&'a WorkerId>,
    correlation_id: &'a str,
    labels: &'a Labels,
    #[serde(skip_serializing_if = "Output::is_hidden")]
    result: Output,
    error: Option<&'a TaskError>,
    attempts: &'a [AttemptRecord],
}

/// The result of a task, where it is shown.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Output {
    /// Lists leave the member out.
    Hidden,
    /// There is none yet, or for ever: null.
    None(()),
    /// As the handler wrote it.
    Json(Box<RawValue>),
}

impl Output {
    const fn is_hidden(&self) -> bool {
        matches!(self, Self::Hidden)
    }
}

impl<'a> Task<'a> {
    /// A task of a list: without its result.
    pub(super) fn listed(task: &'a TaskView, fleet: &Fleet) -> Self {
        Self {
            id: task.id,
            workflow_type: &task.spec.workflow_type,
            tenant: task.spec.tenant.as_str(),
            priority: task.spec.priority,
            status: task.state.status(),
            waiting_on: waiting_on(task, fleet),
            attempt: task.attempt,
            max_attempts: task.spec.retry.max_attempts,
            progress: task.progress.as_ref(),
            depends_on: &task.spec.depends_on,
            dependents: &task.dependents,
            submitted_at: task.submitted_at,
            started_at: task.started_at,
            finished_at: task.finished_at,
            worker_id: task.worker_id.as_ref(),
            correlation_id: &task.spec.correlation_id,
            labels: &task.spec.labels,
            result: Output::Hidden,
            error: task.error.as_ref(),
            attempts: &task.attempts,
        }
    }

    /// A task with its result.
    pub(super) fn whole(task: &'a TaskView, fleet: &Fleet) -> Result<Self, Problem> {
        let result = task
            .result
            .as_ref()
            .map(|json| RawValue::from_string(json.as_str().to_owned()))
            .transpose()
            .map_err(|_| Problem::new(Code::Internal, "the stored result is not JSON"))?;
        Ok(Self {
            result: result.map_or(Output::None(()), Output::Json),
            ..Self::listed(task, fleet)
        })
    }
}

/// Why a task is not running, as far as the picture of the fleet shows it.
pub(super) fn waiting_on(task: &TaskView, fleet: &Fleet) -> Option<WaitingOn> {
    if !matches!(task.state.status(), Status::Pending) {
        // Lists are long, and most of what they show has ended.
        return None;
    }
    let around = Surroundings {
        paused: fleet.is_held(),
        staff: fleet.staff(&task.spec.route(), task.too_large),
    };
    WaitingOn::first(task, around)
}

/// A health score and its band.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Health {
    score: u8,
    status: &'static str,
}

impl Health {
    /// A score from 0 to 100; bands of RESOURCES.md 3.8.
    pub(super) const fn of(score: u8) -> Self {
        let status = match score {
            80.. => "healthy",
            60..80 => "degraded",
            40..60 => "stressed",
            _ => "critical",
        };
        Self { score, status }
    }
}

/// The queue of a tenant.
#[derive(Debug, Serialize)]
pub(super) struct Queue {
    #[serde(flatten)]
    all: Numbers,
    by_priority: BTreeMap<Priority, Now>,
    by_type: BTreeMap<TypeName, Numbers>,
    oldest_pending_age_ms: Option<u64>,
    throughput_per_minute: f64,
    wait_ms: Percentiles,
    run_ms: Percentiles,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Now {
    pending: u64,
    running: u64,
}

/// A tally as it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Numbers {
    pub(super) pending: u64,
    pub(super) running: u64,
    pub(super) completed: u64,
    pub(super) failed: u64,
    pub(super) cancelled: u64,
}

impl Numbers {
    fn add(&mut self, tally: Tally) {
        self.pending += tally.pending;
        self.running += tally.running;
        self.completed += tally.completed;
        self.failed += tally.failed;
        self.cancelled += tally.cancelled;
    }

    /// All routes together.
    pub(super) fn of(counts: &Counts) -> Self {
        let mut all = Self::default();
        for tally in counts.by_route.values() {
            all.add(*tally);
        }
        all
    }
}

impl Queue {
    pub(super) fn of(counts: &Counts) -> Self {
        let mut by_priority: BTreeMap<Priority, Now> =
            Priority::ALL.map(|level| (level, Now::default())).into();
        let mut by_type: BTreeMap<TypeName, Numbers> = BTreeMap::new();
        for ((workflow_type, priority), tally) in &counts.by_route {
            by_type
                .entry(workflow_type.clone())
                .or_default()
                .add(*tally);
            let level = by_priority.entry(*priority).or_default();
            level.pending += tally.pending;
            level.running += tally.running;
        }
        Self {
            all: Numbers::of(counts),
            by_priority,
            by_type,
            oldest_pending_age_ms: counts.oldest_pending_age_ms,
            throughput_per_minute: counts.throughput_per_minute,
            wait_ms: counts.wait_ms,
            run_ms: counts.run_ms,
        }
    }
}

/// One template: a workflow type with its defaults.
#[derive(Debug, Serialize)]
pub(super) struct Template<'a> {
    id: &'a TypeName,
    workflow_type: &'a TypeName,
    title: &'a str,
    description: &'a str,
    defaults: &'a serde_json::Value,
    input_schema: &'a serde_json::Value,
    estimated_duration_ms: u64,
    resource_class: &'a str,
    feature_category: Category,
    example: &'a serde_json::Value,
    priority: Priority,
    retry: &'a shared::model::RetryPolicy,
    timeout_ms: u64,
}

impl<'a> Template<'a> {
    pub(super) fn of(kind: &'a Kind) -> Self {
        let info: &TypeInfo = &kind.info;
        Self {
            id: &info.name,
            workflow_type: &info.name,
            title: &info.title,
            description: &info.description,
            defaults: &info.defaults,
            input_schema: &info.input_schema,
            estimated_duration_ms: info.estimated_duration_ms,
            resource_class: &info.resource_class,
            feature_category: kind.category,
            example: &info.example,
            priority: info.priority,
            retry: &info.retry,
            timeout_ms: info.timeout_ms,
        }
    }
}
