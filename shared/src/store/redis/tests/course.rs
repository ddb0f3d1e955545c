//! The ordinary course of a task, and every question asked twice.

use std::time::Duration;

use super::{Fleet, Server, server::HOUR};
use crate::{
    model::{ErrorCode, Json, Progress, TaskError, TaskState, TenantId},
    store::{
        Store,
        signal::Signal,
        verbs::{
            Cancel, CancelOutcome, ClaimTicket, Claimed, Finished, Idempotency, Mode, ModeAsked,
            Outcome, Release, Renew, Renewal, Retry, RetryOutcome, Submission, Submitted,
        },
    },
};

async fn fleet() -> Option<(Server, Fleet)> {
    let server = Server::start()?;
    let fleet = Fleet::new(server.store().await);
    Some((server, fleet))
}

#[tokio::test]
async fn a_task_goes_all_the_way() {
    let Some((_server, mut fleet)) = fleet().await else {
        return;
    };
    let mut news = fleet.store.signals().await.unwrap();
    let task = fleet.task(|spec| {
        spec.correlation_id = "c-1".into();
        spec.traceparent = Some("00-a-b-01".into());
    });
    let submitted = task.clone();
    let id = fleet.submit(vec![task]).await[0];
    assert_eq!(news.next().await, Signal::Ready);

    let nonce = fleet.nonce();
    let taken = fleet.take_as(nonce, 10, 10).await;
    assert_eq!(taken.tasks.len(), 1);
    let first = &taken.tasks[0];
    assert_eq!((first.id, first.attempt, first.solo), (id, 1, false));
    assert_eq!(first.correlation_id, "c-1");
    assert_eq!(first.traceparent.as_deref(), Some("00-a-b-01"));
    assert_eq!(
        first.input_bytes,
        u64::try_from(submitted.input.len()).unwrap()
    );
    assert_eq!(
        fleet.take_as(nonce, 10, 10).await,
        taken,
        "the same nonce, the same tasks"
    );
    assert!(fleet.take(10).await.tasks.is_empty());

    let slip = crate::store::verbs::PublishedSlip {
        tickets: vec![(id, 1)],
        republish_after: HOUR,
    };
    fleet.store.published(vec![slip.clone()]).await.unwrap();
    fleet.store.published(vec![slip]).await.unwrap();
    assert_eq!(fleet.view(id).await.state, TaskState::Queued);

    let token = fleet.nonce();
    let ticket = ClaimTicket {
        task: id,
        attempt: 1,
        token,
    };
    let claim = fleet.claim_of(vec![ticket], HOUR);
    let granted = fleet.store.claim(claim.clone()).await.unwrap();
    let Claimed::Granted(grant) = &granted.outcomes[0] else {
        panic!("{granted:?}")
    };
    assert_eq!(grant.spec, submitted.spec);
    assert_eq!(grant.input, submitted.input);
    assert_eq!(
        fleet.store.claim(claim).await.unwrap(),
        granted,
        "the same token, the same grant"
    );
    let other = fleet.claim(&[(id, 1)]).await;
    assert_eq!(other[0].1, Claimed::Stale);

    let run = crate::store::verbs::RunRef { task: id, token };
    let progress = Progress {
        fraction: 0.5,
        message: "half".into(),
    };
    let renew = Renew {
        lease: HOUR,
        runs: vec![
            (run.clone(), Some(progress.clone())),
            (other[0].0.clone(), None),
        ],
    };
    let renewed = fleet.store.renew(renew).await.unwrap();
    assert_eq!(renewed, [Renewal::Kept, Renewal::Refused]);

    let done = Finished::Committed(TaskState::Completed);
    assert_eq!(fleet.succeed(&run).await, done);
    assert_eq!(fleet.succeed(&run).await, done, "the same answer again");
    assert_eq!(fleet.succeed(&other[0].0).await, Finished::Stale);
    loop {
        match news.next().await {
            Signal::Ready => {}
            signal => {
                assert_eq!(signal, Signal::Ended(vec![id]));
                break;
            }
        }
    }

    let view = fleet.view(id).await;
    assert_eq!(view.spec, submitted.spec);
    assert_eq!(view.result, Some(Json::from_text("{\"ok\":true}".into())));
    assert_eq!(view.progress, Some(progress));
    assert_eq!(view.attempts.len(), 1);
    assert_eq!(view.attempts[0].finished_at, view.finished_at);

    let counts = fleet.store.counts(&TenantId::default()).await.unwrap();
    let tally = counts.by_route.values().next().unwrap();
    assert_eq!((tally.pending, tally.running, tally.completed), (0, 0, 1));
    assert_eq!(counts.oldest_pending_age_ms, None);
    assert!(counts.throughput_per_minute > 0.0);
    let run_ms = counts.run_ms.p50.unwrap();
    assert!((4.5..5.5).contains(&run_ms), "{run_ms}");

    let swept = fleet.sweep(|sweep| sweep.retention = Duration::ZERO).await;
    assert_eq!(swept.reaped, 1);
    let gone = fleet.store.task(&TenantId::default(), id).await.unwrap();
    assert_eq!(gone, None);
}

