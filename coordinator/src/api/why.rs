//! `GET /api/workflows/tasks/{id}/why`: why a task is not running now.
//!
//! Invariant: says what is known, and no more: parents from the store, what
//! is short from the workers' latest heartbeats, orders as they stand.

mod explain;

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared::{
    model::{Route, Status, TaskId, TaskState, TaskView, WaitingOn, WorkerId},
    store::query::Readiness,
};

use super::{documents::waiting_on, frame::Caller, problem::Problem};
use crate::{
    app::App,
    fleet::{Fleet, Member, Obstacle},
};

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
    state: Readiness,
    admits: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    shortage: Option<Obstacle>,
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
    app.fleet.refresh(&*app.store).await?;
    let fleet = app.fleet.now();
    let blocking = blocking(&app, &caller, &task).await?;
    let waiting = waiting_on(&task, &fleet);
    let route = task.spec.route();
    let workers = fleet
        .workers
        .iter()
        .filter(|member| member.seen.state.types.contains(&route.workflow_type))
        .map(|member| admission(member, &route, &task, &fleet))
        .collect();
    let why = Why {
        reason: waiting.map_or(task.state.status().as_str(), WaitingOn::as_str),
        detail: explain::detail(&task, waiting, &fleet),
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

fn admission<'a>(
    member: &'a Member,
    route: &Route,
    task: &TaskView,
    fleet: &Fleet,
) -> Admission<'a> {
    let shortage = fleet.obstacle(member, route, task.too_large);
    Admission {
        worker_id: member.id(),
        state: fleet.readiness(member),
        admits: shortage.is_none(),
        shortage,
    }
}
