//! What is right: the semantics of every verb over plain maps, by scans.
//!
//! Invariant: written for reading, from the design alone; shares nothing with a backend but the model and
//! [`TaskState::on`]. Time is a counter of operations: a duration of zero is over at once, any other never.
//! Where the design leaves a choice (whose turn it is), [`Reference::take_ready`] judges an answer instead of
//! giving one.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use shared::{
    model::{
        AttemptToken, ErrorCode, Json, Nonce, OnDependencyFailure, Priority, Progress, Route,
        Stamp, TaskEvent, TaskId, TaskSpec, TaskState, To, TypeName, WorkerId,
    },
    store::{
        query::Tally,
        verbs::{
            Cancel, CancelOutcome, Claim, ClaimTicket, Claimed, Finish, Finished, Granted, Mode,
            NewTask, Outcome, Overdue, ParentResult, PublishedSlip, Release, Renew, Renewal,
            Report, Requeue, Retry, RetryOutcome, RunRef, Submission, Submitted, Sweep, Swept,
            Take, Taken, TakenTask, Windows,
        },
    },
};

use super::sketch::{RunSketch, Sketch};

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
            if at > super::lab::now() {
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
            cancel: false,
            progress: None,
            result: None,
            error: None,
            runs: Vec::new(),
        };
        self.tasks.insert(new.id, task);
        match self.parents(new.id) {
            Err(_) => {
                assert!(self.step(new.id, TaskEvent::ParentFailed));
                self.task(new.id).error = Some(ErrorCode::DependencyFailed);
            }
            Ok(open) if open.is_empty() => self.unblock(new.id),
            Ok(open) => self.task(new.id).open = open,
        }
    }

    /// The parents that have not ended, or the first one whose failure the task does not survive.
    fn parents(&self, id: TaskId) -> Result<BTreeSet<TaskId>, TaskId> {
        let mut open = BTreeSet::new();
        for parent in &self.tasks[&id].spec.depends_on {
            match self.tasks[parent].state {
                TaskState::Completed => {}
                TaskState::Failed | TaskState::Cancelled if self.cancels(id) => {
                    return Err(*parent);
                }
                TaskState::Failed | TaskState::Cancelled => {}
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

    /// Whether some ready task is past its time: takes may or may not find it, so they are not compared then.
    pub fn has_expired(&self) -> bool {
        self.tasks.keys().any(|id| {
            self.expired(*id) && self.tasks[id].state.status() == shared::model::Status::Pending
        })
    }

    /// Judges an answer of `take_ready` and takes the same tasks.
    pub fn take_ready(&mut self, take: &Take, answer: &Taken) -> Result<(), String> {
        self.now += 1;
        if self.mode != Mode::Running {
            return judge(*answer == Taken::default(), "nothing is taken now");
        }
        if let Some(given) = self.takes.get(&take.nonce) {
            let held = given.iter().filter(|(id, attempt)| {
                self.tasks.get(id).is_some_and(|task| {
                    task.state == TaskState::Taken
                        && task.token == Some(take.nonce)
                        && task.attempt == *attempt
                })
            });
            let held: Vec<_> = held.map(|(id, _)| *id).collect();
            let found: Vec<_> = answer.tasks.iter().map(|task| task.id).collect();
            return judge(held == found, &format!("again: {held:?}, not {found:?}"));
        }
        self.judge_take(take, answer)?;
        let given = answer
            .tasks
            .iter()
            .map(|task| (task.id, self.tasks[&task.id].attempt));
        self.takes.insert(take.nonce, given.collect());
        for ticket in &answer.tasks {
            assert!(self.step(ticket.id, TaskEvent::Taken));
            let deadline = self.after(take.deadline);
            let task = self.task(ticket.id);
            (task.token, task.deadline) = (Some(take.nonce), deadline);
        }
        let more = self
            .lines(&take.windows)
            .values()
            .any(|(room, ready)| *room > 0 && !ready.is_empty());
        judge(
            answer.more == more,
            &format!("more = {}, not {more}", answer.more),
        )
    }

    fn judge_take(&self, take: &Take, answer: &Taken) -> Result<(), String> {
        let order = answer.tasks.iter().map(|ticket| ticket.route.priority);
        judge(order.is_sorted(), "the most urgent first")?;
        let mut lines = self.lines(&take.windows);
        let mut served: BTreeMap<Route, u32> = BTreeMap::new();
        for ticket in &answer.tasks {
            let (room, ready) = lines
                .get_mut(&ticket.route)
                .ok_or("nothing of this route is ready")?;
            judge(*room > 0, "the window is full")?;
            judge(
                ready.pop_front() == Some(ticket.id),
                "the oldest of its line first",
            )?;
            *room -= 1;
            *served.entry(ticket.route.clone()).or_default() += 1;
            judge(
                *ticket == self.ticket(ticket),
                "the ticket says what the task is",
            )?;
        }
        lines.retain(|_, (room, ready)| *room > 0 && !ready.is_empty());
        let full = answer.tasks.len() >= take.limit as usize;
        judge(full || lines.is_empty(), "nothing that fits is left behind")?;
        let least = answer.tasks.last().map(|ticket| ticket.route.priority);
        for (route, _) in lines {
            judge(Some(route.priority) >= least, "strict priority")?;
            let own = served.get(&route).copied().unwrap_or(0);
            let fair = served
                .iter()
                .filter(|(other, _)| other.priority == route.priority)
                .all(|(_, n)| *n <= own + 1);
            judge(fair, "types take turns")?;
        }
        Ok(())
    }

    /// By route: the room in its window, and its ready tasks by age.
    fn lines(&self, windows: &Windows) -> BTreeMap<Route, (u32, VecDeque<TaskId>)> {
        let mut lines: BTreeMap<Route, (u32, VecDeque<TaskId>)> = BTreeMap::new();
        for id in self.ids() {
            let task = &self.tasks[&id];
            let window = windows
                .by_type
                .get(&task.spec.workflow_type)
                .copied()
                .unwrap_or(windows.default);
            let (room, ready) = lines
                .entry(task.route())
                .or_insert((window, VecDeque::new()));
            match task.state {
                TaskState::Ready => ready.push_back(id),
                TaskState::Taken | TaskState::Queued => *room = room.saturating_sub(1),
                _ => {}
            }
        }
        lines
    }

    fn ticket(&self, answer: &TakenTask) -> TakenTask {
        let task = &self.tasks[&answer.id];
        TakenTask {
            id: task.id,
            tenant: task.spec.tenant.clone(),
            route: task.route(),
            attempt: task.attempt + 1,
            input_bytes: task.input.len() as u64,
            solo: task.solo,
            expected_run: answer
                .expected_run
                .filter(|_| self.learned.contains(&task.spec.workflow_type)),
            correlation_id: task.spec.correlation_id.clone(),
            traceparent: task.spec.traceparent.clone(),
        }
    }

    /// The verb `published`.
    pub fn published(&mut self, slips: &[PublishedSlip]) {
        self.now += 1;
        for slip in slips {
            for (id, attempt) in &slip.tickets {
                let current = self
                    .tasks
                    .get(id)
                    .is_some_and(|task| task.attempt + 1 == *attempt);
                if current && self.step(*id, TaskEvent::Published) {
                    let deadline = self.after(slip.republish_after);
                    let task = self.task(*id);
                    task.deadline = deadline;
                    task.slip = SLIP / slip.tickets.len() as u64;
                }
            }
        }
    }

    /// The routes with queued work.
    pub fn hint(&self) -> Vec<Route> {
        let queued = self
            .tasks
            .values()
            .filter(|task| task.state == TaskState::Queued);
        queued
            .map(Task::route)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

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
        task.runs.push(RunSketch {
            attempt: task.attempt,
            open: true,
            worker: claim.worker.clone(),
            code: None,
        });
        self.granted(id)
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

    fn stop(&mut self, id: TaskId) {
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

    fn revive(&mut self, id: TaskId) -> Result<(), TaskId> {
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
                let stays = self.revive(child).is_err();
                let _ = stays;
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

    /// The verb `requeue`.
    pub fn requeue(&mut self, requeue: &Requeue) -> u32 {
        self.now += 1;
        let now = self.now;
        let queued = self.select(|task| {
            let overdue = requeue
                .overdue_by
                .is_none_or(|by| by.is_zero() && task.deadline <= now);
            task.state == TaskState::Queued && task.route() == requeue.route && overdue
        });
        for id in &queued {
            assert!(self.step(*id, TaskEvent::Requeued));
        }
        u32::try_from(queued.len()).expect("few")
    }

    /// The verb `sweep` without limit and outage, repeated until nothing more is reaped.
    pub fn sweep(&mut self, sweep: &Sweep) -> Swept {
        self.now += 1;
        let mut swept = Swept::default();
        let now = self.now;
        for id in
            self.select(|t| t.state == TaskState::Scheduled && t.due.is_none_or(|due| due <= now))
        {
            assert!(self.step(id, TaskEvent::Due));
            swept.due += 1;
        }
        for id in self.select(|t| t.state == TaskState::Taken && t.deadline <= now) {
            assert!(self.step(id, TaskEvent::TakeLapsed));
            swept.takes_lapsed += 1;
        }
        for id in self.select(|t| t.state == TaskState::Running && t.deadline <= now) {
            self.lapse(id, sweep.lapse_cap, &mut swept);
        }
        let mut expired = self.select(|t| t.state.status() == shared::model::Status::Pending);
        expired.retain(|id| self.expired(*id));
        expired.sort_by_key(|id| self.tasks[id].expires);
        for id in expired {
            if !self.tasks[&id].state.is_final() {
                self.end(id, TaskEvent::Expired, Some(ErrorCode::Expired));
                swept.expired += 1;
            }
        }
        if sweep.retention.is_zero() {
            swept.reaped = self.reap();
        }
        swept.overdue = self.overdue();
        let scheduled = self
            .tasks
            .values()
            .any(|task| task.state == TaskState::Scheduled);
        swept.next_due = scheduled.then_some(Duration::ZERO);
        swept
    }

    fn lapse(&mut self, id: TaskId, cap: u32, swept: &mut Swept) {
        if self.tasks[&id].cancel {
            self.stop(id);
            swept.leases_lapsed += 1;
            return;
        }
        let task = self.task(id);
        task.close(Some("worker_lost"));
        task.lapses_alone += u32::from(task.solo);
        let out = task.solo && task.lapses_alone >= cap;
        task.solo = true;
        if out {
            self.end(id, TaskEvent::LapsedOut, Some(ErrorCode::WorkerLost));
            swept.workers_lost += 1;
        } else {
            assert!(self.step(id, TaskEvent::Lapsed));
            swept.leases_lapsed += 1;
        }
    }

    fn reap(&mut self) -> u32 {
        let mut reaped = 0;
        loop {
            let free =
                self.select(|task| task.state.is_final() && self.dependents(task.id).is_empty());
            if free.is_empty() {
                return reaped;
            }
            for id in free {
                self.tasks.remove(&id);
                reaped += 1;
            }
        }
    }

    fn overdue(&self) -> Vec<Overdue> {
        let mut found: BTreeMap<Route, (u32, u64)> = BTreeMap::new();
        for task in self
            .tasks
            .values()
            .filter(|task| task.state == TaskState::Queued)
        {
            let (tasks, weight) = found.entry(task.route()).or_default();
            *tasks += u32::from(task.deadline <= self.now);
            *weight += task.slip;
        }
        let late = found.into_iter().filter(|(_, (tasks, _))| *tasks > 0);
        late.map(|(route, (tasks, weight))| Overdue {
            route,
            tasks,
            slips: u32::try_from(weight.div_ceil(SLIP)).expect("few"),
        })
        .collect()
    }

    fn dependents(&self, id: TaskId) -> Vec<TaskId> {
        self.select(|task| task.spec.depends_on.contains(&id))
    }

    /// Every task, newest first.
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
            worker: task.worker.clone(),
            cancel_requested: task.cancel,
            error: task.error,
            runs: task.runs.clone(),
        }
    }

    /// The result of a task.
    pub fn result(&self, id: TaskId) -> Option<Json> {
        self.tasks.get(&id).and_then(|task| task.result.clone())
    }

    /// The number of a task's latest run.
    pub fn attempt(&self, id: TaskId) -> u32 {
        self.tasks.get(&id).map_or(0, |task| task.attempt)
    }

    /// The figures of every route that has any.
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
                shared::model::Status::Pending => tally.pending += 1,
                shared::model::Status::Running => tally.running += 1,
                _ => {}
            }
        }
        tallies
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
