//! A store on the bench: short words for long verbs.
//!
//! Invariant: time is steered by durations only (none, or more than any test lasts), so every backend's own clock
//! will do.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use shared::{
    clock::{Clock, SystemClock},
    model::{
        AttemptToken, ErrorCode, FileId, Json, Nonce, Priority, Route, Stamp, TaskError, TaskId,
        TaskState, TaskView, TenantId, TypeName, WorkerId,
    },
    store::{
        Store,
        query::{Counts, TaskQuery},
        signal::Signal,
        verbs::{
            Aside, Cancel, CancelOutcome, Claim, ClaimTicket, Claimed, Finish, Finished, Granted,
            Mode, ModeAsked, ModeState, NewTask, Outcome, PublishedSlip, Release, Renew, Renewal,
            Report, Requeue, Retry, RetryOutcome, RunRef, Submission, Submitted, Sweep, Swept,
            Take, Taken, Windows,
        },
    },
};

pub use super::ask::Ask;

use super::Backend;

/// Longer than any test lasts.
pub const LONG: Duration = Duration::from_hours(1);
/// Over at once.
pub const NONE: Duration = Duration::ZERO;
/// How long to wait for what must happen soon.
const PATIENCE: Duration = Duration::from_secs(20);

/// One store under test.
#[derive(Debug)]
pub struct Lab {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Whose tasks it works with.
    pub tenant: TenantId,
    drawn: AtomicU64,
}

/// A type's name.
#[must_use]
pub fn type_name(text: &str) -> TypeName {
    text.parse().expect("tests name types well")
}

/// A worker's name.
#[must_use]
pub fn worker_id(text: &str) -> WorkerId {
    text.parse().expect("tests name workers well")
}

/// The machine's time, which both backends' stores share here.
#[must_use]
pub fn now() -> Stamp {
    SystemClock.now()
}

/// An hour ahead of every test.
#[must_use]
pub fn later() -> Stamp {
    now().after(LONG)
}

/// A failure of the handler.
#[must_use]
pub fn failure(message: &str) -> TaskError {
    TaskError::new(ErrorCode::HandlerError, message)
}

/// A failure that no retry helps.
#[must_use]
pub fn fatal() -> TaskError {
    TaskError::new(ErrorCode::InvalidInput, "no retry helps")
}

/// A sweep that finds no outage and reaps nothing.
#[must_use]
pub const fn calm() -> Sweep {
    Sweep {
        outage_after: LONG,
        lease: LONG,
        lapse_cap: 5,
        retention: LONG,
        limit: 1000,
    }
}

/// Windows that hold nothing back.
#[must_use]
pub fn open_windows() -> Windows {
    Windows {
        default: 100_000,
        by_type: BTreeMap::new(),
    }
}

impl Lab {
    /// A fresh store.
    pub async fn new(backend: &dyn Backend) -> Self {
        Self::on(backend.fresh().await)
    }