#[tokio::test]
async fn a_submission_is_answered_once_per_key() {
    let Some((_server, mut fleet)) = fleet().await else {
        return;
    };
    let task = fleet.task(|_| {});
    let submission = Submission {
        tenant: TenantId::default(),
        tasks: vec![task],
        idempotency: Some(Idempotency {
            key: "k".into(),
            fingerprint: "f".into(),
            reply: Json::from_text("[1]".into()),
        }),
    };
    let first = fleet.store.submit(submission.clone()).await.unwrap();
    assert_eq!(first, Submitted::Accepted);
    let again = fleet.store.submit(submission.clone()).await.unwrap();
    assert_eq!(again, Submitted::Replayed(Json::from_text("[1]".into())));
    let mut other = submission;
    other.idempotency.as_mut().unwrap().fingerprint = "g".into();
    let reused = fleet.store.submit(other).await.unwrap();
    assert_eq!(reused, Submitted::KeyReused);
    assert_eq!(fleet.take(10).await.tasks.len(), 1);
}

#[tokio::test]
async fn failure_cascades_and_retry_revives() {
    let Some((_server, mut fleet)) = fleet().await else {
        return;
    };
    let parent = fleet.task(|spec| spec.retry.max_attempts = 1);
    let child = fleet.task(|spec| spec.depends_on = vec![parent.id]);
    let reader = fleet.task(|spec| {
        spec.depends_on = vec![parent.id];
        spec.reads = vec![parent.id];
        spec.on_dependency_failure = crate::model::OnDependencyFailure::Run;
    });
    let grandchild = fleet.task(|spec| spec.depends_on = vec![child.id]);
    let ids = fleet.submit(vec![parent, child, reader, grandchild]).await;
    let stranger = fleet.task(|_| {}).id;
    let orphan = fleet.task(|spec| spec.depends_on = vec![stranger]);
    let submission = Submission {
        tenant: TenantId::default(),
        tasks: vec![orphan],
        idempotency: None,
    };
    let refused = fleet.store.submit(submission).await.unwrap();
    assert_eq!(refused, Submitted::UnknownParents(vec![(0, stranger)]));

    let runs = fleet.start().await;
    assert_eq!(runs.len(), 1);
    let failed = Outcome::Failed {
        error: TaskError::new(ErrorCode::Timeout, "too slow"),
        retry_in: HOUR,
    };
    let end = fleet.end(&runs[0], failed.clone()).await;
    assert_eq!(end, Finished::Committed(TaskState::Failed));
    assert_eq!(fleet.end(&runs[0], failed).await, end);
    let states = async |fleet: &Fleet| {
        let mut states = Vec::new();
        for id in &ids {
            states.push(fleet.view(*id).await.state);
        }
        states
    };
    use TaskState::{Cancelled, Completed, Failed, Queued, Ready, Running, Waiting};
    assert_eq!(states(&fleet).await, [Failed, Cancelled, Ready, Cancelled]);
    let view = fleet.view(ids[1]).await;
    let error = view.error.unwrap();
    assert_eq!(error.code, ErrorCode::DependencyFailed);
    assert!(error.message.contains(&ids[0].to_string()));
    assert_eq!(
        fleet.view(ids[0]).await.attempts[0].code.as_deref(),
        Some("timeout")
    );

    let tickets = fleet.publish().await;
    let granted = fleet.claim(&tickets).await;
    let Claimed::Granted(grant) = &granted[0].1 else {
        panic!()
    };
    assert_eq!(grant.parents[0].result, None);

    let retry = |ids| Retry {
        tenant: TenantId::default(),
        ids,
    };
    let outcome = fleet.store.retry(retry(vec![ids[1]])).await.unwrap();
    assert_eq!(outcome, [RetryOutcome::ParentFailed(ids[0])]);
    let outcome = fleet
        .store
        .retry(retry(vec![ids[0], ids[0], stranger]))
        .await
        .unwrap();
    assert_eq!(
        outcome,
        [
            RetryOutcome::Revived { attempt: 1 },
            RetryOutcome::WrongState(Ready),
            RetryOutcome::Unknown
        ]
    );
    assert_eq!(states(&fleet).await, [Ready, Waiting, Running, Waiting]);
    let runs = fleet.start().await;
    fleet.succeed(&runs[0]).await;
    assert_eq!(states(&fleet).await, [Completed, Ready, Running, Waiting]);
    fleet.publish().await;
    assert_eq!(states(&fleet).await[1], Queued);
    let cancel = Cancel {
        tenant: TenantId::default(),
        ids: vec![ids[1], ids[2], ids[3]],
        reason: "enough".into(),
    };
    let outcome = fleet.store.cancel(cancel).await.unwrap();
    assert_eq!(
        outcome,
        [
            CancelOutcome::Cancelled,
            CancelOutcome::Requested,
            CancelOutcome::WrongState(Cancelled)
        ]
    );
    let swept = fleet.sweep(|sweep| sweep.retention = Duration::ZERO).await;
    assert_eq!(swept.reaped, 2, "the children; the parent has a child left");
}

