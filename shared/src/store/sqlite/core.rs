//! What the writing thread owns, and the one way in which a task's state
//! changes.
//!
//! Invariant: a state changes only in [`Core::step`], by the table
//! [`TaskState::on`]; rows and the figures in memory change together.

use std::{collections::HashMap, sync::Arc};

use rusqlite::Connection;

use crate::{
    clock::Clock,
    model::{Stamp, TaskError, TaskEvent, TaskState, To},
    store::{
        Error, Result,
        verbs::{Mode, ModeState, Orders},
    },
};

use super::{
    dispatch::Takes,
    facts,
    fleet::Fleet,
    names::Names,
    pace::Pace,
    records::{self, Record},
    resolve,
    signals::News,
    tally::Tally,
};

/// The store's state in memory, beside the file.
pub(super) struct Core {
    pub(super) db: Connection,
    clock: Arc<dyn Clock>,
    /// The time of the present verb; never goes back.
    pub(super) now: Stamp,
    pub(super) names: Names,
    pub(super) tally: Tally,
    pub(super) news: News,
    pub(super) takes: Takes,
    pub(super) fleet: Fleet,
    pub(super) pace: Pace,
    pub(super) mode: ModeState,
    pub(super) orders: Orders,
    /// Learned run times in microseconds, by type.
    pub(super) learned: HashMap<i64, f64>,
    /// The next acceptance number.
    pub(super) next_seq: i64,
    /// When this boot swept last.
    pub(super) last_sweep: Option<Stamp>,
    /// Rows and memory may differ, because a rollback took more or less with
    /// it than one verb: everything is read again before the next verb.
    in_doubt: bool,
}

/// How a task ends.
pub(super) enum Ending<'a> {
    /// With this result.
    Result(&'a str),
    /// With this error.
    Error(TaskError),
}

impl Core {
    /// Reads what is kept in memory.
    pub(super) fn load(db: Connection, clock: Arc<dyn Clock>) -> Result<Self> {
        let names = Names::load(&db)?;
        let tally = Tally::load(&db)?;
        Ok(Self {
            now: clock.now(),
            names,
            tally,
            news: News::default(),
            takes: Takes::default(),
            fleet: Fleet::new(clock.now()),
            pace: Pace::default(),
            clock,
            mode: facts::mode(&db)?,
            orders: facts::orders(&db)?,
            learned: facts::learned(&db)?,
            next_seq: facts::next_seq(&db)?,
            last_sweep: None,
            in_doubt: false,
            db,
        })
    }

    /// Whether new runs may start.
    pub(super) fn starts_work(&self) -> bool {
        self.mode.mode == Mode::Running
    }

    /// Moves a task, in memory; the caller saves the row. `false` if the event
    /// is stale. What belonged to the former state is cleared.
    pub(super) fn step(&mut self, task: &mut Record, event: TaskEvent) -> Result<bool> {
        let to = match task.state.on(&event) {
            To::State(to) => to,
            To::Stale => return Ok(false),
            To::Illegal => {
                return Err(Error::Corrupt(format!(
                    "task {}: {event:?} while {:?}",
                    task.id, task.state
                )));
            }
        };
        if task.state == TaskState::Running && to == TaskState::Running {
            return Ok(true);
        }
        self.tally.moved(task.lane, Some(task.state), Some(to));
        task.state = to;
        task.deadline = None;
        task.token = None;
        task.slip = 0;
        match to {
            TaskState::Ready => self.news.ready = true,
            TaskState::Scheduled => task.deadline = task.due_at,
            _ if to.is_final() => {
                task.finished_at = Some(self.now);
                task.deadline = Some(self.now);
                task.cancel = None;
                self.news.ended.push(task.id);
            }
            _ => {}
        }
        Ok(true)
    }

    /// Ends a task and resolves its dependents. `false` if the event is stale.
    pub(super) fn end(
        &mut self,
        task: &mut Record,
        event: TaskEvent,
        ending: &Ending<'_>,
    ) -> Result<bool> {
        let ended = self.end_one(task, event, ending)?;
        if ended {
            resolve::settle(self, task)?;
        }
        Ok(ended)
    }

    /// Ends a task; its dependents are the caller's concern.
    pub(super) fn end_one(
        &mut self,
        task: &mut Record,
        event: TaskEvent,
        ending: &Ending<'_>,
    ) -> Result<bool> {
        if !self.step(task, event)? {
            return Ok(false);
        }
        task.save(&self.db)?;
        let (result, error) = match ending {
            Ending::Result(result) => (Some(*result), None),
            Ending::Error(error) => (None, Some(error)),
        };
        records::save_outcome(&self.db, task.seq, result, error)?;
        Ok(true)
    }

    /// A verb begins: reads the clock. Returns where to go back to.
    pub(super) fn begin_verb(&mut self) -> usize {
        self.now = self.now.max(self.clock.now());
        self.news.begin_verb();
        self.tally.mark()
    }

    /// A verb is done: writes the figures it changed.
    pub(super) fn end_verb(&mut self) -> Result<()> {
        self.tally.save(&self.db)?;
        self.news.end_verb();
        Ok(())
    }

    /// A verb failed, and its savepoint is rolled back: memory follows.
    pub(super) fn undo_verb(&mut self, mark: usize) {
        self.tally.undo(mark);
        self.news.undo_verb();
        self.in_doubt |= self.reload().is_err();
    }

    /// A rollback did not go as asked. SQLite ends the whole transaction by
    /// itself where a full disk or a failing one stops a statement; what the
    /// group did before is gone then, and what it does after is committed verb
    /// by verb.
    pub(super) fn doubt(&mut self) {
        self.in_doubt = true;
    }

    /// The group's COMMIT succeeded or failed: memory follows.
    pub(super) fn settle_group(&mut self, committed: bool) {
        self.tally.forget_changes();
        self.in_doubt |= !committed;
    }

    /// Counts the rows again if they may differ from memory.
    pub(super) fn dispel_doubt(&mut self) -> Result<()> {
        if self.in_doubt {
            self.reload()?;
            self.tally = Tally::load(&self.db)?;
            self.in_doubt = false;
        }
        Ok(())
    }

    /// Reads again what a rollback may have changed and is small.
    fn reload(&mut self) -> Result<()> {
        self.names = Names::load(&self.db)?;
        self.mode = facts::mode(&self.db)?;
        self.orders = facts::orders(&self.db)?;
        self.learned = facts::learned(&self.db)?;
        Ok(())
    }
}
