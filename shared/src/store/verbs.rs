//! What is asked of the store, and what it answers, verb by verb.
//!
//! Invariant: plain data. Batches answer in the order of their questions.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::model::{
    AttemptToken, FileId, Json, Nonce, Progress, Route, Stamp, TaskError, TaskId, TaskSpec,
    TaskState, TenantId, TypeName, WorkerId,
};

use super::query::WorkerState;

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

/// How many tasks of a route may be taken or queued at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// For types that are not named in `by_type`.
    pub default: u32,
    /// For each route of these types.
    pub by_type: BTreeMap<TypeName, u32>,
}

/// Asks for ready tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Take {
    /// Recognises the same question asked again (remembered 60 s).
    pub nonce: Nonce,
    /// At most this many tasks.
    pub limit: u32,
    /// The windows to stay within.
    pub windows: Windows,
    /// How long the taker has to publish before the tasks are ready again.
    pub deadline: Duration,
}

/// A task on its way to the broker.
#[derive(Clone, Debug, PartialEq)]
pub struct TakenTask {
    /// Which task.
    pub id: TaskId,
    /// Whose.
    pub tenant: TenantId,
    /// Where it goes.
    pub route: Route,
    /// The attempt that a claim through this slip starts (1 for the first).
    pub attempt: u32,
    /// The input's length in bytes.
    pub input_bytes: u64,
    /// It travels and runs alone, because a lease on it lapsed once.
    pub solo: bool,
    /// Learned run time of its type: a decayed mean. `None` before the first
    /// finish of that type.
    pub expected_run: Option<Duration>,
    /// Travels with it.
    pub correlation_id: String,
    /// Travels with it.
    pub traceparent: Option<String>,
}

/// The answer of `take_ready`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    /// The tasks, in the order in which they should be published.
    pub tasks: Vec<TakenTask>,
    /// Whether more could have been taken, had the limit been higher.
    pub more: bool,
}

/// A slip that the broker has confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedSlip {
    /// Its tickets: task and attempt.
    pub tickets: Vec<(TaskId, u32)>,
    /// How long it may stay unclaimed before it is suspected lost.
    pub republish_after: Duration,
}

/// One ticket to be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimTicket {
    /// Which task.
    pub task: TaskId,
    /// The attempt that the ticket starts.
    pub attempt: u32,
    /// Drawn by the worker for this claim.
    pub token: AttemptToken,
}

/// Asks for leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who asks.
    pub worker: WorkerId,
    /// How long each lease holds without renewal.
    pub lease: Duration,
    /// The tickets, in the order in which they will run.
    pub tickets: Vec<ClaimTicket>,
}

/// Everything a worker needs to run a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Granted {
    /// Which task.
    pub task: TaskId,
    /// What was asked for.
    pub spec: TaskSpec,
    /// The input, with references by task id.
    pub input: Json,
    /// The number of this run.
    pub attempt: u32,
    /// Earlier runs that failed, since submission or the last `retry`.
    pub failures: u32,
    /// The tasks that the input reads, in the order of `spec.reads`.
    pub parents: Vec<ParentResult>,
}

/// What a dependent may read of a parent.
#[derive(Clone, Debug, PartialEq)]
pub struct ParentResult {
    /// Which task.
    pub task: TaskId,
    /// Its result; `None` unless it is completed.
    pub result: Option<Json>,
}

/// What became of one ticket.
#[derive(Clone, Debug, PartialEq)]
pub enum Claimed {
    /// The lease is held; run it.
    Granted(Box<Granted>),
    /// It may not start now (paused, or not due): ready or scheduled again.
    Held,
    /// A copy of a slip that was claimed, or of a task that ended: drop it.
    Stale,
    /// The store has never heard of it, or has forgotten it: drop it.
    Unknown,
}

/// The answer of `claim`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClaimReply {
    /// One per ticket.
    pub outcomes: Vec<Claimed>,
    /// The routes that have queued work, the most urgent first.
    pub hint: Vec<Route>,
}

/// One running task, named by its token.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRef {
    /// Which task.
    pub task: TaskId,
    /// The token of the claim.
    pub token: AttemptToken,
}

/// Asks for longer leases.
#[derive(Clone, Debug, PartialEq)]
pub struct Renew {
    /// How long each lease holds from now.
    pub lease: Duration,
    /// The runs, with news of their progress if there is any.
    pub runs: Vec<(RunRef, Option<Progress>)>,
}

/// What became of one lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// It holds.
    Kept,
    /// It holds, and the task is to be stopped.
    CancelAsked,
    /// It is gone: stop the run; its report would change nothing.
    Refused,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// With this result.
    Completed(Json),
    /// With this error. If it is retryable and attempts last, the next run is
    /// due after `retry_in`.
    Failed {
        /// Why.
        error: TaskError,
        /// The delay before the next attempt, drawn from the task's policy.
        retry_in: Duration,
    },
    /// It was asked to stop, and stopped.
    Cancelled,
}

