//! The production backend: one script per verb, all state in Redis.
//!
//! ```text
//! zg:{00}:t p r             by id: record; specification and input; result
//!         u:<id> d:<id>     parents, dependents     ready:<rank:type:tenant>  by age
//!         o:<id>            open parents            ready.index:<rank>        non-empty ones
//!         a:<id>            ended attempts          taken leases              bands by deadline
//!         taken:<n> .open   a band's ids; how many  leases:<n> .open          likewise
//!         taken.n           per route: tasks        queued:<rank:type>        by deadline
//!         due expires       by time                 queued.n queued.w         per route: tasks, slips
//!         final             list, by time           count:<tenant>            pending, running, ended
//!         list:<tenant>     by acceptance           minute:<m>:<tenant>       histograms, 8 min
//!         f:<tenant>:<hash> record of a file        fr:<id>  fk:<tenant>  fx  files of a task; keys; unused
//!         idem:<tenant>:<k> replies, 24 h           mode runtime turn sweep seq takes bands nonce:<n>
//!         workers types     by time, with hashes    layout blobs.mark         number of this layout; mark
//!         total             accepted per tenant, retries, lapsed leases
//!         orders            operators' standing orders: hash
//!         note:<name>       a kept text             series:<scope>            rows of figures, by time
//!         alerts .over      ids by time; resolved   alert.text                by id
//!         first:<key>       who tells, and when
//! ```
//!
//! Read in this order: `scripts` and `lua/core.lua`, `index.lua`, `life.lua`
//! are the ground; then the verbs by step: `submit`, `dispatch`, `run`,
//! `control`, `upkeep`; `fleet`, `orders`, `notes`, `alerts` and `query` are for those who look;
//! `signals` carries news.
//!
//! Invariant: every change is one script, so it happens whole or not at all;
//! [`TaskState::on`](crate::model::TaskState::on) is written into each script
//! and decides every move. Nothing else in the program knows of Redis.
//!
//! Deliberately absent: more than one shard (the hash tag in every key is ready
//! for it), and a promise beyond Redis' own about what survives its crash.

mod codec;
mod connection;
mod keys;
mod preflight;
mod reply;
mod scripts;

mod submit;

mod dispatch;
mod run;

mod control;
mod files;
mod upkeep;

mod alerts;
mod notes;

mod fleet;
mod orders;
mod query;
mod signals;

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::model::{FileId, Nonce, TaskId, TaskView, TenantId, WorkerId};

use super::{
    Result, Store,
    files::{FilePut, FileRecord, NewFile, Payloads},
    query::{Counts, Page, TaskQuery, Totals, TypeInfo, WorkerView},
    signal::Signals,
    verbs::{
        AlertRecord, Aside, Beat, BeatReply, Cancel, CancelOutcome, Claim, ClaimReply, Finish,
        FinishReply, FirstOf, ModeAsked, ModeState, Note, Order, Orders, PublishedSlip, Release,
        Renew, Renewal, Requeue, Retry, RetryOutcome, SeriesQuery, SeriesRow, Submission,
        Submitted, Sweep, Swept, Take, Taken,
    },
};

use connection::Link;

/// How to reach the server.
#[derive(Clone)]
pub struct Options {
    /// `redis://[user:password@]host:port/database`, or `rediss://` for TLS.
    pub url: String,
    /// The first part of every key; installations that share a server differ
    /// in it.
    pub prefix: String,
    /// How long an ordinary verb may wait for its answer. Scripts take well
    /// under ten milliseconds; the rest is for a server that was just busy.
    pub timeout: Duration,
    /// The same for submissions and lists: ten thousand tasks in one
    /// submission take a tenth of a second, behind others of that size.
    pub bulk_timeout: Duration,
}

impl Options {
    /// The server at this address, and defaults for the rest.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: "zg".into(),
            timeout: Duration::from_secs(2),
            bulk_timeout: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for Options {
    /// Without the URL, which may carry a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("bulk_timeout", &self.bulk_timeout)
            .finish_non_exhaustive()
    }
}

/// The state of the fleet in a Redis server.
#[derive(Debug)]
pub struct RedisStore {
    link: Link,
}

