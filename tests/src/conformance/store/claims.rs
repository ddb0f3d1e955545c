//! Claims, reports and releases: tokens, attempts, and everything that a claim checks.

use std::sync::Arc;

use shared::{
    model::{Json, Nonce, TaskState},
    store::verbs::{Claim, ClaimTicket, Claimed, Finished, Mode, Outcome, RetryOutcome, RunRef},
};

use super::{
    Backend,
    lab::{Ask, LONG, Lab, NONE, calm, failure, later, now, worker_id},
};

/// A claimer whose answer was lost asks again and gets the same.
pub async fn a_token_asked_again_gets_the_same_grant(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a")).await;
    let token = lab.nonce();
    let first = lab.claim(id, 1, token, LONG).await;
    assert!(matches!(first, Claimed::Granted(_)), "{first:?}");
    assert_eq!(lab.claim(id, 1, token, LONG).await, first);
    assert_eq!(lab.claim(id, 1, lab.nonce(), LONG).await, Claimed::Stale);
    let view = lab.view(id).await;
    assert_eq!(
        (view.state, view.attempt, view.attempts.len()),
        (TaskState::Running, 1, 1)
    );
}

/// Many workers claim the same tasks at the same time: each task is granted exactly once.
pub async fn one_of_many_claimers_wins(backend: &dyn Backend) {
    const WORKERS: u32 = 16;
    let lab = Arc::new(Lab::new(backend).await);
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(lab.submit(Ask::of("t.a")).await);
    }
    let mut claims = Vec::new();
    for worker in 0..WORKERS {
        let tickets = ids.iter().map(|id| ClaimTicket {
            task: *id,
            attempt: 1,
            token: lab.nonce(),
        });
        let claim = Claim {
            worker: worker_id(&format!("w{worker}")),
            lease: LONG,
            tickets: tickets.collect(),
        };
        let store = Arc::clone(&lab.store);
        claims.push(async move { store.claim(claim).await.expect("claim").outcomes });
    }
    let mut tasks = tokio::task::JoinSet::new();
    for claim in claims {
        tasks.spawn(claim);
    }
    let answers = tasks.join_all().await;
    for (place, id) in ids.iter().enumerate() {
        let granted = answers
            .iter()
            .filter(|outcomes| matches!(outcomes[place], Claimed::Granted(_)));
        assert_eq!(granted.count(), 1, "grants of {id}");
        assert_eq!(lab.view(*id).await.attempt, 1);
    }
}

/// Paused or stopped: the task is held and ready again, and starts after `resume`.
pub async fn a_claim_checks_the_mode(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a")).await;
    lab.dispatch(LONG).await;
    for mode in [Mode::Paused, Mode::Stopped] {
        lab.mode(mode).await;
        assert_eq!(lab.claim(id, 1, lab.nonce(), LONG).await, Claimed::Held);
        assert_eq!(lab.state(id).await, TaskState::Ready);
    }
    lab.mode(Mode::Running).await;
    lab.run(id).await;
}

/// A task past its `expires_at` is failed by the claim that comes too late.
pub async fn a_claim_checks_expiry(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a").expiring(now())).await;
    let child = lab.submit(Ask::of("t.a").after(&[id])).await;
    assert_eq!(lab.claim(id, 1, lab.nonce(), LONG).await, Claimed::Stale);
    let view = lab.view(id).await;
    assert_eq!(view.state, TaskState::Failed);
    assert_eq!(view.error.map(|error| error.code.as_str()), Some("expired"));
    assert_eq!(view.attempt, 0);
    assert_eq!(lab.state(child).await, TaskState::Cancelled);
}

/// A task that is not due cannot be claimed.
pub async fn a_claim_of_a_scheduled_task_is_stale(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a").not_before(later())).await;
    let view = lab.view(id).await;
    assert_eq!(
        (view.state, view.due_at),
        (TaskState::Scheduled, view.spec.run_at)
    );
    assert_eq!(lab.claim(id, 1, lab.nonce(), LONG).await, Claimed::Stale);
    assert_eq!(lab.state(id).await, TaskState::Scheduled);
    let past = lab.submit(Ask::of("t.a").not_before(now())).await;
    assert_eq!(lab.state(past).await, TaskState::Ready);
}

/// A slip of a task that the store has never heard of is dropped.
pub async fn a_claim_is_unknown_without_a_task(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    assert_eq!(
        lab.claim(lab.id(), 1, lab.nonce(), LONG).await,
        Claimed::Unknown
    );
}

/// Copies of a slip, older slips and slips of ended tasks are stale.
pub async fn a_copy_of_a_slip_is_stale(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a").attempts(3)).await;
    assert_eq!(lab.claim(id, 2, lab.nonce(), LONG).await, Claimed::Stale);
    let run = lab.start(id).await;
    assert_eq!(
        lab.fail(&run, failure("once"), NONE).await,
        Finished::Committed(TaskState::Scheduled)
    );
    lab.sweep(calm()).await;
    assert_eq!(lab.claim(id, 1, lab.nonce(), LONG).await, Claimed::Stale);
    lab.run(id).await;
    assert_eq!(lab.claim(id, 3, lab.nonce(), LONG).await, Claimed::Stale);
}

