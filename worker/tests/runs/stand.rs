//! A test stand: a real embedded store, the in-process broker, and the least
//! dispatcher that feeds a worker.
//!
//! Invariant: waits for conditions, each with a deadline; never for a time.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{TryStreamExt, stream::BoxStream};
use resources::report::Report;
use serde_json::Value;
use shared::{
    blobs::{self, Blob, Blobs, Listed, Upload, key, objects::Objects},
    broker::{Broker, Published, local::LocalBroker},
    clock::{Clock, SystemClock},
    lifecycle::Tasks,
    model::{
        Json, Nonce, OnDependencyFailure, Priority, RetryPolicy, Stamp, TaskId, TaskSpec,
        TaskState, TaskView, TenantId,
    },
    store::{
        Store,
        query::WorkerState,
        sqlite::{Options as StoreOptions, SqliteStore},
        verbs::{
            Mode, ModeAsked, NewTask, PublishedSlip, Submission, Submitted, Sweep, Take, TakenTask,
            Windows,
        },
    },
    wire::{Slip, Ticket},
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use worker::{Handle, Options, Registry, Seams, Worker, gate::Choice};

/// Far longer than anything here takes, so that only a fault reaches it.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) struct Stand {
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) broker: Arc<LocalBroker>,
    pub(crate) blobs: Arc<Objects>,
    pub(crate) tasks: Tasks,
    _dir: TempDir,
}

/// What to submit; the rest has defaults.
pub(crate) struct Job {
    spec: TaskSpec,
    input: Value,
}

impl Job {
    pub(crate) fn new(workflow_type: &str, input: Value) -> Self {
        let spec = TaskSpec {
            tenant: TenantId::default(),
            workflow_type: workflow_type.parse().unwrap(),
            priority: Priority::Medium,
            depends_on: Vec::new(),
            reads: Vec::new(),
            on_dependency_failure: OnDependencyFailure::Cancel,
            retry: RetryPolicy {
                max_attempts: 1,
                initial_delay_ms: 10,
                jitter: false,
                ..RetryPolicy::default()
            },
            timeout_ms: 60_000,
            run_at: None,
            expires_at: None,
            correlation_id: "c-test".into(),
            labels: BTreeMap::new(),
            traceparent: None,
        };
        Self { spec, input }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut TaskSpec)) -> Self {
        change(&mut self.spec);
        self
    }

    pub(crate) fn reads(self, parent: TaskId) -> Self {
        self.with(|spec| {
            spec.depends_on.push(parent);
            spec.reads.push(parent);
        })
    }
}

