//! The queues of slips in memory, one per route.
//!
//! Invariant: a slip given back stands at the front again, marked as
//! redelivered. Never waits.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use crate::{
    broker::{Delivery, Receipt, Result},
    model::Route,
    wire::Slip,
};

/// A slip in its queue.
#[derive(Debug)]
struct Waiting {
    slip: Slip,
    redelivered: bool,
}

/// All queues. Bounded by the dispatch window, which counts what it publishes.
#[derive(Debug, Default)]
pub(super) struct Queues(Mutex<HashMap<Route, VecDeque<Waiting>>>);

impl Queues {
    /// Puts slips at the end of their queues.
    pub(super) fn put(&self, slips: Vec<Slip>) {
        let mut queues = self.lock();
        for slip in slips {
            let queue = queues.entry(slip.route.clone()).or_default();
            queue.push_back(Waiting {
                slip,
                redelivered: false,
            });
        }
    }

    /// Takes the first slip of a queue.
    pub(super) fn take(self: &Arc<Self>, route: &Route) -> Option<Delivery> {
        let Waiting { slip, redelivered } = self.lock().get_mut(route)?.pop_front()?;
        let receipt = Held {
            queues: self.clone(),
            slip: Some(slip.clone()),
        };
        Some(Delivery::new(slip, redelivered, Box::new(receipt)))
    }

    /// How many slips wait.
    pub(super) fn depth(&self, route: &Route) -> u64 {
        self.lock().get(route).map_or(0, |queue| queue.len() as u64)
    }

    fn give_back(&self, slip: Slip) {
        let mut queues = self.lock();
        let queue = queues.entry(slip.route.clone()).or_default();
        queue.push_front(Waiting {
            slip,
            redelivered: true,
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Route, VecDeque<Waiting>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slip in hand; `None` once it is acknowledged.
#[derive(Debug)]
struct Held {
    queues: Arc<Queues>,
    slip: Option<Slip>,
}

#[async_trait]
impl Receipt for Held {
    async fn acknowledge(mut self: Box<Self>) -> Result<()> {
        self.slip = None;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(slip) = self.slip.take() {
            self.queues.give_back(slip);
        }
    }
}
