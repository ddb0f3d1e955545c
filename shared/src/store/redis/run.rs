//! Steps 7 to 9: claims, renewals and reports, all fenced by tokens.

use redis::Value;

use crate::{
    model::{Json, TaskId},
    store::{
        Error, Result,
        verbs::{
            Aside, Claim, ClaimReply, ClaimTicket, Claimed, Finish, FinishReply, Finished, Granted,
            Outcome, ParentResult, Release, Renew, Renewal, Report,
        },
    },
};

use super::{
    codec,
    connection::{Lane, Link},
    keys,
    reply::{self, Items},
    scripts::{self, Ask},
    submit,
};

/// Claims tasks under fresh tokens.
pub(super) async fn claim(link: &Link, claim: Claim) -> Result<ClaimReply> {
    let mut ask = Ask::new(&scripts::CLAIM, link.base());
    ask.arg(claim.worker.as_str())
        .arg(keys::micros(claim.lease));
    for ticket in &claim.tickets {
        ask.id(ticket.task)
            .arg(ticket.attempt)
            .arg(ticket.token.to_string());
    }
    let mut answer = Items::of(link.ask(Lane::Verbs, &ask).await?)?;
    let mut parts = answer.items()?;
    let outcomes = claim.tickets.iter().map(|it| claimed(it, &mut parts));
    let outcomes = outcomes.collect::<Result<_>>()?;
    same_length(parts.len(), 0)?;
    Ok(ClaimReply {
        outcomes,
        hint: reply::hint(answer.items()?)?,
    })
}

/// Reads a ticket's outcome from the front of all of them.
fn claimed(ticket: &ClaimTicket, parts: &mut Items) -> Result<Claimed> {
    let bad = || Error::Corrupt("an outcome of a claim".into());
    let head = parts.text()?;
    match head.as_str() {
        "H" => return Ok(Claimed::Held),
        "S" => return Ok(Claimed::Stale),
        "U" => return Ok(Claimed::Unknown),
        _ => {}
    }
    let (attempt, rest) = head.split_once(';').ok_or_else(bad)?;
    let (failures, read) = rest.split_once(';').ok_or_else(bad)?;
    let run = (reply::number(attempt)?, reply::number(failures)?);
    // All of its parts, read or not: the next outcome begins behind them.
    let payload = parts.value()?;
    let parents = parts.take(2 * reply::number::<usize>(read)?)?;
    granted(ticket.task, run, payload, parents).or_else(unreadable)
}

/// A grant that cannot be read concerns its own task alone.
fn unreadable(error: Error) -> Result<Claimed> {
    match error {
        Error::Corrupt(reason) => Ok(Claimed::Unreadable(reason)),
        other => Err(other),
    }
}

fn granted(
    task: TaskId,
    (attempt, failures): (u32, u32),
    payload: Value,
    mut read: Items,
) -> Result<Claimed> {
    let (spec, input) = codec::parse_payload(reply::text(payload)?)?;
    let mut parents = Vec::new();
    while !read.is_empty() {
        parents.push(ParentResult {
            task: read.id()?,
            result: read.maybe_text()?.map(Json::from_text),
        });
    }
    Ok(Claimed::Granted(Box::new(Granted {
        task,
        spec,
        input,
        attempt,
        failures,
        parents,
    })))
}

fn same_length(answers: usize, questions: usize) -> Result<()> {
    if answers == questions {
        Ok(())
    } else {
        Err(Error::Corrupt(format!(
            "{answers} answers to {questions} questions"
        )))
    }
}

/// One letter per question.
fn letters(value: Value, questions: usize) -> Result<String> {
    let letters = reply::text(value)?;
    same_length(letters.len(), questions)?;
    Ok(letters)
}

/// Extends leases.
pub(super) async fn renew(link: &Link, renew: Renew) -> Result<Vec<Renewal>> {
    let mut ask = Ask::new(&scripts::RENEW, link.base());
    ask.arg(keys::micros(renew.lease));
    for (run, progress) in &renew.runs {
        let progress = progress
            .as_ref()
            .map_or(Ok(String::new()), serde_json::to_string)
            .map_err(|_| Error::Corrupt("progress that is not JSON".into()))?;
        ask.id(run.task).arg(run.token.to_string()).arg(progress);
    }
    let answer = link.ask(Lane::Verbs, &ask).await?;
    letters(answer, renew.runs.len())?
        .chars()
        .map(|letter| match letter {
            'K' => Ok(Renewal::Kept),
            'C' => Ok(Renewal::CancelAsked),
            'R' => Ok(Renewal::Refused),
            _ => Err(Error::Corrupt("an outcome of a renewal".into())),
        })
        .collect()
}

/// Commits outcomes.
pub(super) async fn finish(link: &Link, finish: Finish) -> Result<FinishReply> {
    let mut ask = Ask::new(&scripts::FINISH, link.base());
    for report in &finish.reports {
        let (head, body) = told(report);
        ask.id(report.run.task)
            .arg(report.run.token.to_string())
            .arg(head)
            .arg(body);
    }
    let mut answer = Items::of(link.ask(Lane::Verbs, &ask).await?)?;
    let outcomes = letters(answer.value()?, finish.reports.len())?
        .chars()
        .map(|letter| match letter {
            '-' => Ok(Finished::Stale),
            letter => reply::state(letter).map(Finished::Committed),
        })
        .collect::<Result<_>>()?;
    Ok(FinishReply {
        outcomes,
        hint: reply::hint(answer.items()?)?,
    })
}

fn told(report: &Report) -> (String, &str) {
    let ran = keys::micros(report.ran_for);
    match &report.outcome {
        Outcome::Completed(result) if report.files.is_empty() => {
            (format!("C|{ran}"), result.as_str())
        }
        Outcome::Completed(result) => {
            let files = submit::hashes(&report.files);
            (format!("D|{ran}|{files}"), result.as_str())
        }
        Outcome::Failed { error, retry_in } => {
            let again = u8::from(error.retryable);
            let wait = keys::micros(*retry_in);
            (
                format!("F|{ran}|{again}|{wait}|{}", error.code),
                &error.message,
            )
        }
        Outcome::Cancelled => (format!("K|{ran}"), ""),
    }
}

/// Gives runs back.
pub(super) async fn release(link: &Link, release: Release) -> Result<Vec<bool>> {
    let mut ask = Ask::new(&scripts::RELEASE, link.base());
    for run in &release.runs {
        ask.id(run.task).arg(run.token.to_string());
    }
    let answer = link.ask(Lane::Verbs, &ask).await?;
    let letters = letters(answer, release.runs.len())?;
    Ok(letters.chars().map(|letter| letter == 'Y').collect())
}

/// Sets tasks aside.
pub(super) async fn set_aside(link: &Link, asides: Vec<Aside>) -> Result<Vec<bool>> {
    let mut ask = Ask::new(&scripts::SET_ASIDE, link.base());
    ask.arg(keys::micros(Aside::LONGEST));
    for aside in &asides {
        ask.id(aside.task)
            .arg(aside.attempt)
            .arg(aside.bytes())
            .arg(keys::micros(aside.retry_in.min(Aside::LONGEST)));
    }
    let answer = link.ask(Lane::Verbs, &ask).await?;
    let letters = letters(answer, asides.len())?;
    Ok(letters.chars().map(|letter| letter == 'Y').collect())
}
