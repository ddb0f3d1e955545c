//! `GET /api/workflows/tasks`.
//!
//! Invariant: newest first; tasks that arrive meanwhile do not shift later
//! pages, because a cursor is the number of the last task.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared::store::query::{Cursor, TaskQuery};

use super::{
    documents::Task,
    frame::Caller,
    problem::Problem,
    query::{self, Query},
};
use crate::app::App;

/// Items of a page that asks for no number.
const USUAL: u32 = 100;
/// The largest page.
const MOST: u32 = 1000;

#[derive(Serialize)]
struct Page<'a> {
    items: Vec<Task<'a>>,
    next_cursor: Option<String>,
}

/// The tasks that match.
pub(super) async fn tasks(
    State(app): State<Arc<App>>,
    caller: Caller,
    uri: Uri,
) -> Result<Response, Problem> {
    let asked = read(&uri, &caller)?;
    let page = app.store.tasks(asked).await?;
    let fleet = app.fleet.now();
    let document = Page {
        items: page
            .items
            .iter()
            .map(|task| Task::listed(task, &fleet))
            .collect(),
        next_cursor: page.next.map(query::encode),
    };
    let mut response = Json(document).into_response();
    if let Some(link) = page.next.and_then(|next| link(&uri, next)) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

fn read(uri: &Uri, caller: &Caller) -> Result<TaskQuery, Problem> {
    let mut query = Query::of(uri)?;
    let status = query.text("status");
    let status = status.and_then(|text| {
        let found = shared::model::Status::ALL
            .into_iter()
            .find(|one| one.as_str() == text);
        if found.is_none() {
            query.flaw(
                "status",
                "must be pending, running, completed, failed or cancelled",
            );
        }
        found
    });
    let limit = query
        .parsed::<u32>("limit", "a whole number")
        .unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        query.flaw("limit", format!("must be 1 to {MOST}"));
    }
    let asked = TaskQuery {
        tenant: caller.tenant.clone(),
        status,
        workflow_type: query.parsed("type", "the name of a workflow type"),
        priority: query.parsed("priority", "critical, high, medium or low"),
        labels: query.under("label.").into_iter().collect(),
        limit,
        cursor: query.cursor(),
    };
    query.finish()?;
    Ok(asked)
}

/// The next page: the same question with another cursor.
fn link(uri: &Uri, next: Cursor) -> Option<HeaderValue> {
    let mut parts: Vec<String> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|part| !part.is_empty() && !part.starts_with("cursor="))
        .map(ToOwned::to_owned)
        .collect();
    parts.push(format!("cursor={}", query::encode(next)));
    let text = format!(
        "<{}?{}>; rel=\"next\"",
        "/api/workflows/tasks",
        parts.join("&")
    );
    HeaderValue::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_link_keeps_the_question() {
        let uri: Uri = "/api/workflows/tasks?status=failed&cursor=0011223344556677&label.a%20b=c"
            .parse()
            .unwrap();
        let link = link(&uri, Cursor(9)).unwrap();
        let expect = format!(
            "</api/workflows/tasks?status=failed&label.a%20b=c&cursor={}>; rel=\"next\"",
            query::encode(Cursor(9))
        );
        assert_eq!(link.to_str().unwrap(), expect);
    }
}
