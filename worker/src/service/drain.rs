//! The end of a worker: nothing new, a grace for what runs, the rest given
//! back, goodbye.
//!
//! Invariant: takes no longer than the drain grace plus a few seconds,
//! whatever handlers, store and broker do. What could not be given back lapses.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Core;

/// For giving back: a run's second to stop, and the store's answers.
const GIVE_BACK: Duration = Duration::from_secs(4);
/// For saying goodbye; a worker that is not heard is removed in time anyway.
const FAREWELL: Duration = Duration::from_secs(1);

/// How a drain went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrainReport {
    /// What the process should end with: 0; 75 (`EX_TEMPFAIL`) if only a fresh
    /// process can go on; 70 (`EX_SOFTWARE`) after a bug.
    pub exit_code: u8,
    /// Runs given back to the store since the worker started.
    pub given_back: usize,
    /// Runs that still go on although they were told to stop.
    pub abandoned: usize,
    /// Every run was reported or given back.
    pub clean: bool,
}

impl DrainReport {
    pub(super) fn broken() -> Self {
        Self {
            exit_code: 70,
            ..Self::default()
        }
    }
}

/// What is to end, in this order.
pub(super) struct Crew {
    pub(super) flows: Vec<JoinHandle<Option<()>>>,
    pub(super) loops: Vec<JoinHandle<Option<()>>>,
}

/// Waits for a reason to drain, then drains.
pub(super) async fn supervise(
    core: Arc<Core>,
    crew: Crew,
    stopping: CancellationToken,
    report: watch::Sender<Option<DrainReport>>,
) {
    tokio::select! {
        () = core.draining.cancelled() => {}
        () = stopping.cancelled() => core.draining.cancel(),
    }
    let began = Instant::now();
    info!(running = core.leases.tasks().len(), "draining");
    let clean = end_flows(&core, crew.flows).await;
    core.over.cancel();
    join_all(crew.loops).await;
    say_goodbye(&core).await;
    let drained = DrainReport {
        exit_code: if core.exhausted.load(std::sync::atomic::Ordering::Acquire) {
            75
        } else {
            0
        },
        given_back: core.given_back.load(std::sync::atomic::Ordering::Acquire),
        abandoned: core.abandoned.load(std::sync::atomic::Ordering::Acquire),
        clean,
    };
    info!(?drained, took = ?began.elapsed(), "drained");
    report.send_replace(Some(drained));
}

/// Whether every flow came to its end by itself.
async fn end_flows(core: &Core, flows: Vec<JoinHandle<Option<()>>>) -> bool {
    let aborts: Vec<_> = flows.iter().map(JoinHandle::abort_handle).collect();
    let mut all = join_all(flows);
    if timeout(core.options.drain_grace, &mut all).await.is_ok() {
        return true;
    }
    core.hurrying.cancel();
    core.leases.stop_all(crate::handler::Why::GivenBack);
    if timeout(GIVE_BACK, &mut all).await.is_ok() {
        return true;
    }
    warn!(
        running = core.leases.tasks().len(),
        "not everything could be given back; these leases will lapse"
    );
    aborts.iter().for_each(tokio::task::AbortHandle::abort);
    all.await;
    false
}

async fn say_goodbye(core: &Core) {
    match timeout(FAREWELL, core.store.farewell(&core.id)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(%error, "the store did not hear the goodbye"),
        Err(_) => warn!("the store did not hear the goodbye in time"),
    }
}
