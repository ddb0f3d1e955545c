//! The sweep: everything whose time has come is moved, a bounded number of
//! each kind at a time. And what a start finds left over from a former boot.
//!
//! Invariant: idempotent; a lease ends here and nowhere else.

use std::time::Duration;

use rusqlite::{ToSql, params};
use tracing::error;

use crate::{
    model::{ErrorCode, Stamp, TaskError, TaskEvent, TaskState},
    store::{
        Error, Result,
        verbs::{Overdue, Sweep, Swept},
    },
};

use super::{
    core::{Core, Ending},
    dispatch::SLIP,
    facts, fault, files, fleet, orders,
    records::{self, Record},
    report, resolve,
    tally::Lane,
};

/// How long idempotency keys and announced types are kept, in microseconds: a
/// day.
pub(super) const KEYS_KEPT: i64 = 24 * 3600 * 1_000_000;

/// The verb.
pub(super) fn sweep(core: &mut Core, sweep: &Sweep) -> Result<Swept> {
    let mut swept = Swept {
        outage: outage(core, sweep)?,
        ..Swept::default()
    };
    swept.due = due(core, sweep)?;
    swept.takes_lapsed = takes(core, sweep)?;
    if !swept.outage {
        leases(core, sweep, &mut swept)?;
    }
    swept.expired = expired(core, sweep)?;
    swept.reaped = retention(core, sweep)?;
    swept.files_expired = files::expire(core, sweep.limit)?;
    swept.overdue = overdue(core, sweep)?;
    let moved = [
        swept.due,
        swept.takes_lapsed,
        swept.leases_lapsed + swept.workers_lost,
        swept.expired,
        swept.reaped,
        swept.files_expired,
    ];
    swept.more = moved.into_iter().any(|count| count >= sweep.limit);
    swept.next_due = next_due(core)?;
    forget_keys(core, sweep.limit)?;
    fleet::forget_silent(core)?;
    orders::forget(core)?;
    Ok(swept)
}

/// Whether nobody could have renewed a lease; if so, extends them all.
fn outage(core: &mut Core, sweep: &Sweep) -> Result<bool> {
    let last = core.last_sweep.replace(core.now);
    let silent = last.map_or(Duration::ZERO, |last| core.now.since(last));
    if silent <= sweep.outage_after {
        return Ok(false);
    }
    core.db
        .prepare_cached("UPDATE task SET deadline = max(deadline, ?1) WHERE state = 'X'")
        .and_then(|mut statement| statement.execute([core.now.after(sweep.lease).micros()]))
        .map_err(fault)?;
    Ok(true)
}

fn due(core: &mut Core, sweep: &Sweep) -> Result<u32> {
    move_all(
        core,
        lapsed(core, TaskState::Scheduled, sweep)?,
        TaskEvent::Due,
    )
}

fn takes(core: &mut Core, sweep: &Sweep) -> Result<u32> {
    let tasks = lapsed(core, TaskState::Taken, sweep)?;
    move_all(core, tasks, TaskEvent::TakeLapsed)
}

fn move_all(core: &mut Core, tasks: Vec<Record>, event: TaskEvent) -> Result<u32> {
    let mut moved = 0;
    for mut task in tasks {
        if core.step(&mut task, event)? {
            task.save(&core.db)?;
            moved += 1;
        }
    }
    Ok(moved)
}

fn leases(core: &mut Core, sweep: &Sweep, swept: &mut Swept) -> Result<()> {
    let over = lapsed(core, TaskState::Running, sweep)?;
    facts::count(&core.db, facts::LEASES_LAPSED, over.len())?;
    for mut task in over {
        if task.cancel.is_some() {
            report::stop(core, &mut task)?;
            swept.leases_lapsed += 1;
            continue;
        }
        let error = TaskError::new(
            ErrorCode::WorkerLost,
            format!(
                "its worker stopped renewing the lease, {} times while it ran alone; look at that worker's memory and logs",
                task.lapses_alone + 1
            ),
        );
        lapse_run(core, &task)?;
        let alone = std::mem::replace(&mut task.solo, true);
        task.lapses_alone += u32::from(alone);
        if alone && task.lapses_alone >= sweep.lapse_cap {
            core.end(&mut task, TaskEvent::LapsedOut, &Ending::Error(error))?;
            swept.workers_lost += 1;
        } else {
            core.step(&mut task, TaskEvent::Lapsed)?;
            task.save(&core.db)?;
            swept.leases_lapsed += 1;
        }
    }
    Ok(())
}

