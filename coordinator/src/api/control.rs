//! Cancel and retry of one task; pause, resume and stop of the fleet.
//!
//! Invariant: idempotent where the contract says so; who asks is recorded.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared::{
    model::{Stamp, Status, TaskId, TaskState},
    store::verbs::{Cancel, CancelOutcome, Mode, ModeAsked, Retry, RetryOutcome},
};
use tracing::{info, warn};

use super::{
    body::Body,
    frame::Caller,
    problem::{Code, Problem},
};
use crate::{app::App, submit::Fields};

/// A sentence, not a report.
pub(super) const MAX_REASON: usize = 500;
/// Who asks, as long as there are no credentials.
pub(super) const NOBODY: &str = "anonymous";

#[derive(Serialize)]
struct Cancelling {
    task_id: TaskId,
    status: Status,
    cancel_requested: bool,
}

#[derive(Serialize)]
struct Revived {
    task_id: TaskId,
    status: Status,
    attempt: u32,
}

#[derive(Serialize)]
struct ModeNow<'a> {
    mode: Mode,
    changed: bool,
    by: &'a str,
    reason: &'a str,
    at: Stamp,
}

/// Cancels one task.
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let id: TaskId = id.parse().map_err(|_| Problem::no_task())?;
    let reason = reason_of(request, &app).await?;
    let asked = Cancel {
        tenant: caller.tenant,
        ids: vec![id],
        reason,
    };
    let outcome = app.store.cancel(asked).await?.pop();
    let status = match outcome {
        Some(CancelOutcome::Cancelled) => Status::Cancelled,
        Some(CancelOutcome::Requested) => Status::Running,
        Some(CancelOutcome::WrongState(state)) => return Err(wrong_state(state)),
        Some(CancelOutcome::Unknown) | None => return Err(Problem::no_task()),
    };
    info!(task_id = %id, %status, "asked to cancel");
    Ok(accepted(&Cancelling {
        task_id: id,
        status,
        cancel_requested: true,
    }))
}

/// Retries one task.
pub(super) async fn retry(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let id: TaskId = id.parse().map_err(|_| Problem::no_task())?;
    reason_of(request, &app).await?;
    let asked = Retry {
        tenant: caller.tenant,
        ids: vec![id],
    };
    let attempt = match app.store.retry(asked).await?.pop() {
        Some(RetryOutcome::Revived { attempt }) => attempt,
        Some(RetryOutcome::WrongState(state)) => return Err(wrong_state(state)),
        Some(RetryOutcome::ParentFailed(parent)) => {
            return Err(Problem::new(
                Code::ParentFailed,
                format!("its parent {parent} failed or was cancelled; retry that one first"),
            ));
        }
        Some(RetryOutcome::Unknown) | None => return Err(Problem::no_task()),
    };
    app.bells.ready.notify_one();
    info!(task_id = %id, attempt, "asked to retry");
    Ok(accepted(&Revived {
        task_id: id,
        status: Status::Pending,
        attempt,
    }))
}

/// Pauses, resumes or stops the fleet.
pub(super) async fn emergency(
    State(app): State<Arc<App>>,
    Path(action): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let mode = match action.as_str() {
        "pause" => Mode::Paused,
        "resume" => Mode::Running,
        "stop" => Mode::Stopped,
        _ => {
            return Err(Problem::new(
                Code::NotFound,
                "there is no such action; use pause, resume or stop",
            ));
        }
    };
    let reason = reason_of(request, &app).await?;
    let asked = ModeAsked {
        mode,
        by: NOBODY.into(),
        reason,
    };
    let state = app.store.set_mode(asked).await?;
    app.fleet.mode_is(state.clone());
    if state.changed {
        warn!(mode = ?state.mode, "the mode of the fleet changed");
        app.bells.ready.notify_one();
    }
    Ok(accepted(&ModeNow {
        mode: state.mode,
        changed: state.changed,
        by: &state.by,
        reason: &state.reason,
        at: state.at,
    }))
}

/// The reason that a body gives, if there is a body.
pub(super) async fn reason_of(request: Request, app: &App) -> Result<String, Problem> {
    let document = Body::read(request, app).await?.document_or_empty()?;
    let mut fields = Fields::of(document, "");
    let reason = reason(&mut fields);
    let findings = fields.finish();
    if findings.is_empty() {
        return Ok(reason);
    }
    Err(Problem::invalid(findings))
}

/// The member `reason`; empty if there is none.
pub(super) fn reason(fields: &mut Fields) -> String {
    let text = fields.text("reason").unwrap_or_default();
    if text.chars().count() > MAX_REASON {
        fields.flaw(
            "reason",
            format!("must have at most {MAX_REASON} characters"),
        );
    }
    text
}

fn wrong_state(state: TaskState) -> Problem {
    let detail = format!("the task is {}", state.status());
    Problem::new(Code::WrongState, detail)
}

/// 202 with a body.
pub(super) fn accepted(body: &impl Serialize) -> Response {
    (StatusCode::ACCEPTED, Json(body)).into_response()
}
