//! What people ask: cancel, retry, and the mode of the fleet.

use redis::Value;

use crate::store::{
    Error, Result,
    verbs::{Cancel, CancelOutcome, Mode, ModeAsked, ModeState, Retry, RetryOutcome},
};

use super::{
    connection::{Lane, Link},
    reply::{self, Items},
    scripts::{self, Ask},
};

/// Cancels tasks.
pub(super) async fn cancel(link: &Link, cancel: Cancel) -> Result<Vec<CancelOutcome>> {
    let mut ask = Ask::new(&scripts::CANCEL, link.base());
    ask.arg(cancel.tenant.as_str()).arg(&cancel.reason);
    for id in &cancel.ids {
        ask.id(*id);
    }
    let answer = link.ask(Lane::Verbs, &ask).await?;
    reply::text(answer)?
        .chars()
        .map(|letter| match letter {
            'c' => Ok(CancelOutcome::Cancelled),
            'r' => Ok(CancelOutcome::Requested),
            'u' => Ok(CancelOutcome::Unknown),
            letter => reply::state(letter).map(CancelOutcome::WrongState),
        })
        .collect()
}

/// Revives tasks.
pub(super) async fn retry(link: &Link, retry: Retry) -> Result<Vec<RetryOutcome>> {
    let mut ask = Ask::new(&scripts::RETRY, link.base());
    ask.arg(retry.tenant.as_str());
    for id in &retry.ids {
        ask.id(*id);
    }
    let mut answers = Items::of(link.ask(Lane::Verbs, &ask).await?)?;
    let mut outcomes = Vec::with_capacity(retry.ids.len());
    while !answers.is_empty() {
        let mut answer = answers.items()?;
        outcomes.push(match answer.text()?.as_str() {
            "r" => RetryOutcome::Revived {
                attempt: answer.small()?,
            },
            "p" => RetryOutcome::ParentFailed(answer.id()?),
            "u" => RetryOutcome::Unknown,
            "w" => {
                let letter = answer.text()?.chars().next().unwrap_or('?');
                RetryOutcome::WrongState(reply::state(letter)?)
            }
            _ => return Err(Error::Corrupt("an outcome of a retry".into())),
        });
    }
    Ok(outcomes)
}

/// Changes the mode.
pub(super) async fn set_mode(link: &Link, asked: ModeAsked) -> Result<ModeState> {
    let mut ask = Ask::new(&scripts::SET_MODE, link.base());
    ask.arg(mode_name(asked.mode))
        .arg(&asked.by)
        .arg(&asked.reason);
    mode_state(link.ask(Lane::Verbs, &ask).await?)
}

/// Reads the mode.
pub(super) async fn mode(link: &Link) -> Result<ModeState> {
    let ask = Ask::new(&scripts::MODE, link.base());
    mode_state(link.ask(Lane::Verbs, &ask).await?)
}

fn mode_state(value: Value) -> Result<ModeState> {
    let mut items = Items::of(value)?;
    let changed = items.int()? != 0;
    let mut stored = items.items()?;
    let Some(mode) = stored.maybe_text()? else {
        return Ok(ModeState::default());
    };
    Ok(ModeState {
        mode: parse_mode(&mode)?,
        changed,
        by: stored.text()?,
        reason: stored.text()?,
        at: reply::stamp(&stored.text()?)?,
    })
}

const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Running => "running",
        Mode::Paused => "paused",
        Mode::Stopped => "stopped",
    }
}

/// Reads a mode as scripts write it.
pub(super) fn parse_mode(name: &str) -> Result<Mode> {
    [Mode::Running, Mode::Paused, Mode::Stopped]
        .into_iter()
        .find(|mode| mode_name(*mode) == name)
        .ok_or_else(|| Error::Corrupt("the mode of the fleet".into()))
}
