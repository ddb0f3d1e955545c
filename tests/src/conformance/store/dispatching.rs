//! From ready to queued: nonces, order, windows, deadlines, and slips that got lost.

use std::{collections::BTreeMap, time::Duration};

use shared::{
    model::{Priority, TaskId, TaskState, TenantId},
    store::verbs::{Mode, Overdue, Sweep, Take, Windows},
};

use super::{
    Backend,
    lab::{Ask, LONG, Lab, NONE, calm, now, open_windows, type_name},
};

/// The same nonce gets the same tasks again, as far as it still holds them, and never others.
pub async fn a_nonce_asked_again_takes_nothing_new(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(lab.submit(Ask::of("t.a")).await);
    }
    let take = Take {
        nonce: lab.nonce(),
        limit: 3,
        windows: open_windows(),
        deadline: LONG,
    };
    let first = lab
        .store
        .take_ready(take.clone())
        .await
        .expect("take_ready");
    assert_eq!(
        first.tasks.iter().map(|task| task.id).collect::<Vec<_>>(),
        ids[..3]
    );
    assert!(first.more);
    let again = lab
        .store
        .take_ready(take.clone())
        .await
        .expect("take_ready");
    assert_eq!(again.tasks, first.tasks);
    lab.publish(&[(ids[0], 1)], LONG).await;
    lab.start(ids[1]).await;
    let rest = lab
        .store
        .take_ready(take.clone())
        .await
        .expect("take_ready");
    assert_eq!(rest.tasks, first.tasks[2..]);
    assert_eq!(lab.state(ids[3]).await, TaskState::Ready);
    lab.cancel(ids[2]).await;
    lab.retry(ids[2]).await;
    lab.take(10).await;
    let none = lab.store.take_ready(take).await.expect("take_ready");
    assert_eq!(none.tasks, [], "taken by another nonce now");
}

/// Everything of a priority goes before anything of the next, but for the share of the least urgent; within one line
/// age decides.
pub async fn priorities_are_strict(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let mut by_priority: BTreeMap<Priority, Vec<TaskId>> = BTreeMap::new();
    for round in 0..3 {
        for priority in Priority::ALL.into_iter().rev() {
            let id = lab.submit(Ask::of("t.a").at(priority)).await;
            by_priority.entry(priority).or_default().push(id);
            assert_eq!(by_priority[&priority].len(), round + 1);
        }
    }
    let [c, h, m, l] = Priority::ALL.map(|priority| by_priority[&priority].clone());
    let turns = [
        vec![c[0], c[1], c[2], h[0], l[0]],
        vec![h[1], h[2], m[0], m[1], l[1]],
        vec![m[2], l[2]],
    ];
    for (turn, wanted) in turns.into_iter().enumerate() {
        let batch = lab.take(5).await;
        let taken: Vec<_> = batch.tasks.iter().map(|task| task.id).collect();
        assert_eq!(taken, wanted, "take {turn}");
        assert_eq!(batch.more, turn < 2);
    }
}

