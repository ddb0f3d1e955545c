//! `zerogate coordinator`: HTTP API, dispatch and upkeep, on RabbitMQ and
//! Redis.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use coordinator::{Coordinator, Handle, Options, Render, Seams};

use crate::configuration::Configuration;

use super::{assembly, assembly::Ground, dev, signals, worker};

/// How long open requests may take to end at shutdown: a long poll is answered
/// at once, everything else within the API's own bounds.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// Runs until SIGTERM or SIGINT.
pub(crate) fn run(configuration: &Configuration) -> anyhow::Result<ExitCode> {
    dev::runtime()?.block_on(async {
        let ground = tokio::select! {
            ground = assembly::services(configuration) => ground?,
            ended = signals::asked_to_end() => { ended?; return Ok(ExitCode::SUCCESS) }
        };
        let handle = start(configuration, &ground).await?;
        tracing::info!(address = %handle.local_addr(), "serving");
        signals::asked_to_end().await?;
        end(ground).await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Starts the coordinator of this process.
pub(crate) async fn start(
    configuration: &Configuration,
    ground: &Ground,
) -> anyhow::Result<Handle> {
    let listen = configuration.listen.unwrap_or(Configuration::LISTEN);
    let metrics = ground.metrics.clone();
    let options = Options {
        diagnostics: configuration.diagnostics,
        built_in: worker::registry(configuration).types(),
        lease: configuration.lease,
        renew: configuration.renew,
        republish_after: configuration.republish,
        retention: configuration.retention,
        file_retention: configuration.file_retention,
        bundle_target: configuration.bundle,
        metrics: Render::new(move || metrics.render()),
        ..Options::new(listen)
    };
    let seams = Seams {
        store: Arc::clone(&ground.store),
        blobs: Arc::clone(&ground.blobs),
        broker: Arc::clone(&ground.broker),
        clock: Arc::clone(&ground.clock),
    };
    let started = Coordinator::start(options, seams, &ground.tasks).await;
    started.with_context(|| format!("{listen}"))
}

/// Stops every loop, waits for open requests, and closes the broker.
pub(crate) async fn end(ground: Ground) {
    if !ground.tasks.finish(ENDS_WITHIN).await {
        tracing::warn!("some requests were cut off at shutdown");
    }
    ground.broker.close().await;
    ground.lines.finish(ENDS_WITHIN).await;
}