/// Numbers of runs only grow, also across `retry`; failures start again.
pub async fn attempts_grow_across_retry(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a").attempts(1)).await;
    for attempt in 1..=25 {
        let run = lab.start(id).await;
        assert_eq!(lab.grant(&run).await.attempt, attempt);
        assert_eq!(
            lab.fail(&run, failure("again"), NONE).await,
            Finished::Committed(TaskState::Failed)
        );
        assert_eq!(lab.view(id).await.failures, 1);
        assert_eq!(lab.retry(id).await, RetryOutcome::Revived { attempt });
        let view = lab.view(id).await;
        assert_eq!(
            (view.state, view.attempt, view.failures),
            (TaskState::Ready, attempt, 0)
        );
        assert_eq!((view.error, view.finished_at), (None, None));
    }
    let numbers: Vec<_> = lab
        .view(id)
        .await
        .attempts
        .iter()
        .map(|run| run.attempt)
        .collect();
    assert_eq!(
        numbers,
        (6..=25).collect::<Vec<_>>(),
        "the last twenty runs are remembered"
    );
    assert_eq!(lab.claim(id, 1, lab.nonce(), LONG).await, Claimed::Stale);
}

/// A report whose answer was lost is asked again: the same answer, nothing done twice.
pub async fn a_report_is_answered_twice_alike(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a").attempts(2)).await;
    let first = lab.start(id).await;
    for _ in 0..2 {
        let answer = lab.fail(&first, failure("once"), NONE).await;
        assert_eq!(answer, Finished::Committed(TaskState::Scheduled));
    }
    lab.sweep(calm()).await;
    let second = lab.start(id).await;
    assert_eq!(
        lab.fail(&first, failure("once"), NONE).await,
        Finished::Committed(TaskState::Scheduled)
    );
    let result = Outcome::Completed(Json::from_text("[1]".into()));
    for _ in 0..2 {
        let answer = lab.finish(&second, result.clone()).await;
        assert_eq!(answer, Finished::Committed(TaskState::Completed));
    }
    let other = RunRef {
        task: id,
        token: Nonce::from_bits(5),
    };
    assert_eq!(lab.finish(&other, result).await, Finished::Stale);
    let view = lab.view(id).await;
    assert_eq!((view.failures, view.attempts.len()), (1, 2));
    assert_eq!(view.result.map(Json::into_string).as_deref(), Some("[1]"));
    let tally: Vec<_> = lab.counts().await.by_route.into_values().collect();
    assert_eq!((tally[0].completed, tally[0].running), (1, 0));
}

/// A run that is given back costs no attempt of the caller's; the token is spent.
pub async fn a_release_is_free(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a").attempts(1)).await;
    for attempt in 1..=6 {
        let run = lab.start(id).await;
        assert!(lab.release(&run).await);
        assert!(!lab.release(&run).await, "the token is spent");
        assert_eq!(lab.complete(&run).await, Finished::Stale);
        let view = lab.view(id).await;
        assert_eq!(
            (view.state, view.attempt, view.failures),
            (TaskState::Ready, attempt, 0)
        );
        let last = view.attempts.last().expect("the run is remembered");
        assert_eq!(last.code.as_deref(), Some("released"));
    }
    let taken = lab.take(1).await;
    assert!(!taken.tasks[0].solo, "a release raises no suspicion");
    lab.run(id).await;
}

/// A grant has everything to run the task: spec, input, and the results that the input reads.
pub async fn a_grant_carries_what_the_task_reads(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let good = lab.submit(Ask::of("t.a")).await;
    let bad = lab.submit(Ask::of("t.a")).await;
    let mut ask = Ask::of("t.b")
        .after(&[bad, good])
        .whatever_happens()
        .label("k", "v");
    ask.input = Json::from_text(r#"{"x":"{\"quoted\"}","y":[1.5,null]}"#.into());
    let task = lab.task(ask);
    let id = task.id;
    lab.store
        .submit(lab.plan(vec![task.clone()]))
        .await
        .expect("submit");
    let run = lab.start(good).await;
    lab.finish(
        &run,
        Outcome::Completed(Json::from_text(r#""good""#.into())),
    )
    .await;
    lab.ruin(bad).await;
    let run = lab.start(id).await;
    let granted = lab.grant(&run).await;
    assert_eq!(
        (granted.task, &granted.spec, &granted.input),
        (id, &task.spec, &task.input)
    );
    let parents: Vec<_> = granted
        .parents
        .iter()
        .map(|parent| (parent.task, parent.result.as_ref().map(Json::as_str)))
        .collect();
    assert_eq!(parents, [(bad, None), (good, Some(r#""good""#))]);
}

/// A worker may hold the slip before the dispatcher has said `published`, or even from an older slip: it may run.
pub async fn a_claim_may_overtake_published(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a")).await;
    lab.take(1).await;
    lab.run(id).await;
    lab.publish(&[(id, 1)], LONG).await;
    assert_eq!(lab.state(id).await, TaskState::Completed);
}
