//! Steps 7 to 9: claims, tasks that are too large for a worker, renewals,
//! reports, and runs that are given back.
//!
//! Invariant: plain data.

use std::time::Duration;

use crate::model::{
    AttemptToken, FileId, Json, Progress, Route, TaskError, TaskId, TaskSpec, TaskState, TenantId,
    WorkerId,
};

/// One ticket to be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimTicket {
    /// Which task.
    pub task: TaskId,
    /// The attempt that the ticket starts.
    pub attempt: u32,
    /// Drawn by the worker for this claim.
    pub token: AttemptToken,
}

/// Asks for leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who asks.
    pub worker: WorkerId,
    /// How long each lease holds without renewal.
    pub lease: Duration,
    /// The tickets, in the order in which they will run.
    pub tickets: Vec<ClaimTicket>,
}

/// Everything a worker needs to run a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Granted {
    /// Which task.
    pub task: TaskId,
    /// What was asked for.
    pub spec: TaskSpec,
    /// The input, with references by task id.
    pub input: Json,
    /// The number of this run.
    pub attempt: u32,
    /// Earlier runs that failed, since submission or the last `retry`.
    pub failures: u32,
    /// The tasks that the input reads, in the order of `spec.reads`.
    pub parents: Vec<ParentResult>,
}

/// What a dependent may read of a parent.
#[derive(Clone, Debug, PartialEq)]
pub struct ParentResult {
    /// Which task.
    pub task: TaskId,
    /// Its result; `None` unless it is completed.
    pub result: Option<Json>,
}

/// What became of one ticket.
#[derive(Clone, Debug, PartialEq)]
pub enum Claimed {
    /// The lease is held; run it.
    Granted(Box<Granted>),
    /// The lease is held, but what was asked for cannot be read: stored by a
    /// newer version, or damaged. The run is to be reported as failed, so that
    /// the task neither blocks its neighbours nor comes round for ever.
    Unreadable(String),
    /// It may not start now (paused, or not due): ready or scheduled again.
    Held,
    /// A copy of a slip that was claimed, or of a task that ended: drop it.
    Stale,
    /// The store has never heard of it, or has forgotten it: drop it.
    Unknown,
}

/// The answer of `claim`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClaimReply {
    /// One per ticket.
    pub outcomes: Vec<Claimed>,
    /// The routes that have queued work, the most urgent first.
    pub hint: Vec<Route>,
}

/// One running task, named by its token.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRef {
    /// Which task.
    pub task: TaskId,
    /// The token of the claim.
    pub token: AttemptToken,
}

/// Asks for longer leases.
#[derive(Clone, Debug, PartialEq)]
pub struct Renew {
    /// How long each lease holds from now.
    pub lease: Duration,
    /// The runs, with news of their progress if there is any.
    pub runs: Vec<(RunRef, Option<Progress>)>,
}

/// What became of one lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// It holds.
    Kept,
    /// It holds, and the task is to be stopped.
    CancelAsked,
    /// It is gone: stop the run; its report would change nothing.
    Refused,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// With this result.
    Completed(Json),
    /// With this error. If it is retryable and attempts last, the next run is
    /// due after `retry_in`.
    Failed {
        /// Why.
        error: TaskError,
        /// The delay before the next attempt, drawn from the task's policy.
        retry_in: Duration,
    },
    /// It was asked to stop, and stopped.
    Cancelled,
}

/// The report of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Which run.
    pub run: RunRef,
    /// Whose task it is.
    pub tenant: TenantId,
    /// How it ended.
    pub outcome: Outcome,
    /// How long the handler ran.
    pub ran_for: Duration,
    /// The files that a completed run made, already put: the task refers to
    /// them from now on. One that is unknown is passed over.
    pub files: Vec<FileId>,
}

/// Reports the ends of runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    /// In the order in which they ended.
    pub reports: Vec<Report>,
}

/// What became of one report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// Committed; the task is in this state. A report that was committed
    /// before gets the same answer again.
    Committed(TaskState),
    /// The token no longer holds. Nothing changed.
    Stale,
}

/// The answer of `finish`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FinishReply {
    /// One per report.
    pub outcomes: Vec<Finished>,
    /// The routes that have queued work, the most urgent first.
    pub hint: Vec<Route>,
}

/// Gives runs back.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    /// Which.
    pub runs: Vec<RunRef>,
}

/// A task that does not fit on the worker that was to run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aside {
    /// Which task.
    pub task: TaskId,
    /// The attempt that the ticket would have started.
    pub attempt: u32,
    /// The memory that it needs, in bytes.
    pub needs_bytes: u64,
    /// When it is offered again, the first time; each further time, until it
    /// starts, after twice as long.
    pub retry_in: Duration,
}

impl Aside {
    /// The longest delay: a worker with more room that starts meanwhile is
    /// used soon enough.
    pub const LONGEST: Duration = Duration::from_mins(5);

    /// The delay of a task that was set aside so often before.
    #[must_use]
    pub fn delay(&self, asides: u32) -> Duration {
        // From 2^30 microseconds on every delay is the longest.
        let factor = 1_u32 << asides.min(30);
        self.retry_in.saturating_mul(factor).min(Self::LONGEST)
    }

    /// What is stored of `needs_bytes`: what every store holds exactly.
    pub(crate) fn bytes(&self) -> u64 {
        self.needs_bytes.min((1 << 53) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_doubles_up_to_the_longest() {
        let aside = |retry_in| Aside {
            task: TaskId::from_bytes([1; 16]),
            attempt: 1,
            needs_bytes: u64::MAX,
            retry_in,
        };
        let second = aside(Duration::from_secs(1));
        let secs = [0, 1, 8, 9, 40, u32::MAX].map(|n| second.delay(n).as_secs());
        assert_eq!(secs, [1, 2, 256, 300, 300, 300]);
        let least = aside(Duration::from_micros(1));
        assert_eq!(least.delay(u32::MAX), Aside::LONGEST);
        assert_eq!(aside(Duration::ZERO).delay(5), Duration::ZERO);
        assert_eq!(aside(Duration::MAX).delay(0), Aside::LONGEST);
    }
}
