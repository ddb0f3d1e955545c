//! `GET /api/workflows/status/{task_id}`, with long poll and ETag.
//!
//! Invariant: a long poll is woken by the store's signal and looks by itself
//! now and then; when the coordinator stops it answers at once.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use shared::model::{TaskId, TaskView, TenantId};
use tokio::time::Instant;

use super::{documents::Task, frame::Caller, problem::Problem};
use crate::app::App;

const PREFER: HeaderName = HeaderName::from_static("prefer");
const APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// The longest wait: below the usual time-outs of proxies.
const MAX_WAIT: Duration = Duration::from_secs(55);
/// A look without any news: what a lost signal costs at most.
const LOOK: Duration = Duration::from_secs(2);

/// One task.
pub(super) async fn task(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id: TaskId = id.parse().map_err(|_| Problem::no_task())?;
    let wait = wait_of(&headers);
    let task = match wait {
        Some(wait) => settled(&app, &caller.tenant, id, wait).await?,
        None => app.store.task(&caller.tenant, id).await?,
    };
    let task = task.ok_or_else(Problem::no_task)?;
    let document = Task::whole(&task, &app.fleet.now())?;
    let body = serde_json::to_vec(&document)
        .expect("plain structs of strings and numbers are always JSON");
    let mut response = answer(body, &headers);
    if let Some(applied) = wait.and_then(applied) {
        response.headers_mut().insert(APPLIED, applied);
    }
    Ok(response)
}

/// Waits until the task has ended, at most `wait`; then its present state.
async fn settled(
    app: &App,
    tenant: &TenantId,
    id: TaskId,
    wait: Duration,
) -> Result<Option<TaskView>, Problem> {
    let deadline = Instant::now() + wait;
    let watch = app.watchers.watch(id);
    loop {
        let news = watch.news();
        let task = app.store.task(tenant, id).await?;
        let over = task.as_ref().is_none_or(|task| task.state.is_final());
        let now = Instant::now();
        if over || now >= deadline || app.stopping.is_cancelled() {
            return Ok(task);
        }
        tokio::select! {
            () = news => {}
            () = app.stopping.cancelled() => return Ok(task),
            () = tokio::time::sleep_until(deadline.min(now + LOOK)) => {}
        }
    }
}

/// The wait of `Prefer: wait=20`.
fn wait_of(headers: &HeaderMap) -> Option<Duration> {
    let preferences = headers.get_all(PREFER).into_iter();
    let seconds = preferences
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .filter_map(|one| one.split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))
        .find_map(|(_, seconds)| seconds.trim().trim_matches('"').parse().ok())?;
    Some(Duration::from_secs(seconds).min(MAX_WAIT))
}

fn applied(wait: Duration) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("wait={}", wait.as_secs())).ok()
}

/// The body under its ETag, or 304 where the client has it.
fn answer(body: Vec<u8>, headers: &HeaderMap) -> Response {
    let digest = Sha256::digest(&body);
    let tag = format!("\"{}\"", crate::submit::hex(&digest[..16]));
    let known = knows(headers, &tag);
    let headers = [
        (header::ETAG, tag.as_str()),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_TYPE, "application/json"),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, body).into_response()
}

/// Whether the client has what this tag stands for.
pub(super) fn knows(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|one| one.trim().trim_start_matches("W/"))
        .any(|one| one == tag || one == "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_found_among_other_preferences_and_bounded() {
        let wait = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(PREFER, HeaderValue::from_str(text).unwrap());
            wait_of(&headers).map(|wait| wait.as_secs())
        };
        assert_eq!(wait("wait=20"), Some(20));
        assert_eq!(wait("respond-async, wait=5"), Some(5));
        assert_eq!(wait("wait=100000"), Some(55));
        assert_eq!(wait("Wait = \"5\""), Some(5));
        assert_eq!(wait("wait=soon"), None);
    }
}
