//! The broker of a single process: queues and bells in memory.
//!
//! It behaves as [`rabbit`](super::rabbit) does, so that what runs here runs
//! there; the conformance suite holds both to it. It is filled again from the
//! store when the process starts.
//!
//! Invariant: a slip is either in its queue or in one delivery; a bell is
//! either in its queue or with one listener. No lock is held across an await.
//! Deliberately absent: durability.

mod bell;
mod queue;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;

use self::{bell::Bells, queue::Queues};
use super::{Broker, Delivery, Error, Health, Listener, Published, Result};
use crate::{model::Route, wire::Slip};

/// The only connection there ever is.
const EPOCH: u64 = 1;

/// The broker of one process. See the module's documentation.
#[derive(Debug, Default)]
pub struct LocalBroker {
    queues: Arc<Queues>,
    bells: Arc<Bells>,
    closed: AtomicBool,
}

impl LocalBroker {
    /// A broker with empty queues.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::Unavailable("it was closed".into()));
        }
        Ok(())
    }
}

#[async_trait]
impl Broker for LocalBroker {
    async fn publish(&self, slips: Vec<Slip>) -> Vec<Published> {
        let count = slips.len();
        if let Err(error) = self.check_open() {
            return vec![Published::Returned(error.to_string()); count];
        }
        self.queues.put(slips);
        metrics::counter!("zerogate_published_total", "result" => "confirmed")
            .increment(count as u64);
        vec![Published::Confirmed; count]
    }

    async fn ring(&self, routes: &[Route]) -> Result<()> {
        self.check_open()?;
        self.bells.ring(routes);
        Ok(())
    }

    async fn fetch(&self, route: &Route) -> Result<Option<Delivery>> {
        self.check_open()?;
        Ok(self.queues.take(route))
    }

    async fn depth(&self, route: &Route) -> Result<u64> {
        self.check_open()?;
        Ok(self.queues.depth(route))
    }

    async fn listen(&self) -> Result<Box<dyn Listener>> {
        self.check_open()?;
        Ok(Box::new(bell::BellListener::new(&self.bells)))
    }

    fn health(&self) -> Health {
        let closed = self.check_open().err();
        Health {
            connected: closed.is_none(),
            blocked: false,
            epoch: EPOCH,
            last_error: closed.map(|error| error.to_string()),
        }
    }

    async fn epoch_after(&self, seen: u64) -> u64 {
        if seen == EPOCH {
            // There is never another connection, so never another answer.
            std::future::pending::<()>().await;
        }
        EPOCH
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}
