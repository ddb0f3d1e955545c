//! A broker that notes every pull and counts what is in hand.
//!
//! Invariant: what is delivered is the real broker's; a delivery is in hand
//! until it is acknowledged or dropped.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use async_trait::async_trait;
use shared::{
    broker::{Broker, Delivery, Health, Listener, Published, Receipt, Result, local::LocalBroker},
    model::Route,
    wire::Slip,
};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Watched {
    real: Arc<LocalBroker>,
    last: Mutex<HashMap<Route, Instant>>,
    in_hand: Arc<AtomicUsize>,
}

impl Watched {
    pub(crate) fn over(real: &Arc<LocalBroker>) -> Arc<Self> {
        Arc::new(Self {
            real: Arc::clone(real),
            last: Mutex::default(),
            in_hand: Arc::default(),
        })
    }

    /// When a message of this route was last asked for.
    pub(crate) fn last_pull(&self, route: &Route) -> Option<Instant> {
        self.last.lock().unwrap().get(route).copied()
    }

    pub(crate) fn in_hand(&self) -> usize {
        self.in_hand.load(Ordering::SeqCst)
    }
}

/// A delivery that counts as in hand until this goes.
struct Held {
    delivery: Option<Delivery>,
    in_hand: Arc<AtomicUsize>,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

#[async_trait]
impl Receipt for Held {
    async fn acknowledge(mut self: Box<Self>) -> Result<()> {
        let delivery = self.delivery.take().unwrap();
        delivery.acknowledge().await
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.in_hand.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Broker for Watched {
    async fn publish(&self, slips: Vec<Slip>) -> Vec<Published> {
        self.real.publish(slips).await
    }

    async fn ring(&self, routes: &[Route]) -> Result<()> {
        self.real.ring(routes).await
    }

    async fn fetch(&self, route: &Route) -> Result<Option<Delivery>> {
        let now = Instant::now();
        self.last.lock().unwrap().insert(route.clone(), now);
        let found = self.real.fetch(route).await?;
        Ok(found.map(|delivery| {
            self.in_hand.fetch_add(1, Ordering::SeqCst);
            let (slip, redelivered) = (delivery.slip.clone(), delivery.redelivered);
            let held = Held {
                delivery: Some(delivery),
                in_hand: Arc::clone(&self.in_hand),
            };
            Delivery::new(slip, redelivered, Box::new(held))
        }))
    }

    async fn depth(&self, route: &Route) -> Result<u64> {
        self.real.depth(route).await
    }

    async fn listen(&self) -> Result<Box<dyn Listener>> {
        self.real.listen().await
    }

    fn health(&self) -> Health {
        self.real.health()
    }

    async fn epoch_after(&self, seen: u64) -> u64 {
        self.real.epoch_after(seen).await
    }

    async fn close(&self) {
        self.real.close().await;
    }
}