fn lapse_run(core: &Core, task: &Record) -> Result<()> {
    let why = (ErrorCode::WorkerLost.as_str(), "its lease ran out");
    records::close_run(&core.db, task, core.now, Some(why))
}

fn expired(core: &mut Core, sweep: &Sweep) -> Result<u32> {
    let tasks = Record::all(
        &core.db,
        "INDEXED BY task_expiry WHERE expires_at IS NOT NULL AND expires_at <= ?1 \
         AND state IN ('W', 'S', 'R', 'T', 'Q') ORDER BY expires_at LIMIT ?2",
        &[&core.now.micros(), &sweep.limit],
    )?;
    let mut count = 0;
    for task in tasks {
        // An earlier one of this list may have cancelled it.
        if let Some(mut task) = Record::by_seq(&core.db, task.seq)? {
            count += u32::from(expire(core, &mut task)?);
        }
    }
    Ok(count)
}

/// Fails a pending task because it did not start in time.
pub(super) fn expire(core: &mut Core, task: &mut Record) -> Result<bool> {
    let error = TaskError::new(
        ErrorCode::Expired,
        "it did not start before its expires_at; submit it again with a later one",
    );
    core.end(task, TaskEvent::Expired, &Ending::Error(error))
}

/// Removes ended tasks whose time is over and whose dependents are gone.
fn retention(core: &mut Core, sweep: &Sweep) -> Result<u32> {
    let retention = i64::try_from(sweep.retention.as_micros()).unwrap_or(i64::MAX);
    let latest = core.now.micros().saturating_sub(retention);
    let mut removed = 0;
    // A removed dependent may set its parents free: look again while it helps.
    loop {
        let before = removed;
        for state in [
            TaskState::Completed,
            TaskState::Failed,
            TaskState::Cancelled,
        ] {
            let old = Record::all(
                &core.db,
                "INDEXED BY task_deadline WHERE state = ?1 AND deadline <= ?2 \
                 AND NOT EXISTS (SELECT 1 FROM edge WHERE parent = seq) \
                 ORDER BY deadline LIMIT ?3",
                &[&records::letter(state), &latest, &(sweep.limit - removed)],
            )?;
            for task in old {
                remove(core, &task)?;
                removed += 1;
            }
        }
        if removed == before || removed >= sweep.limit {
            break;
        }
    }
    if removed > 0 {
        facts::keep_next_seq(&core.db, core.next_seq)?;
    }
    Ok(removed)
}

fn remove(core: &mut Core, task: &Record) -> Result<()> {
    let parents = match resolve::spec_of(&core.db, task.seq) {
        Ok(spec) => spec.depends_on,
        // Its edges are found the slow way: one task that cannot be read must
        // not stop the sweep.
        Err(Error::Corrupt(reason)) => {
            error!(task_id = %task.id, reason, "a task that cannot be read is removed");
            core.db
                .execute("DELETE FROM edge WHERE child = ?1", [task.seq])
                .map_err(fault)?;
            Vec::new()
        }
        Err(other) => return Err(other),
    };
    for parent in parents {
        if let Some(parent) = Record::by_id(&core.db, parent)? {
            core.db
                .prepare_cached("DELETE FROM edge WHERE parent = ?1 AND child = ?2")
                .and_then(|mut statement| statement.execute(params![parent.seq, task.seq]))
                .map_err(fault)?;
        }
    }
    files::unrefer(core, task)?;
    for sql in [
        "DELETE FROM task WHERE seq = ?1",
        "DELETE FROM body WHERE seq = ?1",
        "DELETE FROM outcome WHERE seq = ?1",
        "DELETE FROM run WHERE seq = ?1",
    ] {
        core.db
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([task.seq]))
            .map_err(fault)?;
    }
    core.tally.moved(task.lane, Some(task.state), None);
    Ok(())
}

