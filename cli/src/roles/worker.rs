//! `zerogate worker`: pulls and runs tasks, on RabbitMQ and Redis.

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use worker::{Handle, Options, Registry, Seams, Worker, options::MetricsText};

use crate::configuration::Configuration;

use super::{assembly, assembly::Ground, coordinator, dev, signals};

/// Runs until SIGTERM or SIGINT, or until the worker itself wants to be
/// restarted (exit code 75).
pub(crate) fn run(configuration: &Configuration) -> anyhow::Result<ExitCode> {
    dev::runtime()?.block_on(async {
        let ground = tokio::select! {
            ground = assembly::services(configuration) => ground?,
            ended = signals::asked_to_end() => { ended?; return Ok(ExitCode::SUCCESS) }
        };
        let handle = start(configuration, &ground, configuration.listen, true).await?;
        tokio::select! {
            asked = signals::asked_to_end() => { asked?; handle.drain(); }
            _ = handle.drained() => {}
        }
        let report = handle.drained().await;
        coordinator::end(ground).await;
        Ok(ExitCode::from(report.exit_code))
    })
}

/// Starts the worker of this process; `tells_ends` unless a coordinator in the
/// same process does.
pub(crate) async fn start(
    configuration: &Configuration,
    ground: &Ground,
    listen: Option<SocketAddr>,
    tells_ends: bool,
) -> anyhow::Result<Handle> {
    let metrics = ground.metrics.clone();
    let options = Options {
        host: configuration.worker_name.clone(),
        concurrency: configuration.concurrency,
        gate: configuration.pressure.gate.clone(),
        profile: configuration.pressure.profile,
        decision_log: configuration.pressure.decision_log.clone(),
        webhook: configuration.pressure.webhook.clone(),
        lease: configuration.lease,
        renew: configuration.renew,
        drain_grace: configuration.drain,
        file_retention: configuration.file_retention,
        work_dir: Some(configuration.data_dir.join("work")),
        listen,
        metrics: Some(MetricsText::new(move || metrics.render())),
        tells_ends,
        ..Options::default()
    };
    let seams = Seams {
        store: Arc::clone(&ground.store),
        blobs: Arc::clone(&ground.blobs),
        broker: Arc::clone(&ground.broker),
        clock: Arc::clone(&ground.clock),
    };
    Ok(Worker::start(options, registry(configuration), seams, &ground.tasks).await?)
}

/// The handlers of this program.
pub(crate) fn registry(configuration: &Configuration) -> Registry {
    let registry = Registry::with_builtin();
    if configuration.diagnostics {
        registry.with_diagnostics()
    } else {
        registry
    }
}
