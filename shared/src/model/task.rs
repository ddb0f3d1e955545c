//! A task: what was asked for, and what became of it.
//!
//! Invariant: a [`TaskSpec`] never changes after submission; everything that
//! changes is in [`TaskView`], which is a reading, not a handle.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Priority, RetryPolicy, Route, Stamp, TaskError, TaskId, TaskState, TenantId, TypeName, WorkerId,
};

/// A JSON document as text: carried from client to handler and back without
/// being taken apart on the way.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(String);

impl Json {
    /// The text of a value.
    #[must_use]
    pub fn from_value(value: &serde_json::Value) -> Self {
        Self(value.to_string())
    }

    /// Takes text that is known to be JSON, such as what the store gives back.
    #[must_use]
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, owned.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no text at all (which is not JSON).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The most levels of lists and objects in a result. Readers, serde_json
    /// among them, go 127 deep, and a status answer wraps the result once.
    pub const MAX_DEPTH: usize = 126;

    /// Whether a value has more than [`Json::MAX_DEPTH`] levels of lists and
    /// objects, so that nobody could read its text.
    #[must_use]
    pub fn is_too_deep(value: &serde_json::Value) -> bool {
        fn exceeds(value: &serde_json::Value, left: usize) -> bool {
            match value {
                serde_json::Value::Array(items) => {
                    left == 0 || items.iter().any(|item| exceeds(item, left - 1))
                }
                serde_json::Value::Object(members) => {
                    left == 0 || members.values().any(|member| exceeds(member, left - 1))
                }
                _ => false,
            }
        }
        exceeds(value, Self::MAX_DEPTH)
    }

    /// Reads the text as `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }
}

impl std::fmt::Debug for Json {
    /// Length only: payloads do not belong in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Json({} bytes)", self.0.len())
    }
}

/// What a failed, cancelled or expired parent does to its dependent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDependencyFailure {
    /// The dependent is cancelled with `dependency_failed`.
    #[default]
    Cancel,
    /// The dependent runs; a result it reads from that parent is null.
    Run,
}

/// What was asked for; everything but the input, which travels apart because
/// it can be large.
///
/// Serialised for the stores alone, and without what is at its default: the
/// text is carried through every script and log of the store. So a default that
/// changes here changes the tasks that are stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// Whose task it is.
    pub tenant: TenantId,
    /// Which handler runs it.
    pub workflow_type: TypeName,
    /// How urgent it is.
    pub priority: Priority,
    /// The tasks that must have settled before it starts, without repeats.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<TaskId>,
    /// Those of `depends_on` whose results its input reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<TaskId>,
    /// What a failed parent does to it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_dependency_failure: OnDependencyFailure,
    /// When a failed attempt is tried again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retry: RetryPolicy,
    /// How long one run may take, in milliseconds.
    pub timeout_ms: u64,
    /// Not before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<Stamp>,
    /// Not to be started at or after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Stamp>,
    /// Follows the task into every log line, span, message and result.
    pub correlation_id: String,
    /// The submitter's own marks, for lists and filters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// W3C trace context of the submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl TaskSpec {
    /// Where its slips travel.
    #[must_use]
    pub fn route(&self) -> Route {
        Route::new(self.workflow_type.clone(), self.priority)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// How far a run has come, by its handler's own account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// From 0 to 1.
    pub fraction: f64,
    /// One short sentence, without payload.
    pub message: String,
}

/// One run that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// Its number, from 1.
    pub attempt: u32,
    /// When it was claimed.
    pub started_at: Stamp,
    /// When its end was committed; `None` while it runs.
    pub finished_at: Option<Stamp>,
    /// Who ran it.
    pub worker_id: WorkerId,
    /// An [`ErrorCode`](super::ErrorCode)'s name, `released`, or `None` for
    /// success and for a run that goes on.
    pub code: Option<String>,
    /// What its error said.
    pub message: Option<String>,
}

/// A reading of one task at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskView {
    /// Its id.
    pub id: TaskId,
    /// What was asked for.
    pub spec: TaskSpec,
    /// Where it is.
    pub state: TaskState,
    /// The number of its latest run; 0 before the first.
    pub attempt: u32,
    /// Runs that failed or timed out since submission or the last `retry`.
    pub failures: u32,
    /// Present while it runs and after success.
    pub progress: Option<Progress>,
    /// The tasks that depend on it.
    pub dependents: Vec<TaskId>,
    /// When the store accepted it.
    pub submitted_at: Stamp,
    /// When its latest run was claimed.
    pub started_at: Option<Stamp>,
    /// When it ended.
    pub finished_at: Option<Stamp>,
    /// When a scheduled task is due.
    pub due_at: Option<Stamp>,
    /// The memory that it needs, in bytes, if a worker had no room for it since
    /// its last start or retry.
    pub too_large: Option<u64>,
    /// How often it was set aside for that, since its last start or retry.
    pub asides: u32,
    /// Who runs it, or ran it last.
    pub worker_id: Option<WorkerId>,
    /// Whether a cancel is pending on a running task.
    pub cancel_requested: bool,
    /// What came out of it; only where the query asked for results.
    pub result: Option<Json>,
    /// Why it failed or was cancelled.
    pub error: Option<TaskError>,
    /// Its runs, the oldest first; at most [`TaskView::ATTEMPTS_KEPT`].
    pub attempts: Vec<AttemptRecord>,
}

impl TaskView {
    /// How many attempts are remembered: more than any policy's default needs,
    /// and few enough that a task that lapses for ever stays small.
    pub const ATTEMPTS_KEPT: usize = 20;
}
