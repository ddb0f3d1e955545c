//! Looking into a virtual host and damaging it: depths, deleted queues, copied and stolen messages.
//!
//! Speaks AMQP directly, because `rabbitmqctl` takes 1 to 2 s a call. Every call has its own connection: a fault test
//! must not depend on a connection that its own fault breaks.

use anyhow::{Context, Result};
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

/// The task queue of a workflow type and priority.
#[must_use]
pub fn task_queue(workflow_type: &str, priority: &str) -> String {
    format!("zerogate.{workflow_type}.{priority}")
}

/// The bell queue of a workflow type and priority.
#[must_use]
pub fn bell_queue(workflow_type: &str, priority: &str) -> String {
    format!("zerogate.bell.{workflow_type}.{priority}")
}

/// How many messages wait in a queue (unacknowledged ones not counted); none if there is no such queue.
pub fn depth(url: &str, queue: &str) -> Result<Option<u32>> {
    within(url, async |channel| {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let declared = channel
            .queue_declare(queue.into(), options, FieldTable::default())
            .await;
        match declared {
            Ok(queue) => Ok(Some(queue.message_count())),
            // A passive declare of a missing queue is a channel error: the answer "no", not a failure.
            Err(error) if error.to_string().contains("NOT_FOUND") => Ok(None),
            Err(error) => Err(error).with_context(|| format!("look at the queue {queue}")),
        }
    })
}

/// Declares a durable queue of our own and puts messages into it: what a foreign or broken client may leave behind.
pub fn fill(url: &str, queue: &str, payloads: &[&[u8]]) -> Result<()> {
    within(url, async |channel| {
        channel
            .queue_declare(
                queue.into(),
                QueueDeclareOptions::durable(),
                FieldTable::default(),
            )
            .await
            .with_context(|| format!("declare the queue {queue}"))?;
        put(&channel, queue, payloads.iter().copied()).await
    })
}

/// Puts messages into an existing queue, past every exchange.
pub fn inject(url: &str, queue: &str, payloads: &[&[u8]]) -> Result<()> {
    within(url, async |channel| {
        put(&channel, queue, payloads.iter().copied()).await
    })
}

/// Deletes a queue with everything in it; returns how many messages were lost.
pub fn delete(url: &str, queue: &str) -> Result<u32> {
    within(url, async |channel| {
        channel
            .queue_delete(queue.into(), QueueDeleteOptions::default())
            .await
            .with_context(|| format!("delete the queue {queue}"))
    })
}

/// Takes every waiting message and puts each back twice: what at-least-once delivery may do. Returns how many there were.
pub fn duplicate(url: &str, queue: &str) -> Result<u32> {
    within(url, async |channel| {
        let mut taken = Vec::new();
        while let Some(message) = take(&channel, queue).await? {
            taken.push(message);
        }
        let copies = taken.iter().chain(&taken).map(Vec::as_slice);
        put(&channel, queue, copies).await?;
        u32::try_from(taken.len()).context("count the messages")
    })
}

/// Takes every waiting message away for good, as a broker that lost them. Returns how many there were.
pub fn steal(url: &str, queue: &str) -> Result<u32> {
    within(url, async |channel| {
        let mut stolen = 0;
        while take(&channel, queue).await?.is_some() {
            stolen += 1;
        }
        Ok(stolen)
    })
}

async fn take(channel: &Channel, queue: &str) -> Result<Option<Vec<u8>>> {
    let message = channel
        .basic_get(queue.into(), BasicGetOptions { no_ack: true })
        .await
        .with_context(|| format!("take a message from {queue}"))?;
    Ok(message.map(|message| message.delivery.data.clone()))
}

/// Persistent and confirmed, so that the caller knows the messages are there.
async fn put<'a>(
    channel: &Channel,
    queue: &str,
    payloads: impl Iterator<Item = &'a [u8]>,
) -> Result<()> {
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .context("ask for confirms")?;
    for payload in payloads {
        channel
            .basic_publish(
                "".into(),
                queue.into(),
                BasicPublishOptions::default(),
                payload,
                BasicProperties::default().with_delivery_mode(2),
            )
            .await
            .context("publish")?
            .await
            .context("confirm")?;
    }
    Ok(())
}

fn within<T>(url: &str, work: impl AsyncFnOnce(Channel) -> Result<T>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("make a runtime")?
        .block_on(async {
            let connection = Connection::connect(url, ConnectionProperties::default())
                .await
                .context("connect to RabbitMQ")?;
            let channel = connection
                .create_channel()
                .await
                .context("open a channel")?;
            let answer = work(channel).await?;
            // The answer is in hand and everything published is confirmed: a failing goodbye changes nothing.
            drop(connection.close(200, "done".into()).await);
            Ok(answer)
        })
}
