//! `zerogate dev`: coordinator and worker in this process, on embedded parts.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};

use crate::configuration::Configuration;

use super::{assembly, assembly::Ground, coordinator, signals, worker};

/// The whole fleet in one process.
#[derive(Debug)]
pub(crate) struct Embedded {
    ground: Ground,
    coordinator: ::coordinator::Handle,
    worker: ::worker::Handle,
}

impl Embedded {
    /// Opens the data directory and starts everything.
    pub(crate) async fn start(configuration: &Configuration) -> anyhow::Result<Self> {
        let ground = assembly::embedded(configuration)?;
        let coordinator = coordinator::start(configuration, &ground).await?;
        let worker = worker::start(configuration, &ground, None, false).await?;
        Ok(Self {
            ground,
            coordinator,
            worker,
        })
    }

    /// Where HTTP is served.
    pub(crate) fn address(&self) -> SocketAddr {
        self.coordinator.local_addr()
    }

    /// Drains the worker, then ends the rest. Returns the worker's exit code.
    pub(crate) async fn end(self) -> u8 {
        self.worker.drain();
        let report = self.worker.drained().await;
        coordinator::end(self.ground).await;
        report.exit_code
    }
}

/// Runs until SIGTERM or SIGINT, or until the worker wants a fresh process:
/// without it, what is accepted would never run.
pub(crate) fn run(configuration: &Configuration) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(async {
        let embedded = Embedded::start(configuration).await?;
        tracing::info!(address = %embedded.address(), "serving");
        tokio::select! {
            asked = signals::asked_to_end() => asked?,
            _ = embedded.worker.drained() => {}
        }
        Ok(ExitCode::from(embedded.end().await))
    })
}

/// The executor of every role: a thread a core.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the executor could not start")
}
