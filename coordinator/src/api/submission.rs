//! `POST /api/workflows/submit` and `/submit/bulk`.
//!
//! Invariant: one bad item refuses an atomic request whole, with every problem
//! of every item; without `atomic` each item is answered on its own.

use std::sync::Arc;

use axum::{
    Json as JsonBody,
    extract::{Request, State},
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use shared::model::{Json, Status, TaskId, plan};
use tracing::info;

use super::{
    body::{Body, Documents, Media, off_thread},
    frame::Caller,
    intake::{self, Keyed, Stored},
    problem::Problem,
    query::Query,
};
use crate::{
    app::App,
    submit::{self, Around, Fields, Finding, Judged},
};

/// One task.
pub(super) async fn one(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let asked = Asked::read(&request)?;
    let body = Body::read(request, &app).await?;
    let size = body.bytes.len();
    let documents = off_thread(size, move || body.document().map(|one| vec![one])).await??;
    let keyed = asked.keyed(&app, &caller, (&documents, None))?;
    let catalogue = intake::catalogue(&app, &documents).await?;
    let around = intake::around(&app, &caller, false);
    let (mut judged, around) = off_thread(size, move || {
        submit::judge(documents, &catalogue, &around).map(|judged| (judged, around))
    })
    .await?
    .map_err(too_large)?;
    let refused = judged.items[0].is_rejected();
    probe(&app, &mut judged, &around, (asked.dry_run, refused)).await?;
    if judged.items[0].is_rejected() {
        return Err(Problem::invalid(intake::findings(&judged, "")));
    }
    if asked.dry_run {
        return Ok(JsonBody(json!({"dry_run": true, "valid": true})).into_response());
    }
    let reply = |judged: &Judged| single_reply(judged.items[0].id);
    let stored = intake::store(&app, &mut judged, &around, keyed.as_ref(), (true, &reply)).await?;
    let id = judged.items[0].id;
    let correlation_id = judged.items[0].correlation_id(&around);
    info!(task_id = %id, correlation_id, "accepted");
    let location = match &stored {
        Stored::New(_) => Some(self_link(id)),
        Stored::Replayed(first) => link_of(first),
    };
    Ok(intake::accepted(stored, location.as_deref()))
}

/// Many tasks.
pub(super) async fn bulk(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let asked = Asked::read(&request)?;
    let body = Body::read_as(request, &app, &[Media::Json, Media::Lines]).await?;
    let size = body.bytes.len();
    let atomic = asked.atomic;
    let batch = off_thread(size, move || Batch::read(body.documents()?, atomic)).await??;
    let (atomic, items_at) = (batch.atomic, batch.items_at);
    let keyed = asked.keyed(&app, &caller, (&batch.documents, batch.written))?;
    let catalogue = intake::catalogue(&app, &batch.documents).await?;
    let around = intake::around(&app, &caller, true);
    let (mut judged, around) = off_thread(size, move || {
        submit::judge(batch.documents, &catalogue, &around).map(|judged| (judged, around))
    })
    .await?
    .map_err(too_large)?;
    let refused = atomic && judged.items.iter().any(submit::Item::is_rejected);
    probe(&app, &mut judged, &around, (asked.dry_run, refused)).await?;
    if atomic && judged.items.iter().any(submit::Item::is_rejected) {
        return Err(Problem::invalid(intake::findings(&judged, items_at)));
    }
    let batch_id = TaskId::mint(0, around.now, &mut rand::rng());
    let dry_run = asked.dry_run;
    let reply = move |judged: &Judged| bulk_reply(judged, batch_id, dry_run);
    if dry_run {
        let json = [(header::CONTENT_TYPE, "application/json")];
        return Ok((json, reply(&judged).into_string()).into_response());
    }
    let stored = intake::store(&app, &mut judged, &around, keyed.as_ref(), (atomic, &reply)).await;
    // What the store refuses of an atomic request is told by item as well.
    let stored = stored.map_err(|problem| match intake::findings(&judged, items_at) {
        found if found.is_empty() => problem,
        found => Problem::invalid(found),
    })?;
    info!(%batch_id, tasks = judged.items.len(), "a bulk was accepted");
    Ok(intake::accepted(stored, None))
}

/// Looks for parents that do not exist, if the store will not be asked to. A
/// request that is refused anyway is refused without a store as well.
async fn probe(
    app: &App,
    judged: &mut Judged,
    around: &Around,
    (dry_run, refused): (bool, bool),
) -> Result<(), Problem> {
    if !dry_run && !refused {
        return Ok(());
    }
    let probed = intake::probe_parents(app, judged, around).await;
    if refused { Ok(()) } else { probed }
}

/// What a request asks for apart from its tasks.
struct Asked {
    path: String,
    query: String,
    key: Option<String>,
    dry_run: bool,
    atomic: Option<bool>,
}

impl Asked {
    fn read(request: &Request) -> Result<Self, Problem> {
        let uri = request.uri();
        let mut query = Query::of(uri)?;
        let dry_run = query.parsed("dry_run", "true or false");
        let bulk = uri.path().ends_with("/bulk");
        let atomic = bulk
            .then(|| query.parsed("atomic", "true or false"))
            .flatten();
        query.finish()?;
        Ok(Self {
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            key: intake::key_of(request.headers())?,
            dry_run: dry_run.unwrap_or(false),
            atomic,
        })
    }

    fn keyed(
        &self,
        app: &App,
        caller: &Caller,
        (documents, atomic): (&[Value], Option<bool>),
    ) -> Result<Option<Keyed>, Problem> {
        let Some(key) = self.key.clone().filter(|_| !self.dry_run) else {
            return Ok(None);
        };
        let documents: Vec<&Value> = documents.iter().collect();
        // Part of the body, like the documents.
        let query = match atomic {
            Some(atomic) => format!("{}&{atomic}", self.query),
            None => self.query.clone(),
        };
        let fingerprint = submit::fingerprint(&self.path, &query, &documents);
        Keyed::hold(app, caller, key, fingerprint).map(Some)
    }
}

/// The documents of a bulk.
struct Batch {
    documents: Vec<Value>,
    atomic: bool,
    /// `atomic` as the body says it, if it does.
    written: Option<bool>,
    /// Where item `{}` stands in the request.
    items_at: &'static str,
}

impl Batch {
    fn read(documents: Documents, atomic: Option<bool>) -> Result<Self, Problem> {
        let (documents, written, items_at) = match documents {
            Documents::Many(lines) => (lines, None, "/{}"),
            Documents::One(body) => {
                let mut fields = Fields::of(body, "");
                let named = fields.has("tasks");
                let tasks = fields.list("tasks").unwrap_or_default();
                if !named {
                    fields.flaw("tasks", "is required: a list of tasks");
                }
                let written = fields.flag("atomic");
                let findings = fields.finish();
                if !findings.is_empty() {
                    return Err(Problem::invalid(findings));
                }
                (tasks, written, "/tasks/{}")
            }
        };
        if documents.is_empty() {
            let finding = Finding::new("/tasks", "must hold at least one task");
            return Err(Problem::invalid(vec![finding]));
        }
        Ok(Self {
            documents,
            atomic: written.or(atomic).unwrap_or(true),
            written,
            items_at,
        })
    }
}

fn too_large(error: plan::TooLarge) -> Problem {
    Problem::invalid(vec![Finding::new("/tasks", error.to_string())])
}

fn self_link(id: TaskId) -> String {
    format!("/api/workflows/status/{id}")
}

fn link_of(reply: &Json) -> Option<String> {
    let reply: Value = reply.parse().ok()?;
    reply["links"]["self"].as_str().map(ToOwned::to_owned)
}

#[derive(Serialize)]
struct Links {
    #[serde(rename = "self")]
    own: String,
}

#[derive(Serialize)]
struct Accepted {
    task_id: TaskId,
    status: Status,
    links: Links,
}

fn single_reply(id: TaskId) -> Json {
    text(&Accepted {
        task_id: id,
        status: Status::Pending,
        links: Links { own: self_link(id) },
    })
}

#[derive(Serialize)]
struct Bulk<'a> {
    batch_id: TaskId,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    accepted: usize,
    rejected: usize,
    items: Vec<BulkItem<'a>>,
}

