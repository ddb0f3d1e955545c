//! The reference for our own design: its bare loop, one ticket a slip, sixteen at once, without HTTP, gate, monitor,
//! dependencies or recovery. Store scripts and broker calls are in the order of the real thing: submit in bulk, take,
//! publish with confirm, get, claim, acknowledge, finish.
//!
//! Invariant: every task passes every step on its own message and its own claim; a step refused is an error.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use futures_util::future::try_join_all;
use lapin::message::BasicGetMessage;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{Client, IntoConnectionInfo, Script};
use tokio::runtime::{Builder, Runtime};
use tokio::time;

use crate::load::Timing;

const QUEUE: &str = "prototype";
/// Getters, as a worker with sixteen slots has.
const SLOTS: u32 = 16;
/// Tasks of one submission script.
const BULK: u32 = 1_000;
/// Taken and published together.
const TAKE: u32 = 256;
/// AMQP's persistent delivery mode.
const PERSISTENT: u8 = 2;
/// Between two looks into an empty queue: only at the start and at the end of a run.
const IDLE: Duration = Duration::from_millis(1);

/// The broker and the store as one thread uses them; dropping the connection would close the channels.
struct Ends {
    _connection: Connection,
    channels: Vec<Channel>,
    store: MultiplexedConnection,
}

/// One run: a thread submits and dispatches, another works.
pub(crate) fn run(amqp_url: &str, redis_url: &str, tasks: u32) -> Result<Timing> {
    let (dispatching, working) = (runtime()?, runtime()?);
    let dispatcher = dispatching.block_on(ends(amqp_url, redis_url, 1))?;
    let worker = working.block_on(ends(amqp_url, redis_url, SLOTS))?;
    let started = Instant::now();
    thread::scope(|scope| {
        let finishing = scope.spawn(|| {
            working.block_on(work(&worker, tasks))?;
            Ok::<f64, anyhow::Error>(started.elapsed().as_secs_f64())
        });
        let submit_s = dispatching.block_on(async {
            submit(&dispatcher, tasks).await?;
            let submit_s = started.elapsed().as_secs_f64();
            dispatch(&dispatcher, tasks).await?;
            Ok::<f64, anyhow::Error>(submit_s)
        })?;
        let total_s = finishing
            .join()
            .map_err(|_| anyhow!("the working thread panicked"))??;
        Ok(Timing { submit_s, total_s })
    })
}

fn runtime() -> Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("start a runtime")
}

async fn ends(amqp_url: &str, redis_url: &str, channels: u32) -> Result<Ends> {
    let connection = Connection::connect(amqp_url, ConnectionProperties::default()).await?;
    let mut opened = Vec::new();
    for _ in 0..channels {
        let channel = connection.create_channel().await?;
        let durable = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        channel
            .queue_declare(QUEUE.into(), durable, FieldTable::default())
            .await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        opened.push(channel);
    }
    // Without it every answer waits for Nagle's algorithm.
    let settings = TcpSettings::default().set_nodelay(true);
    let info = redis_url.into_connection_info()?.set_tcp_settings(settings);
    let store = Client::open(info)?
        .get_multiplexed_async_connection()
        .await?;
    Ok(Ends {
        _connection: connection,
        channels: opened,
        store,
    })
}

async fn submit(ends: &Ends, tasks: u32) -> Result<()> {
    let script = Script::new(include_str!("prototype/submit.lua"));
    let mut store = ends.store.clone();
    for first in (0..tasks).step_by(BULK as usize) {
        let count = BULK.min(tasks - first);
        let stored: u32 = script
            .key("ready")
            .arg(first)
            .arg(count)
            .invoke_async(&mut store)
            .await?;
        if stored != count {
            bail!("the store took {stored} of {count} tasks");
        }
    }
    Ok(())
}

async fn dispatch(ends: &Ends, tasks: u32) -> Result<()> {
    let script = Script::new(include_str!("prototype/take.lua"));
    let mut store = ends.store.clone();
    let mut published = 0;
    while published < tasks {
        let ids: Vec<u32> = script
            .key("ready")
            .arg(TAKE)
            .invoke_async(&mut store)
            .await?;
        try_join_all(ids.iter().map(|id| publish(&ends.channels[0], *id))).await?;
        published += u32::try_from(ids.len())?;
    }
    Ok(())
}

async fn publish(channel: &Channel, id: u32) -> Result<()> {
    let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let confirm = channel
        .basic_publish(
            "".into(),
            QUEUE.into(),
            options,
            &id.to_be_bytes(),
            properties,
        )
        .await?
        .await?;
    if !confirm.is_ack() {
        bail!("the broker did not confirm a slip");
    }
    Ok(())
}

async fn work(ends: &Ends, tasks: u32) -> Result<()> {
    let lanes = ends.channels.iter().enumerate();
    try_join_all(lanes.map(|(lane, channel)| slot(channel, ends.store.clone(), lane, tasks)))
        .await?;
    Ok(())
}

/// One slot: gets and runs until the whole fleet has finished all tasks.
async fn slot(
    channel: &Channel,
    store: MultiplexedConnection,
    lane: usize,
    tasks: u32,
) -> Result<()> {
    let mut attempts = Attempts {
        store,
        lane,
        claim: Script::new(include_str!("prototype/claim.lua")),
        finish: Script::new(include_str!("prototype/finish.lua")),
    };
    let mut done = 0;
    while done < tasks {
        let got = channel.basic_get(QUEUE.into(), BasicGetOptions::default());
        done = if let Some(message) = got.await? {
            attempts.run(&message).await?
        } else {
            time::sleep(IDLE).await;
            attempts.done().await?
        };
    }
    Ok(())
}

/// What one slot runs its attempts with.
struct Attempts {
    store: MultiplexedConnection,
    lane: usize,
    claim: Script,
    finish: Script,
}

impl Attempts {
    /// Claim, acknowledge, finish; gives the number of tasks that the whole fleet has finished.
    async fn run(&mut self, message: &BasicGetMessage) -> Result<u32> {
        let slip = message.data.as_slice().try_into();
        let id = u32::from_be_bytes(slip.context("a slip of four bytes")?);
        let (task, token) = (format!("task:{id}"), format!("{}-{id}", self.lane));
        let mut claim = self.claim.key(&task);
        claim.key("leases").arg(id).arg(&token);
        let claimed: u32 = claim.invoke_async(&mut self.store).await?;
        message.ack(BasicAckOptions::default()).await?;
        if claimed != 1 {
            bail!("task {id} could not be claimed");
        }
        let mut finish = self.finish.key(&task);
        finish.key("leases").key("done");
        finish.arg(id).arg(&token).arg("null");
        let done = finish.invoke_async(&mut self.store).await?;
        if done == 0 {
            bail!("task {id} could not be finished");
        }
        Ok(done)
    }

    async fn done(&mut self) -> Result<u32> {
        let mut count = redis::cmd("GET");
        count.arg("done");
        let done: Option<u32> = count.query_async(&mut self.store).await?;
        Ok(done.unwrap_or(0))
    }
}
