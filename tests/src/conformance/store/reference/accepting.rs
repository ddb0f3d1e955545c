//! Step 3 of the reference: plans are stored whole or not at all.

use std::collections::BTreeSet;

use shared::{
    model::{ErrorCode, TaskEvent, TaskId, TaskState},
    store::verbs::{Mode, NewTask, Submission, Submitted},
};

use super::{NEVER, Reference, Task};

impl Reference {
    /// The verb `submit`.
    pub fn submit(&mut self, submission: &Submission) -> Submitted {
        self.now += 1;
        if let Some(asked) = &submission.idempotency
            && let Some((fingerprint, reply)) = self.keys.get(&asked.key)
        {
            return if *fingerprint == asked.fingerprint {
                Submitted::Replayed(reply.clone())
            } else {
                Submitted::KeyReused
            };
        }
        if self.mode == Mode::Stopped {
            return Submitted::Stopped;
        }
        let mut known: BTreeSet<TaskId> = self.tasks.keys().copied().collect();
        let mut unknown = Vec::new();
        for (place, task) in submission.tasks.iter().enumerate() {
            let missing = task
                .spec
                .depends_on
                .iter()
                .filter(|parent| !known.contains(parent));
            unknown.extend(missing.map(|parent| (place, *parent)));
            known.insert(task.id);
        }
        if !unknown.is_empty() {
            return Submitted::UnknownParents(unknown);
        }
        let unknown = self.unknown_files(submission);
        if !unknown.is_empty() {
            return Submitted::UnknownFiles(unknown);
        }
        for task in &submission.tasks {
            self.accept(task);
        }
        if let Some(asked) = &submission.idempotency {
            self.keys.insert(
                asked.key.clone(),
                (asked.fingerprint.clone(), asked.reply.clone()),
            );
        }
        Submitted::Accepted
    }

    fn accept(&mut self, new: &NewTask) {
        self.accepted += 1;
        let due = new.spec.run_at.map(|at| {
            if at > crate::conformance::store::lab::now() {
                NEVER
            } else {
                self.now
            }
        });
        let task = Task {
            id: new.id,
            seq: self.accepted,
            spec: new.spec.clone(),
            input: new.input.clone(),
            state: TaskState::Waiting,
            attempt: 0,
            failures: 0,
            lapses_alone: 0,
            solo: false,
            open: BTreeSet::new(),
            due,
            expires: new.spec.expires_at,
            deadline: NEVER,
            slip: 0,
            token: None,
            done: None,
            worker: None,
            too_large: None,
            asides: 0,
            cancel: false,
            progress: None,
            result: None,
            error: None,
            runs: Vec::new(),
        };
        self.tasks.insert(new.id, task);
        self.refer(new.id, &new.files);
        match self.parents(new.id) {
            Err(_) => {
                assert!(self.step(new.id, TaskEvent::ParentFailed));
                self.task(new.id).error = Some(ErrorCode::DependencyFailed);
            }
            Ok(open) if open.is_empty() => self.unblock(new.id),
            Ok(open) => self.task(new.id).open = open,
        }
    }
}
