//! Step 7: claims under fresh tokens, and their renewal.
//!
//! Invariant: a task is granted to one token at a time, and only if every
//! check passes at the moment of the claim.

use rusqlite::OptionalExtension;

use crate::{
    model::{AttemptToken, Json, Progress, Route, TaskEvent, TaskId, TaskState, WorkerId},
    store::{
        Result,
        verbs::{
            Claim, ClaimReply, ClaimTicket, Claimed, Granted, ParentResult, Renew, Renewal, RunRef,
        },
    },
};

use super::{
    core::Core,
    fault,
    pace::Measure,
    records::{self, Record},
    upkeep,
};

/// The verb `claim`.
pub(super) fn claim(core: &mut Core, claim: &Claim) -> Result<ClaimReply> {
    let mut outcomes = Vec::with_capacity(claim.tickets.len());
    for ticket in &claim.tickets {
        outcomes.push(claim_one(core, claim, ticket)?);
    }
    Ok(ClaimReply {
        outcomes,
        hint: hint(core)?,
    })
}

fn claim_one(core: &mut Core, claim: &Claim, ticket: &ClaimTicket) -> Result<Claimed> {
    let Some(mut task) = Record::by_id(&core.db, ticket.task)? else {
        return Ok(Claimed::Unknown);
    };
    if holds(&task, ticket.token) {
        return granted(core, &task);
    }
    let claimable = matches!(
        task.state,
        TaskState::Ready | TaskState::Taken | TaskState::Queued
    );
    if !claimable || task.attempt + 1 != ticket.attempt {
        return Ok(Claimed::Stale);
    }
    let held = if !core.starts_work() {
        Some(TaskEvent::HeldPaused)
    } else if task.due_at.is_some_and(|due| due > core.now) {
        Some(TaskEvent::HeldEarly)
    } else {
        None
    };
    if let Some(event) = held {
        core.step(&mut task, event)?;
        task.save(&core.db)?;
        return Ok(Claimed::Held);
    }
    if task.expired(core.now) {
        upkeep::expire(core, &mut task)?;
        return Ok(Claimed::Stale);
    }
    begin(core, &mut task, &claim.worker, ticket.token)?;
    task.deadline = Some(core.now.after(claim.lease));
    task.save(&core.db)?;
    granted(core, &task)
}

fn begin(core: &mut Core, task: &mut Record, worker: &WorkerId, token: AttemptToken) -> Result<()> {
    core.step(task, TaskEvent::Claimed)?;
    if task.attempt == 0 {
        let waited = core.now.since(task.submitted_at);
        core.pace
            .add(core.now, task.lane.tenant, Measure::Wait, waited);
    }
    task.attempt += 1;
    task.token = Some(token);
    task.worker = Some(worker.clone());
    task.started_at = Some(core.now);
    task.due_at = None;
    task.progress = None;
    Ok(())
}

fn granted(core: &Core, task: &Record) -> Result<Claimed> {
    let (spec, input): (String, String) = core
        .db
        .prepare_cached("SELECT spec, input FROM body WHERE seq = ?1")
        .and_then(|mut statement| {
            statement.query_row([task.seq], |row| Ok((row.get(0)?, row.get(1)?)))
        })
        .map_err(fault)?;
    let spec: crate::model::TaskSpec = serde_json::from_str(&spec)
        .map_err(|error| records::unreadable("a task's spec", &error))?;
    let parents = spec
        .reads
        .iter()
        .map(|parent| parent_result(core, *parent))
        .collect::<Result<_>>()?;
    Ok(Claimed::Granted(Box::new(Granted {
        task: task.id,
        spec,
        input: Json::from_text(input),
        attempt: task.attempt,
        failures: task.failures,
        parents,
    })))
}

fn parent_result(core: &Core, parent: TaskId) -> Result<ParentResult> {
    let result: Option<Option<String>> = core
        .db
        .prepare_cached(
            "SELECT o.result FROM task t JOIN outcome o ON o.seq = t.seq \
             WHERE t.id = ?1 AND t.state = 'C'",
        )
        .and_then(|mut statement| {
            statement
                .query_row([&parent.as_bytes()[..]], |row| row.get(0))
                .optional()
        })
        .map_err(fault)?;
    Ok(ParentResult {
        task: parent,
        result: result.flatten().map(Json::from_text),
    })
}

/// The verb `renew`.
pub(super) fn renew(core: &mut Core, renew: Renew) -> Result<Vec<Renewal>> {
    let mut answers = Vec::with_capacity(renew.runs.len());
    for (run, progress) in renew.runs {
        answers.push(renew_one(core, &run, progress, renew.lease)?);
    }
    Ok(answers)
}

fn renew_one(
    core: &mut Core,
    run: &RunRef,
    progress: Option<Progress>,
    lease: std::time::Duration,
) -> Result<Renewal> {
    let Some(mut task) = running(core, run)? else {
        return Ok(Renewal::Refused);
    };
    core.step(&mut task, TaskEvent::Renewed)?;
    task.deadline = Some(core.now.after(lease));
    task.progress = progress.or(task.progress);
    task.save(&core.db)?;
    Ok(if task.cancel.is_some() {
        Renewal::CancelAsked
    } else {
        Renewal::Kept
    })
}

/// The task of a run, if the run's token still holds.
pub(super) fn running(core: &Core, run: &RunRef) -> Result<Option<Record>> {
    Ok(Record::by_id(&core.db, run.task)?.filter(|task| holds(task, run.token)))
}

fn holds(task: &Record, token: AttemptToken) -> bool {
    task.state == TaskState::Running && task.token == Some(token)
}

/// The routes that have queued work, the most urgent first.
pub(super) fn hint(core: &Core) -> Result<Vec<Route>> {
    let mut routes = core
        .tally
        .lanes()
        .filter(|(_, figures)| figures.of(TaskState::Queued) > 0)
        .map(|(lane, _)| core.names.route(lane))
        .collect::<Result<Vec<_>>>()?;
    routes.sort();
    routes.dedup();
    Ok(routes)
}
