//! Cancels: pending tasks at once, running ones by asking.

use shared::{
    model::TaskState,
    store::verbs::{CancelOutcome, Finished, Outcome, Renewal},
};

use super::{
    Backend,
    lab::{Ask, LONG, Lab, NONE, calm, failure, later},
};

/// Every kind of pending task ends at once; final and unknown ones are told apart.
pub async fn a_pending_cancel_ends_at_once(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let queued = lab.submit(Ask::of("t.a")).await;
    lab.dispatch(LONG).await;
    let taken = lab.submit(Ask::of("t.a")).await;
    lab.take(1).await;
    let ready = lab.submit(Ask::of("t.a")).await;
    let waiting = lab.submit(Ask::of("t.a").after(&[ready])).await;
    let scheduled = lab.submit(Ask::of("t.a").not_before(later())).await;
    for id in [waiting, queued, taken, ready, scheduled] {
        assert_eq!(lab.cancel(id).await, CancelOutcome::Cancelled);
        let view = lab.view(id).await;
        let error = view.error.expect("a cancelled task says why");
        assert_eq!(
            (view.state, error.code.as_str()),
            (TaskState::Cancelled, "cancelled")
        );
        assert_eq!(error.message, "not needed");
        assert!(view.finished_at.is_some() && view.due_at.is_none());
        assert_eq!(
            lab.cancel(id).await,
            CancelOutcome::WrongState(TaskState::Cancelled)
        );
    }
    assert_eq!(lab.cancel(lab.id()).await, CancelOutcome::Unknown);
    assert_eq!(lab.take(10).await.tasks, []);
}

/// A success that commits first wins; the cancel is forgotten.
pub async fn success_beats_cancel(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a")).await;
    let run = lab.start(id).await;
    assert_eq!(lab.cancel(id).await, CancelOutcome::Requested);
    assert_eq!(lab.cancel(id).await, CancelOutcome::Requested);
    assert!(lab.view(id).await.cancel_requested);
    assert_eq!(
        lab.complete(&run).await,
        Finished::Committed(TaskState::Completed)
    );
    let view = lab.view(id).await;
    assert_eq!(
        (view.state, view.cancel_requested, view.error),
        (TaskState::Completed, false, None)
    );
    assert_eq!(
        lab.cancel(id).await,
        CancelOutcome::WrongState(TaskState::Completed)
    );
}

/// Failure (also one that could be retried), stop, release and lapse under a pending cancel all end as cancelled.
pub async fn any_other_end_becomes_cancelled(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    for end in ["failed", "stopped", "released", "lapsed"] {
        let id = lab.submit(Ask::of("t.a").attempts(5)).await;
        let child = lab.submit(Ask::of("t.a").after(&[id])).await;
        let run = lab
            .start_for(id, if end == "lapsed" { NONE } else { LONG })
            .await;
        assert_eq!(lab.cancel(id).await, CancelOutcome::Requested);
        match end {
            "failed" => {
                lab.fail(&run, failure("retryable"), NONE).await;
            }
            "stopped" => {
                lab.finish(&run, Outcome::Cancelled).await;
            }
            "released" => assert!(lab.release(&run).await),
            _ => assert_eq!(lab.sweep(calm()).await.leases_lapsed, 1),
        }
        let view = lab.view(id).await;
        let error = view.error.unwrap_or_else(|| panic!("{end}: no error"));
        assert_eq!(
            (view.state, error.code.as_str()),
            (TaskState::Cancelled, "cancelled"),
            "{end}"
        );
        assert_eq!(error.message, "not needed", "{end}");
        assert_eq!(
            (view.attempts.len(), view.cancel_requested),
            (1, false),
            "{end}"
        );
        assert_eq!(lab.state(child).await, TaskState::Cancelled, "{end}");
        let again = lab.finish(&run, Outcome::Cancelled).await;
        let reported = matches!(end, "failed" | "stopped");
        let wanted = if reported {
            Finished::Committed(TaskState::Cancelled)
        } else {
            Finished::Stale
        };
        assert_eq!(again, wanted, "{end}");
    }
    let unasked = lab.submit(Ask::of("t.a")).await;
    let run = lab.start(unasked).await;
    assert_eq!(
        lab.finish(&run, Outcome::Cancelled).await,
        Finished::Committed(TaskState::Cancelled)
    );
    let error = lab.view(unasked).await.error.expect("it says why");
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("cancelled", "cancelled")
    );
}

/// The worker hears of the cancel at its next renewal; after a retry the cancel is forgotten.
pub async fn a_cancel_is_heard_at_the_renewal(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a")).await;
    let run = lab.start(id).await;
    assert_eq!(lab.renew(&run, LONG).await, Renewal::Kept);
    lab.cancel(id).await;
    assert_eq!(lab.renew(&run, LONG).await, Renewal::CancelAsked);
    lab.finish(&run, Outcome::Cancelled).await;
    lab.retry(id).await;
    let run = lab.start(id).await;
    assert_eq!(lab.renew(&run, LONG).await, Renewal::Kept);
    assert!(!lab.view(id).await.cancel_requested);
}
