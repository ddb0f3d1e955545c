//! Steps 7 and 8 of the reference: claims, renewals, reports, releases.

use shared::{
    model::{ErrorCode, TaskEvent, TaskId, TaskState},
    store::verbs::{
        Aside, Claim, ClaimTicket, Claimed, Finish, Finished, Granted, Mode, Outcome, ParentResult,
        Release, Renew, Renewal, Report, RunRef,
    },
};

use super::super::sketch::RunSketch;
use super::{Reference, Task};

impl Reference {
    /// The verb `claim`, without the hint.
    pub fn claim(&mut self, claim: &Claim) -> Vec<Claimed> {
        self.now += 1;
        claim
            .tickets
            .iter()
            .map(|ticket| self.claim_one(claim, *ticket))
            .collect()
    }

    fn claim_one(&mut self, claim: &Claim, ticket: ClaimTicket) -> Claimed {
        let id = ticket.task;
        let Some(task) = self.tasks.get(&id) else {
            return Claimed::Unknown;
        };
        if task.holds(ticket.token) {
            return self.granted(id);
        }
        let claimable = matches!(
            task.state,
            TaskState::Ready | TaskState::Taken | TaskState::Queued
        );
        if !claimable || task.attempt + 1 != ticket.attempt {
            return Claimed::Stale;
        }
        if self.mode != Mode::Running {
            assert!(self.step(id, TaskEvent::HeldPaused));
            return Claimed::Held;
        }
        if self.expired(id) {
            self.end(id, TaskEvent::Expired, Some(ErrorCode::Expired));
            return Claimed::Stale;
        }
        assert!(self.step(id, TaskEvent::Claimed));
        let deadline = self.after(claim.lease);
        let task = self.task(id);
        task.attempt += 1;
        task.token = Some(ticket.token);
        task.worker = Some(claim.worker.clone());
        task.deadline = deadline;
        task.due = None;
        task.progress = None;
        (task.too_large, task.asides) = (None, 0);
        task.runs.push(RunSketch {
            attempt: task.attempt,
            open: true,
            worker: claim.worker.clone(),
            code: None,
        });
        self.granted(id)
    }

    /// The verb `set_aside`. However often it is doubled, no time is no time.
    pub fn set_aside(&mut self, asides: &[Aside]) -> Vec<bool> {
        self.now += 1;
        let answers = asides.iter().map(|aside| {
            let due = self.after(aside.retry_in);
            let Some(task) = self.tasks.get(&aside.task) else {
                return false;
            };
            if task.attempt + 1 != aside.attempt {
                return false;
            }
            if task.state == TaskState::Scheduled && task.too_large.is_some() {
                return true;
            }
            let moved = self.step(aside.task, TaskEvent::SetAside);
            if moved {
                let task = self.task(aside.task);
                task.due = Some(due);
                task.too_large = Some(aside.needs_bytes);
                task.asides += 1;
            }
            moved
        });
        answers.collect()
    }

    fn granted(&self, id: TaskId) -> Claimed {
        let task = &self.tasks[&id];
        let read = |parent: &TaskId| ParentResult {
            task: *parent,
            result: self
                .tasks
                .get(parent)
                .and_then(|parent| parent.result.clone()),
        };
        Claimed::Granted(Box::new(Granted {
            task: id,
            spec: task.spec.clone(),
            input: task.input.clone(),
            attempt: task.attempt,
            failures: task.failures,
            parents: task.spec.reads.iter().map(read).collect(),
        }))
    }

    fn running(&mut self, run: &RunRef) -> Option<&mut Task> {
        self.tasks
            .get_mut(&run.task)
            .filter(|task| task.holds(run.token))
    }

    /// The verb `renew`.
    pub fn renew(&mut self, renew: &Renew) -> Vec<Renewal> {
        self.now += 1;
        let deadline = self.after(renew.lease);
        let answers = renew.runs.iter().map(|(run, progress)| {
            let Some(task) = self.running(run) else {
                return Renewal::Refused;
            };
            task.deadline = deadline;
            task.progress = progress.clone().or(task.progress.take());
            if task.cancel {
                Renewal::CancelAsked
            } else {
                Renewal::Kept
            }
        });
        answers.collect()
    }

    /// The verb `finish`, without the hint.
    pub fn finish(&mut self, finish: &Finish) -> Vec<Finished> {
        self.now += 1;
        finish
            .reports
            .iter()
            .map(|report| self.finish_one(report))
            .collect()
    }

    fn finish_one(&mut self, report: &Report) -> Finished {
        let id = report.run.task;
        let Some(task) = self.running(&report.run) else {
            let done = self.tasks.get(&id).and_then(|task| task.done);
            return match done {
                Some((token, state)) if token == report.run.token => Finished::Committed(state),
                _ => Finished::Stale,
            };
        };
        let cancel = task.cancel;
        match &report.outcome {
            Outcome::Completed(result) => {
                task.close(None);
                task.result = Some(result.clone());
                let kind = task.spec.workflow_type.clone();
                self.learned.insert(kind);
                self.refer(id, &report.files);
                self.end(id, TaskEvent::Succeeded, None);
            }
            Outcome::Failed { error, retry_in } if !cancel => {
                task.close(Some(error.code.as_str()));
                task.failures += 1;
                let again = error.retryable && task.failures < task.spec.retry.max_attempts;
                if again {
                    let due = self.after(*retry_in);
                    assert!(self.step(id, TaskEvent::FailedForNow));
                    self.task(id).due = Some(due);
                } else {
                    self.end(id, TaskEvent::FailedForGood, Some(error.code));
                }
            }
            _ => self.stop(id),
        }
        let task = self.task(id);
        task.done = Some((report.run.token, task.state));
        Finished::Committed(task.state)
    }

    pub(super) fn stop(&mut self, id: TaskId) {
        self.task(id).close(Some("cancelled"));
        self.end(id, TaskEvent::Stopped, Some(ErrorCode::Cancelled));
    }

    /// The verb `release`.
    pub fn release(&mut self, release: &Release) -> Vec<bool> {
        self.now += 1;
        let mut answers = Vec::new();
        for run in &release.runs {
            let cancel = self.running(run).map(|task| task.cancel);
            match cancel {
                None => {}
                Some(true) => self.stop(run.task),
                Some(false) => {
                    self.task(run.task).close(Some("released"));
                    assert!(self.step(run.task, TaskEvent::Released));
                }
            }
            answers.push(cancel.is_some());
        }
        answers
    }
}
