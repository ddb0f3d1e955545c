//! No-op tasks a second: submission alone, and from the first submission to the last completed task.
//!
//! Invariant: each system is warmed up with the same kind of work first, and its clock stops when its own record says
//! that every task is done. The numbers of tasks differ (`System::tasks`), so that each run takes a few seconds.

use anyhow::{Result, bail};
use serde::Deserialize;

use crate::lapin_loop;
use crate::load;
use crate::profile::Look;
use crate::prototype;
use crate::stage::Stage;
use crate::system::System;

/// Submitted tasks a second.
pub(crate) const SUBMIT: &str = "submit_per_s";
/// Tasks a second from the first submission to the last completion.
pub(crate) const END_TO_END: &str = "end_to_end_per_s";
/// From the start of the embedded program to readiness.
pub(crate) const START: &str = "start_ms";
/// Enough for every system to have opened its connections and learned its run times.
const WARM_UP: u32 = 2_000;
/// The peers answer one task at a time in their warm-up.
const PEER_WARM_UP: u32 = 100;

/// What a driver of a peer prints.
#[derive(Deserialize)]
struct Driven {
    submit_s: f64,
    total_s: f64,
}

/// One run of one system.
pub(crate) fn measure(stage: &mut Stage, system: System) -> Result<()> {
    let tasks = system.tasks(stage.options.tasks);
    let (submit_s, total_s) = match system {
        System::Ours | System::OursSingle | System::OursQuorum | System::OursEmbedded => {
            ours(stage, system, tasks)?
        }
        System::Celery | System::CeleryQuorum | System::Dramatiq | System::Bullmq => {
            peer(stage, system, tasks)?
        }
        System::Lapin => {
            let timing = lapin_loop::run(&stage.nodes.amqp_url(), tasks)?;
            (timing.submit_s, timing.total_s)
        }
        System::Prototype => {
            let timing = prototype::run(&stage.nodes.amqp_url(), &stage.nodes.redis_url(), tasks)?;
            (timing.submit_s, timing.total_s)
        }
    };
    if !(submit_s > 0.0 && total_s > 0.0) {
        bail!(
            "{} reports impossible times: {submit_s} s, {total_s} s",
            system.name()
        );
    }
    let tasks = f64::from(tasks);
    stage.board.add(system.name(), SUBMIT, tasks / submit_s);
    stage.board.add(system.name(), END_TO_END, tasks / total_s);
    Ok(())
}

fn ours(stage: &mut Stage, system: System, tasks: u32) -> Result<(f64, f64)> {
    let mut fleet = stage.fleet(system)?;
    if system == System::OursEmbedded {
        stage.board.add(system.name(), START, fleet.start_ms);
    }
    let (chunk, clients) = (stage.options.chunk, stage.options.clients);
    load::run(&mut fleet, WARM_UP, chunk, clients)?;
    let before = Look::at(&fleet, &stage.nodes)?;
    let timing = load::run(&mut fleet, tasks, chunk, clients)?;
    let after = Look::at(&fleet, &stage.nodes)?;
    for (part, cost) in after.since(&before, f64::from(tasks)) {
        stage.board.add(system.name(), part, cost);
    }
    Ok((timing.submit_s, timing.total_s))
}

fn peer(stage: &Stage, system: System, tasks: u32) -> Result<(f64, f64)> {
    let mut options = vec![("tasks", tasks), ("warmup", PEER_WARM_UP)];
    if system == System::Bullmq {
        options.push(("chunk", stage.options.chunk));
    }
    let driven: Driven = stage.peer(system)?.drive("throughput", &options)?;
    Ok((driven.submit_s, driven.total_s))
}
