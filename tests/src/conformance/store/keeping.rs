//! What is kept, for how long, and for whom.

use std::time::Duration;

use serde_json::json;
use shared::{
    model::{
        HealthState, Level, Priority, ProfileName, RetryPolicy, Stamp, TaskState, TenantId,
        TypeName,
    },
    store::{
        query::{Readiness, Slots, Tally, Totals, TypeInfo, WorkerState},
        signal::Signal,
        verbs::{Beat, CancelOutcome, Claimed, Mode, ModeState, RetryOutcome, Sweep},
    },
};

use super::{
    Backend,
    lab::{Ask, LONG, Lab, NONE, calm, failure, hear, later, now, type_name, worker_id},
};

const FORGET: Sweep = Sweep {
    retention: NONE,
    ..calm()
};

/// A finished task stays as long as one that depends on it, also through a limit.
pub async fn parents_outlive_their_dependents(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let parent = lab.submit(Ask::of("t.a")).await;
    let done = lab.submit(Ask::of("t.a").after(&[parent])).await;
    let open = lab
        .submit(Ask::of("t.a").after(&[parent]).not_before(later()))
        .await;
    lab.run(parent).await;
    lab.run(done).await;
    assert_eq!(lab.sweep(calm()).await.reaped, 0, "its time is not over");
    assert_eq!(lab.sweep(FORGET).await.reaped, 1);
    assert_eq!(lab.store.task(&lab.tenant, done).await.expect("task"), None);
    assert_eq!(lab.view(parent).await.dependents, [open]);
    lab.retry(open).await;
    lab.cancel(open).await;
    let one = Sweep { limit: 1, ..FORGET };
    let swept = lab.sweep(one).await;
    assert_eq!((swept.reaped, swept.more), (1, true));
    assert_eq!(lab.store.task(&lab.tenant, open).await.expect("task"), None);
    assert_eq!(lab.state(parent).await, TaskState::Completed);
    assert_eq!(lab.sweep(one).await.reaped, 1);
    assert_eq!(
        lab.claim(parent, 1, lab.nonce(), LONG).await,
        Claimed::Unknown
    );
    assert_eq!(lab.sweep(FORGET).await.reaped, 0);
    let next = lab.submit(Ask::of("t.a")).await;
    lab.run(next).await;
}

/// A parent that ended after its dependent holds up nothing that ended before it.
pub async fn a_late_parent_holds_up_no_other(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let parent = lab.submit(Ask::of("t.a")).await;
    let child = lab.submit(Ask::of("t.a").after(&[parent])).await;
    lab.cancel(child).await;
    let other = lab.submit(Ask::of("t.a")).await;
    lab.run(other).await;
    let ended = lab.view(other).await.finished_at.expect("it ended");
    // The retention below has to tell the two ends apart, also on a slow machine.
    while now().since(ended) < Duration::from_millis(500) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    lab.run(parent).await;
    let between = Sweep {
        retention: now().since(ended),
        ..calm()
    };
    lab.sweep(between).await;
    for id in [child, other] {
        assert_eq!(lab.store.task(&lab.tenant, id).await.expect("task"), None);
    }
    lab.sweep(FORGET).await;
    let gone = lab.store.task(&lab.tenant, parent).await.expect("task");
    assert_eq!(gone, None);
}

/// The numbers of the whole fleet: over all tenants, and nothing that was counted is forgotten with its task.
pub async fn totals_span_tenants(backend: &dyn Backend) {
    let mut lab = Lab::new(backend).await;
    assert_eq!(lab.store.totals().await.expect("totals"), Totals::default());
    let plain = lab.tenant.clone();
    for tenant in ["one", "other"] {
        lab.tenant = tenant.parse().expect("a tenant");
        let done = lab.submit(Ask::of("t.a")).await;
        lab.run(done).await;
        let retried = lab.submit(Ask::of("t.b").at(Priority::Low)).await;
        let run = lab.start(retried).await;
        lab.fail(&run, failure("try again"), LONG).await;
        let lapsing = lab.submit(Ask::of("t.a")).await;
        lab.start_for(lapsing, NONE).await;
        lab.sweep(calm()).await;
        lab.ruin(lapsing).await;
    }
    let replayed = lab.task(Ask::of("t.c"));
    for _ in 0..2 {
        lab.store
            .submit(lab.plan(vec![replayed.clone()]))
            .await
            .expect("submit");
    }
    lab.sweep(FORGET).await;
    lab.tenant = plain;
    assert!(lab.counts().await.by_route.is_empty(), "a tenant's own");
    let totals = lab.store.totals().await.expect("totals");
    assert_eq!(
        (totals.submitted, totals.retries, totals.leases_lapsed),
        (7, 2, 2)
    );
    let of = |name: &str, priority| totals.by_route[&(type_name(name), priority)];
    assert_eq!(
        of("t.a", Priority::Medium),
        Tally {
            completed: 2,
            failed: 2,
            ..Tally::default()
        }
    );
    assert_eq!(of("t.b", Priority::Low).pending, 2);
    assert_eq!(of("t.c", Priority::Medium).pending, 1);
    let learned: Vec<_> = totals.expected_run.keys().map(TypeName::as_str).collect();
    assert_eq!(learned, ["t.a"], "only what succeeded");
}