/// However much urgent work there is: of each take of n >= 2, max(1, n / 16) are of the least urgent priority that has
/// something to start. What is urgent stands first in the answer, and gets what that priority has no use for.
pub async fn urgent_work_starves_nobody(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let many = async |priority: Priority, kind: &str, count: usize| {
        let tasks = (0..count).map(|_| lab.task(Ask::of(kind).at(priority)));
        lab.store
            .submit(lab.plan(tasks.collect()))
            .await
            .expect("submit");
    };
    many(Priority::Critical, "t.a", 160).await;
    many(Priority::Medium, "t.a", 20).await;
    many(Priority::Low, "t.a", 5).await;
    many(Priority::Low, "t.b", 5).await;
    let take = async |limit: u32, windows: Windows| {
        let taken = lab.take_within(limit, windows, LONG).await.tasks;
        let priorities: Vec<_> = taken.iter().map(|task| task.route.priority).collect();
        assert!(priorities.is_sorted(), "{priorities:?}");
        Priority::ALL.map(|level| priorities.iter().filter(|p| **p == level).count())
    };
    assert_eq!(
        take(1, open_windows()).await,
        [1, 0, 0, 0],
        "nothing to share"
    );
    assert_eq!(take(2, open_windows()).await, [1, 0, 0, 1]);
    assert_eq!(take(64, open_windows()).await, [60, 0, 0, 4]);
    let closed = Windows {
        default: 100_000,
        by_type: BTreeMap::from([(type_name("t.b"), 0), (type_name("t.a"), 3)]),
    };
    assert_eq!(
        take(4, closed).await,
        [0, 0, 3, 0],
        "only what has room counts"
    );
    assert_eq!(take(32, open_windows()).await, [30, 0, 0, 2]);
    assert_eq!(
        take(64, open_windows()).await,
        [61, 0, 0, 3],
        "what the least urgent has no use for goes by priority"
    );
    assert_eq!(take(64, open_windows()).await, [7, 0, 17, 0]);
}

/// At most so many tasks of a route are taken or queued at once; what leaves makes room.
pub async fn windows_hold(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    for _ in 0..5 {
        lab.submit(Ask::of("t.a")).await;
        lab.submit(Ask::of("t.b")).await;
    }
    let windows = Windows {
        default: 3,
        by_type: BTreeMap::from([(type_name("t.b"), 1)]),
    };
    let taken = lab.take_within(100, windows.clone(), LONG).await;
    let of = |kind: &str| {
        taken
            .tasks
            .iter()
            .filter(|task| task.route.workflow_type.as_str() == kind)
            .count()
    };
    assert_eq!((of("t.a"), of("t.b"), taken.more), (3, 1, false));
    for task in &taken.tasks {
        lab.publish(&[(task.id, 1)], LONG).await;
    }
    assert_eq!(lab.take_within(100, windows.clone(), LONG).await.tasks, []);
    lab.start(taken.tasks[0].id).await;
    let next = lab.take_within(100, windows, LONG).await;
    assert_eq!(next.tasks.len(), 1);
    assert_eq!(next.tasks[0].route, taken.tasks[0].route);
}

/// A tenant with a thousand tasks does not keep another one waiting, nor does a type.
pub async fn tenants_and_types_take_turns(backend: &dyn Backend) {
    let mut lab = Lab::new(backend).await;
    let tenants: Vec<TenantId> = ["big", "small"]
        .map(|name| name.parse().expect("a tenant"))
        .into();
    for (tenant, kind, count) in [(0, "t.a", 40), (0, "t.b", 40), (1, "t.a", 10)] {
        lab.tenant = tenants[tenant].clone();
        let tasks = (0..count).map(|_| lab.task(Ask::of(kind))).collect();
        lab.store.submit(lab.plan(tasks)).await.expect("submit");
    }
    let mut turns: BTreeMap<(TenantId, String), u32> = BTreeMap::new();
    for _ in 0..8 {
        for task in lab.take(4).await.tasks {
            let line = (task.tenant, task.route.workflow_type.to_string());
            *turns.entry(line).or_default() += 1;
        }
    }
    let [a, b] = ["t.a", "t.b"].map(str::to_owned);
    assert_eq!(turns[&(tenants[0].clone(), b)], 16, "{turns:?}");
    assert_eq!(turns[&(tenants[0].clone(), a.clone())], 8, "{turns:?}");
    assert_eq!(turns[&(tenants[1].clone(), a)], 8, "{turns:?}");
}

