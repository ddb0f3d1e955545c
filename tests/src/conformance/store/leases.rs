//! Leases: they end by the sweep, are extended after an outage, and cost only those who lapse alone.

use shared::{
    model::{Progress, TaskState},
    store::verbs::{Finished, Renew, Renewal, Sweep},
};

use super::{
    Backend,
    lab::{Ask, LONG, Lab, NONE, calm, failure},
};

/// The lease ended, the sweep has not come yet: the report counts.
pub async fn a_finish_before_the_sweep_wins(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a")).await;
    let run = lab.start_for(id, NONE).await;
    assert_eq!(
        lab.complete(&run).await,
        Finished::Committed(TaskState::Completed)
    );
    assert_eq!(lab.sweep(calm()).await.leases_lapsed, 0);
    assert_eq!(lab.state(id).await, TaskState::Completed);
}

/// After the sweep the token is worth nothing.
pub async fn a_lapsed_token_is_refused(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a").attempts(1)).await;
    let run = lab.start_for(id, NONE).await;
    assert_eq!(lab.sweep(calm()).await.leases_lapsed, 1);
    let view = lab.view(id).await;
    assert_eq!(
        (view.state, view.attempt, view.failures),
        (TaskState::Ready, 1, 0)
    );
    assert_eq!(view.attempts[0].code.as_deref(), Some("worker_lost"));
    assert_eq!(lab.renew(&run, LONG).await, Renewal::Refused);
    assert_eq!(lab.complete(&run).await, Finished::Stale);
    assert!(!lab.release(&run).await);
    let other = lab.start(id).await;
    assert_eq!(
        lab.complete(&run).await,
        Finished::Stale,
        "a late worker overwrites nothing"
    );
    assert_eq!(lab.renew(&run, LONG).await, Renewal::Refused);
    assert_eq!(
        lab.complete(&other).await,
        Finished::Committed(TaskState::Completed)
    );
}

/// The first lapse only makes the task travel alone; then `lapse_cap` lapses end it. A failure in between is not one.
pub async fn only_lapses_alone_count(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a").attempts(2)).await;
    let sweep = Sweep {
        lapse_cap: 3,
        ..calm()
    };
    assert!(
        !lab.take_within(1, super::lab::open_windows(), NONE)
            .await
            .tasks[0]
            .solo
    );
    for lapse in 0..3 {
        lab.start_for(id, NONE).await;
        let swept = lab.sweep(sweep).await;
        assert_eq!(
            (swept.leases_lapsed, swept.workers_lost),
            (1, 0),
            "lapse {lapse}"
        );
        let taken = lab.take_within(1, super::lab::open_windows(), NONE).await;
        assert!(taken.tasks[0].solo, "it travels alone");
        lab.sweep(sweep).await;
    }
    let run = lab.start(id).await;
    assert_eq!(
        lab.fail(&run, failure("ordinary"), NONE).await,
        Finished::Committed(TaskState::Scheduled)
    );
    lab.sweep(sweep).await;
    lab.start_for(id, NONE).await;
    let swept = lab.sweep(sweep).await;
    assert_eq!((swept.leases_lapsed, swept.workers_lost), (0, 1));
    let view = lab.view(id).await;
    assert_eq!((view.state, view.failures), (TaskState::Failed, 1));
    assert_eq!(
        view.error.map(|error| error.code.as_str()),
        Some("worker_lost")
    );
    lab.retry(id).await;
    assert!(
        !lab.take(1).await.tasks[0].solo,
        "retry clears the suspicion"
    );
}

/// Nobody swept for a while, so nobody could renew: every lease is extended once before any lapses.
pub async fn after_an_outage_leases_are_extended(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a")).await;
    lab.sweep(calm()).await;
    let run = lab.start_for(id, NONE).await;
    let after_outage = Sweep {
        outage_after: NONE,
        lease: LONG,
        ..calm()
    };
    let swept = lab.sweep(after_outage).await;
    assert!(swept.outage, "{swept:?}");
    assert_eq!(swept.leases_lapsed, 0);
    assert_eq!(
        lab.sweep(calm()).await.leases_lapsed,
        0,
        "the lease was extended"
    );
    assert_eq!(lab.renew(&run, NONE).await, Renewal::Kept);
    let swept = lab
        .sweep(Sweep {
            lease: NONE,
            ..after_outage
        })
        .await;
    assert!(
        swept.outage,
        "no lapse in a sweep that finds an outage: {swept:?}"
    );
    assert_eq!(lab.state(id).await, TaskState::Running);
    let swept = lab.sweep(calm()).await;
    assert_eq!((swept.outage, swept.leases_lapsed), (false, 1));
}

/// A renewal moves the end of the lease and carries the progress.
pub async fn a_renewal_extends_and_stores_progress(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a")).await;
    let run = lab.start_for(id, NONE).await;
    let progress = Progress {
        fraction: 0.25,
        message: "a quarter".into(),
    };
    for news in [Some(progress.clone()), None] {
        let renew = Renew {
            lease: LONG,
            runs: vec![(run.clone(), news)],
        };
        assert_eq!(
            lab.store.renew(renew).await.expect("renew"),
            [Renewal::Kept]
        );
    }
    assert_eq!(lab.sweep(calm()).await.leases_lapsed, 0);
    assert_eq!(lab.view(id).await.progress, Some(progress.clone()));
    assert_eq!(
        lab.complete(&run).await,
        Finished::Committed(TaskState::Completed)
    );
    assert_eq!(lab.view(id).await.progress, Some(progress));
    assert_eq!(lab.renew(&run, LONG).await, Renewal::Refused);
}

/// A failed attempt waits for its delay, and no longer.
pub async fn a_retry_delay_is_waited_for(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a").attempts(3)).await;
    let run = lab.start(id).await;
    lab.fail(&run, failure("later"), LONG).await;
    let swept = lab.sweep(calm()).await;
    assert_eq!(swept.due, 0);
    let next = swept.next_due.expect("one task is scheduled");
    assert!(next <= LONG && next > LONG / 2, "{next:?}");
    let view = lab.view(id).await;
    assert_eq!(
        (view.state, view.failures, view.error),
        (TaskState::Scheduled, 1, None)
    );
    assert!(view.due_at.is_some());
    let soon = lab.submit(Ask::of("t.a").attempts(3)).await;
    let run = lab.start(soon).await;
    lab.fail(&run, failure("at once"), NONE).await;
    assert_eq!(lab.sweep(calm()).await.due, 1);
    assert_eq!(lab.state(soon).await, TaskState::Ready);
}
