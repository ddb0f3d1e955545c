//! Parents and dependents: who starts when, who is called off, who is revived.

use shared::{
    model::{ErrorCode, TaskId, TaskState},
    store::verbs::{RetryOutcome, Submitted},
};

use super::{
    Backend,
    lab::{Ask, Lab, calm, later},
};

async fn code(lab: &Lab, id: TaskId) -> Option<&'static str> {
    lab.view(id).await.error.map(|error| error.code.as_str())
}

/// A diamond in one submission: each task becomes ready with its last parent, in the same commit.
pub async fn dependents_start_after_their_parents(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let top = lab.task(Ask::of("t.a"));
    let left = lab.task(Ask::of("t.a").after(&[top.id]));
    let right = lab.task(Ask::of("t.a").after(&[top.id]));
    let bottom = lab.task(Ask::of("t.a").after(&[left.id, right.id]));
    let ids = [top.id, left.id, right.id, bottom.id];
    let answer = lab
        .store
        .submit(lab.plan(vec![top, left, right, bottom]))
        .await
        .expect("submit");
    assert_eq!(answer, Submitted::Accepted);
    assert_eq!(lab.view(ids[0]).await.dependents, [ids[1], ids[2]]);
    assert_eq!(lab.dispatch(super::lab::LONG).await, [ids[0]]);
    lab.run(ids[0]).await;
    assert_eq!(lab.state(ids[3]).await, TaskState::Waiting);
    lab.run(ids[2]).await;
    assert_eq!(lab.state(ids[3]).await, TaskState::Waiting);
    lab.run(ids[1]).await;
    assert_eq!(lab.state(ids[3]).await, TaskState::Ready);
    lab.run(ids[3]).await;
}

/// A failure cancels everything behind it; `retry` of its origin brings all of it back.
pub async fn failure_cascades_and_retry_revives(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let origin = lab.submit(Ask::of("t.a")).await;
    let near = lab.submit(Ask::of("t.a").after(&[origin])).await;
    let far = lab.submit(Ask::of("t.a").after(&[near, origin])).await;
    let own = lab.submit(Ask::of("t.a").after(&[origin])).await;
    lab.cancel(own).await;
    lab.ruin(origin).await;
    for id in [near, far] {
        assert_eq!(
            (lab.state(id).await, code(&lab, id).await),
            (TaskState::Cancelled, Some("dependency_failed"))
        );
    }
    let message = lab
        .view(near)
        .await
        .error
        .map(|error| error.message)
        .unwrap_or_default();
    assert!(message.contains(&origin.to_string()), "{message}");
    assert_eq!(lab.retry(far).await, RetryOutcome::ParentFailed(near));
    assert_eq!(
        lab.retry(origin).await,
        RetryOutcome::Revived { attempt: 1 }
    );
    assert_eq!(
        lab.retry(origin).await,
        RetryOutcome::WrongState(TaskState::Ready)
    );
    for id in [near, far] {
        assert_eq!(
            (lab.state(id).await, code(&lab, id).await),
            (TaskState::Waiting, None)
        );
    }
    assert_eq!(
        lab.state(own).await,
        TaskState::Cancelled,
        "somebody wanted it cancelled"
    );
    for id in [origin, near, far] {
        lab.run(id).await;
    }
}

/// With the policy `run`, a failed, cancelled or expired parent counts as settled.
pub async fn policy_run_starts_after_failure(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let failed = lab.submit(Ask::of("t.a")).await;
    let cancelled = lab.submit(Ask::of("t.a")).await;
    let expired = lab.submit(Ask::of("t.a").expiring(super::lab::now())).await;
    let good = lab.submit(Ask::of("t.a")).await;
    let child = lab
        .submit(
            Ask::of("t.b")
                .after(&[failed, cancelled, expired, good])
                .whatever_happens(),
        )
        .await;
    lab.ruin(failed).await;
    lab.cancel(cancelled).await;
    assert_eq!(lab.sweep(calm()).await.expired, 1);
    assert_eq!(lab.state(child).await, TaskState::Waiting);
    lab.run(good).await;
    assert_eq!(lab.state(child).await, TaskState::Ready);
    lab.retry(failed).await;
    assert_eq!(
        lab.state(child).await,
        TaskState::Ready,
        "what has started waiting in line goes on"
    );
    lab.run(child).await;
}

