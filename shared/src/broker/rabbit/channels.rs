//! A small pool of channels: one per concurrent getter or publishing batch.
//!
//! Invariant: a channel is used by one lease at a time and comes back only
//! through [`Lease::give_back`], in good order. A lease that is merely dropped
//! closes its channel, and with it whatever was half done on it.

use std::sync::{Arc, Mutex, PoisonError};

use lapin::{Channel, Connection, options::ConfirmSelectOptions};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Channels of one connection, opened when first needed.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Mutex<Vec<Channel>>,
    permits: Arc<Semaphore>,
    confirms: bool,
}

/// A channel in use.
#[derive(Debug)]
pub(super) struct Lease {
    channel: Channel,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    /// At most `size` channels, with publisher confirms or without.
    pub(super) fn new(size: u16, confirms: bool) -> Arc<Self> {
        Arc::new(Self {
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(size.into())),
            confirms,
        })
    }

    /// Waits for a channel to be free.
    pub(super) async fn lease(self: &Arc<Self>, connection: &Connection) -> lapin::Result<Lease> {
        let permit = self
            .permits
            .clone()
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let channel = match self.idle_channel() {
            Some(channel) => channel,
            None => self.open(connection).await?,
        };
        Ok(Lease {
            channel,
            pool: self.clone(),
            _permit: permit,
        })
    }

    fn idle_channel(&self) -> Option<Channel> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| idle.pop()).find(|channel| channel.status().connected())
    }

    async fn open(&self, connection: &Connection) -> lapin::Result<Channel> {
        let channel = connection.create_channel().await?;
        if self.confirms {
            channel
                .confirm_select(ConfirmSelectOptions::default())
                .await?;
        }
        Ok(channel)
    }
}

impl Lease {
    /// The channel.
    pub(super) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Returns the channel for the next user: nothing is under way on it.
    pub(super) fn give_back(self) {
        let mut idle = self
            .pool
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        idle.push(self.channel.clone());
    }
}
