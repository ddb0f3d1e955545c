//! A store that is away or refuses when told to, or executes a verb and loses
//! its answer.
//!
//! Invariant: what is executed is executed by the real store behind it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use async_trait::async_trait;
use shared::{
    model::{FileId, Nonce, TaskId, TaskView, TenantId, WorkerId},
    store::{
        Error, Result, Store,
        files::{FilePut, FileRecord, NewFile, Payloads},
        query::{Counts, Page, TaskQuery, Totals, TypeInfo, WorkerView},
        signal::Signals,
        verbs::{
            AlertRecord, Aside, Beat, BeatReply, Cancel, CancelOutcome, Claim, ClaimReply, Finish,
            FinishReply, FirstOf, ModeAsked, ModeState, Note, Order, Orders, PublishedSlip,
            Release, Renew, Renewal, Requeue, Retry, RetryOutcome, SeriesQuery, SeriesRow,
            Submission, Submitted, Sweep, Swept, Take, Taken,
        },
    },
};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Unsteady {
    real: Arc<dyn Store>,
    away: AtomicBool,
    losing: Mutex<HashMap<&'static str, u32>>,
    refused: Mutex<HashMap<&'static str, Vec<Instant>>>,
}

impl Unsteady {
    pub(crate) fn new(real: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            real,
            away: AtomicBool::new(false),
            losing: Mutex::default(),
            refused: Mutex::default(),
        })
    }

    /// From now on every call fails without being executed, or none.
    pub(crate) fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// The next answers of this verb are lost after it was executed.
    pub(crate) fn lose(&self, verb: &'static str, answers: u32) {
        self.losing.lock().unwrap().insert(verb, answers);
    }

    /// From now on this verb is refused for good.
    pub(crate) fn refuse(&self, verb: &'static str) {
        self.refused.lock().unwrap().insert(verb, Vec::new());
    }

    /// From now on no verb is refused. When `verb` was.
    pub(crate) fn relent(&self, verb: &'static str) -> Vec<Instant> {
        let mut refused = std::mem::take(&mut *self.refused.lock().unwrap());
        refused.remove(verb).unwrap_or_default()
    }

    /// How often this verb was refused.
    pub(crate) fn refusals(&self, verb: &'static str) -> usize {
        self.refused.lock().unwrap().get(verb).map_or(0, Vec::len)
    }

    /// Whether every answer that was to be lost is lost.
    pub(crate) fn lost_all(&self) -> bool {
        self.losing.lock().unwrap().values().all(|left| *left == 0)
    }

    fn before(&self, verb: &'static str) -> Result<()> {
        if let Some(times) = self.refused.lock().unwrap().get_mut(verb) {
            times.push(Instant::now());
            return Err(Error::Corrupt("it was told to refuse".into()));
        }
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::Unavailable("it was told to be away".into()));
        }
        Ok(())
    }

    fn after<T>(&self, verb: &'static str, answer: T) -> Result<T> {
        match self.losing.lock().unwrap().get_mut(verb) {
            Some(left) if *left > 0 => {
                *left -= 1;
                Err(Error::Unavailable("its answer was lost".into()))
            }
            _ => Ok(answer),
        }
    }
}

macro_rules! pass_on {
    ($($verb:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Store for Unsteady {
            $(async fn $verb(&self, $($argument: $kind),*) -> Result<$answer> {
                self.before(stringify!($verb))?;
                let answer = self.real.$verb($($argument),*).await?;
                self.after(stringify!($verb), answer)
            })*
        }
    };
}

pass_on! {
    submit(submission: Submission) -> Submitted;
    take_ready(take: Take) -> Taken;
    published(slips: Vec<PublishedSlip>) -> ();
    claim(claim: Claim) -> ClaimReply;
    renew(renew: Renew) -> Vec<Renewal>;
    finish(finish: Finish) -> FinishReply;
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
    task(tenant: &TenantId, id: TaskId) -> Option<TaskView>;
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
}