impl RedisStore {
    /// Connects, and checks that the server can serve this program.
    pub async fn connect(options: Options) -> Result<Arc<Self>> {
        let link = Link::open(&options).await?;
        preflight::check(&link).await?;
        Ok(Arc::new(Self { link }))
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn submit(&self, submission: Submission) -> Result<Submitted> {
        submit::submit(&self.link, submission).await
    }

    async fn take_ready(&self, take: Take) -> Result<Taken> {
        dispatch::take_ready(&self.link, take).await
    }

    async fn published(&self, slips: Vec<PublishedSlip>) -> Result<()> {
        dispatch::published(&self.link, slips).await
    }

    async fn claim(&self, claim: Claim) -> Result<ClaimReply> {
        run::claim(&self.link, claim).await
    }

    async fn renew(&self, renew: Renew) -> Result<Vec<Renewal>> {
        run::renew(&self.link, renew).await
    }

    async fn finish(&self, finish: Finish) -> Result<FinishReply> {
        run::finish(&self.link, finish).await
    }

    async fn release(&self, release: Release) -> Result<Vec<bool>> {
        run::release(&self.link, release).await
    }

    async fn cancel(&self, cancel: Cancel) -> Result<Vec<CancelOutcome>> {
        control::cancel(&self.link, cancel).await
    }

    async fn retry(&self, retry: Retry) -> Result<Vec<RetryOutcome>> {
        control::retry(&self.link, retry).await
    }

    async fn sweep(&self, sweep: Sweep) -> Result<Swept> {
        upkeep::sweep(&self.link, sweep).await
    }

    async fn requeue(&self, requeue: Requeue) -> Result<u32> {
        dispatch::requeue(&self.link, requeue).await
    }

    async fn set_mode(&self, asked: ModeAsked) -> Result<ModeState> {
        control::set_mode(&self.link, asked).await
    }

    async fn mode(&self) -> Result<ModeState> {
        control::mode(&self.link).await
    }

    async fn order(&self, order: Order) -> Result<Orders> {
        orders::give(&self.link, order).await
    }

    async fn orders(&self) -> Result<Orders> {
        orders::standing(&self.link).await
    }

    async fn set_aside(&self, asides: Vec<Aside>) -> Result<Vec<bool>> {
        run::set_aside(&self.link, asides).await
    }

    async fn keep(&self, note: Note) -> Result<()> {
        notes::keep(&self.link, note).await
    }

    async fn kept(&self, names: &[String]) -> Result<Vec<Option<String>>> {
        notes::kept(&self.link, names).await
    }

    async fn append(&self, rows: Vec<SeriesRow>) -> Result<()> {
        notes::append(&self.link, rows).await
    }

    async fn series(&self, query: SeriesQuery) -> Result<Vec<SeriesRow>> {
        notes::series(&self.link, query).await
    }

    async fn raise(&self, records: Vec<AlertRecord>) -> Result<()> {
        alerts::raise(&self.link, records).await
    }

    async fn alerts(&self, limit: u32) -> Result<Vec<AlertRecord>> {
        alerts::latest(&self.link, limit).await
    }

    async fn first_of(&self, first: FirstOf) -> Result<Option<u64>> {
        alerts::first_of(&self.link, first).await
    }

    async fn heartbeat(&self, beat: Beat) -> Result<BeatReply> {
        fleet::heartbeat(&self.link, beat).await
    }

    async fn farewell(&self, worker: &WorkerId) -> Result<()> {
        fleet::farewell(&self.link, worker).await
    }

    async fn announce(&self, types: Vec<TypeInfo>) -> Result<()> {
        fleet::announce(&self.link, types).await
    }

    async fn types(&self) -> Result<Vec<TypeInfo>> {
        fleet::types(&self.link).await
    }

    async fn workers(&self) -> Result<Vec<WorkerView>> {
        fleet::workers(&self.link).await
    }

    async fn task(&self, tenant: &TenantId, id: TaskId) -> Result<Option<TaskView>> {
        query::task(&self.link, tenant, id).await
    }

    async fn tasks(&self, query: TaskQuery) -> Result<Page> {
        query::tasks(&self.link, query).await
    }

    async fn counts(&self, tenant: &TenantId) -> Result<Counts> {
        query::counts(&self.link, tenant).await
    }

    async fn totals(&self) -> Result<Totals> {
        query::totals(&self.link).await
    }

    async fn put_file(&self, file: NewFile) -> Result<FilePut> {
        files::put(&self.link, file).await
    }

    async fn files(&self, tenant: &TenantId, ids: &[FileId]) -> Result<Vec<Option<FileRecord>>> {
        files::look(&self.link, tenant, ids).await
    }

    async fn keys_held(&self, tenant: &TenantId, keys: &[String]) -> Result<Vec<bool>> {
        files::held(&self.link, tenant, keys).await
    }

    async fn payloads(&self, tenant: &TenantId, ids: &[TaskId]) -> Result<Vec<Option<Payloads>>> {
        files::payloads(&self.link, tenant, ids).await
    }

    async fn blob_mark(&self, drawn: Nonce) -> Result<Nonce> {
        files::mark(&self.link, drawn).await
    }

    async fn contact_key(&self, tenant: &TenantId, drawn: Nonce) -> Result<Nonce> {
        files::contact_key(&self.link, tenant, drawn).await
    }

    async fn ping(&self) -> Result<()> {
        self.link.ping().await
    }

    async fn signals(&self) -> Result<Box<dyn Signals>> {
        signals::listen(&self.link).await
    }
}
