//! The system, its queue, its templates.
//!
//! Invariant: the system's status is answered even while the store is away;
//! it then says so.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared::{
    model::{HealthState, TenantId},
    store::{query::Counts, verbs::Mode},
};

use super::{
    documents::{Health, Numbers, Queue, Template},
    frame::Caller,
    problem::Problem,
    workers::Worker,
};
use crate::{
    app::App,
    features::{self, Feature},
    fleet::Fleet,
};

/// How long the system's status waits for the store.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct System<'a> {
    mode: Mode,
    version: &'a str,
    health: Health,
    workers: Vec<Worker<'a>>,
    queue: Option<Queue>,
    features: Vec<Feature<'a>>,
    dependencies: Dependencies,
}

#[derive(Clone, Copy, Serialize)]
pub(super) struct Dependencies {
    broker: &'static str,
    store: &'static str,
}

/// The whole system.
pub(super) async fn status(State(app): State<Arc<App>>, caller: Caller) -> Response {
    let counts = counts(&app, &caller.tenant).await;
    if counts.is_some() {
        app.fleet.refresh(&*app.store).await.ok();
    }
    let fleet = app.fleet.now();
    let dependencies = dependencies(&app, counts.is_some());
    let system = System {
        mode: fleet.mode.mode,
        version: &app.options.version,
        health: health(dependencies, &fleet, counts.as_ref()),
        workers: fleet
            .workers
            .iter()
            .map(|it| Worker::of(it, &fleet))
            .collect(),
        queue: counts.as_ref().map(Queue::of),
        features: features::all(&fleet),
        dependencies,
    };
    Json(system).into_response()
}

/// The tenant's numbers, if the store gives them in time.
pub(super) async fn counts(app: &App, tenant: &TenantId) -> Option<Counts> {
    let asked = tokio::time::timeout(PATIENCE, app.store.counts(tenant));
    asked.await.ok()?.ok()
}

/// What the coordinator stands on.
pub(super) fn dependencies(app: &App, store_ok: bool) -> Dependencies {
    Dependencies {
        broker: broker(app),
        store: if store_ok { "ok" } else { "unavailable" },
    }
}

/// The broker in one word.
fn broker(app: &App) -> &'static str {
    let health = app.broker.health();
    match (health.connected, health.blocked) {
        (true, false) => "ok",
        (true, true) => "blocked",
        (false, _) => "unavailable",
    }
}

/// Whether work flows. Without the store nothing does; without the broker or
/// without workers what was accepted waits; hard pressed workers are slow.
fn health(dependencies: Dependencies, fleet: &Fleet, counts: Option<&Counts>) -> Health {
    let waiting = counts.is_some_and(|counts| Numbers::of(counts).pending > 0);
    let staffed = fleet
        .catalogue
        .names()
        .any(|name| fleet.offer(name).slots > 0);
    let flow = match (dependencies.store, dependencies.broker) {
        ("ok", "ok") if staffed => 100,
        ("ok", "ok") if !waiting => 80,
        ("ok", "ok") => 50,
        ("ok", _) => 45,
        _ => 0,
    };
    Health::of(staff_health(fleet).map_or(flow, |staff| staff.min(flow)))
}

/// The workers' health together: as with the parts of one worker, the mean
/// alone would hide one that is at its end. `None` if nobody measures.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a score from 0 to 100, rounded down so that no band is reached too early"
)]
fn staff_health(fleet: &Fleet) -> Option<u8> {
    /// Of a worker that cannot measure itself now.
    const BLIND: f64 = 50.0;
    let scores = fleet.working().filter(|member| member.tells());
    let scores: Vec<f64> = scores
        .map(|member| &member.seen.state)
        .map(|state| match state.health_state {
            HealthState::Unknown => state.health.min(BLIND),
            _ => state.health,
        })
        .collect();
    let least = scores.iter().copied().reduce(f64::min)?;
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    Some((0.6 * mean + 0.4 * least).clamp(0.0, 100.0).floor() as u8)
}

/// The tenant's queue.
pub(super) async fn queue(
    State(app): State<Arc<App>>,
    caller: Caller,
) -> Result<Response, Problem> {
    let counts = app.store.counts(&caller.tenant).await?;
    Ok(Json(Queue::of(&counts)).into_response())
}

/// The workflow types.
pub(super) async fn templates(State(app): State<Arc<App>>) -> Response {
    let catalogue = Arc::clone(&app.fleet.now().catalogue);
    let templates: Vec<Template<'_>> = catalogue.all().map(Template::of).collect();
    Json(templates).into_response()
}
