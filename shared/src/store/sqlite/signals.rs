//! News of the store: gathered while verbs run, told after the COMMIT.
//!
//! Invariant: a verb that is rolled back leaves no news.

use std::future;

use async_trait::async_trait;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{
    model::TaskId,
    store::signal::{Signal, Signals},
};

/// A listener that falls this far behind looks at everything instead; groups
/// merge their news, so this is more than a second of full load.
pub(super) const BACKLOG: usize = 1024;

/// The news of one group of verbs.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each kind of news that has nothing to add"
)]
pub(super) struct News {
    pub(super) ready: bool,
    pub(super) ended: Vec<TaskId>,
    pub(super) cancel_asked: Vec<TaskId>,
    pub(super) mode: bool,
    pub(super) workers: bool,
    pub(super) orders: bool,
    pub(super) alerts: bool,
    group: Vec<Signal>,
}

impl News {
    pub(super) fn begin_verb(&mut self) {
        self.undo_verb();
    }

    pub(super) fn end_verb(&mut self) {
        let ended = std::mem::take(&mut self.ended);
        let asked = std::mem::take(&mut self.cancel_asked);
        let flags = [
            (self.ready, Signal::Ready),
            (self.mode, Signal::Mode),
            (self.workers, Signal::Workers),
            (self.orders, Signal::Orders),
            (self.alerts, Signal::Alerts),
        ];
        for (raised, signal) in flags {
            if raised && !self.group.contains(&signal) {
                self.group.push(signal);
            }
        }
        if !ended.is_empty() {
            self.group.push(Signal::Ended(ended));
        }
        if !asked.is_empty() {
            self.group.push(Signal::CancelAsked(asked));
        }
        self.undo_verb();
    }

    pub(super) fn undo_verb(&mut self) {
        let group = std::mem::take(&mut self.group);
        *self = Self {
            group,
            ..Self::default()
        };
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What the group has to tell.
    pub(super) fn signals(&mut self) -> Vec<Signal> {
        std::mem::take(&mut self.group)
    }
}

/// One listener.
#[derive(Debug)]
pub(super) struct Listener(pub(super) broadcast::Receiver<Signal>);

#[async_trait]
impl Signals for Listener {
    async fn next(&mut self) -> Signal {
        match self.0.recv().await {
            Ok(signal) => signal,
            Err(RecvError::Lagged(_)) => Signal::Missed,
            // The store is gone, and with it all news.
            Err(RecvError::Closed) => future::pending().await,
        }
    }
}