/// A dispatcher that vanished: after its deadline the tasks are ready again.
pub async fn a_take_that_lapsed_is_ready_again(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a")).await;
    let held = lab.submit(Ask::of("t.b")).await;
    lab.take_within(1, open_windows(), LONG).await;
    lab.take_within(1, open_windows(), NONE).await;
    assert_eq!(lab.sweep(calm()).await.takes_lapsed, 1);
    let states = (lab.state(id).await, lab.state(held).await);
    assert!(
        [
            (TaskState::Taken, TaskState::Ready),
            (TaskState::Ready, TaskState::Taken)
        ]
        .contains(&states),
        "{states:?}"
    );
    lab.publish(&[(id, 1), (held, 1)], LONG).await;
    let queued = [lab.state(id).await, lab.state(held).await];
    assert!(
        queued.contains(&TaskState::Queued) && queued.contains(&TaskState::Ready),
        "{queued:?}"
    );
}

/// `published` may be late, repeated or wrong about the attempt: then it changes nothing.
pub async fn published_after_the_claim_is_stale(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a")).await;
    lab.publish(&[(id, 1)], LONG).await;
    assert_eq!(lab.state(id).await, TaskState::Ready, "nobody took it");
    lab.take(1).await;
    lab.publish(&[(id, 2), (lab.id(), 1)], LONG).await;
    assert_eq!(lab.state(id).await, TaskState::Taken);
    lab.publish(&[(id, 1)], LONG).await;
    assert_eq!(lab.state(id).await, TaskState::Queued);
    lab.start(id).await;
    lab.publish(&[(id, 1), (id, 2)], LONG).await;
    assert_eq!(lab.state(id).await, TaskState::Running);
}

/// A queued task past its deadline is reported with its route's slips, and is ready again on request only.
pub async fn overdue_slips_are_counted_and_requeued(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    for _ in 0..3 {
        lab.submit(Ask::of("t.a")).await;
    }
    let route = lab.take(0).await;
    assert_eq!(
        (route.tasks.len(), route.more),
        (0, true),
        "a limit of none takes none"
    );
    let ids = lab.dispatch(NONE).await;
    lab.submit(Ask::of("t.a")).await;
    let patient = lab.dispatch(LONG).await;
    let swept = lab.sweep(calm()).await;
    let view = lab.view(ids[0]).await;
    let route = shared::model::Route::new(view.spec.workflow_type, view.spec.priority);
    assert_eq!(
        swept.overdue,
        [Overdue {
            route,
            tasks: 3,
            slips: 4
        }]
    );
    assert_eq!(
        lab.state(ids[0]).await,
        TaskState::Queued,
        "the sweep changes nothing"
    );
    assert_eq!(
        lab.requeue("t.a", 2, Some(LONG)).await,
        0,
        "not overdue by that much"
    );
    assert_eq!(lab.requeue("t.a", 2, Some(NONE)).await, 2);
    assert_eq!(
        lab.state(ids[0]).await,
        TaskState::Ready,
        "the longest overdue first"
    );
    assert_eq!(lab.state(ids[2]).await, TaskState::Queued);
    assert_eq!(lab.requeue("t.a", 10, Some(NONE)).await, 1);
    assert_eq!(lab.requeue("t.other", 10, None).await, 0);
    assert_eq!(lab.state(patient[0]).await, TaskState::Queued);
    assert_eq!(
        lab.requeue("t.a", 10, None).await,
        1,
        "a new epoch of the broker takes all"
    );
    assert_eq!(lab.sweep(calm()).await.overdue, []);
}

/// A sweep's limit counts per route: late slips of one route, whose workers are busy, hide no other route's.
pub async fn a_crowded_route_hides_no_other(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    for _ in 0..4 {
        lab.submit(Ask::of("t.a")).await;
    }
    lab.dispatch(NONE).await;
    lab.submit(Ask::of("t.b")).await;
    lab.dispatch(NONE).await;
    let overdue = lab.sweep(Sweep { limit: 3, ..calm() }).await.overdue;
    let counted: Vec<_> = overdue
        .iter()
        .map(|overdue| {
            (
                overdue.route.workflow_type.as_str(),
                overdue.tasks,
                overdue.slips,
            )
        })
        .collect();
    assert_eq!(counted, [("t.a", 3, 4), ("t.b", 1, 1)]);
}