/// The report of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Which run.
    pub run: RunRef,
    /// Whose task it is.
    pub tenant: TenantId,
    /// How it ended.
    pub outcome: Outcome,
    /// How long the handler ran.
    pub ran_for: Duration,
    /// The files that a completed run made, already put: the task refers to
    /// them from now on. One that is unknown is passed over.
    pub files: Vec<FileId>,
}

/// Reports the ends of runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    /// In the order in which they ended.
    pub reports: Vec<Report>,
}

/// What became of one report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// Committed; the task is in this state. A report that was committed
    /// before gets the same answer again.
    Committed(TaskState),
    /// The token no longer holds. Nothing changed.
    Stale,
}

/// The answer of `finish`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FinishReply {
    /// One per report.
    pub outcomes: Vec<Finished>,
    /// The routes that have queued work, the most urgent first.
    pub hint: Vec<Route>,
}

/// Gives runs back.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    /// Which.
    pub runs: Vec<RunRef>,
}

/// Asks to cancel tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// Whose tasks; those of others are unknown.
    pub tenant: TenantId,
    /// Which.
    pub ids: Vec<TaskId>,
    /// Why, for the task's error; empty if not said.
    pub reason: String,
}

/// What became of one cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It was pending and is cancelled.
    Cancelled,
    /// It is running; its worker is asked to stop it.
    Requested,
    /// It had ended already, like this.
    WrongState(TaskState),
    /// This tenant has no such task.
    Unknown,
}

/// Asks to run failed or cancelled tasks again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Whose tasks; those of others are unknown.
    pub tenant: TenantId,
    /// Which.
    pub ids: Vec<TaskId>,
}

/// What became of one retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryOutcome {
    /// It is pending again, with fresh attempts; its latest run had this
    /// number.
    Revived {
        /// The number of the latest run.
        attempt: u32,
    },
    /// It is not failed or cancelled but this.
    WrongState(TaskState),
    /// This parent is failed or cancelled, and the task depends on its
    /// success.
    ParentFailed(TaskId),
    /// This tenant has no such task.
    Unknown,
}

/// The policy of one sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// If no sweep has run for longer than this (or the server restarted), all
    /// leases are extended by `lease` once instead of lapsing: the workers
    /// could not have renewed them.
    pub outage_after: Duration,
    /// The extension after an outage.
    pub lease: Duration,
    /// Lapses while alone after which a task fails with `worker_lost`.
    pub lapse_cap: u32,
    /// How long finished tasks are kept.
    pub retention: Duration,
    /// At most this many of each kind in one sweep.
    pub limit: u32,
}

/// A route whose queued tasks are overdue for re-publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// Which route.
    pub route: Route,
    /// Tasks past their re-publish deadline, at most the sweep's limit.
    pub tasks: u32,
    /// Slips of this route that the store believes published and unclaimed
    /// (rounded up).
    pub slips: u32,
}

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Scheduled tasks that became ready.
    pub due: u32,
    /// Takes whose deadline had passed.
    pub takes_lapsed: u32,
    /// Leases that ran out; the tasks are ready again, or cancelled.
    pub leases_lapsed: u32,
    /// Tasks that failed with `worker_lost`.
    pub workers_lost: u32,
    /// Tasks that expired.
    pub expired: u32,
    /// Tasks that were removed.
    pub reaped: u32,
    /// Files that nobody referred to for as long as they were to be kept.
    pub files_expired: u32,
    /// Leases were extended because nobody could have renewed them.
    pub outage: bool,
    /// Routes with overdue slips.
    pub overdue: Vec<Overdue>,
    /// Some kind reached the limit: sweep again soon.
    pub more: bool,
    /// How long until the next task is due, if one is scheduled.
    pub next_due: Option<Duration>,
}

/// Makes queued tasks ready again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requeue {
    /// Of which route.
    pub route: Route,
    /// At most so many.
    pub limit: u32,
    /// Only those whose deadline passed at least this long ago; `None` for all
    /// queued ones, whatever their deadline (a new epoch of the broker).
    pub overdue_by: Option<Duration>,
}

/// Whether the fleet starts work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Yes.
    #[default]
    Running,
    /// Nothing new starts; submissions are accepted; running work goes on.
    Paused,
    /// Nothing new starts; submissions are refused; running work is given
    /// back.
    Stopped,
}

impl Mode {
    /// Whether new runs may start.
    #[must_use]
    pub const fn starts_work(self) -> bool {
        matches!(self, Self::Running)
    }
}

/// Asks for a mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModeAsked {
    /// Which.
    pub mode: Mode,
    /// Who asks.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// The mode of the fleet, and who set it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModeState {
    /// Which.
    pub mode: Mode,
    /// Whether the last question changed it.
    pub changed: bool,
    /// Who set it; empty if nobody did.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When; the epoch if nobody did.
    pub at: Stamp,
}

/// A worker's sign of life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beat {
    /// Who.
    pub worker: WorkerId,
    /// Everything it says of itself.
    pub state: WorkerState,
}

/// What a worker learns from its heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BeatReply {
    /// The mode of the fleet.
    pub mode: Mode,
    /// The routes that have queued work, the most urgent first.
    pub hint: Vec<Route>,
    /// The store had not heard of this worker: it should announce its types
    /// again.
    pub unknown: bool,
}
