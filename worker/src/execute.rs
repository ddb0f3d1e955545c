//! Step 7: a permit and a slip become reports.
//!
//! The way of a slip, each step consuming what the one before gives:
//! [`decode`] -> [`claim`] -> [`acknowledge`] -> for each ticket
//! (`prepare` -> `attempt` -> `classify`) -> `bundle` reports and settles.
//!
//! Invariant: nothing runs before its lease exists, and no message is
//! acknowledged before that. What fails before the claim gives the message
//! back; what fails after it is the lease's business.

mod attempt;
mod bundle;
mod classify;
mod prepare;

use std::time::Duration;

use shared::{
    broker::Delivery,
    fault::{self, Point},
    model::{ErrorCode, Nonce, TaskError, TenantId, TypeName},
    store::verbs::{Aside, ClaimTicket, Claimed, Granted, Outcome, Report, RunRef},
    wire::Ticket,
};
use tokio::time::{Instant, sleep};
use tracing::{Span, debug, error, info_span, warn};

use crate::{
    gate::{Permit, Size},
    leases::Held,
    registry::Entry,
    service::Core,
};

/// After the store refused a claim: it refuses the next one, too, and nobody
/// is to get and give back the same slip in a loop. Short enough to notice at
/// once when somebody has mended it.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// Before a task that could not be read is tried again: its own policy is part
/// of what cannot be read.
const UNREADABLE_PAUSE: Duration = Duration::from_secs(1);

/// What can never run on this worker looks for another soon enough.
const NEVER_HERE: Duration = Duration::from_secs(15);
/// What does not fit now may fit as soon as something ends.
const NOT_NOW: Duration = Duration::from_secs(1);
/// The shortage of what can never run on this worker.
const TOO_LARGE: &str = resources::admission::Resource::TooLarge.as_str();

/// A slip in hand, with a fresh token for each ticket.
struct Fetched {
    delivery: Delivery,
    tickets: Vec<ClaimTicket>,
}

/// A slip whose leases exist, not acknowledged yet.
struct Leased {
    delivery: Delivery,
    runs: Vec<Ready>,
}

/// A run that may start: its lease is held and its slip is spent.
struct Ready {
    granted: Box<Granted>,
    held: Held,
    span: Span,
}

/// Executes one slip under one permit, and returns the permit by dropping it.
pub(crate) async fn slip(core: &Core, mut permit: Permit, delivery: Delivery) {
    fault::pass(Point::WorkerFetched).await;
    if core.draining.is_cancelled() {
        // Dropping the delivery gives the slip to another worker.
        return;
    }
    let route = delivery.slip.route.clone();
    let Some(delivery) = fit(core, &permit, delivery).await else {
        return;
    };
    let fetched = decode(delivery);
    let Some(leased) = claim(core, fetched).await else {
        return;
    };
    fault::pass(Point::WorkerClaimed).await;
    let runs = acknowledge(leased).await;
    fault::pass(Point::WorkerAcked).await;
    if !runs.is_empty() {
        let cost = bundle::run(core, &route.workflow_type, runs).await;
        permit.note(&cost.spent);
        if let Some(tether) = cost.abandoned.first() {
            return tether.keep(permit);
        }
    }
    drop(permit);
}

/// Makes the room as large as what is in hand needs. What does not fit is set
/// aside in the store, with the room it needs: its message is spent, and it
/// comes round again.
async fn fit(core: &Core, permit: &Permit, delivery: Delivery) -> Option<Delivery> {
    let tickets = &delivery.slip.tickets;
    let bucket = tickets.iter().map(|ticket| ticket.size_bucket).max();
    let size = Size {
        bucket: bucket.unwrap_or_default(),
    };
    let Err(misfit) = permit.resize(size) else {
        return Some(delivery);
    };
    core.figures.denied(&misfit.shortage);
    let never = misfit.shortage.resource == TOO_LARGE;
    let retry_in = if never { NEVER_HERE } else { NOT_NOW };
    let asides = tickets.iter().map(|ticket| Aside {
        task: ticket.task,
        attempt: ticket.attempt,
        needs_bytes: misfit.bytes,
        retry_in,
    });
    match core.store.set_aside(asides.collect()).await {
        Ok(_) => {
            debug!(?misfit, "what was fetched does not fit; it is set aside");
            if let Err(error) = delivery.acknowledge().await {
                debug!(%error, "a slip could not be acknowledged; its copy will be dropped");
            }
        }
        // Dropping the delivery gives the slip back.
        Err(error) => debug!(%error, "what does not fit could not be set aside"),
    }
    None
}

