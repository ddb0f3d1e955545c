//! Step 3: a plan is stored whole, or not at all.
//!
//! Invariant: everything is checked before anything is written.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, params};

use crate::{
    model::{Json, OnDependencyFailure, TaskEvent, TaskId, TaskState, TenantId},
    store::{
        Result,
        verbs::{Idempotency, Mode, NewTask, Submission, Submitted},
    },
};

use super::{
    core::Core,
    facts, fault, files,
    records::{self, Record},
    resolve,
    tally::Lane,
    upkeep::KEYS_KEPT,
};

/// The verb.
pub(super) fn submit(core: &mut Core, submission: &Submission) -> Result<Submitted> {
    if let Some(answer) = known_key(core, submission)? {
        return Ok(answer);
    }
    if asked_before(core, submission)? {
        return Ok(Submitted::Accepted);
    }
    if core.mode.mode == Mode::Stopped {
        return Ok(Submitted::Stopped);
    }
    let mut family = Family::default();
    let unknown = family.meet(core, submission)?;
    if !unknown.is_empty() {
        return Ok(Submitted::UnknownParents(unknown));
    }
    let unknown = files::unknown(core, submission)?;
    if !unknown.is_empty() {
        return Ok(Submitted::UnknownFiles(unknown));
    }
    for task in &submission.tasks {
        store(core, task, &mut family)?;
    }
    facts::count(&core.db, facts::SUBMITTED, submission.tasks.len())?;
    if let Some(idempotency) = &submission.idempotency {
        keep_key(core, &submission.tenant, idempotency)?;
    }
    Ok(Submitted::Accepted)
}

/// The answer to a key that was used within the last day.
fn known_key(core: &Core, submission: &Submission) -> Result<Option<Submitted>> {
    let (Some(asked), Some(tenant)) = (
        &submission.idempotency,
        core.names.known(submission.tenant.as_str()),
    ) else {
        return Ok(None);
    };
    let found: Option<(i64, String, String)> = core
        .db
        .prepare_cached(
            "SELECT at, fingerprint, reply FROM idempotency WHERE tenant = ?1 AND key = ?2",
        )
        .and_then(|mut statement| {
            statement
                .query_row(params![tenant, asked.key], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()
        })
        .map_err(fault)?;
    Ok(found
        .filter(|(at, ..)| core.now.micros() - at < KEYS_KEPT)
        .map(|(_, fingerprint, reply)| {
            if fingerprint == asked.fingerprint {
                Submitted::Replayed(Json::from_text(reply))
            } else {
                Submitted::KeyReused
            }
        }))
}

/// Whether this very submission was stored before and its answer got lost:
/// ids are minted once per submission.
fn asked_before(core: &Core, submission: &Submission) -> Result<bool> {
    let Some(first) = submission.tasks.first() else {
        return Ok(false);
    };
    Ok(Record::by_id(&core.db, first.id)?
        .is_some_and(|task| Some(task.lane.tenant) == core.names.known(submission.tenant.as_str())))
}

fn keep_key(core: &mut Core, tenant: &TenantId, idempotency: &Idempotency) -> Result<()> {
    let tenant = core.names.number(&core.db, tenant.as_str())?;
    core.db
        .prepare_cached("INSERT OR REPLACE INTO idempotency VALUES (?1, ?2, ?3, ?4, ?5)")
        .and_then(|mut statement| {
            statement.execute(params![
                tenant,
                idempotency.key,
                core.now.micros(),
                idempotency.fingerprint,
                idempotency.reply.as_str()
            ])
        })
        .map_err(fault)?;
    Ok(())
}

/// The tasks that this submission's tasks may depend on: number and state.
#[derive(Default)]
struct Family(HashMap<TaskId, (i64, TaskState)>);

impl Family {
    /// Finds all parents; returns those that are neither stored nor earlier in
    /// the submission.
    fn meet(&mut self, core: &Core, submission: &Submission) -> Result<Vec<(usize, TaskId)>> {
        let tenant = core.names.known(submission.tenant.as_str());
        let mut earlier = std::collections::HashSet::new();
        let mut unknown = Vec::new();
        for (place, task) in submission.tasks.iter().enumerate() {
            for parent in &task.spec.depends_on {
                if earlier.contains(parent) || self.0.contains_key(parent) {
                    continue;
                }
                let found = Record::by_id(&core.db, *parent)?
                    .filter(|found| Some(found.lane.tenant) == tenant);
                match found {
                    Some(found) => drop(self.0.insert(*parent, (found.seq, found.state))),
                    None => unknown.push((place, *parent)),
                }
            }
            earlier.insert(task.id);
        }
        Ok(unknown)
    }
}

fn store(core: &mut Core, task: &NewTask, family: &mut Family) -> Result<()> {
    let spec = &task.spec;
    let parents: Vec<(TaskId, i64, TaskState)> = spec
        .depends_on
        .iter()
        .filter_map(|id| family.0.get(id).map(|(seq, state)| (*id, *seq, *state)))
        .collect();
    let mut record = first_row(core, task)?;
    let open = parents.iter().filter(|(_, _, state)| !state.is_final());
    record.open = u32::try_from(open.count()).unwrap_or(u32::MAX);
    let lost = parents
        .iter()
        .find(|(_, _, state)| matches!(state, TaskState::Failed | TaskState::Cancelled))
        .filter(|_| record.cancels);
    core.tally
        .moved(record.lane, None, Some(TaskState::Waiting));
    if lost.is_some() {
        // `step` writes nothing; the row is inserted below in its last state.
        core.step(&mut record, TaskEvent::ParentFailed)?;
    } else if record.open == 0 {
        let event = resolve::unblocked(&record, core.now);
        core.step(&mut record, event)?;
    }
    record.insert(&core.db, task)?;
    files::refer(core, &record, &task.files)?;
    if let Some((parent, ..)) = lost {
        let error = resolve::dependency_failed(*parent);
        records::save_outcome(&core.db, record.seq, None, Some(&error))?;
    }
    for (_, parent, state) in &parents {
        resolve::link(&core.db, *parent, record.seq, !state.is_final())?;
    }
    family.0.insert(task.id, (record.seq, record.state));
    Ok(())
}

/// The row of a task that has just arrived, still waiting.
fn first_row(core: &mut Core, task: &NewTask) -> Result<Record> {
    let spec = &task.spec;
    let seq = core.next_seq;
    core.next_seq += 1;
    Ok(Record {
        seq,
        id: task.id,
        lane: Lane {
            priority: spec.priority,
            kind: core.names.number(&core.db, spec.workflow_type.as_str())?,
            tenant: core.names.number(&core.db, spec.tenant.as_str())?,
        },
        cancels: spec.on_dependency_failure == OnDependencyFailure::Cancel,
        max_attempts: spec.retry.max_attempts,
        submitted_at: core.now,
        state: TaskState::Waiting,
        attempt: 0,
        failures: 0,
        lapses_alone: 0,
        solo: false,
        open: 0,
        slip: 0,
        due_at: spec.run_at,
        deadline: None,
        expires_at: spec.expires_at,
        started_at: None,
        finished_at: None,
        token: None,
        done: None,
        worker: None,
        cancel: None,
        progress: None,
        too_large: None,
        asides: 0,
    })
}
