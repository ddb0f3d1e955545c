//! `GET /api/workflows/tasks/{id}/why`: why a task is not running now.
//!
//! Invariant: says what is known, and no more: parents from the store, slots
//! from the workers' latest heartbeats.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared::{
    model::{Status, TaskId, TaskState, TaskView, WaitingOn, WorkerId},
    store::query::{Readiness, WorkerView},
};

use super::{documents::waiting_on, frame::Caller, problem::Problem};
use crate::{app::App, fleet::Fleet};

/// Parents that are looked at; the first ones explain enough.
const MOST_PARENTS: usize = 100;

#[derive(Serialize)]
struct Why<'a> {
    reason: &'static str,
    detail: String,
    blocking: Vec<Blocking>,
    workers: Vec<Admission<'a>>,
}

#[derive(Serialize)]
struct Blocking {
    task_id: TaskId,
    status: Status,
}

#[derive(Serialize)]
struct Admission<'a> {
    worker_id: &'a WorkerId,
    admits: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    shortage: Option<Shortage>,
}

#[derive(Serialize)]
struct Shortage {
    resource: &'static str,
    value: u32,
    limit: u32,
}

/// Answers for one task.
pub(super) async fn why(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: TaskId = id.parse().map_err(|_| Problem::no_task())?;
    let found = app.store.task(&caller.tenant, id).await?;
    let task = found.ok_or_else(Problem::no_task)?;
    let fleet = app.fleet.now();
    let blocking = blocking(&app, &caller, &task).await?;
    let waiting = waiting_on(&task, &fleet);
    let workers = fleet
        .workers
        .iter()
        .filter(|worker| worker.state.types.contains(&task.spec.workflow_type))
        .map(|worker| admission(worker, &fleet))
        .collect();
    let why = Why {
        reason: waiting.map_or(task.state.status().as_str(), WaitingOn::as_str),
        detail: detail(&task, waiting, &fleet),
        blocking,
        workers,
    };
    Ok(Json(why).into_response())
}

/// The parents that have not ended.
async fn blocking(app: &App, caller: &Caller, task: &TaskView) -> Result<Vec<Blocking>, Problem> {
    let mut open = Vec::new();
    if task.state != TaskState::Waiting {
        return Ok(open);
    }
    for &parent in task.spec.depends_on.iter().take(MOST_PARENTS) {
        let found = app.store.task(&caller.tenant, parent).await?;
        if let Some(parent) = found.filter(|parent| !parent.state.is_final()) {
            open.push(Blocking {
                task_id: parent.id,
                status: parent.state.status(),
            });
        }
    }
    Ok(open)
}

fn admission<'a>(worker: &'a WorkerView, fleet: &Fleet) -> Admission<'a> {
    let slots = worker.state.slots;
    let full = slots.used >= slots.limit;
    let ready = fleet.readiness(worker) == Readiness::Ready;
    Admission {
        worker_id: &worker.worker,
        admits: ready && !full,
        shortage: full.then_some(Shortage {
            resource: "slots",
            value: slots.used,
            limit: slots.limit,
        }),
    }
}

fn detail(task: &TaskView, waiting: Option<WaitingOn>, fleet: &Fleet) -> String {
    let Some(waiting) = waiting else {
        return format!("the task is {}", task.state.status());
    };
    let due = |what: &str| match task.due_at {
        Some(at) => format!("{what}, due at {at}"),
        None => what.to_owned(),
    };
    match waiting {
        WaitingOn::Paused if fleet.is_stopped() => "the fleet is stopped".into(),
        WaitingOn::Paused => "the fleet is paused".into(),
        WaitingOn::Dependencies => "it waits for parents that have not ended".into(),
        WaitingOn::Schedule => due("its time has not come"),
        WaitingOn::Retry => due("it failed and is tried again"),
        WaitingOn::Capacity if fleet.serving(&task.spec.workflow_type).next().is_none() => {
            "no live worker serves its type".into()
        }
        WaitingOn::Capacity => "no worker that serves its type has a free slot".into(),
        WaitingOn::TooLarge => due(&format!(
            "it needs {} bytes of memory, for which the worker that was to run it had no room",
            task.too_large.unwrap_or_default()
        )),
        WaitingOn::Quota | WaitingOn::FeatureDisabled | WaitingOn::Queue => {
            "it stands in line".into()
        }
    }
}