#[tokio::test]
async fn released_and_lapsed_tasks_start_again() {
    let Some((_server, mut fleet)) = fleet().await else {
        return;
    };
    let task = fleet.task(|_| {});
    let id = fleet.submit(vec![task]).await[0];
    let runs = fleet.start().await;
    let release = Release { runs: runs.clone() };
    assert_eq!(fleet.store.release(release.clone()).await.unwrap(), [true]);
    assert_eq!(fleet.store.release(release).await.unwrap(), [false]);
    let view = fleet.view(id).await;
    assert_eq!((view.state, view.attempt), (TaskState::Ready, 1));
    assert_eq!(view.attempts[0].code.as_deref(), Some("released"));

    fleet.sweep(|_| {}).await;
    for (lapsed, lost) in [(1, 0), (1, 0), (0, 1)] {
        let tickets = fleet.publish().await;
        let ticket = ClaimTicket {
            task: id,
            attempt: tickets[0].1,
            token: fleet.nonce(),
        };
        let claim = fleet.claim_of(vec![ticket], Duration::ZERO);
        fleet.store.claim(claim).await.unwrap();
        let swept = fleet.sweep(|_| {}).await;
        assert_eq!((swept.leases_lapsed, swept.workers_lost), (lapsed, lost));
    }
    let view = fleet.view(id).await;
    assert_eq!(view.error.unwrap().code, ErrorCode::WorkerLost);
    assert_eq!((view.attempt, view.failures), (4, 0));
}

#[tokio::test]
async fn a_paused_fleet_holds_and_a_resumed_one_goes_on() {
    let Some((_server, mut fleet)) = fleet().await else {
        return;
    };
    let task = fleet.task(|_| {});
    fleet.submit(vec![task]).await;
    let tickets = fleet.publish().await;
    let ask = |mode| ModeAsked {
        mode,
        by: "me".into(),
        reason: "why".into(),
    };
    let paused = fleet.store.set_mode(ask(Mode::Paused)).await.unwrap();
    assert!(paused.changed);
    assert!(
        !fleet
            .store
            .set_mode(ask(Mode::Paused))
            .await
            .unwrap()
            .changed
    );
    assert_eq!(fleet.store.mode().await.unwrap().by, "me");
    assert_eq!(fleet.claim(&tickets).await[0].1, Claimed::Held);
    assert!(fleet.take(10).await.tasks.is_empty());
    fleet.store.set_mode(ask(Mode::Running)).await.unwrap();
    assert_eq!(fleet.start().await.len(), 1);
}
