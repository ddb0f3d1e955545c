//! What a long backlog costs: submission and work with 100,000 tasks pending against the same with few, and the memory
//! of a pending task in Redis. Compares ours with itself, so nothing runs beside it.

use std::time::Instant;

use anyhow::Result;

use crate::http::Client;
use crate::load;
use crate::ours::Fleet;
use crate::stage::Stage;
use crate::system::System;

/// How much dearer the last submissions are than the first.
pub(crate) const SUBMIT_CHANGE: &str = "backlog_submit_change_percent";
/// How much dearer the tasks run behind a full backlog are than those at its end.
pub(crate) const WORK_CHANGE: &str = "backlog_work_change_percent";
/// Redis memory of a pending no-op task, its (empty) input included.
pub(crate) const TASK_BYTES: &str = "pending_task_bytes";
const CHUNK: u32 = 10_000;
const WARM_UP: u32 = 2_000;

/// Fills the backlog under a pause, then lets it drain. Once: it is long, and it compares within itself.
pub(crate) fn measure(stage: &mut Stage) -> Result<()> {
    stage.nodes.wipe()?;
    let tasks = stage.options.backlog / CHUNK * CHUNK;
    if tasks < 2 * CHUNK {
        return Ok(());
    }
    let mut fleet = stage.fleet(System::Ours)?;
    load::run(&mut fleet, WARM_UP, CHUNK, stage.options.clients)?;
    let client = fleet.client();
    let before = client.completed_count()?;
    mode(&client, "pause")?;
    let empty = stage.nodes.redis_memory()?;
    let filling = fill(&client, tasks)?;
    let full = stage.nodes.redis_memory()?;
    mode(&client, "resume")?;
    let draining = drain(&mut fleet, &client, before, tasks)?;
    let name = System::Ours.name();
    stage
        .board
        .add(name, TASK_BYTES, (full - empty) / f64::from(tasks));
    stage
        .board
        .add(name, SUBMIT_CHANGE, change(filling.last, filling.first));
    stage
        .board
        .add(name, WORK_CHANGE, change(draining.first, draining.last));
    Ok(())
}

/// Seconds of the first and of the last fifth of a job.
struct Fifths {
    first: f64,
    last: f64,
}

fn fill(client: &Client, tasks: u32) -> Result<Fifths> {
    let body = load::bulk(CHUNK, "diagnostic.noop", "{}");
    let mut seconds = Vec::new();
    for _ in 0..tasks / CHUNK {
        let started = Instant::now();
        load::submit(client, &body)?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    let fifth = seconds.len().div_ceil(5);
    Ok(Fifths {
        first: seconds.iter().take(fifth).sum(),
        last: seconds.iter().rev().take(fifth).sum(),
    })
}

fn drain(fleet: &mut Fleet, client: &Client, before: u64, tasks: u32) -> Result<Fifths> {
    let started = Instant::now();
    let mut reached = |fifths: u32| -> Result<f64> {
        load::wait_completed(fleet, client, before + u64::from(tasks / 5 * fifths))?;
        Ok(started.elapsed().as_secs_f64())
    };
    let (first, fourth, fifth) = (reached(1)?, reached(4)?, reached(5)?);
    Ok(Fifths {
        first,
        last: fifth - fourth,
    })
}

/// Percent by which `loaded` exceeds `light`.
fn change(loaded: f64, light: f64) -> f64 {
    (loaded / light - 1.0) * 100.0
}

/// Pauses or resumes the whole system.
pub(crate) fn mode(client: &Client, action: &str) -> Result<()> {
    let path = format!("/api/workflows/emergency/{action}");
    client.post(&path, r#"{"reason":"benchmark"}"#)?;
    Ok(())
}
