//! Tasks that do not fit on the worker that was to run them.

use std::time::Duration;

use shared::{
    model::{
        TaskId, TaskState, WaitingOn,
        waiting::{Staff, Surroundings},
    },
    store::verbs::{Aside, CancelOutcome, Claimed, Mode},
};

use super::{
    Backend,
    lab::{Ask, LONG, Lab, NONE, calm, failure, now},
};

const FREE: Surroundings = Surroundings {
    paused: false,
    staff: Staff::Ready,
};

async fn waiting_on(lab: &Lab, id: TaskId) -> Option<WaitingOn> {
    WaitingOn::first(&lab.view(id).await, FREE)
}

/// From wherever its ticket is found, the task is scheduled; its attempt is still to come and its failures are what they
/// were.
pub async fn a_task_that_does_not_fit_is_set_aside(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let ready = lab.submit(Ask::of("t.a").attempts(2)).await;
    assert_eq!(lab.view(ready).await.too_large, None);
    assert!(lab.set_aside(ready, 1, LONG).await, "ready");
    let queued = lab.submit(Ask::of("t.a")).await;
    lab.dispatch(LONG).await;
    let taken = lab.submit(Ask::of("t.a")).await;
    lab.take(10).await;
    for id in [taken, queued] {
        assert!(lab.set_aside(id, 1, LONG).await, "queued, taken");
    }
    for id in [ready, taken, queued] {
        let view = lab.view(id).await;
        assert_eq!(view.state, TaskState::Scheduled);
        assert_eq!((view.attempt, view.failures), (0, 0));
        assert_eq!((view.too_large, view.asides), (Some(1 << 33), 1));
        assert_eq!(waiting_on(&lab, id).await, Some(WaitingOn::TooLarge));
        assert!(view.attempts.is_empty());
    }
    // Nothing of it is left where it was.
    assert!(lab.take(10).await.tasks.is_empty());
    let swept = lab.sweep(calm()).await;
    assert_eq!((swept.due, swept.overdue.len()), (0, 0));
    assert!(swept.next_due.expect("they are due") <= Aside::LONGEST);
    assert_eq!(lab.cancel(taken).await, CancelOutcome::Cancelled);
}

/// Asked again, it is set aside once; a ticket of another attempt, or of a task that does not wait, sets nothing aside.
pub async fn a_late_word_sets_nothing_aside(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a").attempts(3)).await;
    assert!(!lab.set_aside(id, 0, LONG).await, "a run before");
    assert!(!lab.set_aside(id, 2, LONG).await, "a run to come");
    assert_eq!(lab.state(id).await, TaskState::Ready);
    let run = lab.start(id).await;
    for attempt in [1, 2] {
        assert!(!lab.set_aside(id, attempt, LONG).await, "it runs");
    }
    lab.fail(&run, failure("again"), LONG).await;
    assert!(!lab.set_aside(id, 2, LONG).await, "it waits for its retry");
    assert_eq!(waiting_on(&lab, id).await, Some(WaitingOn::Retry));
    assert_eq!(lab.view(id).await.asides, 0);

    let other = lab.submit(Ask::of("t.a")).await;
    for _ in 0..3 {
        assert!(lab.set_aside(other, 1, LONG).await);
    }
    assert_eq!(lab.view(other).await.asides, 1);
    assert!(!lab.set_aside(other, 2, LONG).await);
    assert_eq!(
        lab.claim(other, 1, lab.nonce(), LONG).await,
        Claimed::Stale,
        "through another slip"
    );
    assert!(!lab.set_aside(lab.id(), 1, LONG).await, "no such task");
    lab.cancel(other).await;
    assert!(!lab.set_aside(other, 1, LONG).await, "it has ended");
}

/// The delay doubles each time up to its bound, by the store's clock, and begins anew when the task has started.
pub async fn each_time_takes_twice_as_long(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let id = lab.submit(Ask::of("t.a")).await;
    let again = async || {
        lab.set_aside(id, 1, NONE).await;
        assert_eq!(lab.sweep(calm()).await.due, 1);
        assert_eq!(lab.state(id).await, TaskState::Ready);
        lab.view(id).await.asides
    };
    assert_eq!((again().await, again().await), (1, 2));
    assert_eq!(waiting_on(&lab, id).await, Some(WaitingOn::Queue));
    let minute = Duration::from_mins(1);
    let before = now();
    assert!(lab.set_aside(id, 1, minute).await);
    let after = now();
    let due = lab.view(id).await.due_at.expect("it is due");
    let least = before.after(minute * 4);
    assert!((least..=after.after(minute * 4)).contains(&due), "{due}");

    // The third time was the last before the bound.
    let other = lab.submit(Ask::of("t.a")).await;
    let before = now();
    assert!(lab.set_aside(other, 1, LONG).await);
    let due = lab.view(other).await.due_at.expect("it is due");
    assert!((before.after(Aside::LONGEST)..=now().after(Aside::LONGEST)).contains(&due));

    let run = lab.start_anew(lab.submit(Ask::of("t.a")).await).await;
    let view = lab.view(run.task).await;
    assert_eq!((view.too_large, view.asides), (None, 0));
    assert!(lab.release(&run).await);
    assert!(lab.set_aside(run.task, 2, NONE).await);
    assert_eq!(lab.view(run.task).await.asides, 1);
}

impl Lab {
    /// Sets a task aside, brings it back and starts it.
    async fn start_anew(&self, id: TaskId) -> shared::store::verbs::RunRef {
        assert!(self.set_aside(id, 1, NONE).await);
        assert_eq!(self.sweep(calm()).await.due, 1);
        self.start(id).await
    }
}

/// A task that was set aside expires, is called off and is retried as any other; a retry forgets that it was too large.
pub async fn a_task_set_aside_lives_on(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let soon = now().after(Duration::from_millis(300));
    let expiring = lab.submit(Ask::of("t.a").expiring(soon)).await;
    assert!(lab.set_aside(expiring, 1, LONG).await);
    lab.sweep_until("it to expire", async |lab| {
        lab.state(expiring).await == TaskState::Failed
    })
    .await;
    lab.retry(expiring).await;
    let view = lab.view(expiring).await;
    assert_eq!((view.too_large, view.asides), (None, 0));

    // While nothing may start it waits like everything else.
    lab.mode(Mode::Paused).await;
    let paused = lab.submit(Ask::of("t.a")).await;
    assert!(lab.set_aside(paused, 1, NONE).await);
    lab.mode(Mode::Running).await;
    lab.sweep(calm()).await;
    lab.run(paused).await;
    let parent = lab.submit(Ask::of("t.a")).await;
    let child = lab.submit(Ask::of("t.a").after(&[parent])).await;
    assert!(
        !lab.set_aside(child, 1, NONE).await,
        "it waits for its parent"
    );
    assert!(lab.set_aside(parent, 1, NONE).await);
    lab.sweep(calm()).await;
    lab.run(parent).await;
    lab.run(child).await;
}
