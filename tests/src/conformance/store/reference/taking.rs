//! Steps 4 and 5 of the reference: an answer of `take_ready` is judged, then followed; slips are counted.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;

use shared::{
    model::{Priority, Route, Status, TaskEvent, TaskId, TaskState},
    store::verbs::{Mode, PublishedSlip, Requeue, Take, Taken, TakenTask, Windows},
};

use super::{Reference, SLIP, Task, judge};

/// The share of a take that is the least urgent priority's with something to start, and that priority.
struct Spare {
    least: Option<Priority>,
    tasks: usize,
}

impl Spare {
    fn of(limit: u32, lines: &BTreeMap<Route, (u32, VecDeque<TaskId>)>) -> Self {
        let open = lines
            .iter()
            .filter(|(_, (room, ready))| *room > 0 && !ready.is_empty());
        let fits = |(room, ready): &(u32, VecDeque<TaskId>)| ready.len().min(*room as usize);
        let least = open.clone().map(|(route, _)| route.priority).max();
        let least_work: usize = open
            .filter(|(route, _)| Some(route.priority) == least)
            .map(|(_, line)| fits(line))
            .sum();
        let share = if limit < 2 { 0 } else { (limit / 16).max(1) };
        Self {
            least,
            tasks: least_work.min(share as usize),
        }
    }

    /// Where something more urgent is left behind, the least urgent priority got its share and no more, and
    /// otherwise nothing went before it.
    fn judge(
        &self,
        left: &BTreeMap<Route, (u32, VecDeque<TaskId>)>,
        answer: &Taken,
    ) -> Result<(), String> {
        let Some(most_urgent) = left.keys().map(|route| route.priority).min() else {
            return Ok(());
        };
        if Some(most_urgent) == self.least {
            return Ok(());
        }
        let of = |wanted: &dyn Fn(Priority) -> bool| {
            let taken = answer.tasks.iter();
            taken.filter(|ticket| wanted(ticket.route.priority)).count()
        };
        let own = of(&|priority| Some(priority) == self.least);
        judge(
            own == self.tasks,
            &format!("{own} of the least urgent, not {}", self.tasks),
        )?;
        let between = of(&|priority| priority > most_urgent && Some(priority) != self.least);
        judge(between == 0, "strict priority above the spare share")
    }
}

impl Reference {
    /// Whether some ready task is past its time: takes may or may not find it, so they are not compared then.
    #[must_use]
    pub fn has_expired(&self) -> bool {
        self.tasks
            .keys()
            .any(|id| self.expired(*id) && self.tasks[id].state.status() == Status::Pending)
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
        let spare = Spare::of(take.limit, &lines);
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
        spare.judge(&lines, answer)?;
        for (route, _) in lines {
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
    pub(super) fn lines(&self, windows: &Windows) -> BTreeMap<Route, (u32, VecDeque<TaskId>)> {
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
    #[must_use]
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
}
