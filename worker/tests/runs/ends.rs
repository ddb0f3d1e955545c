//! How runs end: with results, failures, panics, timeouts and cancels.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared::{
    model::{ErrorCode, OnDependencyFailure, TaskId, TaskState, TaskView, TenantId},
    store::{
        Store,
        verbs::{Cancel, CancelOutcome},
    },
};
use worker::Options;

use crate::stand::{Job, Stand};

fn code(view: &TaskView) -> Option<ErrorCode> {
    view.error.as_ref().map(|error| error.code)
}

fn result(view: &TaskView) -> Value {
    view.result.as_ref().unwrap().parse().unwrap()
}

async fn cancel(stand: &Stand, id: TaskId) {
    let cancel = Cancel {
        tenant: TenantId::default(),
        ids: vec![id],
        reason: "not needed".into(),
    };
    let outcomes = stand.store.cancel(cancel).await.unwrap();
    assert_eq!(outcomes, [CancelOutcome::Requested]);
}

#[tokio::test]
async fn a_task_runs_once_and_its_result_is_kept() {
    let stand = Stand::new(1);
    let worker = stand.worker(Stand::options()).await;
    let id = stand
        .submit_one(Job::new("diagnostic.echo", json!({"a": [1, 2]})))
        .await;
    let view = stand.ended(id).await;
    assert_eq!(result(&view), json!({"a": [1, 2]}));
    assert_eq!((view.state, view.attempt), (TaskState::Completed, 1));
    assert_eq!(view.worker_id.as_ref(), Some(worker.id()));
    stand.end().await;
}

#[tokio::test]
async fn a_backlog_larger_than_the_slots_drains_bundled_or_not() {
    for bundle in [1, 32] {
        let stand = Stand::new(bundle);
        let jobs = (0..500).map(|_| Job::new("diagnostic.noop", json!({})));
        let ids = stand.submit(jobs.collect()).await;
        stand.worker(Stand::options()).await;
        for id in ids {
            let view = stand.ended(id).await;
            assert_eq!((view.state, view.attempt), (TaskState::Completed, 1));
        }
        stand.end().await;
    }
}

#[tokio::test]
async fn a_dependent_reads_its_parents_result() {
    let stand = Stand::new(1);
    stand.worker(Stand::options()).await;
    let parent = stand
        .submit_one(Job::new("diagnostic.echo", json!({"paths": [7, 8]})))
        .await;
    let reading = |pointer: &str| {
        let reference = json!({"$result": parent.to_string(), "pointer": pointer});
        Job::new("diagnostic.echo", json!({"took": reference})).reads(parent)
    };
    let ids = stand
        .submit(vec![reading("/paths/1"), reading("/nowhere")])
        .await;
    assert_eq!(result(&stand.ended(ids[0]).await), json!({"took": 8}));
    let failed = stand.ended(ids[1]).await;
    assert_eq!(code(&failed), Some(ErrorCode::InvalidInput));
    assert!(failed.error.unwrap().message.contains("/took"));
    stand.end().await;
}

#[tokio::test]
async fn a_dependent_that_runs_anyway_reads_null_of_a_failed_parent() {
    let stand = Stand::new(1);
    stand.worker(Stand::options()).await;
    let parent = stand
        .submit_one(Job::new("diagnostic.fail", json!({})))
        .await;
    let input = json!({"took": {"$result": parent.to_string(), "pointer": "/x"}});
    let anyway = Job::new("diagnostic.echo", input)
        .reads(parent)
        .with(|spec| spec.on_dependency_failure = OnDependencyFailure::Run);
    let id = stand.submit_one(anyway).await;
    assert_eq!(result(&stand.ended(id).await), json!({"took": null}));
    stand.end().await;
}

