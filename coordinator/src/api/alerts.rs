//! `GET /api/alerts`.
//!
//! Invariant: shows what workers raised, the newest first; judges nothing.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::Uri,
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use shared::{
    model::{AlertLevel, AlertState},
    store::verbs::AlertRecord,
};

use super::{problem::Problem, query::Query};
use crate::app::App;

/// Alerts in an answer that does not say how many.
const USUAL: usize = 100;

#[derive(Serialize)]
struct Alerts {
    alerts: Vec<AlertRecord>,
}

/// The alerts, by state and level.
pub(super) async fn all(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Problem> {
    let mut query = Query::of(&uri)?;
    let level: Option<AlertLevel> = word(&mut query, "level", "low, medium, high or critical");
    let state: Option<AlertState> = word(&mut query, "state", "firing or resolved");
    let most = AlertRecord::KEPT as usize;
    let limit = query.parsed::<usize>("limit", "a whole number");
    if limit.is_some_and(|limit| !(1..=most).contains(&limit)) {
        query.flaw("limit", format!("must be a whole number from 1 to {most}"));
    }
    query.finish()?;
    let mut alerts = app.store.alerts(AlertRecord::KEPT).await?;
    alerts.retain(|alert| {
        level.is_none_or(|level| alert.level == level)
            && state.is_none_or(|state| alert.state == state)
    });
    alerts.truncate(limit.unwrap_or(USUAL));
    Ok(Json(Alerts { alerts }).into_response())
}

fn word<T: DeserializeOwned>(query: &mut Query, name: &str, words: &str) -> Option<T> {
    let text = query.text(name)?;
    let word = serde_json::from_value(text.into()).ok();
    if word.is_none() {
        query.flaw(name, format!("must be {words}"));
    }
    word
}