    /// This store.
    #[must_use]
    pub fn on(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            tenant: TenantId::default(),
            drawn: AtomicU64::new(1),
        }
    }

    fn draw(&self) -> u64 {
        self.drawn.fetch_add(1, Ordering::Relaxed)
    }

    /// A nonce or token that was never used before.
    #[must_use]
    pub fn nonce(&self) -> Nonce {
        Nonce::from_bits((u128::from(self.draw()) << 64) | 0xfeed)
    }

    /// A task id that was never used before.
    #[must_use]
    pub fn id(&self) -> TaskId {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&now().millis().to_be_bytes()[2..]);
        bytes[6] = 0x70;
        bytes[8..].copy_from_slice(&self.draw().to_be_bytes());
        bytes[8] |= 0x80;
        TaskId::from_bytes(bytes)
    }

    /// A new task as asked for.
    #[must_use]
    pub fn task(&self, ask: Ask) -> NewTask {
        let mut spec = ask.spec;
        spec.tenant = self.tenant.clone();
        NewTask {
            id: self.id(),
            spec,
            input: ask.input,
            files: ask.files,
        }
    }

    /// A plan without a key.
    #[must_use]
    pub fn plan(&self, tasks: Vec<NewTask>) -> Submission {
        Submission {
            tenant: self.tenant.clone(),
            tasks,
            idempotency: None,
        }
    }

    /// Submits one task.
    pub async fn submit(&self, ask: Ask) -> TaskId {
        let task = self.task(ask);
        let id = task.id;
        let answer = self
            .store
            .submit(self.plan(vec![task]))
            .await
            .expect("submit");
        assert_eq!(answer, Submitted::Accepted);
        id
    }

    /// Takes ready tasks under a fresh nonce.
    pub async fn take(&self, limit: u32) -> Taken {
        self.take_within(limit, open_windows(), LONG).await
    }

    /// Takes ready tasks under a fresh nonce.
    pub async fn take_within(&self, limit: u32, windows: Windows, deadline: Duration) -> Taken {
        let take = Take {
            nonce: self.nonce(),
            limit,
            windows,
            deadline,
        };
        self.store.take_ready(take).await.expect("take_ready")
    }

    /// Says that one slip with these tickets is in the broker.
    pub async fn publish(&self, tickets: &[(TaskId, u32)], republish_after: Duration) {
        let slip = PublishedSlip {
            tickets: tickets.to_vec(),
            republish_after,
        };
        self.store.published(vec![slip]).await.expect("published");
    }

    /// Takes and publishes everything that is ready, each task in a slip of its own.
    pub async fn dispatch(&self, republish_after: Duration) -> Vec<TaskId> {
        let taken = self.take(10_000).await;
        let tickets = taken.tasks.iter().map(|task| (task.id, task.attempt));
        for ticket in tickets {
            self.publish(&[ticket], republish_after).await;
        }
        taken.tasks.into_iter().map(|task| task.id).collect()
    }

    /// Claims one ticket.
    pub async fn claim(
        &self,
        task: TaskId,
        attempt: u32,
        token: AttemptToken,
        lease: Duration,
    ) -> Claimed {
        let tickets = vec![ClaimTicket {
            task,
            attempt,
            token,
        }];
        let claim = Claim {
            worker: worker_id("w1"),
            lease,
            tickets,
        };
        self.store
            .claim(claim)
            .await
            .expect("claim")
            .outcomes
            .remove(0)
    }

    /// Starts the next run of a task, which must be granted.
    pub async fn start(&self, task: TaskId) -> RunRef {
        self.start_for(task, LONG).await
    }

    /// Starts the next run of a task with this lease.
    pub async fn start_for(&self, task: TaskId, lease: Duration) -> RunRef {
        let attempt = self.view(task).await.attempt + 1;
        let token = self.nonce();
        match self.claim(task, attempt, token, lease).await {
            Claimed::Granted(_) => RunRef { task, token },
            other => panic!("{task}: {other:?} instead of a grant"),
        }
    }

    /// What a claim under this run's token is granted.
    pub async fn grant(&self, run: &RunRef) -> Granted {
        let attempt = self.view(run.task).await.attempt;
        match self.claim(run.task, attempt, run.token, LONG).await {
            Claimed::Granted(granted) => *granted,
            other => panic!("{other:?} instead of a grant"),
        }
    }

    /// Reports the end of a run.
    pub async fn finish(&self, run: &RunRef, outcome: Outcome) -> Finished {
        self.finish_with(run, outcome, &[]).await
    }

    /// Reports the end of a run that made these files.
    pub async fn finish_with(&self, run: &RunRef, outcome: Outcome, files: &[FileId]) -> Finished {
        let report = Report {
            run: run.clone(),
            tenant: self.tenant.clone(),
            outcome,
            ran_for: Duration::from_millis(5),
            files: files.to_vec(),
        };
        let finish = Finish {
            reports: vec![report],
        };
        self.store
            .finish(finish)
            .await
            .expect("finish")
            .outcomes
            .remove(0)
    }

    /// Reports success.
    pub async fn complete(&self, run: &RunRef) -> Finished {
        self.finish(
            run,
            Outcome::Completed(Json::from_text(r#"{"done":true}"#.into())),
        )
        .await
    }

    /// Reports a failure; the next attempt, if any, is due after `retry_in`.
    pub async fn fail(&self, run: &RunRef, error: TaskError, retry_in: Duration) -> Finished {
        self.finish(run, Outcome::Failed { error, retry_in }).await
    }

    /// Runs a task that may start, to success.
    pub async fn run(&self, task: TaskId) {
        let run = self.start(task).await;
        assert_eq!(
            self.complete(&run).await,
            Finished::Committed(TaskState::Completed)
        );
    }

    /// Runs a task that may start, to failure for good.
    pub async fn ruin(&self, task: TaskId) {
        let run = self.start(task).await;
        assert_eq!(
            self.fail(&run, fatal(), NONE).await,
            Finished::Committed(TaskState::Failed)
        );
    }

    /// Sets a task aside that needs eight gigabytes.
    pub async fn set_aside(&self, task: TaskId, attempt: u32, retry_in: Duration) -> bool {
        let aside = Aside {
            task,
            attempt,
            needs_bytes: 1 << 33,
            retry_in,
        };
        let answers = self.store.set_aside(vec![aside]).await;
        answers.expect("set_aside").remove(0)
    }

    /// Gives a run back.
    pub async fn release(&self, run: &RunRef) -> bool {
        let release = Release {
            runs: vec![run.clone()],
        };
        self.store
            .release(release)
            .await
            .expect("release")
            .remove(0)
    }

    /// Renews a lease.
    pub async fn renew(&self, run: &RunRef, lease: Duration) -> Renewal {
        let renew = Renew {
            lease,
            runs: vec![(run.clone(), None)],
        };
        self.store.renew(renew).await.expect("renew").remove(0)
    }

    /// Cancels one task.
    pub async fn cancel(&self, id: TaskId) -> CancelOutcome {
        let cancel = Cancel {
            tenant: self.tenant.clone(),
            ids: vec![id],
            reason: "not needed".into(),
        };
        self.store.cancel(cancel).await.expect("cancel").remove(0)
    }

    /// Retries one task.
    pub async fn retry(&self, id: TaskId) -> RetryOutcome {
        let retry = Retry {
            tenant: self.tenant.clone(),
            ids: vec![id],
        };
        self.store.retry(retry).await.expect("retry").remove(0)
    }

    /// Sweeps.
    pub async fn sweep(&self, sweep: Sweep) -> Swept {
        self.store.sweep(sweep).await.expect("sweep")
    }

    /// Makes queued tasks ready again.
    pub async fn requeue(&self, kind: &str, limit: u32, overdue_by: Option<Duration>) -> u32 {
        let route = Route::new(type_name(kind), Priority::Medium);
        self.store
            .requeue(Requeue {
                route,
                limit,
                overdue_by,
            })
            .await
            .expect("requeue")
    }

    /// Sets the mode.
    pub async fn mode(&self, mode: Mode) -> ModeState {
        let asked = ModeAsked {
            mode,
            by: "someone".into(),
            reason: "because".into(),
        };
        self.store.set_mode(asked).await.expect("set_mode")
    }

    /// One task, which must exist.
    pub async fn view(&self, id: TaskId) -> TaskView {
        let found = self.store.task(&self.tenant, id).await.expect("task");
        found.unwrap_or_else(|| panic!("task {id} is gone"))
    }

    /// The state of a task, which must exist.
    pub async fn state(&self, id: TaskId) -> TaskState {
        self.view(id).await.state
    }

    /// The tenant's queue in numbers.
    pub async fn counts(&self) -> Counts {
        self.store.counts(&self.tenant).await.expect("counts")
    }

    /// All tasks.
    #[must_use]
    pub fn everything(&self) -> TaskQuery {
        TaskQuery {
            tenant: self.tenant.clone(),
            status: None,
            workflow_type: None,
            priority: None,
            labels: BTreeMap::new(),
            limit: 1000,
            cursor: None,
        }
    }

    /// Sweeps until `done`: for what only the passing of real time brings about.
    pub async fn sweep_until(&self, what: &str, done: impl AsyncFn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(self).await {
            assert!(Instant::now() < end, "waited {PATIENCE:?} for {what}");
            self.sweep(calm()).await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Listens until a signal is as wanted. What else is heard meanwhile does not matter.
pub async fn hear(
    signals: &mut dyn shared::store::signal::Signals,
    what: &str,
    wanted: impl Fn(&Signal) -> bool,
) {
    let listening = async { while !wanted(&signals.next().await) {} };
    let heard = tokio::time::timeout(PATIENCE, listening).await;
    assert!(heard.is_ok(), "waited {PATIENCE:?} for {what}");
}
