//! Queries and signals.

use shared::{
    model::{Priority, Status, TaskId, TaskState},
    store::{
        query::{Cursor, TaskQuery},
        signal::Signal,
    },
};

use super::{
    Backend,
    lab::{Ask, Lab, NONE, calm, failure, hear, type_name},
};

async fn listed(lab: &Lab, query: TaskQuery) -> (Vec<TaskId>, Option<Cursor>) {
    let page = lab.store.tasks(query).await.expect("tasks");
    (
        page.items.into_iter().map(|task| task.id).collect(),
        page.next,
    )
}

/// Pages join without gap or repeat, although tasks arrive and go meanwhile.
pub async fn pages_stay_stable_while_tasks_arrive(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(lab.submit(Ask::of("t.a")).await);
    }
    let mut seen = Vec::new();
    let mut query = TaskQuery {
        limit: 3,
        ..lab.everything()
    };
    loop {
        let (page, next) = listed(&lab, query.clone()).await;
        assert!(page.len() <= 3);
        seen.extend(page);
        lab.submit(Ask::of("t.a")).await;
        match next {
            Some(cursor) => query.cursor = Some(cursor),
            None => break,
        }
    }
    ids.reverse();
    assert_eq!(seen, ids);
    assert!(query.cursor.is_some());
}

/// Every filter selects, and they combine.
pub async fn filters_select(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let a = lab
        .submit(Ask::of("t.a").label("team", "x").label("run", "1"))
        .await;
    let b = lab
        .submit(Ask::of("t.b").at(Priority::High).label("team", "x"))
        .await;
    let c = lab.submit(Ask::of("t.b").label("team", "y")).await;
    lab.run(c).await;
    let d = lab
        .submit(Ask::of("t.b").after(&[a]).label("team", "x"))
        .await;
    let all = lab.everything();
    assert_eq!(listed(&lab, all.clone()).await, (vec![d, c, b, a], None));
    let status = |status| TaskQuery {
        status: Some(status),
        ..all.clone()
    };
    assert_eq!(listed(&lab, status(Status::Pending)).await.0, [d, b, a]);
    assert_eq!(listed(&lab, status(Status::Completed)).await.0, [c]);
    assert_eq!(listed(&lab, status(Status::Failed)).await.0, []);
    let kind = |name: &str| TaskQuery {
        workflow_type: Some(type_name(name)),
        ..all.clone()
    };
    assert_eq!(listed(&lab, kind("t.b")).await.0, [d, c, b]);
    assert_eq!(listed(&lab, kind("t.none")).await.0, []);
    let high = TaskQuery {
        priority: Some(Priority::High),
        ..all.clone()
    };
    assert_eq!(listed(&lab, high).await.0, [b]);
    assert_eq!(
        lab.store
            .tasks(status(Status::Completed))
            .await
            .expect("tasks")
            .items[0]
            .result,
        None,
        "lists carry no results"
    );
}

/// Labels select those that have all of them, also across pages and with other filters.
pub async fn labels_select(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let ours = Ask::of("t.a").label("team", "x");
    let marked = lab.submit(ours.clone().label("run", "1")).await;
    let plain = lab.submit(ours.clone()).await;
    let foreign = lab.submit(Ask::of("t.a").label("team", "y")).await;
    let waiting = lab.submit(ours.clone().after(&[foreign])).await;
    let done = lab.submit(ours).await;
    lab.run(done).await;
    let all = lab.everything();
    let labels = |pairs: &[(&str, &str)]| TaskQuery {
        labels: pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        ..all.clone()
    };
    assert_eq!(
        listed(&lab, labels(&[("team", "x")])).await.0,
        [done, waiting, plain, marked]
    );
    assert_eq!(
        listed(&lab, labels(&[("team", "x"), ("run", "1")])).await.0,
        [marked]
    );
    let both = TaskQuery {
        status: Some(Status::Pending),
        limit: 1,
        ..labels(&[("team", "x")])
    };
    let (first, next) = listed(&lab, both.clone()).await;
    assert_eq!(first, [waiting]);
    let second = TaskQuery {
        cursor: next,
        ..both
    };
    assert_eq!(listed(&lab, second).await.0, [plain]);
}

