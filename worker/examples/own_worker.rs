//! A team's own worker: its own workflow type `acme.word_count`, linked into a
//! binary of its own, on the fleet's RabbitMQ and Redis.
//!
//! ```text
//! cargo run -p zerogate-worker --example own_worker -- \
//!     --amqp-url amqp://guest:guest@localhost:5672 --redis-url redis://localhost:6379 --concurrency 4 \
//!     --blob-url file:///srv/zerogate/blobs
//! ```
//!
//! The blob url is the fleet's: files and large inputs and results lie there.

use std::{path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use shared::{
    blobs::{Blobs, objects::Objects},
    broker::{Broker, rabbit, rabbit::RabbitBroker},
    clock::SystemClock,
    lifecycle::Tasks,
    store::{large::LargePayloads, query::TypeInfo, redis, redis::RedisStore},
};
use tokio::signal::unix::{SignalKind, signal};
use zerogate_worker::{
    Handler, HandlerError, Options, Registry, Run, Seams, Worker, describe, isolation,
};

/// Counts the words of `{"text": "..."}`.
struct WordCount;

#[async_trait::async_trait]
impl Handler for WordCount {
    fn describe(&self) -> TypeInfo {
        let text = json!({"text": {"type": "string"}});
        describe("acme.word_count")
            .for_people("Word count", "Counts the words of a text.")
            .input(
                json!({"type": "object", "properties": text, "required": ["text"], "additionalProperties": false}),
                json!({"text": "to be or not to be"}),
            )
            .needs(Duration::from_millis(1), "light")
            .build()
    }

    async fn run(&self, run: Run) -> Result<Value, HandlerError> {
        let text = run.input["text"].as_str();
        let text = text.ok_or_else(|| HandlerError::invalid_input("/text", "must be a string"))?;
        Ok(json!({"words": text.split_whitespace().count()}))
    }
}

fn main() -> anyhow::Result<ExitCode> {
    // Types that parse foreign bytes run in child processes of this program.
    isolation::serve_if_asked();
    tokio::runtime::Runtime::new()?.block_on(work())
}

async fn work() -> anyhow::Result<ExitCode> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::read()?;
    let tasks = Tasks::new();
    let broker = RabbitBroker::connect(rabbit::Options::new(arguments.amqp_url), &tasks)?;
    let folder = Path::new("zerogate-data/blobs");
    let blobs = Objects::open(arguments.blob_url.as_deref(), folder)?;
    let store = RedisStore::connect(redis::Options::new(arguments.redis_url)).await?;
    let seams = Seams {
        store: LargePayloads::over(store, Arc::clone(&blobs) as Arc<dyn Blobs>),
        blobs,
        broker: Arc::clone(&broker) as Arc<dyn Broker>,
        clock: Arc::new(SystemClock),
    };
    let options = Options {
        concurrency: arguments.concurrency,
        ..Options::default()
    };
    let worker = Worker::start(options, Registry::new().with(WordCount), seams, &tasks).await?;

    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => worker.drain(),
        result = tokio::signal::ctrl_c() => { result?; worker.drain(); }
        _ = worker.drained() => {}
    }
    let report = worker.drained().await;
    broker.close().await;
    tasks.finish(Duration::from_secs(5)).await;
    Ok(ExitCode::from(report.exit_code))
}

struct Arguments {
    amqp_url: String,
    redis_url: String,
    blob_url: Option<String>,
    concurrency: u32,
}

impl Arguments {
    fn read() -> anyhow::Result<Self> {
        let (mut amqp_url, mut redis_url, mut blob_url) = (None, None, None);
        let mut concurrency = 10;
        let mut words = std::env::args().skip(1);
        while let Some(flag) = words.next() {
            let value = words.next();
            let value = value.with_context(|| format!("{flag} needs a value"))?;
            match flag.as_str() {
                "--amqp-url" => amqp_url = Some(value),
                "--redis-url" => redis_url = Some(value),
                "--blob-url" => blob_url = Some(value),
                "--concurrency" => concurrency = value.parse().context("--concurrency")?,
                _ => bail!(
                    "{flag} is unknown: use --amqp-url, --redis-url, --blob-url, --concurrency"
                ),
            }
        }
        Ok(Self {
            amqp_url: amqp_url.context("--amqp-url is missing")?,
            redis_url: redis_url.context("--redis-url is missing")?,
            blob_url,
            concurrency,
        })
    }
}
