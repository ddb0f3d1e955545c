//! Step 3: a plan is stored whole, or not at all.
//!
//! Tasks that differ only in their input share a class (queue and attempts),
//! named once; what is unusual about a task travels in its head. `lua/submit.lua`
//! reads both.
//!
//! Deliberately absent: waiting for the disk. An installation that must not
//! lose the last second of acknowledged submissions runs Redis with
//! `appendfsync always`; a `WAITAOF 1 0` on the bulk lane directly after the
//! script is the place for a stricter promise per submission.

use std::{collections::HashMap, fmt::Write as _};

use crate::{
    model::{FileId, OnDependencyFailure, Priority, Stamp, TaskId, TypeName},
    store::{
        Error, Result, large,
        verbs::{NewTask, Submission, Submitted},
    },
};

use super::{
    codec,
    connection::{Lane, Link},
    keys, preflight,
    reply::Items,
    scripts::{self, Ask},
};

/// Stores the submission.
pub(super) async fn submit(link: &Link, submission: Submission) -> Result<Submitted> {
    if submission.tasks.is_empty() && submission.idempotency.is_none() {
        return Ok(Submitted::Accepted);
    }
    let ask = question(link, &submission)?;
    // Without a key as well: the script knows its own first task again.
    let answer = link.ask(Lane::Bulk, &ask).await?;
    read(Items::of(answer)?)
}

fn question(link: &Link, submission: &Submission) -> Result<Ask> {
    let mut ask = Ask::new(&scripts::SUBMIT, link.base());
    ask.arg(submission.tenant.as_str());
    match &submission.idempotency {
        Some(known) => ask
            .arg(&known.key)
            .arg(&known.fingerprint)
            .arg(known.reply.as_str()),
        None => ask.arg("").arg("").arg(""),
    };
    let linked = submission
        .tasks
        .iter()
        .any(|task| !task.spec.depends_on.is_empty());
    ask.arg(u8::from(linked));

    let (classes, of_task) = classes(submission);
    ask.arg(classes.len()).arg(files(submission));
    for (priority, workflow_type, most) in classes {
        ask.arg(keys::queue(priority, workflow_type, &submission.tenant))
            .arg(most);
    }
    for (task, class) in submission.tasks.iter().zip(of_task) {
        let spec = &task.spec;
        ask.id(task.id)
            .arg(head(task, class))
            .arg(codec::mark(
                task.id,
                large::length(&task.input),
                &spec.correlation_id,
            ))
            .arg(codec::payload(spec, &task.input)?);
    }
    Ok(ask)
}

type Class<'a> = (Priority, &'a TypeName, u32);

/// The classes of a submission, and for each task the number of its class,
/// from 1.
fn classes(submission: &Submission) -> (Vec<Class<'_>>, Vec<usize>) {
    let mut known = HashMap::new();
    let mut classes = Vec::new();
    let of_task = submission.tasks.iter().map(|task| {
        let spec = &task.spec;
        let class = (spec.priority, &spec.workflow_type, spec.retry.max_attempts);
        *known.entry(class).or_insert_with(|| {
            classes.push(class);
            classes.len()
        })
    });
    let of_task = of_task.collect();
    (classes, of_task)
}

fn head(task: &NewTask, class: usize) -> Vec<u8> {
    let spec = &task.spec;
    let usual = spec.depends_on.is_empty()
        && spec.run_at.is_none()
        && spec.expires_at.is_none()
        && spec.traceparent.is_none();
    if usual {
        return class.to_string().into_bytes();
    }
    let time = |at: Option<Stamp>| at.map_or(String::new(), |at| at.micros().max(0).to_string());
    let policy = match spec.on_dependency_failure {
        OnDependencyFailure::Cancel => "",
        OnDependencyFailure::Run => "run",
    };
    let (parents, reads) = (row(&spec.depends_on), row(&spec.reads));
    let front = format!(
        "{class}|{}|{}|{policy}|{}|{}|",
        time(spec.expires_at),
        time(spec.run_at),
        parents.len(),
        reads.len(),
    );
    let trace = spec.traceparent.as_deref().unwrap_or_default();
    [front.as_bytes(), &parents, &reads, trace.as_bytes()].concat()
}

/// The files that tasks refer to: per such task its place, the files' hashes in
/// a row, and the end of a line.
fn files(submission: &Submission) -> String {
    let mut text = String::new();
    for (place, task) in submission.tasks.iter().enumerate() {
        if !task.files.is_empty() {
            writeln!(text, "{place} {}", hashes(&task.files)).expect("a string never refuses text");
        }
    }
    text
}

/// Hashes one after the other, 64 characters each.
pub(super) fn hashes(files: &[FileId]) -> String {
    files.iter().map(FileId::hex).collect()
}

/// The bytes of the ids, one after the other.
fn row(ids: &[TaskId]) -> Vec<u8> {
    ids.iter().flat_map(|id| *id.as_bytes()).collect()
}

fn read(mut items: Items) -> Result<Submitted> {
    Ok(match items.text()?.as_str() {
        "accepted" => Submitted::Accepted,
        "replayed" => Submitted::Replayed(crate::model::Json::from_text(items.text()?)),
        "reused" => Submitted::KeyReused,
        "stopped" => Submitted::Stopped,
        "layout" => return Err(preflight::other_layout(&mut items)?),
        "unknown" => {
            let mut unknown = Vec::new();
            while !items.is_empty() {
                let place = usize::try_from(items.small()?)
                    .map_err(|_| Error::Corrupt("a task's place".into()))?;
                unknown.push((place, items.id()?));
            }
            Submitted::UnknownParents(unknown)
        }
        "files" => {
            let mut unknown = Vec::new();
            while !items.is_empty() {
                let place = usize::try_from(items.small()?)
                    .map_err(|_| Error::Corrupt("a task's place".into()))?;
                let file = FileId::from_hex(&items.text()?)
                    .ok_or_else(|| Error::Corrupt("a file's hash".into()))?;
                unknown.push((place, file));
            }
            Submitted::UnknownFiles(unknown)
        }
        other => {
            return Err(Error::Corrupt(format!(
                "`{}` as the answer of a submission",
                keys::shorten(other)
            )));
        }
    })
}
