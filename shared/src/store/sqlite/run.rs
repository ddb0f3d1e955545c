//! Step 7: claims under fresh tokens, and their renewal.
//!
//! Invariant: a task is granted to one token at a time, and only if every
//! check passes at the moment of the claim.

use rusqlite::OptionalExtension;

use crate::{
    model::{AttemptToken, Json, Progress, Route, TaskEvent, TaskId, TaskState, To, WorkerId},
    store::{
        Error, Result,
        verbs::{
            Aside, Claim, ClaimReply, ClaimTicket, Claimed, Granted, ParentResult, Renew, Renewal,
            RunRef,
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
        return granted(core, &task).or_else(unreadable);
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
    granted(core, &task).or_else(unreadable)
}

/// A grant that cannot be read concerns its own task alone.
fn unreadable(error: Error) -> Result<Claimed> {
    match error {
        Error::Corrupt(reason) => Ok(Claimed::Unreadable(reason)),
        other => Err(other),
    }
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
    task.too_large = None;
    task.asides = 0;
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

/// The verb `set_aside`.
pub(super) fn set_aside(core: &mut Core, asides: &[Aside]) -> Result<Vec<bool>> {
    let mut answers = Vec::with_capacity(asides.len());
    for aside in asides {
        answers.push(set_one_aside(core, aside)?);
    }
    Ok(answers)
}

fn set_one_aside(core: &mut Core, aside: &Aside) -> Result<bool> {
    let task = Record::by_id(&core.db, aside.task)?;
    let Some(mut task) = task.filter(|task| task.attempt + 1 == aside.attempt) else {
        return Ok(false);
    };
    if task.state == TaskState::Scheduled && task.too_large.is_some() {
        // Asked again, or through another slip.
        return Ok(true);
    }
    if !matches!(task.state.on(&TaskEvent::SetAside), To::State(_)) {
        return Ok(false);
    }
    task.due_at = Some(core.now.after(aside.delay(task.asides)));
    task.too_large = i64::try_from(aside.bytes()).ok();
    task.asides += 1;
    core.step(&mut task, TaskEvent::SetAside)?;
    task.save(&core.db)?;
    Ok(true)
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

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use serde_json::json;

    use super::*;
    use crate::{
        clock::{Clock, SystemClock},
        model::{Nonce, TenantId},
        store::{
            Store,
            sqlite::{Options, SqliteStore},
            verbs::{NewTask, Submission, Sweep},
        },
    };

    const HOUR: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn one_task_that_cannot_be_read_stops_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            data_dir: dir.path().to_owned(),
            clock: Arc::new(SystemClock),
        };
        let store = SqliteStore::open(options).unwrap();
        let spec = json!({
            "tenant": "default", "workflow_type": "t", "priority": "low", "timeout_ms": 1,
            "correlation_id": "c"
        });
        let tasks: Vec<_> = (0..2)
            .map(|_| NewTask {
                id: TaskId::mint(0, SystemClock.now(), &mut rand::rng()),
                spec: serde_json::from_value(spec.clone()).unwrap(),
                input: Json::from_text("{}".into()),
                files: Vec::new(),
            })
            .collect();
        let ids = [tasks[0].id, tasks[1].id];
        let submission = Submission {
            tenant: TenantId::default(),
            tasks,
            idempotency: None,
        };
        store.submit(submission).await.unwrap();
        let damage = rusqlite::Connection::open(dir.path().join("zerogate.sqlite")).unwrap();
        damage
            .execute(
                "UPDATE body SET spec = '{\"of a\": \"newer version\"}' WHERE seq = 1",
                [],
            )
            .unwrap();
        damage
            .execute(
                "UPDATE task SET progress = '{}', worker = 'not a worker''s id'",
                [],
            )
            .unwrap();
        let tickets = ids.map(|task| ClaimTicket {
            task,
            attempt: 1,
            token: Nonce::draw(&mut rand::rng()),
        });
        let claim = Claim {
            worker: "w-1".parse().unwrap(),
            lease: HOUR,
            tickets: tickets.to_vec(),
        };
        let outcomes = store.claim(claim).await.unwrap().outcomes;
        let [Claimed::Unreadable(_), Claimed::Granted(_)] = &outcomes[..] else {
            panic!("{outcomes:?}")
        };
        // The end of both, and their removal.
        damage
            .execute("UPDATE task SET state = 'F', deadline = 1", [])
            .unwrap();
        let sweep = Sweep {
            outage_after: HOUR,
            lease: HOUR,
            lapse_cap: 5,
            retention: Duration::ZERO,
            limit: 10,
        };
        assert_eq!(store.sweep(sweep).await.unwrap().reaped, 2);
    }
}
