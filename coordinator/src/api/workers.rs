//! The workers, and what operators order of them: `GET /api/workers`,
//! `GET /api/workers/{id}`, `GET /api/history`, `POST .../drain`, `POST .../resume`,
//! `PUT .../profile`, `PUT /api/profile`.
//!
//! Invariant: orders are idempotent and recorded; a worker that is not known
//! gets none.

mod document;
mod history;

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Request, State},
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared::{
    model::{ProfileName, Stamp, WorkerId},
    store::verbs::{Order, Orders, ProfileOrder},
};
use tracing::warn;

use super::{
    body::Body,
    control::{self, NOBODY},
    problem::{Code, Problem},
};
use crate::{app::App, series, submit::Fields};

pub(super) use document::Worker;
use history::Span;

#[derive(Serialize)]
struct Workers<'a> {
    workers: Vec<Worker<'a>>,
}

/// A worker and what became of it.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    worker: Worker<'a>,
    history: Vec<history::Row>,
}

#[derive(Serialize)]
struct History {
    history: Vec<history::Row>,
}

/// A profile as it stands after an order.
#[derive(Serialize)]
struct ProfileNow<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    worker_id: Option<&'a WorkerId>,
    profile: Option<ProfileName>,
    changed: bool,
    by: &'a str,
    reason: &'a str,
    at: Option<Stamp>,
}

#[derive(Serialize)]
struct DrainNow<'a> {
    worker_id: &'a WorkerId,
    draining: bool,
    changed: bool,
    by: &'a str,
    reason: &'a str,
}

/// All workers.
pub(super) async fn all(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    app.fleet.refresh(&*app.store).await?;
    let fleet = app.fleet.now();
    let workers = fleet.workers.iter().map(|it| Worker::of(it, &fleet));
    let workers = workers.collect();
    Ok(Json(Workers { workers }).into_response())
}

/// One worker.
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let span = Span::of(&uri, &app)?;
    app.fleet.refresh(&*app.store).await?;
    let fleet = app.fleet.now();
    let member = fleet.find(&id).ok_or_else(unknown)?;
    let history = span.rows(&app, series::scope_of(member.id())).await?;
    let worker = Worker::of(member, &fleet);
    Ok(Json(Whole { worker, history }).into_response())
}

/// What the fleet looked like.
pub(super) async fn history(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Problem> {
    let span = Span::of(&uri, &app)?;
    let history = span.rows(&app, series::FLEET.into()).await?;
    Ok(Json(History { history }).into_response())
}

/// Has a worker finish what it has and take nothing new.
pub(super) async fn drain(
    state: State<Arc<App>>,
    id: Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let answer = order_drain(state, id, request, true).await?;
    Ok((StatusCode::ACCEPTED, answer).into_response())
}

/// Lets a worker take work again.
pub(super) async fn resume(
    state: State<Arc<App>>,
    id: Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    order_drain(state, id, request, false).await
}

async fn order_drain(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
    drain: bool,
) -> Result<Response, Problem> {
    let reason = control::reason_of(request, &app).await?;
    let worker = known(&app, &id).await?;
    let drains = |orders: &Orders| {
        let own = orders.workers.get(&worker);
        own.is_some_and(|own| own.drain.is_some())
    };
    let changed = drains(&app.fleet.now().orders) != drain;
    if changed {
        let order = Order::Drain {
            worker: worker.clone(),
            drain,
            by: NOBODY.into(),
            reason: reason.clone(),
        };
        app.fleet.orders_are(app.store.order(order).await?);
        warn!(%worker, drain, "a worker was ordered");
    }
    Ok(Json(DrainNow {
        worker_id: &worker,
        draining: drain,
        changed,
        by: NOBODY,
        reason: &reason,
    })
    .into_response())
}

/// Sets the profile of one worker.
pub(super) async fn worker_profile(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let asked = profile_of(request, &app).await?;
    let worker = known(&app, &id).await?;
    order_profile(&app, Some(worker), asked).await
}

/// Sets the profile of the fleet.
pub(super) async fn fleet_profile(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let asked = profile_of(request, &app).await?;
    app.fleet.refresh(&*app.store).await?;
    order_profile(&app, None, asked).await
}

async fn order_profile(
    app: &App,
    worker: Option<WorkerId>,
    (profile, reason): (Option<ProfileName>, String),
) -> Result<Response, Problem> {
    let of = |orders: &Orders| -> Option<ProfileOrder> {
        match &worker {
            None => orders.profile.clone(),
            Some(worker) => orders.workers.get(worker)?.profile.clone(),
        }
    };
    let before = of(&app.fleet.now().orders).map(|order| order.profile);
    let order = Order::Profile {
        worker: worker.clone(),
        profile,
        by: NOBODY.into(),
        reason: reason.clone(),
    };
    let orders = app.store.order(order).await?;
    let now = of(&orders);
    app.fleet.orders_are(orders);
    let changed = before != profile;
    if changed {
        warn!(worker = ?worker, ?profile, "a profile was ordered");
    }
    Ok(Json(ProfileNow {
        worker_id: worker.as_ref(),
        profile,
        changed,
        by: NOBODY,
        reason: &reason,
        at: now.map(|order| order.at),
    })
    .into_response())
}

/// The profile that a body names; an explicit null gives back what was
/// configured.
async fn profile_of(request: Request, app: &App) -> Result<(Option<ProfileName>, String), Problem> {
    let document = Body::read(request, app).await?.document()?;
    let mut fields = Fields::of(document, "");
    let profile = match fields.raw("profile") {
        None => {
            fields.flaw("profile", format!("is required: {PROFILES}"));
            None
        }
        Some(serde_json::Value::Null) => None,
        Some(value) => {
            let profile = serde_json::from_value(value).ok();
            if profile.is_none() {
                fields.flaw("profile", format!("must be one of {PROFILES}"));
            }
            profile
        }
    };
    let reason = control::reason(&mut fields);
    let findings = fields.finish();
    if findings.is_empty() {
        return Ok((profile, reason));
    }
    Err(Problem::invalid(findings))
}

const PROFILES: &str =
    "development, balanced, performance, emergency, or null for the configured one";

/// The worker with this id.
async fn known(app: &App, id: &str) -> Result<WorkerId, Problem> {
    app.fleet.refresh(&*app.store).await?;
    let fleet = app.fleet.now();
    let worker = fleet.find(id).ok_or_else(unknown)?;
    Ok(worker.id().clone())
}

fn unknown() -> Problem {
    Problem::new(
        Code::NotFound,
        "there is no such worker; those silent for an hour are forgotten",
    )
}
