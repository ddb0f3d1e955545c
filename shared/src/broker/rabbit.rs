//! RabbitMQ through lapin. This file is the map.
//!
//! | file | what it does |
//! |---|---|
//! | `options` | what an operator chooses, checked |
//! | `topology` | names, properties, declaration at first use |
//! | `supervisor` | one connection: connect, watch, drop everything, back off, again |
//! | `session` | what lives and dies with one connection |
//! | `channels` | a pool of channels, one user each |
//! | `publisher` | slips out: pipelined, confirmed, mandatory, healed once |
//! | `fetcher` | one slip in: `basic.get`; and the depth of a queue |
//! | `receipt` | a message in hand: acknowledged once or given back once |
//! | `bell` | ringing and listening |
//! | `trouble` | what lapin's errors mean to us |
//!
//! Two connections, because a broker in alarm stops reading from one that
//! publishes, acknowledgements included. Each has its supervisor; losing one
//! leaves the other alone.
//!
//! Invariant: lapin's own recovery is off; nothing of a lost connection is
//! used again. `lapin` is named nowhere outside this file and its folder.
//! Works on RabbitMQ 3.10 and 4: durable queues only, no channel-wide prefetch.
//!
//! TLS (`amqps://`) uses rustls with the process's crypto provider; lapin
//! installs ring's where none is set, so `main` need do nothing.

mod bell;
mod channels;
mod fetcher;
mod options;
mod publisher;
mod receipt;
mod session;
mod supervisor;
mod topology;
mod trouble;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

pub use self::options::{Options, QueueType};
use self::{
    session::Purpose,
    supervisor::{Link, Supervisor},
};
use super::{Broker, Delivery, Health, Listener, Published, Result};
use crate::{lifecycle::Tasks, model::Route, wire::Slip};

/// How long a good-bye may take; a broker that is away never answers it.
const GOODBYE: Duration = Duration::from_secs(5);

/// A connection to RabbitMQ that mends itself. See the module's documentation.
#[derive(Debug)]
pub struct RabbitBroker {
    options: Arc<Options>,
    publish: Arc<Link>,
    consume: Arc<Link>,
    epoch: Arc<watch::Sender<u64>>,
    closing: CancellationToken,
}

impl RabbitBroker {
    /// Starts connecting and returns at once; [`Health`] says how it went.
    /// Fails only for options that cannot work.
    ///
    /// `tasks` should be a group that stops after the work that uses the
    /// broker: stopping it closes the connections. Must be called within a
    /// Tokio runtime.
    pub fn connect(options: Options, tasks: &Tasks) -> Result<Arc<Self>> {
        let address = options.address()?;
        let options = Arc::new(options);
        let epoch = Arc::new(watch::Sender::new(0));
        // A child: either the group or `close` alone ends the connections.
        let closing = tasks.stopping().child_token();
        let leftovers = receipt::collect_leftovers(tasks, &closing);
        let link = |purpose: Purpose, name: &'static str| {
            let supervisor = Supervisor {
                link: Arc::default(),
                options: options.clone(),
                address: address.clone(),
                purpose,
                epoch: epoch.clone(),
                leftovers: leftovers.clone(),
                stop: closing.clone(),
            };
            let link = supervisor.link.clone();
            tasks.spawn(name, supervisor.run());
            link
        };
        Ok(Arc::new(Self {
            publish: link(Purpose::Publish, "rabbit-publish"),
            consume: link(Purpose::Consume, "rabbit-consume"),
            options,
            epoch,
            closing,
        }))
    }
}

#[async_trait]
impl Broker for RabbitBroker {
    async fn publish(&self, slips: Vec<Slip>) -> Vec<Published> {
        let published =
            publisher::publish(&self.publish, &slips, self.options.publish_timeout).await;
        publisher::count(&published);
        published
    }

    async fn ring(&self, routes: &[Route]) -> Result<()> {
        let deadline = Instant::now() + self.options.publish_timeout;
        bell::ring(&*self.publish.usable()?, routes, deadline).await
    }

    async fn fetch(&self, route: &Route) -> Result<Option<Delivery>> {
        fetcher::fetch(&*self.consume.session()?, route).await
    }

    async fn depth(&self, route: &Route) -> Result<u64> {
        fetcher::depth(&*self.consume.session()?, route).await
    }

    async fn listen(&self) -> Result<Box<dyn Listener>> {
        Ok(Box::new(bell::BellListener::new(self.consume.clone())))
    }

    fn health(&self) -> Health {
        let errors = [self.publish.trouble(), self.consume.trouble()];
        let last_error = errors.into_iter().flatten().next();
        Health {
            connected: last_error.is_none(),
            blocked: self.publish.is_blocked() || self.consume.is_blocked(),
            epoch: *self.epoch.borrow(),
            last_error,
        }
    }

    async fn epoch_after(&self, seen: u64) -> u64 {
        let mut epoch = self.epoch.subscribe();
        let changed = epoch.wait_for(|epoch| *epoch != seen).await;
        *changed.expect("the sender lives as long as `self`")
    }

    async fn close(&self) {
        self.closing.cancel();
        let ended = async { tokio::join!(self.publish.closed(), self.consume.closed()) };
        if timeout(GOODBYE, ended).await.is_err() {
            tracing::warn!("the broker did not answer the good-bye; its connections are dropped");
        }
    }
}
