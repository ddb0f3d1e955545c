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
    model::{ErrorCode, TaskState},
    store::{
        Store,
        query::{Readiness, TypeInfo},
        verbs::Mode,
    },
};
use worker::{Handler, HandlerError, Options, Registry, Run, describe, options::MetricsText};

use crate::{
    stand::{Job, Stand, get, until, within},
    unsteady::Unsteady,
};

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

/// A team's type that trusts its schema: it would panic on anything else.
struct Trusting;

#[async_trait]
impl Handler for Trusting {
    fn describe(&self) -> TypeInfo {
        let schema = json!({
            "type": "object",
            "properties": {"list": {"type": "array", "items": {"type": "integer"}}, "n": {"type": "integer"}},
            "required": ["list"]
        });
        describe("team.trusting")
            .input(schema, json!({"list": []}))
            .build()
    }

    async fn run(&self, run: Run) -> Result<Value, HandlerError> {
        let list = run.input["list"].as_array().unwrap();
        Ok(json!(list.iter().map(|n| n.as_i64().unwrap()).sum::<i64>()))
    }
}

#[tokio::test]
async fn what_parents_gave_is_held_against_the_announced_schema() {
    let stand = Stand::new(1);
    let registry = Registry::new().with_diagnostics().with(Trusting);
    stand.worker_with(Stand::options(), registry).await;
    let parent = Job::new(
        "diagnostic.echo",
        json!({"good": [1, 2], "bad": [1, "secret"]}),
    );
    let parent = stand.submit_one(parent).await;
    let read = |pointer: &str| json!({"$result": parent, "pointer": pointer});
    let child = |name: &str, input: Value| Job::new(name, input).reads(parent);
    let ids = stand
        .submit(vec![
            child("team.trusting", json!({"list": read("/good")})),
            child(
                "team.trusting",
                json!({"list": read("/bad"), "n": read("/good")}),
            ),
            child("diagnostic.sleep", json!({"ms": read("/bad")})),
        ])
        .await;
    assert_eq!(stand.ended(ids[0]).await.result.unwrap().as_str(), "3");
    for (id, places) in [(ids[1], vec!["/list/1: ", "/n: "]), (ids[2], vec!["/ms: "])] {
        let error = stand.ended(id).await.error.unwrap();
        assert_eq!(error.code, ErrorCode::InvalidInput);
        for place in places {
            assert!(error.message.contains(place), "{}", error.message);
        }
        assert!(!error.message.contains("secret"), "{}", error.message);
    }
    stand.end().await;
}

/// Tells its progress once, then waits.
struct Terse;

#[async_trait]
impl Handler for Terse {
    fn describe(&self) -> TypeInfo {
        describe("team.terse").build()
    }

    async fn run(&self, run: Run) -> Result<Value, HandlerError> {
        run.progress(0.5, "half");
        run.cancelled().await;
        Err(HandlerError::stopped())
    }
}

#[tokio::test]
async fn progress_that_could_not_be_told_is_told_by_the_next_renewal() {
    let stand = Stand::new(1);
    let store = Unsteady::new(stand.store.clone());
    let options = Options {
        renew: Duration::from_millis(50),
        ..Stand::options()
    };
    store.refuse("renew");
    let registry = Registry::new().with(Terse);
    stand.worker_on(store.clone(), options, registry).await;
    let id = stand.submit_one(Job::new("team.terse", json!({}))).await;
    assert!(until(async || store.refusals("renew") >= 2).await);
    assert_eq!(stand.view(id).await.progress, None);
    store.relent("renew");
    let told = |view: &shared::model::TaskView| {
        let progress = view.progress.as_ref();
        progress.is_some_and(|progress| progress.message == "half")
    };
    stand.when(id, told).await;
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
