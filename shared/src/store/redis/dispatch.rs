//! Steps 4 and 5: ready tasks are taken, published, and made ready again where
//! their slips were lost.

use std::time::Duration;

use redis::Value;
use tracing::error;

use crate::{
    model::{Route, TenantId},
    store::{
        Error, Result,
        verbs::{PublishedSlip, Requeue, Take, Taken, TakenTask},
    },
};

use super::{
    codec,
    connection::{Lane, Link},
    keys,
    reply::{self, Items},
    scripts::{self, Ask},
};

/// Takes ready tasks under a nonce.
pub(super) async fn take_ready(link: &Link, take: Take) -> Result<Taken> {
    let mut ask = Ask::new(&scripts::TAKE_READY, link.base());
    ask.arg(take.nonce.to_string())
        .arg(take.limit)
        .arg(keys::micros(take.deadline))
        .arg(take.windows.default);
    for (name, window) in &take.windows.by_type {
        ask.arg(name.as_str()).arg(*window);
    }
    let answer = link.ask(Lane::Verbs, &ask).await?;
    let mut items = Items::of(answer)?;
    let more = items.int()? != 0;
    let mut tasks = Vec::new();
    while !items.is_empty() {
        let queue = keys::parse_queue(&items.text()?);
        let learned = items.text()?;
        let expected_run = match learned.as_str() {
            "" => None,
            micros => Some(Duration::from_micros(reply::number(micros)?)),
        };
        let mut group = items.items()?;
        tasks.reserve(group.len());
        while !group.is_empty() {
            // What cannot be read is set aside until its take lapses; the
            // others of the take go on.
            let task = group.bytes().and_then(|bytes| {
                let (route, tenant) = queue.as_ref().map_err(unreadable)?;
                taken(&bytes, route, tenant, expected_run)
            });
            match task {
                Ok(task) => tasks.push(task),
                Err(error) => error!(%error, "a ready task cannot be dispatched"),
            }
        }
    }
    Ok(Taken { tasks, more })
}

fn unreadable(error: &Error) -> Error {
    Error::Corrupt(error.to_string())
}

/// Reads the bytes of `id`, then `solo` (0 or 1), `attempt;length of trace;trace`, mark.
fn taken(
    bytes: &[u8],
    route: &Route,
    tenant: &TenantId,
    expected_run: Option<Duration>,
) -> Result<TakenTask> {
    let bad = || Error::Corrupt("a taken task".into());
    let (id, rest) = bytes.split_at_checked(16).ok_or_else(bad)?;
    let (id, rest) = (
        reply::id(id)?,
        std::str::from_utf8(rest).map_err(|_| bad())?,
    );
    let (solo, rest) = rest.split_at_checked(1).ok_or_else(bad)?;
    let (attempt, rest) = rest.split_once(';').ok_or_else(bad)?;
    let (length, rest) = rest.split_once(';').ok_or_else(bad)?;
    let (trace, mark) = rest
        .split_at_checked(reply::number(length)?)
        .ok_or_else(bad)?;
    let (input_bytes, correlation_id) = codec::parse_mark(id, mark)?;
    Ok(TakenTask {
        id,
        tenant: tenant.clone(),
        route: route.clone(),
        attempt: reply::number(attempt)?,
        input_bytes,
        solo: solo == "1",
        expected_run,
        correlation_id,
        traceparent: (!trace.is_empty()).then(|| trace.to_owned()),
    })
}

/// Records confirmed slips.
pub(super) async fn published(link: &Link, slips: Vec<PublishedSlip>) -> Result<()> {
    let mut ask = Ask::new(&scripts::PUBLISHED, link.base());
    let mut any = false;
    for slip in slips.iter().filter(|slip| !slip.tickets.is_empty()) {
        any = true;
        ask.arg(keys::micros(slip.republish_after))
            .arg(slip.tickets.len());
        for (id, attempt) in &slip.tickets {
            ask.id(*id).arg(*attempt);
        }
    }
    if any {
        link.ask(Lane::Verbs, &ask).await?;
    }
    Ok(())
}

/// Makes queued tasks of a route ready again.
pub(super) async fn requeue(link: &Link, requeue: Requeue) -> Result<u32> {
    let mut ask = Ask::new(&scripts::REQUEUE, link.base());
    ask.arg(keys::route(&requeue.route)).arg(requeue.limit);
    match requeue.overdue_by {
        Some(overdue_by) => ask.arg(keys::micros(overdue_by)),
        None => ask.arg(""),
    };
    match link.ask(Lane::Verbs, &ask).await? {
        Value::Int(moved) => {
            u32::try_from(moved).map_err(|_| Error::Corrupt("a number of tasks".into()))
        }
        _ => Err(Error::Corrupt("a number of tasks".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Priority, TaskId};

    #[test]
    fn a_taken_task_is_read_whatever_its_texts_hold() {
        let id = TaskId::from_bytes([9; 16]);
        let route = Route::new("diagnostic.noop".parse().unwrap(), Priority::Low);
        let read = |rest: &str| {
            let bytes = [id.as_bytes(), rest.as_bytes()].concat();
            taken(&bytes, &route, &TenantId::default(), None)
        };
        let task = read("13;4;a;|b17|:x;y").unwrap();
        assert_eq!((task.attempt, task.solo, task.input_bytes), (3, true, 17));
        assert_eq!(task.traceparent.as_deref(), Some("a;|b"));
        assert_eq!(task.correlation_id, "x;y");
        let task = read("01;0;17|=").unwrap();
        assert_eq!(
            (task.traceparent, task.correlation_id),
            (None, id.to_string())
        );
        assert!(taken(&[9; 15], &route, &TenantId::default(), None).is_err());
        for bad in ["", "01;9;17|=", "0x;0;17|="] {
            assert!(read(bad).is_err());
        }
    }
}
