//! What is right: the semantics of every verb over plain maps, by scans.
//!
//! Invariant: written for reading, from the design alone; shares nothing with a backend but the model and
//! [`TaskState::on`]. Time is a counter of operations: a duration of zero is over at once, any other never.
//! Where the design leaves a choice (whose turn it is), [`Reference::take_ready`] judges an answer instead of
//! giving one.

mod accepting;

mod filing;

mod taking;

mod running;

mod control;

mod upkeep;

mod reading;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::time::Duration;

use shared::{
    model::{
        AttemptToken, ErrorCode, FileId, Json, Nonce, OnDependencyFailure, Priority, Progress,
        Route, Stamp, TaskEvent, TaskId, TaskSpec, TaskState, To, TypeName, WorkerId,
    },
    store::verbs::Mode,
};

use super::sketch::RunSketch;

/// A point in logical time.
type Tick = u64;
/// Past the end of every test.
const NEVER: Tick = Tick::MAX;
/// The weight of one slip.
const SLIP: u64 = 720_720;

#[derive(Clone, Debug)]
struct Task {
    id: TaskId,
    seq: u64,
    spec: TaskSpec,
    input: Json,
    state: TaskState,
    attempt: u32,
    failures: u32,
    lapses_alone: u32,
    solo: bool,
    open: BTreeSet<TaskId>,
    due: Option<Tick>,
    expires: Option<Stamp>,
    /// Of the take, the slip or the lease, by state.
    deadline: Tick,
    slip: u64,
    token: Option<AttemptToken>,
    done: Option<(AttemptToken, TaskState)>,
    worker: Option<WorkerId>,
    too_large: Option<u64>,
    asides: u32,
    cancel: bool,
    progress: Option<Progress>,
    result: Option<Json>,
    error: Option<ErrorCode>,
    runs: Vec<RunSketch>,
}

/// The reference store of one tenant.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    now: Tick,
    tasks: BTreeMap<TaskId, Task>,
    accepted: u64,
    mode: Mode,
    keys: BTreeMap<String, (String, Json)>,
    takes: BTreeMap<Nonce, Vec<(TaskId, u32)>>,
    ended: BTreeMap<(TypeName, Priority), [u64; 3]>,
    learned: BTreeSet<TypeName>,
    files: BTreeMap<FileId, filing::File>,
}

impl Reference {
    fn after(&self, wait: Duration) -> Tick {
        if wait.is_zero() { self.now } else { NEVER }
    }

    fn ids(&self) -> Vec<TaskId> {
        let mut tasks: Vec<_> = self
            .tasks
            .values()
            .map(|task| (task.seq, task.id))
            .collect();
        tasks.sort_unstable();
        tasks.into_iter().map(|(_, id)| id).collect()
    }

    /// The tasks in order of acceptance for which `wanted` holds.
    fn select(&self, wanted: impl Fn(&Task) -> bool) -> Vec<TaskId> {
        self.ids()
            .into_iter()
            .filter(|id| wanted(&self.tasks[id]))
            .collect()
    }

    fn task(&mut self, id: TaskId) -> &mut Task {
        self.tasks
            .get_mut(&id)
            .expect("the reference knows its own tasks")
    }

    fn step(&mut self, id: TaskId, event: TaskEvent) -> bool {
        let task = self.task(id);
        let To::State(next) = task.state.on(&event) else {
            return false;
        };
        if task.state == TaskState::Running && next == TaskState::Running {
            return true;
        }
        task.state = next;
        task.token = None;
        task.slip = 0;
        task.deadline = NEVER;
        if next.is_final() {
            task.cancel = false;
            let place = [
                TaskState::Completed,
                TaskState::Failed,
                TaskState::Cancelled,
            ];
            let place = place
                .into_iter()
                .position(|state| state == next)
                .expect("a final state");
            let route = (task.spec.workflow_type.clone(), task.spec.priority);
            self.ended.entry(route).or_default()[place] += 1;
        }
        true
    }

    fn end(&mut self, id: TaskId, event: TaskEvent, error: Option<ErrorCode>) {
        assert!(self.step(id, event), "{event:?} ends {id}");
        self.task(id).error = error;
        let mut ends = VecDeque::from([id]);
        while let Some(parent) = ends.pop_front() {
            let failed = self.tasks[&parent].state != TaskState::Completed;
            for child in
                self.select(|task| task.state == TaskState::Waiting && task.open.contains(&parent))
            {
                if failed && self.cancels(child) {
                    assert!(self.step(child, TaskEvent::ParentFailed));
                    self.task(child).error = Some(ErrorCode::DependencyFailed);
                    ends.push_back(child);
                    continue;
                }
                self.task(child).open.remove(&parent);
                if self.tasks[&child].open.is_empty() {
                    self.unblock(child);
                }
            }
        }
    }

    fn unblock(&mut self, id: TaskId) {
        let early = self.tasks[&id].due.is_some_and(|due| due > self.now);
        let event = if early {
            TaskEvent::UnblockedEarly
        } else {
            TaskEvent::Unblocked
        };
        assert!(self.step(id, event));
    }

    fn cancels(&self, id: TaskId) -> bool {
        self.tasks[&id].spec.on_dependency_failure == OnDependencyFailure::Cancel
    }

    /// The parents that have not ended, or the first one whose failure the task does not survive.
    fn parents(&self, id: TaskId) -> Result<BTreeSet<TaskId>, TaskId> {
        let mut open = BTreeSet::new();
        for parent in &self.tasks[&id].spec.depends_on {
            match self.tasks[parent].state {
                TaskState::Failed | TaskState::Cancelled if self.cancels(id) => {
                    return Err(*parent);
                }
                TaskState::Completed | TaskState::Failed | TaskState::Cancelled => {}
                _ => drop(open.insert(*parent)),
            }
        }
        Ok(open)
    }

    fn expired(&self, id: TaskId) -> bool {
        self.tasks[&id]
            .expires
            .is_some_and(|at| at <= super::lab::now())
    }
}

impl Task {
    fn route(&self) -> Route {
        Route::new(self.spec.workflow_type.clone(), self.spec.priority)
    }

    fn holds(&self, token: AttemptToken) -> bool {
        self.state == TaskState::Running && self.token == Some(token)
    }

    fn close(&mut self, code: Option<&str>) {
        if let Some(run) = self.runs.last_mut() {
            run.open = false;
            run.code = code.map(str::to_owned);
        }
    }
}

fn judge(holds: bool, rule: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(rule.to_owned()) }
}
