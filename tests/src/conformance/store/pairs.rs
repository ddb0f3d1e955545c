//! Every state, every event: what the verbs do is what the table says.
//!
//! A task is brought into the state by verbs, the event is raised by the verb that raises it, and the state after it
//! is compared. Where the table says `Illegal`, no verb can raise the event; the verb that would is asked all the same,
//! and must change nothing. One pair cannot be reached from outside: `HeldEarly` on a task that may start, because a
//! task whose time has not come is scheduled, never ready.

use std::time::Duration;

use shared::{
    model::{Stamp, TaskEvent, TaskId, TaskState, To},
    store::verbs::{Mode, Outcome, RunRef, Sweep},
};

use super::{
    Backend,
    lab::{Ask, LONG, Lab, NONE, calm, failure, fatal, later, now, open_windows},
};

use TaskEvent as E;
use TaskState as S;

/// A task in some state, and what is needed to raise events on it.
struct Subject {
    id: TaskId,
    parent: TaskId,
    /// The parent's run; it is still open if the subject waits for it.
    parent_run: RunRef,
    /// The subject's latest run, or one that never was.
    run: RunRef,
}

/// Walks all pairs.
pub async fn every_pair_follows_the_table(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    for state in S::ALL {
        for event in E::ALL {
            let unreachable =
                event == E::HeldEarly && matches!(state, S::Ready | S::Taken | S::Queued);
            if event == E::Expired || unreachable {
                continue;
            }
            let subject = reach(&lab, state, event, None).await;
            assert_eq!(lab.state(subject.id).await, state, "before {event:?}");
            raise(&lab, &subject, event).await;
            compare(&lab, &subject, state, event).await;
            clear(&lab, &subject).await;
        }
    }
    expiry(&lab).await;
}

async fn compare(lab: &Lab, subject: &Subject, state: TaskState, event: TaskEvent) {
    let wanted = match state.on(&event) {
        To::State(next) => next,
        To::Stale | To::Illegal => state,
    };
    assert_eq!(
        lab.state(subject.id).await,
        wanted,
        "{event:?} on {state:?}"
    );
}

/// Expiry on every state at once, because time must pass: all expire together, and are looked at when one that waits
/// has. The states come in an order in which reaching one does not move another.
async fn expiry(lab: &Lab) {
    const ORDER: [TaskState; 9] = [
        S::Waiting,
        S::Scheduled,
        S::Running,
        S::Completed,
        S::Failed,
        S::Cancelled,
        S::Queued,
        S::Taken,
        S::Ready,
    ];
    let at = now().after(Duration::from_secs(4));
    let mut subjects = Vec::new();
    for state in ORDER {
        subjects.push((state, reach(lab, state, E::Expired, Some(at)).await));
    }
    for (state, subject) in &subjects {
        assert_eq!(lab.state(subject.id).await, *state, "before expiry");
    }
    let canary = lab
        .submit(Ask::of("t.canary").expiring(at).not_before(later()))
        .await;
    lab.sweep_until("the canary to expire", async |lab| {
        lab.state(canary).await == S::Failed
    })
    .await;
    lab.sweep(calm()).await;
    for (state, subject) in &subjects {
        compare(lab, subject, *state, E::Expired).await;
    }
}

/// Brings a new task into a state, such that the event can be raised.
async fn reach(lab: &Lab, state: TaskState, event: TaskEvent, expiry: Option<Stamp>) -> Subject {
    let parent = lab.submit(Ask::of("t.parent")).await;
    let parent_run = lab.start(parent).await;
    let early = state == S::Waiting && event == E::UnblockedEarly;
    let mut ask = Ask::of("t.a").after(&[parent]).attempts(3);
    ask.spec.expires_at = expiry;
    ask.spec.run_at = early.then(later);
    let id = lab.submit(ask).await;
    let mut subject = Subject {
        id,
        parent,
        parent_run,
        run: RunRef {
            task: id,
            token: lab.nonce(),
        },
    };
    let blocked = event == E::RetriedBlocked;
    match state {
        S::Waiting => return subject,
        S::Cancelled if blocked => {
            lab.cancel(id).await;
            return subject;
        }
        S::Failed if blocked => {
            // Only expiry fails a task that waits: another task, with its time over from the start.
            let ask = Ask::of("t.a").after(&[parent]).expiring(now());
            subject.id = lab.submit(ask).await;
            lab.cancel(id).await;
            lab.sweep(calm()).await;
            return subject;
        }
        _ => {
            lab.complete(&subject.parent_run).await;
        }
    }
    advance(lab, &mut subject, state, event).await;
    subject
}

