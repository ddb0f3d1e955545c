//! The life of a task: one total function.
//!
//! ```text
//!            unblocked                taken            published          claimed
//! waiting ─────────────▶ ready ───────────────▶ taken ───────────▶ queued ─────────▶ running ──▶ completed
//!    │                   ▲ ▲ ▲                    │                   │                │ │ │ └──▶ failed
//!    │ unblocked early   │ │ └──── take lapsed ───┘                   │                │ │ └────▶ cancelled
//!    └──────▶ scheduled ─┘ └──────────── requeued ────────────────────┘                │ │
//!                 ▲    due └──────────────────── released, lapsed ─────────────────────┘ │
//!                 └───────────────────────────── failed, to be tried again ──────────────┘
//! ```
//!
//! A task that is ready, taken or queued and does not fit on the worker that was
//! to run it is set aside: scheduled, to be offered again.
//!
//! Every state before `running` also ends by cancel (cancelled) or expiry
//! (failed); `retry` leads from failed or cancelled back to ready or waiting.
//! Removing a final task is not a transition: [`TaskState`]'s variants say
//! when it happens.
//!
//! Invariant: every backend of the store implements exactly [`TaskState::on`];
//! the conformance suite walks every pair on each.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a task is in its life, as the store sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// Has unfinished parents. In by submit or retry; out when the last parent
    /// settles (inside finish), by cancel or expiry. A crash changes nothing.
    Waiting,
    /// Waits for its time: `run_at`, or the delay after a failure or after it
    /// was set aside. Out by the
    /// sweep. A crash changes nothing.
    Scheduled,
    /// May start. Out by `take_ready`, or by a claim through an older slip.
    Ready,
    /// A dispatcher is publishing it. If that one crashes, the take's deadline
    /// lapses and the task is ready again.
    Taken,
    /// Its slip is in the broker. Out by a claim; if the slip is lost, the
    /// re-publish deadline makes it ready again.
    Queued,
    /// A worker holds its lease. If that worker dies, the lease lapses and the
    /// task is ready again.
    Running,
    /// Has a result. Reaped after the retention time, once its dependents are
    /// gone.
    Completed,
    /// Has an error. Reaped like `Completed`; `retry` revives it.
    Failed,
    /// Was called off. Reaped like `Completed`; `retry` revives it.
    Cancelled,
}

/// What happens to a task.
///
/// Two kinds: those that arrive by message and may come late or twice, which
/// are [`To::Stale`] where they no longer apply; and those that the store
/// raises itself from its own indexes, which are [`To::Illegal`] where they
/// could only come from a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskEvent {
    /// The last parent settled and the task is due.
    Unblocked,
    /// The last parent settled and `run_at` is still to come.
    UnblockedEarly,
    /// A parent failed and the task depends on its success.
    ParentFailed,
    /// Its time has come (raised by the sweep).
    Due,
    /// A dispatcher took it from the ready set (raised by `take_ready`).
    Taken,
    /// The dispatcher's deadline passed without `published` (sweep).
    TakeLapsed,
    /// The broker confirmed its slip.
    Published,
    /// Its slip is believed lost.
    Requeued,
    /// A worker claims it and every check passes.
    Claimed,
    /// A worker claims it while nothing may start.
    HeldPaused,
    /// A worker claims it before its time.
    HeldEarly,
    /// A worker that was to run it has no room for it.
    SetAside,
    /// The holder renews its lease.
    Renewed,
    /// The holder reports success.
    Succeeded,
    /// The holder reports a failure that is to be tried again.
    FailedForNow,
    /// The holder reports a failure for good.
    FailedForGood,
    /// The holder reports that it stopped, or reports any end but success
    /// while a cancel is pending.
    Stopped,
    /// The holder gives it back, unfinished.
    Released,
    /// Its lease ran out (sweep).
    Lapsed,
    /// Its lease ran out once too often (sweep).
    LapsedOut,
    /// Someone asks to cancel it.
    CancelAsked,
    /// `expires_at` passed before it started.
    Expired,
    /// Someone asks to retry it and its parents allow it to start.
    Retried,
    /// Someone asks to retry it, or one of its parents was retried, and a
    /// parent is unfinished.
    RetriedBlocked,
}

/// The answer of [`TaskState::on`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum To {
    /// The task moves to (or stays in) this state.
    State(TaskState),
    /// Ordinary: the news is late or repeated. Nothing changes.
    Stale,
    /// A bug: nothing in the design can raise this event here.
    Illegal,
}

impl TaskEvent {
    /// Every event.
    pub const ALL: [Self; 24] = [
        Self::Unblocked,
        Self::UnblockedEarly,
        Self::ParentFailed,
        Self::Due,
        Self::Taken,
        Self::TakeLapsed,
        Self::Published,
        Self::Requeued,
        Self::Claimed,
        Self::HeldPaused,
        Self::HeldEarly,
        Self::SetAside,
        Self::Renewed,
        Self::Succeeded,
        Self::FailedForNow,
        Self::FailedForGood,
        Self::Stopped,
        Self::Released,
        Self::Lapsed,
        Self::LapsedOut,
        Self::CancelAsked,
        Self::Expired,
        Self::Retried,
        Self::RetriedBlocked,
    ];
}

