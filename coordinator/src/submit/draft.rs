//! Reads one task of a request.
//!
//! Invariant: what is missing has the default of the task's type; what is
//! wrong is remembered and reading goes on.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use shared::model::{OnDependencyFailure, Priority, RetryPolicy, Stamp, TypeName, reference};

use super::{Fields, Finding};
use crate::catalogue::{Catalogue, Kind};

/// The longest run that may be asked for: a day.
const MAX_TIMEOUT_MS: u64 = 24 * 3600 * 1000;
/// Fits into a header, and into every log line.
const MAX_CORRELATION: usize = 128;
/// Labels of one task: marks for filters, not a document store.
const MAX_LABELS: usize = 32;
/// Characters of a label's name.
const MAX_LABEL_KEY: usize = 64;
/// Characters of a label's value.
const MAX_LABEL_VALUE: usize = 256;

/// A task's labels.
pub(crate) type Labels = BTreeMap<String, String>;

/// What one task asks for, apart from its place among the others.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) workflow_type: TypeName,
    pub(crate) priority: Priority,
    pub(crate) on_dependency_failure: OnDependencyFailure,
    pub(crate) retry: RetryPolicy,
    pub(crate) timeout_ms: u64,
    pub(crate) run_at: Option<Stamp>,
    pub(crate) expires_at: Option<Stamp>,
    pub(crate) correlation_id: Option<String>,
    pub(crate) labels: Labels,
}

/// One task as it was written.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) name: Option<String>,
    pub(crate) depends_on: Vec<String>,
    pub(crate) input: Value,
    pub(crate) input_at: &'static str,
    /// Absent if its type is not known.
    pub(crate) wish: Option<Wish>,
    /// By pointers within the document.
    pub(crate) findings: Vec<Finding>,
}

impl Draft {
    /// Reads a document; `refs` says whether it may carry a `ref`.
    pub(crate) fn read(document: Value, catalogue: &Catalogue, refs: bool) -> Self {
        let mut fields = Fields::of(document, "");
        let name = if refs { fields.text("ref") } else { None };
        let depends_on = names(&mut fields);
        let (kind, input, input_at) = matter(&mut fields, catalogue);
        let wish = wish(&mut fields, kind.as_deref());
        let input = match (&kind, input) {
            (Some(kind), Some(input)) => {
                let input = with_defaults(input, &kind.info.defaults);
                let found = kind.schema.check(&input);
                let found = found.into_iter().map(Finding::from);
                fields.extend(found.map(|one| one.inside(input_at)));
                input
            }
            (None, Some(input)) => input,
            (_, None) => Value::Null,
        };
        Self {
            name,
            depends_on,
            input,
            input_at,
            wish,
            findings: fields.finish(),
        }
    }
}

/// Type and input, in either form.
fn matter(
    fields: &mut Fields,
    catalogue: &Catalogue,
) -> (Option<Arc<Kind>>, Option<Value>, &'static str) {
    let template = fields.has("template");
    let (type_key, input_key, input_at) = if template {
        for key in ["workflow_type", "input"] {
            if fields.raw(key).is_some() {
                fields.flaw(
                    key,
                    "stands instead of `template` and `parameters`, not beside them",
                );
            }
        }
        ("template", "parameters", "/parameters")
    } else {
        ("workflow_type", "input", "/input")
    };
    let named = fields.has(type_key);
    let kind = fields.text(type_key).and_then(|name| {
        let kind = catalogue.find(&name).cloned();
        if kind.is_none() {
            let known = "GET /api/workflows/templates lists those that are";
            fields.flaw(type_key, format!("is not a known workflow type; {known}"));
        }
        kind
    });
    if !named {
        fields.flaw(type_key, "is required: the name of a workflow type");
    }
    let input = fields
        .raw(input_key)
        .or_else(|| template.then(|| Value::Object(serde_json::Map::new())));
    if input.is_none() {
        fields.flaw(
            input_key,
            "is required: the input of the workflow, such as {}",
        );
    }
    (kind, input, input_at)
}

/// Fills in the members that an input does not name. A `$result` object in
/// place of the whole input is filled in by its parent.
fn with_defaults(mut input: Value, defaults: &Value) -> Value {
    if let (Value::Object(members), Value::Object(defaults)) = (&mut input, defaults)
        && !members.contains_key(reference::KEY)
    {
        for (key, value) in defaults {
            if !members.contains_key(key) {
                members.insert(key.clone(), value.clone());
            }
        }
    }
    input
}