impl Stand {
    /// A store and a broker; slips of up to `bundle` tickets are dispatched.
    pub(crate) fn new(bundle: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(StoreOptions {
            data_dir: dir.path().to_owned(),
            clock: Arc::new(SystemClock),
        })
        .unwrap();
        let blobs = Objects::in_folder(&dir.path().join("blobs")).unwrap();
        let stand = Self {
            store,
            blobs,
            broker: LocalBroker::new(),
            tasks: Tasks::new(),
            _dir: dir,
        };
        let (store, broker) = (Arc::clone(&stand.store), Arc::clone(&stand.broker));
        stand.tasks.spawn_until_stop("dispatch", async move {
            loop {
                dispatch(&*store, &*broker, bundle).await;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        stand
    }

    /// Options of a worker that does not wait long for what a test leaves
    /// running.
    pub(crate) fn options() -> Options {
        Options {
            drain_grace: Duration::from_millis(100),
            // What the machine is busy with besides is not these tests' matter.
            gate: Choice::Off,
            ..Options::default()
        }
    }

    pub(crate) async fn worker(&self, options: Options) -> Handle {
        self.worker_with(options, Registry::with_builtin().with_diagnostics())
            .await
    }

    pub(crate) async fn worker_with(&self, options: Options, registry: Registry) -> Handle {
        self.worker_on(self.store.clone(), options, registry).await
    }

    pub(crate) async fn worker_on(
        &self,
        store: Arc<dyn Store>,
        options: Options,
        registry: Registry,
    ) -> Handle {
        let seams = Seams {
            store,
            ..self.seams()
        };
        self.start(seams, options, registry).await
    }

    /// A worker with another blob store than the stand's.
    pub(crate) async fn worker_on_blobs(
        &self,
        blobs: Arc<dyn Blobs>,
        options: Options,
        registry: Registry,
    ) -> Handle {
        let seams = Seams {
            blobs,
            ..self.seams()
        };
        self.start(seams, options, registry).await
    }

    /// A worker that reaches the stand's broker through another one.
    pub(crate) async fn worker_through(
        &self,
        broker: Arc<dyn Broker>,
        options: Options,
        registry: Registry,
    ) -> Handle {
        let seams = Seams {
            broker,
            ..self.seams()
        };
        self.start(seams, options, registry).await
    }

    fn seams(&self) -> Seams {
        Seams {
            store: self.store.clone(),
            blobs: self.blobs.clone(),
            broker: self.broker.clone(),
            clock: Arc::new(SystemClock),
        }
    }

    async fn start(&self, seams: Seams, options: Options, registry: Registry) -> Handle {
        Worker::start(options, registry, seams, &self.tasks)
            .await
            .unwrap()
    }

    /// How many blobs there are, the fleet's mark not counted.
    pub(crate) async fn blob_count(&self) -> usize {
        let all: Vec<_> = self.blobs.list("").try_collect().await.unwrap();
        let mine = |blob: &&Listed| !blob.key.starts_with(key::MARKS);
        all.iter().filter(mine).count()
    }

    /// Submits a job with this text as its input.
    pub(crate) async fn submit_text(&self, job: Job, input: Json) -> TaskId {
        let id = TaskId::mint(0, SystemClock.now(), &mut rand::rng());
        let task = NewTask {
            id,
            spec: job.spec,
            input,
            files: Vec::new(),
        };
        let submission = Submission {
            tenant: TenantId::default(),
            tasks: vec![task],
            idempotency: None,
        };
        let answer = self.store.submit(submission).await.unwrap();
        assert_eq!(answer, Submitted::Accepted);
        id
    }

    pub(crate) async fn submit(&self, jobs: Vec<Job>) -> Vec<TaskId> {
        let now = SystemClock.now();
        let tasks: Vec<_> = jobs
            .into_iter()
            .map(|job| NewTask {
                id: TaskId::mint(0, now, &mut rand::rng()),
                spec: job.spec,
                input: Json::from_value(&job.input),
                files: Vec::new(),
            })
            .collect();
        let ids = tasks.iter().map(|task| task.id).collect();
        let submission = Submission {
            tenant: TenantId::default(),
            tasks,
            idempotency: None,
        };
        assert_eq!(
            self.store.submit(submission).await.unwrap(),
            Submitted::Accepted
        );
        ids
    }

    pub(crate) async fn submit_one(&self, job: Job) -> TaskId {
        self.submit(vec![job]).await[0]
    }

    /// What the worker says of itself, once this holds.
    pub(crate) async fn said(
        &self,
        worker: &Handle,
        holds: impl Fn(&WorkerState, &Report) -> bool,
    ) -> (WorkerState, Report) {
        let mut last = None;
        let reached = until(async || {
            let workers = self.store.workers().await.unwrap();
            let Some(view) = workers.into_iter().find(|it| &it.worker == worker.id()) else {
                return false;
            };
            let report = serde_json::from_value(view.state.detail.clone());
            let report: Report = report.unwrap_or_default();
            let done = holds(&view.state, &report);
            last = Some((view.state, report));
            done
        });
        let reached = reached.await;
        let (state, report) = last.expect("it has never been heard");
        let (level, slots, short) = (state.level, state.slots, &report.shortages);
        assert!(reached, "waited in vain: {level} {slots:?} {short:?}");
        (state, report)
    }

    pub(crate) async fn view(&self, id: TaskId) -> TaskView {
        let found = self.store.task(&TenantId::default(), id).await.unwrap();
        found.expect("the task was accepted")
    }

    /// The task, once it ended.
    pub(crate) async fn ended(&self, id: TaskId) -> TaskView {
        self.when(id, |view| view.state.is_final()).await
    }

    /// The task, once it is in this state.
    pub(crate) async fn in_state(&self, id: TaskId, state: TaskState) -> TaskView {
        self.when(id, |view| view.state == state).await
    }

    pub(crate) async fn when(&self, id: TaskId, holds: impl Fn(&TaskView) -> bool) -> TaskView {
        let mut last = None;
        let reached = until(async || {
            let view = self.view(id).await;
            let done = holds(&view);
            last = Some(view);
            done
        })
        .await;
        let view = last.unwrap();
        assert!(reached, "waited in vain: {view:?}");
        view
    }

    pub(crate) async fn mode(&self, mode: Mode) {
        let asked = ModeAsked {
            mode,
            by: "test".into(),
            reason: "test".into(),
        };
        self.store.set_mode(asked).await.unwrap();
    }

    /// Ends what runs, so that nothing of a test outlives it.
    pub(crate) async fn end(self) {
        assert!(self.tasks.finish(PATIENCE).await, "something did not end");
    }
}

/// A blob store that is away when told to.
#[derive(Debug)]
pub(crate) struct FailingBlobs {
    real: Arc<Objects>,
    pub(crate) away: AtomicBool,
    pub(crate) refused: AtomicUsize,
}

impl FailingBlobs {
    pub(crate) fn over(real: &Arc<Objects>) -> Arc<Self> {
        Arc::new(Self {
            real: Arc::clone(real),
            away: AtomicBool::new(false),
            refused: AtomicUsize::new(0),
        })
    }

    fn reach(&self) -> blobs::Result<&Objects> {
        if self.away.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(blobs::Error::Unavailable("it was told to be away".into()));
        }
        Ok(&self.real)
    }
}

#[async_trait]
impl Blobs for FailingBlobs {
    async fn put(&self, key: &str, content: Bytes) -> blobs::Result<()> {
        self.reach()?.put(key, content).await
    }

    async fn upload(&self, key: &str) -> blobs::Result<Box<dyn Upload>> {
        self.reach()?.upload(key).await
    }

    async fn get(&self, key: &str) -> blobs::Result<Option<Blob>> {
        self.reach()?.get(key).await
    }

    async fn delete(&self, key: &str) -> blobs::Result<()> {
        self.reach()?.delete(key).await
    }

    fn list(&self, folder: &str) -> BoxStream<'static, blobs::Result<Listed>> {
        self.real.list(folder)
    }

    async fn tidy(&self, before: Stamp) -> blobs::Result<u64> {
        self.reach()?.tidy(before).await
    }
}

/// Whether `holds` became true in time.
pub(crate) async fn until(mut holds: impl AsyncFnMut() -> bool) -> bool {
    let trying = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    within(trying).await.is_some()
}

/// What comes out of `work`, if it comes in time.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(PATIENCE, work).await.ok()
}

