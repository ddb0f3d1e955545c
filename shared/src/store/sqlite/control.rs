//! What people ask for: cancel, retry, and the mode of the fleet.
//!
//! Invariant: tasks of another tenant are unknown.

use crate::{
    model::{Stamp, TaskEvent, TaskId, TaskState, TenantId},
    store::{
        Result,
        verbs::{Cancel, CancelOutcome, ModeAsked, ModeState, Retry, RetryOutcome},
    },
};

use super::{
    core::{Core, Ending},
    facts,
    records::Record,
    report,
    resolve::{self, Revival},
};

/// The verb `cancel`.
pub(super) fn cancel(core: &mut Core, cancel: &Cancel) -> Result<Vec<CancelOutcome>> {
    let mut answers = Vec::with_capacity(cancel.ids.len());
    for id in &cancel.ids {
        answers.push(cancel_one(core, cancel, *id)?);
    }
    Ok(answers)
}

fn cancel_one(core: &mut Core, cancel: &Cancel, id: TaskId) -> Result<CancelOutcome> {
    let Some(mut task) = own(core, &cancel.tenant, id)? else {
        return Ok(CancelOutcome::Unknown);
    };
    if task.state == TaskState::Running {
        core.step(&mut task, TaskEvent::CancelAsked)?;
        task.cancel.get_or_insert_with(|| cancel.reason.clone());
        task.save(&core.db)?;
        core.news.cancel_asked.push(id);
        return Ok(CancelOutcome::Requested);
    }
    let ending = &Ending::Error(report::cancelled(&cancel.reason));
    Ok(if core.end(&mut task, TaskEvent::CancelAsked, ending)? {
        CancelOutcome::Cancelled
    } else {
        CancelOutcome::WrongState(task.state)
    })
}

/// The verb `retry`.
pub(super) fn retry(core: &mut Core, retry: &Retry) -> Result<Vec<RetryOutcome>> {
    let mut answers = Vec::with_capacity(retry.ids.len());
    for id in &retry.ids {
        answers.push(retry_one(core, &retry.tenant, *id)?);
    }
    Ok(answers)
}

fn retry_one(core: &mut Core, tenant: &TenantId, id: TaskId) -> Result<RetryOutcome> {
    let Some(mut task) = own(core, tenant, id)? else {
        return Ok(RetryOutcome::Unknown);
    };
    if !matches!(task.state, TaskState::Failed | TaskState::Cancelled) {
        return Ok(RetryOutcome::WrongState(task.state));
    }
    if let Revival::ParentFailed(parent) = resolve::revive(core, &mut task)? {
        return Ok(RetryOutcome::ParentFailed(parent));
    }
    resolve::revive_dependents(core, &task)?;
    Ok(RetryOutcome::Revived {
        attempt: task.attempt,
    })
}

fn own(core: &Core, tenant: &TenantId, id: TaskId) -> Result<Option<Record>> {
    let tenant = core.names.known(tenant.as_str());
    Ok(Record::by_id(&core.db, id)?.filter(|task| Some(task.lane.tenant) == tenant))
}

/// The verb `set_mode`.
pub(super) fn set_mode(core: &mut Core, asked: ModeAsked) -> Result<ModeState> {
    let changed = core.mode.mode != asked.mode;
    // What nobody set before is recorded once: who asked for it, and when, is
    // worth knowing.
    if !changed && core.mode.at != Stamp::default() {
        return Ok(core.mode.clone());
    }
    let mode = ModeState {
        mode: asked.mode,
        changed: false,
        by: asked.by,
        reason: asked.reason,
        at: core.now,
    };
    facts::set_mode(&core.db, &mode)?;
    core.mode = mode.clone();
    core.news.mode |= changed;
    core.news.ready |= changed && core.starts_work();
    Ok(ModeState { changed, ..mode })
}
