//! The names and properties of our exchanges and queues, and their declaration.
//!
//! | | exchange (direct, durable) | queue |
//! |---|---|---|
//! | slips | `zerogate.tasks` | `zerogate.<type>.<priority>`, durable |
//! | bells | `zerogate.bell` | `zerogate.bell.<type>.<priority>`, durable, length 1, drop-head |
//!
//! Each is declared at its first use on a connection and remembered. Durable
//! queues only: RabbitMQ 4 deprecates transient shared ones.
//!
//! Invariant: what is remembered was confirmed on this connection. A refused
//! declaration closes its channel and nothing else.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use lapin::{
    Channel, Connection, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, LongString},
};

use super::{options::QueueType, trouble};
use crate::{broker::Result, model::Route};

/// Where slips are published.
pub(super) const TASKS: &str = "zerogate.tasks";

/// Where bells are rung.
pub(super) const BELLS: &str = "zerogate.bell";

/// Deliveries after which a quorum queue would drop a slip. RabbitMQ 4 drops
/// after 20 unless told otherwise; a slip may lawfully be given back more
/// often. `-1` (none) is refused before 4.0, so: a number never reached.
const DELIVERY_LIMIT: i32 = 1_000_000_000;

/// Which of a route's two queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// The queue of slips.
    Tasks,
    /// The queue of the bell.
    Bell,
}

impl Kind {
    const fn exchange(self) -> &'static str {
        match self {
            Self::Tasks => TASKS,
            Self::Bell => BELLS,
        }
    }

    /// The name of a route's queue.
    pub(super) fn queue(self, route: &Route) -> String {
        match self {
            Self::Tasks => format!("zerogate.{route}"),
            Self::Bell => format!("zerogate.bell.{route}"),
        }
    }

    fn arguments(self, queue_type: QueueType) -> FieldTable {
        let text = |value: &str| AMQPValue::LongString(LongString::from(value));
        let mut arguments = FieldTable::default();
        match self {
            Self::Tasks => {
                arguments.insert("x-queue-type".into(), text(queue_type.as_str()));
                if queue_type == QueueType::Quorum {
                    arguments.insert("x-delivery-limit".into(), DELIVERY_LIMIT.into());
                }
            }
            Self::Bell => {
                arguments.insert("x-queue-type".into(), text("classic"));
                arguments.insert("x-max-length".into(), 1_i32.into());
                arguments.insert("x-overflow".into(), text("drop-head"));
            }
        }
        arguments
    }
}

/// What was declared on one connection.
#[derive(Debug)]
pub(super) struct Topology {
    queue_type: QueueType,
    declared: Mutex<HashSet<(Kind, Route)>>,
    /// One declaration at a time, so that routes are not declared twice.
    channel: tokio::sync::Mutex<Option<Channel>>,
}

impl Topology {
    /// Nothing declared yet.
    pub(super) fn new(queue_type: QueueType) -> Self {
        Self {
            queue_type,
            declared: Mutex::default(),
            channel: tokio::sync::Mutex::default(),
        }
    }

    /// Makes sure that the route's queue exists and is bound.
    pub(super) async fn ensure(
        &self,
        connection: &Connection,
        kind: Kind,
        route: &Route,
    ) -> Result<()> {
        let key = (kind, route.clone());
        if self.lock().contains(&key) {
            return Ok(());
        }
        let mut slot = self.channel.lock().await;
        if self.lock().contains(&key) {
            return Ok(());
        }
        // Taken out: whether this ends badly or is dropped half-way, the next
        // declaration starts on a channel of its own.
        let kept = slot.take().filter(|channel| channel.status().connected());
        let queue = kind.queue(route);
        let declared = async {
            let channel = match kept {
                Some(channel) => channel,
                None => connection.create_channel().await?,
            };
            self.declare(&channel, kind, route).await?;
            Ok(channel)
        };
        let channel = declared
            .await
            .map_err(|error| trouble::classify(&error, &format!("the queue `{queue}`")))?;
        *slot = Some(channel);
        self.lock().insert(key);
        Ok(())
    }

    /// Forgets a queue that turned out to be gone.
    pub(super) fn forget(&self, kind: Kind, route: &Route) {
        self.lock().remove(&(kind, route.clone()));
    }

    /// Forgets everything: something we relied on is gone.
    pub(super) fn forget_all(&self) {
        self.lock().clear();
    }

    async fn declare(&self, channel: &Channel, kind: Kind, route: &Route) -> lapin::Result<()> {
        let durable = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        channel
            .exchange_declare(
                kind.exchange().into(),
                ExchangeKind::Direct,
                durable,
                FieldTable::default(),
            )
            .await?;
        let queue = kind.queue(route);
        let durable = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        channel
            .queue_declare(
                queue.as_str().into(),
                durable,
                kind.arguments(self.queue_type),
            )
            .await?;
        channel
            .queue_bind(
                queue.as_str().into(),
                kind.exchange().into(),
                queue.as_str().into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<(Kind, Route)>> {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
