//! What Redis keeps for many tasks at once: bands of tasks under one deadline,
//! and the list of ended tasks. They must come apart one task at a time, and
//! leave nothing behind.

use std::time::Duration;

use super::{Fleet, Server};
use crate::{
    model::{ErrorCode, TaskError, TaskState, TenantId},
    store::{
        Store,
        verbs::{ClaimTicket, Outcome, Renew, Renewal, Retry, RetryOutcome, RunRef},
    },
};

/// Keys of this pattern.
async fn keys(fleet: &Fleet, pattern: &str) -> usize {
    let mut ask = redis::cmd("KEYS");
    ask.arg(pattern);
    match fleet.store.link.command(&ask).await.unwrap() {
        redis::Value::Array(found) => found.len(),
        other => panic!("{other:?}"),
    }
}

/// Submits so many tasks and claims them in one call, under leases that have
/// run out.
async fn lapsing_runs(fleet: &mut Fleet, n: usize) -> Vec<RunRef> {
    let tasks = (0..n).map(|_| fleet.task(|_| {})).collect();
    fleet.submit(tasks).await;
    let tickets: Vec<_> = fleet.take(1000).await.tasks;
    let tickets: Vec<_> = tickets
        .iter()
        .map(|task| ClaimTicket {
            task: task.id,
            attempt: task.attempt,
            token: fleet.nonce(),
        })
        .collect();
    let claim = fleet.claim_of(tickets.clone(), Duration::ZERO);
    fleet.store.claim(claim).await.unwrap();
    let runs = tickets.iter().map(|ticket| RunRef {
        task: ticket.task,
        token: ticket.token,
    });
    runs.collect()
}

#[tokio::test]
async fn a_band_comes_apart_and_leaves_nothing() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut fleet = Fleet::new(server.store().await);
    let runs = lapsing_runs(&mut fleet, 5).await;
    assert_eq!(
        keys(&fleet, "*taken*").await,
        0,
        "the claim emptied the take"
    );
    assert_eq!(keys(&fleet, "*leases*").await, 3, "deadline, ids and count");

    fleet.succeed(&runs[0]).await;
    let renew = Renew {
        lease: super::server::HOUR,
        runs: vec![(runs[1].clone(), None)],
    };
    let renewed = fleet.store.renew(renew).await.unwrap();
    assert_eq!(renewed, [Renewal::Kept]);

    for left in [true, true, true, false] {
        let swept = fleet.sweep(|sweep| sweep.limit = 1).await;
        assert_eq!((swept.leases_lapsed, swept.more), (left.into(), left));
    }
    assert_eq!(fleet.view(runs[1].task).await.state, TaskState::Running);
    assert_eq!(fleet.view(runs[2].task).await.state, TaskState::Ready);
    assert_eq!(keys(&fleet, "*leases*").await, 1, "the renewed one's");
    fleet.succeed(&runs[1]).await;
    assert_eq!(keys(&fleet, "*leases*").await, 0);
}

#[tokio::test]
async fn the_reaper_passes_over_what_was_retried_and_stops_at_its_limit() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut fleet = Fleet::new(server.store().await);
    let runs = lapsing_runs(&mut fleet, 3).await;
    let error = TaskError::new(ErrorCode::InvalidInput, "no");
    let failed = Outcome::Failed {
        error,
        retry_in: Duration::ZERO,
    };
    fleet.end(&runs[0], failed).await;
    let retry = Retry {
        tenant: TenantId::default(),
        ids: vec![runs[0].task],
    };
    let retried = fleet.store.retry(retry).await.unwrap();
    assert!(matches!(retried[..], [RetryOutcome::Revived { .. }]));
    for run in &runs[1..] {
        fleet.succeed(run).await;
    }

    let reap = async |limit| {
        let swept = fleet.sweep(|sweep| {
            (sweep.retention, sweep.limit) = (Duration::ZERO, limit);
        });
        swept.await.reaped
    };
    let reaped = [reap(1).await, reap(1).await, reap(1).await, reap(1).await];
    assert_eq!(reaped, [0, 1, 1, 0]);
    assert_eq!(fleet.view(runs[0].task).await.state, TaskState::Ready);

    let again = fleet.start().await;
    fleet.succeed(&again[0]).await;
    let swept = fleet.sweep(|sweep| sweep.retention = Duration::ZERO).await;
    assert_eq!(swept.reaped, 1);
    for pattern in ["*}:t", "*}:p", "*}:r", "*}:a:*", "*}:final"] {
        assert_eq!(keys(&fleet, pattern).await, 0, "{pattern}");
    }
}
