//! Step 8: outcomes are committed under their tokens, or runs are given back.
//!
//! Invariant: under a pending cancel only success is stored as what it is;
//! every other end becomes cancelled.

use std::time::Duration;

use crate::{
    model::{AttemptToken, ErrorCode, TaskError, TaskEvent, To},
    store::{
        Result,
        verbs::{Finish, FinishReply, Finished, Outcome, Release, Report, RunRef},
    },
};

use super::{
    core::{Core, Ending},
    facts, files,
    pace::Measure,
    records::{self, Record},
    run,
};

/// The weight of the newest run in a type's learned run time.
const LEARNING_RATE: f64 = 0.1;

/// The verb `finish`.
pub(super) fn finish(core: &mut Core, finish: &Finish) -> Result<FinishReply> {
    let mut outcomes = Vec::with_capacity(finish.reports.len());
    for report in &finish.reports {
        outcomes.push(finish_one(core, report)?);
    }
    Ok(FinishReply {
        outcomes,
        hint: run::hint(core)?,
    })
}

fn finish_one(core: &mut Core, report: &Report) -> Result<Finished> {
    let Some(mut task) = run::running(core, &report.run)? else {
        let done = Record::by_id(&core.db, report.run.task)?.and_then(|task| task.done);
        return Ok(match done {
            Some((token, state)) if token == report.run.token => Finished::Committed(state),
            _ => Finished::Stale,
        });
    };
    measure(core, &task, report)?;
    let token = report.run.token;
    match &report.outcome {
        Outcome::Completed(result) => {
            records::close_run(&core.db, &task, core.now, None)?;
            files::refer(core, &task, &report.files)?;
            remember(&mut task, token, TaskEvent::Succeeded);
            core.end(
                &mut task,
                TaskEvent::Succeeded,
                &Ending::Result(result.as_str()),
            )?;
        }
        Outcome::Failed { error, retry_in } if task.cancel.is_none() => {
            fail(core, &mut task, report, (error, *retry_in))?;
        }
        Outcome::Failed { .. } | Outcome::Cancelled => {
            remember(&mut task, token, TaskEvent::Stopped);
            stop(core, &mut task)?;
        }
    }
    Ok(Finished::Committed(task.state))
}

fn fail(
    core: &mut Core,
    task: &mut Record,
    report: &Report,
    (error, retry_in): (&TaskError, Duration),
) -> Result<()> {
    let why = (error.code.as_str(), error.message.as_str());
    records::close_run(&core.db, task, core.now, Some(why))?;
    task.failures += 1;
    let token = report.run.token;
    if error.retryable && task.failures < task.max_attempts {
        remember(task, token, TaskEvent::FailedForNow);
        task.due_at = Some(core.now.after(retry_in));
        core.step(task, TaskEvent::FailedForNow)?;
        task.save(&core.db)?;
    } else {
        remember(task, token, TaskEvent::FailedForGood);
        core.end(
            task,
            TaskEvent::FailedForGood,
            &Ending::Error(error.clone()),
        )?;
    }
    Ok(())
}

/// Ends a run as cancelled, with the reason that was given.
pub(super) fn stop(core: &mut Core, task: &mut Record) -> Result<()> {
    let error = cancelled(task.cancel.as_deref().unwrap_or_default());
    let why = (error.code.as_str(), error.message.as_str());
    records::close_run(&core.db, task, core.now, Some(why))?;
    core.end(task, TaskEvent::Stopped, &Ending::Error(error))?;
    Ok(())
}

/// What a cancelled task says.
pub(super) fn cancelled(reason: &str) -> TaskError {
    let message = if reason.is_empty() {
        "cancelled"
    } else {
        reason
    };
    TaskError::new(ErrorCode::Cancelled, message)
}

/// Remembers the report's token and where it leads, so that the same report
/// gets the same answer again.
fn remember(task: &mut Record, token: AttemptToken, event: TaskEvent) {
    if let To::State(state) = task.state.on(&event) {
        task.done = Some((token, state));
    }
}

fn measure(core: &mut Core, task: &Record, report: &Report) -> Result<()> {
    if matches!(report.outcome, Outcome::Cancelled) {
        return Ok(());
    }
    core.pace
        .add(core.now, task.lane.tenant, Measure::Run, report.ran_for);
    if matches!(report.outcome, Outcome::Completed(_)) {
        let took = report.ran_for.as_secs_f64() * 1e6;
        let mean = core.learned.entry(task.lane.kind).or_insert(took);
        *mean += LEARNING_RATE * (took - *mean);
        facts::keep_learned(&core.db, task.lane.kind, *mean)?;
    }
    Ok(())
}

/// The verb `release`.
pub(super) fn release(core: &mut Core, release: &Release) -> Result<Vec<bool>> {
    let mut answers = Vec::with_capacity(release.runs.len());
    for run in &release.runs {
        answers.push(release_one(core, run)?);
    }
    Ok(answers)
}

fn release_one(core: &mut Core, run: &RunRef) -> Result<bool> {
    let Some(mut task) = run::running(core, run)? else {
        return Ok(false);
    };
    if task.cancel.is_some() {
        stop(core, &mut task)?;
    } else {
        let why = ("released", "given back unfinished");
        records::close_run(&core.db, &task, core.now, Some(why))?;
        core.step(&mut task, TaskEvent::Released)?;
        task.save(&core.db)?;
    }
    Ok(true)
}
