//! The seam to the state of the fleet: one trait in domain verbs.
//!
//! Whatever changes more than one record is one verb and one transaction;
//! every verb may be asked again after a lost answer. Two backends implement
//! it: [`redis`] for production, [`sqlite`] for one process; one conformance
//! suite (in the `tests` package) runs on both, against a pure reference.
//! [`large`] stands before a backend that should not hold large texts.
//!
//! Invariant: the store's clock decides about time. No verb takes a present
//! time; durations and future times are arguments.

pub mod files;
pub mod query;
pub mod signal;
pub mod verbs;

pub mod large;

pub mod redis;
pub mod sqlite;

use std::fmt;

use async_trait::async_trait;

use crate::model::{FileId, Nonce, TaskId, TaskView, TenantId};

use files::{FilePut, FileRecord, NewFile, Payloads};
use query::{Counts, Page, TaskQuery, Totals, TypeInfo, WorkerView};
use signal::Signals;
use verbs::{
    AlertRecord, Aside, Beat, BeatReply, Cancel, CancelOutcome, Claim, ClaimReply, Finish,
    FinishReply, FirstOf, Granted, ModeAsked, ModeState, Note, Order, Orders, PublishedSlip,
    Release, Renew, Renewal, Report, Requeue, Retry, RetryOutcome, SeriesQuery, SeriesRow,
    Submission, Submitted, Sweep, Swept, Take, Taken,
};

/// Why a verb has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store is away or did not answer in time. The outcome is unknown;
    /// asking again is safe.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The store has no room for new tasks. Work that was accepted can finish.
    #[error("the store is full: {0}; raise its memory limit or shorten the retention")]
    Full(String),
    /// The store holds something that this version cannot read: a bug, or data
    /// of another program under the same keys.
    #[error("the store holds what this version cannot read: {0}")]
    Corrupt(String),
    /// No store takes this: more than a limit, or not what it should be. A bug
    /// of the caller; asking again is in vain.
    #[error("the store does not take this: {0}")]
    Refused(String),
    /// The store cannot serve this program at all.
    #[error("{0}")]
    Unsuitable(String),
}

impl Error {
    /// Whether asking again may help.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Full(_))
    }
}

/// The answer of a verb.
pub type Result<T> = std::result::Result<T, Error>;

