//! What the reference shows: sketches, results and figures.

use std::collections::BTreeMap;

use shared::{
    model::{Json, Priority, Status, TaskId, TaskState, TypeName},
    store::query::Tally,
};

use super::super::sketch::Sketch;
use super::{Reference, Task};

impl Reference {
    pub(super) fn dependents(&self, id: TaskId) -> Vec<TaskId> {
        self.select(|task| task.spec.depends_on.contains(&id))
    }

    /// Every task, newest first.
    #[must_use]
    pub fn sketches(&self) -> Vec<Sketch> {
        let ids = self.ids().into_iter().rev();
        ids.map(|id| self.sketch(&self.tasks[&id])).collect()
    }

    fn sketch(&self, task: &Task) -> Sketch {
        let shows_progress = matches!(task.state, TaskState::Running | TaskState::Completed);
        Sketch {
            id: task.id,
            spec: task.spec.clone(),
            state: task.state,
            attempt: task.attempt,
            failures: task.failures,
            progress: task.progress.clone().filter(|_| shows_progress),
            dependents: self.dependents(task.id),
            started: task.attempt > 0,
            finished: task.state.is_final(),
            due: task.state == TaskState::Scheduled,
            too_large: task.too_large,
            asides: task.asides,
            worker: task.worker.clone(),
            cancel_requested: task.cancel,
            error: task.error,
            runs: task.runs.clone(),
        }
    }

    /// The result of a task.
    #[must_use]
    pub fn result(&self, id: TaskId) -> Option<Json> {
        self.tasks.get(&id).and_then(|task| task.result.clone())
    }

    /// The number of a task's latest run.
    #[must_use]
    pub fn attempt(&self, id: TaskId) -> u32 {
        self.tasks.get(&id).map_or(0, |task| task.attempt)
    }

    /// The figures of every route that has any.
    #[must_use]
    pub fn tallies(&self) -> BTreeMap<(TypeName, Priority), Tally> {
        let mut tallies: BTreeMap<_, Tally> = BTreeMap::new();
        for (route, [completed, failed, cancelled]) in &self.ended {
            let tally = tallies.entry(route.clone()).or_default();
            (tally.completed, tally.failed, tally.cancelled) = (*completed, *failed, *cancelled);
        }
        for task in self.tasks.values() {
            let tally = tallies
                .entry((task.spec.workflow_type.clone(), task.spec.priority))
                .or_default();
            match task.state.status() {
                Status::Pending => tally.pending += 1,
                Status::Running => tally.running += 1,
                _ => {}
            }
        }
        tallies
    }
}