/// Counted per route, so that a route with many late slips (its workers are
/// busy) hides no other whose slips are lost.
fn overdue(core: &Core, sweep: &Sweep) -> Result<Vec<Overdue>> {
    let mut statement = core
        .db
        .prepare_cached(
            "SELECT 0, type, priority, count(*) FROM task INDEXED BY task_deadline \
             WHERE state = 'Q' AND deadline <= ?1 GROUP BY 2, 3",
        )
        .map_err(fault)?;
    let routes: Vec<(Lane, i64)> = statement
        .query_map([core.now.micros()], |row| {
            Ok((records::lane(row, 0)?, row.get(3)?))
        })
        .and_then(Iterator::collect)
        .map_err(fault)?;
    let mut found = Vec::with_capacity(routes.len());
    for (lane, tasks) in routes {
        found.push(Overdue {
            route: core.names.route(lane)?,
            tasks: u32::try_from(tasks).map_or(sweep.limit, |tasks| tasks.min(sweep.limit)),
            slips: slips(core, lane)?,
        });
    }
    found.sort_unstable_by(|a, b| a.route.cmp(&b.route));
    Ok(found)
}

/// The slips of a lane's route that are believed published and unclaimed.
fn slips(core: &Core, lane: Lane) -> Result<u32> {
    let weight: i64 = core
        .db
        .prepare_cached(
            "SELECT coalesce(sum(slip), 0) FROM task INDEXED BY task_deadline \
             WHERE state = 'Q' AND deadline IS NOT NULL AND type = ?1 AND priority = ?2",
        )
        .and_then(|mut statement| {
            statement.query_row(params![lane.kind, lane.priority.rank()], |row| row.get(0))
        })
        .map_err(fault)?;
    Ok(u32::try_from((weight + SLIP - 1) / SLIP).unwrap_or(u32::MAX))
}

fn next_due(core: &Core) -> Result<Option<Duration>> {
    let next: Option<i64> = core
        .db
        .prepare_cached("SELECT min(deadline) FROM task WHERE state = 'S' AND deadline IS NOT NULL")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(fault)?;
    Ok(next.map(|at| Stamp::from_micros(at).since(core.now)))
}

fn forget_keys(core: &Core, limit: u32) -> Result<()> {
    core.db
        .prepare_cached(
            "DELETE FROM idempotency WHERE (tenant, key) IN \
             (SELECT tenant, key FROM idempotency WHERE at <= ?1 LIMIT ?2)",
        )
        .and_then(|mut statement| statement.execute(params![core.now.micros() - KEYS_KEPT, limit]))
        .map_err(fault)?;
    Ok(())
}

/// Tasks of a state whose deadline has passed, the earliest first.
fn lapsed(core: &Core, state: TaskState, sweep: &Sweep) -> Result<Vec<Record>> {
    let given: [&dyn ToSql; 3] = [&records::letter(state), &core.now.micros(), &sweep.limit];
    Record::all(
        &core.db,
        "INDEXED BY task_deadline WHERE state = ?1 AND deadline <= ?2 ORDER BY deadline, seq LIMIT ?3",
        &given,
    )
}

/// Puts in order what a former boot left behind: its workers and its broker
/// died with it, so every lease lapses at once, and what was taken or queued
/// is ready again.
///
/// These lapses mark no task as suspect and count towards no cap: the whole
/// process ended, for whatever reason, and says nothing about one task.
pub(super) fn recover(core: &mut Core) -> Result<()> {
    for (state, event) in [
        (TaskState::Taken, TaskEvent::TakeLapsed),
        (TaskState::Queued, TaskEvent::Requeued),
        (TaskState::Running, TaskEvent::Lapsed),
    ] {
        let left = Record::all(
            &core.db,
            "INDEXED BY task_deadline WHERE state = ?1 AND deadline IS NOT NULL",
            &[&records::letter(state)],
        )?;
        for mut task in left {
            if task.cancel.is_some() {
                report::stop(core, &mut task)?;
                continue;
            }
            if state == TaskState::Running {
                lapse_run(core, &task)?;
            }
            core.step(&mut task, event)?;
            task.save(&core.db)?;
        }
    }
    Ok(())
}