#[tokio::test]
async fn failures_have_their_codes_and_leave_the_worker_alive() {
    let stand = Stand::new(1);
    stand.worker(Stand::options()).await;
    let slow = Job::new("diagnostic.sleep", json!({"ms": 60_000}));
    let jobs = vec![
        Job::new("diagnostic.panic", json!({})),
        Job::new("diagnostic.fail", json!({})),
        Job::new("diagnostic.noop", json!({"surplus": 1})),
        slow.with(|spec| spec.timeout_ms = 50),
        Job::new("diagnostic.spin", json!({"ms": 60_000})).with(|spec| spec.timeout_ms = 50),
        Job::new("diagnostic.noop", json!({})),
    ];
    let ids = stand.submit(jobs).await;
    let expected = [
        Some(ErrorCode::Panic),
        Some(ErrorCode::HandlerError),
        Some(ErrorCode::InvalidInput),
        Some(ErrorCode::Timeout),
        Some(ErrorCode::Timeout),
        None,
    ];
    for (id, expected) in ids.into_iter().zip(expected) {
        assert_eq!(code(&stand.ended(id).await), expected);
    }
    stand.end().await;
}

#[tokio::test]
async fn a_task_that_fails_twice_is_tried_again_after_growing_delays() {
    let stand = Stand::new(1);
    stand.worker(Stand::options()).await;
    let job = Job::new("diagnostic.fail", json!({"times": 2})).with(|spec| {
        spec.retry.max_attempts = 3;
        spec.retry.initial_delay_ms = 60;
    });
    let id = stand.submit_one(job).await;
    let view = stand.ended(id).await;
    assert_eq!((view.state, view.attempt), (TaskState::Completed, 3));
    let gap = |n: usize| {
        let ended = view.attempts[n].finished_at.unwrap();
        view.attempts[n + 1].started_at.since(ended)
    };
    assert!(gap(0) >= Duration::from_millis(60), "{:?}", gap(0));
    assert!(gap(1) >= Duration::from_millis(120), "{:?}", gap(1));
    assert_eq!(view.attempts[0].code.as_deref(), Some("handler_error"));
    stand.end().await;
}

#[tokio::test]
async fn a_cancelled_run_stops_at_once_if_it_listens() {
    let stand = Stand::new(1);
    stand.worker(Stand::options()).await;
    for kind in ["diagnostic.sleep", "diagnostic.spin"] {
        let id = stand
            .submit_one(Job::new(kind, json!({"ms": 60_000})))
            .await;
        stand.in_state(id, TaskState::Running).await;
        let asked = Instant::now();
        cancel(&stand, id).await;
        assert_eq!(stand.ended(id).await.state, TaskState::Cancelled);
        assert!(
            asked.elapsed() < Duration::from_secs(4),
            "the grace was not needed"
        );
    }
    stand.end().await;
}

#[tokio::test]
async fn a_run_that_ignores_its_cancel_is_abandoned_and_too_many_end_the_worker() {
    let stand = Stand::new(1);
    let options = Options {
        cancel_grace: Duration::from_millis(50),
        abandoned_max: 1,
        ..Stand::options()
    };
    let worker = stand.worker(options).await;
    for _ in 0..2 {
        let id = stand
            .submit_one(Job::new("diagnostic.hang", json!({})))
            .await;
        stand.in_state(id, TaskState::Running).await;
        cancel(&stand, id).await;
        assert_eq!(stand.ended(id).await.state, TaskState::Cancelled);
    }
    let report = crate::stand::within(worker.drained()).await.unwrap();
    assert_eq!((report.exit_code, report.abandoned), (75, 2));
    stand.end().await;
}

#[tokio::test]
async fn a_slow_ticket_delays_neither_the_reports_nor_the_starts_of_its_siblings() {
    let stand = Stand::new(8);
    let jobs = [0, 3_000, 0, 0].map(|ms| Job::new("diagnostic.sleep", json!({"ms": ms})));
    // The fleet waits until all four can travel on one slip.
    let ids = stand.submit(jobs.into()).await;
    stand
        .when(ids[3], |view| view.state == TaskState::Queued)
        .await;
    stand.worker(Stand::options()).await;
    let first = stand.ended(ids[0]).await;
    let others = [stand.ended(ids[2]).await, stand.ended(ids[3]).await];
    let slow = stand.view(ids[1]).await;
    assert_eq!(slow.state, TaskState::Running, "everybody else came first");
    assert_eq!(first.attempt, 1);
    for other in others {
        assert_eq!((other.state, other.attempt), (TaskState::Completed, 2));
        assert_eq!(other.attempts[0].code.as_deref(), Some("released"));
    }
    assert_eq!(stand.ended(ids[1]).await.attempt, 1);
    stand.end().await;
}