/// From ready to the state that is wanted.
async fn advance(lab: &Lab, subject: &mut Subject, state: TaskState, event: TaskEvent) {
    let id = subject.id;
    let lapse = |wanted| if event == wanted { NONE } else { LONG };
    match state {
        S::Waiting | S::Ready => {}
        S::Taken => {
            lab.take_within(1000, open_windows(), lapse(E::TakeLapsed))
                .await;
        }
        S::Queued => {
            lab.dispatch(LONG).await;
        }
        S::Scheduled => {
            subject.run = lab.start(id).await;
            let delay = if event == E::Due { NONE } else { LONG };
            lab.fail(&subject.run, failure("once"), delay).await;
        }
        S::Running => {
            if event == E::LapsedOut {
                lab.start_for(id, NONE).await;
                lab.sweep(calm()).await;
            }
            let lapses = matches!(event, E::Lapsed | E::LapsedOut);
            subject.run = lab.start_for(id, if lapses { NONE } else { LONG }).await;
        }
        S::Completed | S::Failed | S::Cancelled => {
            subject.run = lab.start(id).await;
            match state {
                S::Completed => lab.complete(&subject.run).await,
                S::Failed => lab.fail(&subject.run, fatal(), NONE).await,
                _ => lab.finish(&subject.run, Outcome::Cancelled).await,
            };
        }
    }
}

async fn raise(lab: &Lab, subject: &Subject, event: TaskEvent) {
    let (id, run) = (subject.id, &subject.run);
    match event {
        E::Unblocked | E::UnblockedEarly => {
            lab.complete(&subject.parent_run).await;
        }
        E::ParentFailed => {
            lab.fail(&subject.parent_run, fatal(), NONE).await;
        }
        E::Due | E::TakeLapsed | E::Lapsed => {
            lab.sweep(calm()).await;
        }
        E::LapsedOut => {
            lab.sweep(Sweep {
                lapse_cap: 1,
                ..calm()
            })
            .await;
        }
        E::Taken => {
            lab.take(1000).await;
        }
        E::Published => {
            let attempt = lab.view(id).await.attempt + 1;
            lab.publish(&[(id, attempt)], LONG).await;
        }
        E::Requeued => {
            lab.requeue("t.a", 1000, None).await;
        }
        E::Claimed | E::HeldEarly | E::HeldPaused => {
            let held = event == E::HeldPaused;
            lab.mode(if held { Mode::Paused } else { Mode::Running })
                .await;
            let attempt = lab.view(id).await.attempt + 1;
            lab.claim(id, attempt, lab.nonce(), LONG).await;
            lab.mode(Mode::Running).await;
        }
        E::SetAside => {
            let attempt = lab.view(id).await.attempt + 1;
            lab.set_aside(id, attempt, LONG).await;
        }
        E::Renewed => {
            lab.renew(run, LONG).await;
        }
        E::Succeeded => {
            lab.complete(run).await;
        }
        E::FailedForNow => {
            lab.fail(run, failure("again"), LONG).await;
        }
        E::FailedForGood => {
            lab.fail(run, fatal(), LONG).await;
        }
        E::Stopped => {
            lab.finish(run, Outcome::Cancelled).await;
        }
        E::Released => {
            lab.release(run).await;
        }
        E::CancelAsked => {
            lab.cancel(id).await;
        }
        E::Expired => unreachable!("raised by the passing of time"),
        E::Retried | E::RetriedBlocked => {
            lab.retry(id).await;
        }
    }
}

/// Ends what is left of a subject, so that it does not disturb the next pair.
async fn clear(lab: &Lab, subject: &Subject) {
    lab.complete(&subject.parent_run).await;
    for id in [subject.id, subject.parent] {
        lab.cancel(id).await;
    }
}
