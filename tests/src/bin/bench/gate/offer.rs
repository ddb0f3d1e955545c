//! Offers the arrivals of a run: each at its time, whether the system keeps up or not.
//!
//! Invariant: a submission that is late counts from the time at which it was due. A refused one ends the run, since no
//! arm refuses anything.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::fleet::Fleet;
use super::mix::Arrival;
use crate::http::Client;
use crate::process;

/// Enough connections that one slow answer delays nobody: at 50 tasks a second each has 160 ms.
const CONNECTIONS: usize = 8;

/// A task that was accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// The index of its arrival.
    pub(crate) arrival: usize,
    /// How long after its time it was submitted.
    pub(crate) late: Duration,
}

/// Submits all arrivals, counted from `start`; gives what was sent by task id.
pub(crate) fn offer(
    clients: Vec<Client>,
    arrivals: &[Arrival],
    start: Instant,
) -> Result<HashMap<String, Sent>> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let submitters: Vec<_> = clients
            .into_iter()
            .map(|client| {
                let next = &next;
                scope.spawn(move || submit(&client, arrivals, start, next))
            })
            .collect();
        let mut sent = HashMap::new();
        for submitter in submitters {
            let own = submitter
                .join()
                .map_err(|_| anyhow!("a submitting thread panicked"))??;
            sent.extend(own);
        }
        Ok(sent)
    })
}

/// The connections that a fleet is offered its work on.
pub(crate) fn connections(fleet: &Fleet) -> Vec<Client> {
    (0..CONNECTIONS).map(|_| fleet.client()).collect()
}

fn submit(
    client: &Client,
    arrivals: &[Arrival],
    start: Instant,
    next: &AtomicUsize,
) -> Result<Vec<(String, Sent)>> {
    let mut sent = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(arrival) = arrivals.get(index) else {
            return Ok(sent);
        };
        let body = arrival.body();
        process::pause(arrival.at.saturating_sub(start.elapsed()));
        let late = start.elapsed().saturating_sub(arrival.at);
        let id = client
            .submit(&body)
            .with_context(|| format!("arrival {index}"))?;
        let arrival = index;
        sent.push((id, Sent { arrival, late }));
    }
}