/// The state of the fleet. See the module's documentation.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Step 3. Stores a whole plan, or nothing: records, open dependencies,
    /// ready set, and the idempotency key, in one transaction.
    async fn submit(&self, submission: Submission) -> Result<Submitted>;

    /// Step 4. Takes ready tasks for publication: strict priority, then
    /// tenants in weighted rotation, then age, within each route's window. A
    /// share ([`Take::spare`]) goes to the least urgent priority that has
    /// something to start, so that urgent work starves nobody; the answer is
    /// in order of priority all the same.
    /// Nothing while the mode is not running. The same nonce gets the same
    /// tasks again.
    async fn take_ready(&self, take: Take) -> Result<Taken>;

    /// Step 5. Records confirmed slips. Stale for tasks that were claimed
    /// meanwhile.
    async fn published(&self, slips: Vec<PublishedSlip>) -> Result<()>;

    /// Step 7. Claims tasks under fresh tokens; checks everything. Outcomes
    /// stand in the order of the tickets.
    async fn claim(&self, claim: Claim) -> Result<ClaimReply>;

    /// Brings texts that lie elsewhere (see [`large`]) into a grant, before it
    /// runs: apart from `claim`, so that one large input delays nobody else. A
    /// text that is lost keeps its mark.
    async fn recall(&self, granted: Box<Granted>) -> Result<Box<Granted>> {
        Ok(granted)
    }

    /// Puts a large result where it belongs, before `finish`: apart from it,
    /// so that one large result delays nobody else.
    async fn deposit(&self, report: Report) -> Result<Report> {
        Ok(report)
    }

    /// Extends leases and records progress. Answers stand in order.
    async fn renew(&self, renew: Renew) -> Result<Vec<Renewal>>;

    /// Steps 8 and 9. Commits outcomes under their tokens and unblocks
    /// dependents, in one transaction. Answers stand in order.
    async fn finish(&self, finish: Finish) -> Result<FinishReply>;

    /// Gives claimed tasks back, unfinished, free of charge; `false` where the
    /// token no longer holds. Under a pending cancel the task is cancelled.
    async fn release(&self, release: Release) -> Result<Vec<bool>>;

    /// Cancels tasks, or asks their workers to. Answers stand in order.
    async fn cancel(&self, cancel: Cancel) -> Result<Vec<CancelOutcome>>;

    /// Revives failed or cancelled tasks with fresh attempts, and the
    /// dependents that their failure had cancelled. Answers stand in order.
    async fn retry(&self, retry: Retry) -> Result<Vec<RetryOutcome>>;

    /// Moves everything whose time has come, at most `sweep.limit` of each
    /// kind. Idempotent; runs on every coordinator.
    async fn sweep(&self, sweep: Sweep) -> Result<Swept>;

    /// Makes up to `requeue.limit` queued tasks of a route ready again, the
    /// longest overdue first. Returns how many.
    async fn requeue(&self, requeue: Requeue) -> Result<u32>;

    /// Changes the mode of the fleet. Idempotent.
    async fn set_mode(&self, asked: ModeAsked) -> Result<ModeState>;

    /// The mode of the fleet.
    async fn mode(&self) -> Result<ModeState>;

    /// Gives a standing order, in the place of an earlier one about the same
    /// thing. What stands after it.
    async fn order(&self, order: Order) -> Result<Orders>;

    /// The standing orders.
    async fn orders(&self) -> Result<Orders>;

    /// Sets tasks aside that do not fit on the worker that was to run them:
    /// they are scheduled, for twice as long each time. No attempt is consumed.
    /// `false` for tickets of another attempt and where nothing waits to be
    /// started; asked again, it answers alike. Answers stand in order.
    async fn set_aside(&self, asides: Vec<Aside>) -> Result<Vec<bool>>;

    /// Keeps a small text under a name.
    async fn keep(&self, note: Note) -> Result<()>;

    /// The texts kept under these names, in order; `None` where there is none.
    async fn kept(&self, names: &[String]) -> Result<Vec<Option<String>>>;

    /// Adds rows of figures. Refused as [`Error::Full`] when there is no room:
    /// no history is worth a task.
    async fn append(&self, rows: Vec<SeriesRow>) -> Result<()>;

    /// Rows of figures, in order of time.
    async fn series(&self, query: SeriesQuery) -> Result<Vec<SeriesRow>>;

    /// Raises, changes or resolves alerts, by their ids.
    async fn raise(&self, records: Vec<AlertRecord>) -> Result<()>;

    /// The alerts of the fleet that changed last, the newest first.
    async fn alerts(&self, limit: u32) -> Result<Vec<AlertRecord>>;

    /// Whether this asker is the first within `lasts`: then how many others
    /// asked after the one that was first before it (0 if nobody was), else
    /// `None`. One message then stands for all of them.
    async fn first_of(&self, first: FirstOf) -> Result<Option<u64>>;

    /// Records that a worker lives, and what it is doing.
    async fn heartbeat(&self, beat: Beat) -> Result<BeatReply>;

    /// Removes a worker that said goodbye, and what was ordered of it.
    async fn farewell(&self, worker: &crate::model::WorkerId) -> Result<()>;

    /// Records the workflow types that a worker serves. They are known for 24
    /// hours.
    async fn announce(&self, types: Vec<TypeInfo>) -> Result<()>;

    /// The workflow types announced within 24 hours, by name.
    async fn types(&self) -> Result<Vec<TypeInfo>>;

    /// All workers heard of within the last hour, by id.
    async fn workers(&self) -> Result<Vec<WorkerView>>;

    /// One task of this tenant with its result, or `None`.
    async fn task(&self, tenant: &TenantId, id: TaskId) -> Result<Option<TaskView>>;

    /// Tasks of one tenant, newest first, without results.
    async fn tasks(&self, query: TaskQuery) -> Result<Page>;

    /// The tenant's queue in numbers.
    async fn counts(&self, tenant: &TenantId) -> Result<Counts>;

    /// The whole fleet in numbers, over all tenants; for metrics.
    async fn totals(&self) -> Result<Totals>;

    /// Records a file whose bytes are in the blob store. Asked again with the
    /// same key it answers alike.
    async fn put_file(&self, file: NewFile) -> Result<FilePut>;

    /// The tenant's files with these ids, in order.
    async fn files(&self, tenant: &TenantId, ids: &[FileId]) -> Result<Vec<Option<FileRecord>>>;

    /// One file of this tenant, or `None`.
    async fn file(&self, tenant: &TenantId, id: FileId) -> Result<Option<FileRecord>> {
        Ok(self.files(tenant, &[id]).await?.pop().flatten())
    }

    /// Which of these keys are those of the tenant's files, in order.
    async fn keys_held(&self, tenant: &TenantId, keys: &[String]) -> Result<Vec<bool>>;

    /// Which blobs these tasks of the tenant need, in order; `None` for tasks
    /// that are gone.
    async fn payloads(&self, tenant: &TenantId, ids: &[TaskId]) -> Result<Vec<Option<Payloads>>>;

    /// The mark of the fleet's blob store: the first one that was ever drawn.
    async fn blob_mark(&self, drawn: Nonce) -> Result<Nonce>;

    /// The secret by which results name this tenant's contacts: the first one
    /// that was ever drawn. Without it nobody can tell whom they name.
    async fn contact_key(&self, tenant: &TenantId, drawn: Nonce) -> Result<Nonce>;

    /// Whether the store answers; for health.
    async fn ping(&self) -> Result<()>;

    /// News of the store from now on. A listener that falls behind or loses
    /// the connection is told so by [`signal::Signal::Missed`].
    async fn signals(&self) -> Result<Box<dyn Signals>>;
}
