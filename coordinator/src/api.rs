//! Step 1: the HTTP contract.
//!
//! Read [`frame`] first: it surrounds every request with an id, a span and a
//! histogram, and turns every error into `application/problem+json`. Each
//! other file answers one family of routes.
//!
//! Invariant: handlers translate; they decide nothing. What is valid is
//! decided in `submit`, what is possible in the store.
//!
//! Deliberately absent until their issues: credentials (see
//! [`frame::tenant_of`]), quotas, events.

mod frame;
mod problem;

mod body;
mod query;

mod files;
mod intake;
mod submission;

mod documents;
mod list;
mod status;
mod why;

mod control;
mod features;
mod filtered;
mod workers;

mod alerts;
mod planning;

mod figures;
mod probes;
mod system;

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{get, post, put},
};

use crate::app::App;

/// Every route.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .merge(workflows())
        .merge(fleet())
        .merge(kept_files())
        .route("/metrics", get(probes::metrics_text))
        .route("/livez", get(probes::live))
        .route("/readyz", get(probes::ready))
        .route("/startupz", get(probes::started))
        .fallback(frame::no_such_route)
        .method_not_allowed_fallback(frame::no_such_method)
        .layer(middleware::from_fn_with_state(
            Arc::clone(&app),
            frame::surround,
        ))
        .with_state(app)
}

fn workflows() -> Router<Arc<App>> {
    // These read parameters, and refuse others than their own.
    let asked = Router::new()
        .route("/submit", post(submission::one))
        .route("/submit/bulk", post(submission::bulk))
        .route("/tasks", get(list::tasks));
    let plain = Router::new()
        .route("/status", get(system::status))
        .route("/status/{task_id}", get(status::task))
        .route("/tasks/cancel", post(filtered::cancel))
        .route("/tasks/retry", post(filtered::retry))
        .route("/tasks/{task_id}/why", get(why::why))
        .route("/tasks/{task_id}/cancel", post(control::cancel))
        .route("/tasks/{task_id}/retry", post(control::retry))
        .route("/queue", get(system::queue))
        .route("/metrics", get(probes::metrics))
        .route("/templates", get(system::templates))
        .route("/emergency/{action}", post(control::emergency))
        .route_layer(middleware::from_fn(query::none));
    Router::new().nest("/api/workflows", asked.merge(plain))
}

fn fleet() -> Router<Arc<App>> {
    // These read parameters, and refuse others than their own.
    let asked = Router::new()
        .route("/api/workers/{worker_id}", get(workers::one))
        .route("/api/history", get(workers::history))
        .route("/api/alerts", get(alerts::all));
    let plain = Router::new()
        .route("/api/workers", get(workers::all))
        .route("/api/workers/{worker_id}/drain", post(workers::drain))
        .route("/api/workers/{worker_id}/resume", post(workers::resume))
        .route(
            "/api/workers/{worker_id}/profile",
            put(workers::worker_profile),
        )
        .route("/api/profile", put(workers::fleet_profile))
        .route("/api/features", get(features::all))
        .route("/api/features/{name}", put(features::order))
        .route("/api/capacity", get(planning::capacity))
        .route("/api/bottleneck", get(planning::bottleneck))
        .route_layer(middleware::from_fn(query::none));
    asked.merge(plain)
}

fn kept_files() -> Router<Arc<App>> {
    Router::new()
        .route("/api/files", post(files::upload))
        .route("/api/files/{file_id}", get(files::download))
        .route_layer(middleware::from_fn(query::none))
}
