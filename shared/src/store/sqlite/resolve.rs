//! Step 9: what the end of a task means for those that depend on it.
//!
//! Invariant: a waiting task's `open` equals the number of its open edges.
//! Cascades are iterative, breadth first, in order of acceptance.

use std::collections::VecDeque;

use rusqlite::{Connection, params};

use crate::{
    model::{ErrorCode, Stamp, TaskError, TaskEvent, TaskId, TaskSpec, TaskState},
    store::{Error, Result},
};

use super::{
    core::{Core, Ending},
    fault,
    records::{self, Record},
};

/// What a dependent says when a parent's end ended it.
pub(super) fn dependency_failed(parent: TaskId) -> TaskError {
    TaskError::new(
        ErrorCode::DependencyFailed,
        format!("task {parent}, on which this one depends, did not complete"),
    )
}

/// The event of a task whose last parent has settled.
pub(super) fn unblocked(task: &Record, now: Stamp) -> TaskEvent {
    if task.due_at.is_some_and(|due| due > now) {
        TaskEvent::UnblockedEarly
    } else {
        TaskEvent::Unblocked
    }
}

/// Resolves the dependents of a task that has just ended, and theirs.
pub(super) fn settle(core: &mut Core, ended: &Record) -> Result<()> {
    let mut ends = VecDeque::from([(ended.seq, ended.id, ended.state)]);
    while let Some((seq, id, state)) = ends.pop_front() {
        let waiting = children(&core.db, seq, "AND open = 1")?;
        if waiting.is_empty() {
            continue;
        }
        core.db
            .prepare_cached("UPDATE edge SET open = 0 WHERE parent = ?1 AND open = 1")
            .and_then(|mut statement| statement.execute([seq]))
            .map_err(fault)?;
        for child in waiting {
            let mut child = known(&core.db, child)?;
            if child.state != TaskState::Waiting {
                continue;
            }
            if state == TaskState::Completed || !child.cancels {
                child.open = child.open.saturating_sub(1);
                if child.open == 0 {
                    let event = unblocked(&child, core.now);
                    core.step(&mut child, event)?;
                }
                child.save(&core.db)?;
            } else {
                let ending = &Ending::Error(dependency_failed(id));
                if core.end_one(&mut child, TaskEvent::ParentFailed, ending)? {
                    ends.push_back((child.seq, child.id, child.state));
                }
            }
        }
    }
    Ok(())
}

/// Whether a failed or cancelled task can be pending again.
pub(super) enum Revival {
    /// Yes.
    Done,
    /// No: this parent failed, and the task depends on its success.
    ParentFailed(TaskId),
}

/// Makes a failed or cancelled task pending again, as the present states of
/// its parents allow.
pub(super) fn revive(core: &mut Core, task: &mut Record) -> Result<Revival> {
    let spec = spec_of(&core.db, task.seq)?;
    let mut parents = Vec::with_capacity(spec.depends_on.len());
    for id in &spec.depends_on {
        if let Some(parent) = Record::by_id(&core.db, *id)? {
            let failed = matches!(parent.state, TaskState::Failed | TaskState::Cancelled);
            if failed && task.cancels {
                return Ok(Revival::ParentFailed(*id));
            }
            parents.push((parent.seq, !parent.state.is_final()));
        }
    }
    for (parent, open) in &parents {
        link(&core.db, *parent, task.seq, *open)?;
    }
    let open = parents.iter().filter(|(_, open)| *open).count();
    task.open = u32::try_from(open).unwrap_or(u32::MAX);
    task.failures = 0;
    task.lapses_alone = 0;
    task.solo = false;
    task.finished_at = None;
    task.due_at = None;
    task.progress = None;
    task.too_large = None;
    task.asides = 0;
    if task.expired(core.now) {
        task.expires_at = None;
    }
    let event = if open == 0 {
        TaskEvent::Retried
    } else {
        TaskEvent::RetriedBlocked
    };
    core.step(task, event)?;
    task.save(&core.db)?;
    core.db
        .prepare_cached("DELETE FROM outcome WHERE seq = ?1")
        .and_then(|mut statement| statement.execute([task.seq]))
        .map_err(fault)?;
    Ok(Revival::Done)
}

/// Revives the dependents that a revived task's failure had cancelled, and
/// theirs. Those with another failed parent stay as they are; they are looked
/// at again if that one is revived, too.
pub(super) fn revive_dependents(core: &mut Core, revived: &Record) -> Result<()> {
    let mut queue = VecDeque::from([revived.seq]);
    while let Some(seq) = queue.pop_front() {
        for child in children(&core.db, seq, "")? {
            let mut child = known(&core.db, child)?;
            if child.state != TaskState::Cancelled {
                continue;
            }
            let reason = records::error_of(&core.db, child.seq)?.map(|error| error.code);
            if reason != Some(ErrorCode::DependencyFailed) {
                continue;
            }
            match revive(core, &mut child)? {
                Revival::Done => queue.push_back(child.seq),
                // The one that it named may be pending again.
                Revival::ParentFailed(parent) => {
                    let error = dependency_failed(parent);
                    records::save_outcome(&core.db, child.seq, None, Some(&error))?;
                }
            }
        }
    }
    Ok(())
}

/// Records that one task depends on another.
pub(super) fn link(db: &Connection, parent: i64, child: i64, open: bool) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO edge VALUES (?1, ?2, ?3)")
        .and_then(|mut statement| statement.execute(params![parent, child, open]))
        .map_err(fault)?;
    Ok(())
}

/// What was asked for.
pub(super) fn spec_of(db: &Connection, seq: i64) -> Result<TaskSpec> {
    let text: String = db
        .prepare_cached("SELECT spec FROM body WHERE seq = ?1")
        .and_then(|mut statement| statement.query_row([seq], |row| row.get(0)))
        .map_err(fault)?;
    serde_json::from_str(&text).map_err(|error| records::unreadable("a task's spec", &error))
}

fn children(db: &Connection, parent: i64, only: &str) -> Result<Vec<i64>> {
    let sql = format!("SELECT child FROM edge WHERE parent = ?1 {only} ORDER BY child");
    let mut statement = db.prepare_cached(&sql).map_err(fault)?;
    let rows = statement
        .query_map([parent], |row| row.get(0))
        .map_err(fault)?;
    rows.collect::<rusqlite::Result<_>>().map_err(fault)
}

fn known(db: &Connection, seq: i64) -> Result<Record> {
    Record::by_seq(db, seq)?
        .ok_or_else(|| Error::Corrupt(format!("an edge leads to task number {seq}, which is gone")))
}
