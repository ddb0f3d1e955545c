//! What people ask of the reference: cancel, retry, mode.

use shared::{
    model::{ErrorCode, TaskEvent, TaskId, TaskState},
    store::verbs::{Cancel, CancelOutcome, Mode, Retry, RetryOutcome},
};

use super::Reference;

impl Reference {
    /// The verb `cancel`.
    pub fn cancel(&mut self, cancel: &Cancel) -> Vec<CancelOutcome> {
        self.now += 1;
        let mut answers = Vec::new();
        for id in &cancel.ids {
            answers.push(match self.tasks.get_mut(id) {
                None => CancelOutcome::Unknown,
                Some(task) if task.state.is_final() => CancelOutcome::WrongState(task.state),
                Some(task) if task.state == TaskState::Running => {
                    task.cancel = true;
                    CancelOutcome::Requested
                }
                Some(_) => {
                    self.end(*id, TaskEvent::CancelAsked, Some(ErrorCode::Cancelled));
                    CancelOutcome::Cancelled
                }
            });
        }
        answers
    }

    /// The verb `retry`.
    pub fn retry(&mut self, retry: &Retry) -> Vec<RetryOutcome> {
        self.now += 1;
        let mut answers = Vec::new();
        for id in &retry.ids {
            answers.push(match self.tasks.get(id).map(|task| task.state) {
                None => RetryOutcome::Unknown,
                Some(TaskState::Failed | TaskState::Cancelled) => match self.revive(*id) {
                    Ok(()) => RetryOutcome::Revived {
                        attempt: self.tasks[id].attempt,
                    },
                    Err(parent) => RetryOutcome::ParentFailed(parent),
                },
                Some(other) => RetryOutcome::WrongState(other),
            });
        }
        answers
    }

    pub(super) fn revive(&mut self, id: TaskId) -> Result<(), TaskId> {
        let open = self.parents(id)?;
        let event = if open.is_empty() {
            TaskEvent::Retried
        } else {
            TaskEvent::RetriedBlocked
        };
        assert!(self.step(id, event));
        let expired = self.expired(id);
        let task = self.task(id);
        task.open = open;
        (task.failures, task.lapses_alone, task.solo) = (0, 0, false);
        (task.too_large, task.asides) = (None, 0);
        (task.due, task.error, task.result, task.progress) = (None, None, None, None);
        if expired {
            task.expires = None;
        }
        let children = self.select(|child| {
            child.state == TaskState::Cancelled
                && child.error == Some(ErrorCode::DependencyFailed)
                && child.spec.depends_on.contains(&id)
        });
        for child in children {
            if self.tasks[&child].state == TaskState::Cancelled {
                // With another failed parent it stays as it is; that one's revival looks at it again.
                self.revive(child).ok();
            }
        }
        Ok(())
    }

    /// The verb `set_mode`: whether it changed.
    pub fn set_mode(&mut self, mode: Mode) -> bool {
        self.now += 1;
        let changed = self.mode != mode;
        self.mode = mode;
        changed
    }
}
