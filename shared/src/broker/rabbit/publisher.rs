//! Slips out: pipelined, persistent, confirmed, mandatory.
//!
//! A batch has a channel to itself, so that every message the broker returns
//! on it belongs to the batch. lapin attaches a returned message to whichever
//! confirm it handles next, so returns are matched by message id, and nothing
//! is concluded before all confirms of a chunk are in.
//!
//! Invariant: `Confirmed` only if the broker took the message and did not
//! return it. A returned message is published once more after its queue was
//! declared again; never a third time.

use std::{collections::HashSet, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use lapin::{BasicProperties, Confirmation, options::BasicPublishOptions};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    channels::Lease,
    session::Session,
    supervisor::Link,
    topology::{Kind, TASKS},
};
use crate::{
    broker::{Error, Published, Result},
    model::Route,
    wire::Slip,
};

/// Messages under way at once on a channel: enough to hide the round trip to
/// the disk, few enough to bound lapin's send queue.
const CHUNK: usize = 1024;

/// AMQP's delivery mode of messages that survive a restart.
const PERSISTENT: u8 = 2;

/// Publishes slips and says what became of each, in order.
pub(super) async fn publish(link: &Link, slips: &[Slip], within: Duration) -> Vec<Published> {
    let mut results = Vec::with_capacity(slips.len());
    for chunk in slips.chunks(CHUNK) {
        let deadline = Instant::now() + within;
        match link.usable_by(deadline).await {
            Ok(session) => results.extend(publish_chunk(&session, chunk, deadline).await),
            Err(error) => {
                // One wait is enough: the caller has other things to do.
                results.extend(unsent(slips.len() - results.len(), &error));
                break;
            }
        }
    }
    results
}

/// Counts results for the operators.
pub(super) fn count(results: &[Published]) {
    for (label, matches) in [
        ("confirmed", is_confirmed as fn(&Published) -> bool),
        ("returned", is_returned),
        ("unknown", is_unknown),
    ] {
        let number = results.iter().filter(|result| matches(result)).count();
        metrics::counter!("zerogate_published_total", "result" => label).increment(number as u64);
    }
}

fn is_confirmed(result: &Published) -> bool {
    matches!(result, Published::Confirmed)
}

fn is_returned(result: &Published) -> bool {
    matches!(result, Published::Returned(_))
}

fn is_unknown(result: &Published) -> bool {
    matches!(result, Published::Unknown(_))
}

fn unsent(count: usize, error: &Error) -> Vec<Published> {
    vec![Published::Returned(error.to_string()); count]
}

async fn publish_chunk(session: &Session, slips: &[Slip], deadline: Instant) -> Vec<Published> {
    let all: Vec<usize> = (0..slips.len()).collect();
    let mut results = unsent(slips.len(), &Error::Unavailable("no time was left".into()));
    let returned = attempt(session, slips, &all, &mut results, deadline).await;
    if !returned.is_empty() {
        for &index in &returned {
            session.topology.forget(Kind::Tasks, &slips[index].route);
        }
        attempt(session, slips, &returned, &mut results, deadline).await;
    }
    results
}

/// Publishes the chosen slips and writes down what became of them. The answer:
/// those that no queue took.
async fn attempt(
    session: &Session,
    slips: &[Slip],
    chosen: &[usize],
    results: &mut [Published],
    deadline: Instant,
) -> Vec<usize> {
    let unroutable = refuse_unroutable(session, slips, chosen, results, deadline).await;
    let sendable: Vec<usize> = chosen
        .iter()
        .copied()
        .filter(|&index| !unroutable.contains(&slips[index].route))
        .collect();
    if sendable.is_empty() {
        return Vec::new();
    }
    let lease = match timeout_at(deadline, session.pool.lease(&session.connection)).await {
        Ok(Ok(lease)) => lease,
        Ok(Err(error)) => {
            let error = Error::Unavailable(error.to_string());
            refuse(&sendable, results, &error);
            return Vec::new();
        }
        Err(_) => return Vec::new(),
    };
    let sent = send(&lease, slips, &sendable, deadline).await;
    if sent.clean {
        lease.give_back();
    } else {
        // Whatever we relied on may be gone, the exchange included.
        session.topology.forget_all();
    }
    for (index, result) in sent.results {
        results[index] = result;
    }
    sent.returned
}

/// Declares the queues of the chosen slips. Slips whose queue cannot be had are
/// written down as returned; the answer: their routes.
async fn refuse_unroutable<'a>(
    session: &Session,
    slips: &'a [Slip],
    chosen: &[usize],
    results: &mut [Published],
    deadline: Instant,
) -> HashSet<&'a Route> {
    let routes: HashSet<&Route> = chosen.iter().map(|&index| &slips[index].route).collect();
    let mut unroutable = HashSet::new();
    for route in routes {
        if let Err(error) = declare(session, route, deadline).await {
            let theirs = chosen.iter().copied();
            let theirs: Vec<usize> = theirs
                .filter(|&index| slips[index].route == *route)
                .collect();
            refuse(&theirs, results, &error);
            unroutable.insert(route);
        }
    }
    unroutable
}