/// Completed, failed and cancelled only ever grow: over retries and over the removal of tasks.
pub async fn counters_are_cumulative(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a")).await;
    let child = lab.submit(Ask::of("t.a").after(&[id])).await;
    let tally = async || lab.counts().await.by_route[&(type_name("t.a"), Priority::Medium)];
    let figures = async || {
        let tally = tally().await;
        (
            tally.pending,
            tally.running,
            tally.completed,
            tally.failed,
            tally.cancelled,
        )
    };
    assert_eq!(figures().await, (2, 0, 0, 0, 0));
    lab.ruin(id).await;
    assert_eq!(figures().await, (0, 0, 0, 1, 1));
    lab.retry(id).await;
    assert_eq!(figures().await, (2, 0, 0, 1, 1));
    lab.start(id).await;
    assert_eq!(figures().await, (1, 1, 0, 1, 1));
    lab.cancel(child).await;
    assert_eq!(figures().await, (0, 1, 0, 1, 2));
    lab.retry(child).await;
    assert_eq!(lab.cancel(id).await, CancelOutcome::Requested);
    let run = lab.view(id).await;
    assert_eq!(run.state, TaskState::Running);
    lab.sweep(FORGET).await;
    assert_eq!(figures().await, (1, 1, 0, 1, 2));
    let other = lab.submit(Ask::of("t.a")).await;
    lab.run(other).await;
    assert_eq!(lab.sweep(FORGET).await.reaped, 1);
    assert_eq!(figures().await, (1, 1, 1, 1, 2));
}

/// Nobody sees, cancels, retries or counts the tasks of another tenant.
pub async fn tenants_are_strangers(backend: &dyn Backend) {
    let mut lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a")).await;
    lab.ruin(id).await;
    lab.tenant = "other".parse::<TenantId>().expect("a tenant");
    let own = lab.submit(Ask::of("t.a")).await;
    assert_eq!(lab.store.task(&lab.tenant, id).await.expect("task"), None);
    assert_eq!(lab.cancel(id).await, CancelOutcome::Unknown);
    assert_eq!(lab.retry(id).await, RetryOutcome::Unknown);
    let page = lab.store.tasks(lab.everything()).await.expect("tasks");
    assert_eq!(
        page.items.iter().map(|task| task.id).collect::<Vec<_>>(),
        [own]
    );
    let tally: Vec<_> = lab.counts().await.by_route.into_values().collect();
    assert_eq!((tally.len(), tally[0].pending, tally[0].failed), (1, 1, 0));
}

/// The mode is one for all, remembers who set it, and is news when it changes.
pub async fn the_mode_is_kept_and_told(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let before = lab.store.mode().await.expect("mode");
    assert_eq!(before, ModeState::default());
    let first = lab.mode(Mode::Running).await;
    assert_eq!((first.changed, first.by.as_str()), (false, "someone"));
    assert!(first.at > Stamp::default(), "it was asked for just now");
    assert_eq!(lab.mode(Mode::Running).await, first);
    let mut signals = lab.store.signals().await.expect("signals");
    let set = lab.mode(Mode::Paused).await;
    assert_eq!(
        (set.mode, set.changed, set.by.as_str(), set.reason.as_str()),
        (Mode::Paused, true, "someone", "because")
    );
    assert!(set.at > Stamp::default());
    hear(&mut *signals, "the news", |signal| *signal == Signal::Mode).await;
    let again = lab.mode(Mode::Paused).await;
    assert_eq!((again.changed, again.at), (false, set.at));
    let kept = lab.store.mode().await.expect("mode");
    assert_eq!((kept.mode, kept.by, kept.at), (set.mode, set.by, set.at));
    lab.mode(Mode::Running).await;
    hear(&mut *signals, "work", |signal| *signal == Signal::Ready).await;
    lab.store.ping().await.expect("ping");
}

