//! The seam to the broker: slips travel, bells ring.
//!
//! Two backends implement it: [`rabbit`] for production, [`local`] for one
//! process; one conformance suite (in the `tests` package) runs on both.
//!
//! Invariant: at least once, in no particular order across routes. The store
//! decides what a slip is worth; the broker may lose, repeat or delay slips
//! and bells, and nothing but time is lost.

pub mod local;
pub mod rabbit;

use std::fmt;

use async_trait::async_trait;

use crate::{model::Route, wire::Slip};

/// Why the broker has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// It is away, or the connection is being rebuilt; ask again.
    #[error("the broker is unavailable: {0}")]
    Unavailable(String),
    /// It answered, and it will answer the same again: a queue of another
    /// kind under our name, or no permission.
    #[error("{0}")]
    Unsuitable(String),
}

/// The answer of the broker.
pub type Result<T> = std::result::Result<T, Error>;

/// What became of one published slip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// The broker holds it.
    Confirmed,
    /// No queue took it, or the broker refused it. It was not stored.
    Returned(String),
    /// The connection ended before the answer. It may be there.
    Unknown(String),
}

/// What the broker says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Connected and usable now.
    pub connected: bool,
    /// The broker asked publishers to hold (memory or disk alarm).
    pub blocked: bool,
    /// Grows with every connection made; a change means that queues may have
    /// been lost.
    pub epoch: u64,
    /// The last error, if not connected.
    pub last_error: Option<String>,
}

/// A broker. See the module's documentation.
#[async_trait]
pub trait Broker: Send + Sync + fmt::Debug + 'static {
    /// Publishes slips and waits for the confirms. Queues are declared at
    /// their first use. Answers stand in order.
    async fn publish(&self, slips: Vec<Slip>) -> Vec<Published>;

    /// Rings the bells of these routes; call after the confirm. A bell that
    /// rings already stays one bell. Losing one is harmless.
    async fn ring(&self, routes: &[Route]) -> Result<()>;

    /// Takes one slip of the route, if there is one. It is redelivered unless
    /// the delivery is acknowledged.
    async fn fetch(&self, route: &Route) -> Result<Option<Delivery>>;

    /// How many slips wait in the route's queue, not counting unacknowledged
    /// ones; 0 if there is no such queue.
    async fn depth(&self, route: &Route) -> Result<u64>;

    /// Listens to the bells of the routes it is told.
    async fn listen(&self) -> Result<Box<dyn Listener>>;

    /// How it is. Never waits for the network.
    fn health(&self) -> Health;

    /// Waits until [`Health::epoch`] differs from `seen`, and returns it.
    async fn epoch_after(&self, seen: u64) -> u64;

    /// Closes connections in good order.
    async fn close(&self);
}

/// A slip in hand.
#[derive(Debug)]
pub struct Delivery {
    /// What was published.
    pub slip: Slip,
    /// Whether the broker delivered it before.
    pub redelivered: bool,
    receipt: Box<dyn Receipt>,
}

impl Delivery {
    /// A delivery with the backend's own receipt.
    #[must_use]
    pub fn new(slip: Slip, redelivered: bool, receipt: Box<dyn Receipt>) -> Self {
        Self {
            slip,
            redelivered,
            receipt,
        }
    }

    /// Says that the slip is spent: it is not delivered again. Dropping the
    /// delivery instead gives the slip back.
    pub async fn acknowledge(self) -> Result<()> {
        self.receipt.acknowledge().await
    }
}

/// A backend's handle on an unacknowledged message. Dropping it gives the
/// message back to its queue.
#[async_trait]
pub trait Receipt: Send + Sync + fmt::Debug {
    /// Acknowledges the message.
    async fn acknowledge(self: Box<Self>) -> Result<()>;
}

/// A rung bell in hand. A listener holds at most one of a route; if the route
/// is rung meanwhile, another listener hears that one.
///
/// Dropping it rings on, so that another worker hears it; [`Bell::done`] ends
/// it because the queue was found empty.
#[derive(Debug)]
pub struct Bell {
    /// Whose bell.
    pub route: Route,
    receipt: Box<dyn Receipt>,
}

impl Bell {
    /// A bell with the backend's own receipt.
    #[must_use]
    pub fn new(route: Route, receipt: Box<dyn Receipt>) -> Self {
        Self { route, receipt }
    }

    /// The queue was found empty: nobody else need come.
    pub async fn done(self) -> Result<()> {
        self.receipt.acknowledge().await
    }

    /// More work may remain: the next worker hears it.
    pub fn ring_on(self) {
        drop(self);
    }
}

/// Hears the bells of some routes.
#[async_trait]
pub trait Listener: Send + Sync {
    /// Listens to exactly these routes from now on. Bells of other routes in
    /// hand or under way are handed back.
    async fn tune(&mut self, routes: &[Route]) -> Result<()>;

    /// Waits for a bell. `None`: the connection was rebuilt, so bells may have
    /// been lost; look at every queue.
    async fn next(&mut self) -> Option<Bell>;
}
