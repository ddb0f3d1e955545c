//! Submissions: whole or not at all, and once.

use std::time::{Duration, Instant};

use shared::{
    model::{Json, TaskState},
    store::verbs::{Idempotency, Mode, Submission, Submitted},
};

use super::{
    Backend,
    lab::{Ask, Lab},
};

fn keyed(lab: &Lab, key: &str, fingerprint: &str) -> Submission {
    let idempotency = Idempotency {
        key: key.into(),
        fingerprint: fingerprint.into(),
        reply: Json::from_text(format!(r#"{{"for":"{fingerprint}"}}"#)),
    };
    Submission {
        idempotency: Some(idempotency),
        ..lab.plan(vec![lab.task(Ask::of("t.a"))])
    }
}

/// The same key with the same body: the first answer again, and nothing stored twice.
pub async fn a_key_replays_its_answer(backend: &dyn Backend) {
    let mut lab = Lab::new(backend).await;
    let first = keyed(&lab, "k1", "f1");
    assert_eq!(
        lab.store.submit(first.clone()).await.expect("submit"),
        Submitted::Accepted
    );
    for again in [first, keyed(&lab, "k1", "f1")] {
        let id = again.tasks[0].id;
        let Submitted::Replayed(reply) = lab.store.submit(again).await.expect("submit") else {
            panic!("not replayed");
        };
        assert_eq!(reply.as_str(), r#"{"for":"f1"}"#);
        let stored = lab
            .store
            .task(&lab.tenant, id)
            .await
            .expect("task")
            .is_some();
        assert_eq!(
            stored,
            lab.store
                .tasks(lab.everything())
                .await
                .expect("tasks")
                .items[0]
                .id
                == id
        );
    }
    assert_eq!(
        lab.store
            .tasks(lab.everything())
            .await
            .expect("tasks")
            .items
            .len(),
        1
    );
    let other = keyed(&lab, "k2", "f1");
    assert_eq!(
        lab.store.submit(other).await.expect("submit"),
        Submitted::Accepted
    );
    lab.tenant = "other".parse().expect("a tenant");
    let stranger = keyed(&lab, "k1", "f2");
    assert_eq!(
        lab.store.submit(stranger).await.expect("submit"),
        Submitted::Accepted,
        "keys are the tenant's own"
    );
}

/// The same key with another body is refused.
pub async fn a_key_with_another_body_is_refused(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    lab.store
        .submit(keyed(&lab, "k1", "f1"))
        .await
        .expect("submit");
    let reused = lab
        .store
        .submit(keyed(&lab, "k1", "f2"))
        .await
        .expect("submit");
    assert_eq!(reused, Submitted::KeyReused);
    assert_eq!(
        lab.store
            .tasks(lab.everything())
            .await
            .expect("tasks")
            .items
            .len(),
        1
    );
}

/// Unknown parents are all named, and nothing of the plan is stored, not even its key.
pub async fn nothing_is_stored_of_a_bad_plan(backend: &dyn Backend) {
    let mut lab = Lab::new(backend).await;
    lab.tenant = "other".parse().expect("a tenant");
    let foreign = lab.submit(Ask::of("t.a")).await;
    lab.tenant = shared::model::TenantId::default();
    let missing = lab.id();
    let mut plan = keyed(&lab, "k1", "f1");
    let later = lab.task(Ask::of("t.a"));
    plan.tasks
        .push(lab.task(Ask::of("t.a").after(&[plan.tasks[0].id, foreign])));
    plan.tasks
        .push(lab.task(Ask::of("t.a").after(&[missing, later.id, foreign])));
    let wanted = vec![(1, foreign), (2, missing), (2, later.id), (2, foreign)];
    plan.tasks.push(later);
    let answer = lab.store.submit(plan.clone()).await.expect("submit");
    assert_eq!(answer, Submitted::UnknownParents(wanted));
    assert_eq!(
        lab.store
            .tasks(lab.everything())
            .await
            .expect("tasks")
            .items,
        []
    );
    assert_eq!(lab.take(10).await.tasks.len(), 1, "the other tenant's");
    plan.tasks.truncate(1);
    assert_eq!(
        lab.store.submit(plan).await.expect("submit"),
        Submitted::Accepted
    );
}

/// Stopped: submissions are refused, but a known key is answered. Paused: accepted.
pub async fn a_stopped_fleet_refuses_and_still_replays(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let known = keyed(&lab, "k1", "f1");
    lab.store.submit(known.clone()).await.expect("submit");
    lab.mode(Mode::Stopped).await;
    let fresh = lab
        .store
        .submit(keyed(&lab, "k2", "f1"))
        .await
        .expect("submit");
    assert_eq!(fresh, Submitted::Stopped);
    let replayed = lab.store.submit(known).await.expect("submit");
    assert!(matches!(replayed, Submitted::Replayed(_)), "{replayed:?}");
    lab.mode(Mode::Paused).await;
    let id = lab.submit(Ask::of("t.a")).await;
    assert_eq!(lab.state(id).await, TaskState::Ready);
}

/// A large plan, every task after the first depending on an earlier one, is stored in bounded time.
pub async fn ten_thousand_tasks_fit_one_submission(backend: &dyn Backend) {
    const TASKS: usize = 10_000;
    const BOUND: Duration = Duration::from_secs(15);
    let lab = Lab::new(backend).await;
    let root = lab.task(Ask::of("t.a"));
    let root_id = root.id;
    let mut tasks = vec![root];
    while tasks.len() < TASKS {
        let parent = tasks[tasks.len() / 10].id;
        tasks.push(lab.task(Ask::of("t.a").after(&[parent])));
    }
    let began = Instant::now();
    assert_eq!(
        lab.store.submit(lab.plan(tasks)).await.expect("submit"),
        Submitted::Accepted
    );
    let took = began.elapsed();
    assert!(took < BOUND, "{TASKS} tasks took {took:?}");
    let tally: Vec<_> = lab.counts().await.by_route.into_values().collect();
    assert_eq!(tally[0].pending, TASKS as u64);
    assert_eq!(lab.dispatch(super::lab::LONG).await, [root_id]);
    lab.ruin(root_id).await;
    let tally: Vec<_> = lab.counts().await.by_route.into_values().collect();
    assert_eq!(
        (tally[0].failed, tally[0].cancelled),
        (1, TASKS as u64 - 1),
        "the whole family in one commit"
    );
}

/// A submission without a key whose answer was lost: the same ids again are the same submission.
pub async fn a_lost_answer_may_be_asked_again(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let plan = lab.plan(vec![lab.task(Ask::of("t.a"))]);
    for _ in 0..2 {
        assert_eq!(
            lab.store.submit(plan.clone()).await.expect("submit"),
            Submitted::Accepted
        );
    }
    lab.run(plan.tasks[0].id).await;
    assert_eq!(
        lab.store.submit(plan.clone()).await.expect("submit"),
        Submitted::Accepted
    );
    assert_eq!(lab.state(plan.tasks[0].id).await, TaskState::Completed);
    assert_eq!(
        lab.store
            .tasks(lab.everything())
            .await
            .expect("tasks")
            .items
            .len(),
        1
    );
}
