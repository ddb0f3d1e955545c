//! Cancel and retry over a filter.
//!
//! Invariant: what matches is collected first and changed then, so that the
//! changes do not shift the pages; `affected` counts what the request changed,
//! directly or through a parent.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::Response,
};
use serde::Serialize;
use shared::{
    model::{Status, TaskId, TaskState},
    store::{
        query::TaskQuery,
        verbs::{Cancel, CancelOutcome, Retry, RetryOutcome},
    },
};
use tracing::info;

use super::{
    body::Body,
    control::{accepted, reason},
    frame::Caller,
    problem::Problem,
};
use crate::{
    app::App,
    submit::{Fields, Labels},
};

/// Tasks per page and per verb: a transaction of some milliseconds.
const PAGE: u32 = 500;

/// A filter and what to do with it.
struct Asked {
    query: TaskQuery,
    reason: String,
    dry_run: bool,
}

/// What matched: all of it, and what can be changed, newest first.
struct Matched {
    all: usize,
    eligible: Vec<TaskId>,
}

#[derive(Serialize)]
struct Report {
    matched: usize,
    affected: usize,
    skipped: usize,
}

/// Cancels everything that matches and has not ended.
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let asked = read(request, &app, &caller).await?;
    let matched = collect(&app, &asked.query, |state| !state.is_final()).await?;
    if asked.dry_run {
        return Ok(report(&matched, matched.eligible.len()));
    }
    let mut affected = 0;
    // Children first: each is cancelled for this reason, not for its parent.
    for ids in matched.eligible.chunks(PAGE as usize) {
        let cancel = Cancel {
            tenant: caller.tenant.clone(),
            ids: ids.to_vec(),
            reason: asked.reason.clone(),
        };
        let outcomes = app.store.cancel(cancel).await?;
        affected += outcomes.into_iter().filter(|it| is_cancelled(*it)).count();
    }
    info!(matched = matched.all, affected, "asked to cancel by filter");
    Ok(report(&matched, affected))
}

/// Retries everything that matches and has failed or was cancelled.
pub(super) async fn retry(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let asked = read(request, &app, &caller).await?;
    let ended = |state| matches!(state, TaskState::Failed | TaskState::Cancelled);
    let mut matched = collect(&app, &asked.query, ended).await?;
    if asked.dry_run {
        return Ok(report(&matched, matched.eligible.len()));
    }
    // Parents first: a child of a failed parent cannot start before it.
    matched.eligible.reverse();
    let mut affected = 0;
    for ids in matched.eligible.chunks(PAGE as usize) {
        let retry = Retry {
            tenant: caller.tenant.clone(),
            ids: ids.to_vec(),
        };
        let outcomes = app.store.retry(retry).await?;
        affected += outcomes.into_iter().filter(|it| is_revived(*it)).count();
    }
    app.bells.ready.notify_one();
    info!(matched = matched.all, affected, "asked to retry by filter");
    Ok(report(&matched, affected))
}

/// Also what was cancelled with its parent meanwhile.
const fn is_cancelled(outcome: CancelOutcome) -> bool {
    matches!(
        outcome,
        CancelOutcome::Cancelled
            | CancelOutcome::Requested
            | CancelOutcome::WrongState(TaskState::Cancelled)
    )
}

/// Also what was revived with its parent meanwhile.
fn is_revived(outcome: RetryOutcome) -> bool {
    match outcome {
        RetryOutcome::Revived { .. } => true,
        RetryOutcome::WrongState(state) => state.status() == Status::Pending,
        RetryOutcome::ParentFailed(_) | RetryOutcome::Unknown => false,
    }
}

async fn collect(
    app: &App,
    query: &TaskQuery,
    is_eligible: impl Fn(TaskState) -> bool,
) -> Result<Matched, Problem> {
    let mut matched = Matched {
        all: 0,
        eligible: Vec::new(),
    };
    let mut query = query.clone();
    loop {
        let page = app.store.tasks(query.clone()).await?;
        matched.all += page.items.len();
        let eligible = page.items.iter().filter(|task| is_eligible(task.state));
        matched.eligible.extend(eligible.map(|task| task.id));
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => return Ok(matched),
        }
    }
}

fn report(matched: &Matched, affected: usize) -> Response {
    accepted(&Report {
        matched: matched.all,
        affected,
        skipped: matched.all - affected,
    })
}

async fn read(request: Request, app: &App, caller: &Caller) -> Result<Asked, Problem> {
    let document = Body::read(request, app).await?.document()?;
    let mut fields = Fields::of(document, "");
    let reason = reason(&mut fields);
    let dry_run = fields.flag("dry_run").unwrap_or(false);
    if !fields.has("filter") {
        fields.flaw("filter", "is required; {} matches every task");
    }
    let mut query = TaskQuery {
        tenant: caller.tenant.clone(),
        status: None,
        workflow_type: None,
        priority: None,
        labels: Labels::new(),
        limit: PAGE,
        cursor: None,
    };
    if let Some(mut filter) = fields.object("filter") {
        let statuses = "pending, running, completed, failed, cancelled";
        query.status = filter.word("status", statuses);
        query.workflow_type = filter.word("type", "the known workflow types");
        query.priority = filter.word("priority", "critical, high, medium, low");
        query.labels = labels(&mut filter);
        fields.absorb(filter);
    }
    let findings = fields.finish();
    if !findings.is_empty() {
        return Err(Problem::invalid(findings));
    }
    Ok(Asked {
        query,
        reason,
        dry_run,
    })
}

/// The labels of a filter: as one object, or each under its name as in the
/// query of a list (`label.k`).
fn labels(filter: &mut Fields) -> Labels {
    let expected = "the labels' names, each with its value as a string";
    let mut labels: Labels = filter.word("labels", expected).unwrap_or_default();
    for key in filter.names("label.") {
        if let Some(value) = filter.text(&key) {
            labels.insert(key["label.".len()..].to_owned(), value);
        }
    }
    labels
}
