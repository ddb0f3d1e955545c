//! What a single submission and a bulk have in common: key, catalogue, store.
//!
//! Invariant: an accepted answer is sent only after the store has said so; the
//! same key gets the stored answer, whichever replica is asked.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    body::Body as HttpBody,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use metrics::counter;
use serde_json::Value;
use shared::{
    model::Json,
    store::verbs::{Idempotency, Submission, Submitted},
};

use super::{
    frame::{Caller, text_of},
    problem::{Code, Problem},
};
use crate::{
    app::{App, HeldKey},
    catalogue::Catalogue,
    submit::{self, Around, Finding, Judged},
};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// A key is a name, not a document.
const MAX_KEY: usize = 255;
/// Rounds of "the store does not know these parents (or files), go on without
/// them". Each needs a task or a file that was removed in that moment.
const ROUNDS: usize = 5;
/// Parents that are looked up for a request that is refused anyway, or only
/// tried.
const MOST_PROBES: usize = 1000;

/// A request under a key.
#[derive(Debug)]
pub(crate) struct Keyed {
    key: String,
    fingerprint: String,
    _held: HeldKey,
}

/// The key of a request, if it has one.
pub(crate) fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    if !headers.contains_key(KEY) {
        return Ok(None);
    }
    let key = text_of(headers, &KEY).filter(|key| {
        (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
    });
    match key {
        Some(key) => Ok(Some(key)),
        None => Err(Problem::new(
            Code::BadRequest,
            format!(
                "an Idempotency-Key is 1 to {MAX_KEY} printable ASCII characters without spaces"
            ),
        )),
    }
}

impl Keyed {
    /// Holds the key while its request is answered.
    pub(crate) fn hold(
        app: &App,
        caller: &Caller,
        key: String,
        fingerprint: String,
    ) -> Result<Self, Problem> {
        let name = format!("{}/{key}", caller.tenant);
        let held = app.keys.hold(name).ok_or_else(|| {
            Problem::new(
                Code::KeyInFlight,
                "wait for the answer to the first request, or ask again",
            )
        })?;
        Ok(Self {
            key,
            fingerprint,
            _held: held,
        })
    }

    fn with(&self, reply: Json) -> Idempotency {
        Idempotency {
            key: self.key.clone(),
            fingerprint: self.fingerprint.clone(),
            reply,
        }
    }
}

/// The catalogue that knows every type these documents name, as far as any
/// does.
pub(crate) async fn catalogue(app: &App, documents: &[Value]) -> Result<Arc<Catalogue>, Problem> {
    let known = Arc::clone(&app.fleet.now().catalogue);
    if submit::names_unknown_type(documents, &known) {
        return Ok(app.fleet.look_again(&*app.store).await?);
    }
    Ok(known)
}

/// What the request decides for all of its tasks.
pub(crate) fn around(app: &App, caller: &Caller, refs: bool) -> Around {
    Around {
        tenant: caller.tenant.clone(),
        now: app.clock.now(),
        correlation_id: caller.given_id.clone(),
        traceparent: caller.traceparent.clone(),
        refs,
    }
}

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Stored {
    /// It is stored, or nothing of it was worth storing; this is the answer.
    New(Json),
    /// It was stored before; this was the answer.
    Replayed(Json),
}

/// Step 3. Stores what was judged sound. `reply` writes the answer; where the
/// store refuses parents, `judged` learns it, and without `atomic` the rest
/// goes on.
pub(crate) async fn store(
    app: &App,
    judged: &mut Judged,
    around: &Around,
    keyed: Option<&Keyed>,
    how: (bool, &(dyn Fn(&Judged) -> Json + Send + Sync)),
) -> Result<Stored, Problem> {
    let (atomic, reply) = how;
    for _ in 0..ROUNDS {
        let answer = reply(judged);
        let tasks = judged.tasks(around);
        let count = tasks.len() as u64;
        if tasks.is_empty() {
            return Ok(Stored::New(answer));
        }
        let submission = Submission {
            tenant: around.tenant.clone(),
            tasks,
            idempotency: keyed.map(|keyed| keyed.with(answer.clone())),
        };
        match app.store.submit(submission).await? {
            Submitted::Accepted => {
                app.bells.ready.notify_one();
                counter!("zerogate_tasks_submitted_total").increment(count);
                return Ok(Stored::New(answer));
            }
            Submitted::Replayed(first) => return Ok(Stored::Replayed(first)),
            Submitted::KeyReused => {
                return Err(Problem::new(
                    Code::KeyReused,
                    "this Idempotency-Key came with another body before; draw a new key",
                ));
            }
            Submitted::Stopped => {
                return Err(Problem::new(
                    Code::Stopped,
                    "submissions are refused until someone resumes the fleet",
                ));
            }
            Submitted::UnknownParents(unknown) => {
                let missing = unknown.into_iter().map(|(_, parent)| parent).collect();
                judged.refuse_missing(&missing);
                if atomic {
                    return Err(Problem::invalid(findings(judged, "")));
                }
            }
            Submitted::UnknownFiles(unknown) => {
                let missing = unknown.into_iter().map(|(_, file)| file).collect();
                judged.refuse_missing_files(&missing);
                if atomic {
                    return Err(Problem::invalid(findings(judged, "")));
                }
            }
        }
    }
    Err(Problem::new(
        Code::StoreUnavailable,
        "parents or files of these tasks are being removed right now; send the request again",
    ))
}

/// All findings of a request that are causes, under where its items stand.
pub(crate) fn findings(judged: &Judged, items_at: &str) -> Vec<Finding> {
    let rejected = judged.items.iter().enumerate();
    rejected
        .filter(|(_, item)| !item.only_consequences)
        .flat_map(|(index, item)| {
            let at = if items_at.is_empty() {
                String::new()
            } else {
                items_at.replace("{}", &index.to_string())
            };
            item.findings
                .iter()
                .cloned()
                .map(move |finding| finding.inside(&at))
        })
        .collect()
}

/// Rejects items whose parents or files do not exist, as the store would: for requests
/// that do not reach it, so that their problems are reported whole.
pub(crate) async fn probe_parents(
    app: &App,
    judged: &mut Judged,
    around: &Around,
) -> Result<(), Problem> {
    let mut missing = BTreeSet::new();
    for id in judged.earlier_tasks().into_iter().take(MOST_PROBES) {
        if app.store.task(&around.tenant, id).await?.is_none() {
            missing.insert(id);
        }
    }
    judged.refuse_missing(&missing);
    probe_files(app, judged, around).await
}

/// The same for files that do not exist.
async fn probe_files(app: &App, judged: &mut Judged, around: &Around) -> Result<(), Problem> {
    let asked: Vec<_> = judged.files().into_iter().take(MOST_PROBES).collect();
    if asked.is_empty() {
        return Ok(());
    }
    let found = app.store.files(&around.tenant, &asked).await?;
    let missing = asked.into_iter().zip(found);
    let missing = missing.filter_map(|(id, found)| found.is_none().then_some(id));
    judged.refuse_missing_files(&missing.collect());
    Ok(())
}

/// The answer to an accepted request.
pub(crate) fn accepted(stored: Stored, location: Option<&str>) -> Response {
    let (body, replayed) = match stored {
        Stored::New(body) => (body, false),
        Stored::Replayed(body) => (body, true),
    };
    let mut response = (StatusCode::ACCEPTED, HttpBody::from(body.into_string())).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if let Some(location) = location.and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.insert(header::LOCATION, location);
    }
    if replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
