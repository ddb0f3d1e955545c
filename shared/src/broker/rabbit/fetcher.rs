//! Slips in: one `basic.get` per fetch, on a channel of its own; and depths.
//!
//! Invariant: a fetch that is dropped half-way loses nothing: the answer that
//! still comes is given back.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use lapin::{
    message::BasicGetMessage,
    options::{BasicGetOptions, QueueDeclareOptions},
    types::FieldTable,
};
use tracing::error;

use super::{
    channels::Lease,
    receipt::{Getting, GiveBack, Held},
    session::Session,
    topology::Kind,
    trouble,
};
use crate::{
    broker::{Delivery, Receipt, Result},
    model::Route,
    wire::Slip,
};

/// Takes one slip of the route. Messages that are none are ended on the way:
/// given back they would come again for ever.
pub(super) async fn fetch(session: &Session, route: &Route) -> Result<Option<Delivery>> {
    session
        .topology
        .ensure(&session.connection, Kind::Tasks, route)
        .await?;
    loop {
        let Some(message) = get(session, route).await? else {
            return Ok(None);
        };
        let BasicGetMessage { delivery, .. } = message;
        let held = Box::new(Held::new(delivery.acker, session.give_back.clone()));
        match Slip::decode(&delivery.data) {
            Ok(slip) => return Ok(Some(Delivery::new(slip, delivery.redelivered, held))),
            Err(why) => {
                metrics::counter!("zerogate_broker_unreadable_total").increment(1);
                error!(%route, %why, "a message in a task queue is not a slip; it is thrown away");
                held.acknowledge().await?;
            }
        }
    }
}

async fn get(session: &Session, route: &Route) -> Result<Option<BasicGetMessage>> {
    let queue = Kind::Tasks.queue(route);
    let lease = session.pool.lease(&session.connection).await;
    let lease = lease.map_err(|error| trouble::classify(&error, "a channel"))?;
    let (lease, answer) = Asking::new(lease, queue.clone(), &session.give_back).await;
    match answer {
        Ok(message) => {
            lease.give_back();
            Ok(message)
        }
        // The broker closed the channel: somebody deleted the queue. The next
        // fetch declares it again, on another channel.
        Err(error) if trouble::is_not_found(&error) => {
            session.topology.forget(Kind::Tasks, route);
            Ok(None)
        }
        Err(error) => Err(trouble::classify(&error, &format!("the queue `{queue}`"))),
    }
}

/// A question under way. Dropped, it goes to those who clean up.
struct Asking<'a> {
    getting: Option<Getting>,
    give_back: &'a GiveBack,
}

impl<'a> Asking<'a> {
    fn new(lease: Lease, queue: String, give_back: &'a GiveBack) -> Self {
        let getting = async move {
            let options = BasicGetOptions::default();
            let answer = lease.channel().basic_get(queue.into(), options).await;
            (lease, answer)
        };
        Self {
            getting: Some(Box::pin(getting)),
            give_back,
        }
    }
}

impl Future for Asking<'_> {
    type Output = (Lease, lapin::Result<Option<BasicGetMessage>>);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let getting = self.getting.as_mut().expect("never polled after its end");
        let answer = std::task::ready!(getting.as_mut().poll(context));
        self.getting = None;
        Poll::Ready(answer)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(getting) = self.getting.take() {
            self.give_back.getting(getting);
        }
    }
}

/// How many slips are ready in the route's queue; 0 if there is none.
pub(super) async fn depth(session: &Session, route: &Route) -> Result<u64> {
    let queue = Kind::Tasks.queue(route);
    let about = format!("the queue `{queue}`");
    let classify = |error: lapin::Error| trouble::classify(&error, &about);
    let channel = session.side_channel().await.map_err(classify)?;
    let passive = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let answer = channel
        .queue_declare(queue.as_str().into(), passive, FieldTable::default())
        .await;
    match answer {
        Ok(queue) => Ok(queue.message_count().into()),
        Err(error) if trouble::is_not_found(&error) => Ok(0),
        Err(error) => Err(classify(error)),
    }
}