#[derive(Serialize)]
struct BulkItem<'a> {
    index: usize,
    #[serde(rename = "ref")]
    name: Option<&'a str>,
    #[serde(flatten)]
    fate: Fate,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Fate {
    Accepted { task_id: TaskId, status: Status },
    Rejected { problem: Box<RawValue> },
}

fn bulk_reply(judged: &Judged, batch_id: TaskId, dry_run: bool) -> Json {
    let items: Vec<BulkItem<'_>> = judged
        .items
        .iter()
        .enumerate()
        .map(|(index, item)| BulkItem {
            index,
            name: item.name.as_deref(),
            fate: if item.is_rejected() {
                Fate::Rejected {
                    problem: rejection(item),
                }
            } else {
                Fate::Accepted {
                    task_id: item.id,
                    status: Status::Pending,
                }
            },
        })
        .collect();
    let rejected = judged
        .items
        .iter()
        .filter(|item| item.is_rejected())
        .count();
    text(&Bulk {
        batch_id,
        dry_run,
        accepted: items.len() - rejected,
        rejected,
        items,
    })
}

/// An item's problem, as text: a `Value` would sort its members.
fn rejection(item: &submit::Item) -> Box<RawValue> {
    let problem = Problem::invalid(item.findings.clone());
    to_raw_value(&problem.document(None))
        .expect("plain structs of strings and numbers are always JSON")
}

fn text(document: &impl Serialize) -> Json {
    let text = serde_json::to_string(document)
        .expect("plain structs of strings and numbers are always JSON");
    Json::from_text(text)
}
