//! Probes for supervisors, and metrics for scrapers.
//!
//! Invariant: `live` touches neither broker nor store; a broker that is away
//! does not make a coordinator unready, because it still accepts work.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;
use shared::store::{query::Totals, verbs::Mode};

use super::{
    documents::Queue,
    figures::{self, Done},
    frame::Caller,
    system,
};
use crate::app::App;

/// The process runs.
pub(super) async fn live() -> Response {
    Json(json!({"status": "ok"})).into_response()
}

/// It can take work now.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    let stopping = app.stopping.is_cancelled();
    let ok = app.vitals.store_ok() && !stopping;
    let body = json!({
        "status": if ok { "ok" } else { "unready" },
        "stopping": stopping,
        "dependencies": system::dependencies(&app, app.vitals.store_ok()),
    });
    probe(ok, body)
}

/// It has been able to take work once.
pub(super) async fn started(State(app): State<Arc<App>>) -> Response {
    let ok = app.vitals.started();
    let status = if ok { "ok" } else { "starting" };
    probe(ok, json!({ "status": status }))
}

/// A probe reads the status; its body is for people and stays as it is, so the
/// code is set past the frame's problems.
fn probe(ok: bool, body: serde_json::Value) -> Response {
    if ok {
        return Json(body).into_response();
    }
    let problem = super::problem::Problem::new(
        super::problem::Code::StoreUnavailable,
        format!("not ready: {body}"),
    );
    problem.into_response()
}

#[derive(Serialize)]
struct Figures {
    mode: Mode,
    queue: Option<Queue>,
    backlog_seconds: Option<f64>,
    fleet: Option<Done>,
    workers: Staff,
    dependencies: system::Dependencies,
}

#[derive(Serialize)]
struct Staff {
    known: usize,
    slots_used: u64,
    slots: u64,
}

/// Metrics as JSON, or as text for those who accept only that.
pub(super) async fn metrics(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
) -> Response {
    if wants_text(&headers) {
        return text(&app).await;
    }
    let (counts, totals) = tokio::join!(system::counts(&app, &caller.tenant), totals(&app));
    let fleet = app.fleet.now();
    let slots = fleet
        .workers
        .iter()
        .fold((0_u64, 0_u64), |(used, limit), worker| {
            let slots = worker.seen.state.slots;
            (used + u64::from(slots.used), limit + u64::from(slots.limit))
        });
    Json(Figures {
        mode: fleet.mode.mode,
        queue: counts.as_ref().map(Queue::of),
        backlog_seconds: totals.as_ref().and_then(figures::backlog_seconds),
        fleet: totals.as_ref().map(Done::of),
        workers: Staff {
            known: fleet.workers.len(),
            slots_used: slots.0,
            slots: slots.1,
        },
        dependencies: system::dependencies(&app, counts.is_some()),
    })
    .into_response()
}

/// Metrics as text.
pub(super) async fn metrics_text(State(app): State<Arc<App>>) -> Response {
    text(&app).await
}

async fn text(app: &App) -> Response {
    if let Some(totals) = totals(app).await {
        figures::record(&totals);
    }
    figures::record_fleet(&app.fleet.now());
    let headers = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (StatusCode::OK, headers, app.options.metrics.text()).into_response()
}

/// The fleet's numbers, if the store gives them in time.
async fn totals(app: &App) -> Option<Totals> {
    let asked = tokio::time::timeout(system::PATIENCE, app.store.totals());
    asked.await.ok()?.ok()
}

fn wants_text(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let first = accepted.split(',').find_map(|one| {
        let essence = one.split(';').next().unwrap_or_default().trim();
        match essence {
            "text/plain" | "application/openmetrics-text" => Some(true),
            "application/json" | "application/*" => Some(false),
            _ => None,
        }
    });
    first.unwrap_or(false)
}
