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
use metrics::gauge;
use serde::Serialize;
use serde_json::json;
use shared::{
    model::TenantId,
    store::{query::Counts, verbs::Mode},
};

use super::{
    documents::{Numbers, Queue},
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
    let counts = system::counts(&app, &caller.tenant).await;
    let fleet = app.fleet.now();
    let slots = fleet
        .workers
        .iter()
        .fold((0_u64, 0_u64), |(used, limit), worker| {
            let slots = worker.state.slots;
            (used + u64::from(slots.used), limit + u64::from(slots.limit))
        });
    Json(Figures {
        mode: fleet.mode.mode,
        queue: counts.as_ref().map(Queue::of),
        backlog_seconds: counts.as_ref().and_then(backlog_seconds),
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
    if let Some(counts) = system::counts(app, &TenantId::default()).await {
        record(&counts);
    }
    let headers = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (StatusCode::OK, headers, app.options.metrics.text()).into_response()
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn record(counts: &Counts) {
    let all = Numbers::of(counts);
    let states = [
        ("pending", all.pending),
        ("running", all.running),
        ("completed", all.completed),
        ("failed", all.failed),
        ("cancelled", all.cancelled),
    ];
    for (state, number) in states {
        gauge!("zerogate_tasks", "state" => state).set(number as f64);
    }
    if let Some(seconds) = backlog_seconds(counts) {
        gauge!("zerogate_backlog_seconds").set(seconds);
    }
}

/// Expected seconds of work that wait: pending tasks times the median run of
/// the last minutes. Unknown while nothing has run.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn backlog_seconds(counts: &Counts) -> Option<f64> {
    let pending = Numbers::of(counts).pending;
    if pending == 0 {
        return Some(0.0);
    }
    counts.run_ms.p50.map(|run| pending as f64 * run / 1000.0)
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
