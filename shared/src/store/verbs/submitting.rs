//! Step 3: a plan is stored, once.
//!
//! Invariant: plain data.

use crate::model::{FileId, Json, TaskId, TaskSpec, TenantId};

/// One task of a submission.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTask {
    /// Minted by the coordinator, with the tenant's shard.
    pub id: TaskId,
    /// What is asked for.
    pub spec: TaskSpec,
    /// The handler's input, references by task id.
    pub input: Json,
    /// The files that the input refers to, without repeats.
    pub files: Vec<FileId>,
}

/// A request that may be repeated under the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The client's key, scoped to the tenant; kept 24 hours.
    pub key: String,
    /// A digest of the request's body, compared as a JSON value.
    pub fingerprint: String,
    /// What the client is answered, now and on every replay.
    pub reply: Json,
}

/// A plan to be stored whole. Parents of the same submission stand before
/// their dependents.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// Whose tasks these are; equal to every task's `spec.tenant`.
    pub tenant: TenantId,
    /// The tasks, parents first.
    pub tasks: Vec<NewTask>,
    /// The key of the request, if it has one.
    pub idempotency: Option<Idempotency>,
}

/// What became of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// Stored. (A task whose parent had failed already is stored cancelled.)
    Accepted,
    /// The key was used before with the same body: that answer.
    Replayed(Json),
    /// The key was used before with another body. Nothing stored.
    KeyReused,
    /// These tasks name parents that are unknown to this tenant: pairs of the
    /// task's place in the submission and the parent. Nothing stored.
    UnknownParents(Vec<(usize, TaskId)>),
    /// These tasks refer to files that are unknown to this tenant: pairs of
    /// the task's place in the submission and the file. Nothing stored. Told
    /// only where all parents are known.
    UnknownFiles(Vec<(usize, FileId)>),
    /// The fleet is stopped. Nothing stored.
    Stopped,
}
