//! Steps 7 to 9: claims, renewals and reports, all fenced by tokens.

use redis::Value;

use crate::{
    model::Json,
    store::{
        Error, Result,
        verbs::{
            Claim, ClaimReply, ClaimTicket, Claimed, Finish, FinishReply, Finished, Granted,
            Outcome, ParentResult, Release, Renew, Renewal, Report,
        },
    },
};

use super::{
    codec,
    connection::{Lane, Link, Repeat},
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
        ask.arg(ticket.task.to_string())
            .arg(ticket.attempt)
            .arg(ticket.token.to_string());
    }
    let mut answer = Items::of(link.ask(Lane::Verbs, Repeat::Safe, &ask).await?)?;
    let mut outcomes = answer.items()?;
    same_length(outcomes.len(), claim.tickets.len())?;
    Ok(ClaimReply {
        outcomes: claim
            .tickets
            .iter()
            .map(|ticket| claimed(ticket, outcomes.value()?))
            .collect::<Result<_>>()?,
        hint: reply::hint(answer.items()?)?,
    })
}

fn claimed(ticket: &ClaimTicket, value: Value) -> Result<Claimed> {
    if !matches!(value, Value::Array(_)) {
        return match reply::text(value)?.as_str() {
            "H" => Ok(Claimed::Held),
            "S" => Ok(Claimed::Stale),
            "U" => Ok(Claimed::Unknown),
            _ => Err(Error::Corrupt("an outcome of a claim".into())),
        };
    }
    let mut items = Items::of(value)?;
    let (attempt, failures) = (items.small()?, items.small()?);
    let (spec, input) = codec::parse_payload(items.text()?)?;
    let mut parents = Vec::new();
    if let Some(mut read) = Items::maybe(items.value()?)? {
        while !read.is_empty() {
            parents.push(ParentResult {
                task: read.id()?,
                result: read.maybe_text()?.map(Json::from_text),
            });
        }
    }
    Ok(Claimed::Granted(Box::new(Granted {
        task: ticket.task,
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
        ask.arg(run.task.to_string())
            .arg(run.token.to_string())
            .arg(progress);
    }
    let answer = link.ask(Lane::Verbs, Repeat::Safe, &ask).await?;
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
        ask.arg(report.run.task.to_string())
            .arg(report.run.token.to_string())
            .arg(head)
            .arg(body);
    }
    let mut answer = Items::of(link.ask(Lane::Verbs, Repeat::Safe, &ask).await?)?;
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
        ask.arg(run.task.to_string()).arg(run.token.to_string());
    }
    let answer = link.ask(Lane::Verbs, Repeat::Never, &ask).await?;
    let letters = letters(answer, release.runs.len())?;
    Ok(letters.chars().map(|letter| letter == 'Y').collect())
}