impl TaskState {
    /// Every state, in the order of an ordinary life.
    pub const ALL: [Self; 9] = [
        Self::Waiting,
        Self::Scheduled,
        Self::Ready,
        Self::Taken,
        Self::Queued,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// What `event` does to a task in this state. Total: every pair has an
    /// answer.
    #[expect(
        clippy::match_same_arms,
        reason = "a table: one transition a line, in the order of a life"
    )]
    pub const fn on(self, event: &TaskEvent) -> To {
        use TaskEvent as E;
        use TaskState as S;
        match (self, event) {
            (S::Waiting, E::Unblocked) => To::State(S::Ready),
            (S::Waiting, E::UnblockedEarly) => To::State(S::Scheduled),
            (S::Waiting, E::ParentFailed) => To::State(S::Cancelled),

            (S::Scheduled, E::Due) => To::State(S::Ready),
            (S::Ready, E::Taken) => To::State(S::Taken),
            (S::Taken, E::TakeLapsed) => To::State(S::Ready),
            (S::Taken, E::Published) => To::State(S::Queued),
            (S::Queued, E::Requeued) => To::State(S::Ready),

            (S::Ready | S::Taken | S::Queued, E::Claimed) => To::State(S::Running),
            (S::Ready | S::Taken | S::Queued, E::HeldPaused) => To::State(S::Ready),
            (S::Ready | S::Taken | S::Queued, E::HeldEarly) => To::State(S::Scheduled),
            (S::Ready | S::Taken | S::Queued, E::SetAside) => To::State(S::Scheduled),

            (S::Running, E::Renewed | E::CancelAsked) => To::State(S::Running),
            (S::Running, E::Succeeded) => To::State(S::Completed),
            (S::Running, E::FailedForNow) => To::State(S::Scheduled),
            (S::Running, E::FailedForGood | E::LapsedOut) => To::State(S::Failed),
            (S::Running, E::Stopped) => To::State(S::Cancelled),
            (S::Running, E::Released | E::Lapsed) => To::State(S::Ready),

            (S::Waiting | S::Scheduled | S::Ready | S::Taken | S::Queued, E::CancelAsked) => {
                To::State(S::Cancelled)
            }
            (S::Waiting | S::Scheduled | S::Ready | S::Taken | S::Queued, E::Expired) => {
                To::State(S::Failed)
            }

            (S::Failed | S::Cancelled, E::Retried) => To::State(S::Ready),
            (S::Failed | S::Cancelled, E::RetriedBlocked) => To::State(S::Waiting),

            (_, E::Due | E::Taken | E::TakeLapsed | E::Lapsed | E::LapsedOut) => To::Illegal,
            _ => To::Stale,
        }
    }

    /// The public status that this state shows as.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Waiting | Self::Scheduled | Self::Ready | Self::Taken | Self::Queued => {
                Status::Pending
            }
            Self::Running => Status::Running,
            Self::Completed => Status::Completed,
            Self::Failed => Status::Failed,
            Self::Cancelled => Status::Cancelled,
        }
    }

    /// Whether the task has ended (though `retry` may revive it).
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// One letter, for compact storage: `W S R T Q X C F K` in order of
    /// [`TaskState::ALL`].
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Waiting => 'W',
            Self::Scheduled => 'S',
            Self::Ready => 'R',
            Self::Taken => 'T',
            Self::Queued => 'Q',
            Self::Running => 'X',
            Self::Completed => 'C',
            Self::Failed => 'F',
            Self::Cancelled => 'K',
        }
    }

    /// The state with this letter.
    #[must_use]
    pub fn from_letter(letter: char) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.letter() == letter)
    }
}

/// What the API shows of a task's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Accepted, not running; `waiting_on` says why.
    Pending,
    /// On a worker.
    Running,
    /// Has a result.
    Completed,
    /// Has an error.
    Failed,
    /// Was called off.
    Cancelled,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The status as it stands in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_final_task_moves_only_by_retry() {
        for state in TaskState::ALL.into_iter().filter(|s| s.is_final()) {
            for event in TaskEvent::ALL {
                let moved = matches!(state.on(&event), To::State(_));
                let retry = matches!(event, TaskEvent::Retried | TaskEvent::RetriedBlocked);
                assert_eq!(
                    moved,
                    retry && state != TaskState::Completed,
                    "{state:?} {event:?}"
                );
            }
        }
    }

    #[test]
    fn every_unfinished_state_can_reach_an_end() {
        for start in TaskState::ALL {
            let mut seen = vec![start];
            let mut at = 0;
            while at < seen.len() {
                for event in TaskEvent::ALL {
                    if let To::State(next) = seen[at].on(&event)
                        && !seen.contains(&next)
                    {
                        seen.push(next);
                    }
                }
                at += 1;
            }
            assert!(seen.iter().any(|s| s.is_final()), "{start:?}");
        }
    }

    #[test]
    fn only_a_running_task_can_succeed() {
        for state in TaskState::ALL {
            let done = state.on(&TaskEvent::Succeeded) == To::State(TaskState::Completed);
            assert_eq!(done, state == TaskState::Running);
        }
    }

    #[test]
    fn letters_are_distinct_and_come_back() {
        for state in TaskState::ALL {
            assert_eq!(TaskState::from_letter(state.letter()), Some(state));
        }
    }
}