/// Of two failed parents one is retried: the dependent stays cancelled until the other one is, too.
pub async fn another_failed_parent_keeps_dependents_cancelled(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let one = lab.submit(Ask::of("t.a")).await;
    let two = lab.submit(Ask::of("t.a")).await;
    let child = lab.submit(Ask::of("t.a").after(&[one, two])).await;
    let grandchild = lab.submit(Ask::of("t.a").after(&[child])).await;
    lab.ruin(one).await;
    lab.ruin(two).await;
    let blamed = async || lab.view(child).await.error.expect("an error");
    assert!(blamed().await.message.contains(&one.to_string()));
    lab.retry(one).await;
    assert_eq!(lab.state(child).await, TaskState::Cancelled);
    let error = blamed().await;
    assert_eq!(error.code, ErrorCode::DependencyFailed);
    assert!(
        error.message.contains(&two.to_string()),
        "the one that still stands in its way: {}",
        error.message
    );
    lab.run(one).await;
    lab.retry(two).await;
    assert_eq!(lab.state(child).await, TaskState::Waiting);
    assert_eq!(lab.state(grandchild).await, TaskState::Waiting);
    for id in [two, child, grandchild] {
        lab.run(id).await;
    }
}

/// The last parent is done, `run_at` is not there yet: scheduled.
pub async fn an_unblocked_task_waits_for_its_time(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let parent = lab.submit(Ask::of("t.a")).await;
    let child = lab
        .submit(Ask::of("t.a").after(&[parent]).not_before(later()))
        .await;
    let prompt = lab
        .submit(
            Ask::of("t.a")
                .after(&[parent])
                .not_before(super::lab::now()),
        )
        .await;
    assert_eq!(lab.view(child).await.due_at, None, "not scheduled yet");
    lab.run(parent).await;
    let view = lab.view(child).await;
    assert_eq!(
        (view.state, view.due_at),
        (TaskState::Scheduled, view.spec.run_at)
    );
    assert_eq!(lab.state(prompt).await, TaskState::Ready);
    lab.cancel(child).await;
    lab.retry(child).await;
    assert_eq!(lab.state(child).await, TaskState::Ready, "retry means now");
}

/// A retried task whose parent has not ended waits for it again.
pub async fn retry_waits_for_open_parents(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let parent = lab.submit(Ask::of("t.a")).await;
    let child = lab.submit(Ask::of("t.a").after(&[parent])).await;
    lab.cancel(child).await;
    assert_eq!(lab.retry(child).await, RetryOutcome::Revived { attempt: 0 });
    assert_eq!(lab.state(child).await, TaskState::Waiting);
    lab.run(parent).await;
    assert_eq!(lab.state(child).await, TaskState::Ready);
    assert_eq!(
        lab.retry(parent).await,
        RetryOutcome::WrongState(TaskState::Completed)
    );
    assert_eq!(lab.retry(lab.id()).await, RetryOutcome::Unknown);
}

/// Parents that ended before the submission count as what they are.
pub async fn a_late_dependent_sees_final_parents(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let good = lab.submit(Ask::of("t.a")).await;
    let bad = lab.submit(Ask::of("t.a")).await;
    lab.run(good).await;
    lab.ruin(bad).await;
    let fine = lab.submit(Ask::of("t.a").after(&[good])).await;
    let anyway = lab
        .submit(Ask::of("t.a").after(&[good, bad]).whatever_happens())
        .await;
    let lost = lab.task(Ask::of("t.a").after(&[good, bad]));
    let also_lost = lab.task(Ask::of("t.a").after(&[lost.id]));
    let ids = [lost.id, also_lost.id];
    lab.store
        .submit(lab.plan(vec![lost, also_lost]))
        .await
        .expect("submit");
    assert_eq!(lab.state(fine).await, TaskState::Ready);
    assert_eq!(lab.state(anyway).await, TaskState::Ready);
    for id in ids {
        let view = lab.view(id).await;
        assert_eq!(view.state, TaskState::Cancelled);
        assert_eq!(
            view.error.map(|error| error.code.as_str()),
            Some("dependency_failed")
        );
        assert!(view.finished_at.is_some());
    }
    lab.retry(bad).await;
    for id in ids {
        assert_eq!(lab.state(id).await, TaskState::Waiting);
    }
}
