//! `zerogate worker`: pulls and runs tasks, on RabbitMQ and Redis.

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use worker::{Handle, Options, Registry, Worker};

use crate::configuration::Configuration;

use super::{assembly, assembly::Ground, coordinator, dev, signals};

/// Runs until SIGTERM or SIGINT, or until the worker itself wants to be
/// restarted (exit code 75).
pub fn run(configuration: Configuration) -> anyhow::Result<ExitCode> {
    dev::runtime()?.block_on(async {
        let ground = tokio::select! {
            ground = assembly::services(&configuration) => ground?,
            ended = signals::asked_to_end() => { ended?; return Ok(ExitCode::SUCCESS) }
        };
        let handle = start(&configuration, &ground, configuration.listen);
        tokio::select! {
            asked = signals::asked_to_end() => { asked?; handle.drain(); }
            _ = handle.drained() => {}
        }
        let report = handle.drained().await;
        coordinator::end(ground).await;
        Ok(ExitCode::from(report.exit_code))
    })
}

/// Starts the worker of this process.
pub fn start(configuration: &Configuration, ground: &Ground, listen: Option<SocketAddr>) -> Handle {
    let options = Options {
        name: configuration.worker_name.clone(),
        concurrency: configuration.concurrency,
        lease: configuration.lease,
        renew: configuration.renew,
        drain_grace: configuration.drain,
        listen,
        ..Options::default()
    };
    let registry = Registry::built_in(configuration.diagnostics);
    let (store, broker) = (Arc::clone(&ground.store), Arc::clone(&ground.broker));
    Worker::start(options, registry, store, broker, Arc::clone(&ground.clock), &ground.tasks)
}
