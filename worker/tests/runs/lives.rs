//! How a worker lives: drains, modes, leases, its own port, a team's handler.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use serde_json::{Value, json};
use shared::{
    model::TaskState,
    store::{
        Store,
        query::{Readiness, TypeInfo},
        verbs::Mode,
    },
};
use worker::{Handler, HandlerError, Options, Registry, Run, describe, options::MetricsText};

use crate::stand::{Job, Stand, get, until, within};

fn long() -> Job {
    Job::new("diagnostic.sleep", json!({"ms": 60_000}))
}

#[tokio::test]
async fn a_drain_finishes_what_ends_in_time_and_gives_back_the_rest() {
    let stand = Stand::new(1);
    let options = Options {
        drain_grace: Duration::from_millis(400),
        ..Stand::options()
    };
    let worker = stand.worker(options).await;
    let short = Job::new("diagnostic.sleep", json!({"ms": 200}));
    let ids = stand.submit(vec![short, long()]).await;
    for &id in &ids {
        stand.in_state(id, TaskState::Running).await;
    }
    worker.drain();
    let report = within(worker.drained()).await.unwrap();
    assert!(report.clean);
    assert_eq!((report.exit_code, report.given_back), (0, 1));
    assert_eq!(stand.view(ids[0]).await.state, TaskState::Completed);
    let back = stand.view(ids[1]).await;
    assert_ne!(back.state, TaskState::Running);
    assert_eq!(back.attempts[0].code.as_deref(), Some("released"));
    assert!(
        stand.store.workers().await.unwrap().is_empty(),
        "it said goodbye"
    );
    stand.end().await;
}

#[tokio::test]
async fn a_paused_fleet_starts_nothing_and_goes_on_with_what_runs() {
    let stand = Stand::new(1);
    stand.worker(Stand::options()).await;
    let running = stand
        .submit_one(Job::new("diagnostic.sleep", json!({"ms": 300})))
        .await;
    stand.in_state(running, TaskState::Running).await;
    stand.mode(Mode::Paused).await;
    let waiting = stand
        .submit_one(Job::new("diagnostic.noop", json!({})))
        .await;
    assert_eq!(stand.ended(running).await.attempt, 1);
    assert_eq!(stand.view(waiting).await.attempt, 0);
    stand.mode(Mode::Running).await;
    assert_eq!(stand.ended(waiting).await.attempt, 1);
    stand.end().await;
}

#[tokio::test]
async fn a_stopped_fleet_gives_its_work_back_and_goes_on_after_resume() {
    let stand = Stand::new(1);
    stand.worker(Stand::options()).await;
    let id = stand.submit_one(long()).await;
    stand.in_state(id, TaskState::Running).await;
    stand.mode(Mode::Stopped).await;
    let back = stand
        .when(id, |view| view.state != TaskState::Running)
        .await;
    assert_eq!(back.attempts[0].code.as_deref(), Some("released"));
    stand.mode(Mode::Running).await;
    assert_eq!(stand.in_state(id, TaskState::Running).await.attempt, 2);
    stand.end().await;
}

/// Runs until it is told to stop, and counts how often that was.
struct Patient {
    stopped: Arc<AtomicUsize>,
}

#[async_trait]
impl Handler for Patient {
    fn describe(&self) -> TypeInfo {
        describe("test.patient").build()
    }

    async fn run(&self, run: Run) -> Result<Value, HandlerError> {
        run.cancelled().await;
        self.stopped.fetch_add(1, Ordering::SeqCst);
        Err(HandlerError::stopped())
    }
}

#[tokio::test]
async fn a_run_whose_lease_is_gone_is_stopped_and_reports_nothing() {
    let stand = Stand::new(1);
    let stopped = Arc::new(AtomicUsize::new(0));
    // Leases that lapse before their renewal, as if the process had been frozen.
    let options = Options {
        lease: Duration::from_millis(50),
        renew: Duration::from_millis(300),
        concurrency: 1,
        ..Stand::options()
    };
    let handler = Patient {
        stopped: Arc::clone(&stopped),
    };
    stand
        .worker_with(options, Registry::new().with(handler))
        .await;
    let id = stand.submit_one(Job::new("test.patient", json!({}))).await;
    let lapsed = stand.when(id, |view| view.attempt >= 2).await;
    assert_eq!(lapsed.attempts[0].code.as_deref(), Some("worker_lost"));
    assert_eq!(lapsed.failures, 0, "nothing was reported");
    assert!(until(async || stopped.load(Ordering::SeqCst) >= 1).await);
    stand.end().await;
}

#[tokio::test]
async fn leases_of_long_runs_are_renewed_and_their_progress_shows() {
    let stand = Stand::new(1);
    let options = Options {
        lease: Duration::from_millis(600),
        renew: Duration::from_millis(100),
        ..Stand::options()
    };
    stand.worker(options).await;
    let id = stand
        .submit_one(Job::new("diagnostic.sleep", json!({"ms": 2_000})))
        .await;
    let told = stand.when(id, |view| view.progress.is_some()).await;
    assert!(told.progress.unwrap().fraction > 0.0);
    let view = stand.ended(id).await;
    assert_eq!((view.state, view.attempt), (TaskState::Completed, 1));
    stand.end().await;
}

#[tokio::test]
async fn a_worker_is_seen_with_its_types_and_what_it_runs() {
    let stand = Stand::new(1);
    let options = Options {
        heartbeat: Duration::from_millis(20),
        ..Stand::options()
    };
    let worker = stand.worker(options).await;
    let id = stand.submit_one(long()).await;
    let mut seen = None;
    let shows = until(async || {
        let workers = stand.store.workers().await.unwrap();
        seen = workers
            .into_iter()
            .find(|view| view.state.running.contains(&id));
        seen.is_some()
    });
    assert!(shows.await);
    let seen = seen.unwrap();
    assert_eq!(&seen.worker, worker.id());
    assert_eq!(seen.state.readiness, Readiness::Ready);
    assert_eq!((seen.state.slots.used, seen.state.slots.cap), (1, 10));
    assert!(seen.state.memory_bytes > 0);
    let types = stand.store.types().await.unwrap();
    assert!(
        types
            .iter()
            .any(|info| info.name.as_str() == "diagnostic.noop")
    );
    stand.end().await;
}

#[tokio::test]
async fn a_worker_serves_its_health_and_metrics_if_asked() {
    let stand = Stand::new(1);
    let options = Options {
        listen: Some("127.0.0.1:0".parse().unwrap()),
        metrics: Some(MetricsText::new(|| "zerogate_test 1\n".to_owned())),
        ..Stand::options()
    };
    let worker = stand.worker(options).await;
    assert!(get(&worker, "/livez").await.starts_with("HTTP/1.1 200"));
    assert!(until(async || get(&worker, "/readyz").await.starts_with("HTTP/1.1 200")).await);
    assert!(
        get(&worker, "/metrics")
            .await
            .ends_with("zerogate_test 1\n")
    );
    assert!(get(&worker, "/nowhere").await.starts_with("HTTP/1.1 404"));
    stand.end().await;
}
