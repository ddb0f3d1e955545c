//! `/livez`, `/readyz` and `/metrics` on a small port of the worker's own.
//!
//! Invariant: alive means that the process answers; it never asks store or
//! broker, so that their outage restarts no worker.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use tokio::net::TcpListener;
use tracing::warn;

use crate::service::Core;

/// Serves until dropped. The listener is taken, so that a second start after a
/// bug serves nothing instead of fighting for the port.
pub(crate) async fn serve(core: Arc<Core>, listener: &Mutex<Option<TcpListener>>) {
    let taken = listener
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    let Some(listener) = taken else { return };
    let routes = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(core);
    if let Err(error) = axum::serve(listener, routes).await {
        warn!(%error, "the worker's health port failed");
    }
}

async fn ready(State(core): State<Arc<Core>>) -> Response {
    let store = core.conditions.store_answers();
    let broker = core.broker.health().connected;
    let draining = core.draining.is_cancelled();
    let status = if store && broker && !draining {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let said = |fine| if fine { "ok" } else { "unavailable" };
    let body = json!({
        "worker_id": core.id,
        "draining": draining,
        "dependencies": {"store": said(store), "broker": said(broker)},
    });
    (status, Json(body)).into_response()
}

async fn metrics(State(core): State<Arc<Core>>) -> Response {
    match &core.options.metrics {
        Some(text) => {
            let plain = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
            (plain, text.render()).into_response()
        }
        None => (
            StatusCode::NOT_FOUND,
            "this worker was started without metrics\n",
        )
            .into_response(),
    }
}
