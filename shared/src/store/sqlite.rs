//! The embedded backend: one file in a data directory, one process.
//!
//! One thread writes ([`writer`]): it drains a bounded queue of verbs, gives
//! each a savepoint, and commits them together (WAL, `synchronous=FULL`), so
//! that many askers share one flush of the disk; answers and signals leave
//! after the COMMIT. Another thread reads, on a connection of its own.
//!
//! Reading order: [`schema`] is the file; [`records`], [`names`], [`facts`]
//! and [`tally`] are what is in it and beside it in memory; [`core`] owns them
//! and holds the one way in which a state changes. The verbs follow the nine
//! steps: [`submit`], [`dispatch`] (with [`rotation`]), [`run`], [`report`],
//! [`resolve`]; then [`control`], [`files`], [`upkeep`], [`fleet`], [`query`] (with
//! [`pace`]) and [`signals`].
//!
//! Invariant: whatever was answered is on the disk; after a crash nothing is
//! half there. Deliberately absent: a second process on the same folder.

mod schema;

mod records;

mod names;

mod facts;

mod tally;

mod core;

mod writer;

mod submit;

mod rotation;

mod dispatch;

mod run;

mod report;

mod resolve;

mod control;

mod files;

mod upkeep;

mod fleet;

mod pace;

mod query;

mod signals;

use std::{
    fmt,
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
};

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::{
    clock::Clock,
    model::{FileId, Nonce, TaskId, TaskView, TenantId, WorkerId},
};

use self::core::Core;
use super::{
    Error, Result, Store,
    files::{FilePut, FileRecord, NewFile, Payloads},
    query::{Counts, Page, TaskQuery, Totals, TypeInfo, WorkerView},
    signal::{Signal, Signals},
    verbs::{
        Beat, BeatReply, Cancel, CancelOutcome, Claim, ClaimReply, Finish, FinishReply, ModeAsked,
        ModeState, PublishedSlip, Release, Renew, Renewal, Requeue, Retry, RetryOutcome,
        Submission, Submitted, Sweep, Swept, Take, Taken,
    },
};

/// Verbs that may wait for the writing thread: four full groups. Further
/// askers wait at the door, so that memory stays bounded.
const QUEUE: usize = 1024;

/// Where the store is, and what time it is.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of the file; made if it is missing, locked while open.
    pub data_dir: PathBuf,
    /// The store's time.
    pub clock: Arc<dyn Clock>,
}

/// The embedded store. Dropping it waits until the file is closed.
pub struct SqliteStore {
    jobs: Option<mpsc::Sender<writer::Job>>,
    looks: Option<mpsc::Sender<writer::Look>>,
    signals: broadcast::Sender<Signal>,
    clock: Arc<dyn Clock>,
    data_dir: PathBuf,
    threads: Vec<JoinHandle<()>>,
}

impl SqliteStore {
    /// Opens the store in a data directory, making it if need be.
    ///
    /// What a former boot left running, taken or queued is ready again: its
    /// workers and its broker ended with it.
    ///
    /// # Errors
    /// [`Error::Unsuitable`] if another process has the folder open, or its
    /// file is of a newer version or of another program.
    pub fn open(options: Options) -> Result<Arc<Self>> {
        let lock = schema::lock(&options.data_dir)?;
        let db = schema::open_writer(&options.data_dir)?;
        let mut core = Core::load(db, Arc::clone(&options.clock))?;
        writer::recover(&mut core)?;
        let reader = schema::open_reader(&options.data_dir)?;
        let (signals, _) = broadcast::channel(signals::BACKLOG);
        let (jobs, job_queue) = mpsc::channel(QUEUE);
        let (looks, look_queue) = mpsc::channel(QUEUE);
        let telling = signals.clone();
        let threads = vec![
            spawn("store-writer", move || {
                writer::serve(core, job_queue, &telling, lock);
            })?,
            spawn("store-reader", move || writer::look(&reader, look_queue))?,
        ];
        Ok(Arc::new(Self {
            jobs: Some(jobs),
            looks: Some(looks),
            signals,
            clock: options.clock,
            data_dir: options.data_dir,
            threads,
        }))
    }

    /// Performs a verb on the writing thread; returns after its COMMIT.
    async fn write<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut Core) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(writer::job(verb, answer))
            .await
            .map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }

    /// Looks at what is committed.
    async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let look: writer::Look = Box::new(move |db| {
            // An asker that went away does not want its answer.
            drop(answer.send(look(db)));
        });
        let looks = self.looks.as_ref().ok_or_else(ended)?;
        looks.send(look).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