async fn declare(session: &Session, route: &Route, deadline: Instant) -> Result<()> {
    let declared = session
        .topology
        .ensure(&session.connection, Kind::Tasks, route);
    timeout_at(deadline, declared).await.unwrap_or_else(|_| {
        Err(Error::Unavailable(
            "no answer to the declaration of a queue in time".into(),
        ))
    })
}

fn refuse(indexes: &[usize], results: &mut [Published], error: &Error) {
    for &index in indexes {
        results[index] = Published::Returned(error.to_string());
    }
}

/// What became of the messages of one channel.
struct Sent {
    results: Vec<(usize, Published)>,
    returned: Vec<usize>,
    /// Nothing is open on the channel, so that it can be used again.
    clean: bool,
}

async fn send(lease: &Lease, slips: &[Slip], chosen: &[usize], deadline: Instant) -> Sent {
    // Futures are first polled in the order of their pushing, and lapin queues
    // a message at the first poll: the messages leave in order, pipelined.
    let mut open: FuturesUnordered<_> = chosen
        .iter()
        .map(|&index| async move { (index, send_one(lease, index, &slips[index]).await) })
        .collect();
    let mut answers: Vec<(usize, Published)> = Vec::with_capacity(chosen.len());
    let mut returns: Vec<(usize, String)> = Vec::new();
    let mut clean = true;
    let mut timer = std::pin::pin!(sleep_until(deadline));
    loop {
        let (index, answer) = tokio::select! {
            biased;
            answer = open.next() => match answer {
                Some(answer) => answer,
                None => break,
            },
            () = &mut timer => {
                clean = false;
                break;
            }
        };
        clean &= answer.is_ok();
        answers.push((index, conclude(answer, &mut returns)));
    }
    overlay(chosen, answers, returns, clean)
}

/// Puts the returns over the confirms, by index.
fn overlay(
    chosen: &[usize],
    answers: Vec<(usize, Published)>,
    returns: Vec<(usize, String)>,
    clean: bool,
) -> Sent {
    let late = Published::Unknown("no confirm came in time".into());
    let mut results: Vec<_> = chosen.iter().map(|&index| (index, late.clone())).collect();
    let returned: Vec<usize> = returns.iter().map(|(index, _)| *index).collect();
    let returns = returns
        .into_iter()
        .map(|(index, why)| (index, Published::Returned(why)));
    for (index, result) in answers.into_iter().chain(returns) {
        if let Ok(place) = chosen.binary_search(&index) {
            results[place].1 = result;
        }
    }
    Sent {
        results,
        returned,
        clean,
    }
}

/// The message id is the slip's place in its chunk: unique on the channel for
/// as long as its answers are awaited.
async fn send_one(lease: &Lease, index: usize, slip: &Slip) -> lapin::Result<Confirmation> {
    let properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_message_id(index.to_string().into())
        .with_content_type("application/msgpack".into());
    let mandatory = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let queue = Kind::Tasks.queue(&slip.route);
    lease
        .channel()
        .basic_publish(
            TASKS.into(),
            queue.into(),
            mandatory,
            &slip.encode(),
            properties,
        )
        .await?
        .await
}

fn conclude(answer: lapin::Result<Confirmation>, returns: &mut Vec<(usize, String)>) -> Published {
    let (result, carried) = match answer {
        Ok(Confirmation::Ack(carried)) => (Published::Confirmed, carried),
        Ok(Confirmation::Nack(carried)) => (
            Published::Returned("the broker refused to store it".into()),
            carried,
        ),
        Ok(Confirmation::NotRequested) => (
            Published::Unknown("the channel does not confirm".into()),
            None,
        ),
        Err(error) => (Published::Unknown(error.to_string()), None),
    };
    if let Some(message) = carried {
        let id = message.properties.message_id().as_ref();
        if let Some(index) = id.and_then(|id| id.as_str().parse().ok()) {
            let why = format!("{} {}", message.reply_code, message.reply_text);
            returns.push((index, why));
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_beats_the_confirm_of_the_same_message_whoever_carried_it() {
        let answers = vec![(3, Published::Confirmed), (7, Published::Confirmed)];
        let sent = overlay(&[3, 5, 7], answers, vec![(7, "312 NO_ROUTE".into())], false);
        assert_eq!(sent.results[0], (3, Published::Confirmed));
        assert!(matches!(sent.results[1].1, Published::Unknown(_)));
        assert_eq!(
            sent.results[2],
            (7, Published::Returned("312 NO_ROUTE".into()))
        );
        assert_eq!(sent.returned, [7]);
    }
}