/// The queue in numbers: ages, throughput and percentiles appear with the work.
pub async fn counts_describe_the_queue(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let empty = lab.counts().await;
    assert_eq!(
        (
            empty.oldest_pending_age_ms,
            empty.wait_ms.p50,
            empty.run_ms.p99
        ),
        (None, None, None)
    );
    let id = lab.submit(Ask::of("t.a")).await;
    let child = lab.submit(Ask::of("t.a").after(&[id])).await;
    let age = lab.counts().await.oldest_pending_age_ms;
    assert!(age.is_some_and(|age| age < 60_000), "{age:?}");
    lab.start(id).await;
    let counts = lab.counts().await;
    assert_eq!(
        counts.oldest_pending_age_ms, None,
        "a waiting task may not start"
    );
    assert!(counts.wait_ms.p50.is_some());
    assert_eq!(counts.run_ms.p50, None);
    lab.cancel(id).await;
    let other = lab.submit(Ask::of("t.a")).await;
    lab.run(other).await;
    let counts = lab.counts().await;
    let median = counts.run_ms.p50.expect("a run ended");
    assert!((4.5..=5.5).contains(&median), "{median} for 5 ms");
    assert!(counts.throughput_per_minute > 0.0);
    assert_eq!(lab.state(child).await, TaskState::Waiting);
}

/// Listeners hear of ready work, of ends and of cancels.
pub async fn signals_arrive(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let mut one = lab.store.signals().await.expect("signals");
    let mut two = lab.store.signals().await.expect("signals");
    let id = lab.submit(Ask::of("t.a")).await;
    let child = lab.submit(Ask::of("t.a").after(&[id])).await;
    for signals in [&mut one, &mut two] {
        hear(&mut **signals, "ready work", |signal| {
            *signal == Signal::Ready
        })
        .await;
    }
    lab.start(id).await;
    lab.cancel(id).await;
    let asked = |signal: &Signal| matches!(signal, Signal::CancelAsked(ids) if ids.contains(&id));
    hear(&mut *one, "the cancel", asked).await;
    drop(two);
    lab.sweep(calm()).await;
    lab.cancel(child).await;
    let ended = |signal: &Signal| matches!(signal, Signal::Ended(ids) if ids.contains(&child));
    hear(&mut *one, "the end", ended).await;
    let other = lab.submit(Ask::of("t.a")).await;
    lab.run(other).await;
    let ended = |signal: &Signal| matches!(signal, Signal::Ended(ids) if ids.contains(&other));
    hear(&mut *one, "the other end", ended).await;
}

/// One task's whole life in one view, times in order.
pub async fn a_view_tells_the_whole_life(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let task = lab.task(
        Ask::of("t.a")
            .attempts(3)
            .label("k", "v")
            .expiring(super::lab::later()),
    );
    lab.store
        .submit(lab.plan(vec![task.clone()]))
        .await
        .expect("submit");
    let fresh = lab.view(task.id).await;
    assert_eq!(
        (&fresh.spec, fresh.state, fresh.attempt),
        (&task.spec, TaskState::Ready, 0)
    );
    assert_eq!(
        (fresh.started_at, fresh.finished_at, &fresh.worker_id),
        (None, None, &None)
    );
    let run = lab.start(task.id).await;
    let running = lab.view(task.id).await;
    assert_eq!(
        running
            .worker_id
            .as_ref()
            .map(ToString::to_string)
            .as_deref(),
        Some("w1")
    );
    assert_eq!(
        (running.attempts[0].finished_at, &running.attempts[0].code),
        (None, &None)
    );
    lab.fail(&run, failure("the first try"), NONE).await;
    lab.sweep(calm()).await;
    let run = lab.start(task.id).await;
    lab.release(&run).await;
    lab.run(task.id).await;
    let view = lab.view(task.id).await;
    assert_eq!(
        (view.state, view.attempt, view.failures),
        (TaskState::Completed, 3, 1)
    );
    let codes: Vec<_> = view
        .attempts
        .iter()
        .map(|run| run.code.as_deref())
        .collect();
    assert_eq!(codes, [Some("handler_error"), Some("released"), None]);
    assert_eq!(view.attempts[0].message.as_deref(), Some("the first try"));
    let times = [Some(view.submitted_at), view.started_at, view.finished_at];
    assert!(times.is_sorted() && times[1].is_some(), "{times:?}");
    assert_eq!(
        view.started_at,
        view.attempts.last().map(|run| run.started_at)
    );
    assert_eq!(
        view.finished_at,
        view.attempts.last().and_then(|run| run.finished_at)
    );
    assert_eq!(view.submitted_at, fresh.submitted_at);
    assert!(view.result.is_some() && view.error.is_none());
}
