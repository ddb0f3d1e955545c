//! A store whose large texts lie in a blob store.
//!
//! Invariant: whoever reads a task reads the texts themselves, never a mark;
//! only a grant holds marks until it is recalled. The blob store away makes
//! the verbs that need it unavailable, and no others.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use tracing::error;

use crate::{
    blobs::{self, Blobs, key},
    model::{FileId, Json, Nonce, TaskId, TaskView, TenantId, WorkerId},
    store::{
        Error, Result, Store,
        files::{FilePut, FileRecord, NewFile, Payloads},
        query::{Counts, Page, TaskQuery, Totals, TypeInfo, WorkerView},
        signal::Signals,
        verbs::{
            AlertRecord, Aside, Beat, BeatReply, Cancel, CancelOutcome, Claim, ClaimReply, Finish,
            FinishReply, FirstOf, Granted, ModeAsked, ModeState, NewTask, Note, Order, Orders,
            Outcome, PublishedSlip, Release, Renew, Renewal, Report, Requeue, Retry, RetryOutcome,
            SeriesQuery, SeriesRow, Submission, Submitted, Sweep, Swept, Take, Taken,
        },
    },
};

use super::{LARGE, Mark, is_mark};

/// Texts of one question on their way to or from the blob store at once: some
/// megabytes, and no more sockets than a client keeps open anyway.
const AT_ONCE: usize = 8;

/// A store before which large texts are taken out, and put back in.
#[derive(Debug)]
pub struct LargePayloads {
    store: Arc<dyn Store>,
    blobs: Arc<dyn Blobs>,
}

impl LargePayloads {
    /// Takes what is large out of this store, into these blobs.
    #[must_use]
    pub fn over(store: Arc<dyn Store>, blobs: Arc<dyn Blobs>) -> Arc<Self> {
        Arc::new(Self { store, blobs })
    }

    /// Writes a large text away; what stands for it.
    async fn put(&self, tenant: &TenantId, task: TaskId, text: Json) -> Result<Json> {
        if text.len() <= LARGE || is_mark(&text) {
            return Ok(text);
        }
        let text = text.into_string();
        let (text, sha256) = off_thread(move || (sha256(text.as_bytes()), text))
            .await
            .map(|(sha256, text)| (text, sha256))?;
        let mark = Mark {
            bytes: text.len(),
            sha256,
        };
        let key = key::payload(tenant, task, &mark.sha256);
        self.blobs.put(&key, text.into()).await.map_err(away)?;
        Ok(mark.text())
    }

    /// The text that a mark stands for; the mark itself if it is lost.
    async fn get(&self, tenant: &TenantId, task: TaskId, text: Json) -> Result<Json> {
        let Some(mark) = Mark::read(&text) else {
            return Ok(text);
        };
        let key = key::payload(tenant, task, &mark.sha256);
        let Some(blob) = self.blobs.get(&key).await.map_err(away)? else {
            error!(task_id = %task, bytes = mark.bytes, "a large text is not in the blob store; set the same blob-url everywhere");
            return Ok(text);
        };
        let content = blob.read().await.map_err(away)?;
        let sound = off_thread(move || (sha256(&content) == mark.sha256).then_some(content))
            .await?
            .and_then(|content| String::from_utf8(content).ok());
        if sound.is_none() {
            error!(task_id = %task, "a large text in the blob store is damaged");
        }
        Ok(sound.map_or(text, Json::from_text))
    }

    async fn put_input(&self, task: NewTask) -> Result<NewTask> {
        let input = self.put(&task.spec.tenant, task.id, task.input).await?;
        Ok(NewTask { input, ..task })
    }
}

fn sha256(content: &[u8]) -> String {
    FileId::of_sha256(Sha256::digest(content).into()).hex()
}

/// Hashing takes milliseconds a megabyte on a slow machine.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Error::Unavailable("the process is ending".into()))
}

fn away(error: blobs::Error) -> Error {
    match error {
        blobs::Error::Unavailable(text) => Error::Unavailable(format!("blob store: {text}")),
        blobs::Error::Unsuitable(text) => Error::Unsuitable(text),
    }
}

macro_rules! as_it_is {
    ($($verb:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)* ; $($changed:tt)*) => {
        #[async_trait]
        impl Store for LargePayloads {
            $($changed)*
            $(async fn $verb(&self, $($argument: $kind),*) -> Result<$answer> {
                self.store.$verb($($argument),*).await
            })*
        }
    };
}

