//! What a worker does when the store loses answers or goes away.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use shared::{
    broker::Broker,
    model::{Priority, Route, TaskState},
};
use worker::{Options, Registry};

use crate::{
    stand::{Job, Stand, get, until, within},
    unsteady::Unsteady,
};

async fn unsteady(stand: &Stand, options: Options) -> (Arc<Unsteady>, worker::Handle) {
    let store = Unsteady::new(stand.store.clone());
    let registry = Registry::new().with_diagnostics();
    let worker = stand.worker_on(store.clone(), options, registry).await;
    (store, worker)
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_and_changes_nothing() {
    for verb in ["claim", "finish", "release"] {
        let stand = Stand::new(1);
        let (store, worker) = unsteady(&stand, Stand::options()).await;
        store.lose(verb, 3);
        if verb == "release" {
            let long = Job::new("diagnostic.sleep", json!({"ms": 60_000}));
            let id = stand.submit_one(long).await;
            stand.in_state(id, TaskState::Running).await;
            worker.drain();
            within(worker.drained()).await.unwrap();
            let view = stand.view(id).await;
            assert_eq!(view.attempts[0].code.as_deref(), Some("released"));
        } else {
            let id = stand
                .submit_one(Job::new("diagnostic.noop", json!({})))
                .await;
            let view = stand.ended(id).await;
            assert_eq!((view.state, view.attempt), (TaskState::Completed, 1));
            assert_eq!(view.attempts.len(), 1, "it ran once");
        }
        assert!(
            until(async || store.lost_all()).await,
            "{verb} was not asked again"
        );
        stand.end().await;
    }
}

#[tokio::test]
async fn a_run_that_ends_while_the_store_is_away_is_committed_when_it_is_back() {
    let stand = Stand::new(1);
    let options = Options {
        heartbeat: Duration::from_millis(20),
        listen: Some("127.0.0.1:0".parse().unwrap()),
        ..Stand::options()
    };
    let (store, worker) = unsteady(&stand, options).await;
    let running = stand
        .submit_one(Job::new("diagnostic.sleep", json!({"ms": 500})))
        .await;
    stand.in_state(running, TaskState::Running).await;
    store.away(true);
    let noticed = until(async || get(&worker, "/readyz").await.starts_with("HTTP/1.1 503"));
    assert!(noticed.await);
    let waiting = stand
        .submit_one(Job::new("diagnostic.noop", json!({})))
        .await;
    let route = Route::new("diagnostic.noop".parse().unwrap(), Priority::Medium);
    let queued = until(async || stand.broker.depth(&route).await.unwrap() == 1);
    assert!(queued.await, "nobody takes it while the store is away");
    assert_eq!(stand.view(running).await.state, TaskState::Running);
    store.away(false);
    assert_eq!(stand.ended(running).await.attempt, 1);
    assert_eq!(stand.ended(waiting).await.attempt, 1);
    stand.end().await;
}

#[tokio::test]
async fn a_slip_whose_claim_is_refused_does_not_go_round_in_a_loop() {
    let stand = Stand::new(1);
    let options = Options {
        concurrency: 1,
        ..Stand::options()
    };
    let (store, _worker) = unsteady(&stand, options).await;
    store.refuse("claim");
    let id = stand
        .submit_one(Job::new("diagnostic.noop", json!({})))
        .await;
    assert!(until(async || store.refusals("claim") >= 3).await);
    let times = store.relent("claim");
    for pair in times.windows(2) {
        let pause = pair[1] - pair[0];
        assert!(pause >= Duration::from_millis(900), "{pause:?}");
    }
    assert_eq!(stand.ended(id).await.attempt, 1);
    stand.end().await;
}

#[tokio::test]
async fn a_drain_ends_in_bounded_time_although_the_store_is_away() {
    let stand = Stand::new(1);
    let (store, worker) = unsteady(&stand, Stand::options()).await;
    let id = stand
        .submit_one(Job::new("diagnostic.sleep", json!({"ms": 60_000})))
        .await;
    stand.in_state(id, TaskState::Running).await;
    store.away(true);
    let asked = Instant::now();
    worker.drain();
    let report = within(worker.drained()).await.unwrap();
    assert!(!report.clean && asked.elapsed() < Duration::from_secs(12));
    assert_eq!(report.exit_code, 0, "the lease lapses; nothing is lost");
    stand.end().await;
}