/// What the worker answers on its own port.
pub(crate) async fn get(worker: &Handle, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(worker.listening().unwrap())
        .await
        .unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn dispatch(store: &dyn Store, broker: &dyn Broker, bundle: usize) {
    let sweep = Sweep {
        outage_after: Duration::from_hours(1),
        lease: Duration::from_secs(20),
        lapse_cap: 5,
        retention: Duration::from_hours(1),
        limit: 1000,
    };
    store.sweep(sweep).await.unwrap();
    let take = Take {
        nonce: Nonce::draw(&mut rand::rng()),
        limit: 1000,
        windows: Windows {
            default: 1000,
            by_type: BTreeMap::new(),
        },
        deadline: Duration::from_secs(30),
    };
    let taken = store.take_ready(take).await.unwrap().tasks;
    let mut slips: Vec<Slip> = Vec::new();
    for task in taken {
        match slips.last_mut() {
            Some(slip) if slip.route == task.route && slip.tickets.len() < bundle => {
                slip.tickets.push(ticket(&task));
            }
            _ => slips.push(Slip {
                tenant: task.tenant.clone(),
                route: task.route.clone(),
                tickets: vec![ticket(&task)],
            }),
        }
    }
    if slips.is_empty() {
        return;
    }
    let answers = broker.publish(slips.clone()).await;
    assert!(answers.iter().all(|answer| *answer == Published::Confirmed));
    let published = slips.iter().map(|slip| PublishedSlip {
        tickets: slip.tickets.iter().map(|t| (t.task, t.attempt)).collect(),
        republish_after: Duration::from_mins(1),
    });
    store.published(published.collect()).await.unwrap();
    let mut routes: Vec<_> = slips.into_iter().map(|slip| slip.route).collect();
    routes.dedup();
    broker.ring(&routes).await.unwrap();
}

fn ticket(task: &TakenTask) -> Ticket {
    Ticket {
        task: task.id,
        attempt: task.attempt,
        size_bucket: Ticket::bucket_of(task.input_bytes),
        estimate_us: None,
        correlation_id: None,
        traceparent: None,
    }
}
