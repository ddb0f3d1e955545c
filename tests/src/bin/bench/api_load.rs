//! How fast the API answers while the fleet works flat out: single submissions and reads beside bulk submissions.
//!
//! Invariant: the probe is one client at a gentle pace; it does not make the load that it measures.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::board::percentile;
use crate::http::Client;
use crate::load;
use crate::ours::NOOP;
use crate::stage::Stage;
use crate::system::System;

/// 99 of 100 status and queue reads.
pub(crate) const READ: &str = "api_read_under_load_p99_ms";
/// 99 of 100 single submissions.
pub(crate) const SUBMIT: &str = "api_submit_under_load_p99_ms";
/// Pause between two probes: some 200 requests a second, little beside the load.
const PACE: Duration = Duration::from_millis(5);
/// A large submission is a burst; the load is many of a middle size.
const CHUNK: u32 = 1_000;

/// As many runs as asked, on one fleet.
pub(crate) fn measure(stage: &mut Stage) -> Result<()> {
    stage.nodes.wipe()?;
    let mut fleet = stage.fleet(System::Ours)?;
    let (tasks, clients) = (stage.options.tasks, stage.options.clients);
    for _ in 0..stage.options.runs {
        let client = fleet.client();
        let over = AtomicBool::new(false);
        let probed = thread::scope(|scope| {
            let probing = scope.spawn(|| probe(&client, &over));
            let loaded = load::run(&mut fleet, tasks, CHUNK, clients);
            over.store(true, Ordering::Relaxed);
            let probed = probing
                .join()
                .map_err(|_| anyhow!("the probing thread panicked"))?;
            loaded.and(probed)
        })?;
        let name = System::Ours.name();
        stage.board.add(name, READ, percentile(&probed.reads, 99));
        stage
            .board
            .add(name, SUBMIT, percentile(&probed.submissions, 99));
    }
    Ok(())
}

/// Response times, milliseconds.
#[derive(Default)]
struct Probed {
    reads: Vec<f64>,
    submissions: Vec<f64>,
}

fn probe(client: &Client, over: &AtomicBool) -> Result<Probed> {
    let mut probed = Probed::default();
    while !over.load(Ordering::Relaxed) {
        let started = Instant::now();
        let task = client.submit(NOOP)?;
        probed.submissions.push(since(started));
        for path in [
            format!("/api/workflows/status/{task}"),
            "/api/workflows/queue".to_owned(),
        ] {
            crate::process::pause(PACE);
            let started = Instant::now();
            client.get(&path, &[])?;
            probed.reads.push(since(started));
        }
        crate::process::pause(PACE);
    }
    Ok(probed)
}

fn since(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1000.0
}