/// A slip of n tickets is one slip; a claim takes 1/n of it away.
pub async fn bundles_count_as_one_slip(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    for _ in 0..7 {
        lab.submit(Ask::of("t.a")).await;
    }
    let taken = lab.take(10).await.tasks;
    let tickets: Vec<_> = taken.iter().map(|task| (task.id, task.attempt)).collect();
    lab.publish(&tickets[..3], NONE).await;
    lab.publish(&tickets[3..], NONE).await;
    let slips = async || {
        let swept = lab.sweep(calm()).await;
        swept
            .overdue
            .first()
            .map_or((0, 0), |overdue| (overdue.tasks, overdue.slips))
    };
    assert_eq!(slips().await, (7, 2));
    lab.start(tickets[0].0).await;
    assert_eq!(slips().await, (6, 2));
    lab.start(tickets[1].0).await;
    lab.cancel(tickets[2].0).await;
    assert_eq!(slips().await, (4, 1), "the first slip is spent");
    for (id, _) in &tickets[3..6] {
        lab.start(*id).await;
    }
    assert_eq!(slips().await, (1, 1));
    lab.start(tickets[6].0).await;
    assert_eq!(slips().await, (0, 0));
}

/// Paused and stopped: nothing is taken. Resumed: everything is.
pub async fn nothing_is_taken_while_paused(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a")).await;
    for mode in [Mode::Paused, Mode::Stopped] {
        lab.mode(mode).await;
        let taken = lab.take(5).await;
        assert_eq!((taken.tasks.len(), taken.more), (0, false));
    }
    lab.mode(Mode::Running).await;
    assert_eq!(lab.take(5).await.tasks[0].id, id);
}

/// A ready task whose time ran out is failed by the take, and what comes behind it is taken.
pub async fn an_expired_task_is_not_taken(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let old = lab.submit(Ask::of("t.a").expiring(now())).await;
    let good = lab.submit(Ask::of("t.a").expiring(now().after(LONG))).await;
    let taken = lab.take(1).await;
    assert_eq!(
        taken.tasks.iter().map(|task| task.id).collect::<Vec<_>>(),
        [good]
    );
    let view = lab.view(old).await;
    assert_eq!(view.error.map(|error| error.code.as_str()), Some("expired"));
}

/// A queue full of expired tasks is worked off by many takes, not by one that holds up everybody.
pub async fn a_take_sets_only_so_many_aside(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let old = (0..1000).map(|_| lab.task(Ask::of("t.a").expiring(now())));
    let plan = lab.plan(old.collect());
    lab.store.submit(plan).await.expect("submit");
    let good = lab.submit(Ask::of("t.a")).await;
    let mut rounds = 0;
    let taken = loop {
        let taken = lab.take(1).await;
        rounds += 1;
        if !taken.tasks.is_empty() {
            break taken;
        }
        assert!(taken.more, "there is a good one behind them");
        assert!(rounds < 1000, "as if each were looked at by itself");
    };
    assert!(rounds > 1, "a thousand tasks in one transaction");
    assert_eq!(taken.tasks[0].id, good);
}

/// A type's decayed mean run time travels with its slips, and so do trace, correlation and size.
pub async fn the_learned_run_time_travels(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let first = lab.submit(Ask::of("t.a")).await;
    let before = lab.take(1).await.tasks.remove(0);
    assert_eq!(before.expected_run, None);
    let view = lab.view(first).await;
    assert_eq!(
        (before.correlation_id, before.traceparent),
        (view.spec.correlation_id, view.spec.traceparent)
    );
    let input = Ask::of("t.a").input.len() as u64;
    assert_eq!((before.input_bytes, before.attempt), (input, 1));
    lab.run(first).await;
    lab.submit(Ask::of("t.a")).await;
    lab.submit(Ask::of("t.b")).await;
    for task in lab.take(2).await.tasks {
        let learned =
            (task.route.workflow_type.as_str() == "t.a").then_some(Duration::from_millis(5));
        assert_eq!(task.expected_run, learned, "{}", task.route);
    }
}
