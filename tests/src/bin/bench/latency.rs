//! One task at a time on an idle system, from submission until the client knows the result; and idle memory.
//!
//! Invariant: the client of each system is that system's own way to wait for a result: ours over HTTP with a long
//! poll on a keep-alive connection, the peers' libraries with a connection to broker and store.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Deserialize;

use crate::board::percentile;
use crate::ours::NOOP;
use crate::process;
use crate::stage::Stage;
use crate::system::System;

/// Half of the tasks are known to be done within this.
pub(crate) const P50: &str = "latency_p50_ms";
/// 99 of 100.
pub(crate) const P99: &str = "latency_p99_ms";
/// Resident memory of the worker (all of a peer's worker processes), idle.
pub(crate) const WORKER_MEMORY: &str = "idle_worker_mib";
/// Resident memory of the coordinator, or of the one process of the embedded mode, idle.
pub(crate) const COORDINATOR_MEMORY: &str = "idle_coordinator_mib";
const WARM_UP: u32 = 50;
/// Long enough for start-up allocations to be returned and for connections to be made.
const SETTLE: Duration = Duration::from_secs(2);

/// What a driver of a peer prints.
#[derive(Deserialize)]
struct Driven {
    samples_ms: Vec<f64>,
}

/// One run of one system.
pub(crate) fn measure(stage: &mut Stage, system: System) -> Result<()> {
    let samples = if system.is_ours() {
        ours(stage, system)?
    } else {
        peer(stage, system)?
    };
    let name = system.name();
    stage.board.add(name, P50, percentile(&samples, 50));
    stage.board.add(name, P99, percentile(&samples, 99));
    Ok(())
}

fn ours(stage: &mut Stage, system: System) -> Result<Vec<f64>> {
    let mut fleet = stage.fleet(system)?;
    process::pause(SETTLE);
    let (coordinator, worker) = fleet.resident_mib()?;
    stage
        .board
        .add(system.name(), COORDINATOR_MEMORY, coordinator);
    if let Some(worker) = worker {
        stage.board.add(system.name(), WORKER_MEMORY, worker);
    }
    let client = fleet.client();
    let mut samples = Vec::new();
    for index in 0..WARM_UP + stage.options.samples {
        let started = Instant::now();
        let task = client.submit(NOOP)?;
        client.completed(&task)?;
        if index >= WARM_UP {
            samples.push(started.elapsed().as_secs_f64() * 1000.0);
        }
    }
    fleet.check()?;
    Ok(samples)
}

fn peer(stage: &mut Stage, system: System) -> Result<Vec<f64>> {
    let mut running = stage.peer(system)?;
    let options = [("samples", stage.options.samples), ("warmup", WARM_UP)];
    let driven: Driven = running.drive("latency", &options)?;
    process::pause(SETTLE);
    stage
        .board
        .add(system.name(), WORKER_MEMORY, running.resident_mib()?);
    Ok(driven.samples_ms)
}
