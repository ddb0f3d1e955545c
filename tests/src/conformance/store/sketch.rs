//! A task as two stores must agree on it: everything of its view except what depends on the clock and on wording.

use shared::model::{ErrorCode, Progress, TaskId, TaskSpec, TaskState, TaskView, WorkerId};

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSketch {
    /// Its number.
    pub attempt: u32,
    /// Whether it goes on.
    pub open: bool,
    /// Who ran it.
    pub worker: WorkerId,
    /// How it ended.
    pub code: Option<String>,
}

/// One task. Times are reduced to whether there is one.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what is left of three times, and one flag of the view"
)]
pub struct Sketch {
    /// Its id.
    pub id: TaskId,
    /// What was asked for.
    pub spec: TaskSpec,
    /// Where it is.
    pub state: TaskState,
    /// Its latest run.
    pub attempt: u32,
    /// Its failures.
    pub failures: u32,
    /// Its progress.
    pub progress: Option<Progress>,
    /// Its dependents.
    pub dependents: Vec<TaskId>,
    /// It was started at some time.
    pub started: bool,
    /// It ended at some time.
    pub finished: bool,
    /// It is due at some time.
    pub due: bool,
    /// It did not fit, and needs so many bytes.
    pub too_large: Option<u64>,
    /// How often it did not.
    pub asides: u32,
    /// Who ran it last.
    pub worker: Option<WorkerId>,
    /// A cancel is pending.
    pub cancel_requested: bool,
    /// Why it ended.
    pub error: Option<ErrorCode>,
    /// Its runs.
    pub runs: Vec<RunSketch>,
}

impl From<TaskView> for Sketch {
    fn from(view: TaskView) -> Self {
        let runs = view.attempts.into_iter().map(|run| RunSketch {
            attempt: run.attempt,
            open: run.finished_at.is_none(),
            worker: run.worker_id,
            code: run.code,
        });
        Self {
            id: view.id,
            spec: view.spec,
            state: view.state,
            attempt: view.attempt,
            failures: view.failures,
            progress: view.progress,
            dependents: view.dependents,
            started: view.started_at.is_some(),
            finished: view.finished_at.is_some(),
            due: view.due_at.is_some(),
            too_large: view.too_large,
            asides: view.asides,
            worker: view.worker_id,
            cancel_requested: view.cancel_requested,
            error: view.error.map(|error| error.code),
            runs: runs.collect(),
        }
    }
}