fn decode(delivery: Delivery) -> Fetched {
    let mut rng = rand::rng();
    let ticket = |ticket: &Ticket| ClaimTicket {
        task: ticket.task,
        attempt: ticket.attempt,
        token: Nonce::draw(&mut rng),
    };
    let tickets = delivery.slip.tickets.iter().map(ticket).collect();
    Fetched { delivery, tickets }
}

/// Claims every ticket in one call. `None` if the store gave no answer: the
/// slip is given back.
async fn claim(core: &Core, fetched: Fetched) -> Option<Leased> {
    let Fetched { delivery, tickets } = fetched;
    let asked = Instant::now();
    let outcomes = tokio::select! {
        outcomes = core.ledger.claim(tickets.clone()) => outcomes,
        // Without an answer there is nothing to run or to report.
        () = core.hurrying.cancelled() => return None,
    };
    let Some(outcomes) = outcomes else {
        // First, so that another worker, perhaps of another version, tries it.
        drop(delivery);
        tokio::select! {
            () = sleep(REFUSED_PAUSE) => {}
            () = core.draining.cancelled() => {}
        }
        return None;
    };
    let mut runs = Vec::with_capacity(tickets.len());
    let mut unreadable = Vec::new();
    for (ticket, outcome) in tickets.iter().zip(outcomes) {
        match outcome {
            Claimed::Granted(granted) => runs.push(ready(core, ticket, granted, asked)),
            Claimed::Unreadable(reason) => {
                error!(task_id = %ticket.task, reason, "the task cannot be read; its run fails");
                unreadable.push(failed(ticket, &delivery.slip.tenant, &reason));
            }
            Claimed::Held => debug!(task_id = %ticket.task, "the task may not start now"),
            Claimed::Stale => {
                core.figures.duplicate();
                debug!(task_id = %ticket.task, attempt = ticket.attempt, "a copy of a spent slip was dropped");
            }
            Claimed::Unknown => {
                core.figures.duplicate();
                warn!(task_id = %ticket.task, attempt = ticket.attempt, "the store does not know this task; its slip was dropped");
            }
        }
    }
    if !unreadable.is_empty() {
        // Before the acknowledgement, like every other end of these tickets.
        tokio::select! {
            _ = core.ledger.finish(unreadable) => {}
            () = core.hurrying.cancelled() => {}
        }
    }
    Some(Leased { delivery, runs })
}

/// The report of a run that never began, because its task cannot be read here.
/// A worker of a newer version may read it at the next attempt.
fn failed(ticket: &ClaimTicket, tenant: &TenantId, reason: &str) -> Report {
    Report {
        run: RunRef {
            task: ticket.task,
            token: ticket.token,
        },
        tenant: tenant.clone(),
        outcome: Outcome::Failed {
            error: TaskError::new(
                ErrorCode::Internal,
                format!("the stored task cannot be read: {reason}"),
            ),
            retry_in: UNREADABLE_PAUSE,
        },
        ran_for: Duration::ZERO,
        files: Vec::new(),
    }
}

fn ready(core: &Core, ticket: &ClaimTicket, granted: Box<Granted>, asked: Instant) -> Ready {
    let run = RunRef {
        task: ticket.task,
        token: ticket.token,
    };
    if granted.attempt == 1 {
        let wait = core.clock.now().since(granted.task.minted_at());
        core.figures.waited(&granted.spec.workflow_type, wait);
        core.tally.waited(wait);
    }
    let span = info_span!(
        "7 execute",
        task_id = %granted.task,
        correlation_id = %granted.spec.correlation_id,
        workflow_type = %granted.spec.workflow_type,
        attempt = granted.attempt
    );
    Ready {
        held: core.leases.hold(run, asked),
        granted,
        span,
    }
}

/// Says that the slip is spent. If that is not heard, it comes again and its
/// claim is answered `Stale`.
async fn acknowledge(leased: Leased) -> Vec<Ready> {
    if let Err(error) = leased.delivery.acknowledge().await {
        debug!(%error, "a slip could not be acknowledged; its copy will be dropped");
    }
    leased.runs
}

/// The handler of a granted task, by the type the store says it has.
fn handler<'a>(core: &'a Core, name: &TypeName) -> Option<&'a Entry> {
    core.registry.entry(name)
}
