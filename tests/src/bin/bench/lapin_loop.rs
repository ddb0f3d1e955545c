//! The reference that no task system on RabbitMQ can be expected to beat message by message: publish with confirm,
//! consume, acknowledge, and nothing else, with the client library that Zero Gate uses.
//!
//! Invariant: one durable, persistent message a task, each confirmed and each acknowledged on its own.

use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};
use tokio::runtime::{Builder, Runtime};

use crate::load::Timing;

const QUEUE: &str = "loop";
/// Unconfirmed messages at a time, and unacknowledged ones: beyond this the rate no longer grew.
const WINDOW: u16 = 256;
/// AMQP's persistent delivery mode.
const PERSISTENT: u8 = 2;
/// About the size of a slip with one ticket.
const PAYLOAD: [u8; 64] = [7; 64];

/// Publishes and consumes `tasks` messages at once, on a connection and a thread each.
pub(crate) fn run(url: &str, tasks: u32) -> Result<Timing> {
    let (publishing, consuming) = (runtime()?, runtime()?);
    let publisher = publishing.block_on(publisher(url))?;
    let mut consumer = consuming.block_on(consumer(url))?;
    let started = Instant::now();
    thread::scope(|scope| {
        let counting = scope.spawn(|| {
            consuming.block_on(consume(&mut consumer.1, tasks))?;
            Ok::<f64, anyhow::Error>(started.elapsed().as_secs_f64())
        });
        publishing.block_on(publish(&publisher.1, tasks))?;
        let submit_s = started.elapsed().as_secs_f64();
        let total_s = counting
            .join()
            .map_err(|_| anyhow!("the consuming thread panicked"))??;
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

async fn publisher(url: &str) -> Result<(Connection, Channel)> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
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
    Ok((connection, channel))
}

async fn consumer(url: &str) -> Result<(Connection, Consumer)> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel
        .basic_qos(WINDOW, BasicQosOptions::default())
        .await?;
    let consumer = channel
        .basic_consume(
            QUEUE.into(),
            "loop".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    Ok((connection, consumer))
}

async fn publish(channel: &Channel, tasks: u32) -> Result<()> {
    let lanes = u32::from(WINDOW);
    try_join_all((0..lanes).map(|lane| async move {
        let own = tasks / lanes + u32::from(lane < tasks % lanes);
        for _ in 0..own {
            let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
            let confirm = channel
                .basic_publish(
                    "".into(),
                    QUEUE.into(),
                    BasicPublishOptions::default(),
                    &PAYLOAD,
                    properties,
                )
                .await?
                .await?;
            if !confirm.is_ack() {
                bail!("the broker did not confirm a message");
            }
        }
        Ok(())
    }))
    .await?;
    Ok(())
}

async fn consume(consumer: &mut Consumer, tasks: u32) -> Result<()> {
    for _ in 0..tasks {
        let delivery = consumer
            .next()
            .await
            .context("the consumer was cancelled")??;
        delivery.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}
