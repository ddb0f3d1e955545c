//! The sweep of the reference: everything at once, without limits.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::{
    model::{ErrorCode, Route, Status, TaskEvent, TaskId, TaskState},
    store::verbs::{Overdue, Sweep, Swept},
};

use super::{Reference, SLIP};

impl Reference {
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
        let mut expired = self.select(|t| t.state.status() == Status::Pending);
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
        swept.files_expired = self.expire_files();
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
                self.unrefer(id);
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
}
