//! News of the store: hints to look, never the truth itself.
//!
//! Invariant: losing a signal costs time, never work; every loop that listens
//! has a timer as well.

use async_trait::async_trait;

use crate::model::TaskId;

/// One piece of news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Some task became ready.
    Ready,
    /// These tasks reached a final state.
    Ended(Vec<TaskId>),
    /// These running tasks are to be stopped.
    CancelAsked(Vec<TaskId>),
    /// The mode changed.
    Mode,
    /// The standing orders changed.
    Orders,
    /// Alerts were raised, changed or resolved.
    Alerts,
    /// A worker came or went, or serves other types.
    Workers,
    /// News may have been lost: look at everything.
    Missed,
}

/// A listener. Dropping it ends the subscription.
#[async_trait]
pub trait Signals: Send + Sync {
    /// Waits for the next news. Never ends: across a lost connection it
    /// reconnects and says [`Signal::Missed`].
    async fn next(&mut self) -> Signal;
}