/// What a worker says of itself in these tests.
#[must_use]
pub fn worker_state(readiness: Readiness) -> WorkerState {
    WorkerState {
        host: "host".into(),
        version: "0".into(),
        started_at: Stamp::from_millis(1),
        readiness,
        slots: Slots {
            used: 1,
            limit: 2,
            cap: 3,
        },
        types: vec![type_name("t.a")],
        running: Vec::new(),
        memory_bytes: 1,
        memory_total_bytes: 1 << 40,
        cpu_cores: 0.5,
        profile: ProfileName::Performance,
        level: Level::High,
        health: 41.5,
        health_state: HealthState::Stressed,
        detail: json!({"features": [{"name": "t.a", "enabled": true}], "x": null}),
    }
}

/// A sign of life of this worker.
#[must_use]
pub fn beat(name: &str, readiness: Readiness) -> Beat {
    Beat {
        worker: worker_id(name),
        state: worker_state(readiness),
    }
}

/// A worker is known from its first beat to its goodbye; the store says when it does not know one.
pub async fn workers_come_and_go(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let mut signals = lab.store.signals().await.expect("signals");
    let first = lab
        .store
        .heartbeat(beat("w2", Readiness::Ready))
        .await
        .expect("heartbeat");
    assert_eq!(
        (first.mode, first.unknown, first.hint.len()),
        (Mode::Running, true, 0)
    );
    hear(&mut *signals, "the newcomer", |signal| {
        *signal == Signal::Workers
    })
    .await;
    lab.submit(Ask::of("t.b").at(Priority::Low)).await;
    lab.submit(Ask::of("t.a").at(Priority::High)).await;
    lab.dispatch(LONG).await;
    let second = lab
        .store
        .heartbeat(beat("w2", Readiness::Gated))
        .await
        .expect("heartbeat");
    assert!(!second.unknown);
    assert_eq!(
        second
            .hint
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["t.a.high", "t.b.low"]
    );
    hear(&mut *signals, "the change", |signal| {
        *signal == Signal::Workers
    })
    .await;
    lab.store
        .heartbeat(beat("w1", Readiness::Ready))
        .await
        .expect("heartbeat");
    let workers = lab.store.workers().await.expect("workers");
    assert_eq!(
        workers
            .iter()
            .map(|view| view.worker.as_str())
            .collect::<Vec<_>>(),
        ["w1", "w2"]
    );
    assert_eq!(workers[1].state, worker_state(Readiness::Gated));
    assert!(workers[1].silent_ms < 60_000 && workers[1].last_heartbeat_at > Stamp::default());
    lab.store
        .farewell(&worker_id("w2"))
        .await
        .expect("farewell");
    lab.store
        .farewell(&worker_id("w2"))
        .await
        .expect("farewell");
    lab.sweep(calm()).await;
    assert_eq!(lab.store.workers().await.expect("workers").len(), 1);
    let back = lab
        .store
        .heartbeat(beat("w2", Readiness::Ready))
        .await
        .expect("heartbeat");
    assert!(back.unknown, "it should announce its types again");
}

/// Announced types are known, the newest announcement of each, by name.
pub async fn types_are_announced(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let info = |name: &str, title: &str| TypeInfo {
        name: type_name(name),
        title: title.into(),
        description: "does it".into(),
        input_schema: json!({"type": "object", "properties": {"x": {"type": "number"}}}),
        example: json!({"x": 1.5}),
        defaults: json!({}),
        retry: RetryPolicy::default(),
        timeout_ms: 1000,
        priority: Priority::High,
        estimated_duration_ms: 10,
        resource_class: "light".into(),
        feature_category: "essential".into(),
    };
    assert_eq!(lab.store.types().await.expect("types"), []);
    lab.store
        .announce(vec![info("t.b", "B"), info("t.a", "old")])
        .await
        .expect("announce");
    lab.store
        .announce(vec![info("t.a", "new")])
        .await
        .expect("announce");
    let known = lab.store.types().await.expect("types");
    assert_eq!(known, [info("t.a", "new"), info("t.b", "B")]);
}
