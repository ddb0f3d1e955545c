//! Which parts stand behind the seams: embedded ones, or RabbitMQ and Redis.

use std::{sync::Arc, time::Duration};

use shared::{
    blobs::{self, Blobs, objects::Objects},
    broker::{Broker, local::LocalBroker, rabbit, rabbit::RabbitBroker},
    clock::{Clock, SystemClock},
    fault,
    lifecycle::Tasks,
    store::{
        self, Store, large::LargePayloads, redis, redis::RedisStore, sqlite, sqlite::SqliteStore,
    },
    telemetry::{self, Metrics},
};
use tracing::{info, warn};

use crate::{
    configuration::Configuration,
    exit::{Failure, UNAVAILABLE, USAGE},
};

/// What every role stands on.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tasks: Tasks,
    /// The broker's own loops: they stop last, so that a coordinator can still
    /// publish what it took.
    pub(crate) lines: Tasks,
    pub(crate) metrics: Metrics,
}

/// Logs, metrics and fault points of this process.
fn telemetry(configuration: &Configuration) -> anyhow::Result<Metrics> {
    telemetry::start_logs(configuration.log_format, &configuration.log)
        .map_err(|error| Failure::new(USAGE, error.to_string()))?;
    if !configuration.faults.is_empty() {
        fault::arm(configuration.faults.iter().copied());
    }
    Ok(Metrics::install()?)
}

/// Where large bytes lie: what is configured, or a folder in the data
/// directory.
fn blob_store(configuration: &Configuration) -> Result<Arc<Objects>, Failure> {
    let folder = configuration.data_dir.join("blobs");
    Objects::open(configuration.blob_url.as_deref(), &folder)
        .map_err(|error: blobs::Error| Failure::new(UNAVAILABLE, error.to_string()))
}

/// The embedded parts: SQLite in the data directory, a broker in this process.
pub(crate) fn embedded(configuration: &Configuration) -> anyhow::Result<Ground> {
    let metrics = telemetry(configuration)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let options = sqlite::Options {
        data_dir: configuration.data_dir.clone(),
        clock: Arc::clone(&clock),
    };
    let store = SqliteStore::open(options).map_err(|error| unsuitable(&error))?;
    Ok(Ground {
        store,
        blobs: blob_store(configuration)?,
        broker: LocalBroker::new(),
        clock,
        tasks: Tasks::new(),
        lines: Tasks::new(),
        metrics,
    })
}

/// RabbitMQ and Redis. Waits for a Redis that is away; RabbitMQ may come
/// later.
pub(crate) async fn services(configuration: &Configuration) -> anyhow::Result<Ground> {
    let services = configuration.services()?;
    let metrics = telemetry(configuration)?;
    let lines = Tasks::new();
    let blobs = blob_store(configuration)?;
    let store = patiently(&redis::Options::new(&services.redis_url)).await?;
    let options = rabbit::Options {
        queue_type: services.queue_type,
        channels: u16::try_from(configuration.concurrency)
            .unwrap_or(u16::MAX)
            .clamp(4, 64),
        ..rabbit::Options::new(&services.amqp_url)
    };
    let broker = RabbitBroker::connect(options, &lines)
        .map_err(|error| Failure::new(UNAVAILABLE, error.to_string()))?;
    let large: Arc<dyn Blobs> = blobs.clone();
    Ok(Ground {
        store: LargePayloads::over(store, large),
        blobs,
        broker,
        clock: Arc::new(SystemClock),
        tasks: Tasks::new(),
        lines,
        metrics,
    })
}

async fn patiently(options: &redis::Options) -> Result<Arc<RedisStore>, Failure> {
    /// Short enough that a fleet that starts together is up together.
    const PAUSE: Duration = Duration::from_secs(1);
    loop {
        match RedisStore::connect(options.clone()).await {
            Ok(store) => {
                info!("connected to the store");
                return Ok(store);
            }
            Err(error @ store::Error::Unavailable(_)) => {
                warn!(%error, "waiting for the store");
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(unsuitable(&error)),
        }
    }
}

fn unsuitable(error: &store::Error) -> Failure {
    Failure::new(UNAVAILABLE, error.to_string())
}
