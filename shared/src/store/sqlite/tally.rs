//! How many tasks are where, by lane, kept in memory beside the rows.
//!
//! Invariant: equal to a count over the rows whenever no verb is under way. A
//! verb that is rolled back takes its changes here back as well; after a group
//! that is rolled back the rows are counted again.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};

use crate::{
    model::{Priority, TaskState},
    store::{Result, query},
};

use super::{fault, records};

/// The tasks of one tenant and type at one priority stand in one line. Orders
/// by priority, type, tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane {
    pub(super) priority: Priority,
    /// The type's number in `name`.
    pub(super) kind: i64,
    /// The tenant's number in `name`.
    pub(super) tenant: i64,
}

/// The figures of one lane: tasks now, by state; and ends since installation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    now: [i64; TaskState::ALL.len()],
    ended: [i64; 3],
}

impl Figures {
    pub(super) fn of(&self, state: TaskState) -> i64 {
        self.now[state as usize]
    }

    /// Tasks that occupy the route's window.
    pub(super) fn in_window(&self) -> i64 {
        self.of(TaskState::Taken) + self.of(TaskState::Queued)
    }

    pub(super) fn tally(&self) -> query::Tally {
        let pending = TaskState::ALL[..=TaskState::Queued as usize]
            .iter()
            .map(|state| self.of(*state))
            .sum::<i64>();
        let [completed, failed, cancelled] = self.ended.map(i64::unsigned_abs);
        query::Tally {
            pending: pending.unsigned_abs(),
            running: self.of(TaskState::Running).unsigned_abs(),
            completed,
            failed,
            cancelled,
        }
    }
}

/// One change, so that it can be taken back.
#[derive(Clone, Copy, Debug)]
enum Change {
    Now(Lane, TaskState, i64),
    Ended(Lane, usize),
}

/// The figures of every lane.
#[derive(Debug, Default)]
pub(super) struct Tally {
    lanes: BTreeMap<Lane, Figures>,
    changes: Vec<Change>,
    unsaved: BTreeSet<Lane>,
}

impl Tally {
    /// Counts the rows.
    pub(super) fn load(db: &Connection) -> Result<Self> {
        let mut tally = Self::default();
        let mut rows = db
            .prepare("SELECT tenant, type, priority, state, count(*) FROM task GROUP BY 1, 2, 3, 4")
            .map_err(fault)?;
        let mut rows = rows.query([]).map_err(fault)?;
        while let Some(row) = rows.next().map_err(fault)? {
            let lane = records::lane(row, 0).map_err(fault)?;
            let state = records::state(row, 3).map_err(fault)?;
            let figures = tally.lanes.entry(lane).or_default();
            figures.now[state as usize] = row.get(4).map_err(fault)?;
        }
        let mut rows = db
            .prepare("SELECT tenant, type, priority, completed, failed, cancelled FROM ended")
            .map_err(fault)?;
        let mut rows = rows.query([]).map_err(fault)?;
        while let Some(row) = rows.next().map_err(fault)? {
            let lane = records::lane(row, 0).map_err(fault)?;
            for place in 0..3 {
                tally.lanes.entry(lane).or_default().ended[place] =
                    row.get(3 + place).map_err(fault)?;
            }
        }
        Ok(tally)
    }

    /// Records that a task left one state for another; `None` stands for
    /// outside the store.
    pub(super) fn moved(&mut self, lane: Lane, from: Option<TaskState>, to: Option<TaskState>) {
        if let Some(from) = from {
            self.change(Change::Now(lane, from, -1));
        }
        if let Some(to) = to {
            self.change(Change::Now(lane, to, 1));
        }
        if let (Some(to), true) = (to, from != to) {
            let ended = match to {
                TaskState::Completed => 0,
                TaskState::Failed => 1,
                TaskState::Cancelled => 2,
                _ => return,
            };
            self.change(Change::Ended(lane, ended));
            self.unsaved.insert(lane);
        }
    }

    fn change(&mut self, change: Change) {
        self.apply(change, 1);
        self.changes.push(change);
    }

    fn apply(&mut self, change: Change, sign: i64) {
        match change {
            Change::Now(lane, state, by) => {
                self.lanes.entry(lane).or_default().now[state as usize] += sign * by;
            }
            Change::Ended(lane, place) => {
                self.lanes.entry(lane).or_default().ended[place] += sign;
            }
        }
    }

    /// Every lane with its figures, by priority, type, tenant.
    pub(super) fn lanes(&self) -> impl Iterator<Item = (Lane, &Figures)> {
        self.lanes.iter().map(|(lane, figures)| (*lane, figures))
    }

    /// Writes the figures that only this table knows.
    pub(super) fn save(&mut self, db: &Connection) -> Result<()> {
        while let Some(lane) = self.unsaved.pop_first() {
            let [completed, failed, cancelled] = self.lanes.entry(lane).or_default().ended;
            db.prepare_cached("INSERT OR REPLACE INTO ended VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
                .and_then(|mut statement| {
                    statement.execute(params![
                        lane.tenant,
                        lane.kind,
                        lane.priority.rank(),
                        completed,
                        failed,
                        cancelled
                    ])
                })
                .map_err(fault)?;
        }
        Ok(())
    }

    /// Where the present verb begins.
    pub(super) fn mark(&self) -> usize {
        self.changes.len()
    }

    /// Takes back everything since `mark`.
    pub(super) fn undo(&mut self, mark: usize) {
        for change in self.changes.split_off(mark).into_iter().rev() {
            self.apply(change, -1);
        }
        self.unsaved.clear();
    }

    /// The group is over: nothing can be taken back any more.
    pub(super) fn forget_changes(&mut self) {
        self.changes.clear();
    }
}