impl Drop for SqliteStore {
    /// Waits for the two threads: a folder that is still locked could not be
    /// opened again. They end as soon as their queues are empty.
    fn drop(&mut self) {
        self.jobs = None;
        self.looks = None;
        for thread in self.threads.drain(..) {
            // A panic there was reported when it happened.
            drop(thread.join());
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| Error::Unsuitable(format!("cannot start the thread {name}: {error}")))
}

fn ended() -> Error {
    Error::Unavailable("its thread has ended; see the log for the reason, and restart".into())
}

/// What a failure of SQLite means to the asker. Its message never quotes a
/// value.
#[expect(
    clippy::needless_pass_by_value,
    reason = "`map_err` gives its error away"
)]
fn fault(error: rusqlite::Error) -> Error {
    let text = match &error {
        rusqlite::Error::SqliteFailure(code, _) => code.to_string(),
        rusqlite::Error::FromSqlConversionFailure(column, ..) => {
            format!("the value of column {column}")
        }
        other => other.to_string(),
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Full(text),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) | None => Error::Corrupt(text),
        Some(_) => Error::Unavailable(text),
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn submit(&self, submission: Submission) -> Result<Submitted> {
        self.write(move |core| submit::submit(core, &submission))
            .await
    }

    async fn take_ready(&self, take: Take) -> Result<Taken> {
        self.write(move |core| dispatch::take_ready(core, &take))
            .await
    }

    async fn published(&self, slips: Vec<PublishedSlip>) -> Result<()> {
        self.write(move |core| dispatch::published(core, &slips))
            .await
    }

    async fn claim(&self, claim: Claim) -> Result<ClaimReply> {
        self.write(move |core| run::claim(core, &claim)).await
    }

    async fn renew(&self, renew: Renew) -> Result<Vec<Renewal>> {
        self.write(move |core| run::renew(core, renew)).await
    }

    async fn finish(&self, finish: Finish) -> Result<FinishReply> {
        self.write(move |core| report::finish(core, &finish)).await
    }

    async fn release(&self, release: Release) -> Result<Vec<bool>> {
        self.write(move |core| report::release(core, &release))
            .await
    }

    async fn cancel(&self, cancel: Cancel) -> Result<Vec<CancelOutcome>> {
        self.write(move |core| control::cancel(core, &cancel)).await
    }

    async fn retry(&self, retry: Retry) -> Result<Vec<RetryOutcome>> {
        self.write(move |core| control::retry(core, &retry)).await
    }

    async fn sweep(&self, sweep: Sweep) -> Result<Swept> {
        self.write(move |core| upkeep::sweep(core, &sweep)).await
    }

    async fn requeue(&self, requeue: Requeue) -> Result<u32> {
        self.write(move |core| dispatch::requeue(core, &requeue))
            .await
    }

    async fn set_mode(&self, asked: ModeAsked) -> Result<ModeState> {
        self.write(move |core| control::set_mode(core, asked)).await
    }

    async fn mode(&self) -> Result<ModeState> {
        self.read(facts::mode).await
    }

    async fn heartbeat(&self, beat: Beat) -> Result<BeatReply> {
        self.write(move |core| fleet::heartbeat(core, beat)).await
    }

    async fn farewell(&self, worker: &WorkerId) -> Result<()> {
        let worker = worker.clone();
        self.write(move |core| {
            fleet::farewell(core, &worker);
            Ok(())
        })
        .await
    }

    async fn announce(&self, types: Vec<TypeInfo>) -> Result<()> {
        self.write(move |core| fleet::announce(core, &types)).await
    }

    async fn types(&self) -> Result<Vec<TypeInfo>> {
        let now = self.clock.now();
        self.read(move |db| fleet::types(db, now)).await
    }

    async fn workers(&self) -> Result<Vec<WorkerView>> {
        self.write(|core| Ok(fleet::workers(core))).await
    }

    async fn task(&self, tenant: &TenantId, id: TaskId) -> Result<Option<TaskView>> {
        let tenant = tenant.clone();
        self.read(move |db| query::task(db, &tenant, id)).await
    }

    async fn tasks(&self, query: TaskQuery) -> Result<Page> {
        self.read(move |db| query::tasks(db, &query)).await
    }

    async fn counts(&self, tenant: &TenantId) -> Result<Counts> {
        let tenant = tenant.clone();
        self.write(move |core| query::counts(core, &tenant)).await
    }

    async fn totals(&self) -> Result<Totals> {
        self.write(|core| query::totals(core)).await
    }

    async fn put_file(&self, file: NewFile) -> Result<FilePut> {
        self.write(move |core| files::put(core, file)).await
    }

    async fn files(&self, tenant: &TenantId, ids: &[FileId]) -> Result<Vec<Option<FileRecord>>> {
        let (tenant, ids) = (tenant.clone(), ids.to_vec());
        self.read(move |db| files::look(db, &tenant, &ids)).await
    }

    async fn keys_held(&self, tenant: &TenantId, keys: &[String]) -> Result<Vec<bool>> {
        let (tenant, keys) = (tenant.clone(), keys.to_vec());
        self.read(move |db| files::held(db, &tenant, &keys)).await
    }

    async fn payloads(&self, tenant: &TenantId, ids: &[TaskId]) -> Result<Vec<Option<Payloads>>> {
        let (tenant, ids) = (tenant.clone(), ids.to_vec());
        self.read(move |db| files::payloads(db, &tenant, &ids))
            .await
    }

    async fn blob_mark(&self, drawn: Nonce) -> Result<Nonce> {
        self.write(move |core| facts::blob_mark(&core.db, drawn))
            .await
    }

    async fn contact_key(&self, tenant: &TenantId, drawn: Nonce) -> Result<Nonce> {
        let tenant = tenant.clone();
        self.write(move |core| facts::contact_key(&core.db, &tenant, drawn))
            .await
    }

    async fn ping(&self) -> Result<()> {
        self.write(|_| Ok(())).await
    }

    async fn signals(&self) -> Result<Box<dyn Signals>> {
        Ok(Box::new(signals::Listener(self.signals.subscribe())))
    }
}
