//! A message in hand: acknowledged once, or given back once.
//!
//! A drop cannot wait, so it hands the message to one task that gives back.
//! Receipts of a lost connection do nothing: the broker has redelivered.
//!
//! Invariant: no message stays in limbo. If even the hand-over fails, the
//! connection is given up, and the broker takes everything on it back.

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use lapin::{
    Acker,
    message::BasicGetMessage,
    options::{BasicAckOptions, BasicNackOptions},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{channels::Lease, trouble};
use crate::{
    broker::{Error, Receipt, Result},
    lifecycle::Tasks,
};

/// How many messages may be dropped before the task has given the first back.
/// A worker holds a message only between its fetch and its claim, so this many
/// at once means that something is broken: the connection is given up.
const MOST_LEFTOVERS: usize = 4096;

/// The answer to a `basic.get`, with the channel that asked.
pub(super) type Getting = BoxFuture<'static, (Lease, lapin::Result<Option<BasicGetMessage>>)>;

/// What somebody let go of.
enum Leftover {
    /// An unacknowledged message.
    Message(Acker),
    /// A question whose answer nobody waits for any more.
    Getting(Getting),
}

/// Gives back what was dropped, until the broker is closed.
pub(super) fn collect_leftovers(tasks: &Tasks, stop: &CancellationToken) -> Leftovers {
    let (sender, mut receiver) = mpsc::channel(MOST_LEFTOVERS);
    let stop = stop.clone();
    tasks.spawn("rabbit-leftovers", async move {
        let work = async {
            while let Some(leftover) = receiver.recv().await {
                give_back(leftover).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    });
    Leftovers(sender)
}

async fn give_back(leftover: Leftover) {
    let acker = match leftover {
        Leftover::Message(acker) => acker,
        Leftover::Getting(getting) => {
            let (lease, answer) = getting.await;
            // An error closes the channel with the lease: nothing is left on it.
            let Ok(message) = answer else { return };
            lease.give_back();
            let Some(message) = message else { return };
            message.delivery.acker
        }
    };
    requeue(&acker).await;
}

/// Gives a message back now, unless it was settled before.
pub(super) async fn requeue(acker: &Acker) {
    let options = BasicNackOptions {
        requeue: true,
        ..BasicNackOptions::default()
    };
    if let Err(error) = acker.nack(options).await {
        // Its channel is gone, and the message went back with it.
        tracing::debug!(%error, "a message was given back by its connection's end");
    }
}

/// Where dropped messages go.
#[derive(Clone, Debug)]
pub(super) struct Leftovers(mpsc::Sender<Leftover>);

impl Leftovers {
    /// The way back for the messages of one session.
    pub(super) fn for_session(&self) -> GiveBack {
        GiveBack {
            leftovers: self.0.clone(),
            doomed: CancellationToken::new(),
        }
    }
}

/// The way back for the messages of one session.
#[derive(Clone, Debug)]
pub(super) struct GiveBack {
    leftovers: mpsc::Sender<Leftover>,
    /// Raised when the session must end because it cannot give back.
    pub(super) doomed: CancellationToken,
}

impl GiveBack {
    /// Hands over a question that is still open.
    pub(super) fn getting(&self, getting: Getting) {
        self.hand_over(Leftover::Getting(getting));
    }

    fn hand_over(&self, leftover: Leftover) {
        if self.leftovers.try_send(leftover).is_err() {
            self.doomed.cancel();
        }
    }
}

/// An unacknowledged message. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Held {
    acker: Acker,
    give_back: GiveBack,
}

impl Held {
    /// A message that was just delivered.
    pub(super) fn new(acker: Acker, give_back: GiveBack) -> Self {
        Self { acker, give_back }
    }
}

#[async_trait]
impl Receipt for Held {
    async fn acknowledge(self: Box<Self>) -> Result<()> {
        match self.acker.ack(BasicAckOptions::default()).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::Unavailable(
                "the message went back to its queue when its connection ended".into(),
            )),
            Err(error) => Err(trouble::classify(&error, "the message")),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Not usable: acknowledged, given back by `tune`, or of a lost connection.
        if self.acker.usable() {
            self.give_back
                .hand_over(Leftover::Message(self.acker.clone()));
        }
    }
}

/// A bell in hand: a [`Held`] whose end never fails, because a bell that went
/// back merely rings once too often.
#[derive(Debug)]
pub(super) struct HeldBell(pub(super) Held);

#[async_trait]
impl Receipt for HeldBell {
    async fn acknowledge(self: Box<Self>) -> Result<()> {
        if let Err(error) = Box::new(self.0).acknowledge().await {
            tracing::debug!(%error, "a bell was over before it was ended");
        }
        Ok(())
    }
}