fn names(fields: &mut Fields) -> Vec<String> {
    let items = fields.list("depends_on").unwrap_or_default();
    let mut names = Vec::with_capacity(items.len());
    for (place, item) in items.into_iter().enumerate() {
        if let Value::String(name) = item {
            names.push(name);
        } else {
            let pointer = format!("/depends_on/{place}");
            let detail = "must be the ref or id of a task, as a string";
            fields.extend([Finding::new(pointer, detail)]);
            // Keeps the places of those that follow.
            names.push(String::new());
        }
    }
    names
}

fn wish(fields: &mut Fields, kind: Option<&Kind>) -> Option<Wish> {
    let priority = fields.word("priority", "critical, high, medium, low");
    let on_dependency_failure = fields.word("on_dependency_failure", "cancel, run");
    let defaults = kind.map(|kind| kind.info.retry.clone()).unwrap_or_default();
    let retry = retry(fields, defaults);
    let timeout_ms = fields.whole("timeout_ms", 1, MAX_TIMEOUT_MS);
    let (run_at, expires_at) = (fields.time("run_at"), fields.time("expires_at"));
    if let (Some(run_at), Some(expires_at)) = (run_at, expires_at)
        && expires_at <= run_at
    {
        fields.flaw(
            "expires_at",
            "must be later than `run_at`, or the task can never start",
        );
    }
    let correlation_id = fields.short_text("correlation_id", MAX_CORRELATION);
    if correlation_id
        .as_ref()
        .is_some_and(|id| !id.bytes().all(|b| b.is_ascii_graphic()))
    {
        fields.flaw("correlation_id", "must be printable ASCII without spaces");
    }
    let labels = fields
        .object("labels")
        .map(|labels| read_labels(fields, labels));
    let kind = kind?;
    Some(Wish {
        workflow_type: kind.info.name.clone(),
        priority: priority.unwrap_or(kind.info.priority),
        on_dependency_failure: on_dependency_failure.unwrap_or_default(),
        retry,
        timeout_ms: timeout_ms.unwrap_or(kind.info.timeout_ms),
        run_at,
        expires_at,
        correlation_id,
        labels: labels.unwrap_or_default(),
    })
}

fn retry(fields: &mut Fields, mut policy: RetryPolicy) -> RetryPolicy {
    let Some(mut part) = fields.object("retry") else {
        return policy;
    };
    let most = u64::from(RetryPolicy::MAX_ATTEMPTS);
    if let Some(attempts) = part.whole("max_attempts", 1, most) {
        policy.max_attempts = u32::try_from(attempts).unwrap_or(RetryPolicy::MAX_ATTEMPTS);
    }
    if let Some(delay) = part.whole("initial_delay_ms", 0, RetryPolicy::MAX_DELAY_MS) {
        policy.initial_delay_ms = delay;
    }
    if let Some(multiplier) = part.number("multiplier") {
        policy.multiplier = multiplier;
    }
    if let Some(delay) = part.whole("max_delay_ms", 0, RetryPolicy::MAX_DELAY_MS) {
        policy.max_delay_ms = delay;
    }
    if let Some(jitter) = part.flag("jitter") {
        policy.jitter = jitter;
    }
    for (field, detail) in policy.problems() {
        part.flaw(field, detail);
    }
    fields.absorb(part);
    policy
}

fn read_labels(fields: &mut Fields, mut part: Fields) -> Labels {
    let mut labels = Labels::new();
    for (key, value) in part.rest() {
        let name = (1..=MAX_LABEL_KEY).contains(&key.len())
            && key
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b));
        match value {
            _ if !name => part.flaw(
                &key,
                format!("a label's name is 1 to {MAX_LABEL_KEY} of letters, digits, `_`, `-`, `.` and `/`"),
            ),
            Value::String(text) if text.chars().count() <= MAX_LABEL_VALUE => {
                labels.insert(key, text);
            }
            _ => part.flaw(
                &key,
                format!("a label's value is a string of at most {MAX_LABEL_VALUE} characters"),
            ),
        }
    }
    fields.absorb(part);
    if labels.len() > MAX_LABELS {
        fields.flaw(
            "labels",
            format!("at most {MAX_LABELS} labels are possible"),
        );
    }
    labels
}