as_it_is! {
    take_ready(take: Take) -> Taken;
    published(slips: Vec<PublishedSlip>) -> ();
    claim(claim: Claim) -> ClaimReply;
    renew(renew: Renew) -> Vec<Renewal>;
    release(release: Release) -> Vec<bool>;
    cancel(cancel: Cancel) -> Vec<CancelOutcome>;
    retry(retry: Retry) -> Vec<RetryOutcome>;
    sweep(sweep: Sweep) -> Swept;
    requeue(requeue: Requeue) -> u32;
    set_mode(asked: ModeAsked) -> ModeState;
    mode() -> ModeState;
    order(order: Order) -> Orders;
    orders() -> Orders;
    set_aside(asides: Vec<Aside>) -> Vec<bool>;
    keep(note: Note) -> ();
    kept(names: &[String]) -> Vec<Option<String>>;
    append(rows: Vec<SeriesRow>) -> ();
    series(query: SeriesQuery) -> Vec<SeriesRow>;
    raise(records: Vec<AlertRecord>) -> ();
    alerts(limit: u32) -> Vec<AlertRecord>;
    first_of(first: FirstOf) -> Option<u64>;
    heartbeat(beat: Beat) -> BeatReply;
    farewell(worker: &WorkerId) -> ();
    announce(types: Vec<TypeInfo>) -> ();
    types() -> Vec<TypeInfo>;
    workers() -> Vec<WorkerView>;
    tasks(query: TaskQuery) -> Page;
    counts(tenant: &TenantId) -> Counts;
    totals() -> Totals;
    put_file(file: NewFile) -> FilePut;
    files(tenant: &TenantId, ids: &[FileId]) -> Vec<Option<FileRecord>>;
    keys_held(tenant: &TenantId, keys: &[String]) -> Vec<bool>;
    payloads(tenant: &TenantId, ids: &[TaskId]) -> Vec<Option<Payloads>>;
    blob_mark(drawn: Nonce) -> Nonce;
    contact_key(tenant: &TenantId, drawn: Nonce) -> Nonce;
    ping() -> ();
    signals() -> Box<dyn Signals>;
    ;

    async fn submit(&self, mut submission: Submission) -> Result<Submitted> {
        if submission.tasks.iter().any(|task| task.input.len() > LARGE) {
            submission.tasks = stream::iter(submission.tasks)
                .map(|task| self.put_input(task))
                .buffered(AT_ONCE)
                .try_collect()
                .await?;
        }
        self.store.submit(submission).await
    }

    async fn recall(&self, mut granted: Box<Granted>) -> Result<Box<Granted>> {
        let tenant = granted.spec.tenant.clone();
        let input = std::mem::replace(&mut granted.input, Json::from_text(String::new()));
        granted.input = self.get(&tenant, granted.task, input).await?;
        let parents = std::mem::take(&mut granted.parents);
        granted.parents = stream::iter(parents)
            .map(async |mut parent| {
                if let Some(result) = parent.result.take() {
                    parent.result = Some(self.get(&tenant, parent.task, result).await?);
                }
                Ok::<_, Error>(parent)
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        self.store.recall(granted).await
    }

    async fn deposit(&self, mut report: Report) -> Result<Report> {
        if let Outcome::Completed(result) = report.outcome {
            let result = self.put(&report.tenant, report.run.task, result).await?;
            report.outcome = Outcome::Completed(result);
        }
        self.store.deposit(report).await
    }

    async fn finish(&self, finish: Finish) -> Result<FinishReply> {
        let reports = stream::iter(finish.reports)
            .map(|report| self.deposit(report))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        self.store.finish(Finish { reports }).await
    }

    async fn task(&self, tenant: &TenantId, id: TaskId) -> Result<Option<TaskView>> {
        let Some(mut view) = self.store.task(tenant, id).await? else {
            return Ok(None);
        };
        if let Some(result) = view.result.take() {
            let result = self.get(tenant, id, result).await?;
            if is_mark(&result) {
                return Err(Error::Corrupt("the place of a large result, which the blob store does not have".into()));
            }
            view.result = Some(result);
        }
        Ok(Some(view))
    }
}
