//! Ringing and listening.
//!
//! A listener has one channel, with a consumer of prefetch one per route. The
//! route in front is heard first: routes are in the order of priority.
//!
//! Invariant: a listener hears exactly the routes it was last told. A change
//! that fails or is dropped half-way costs the channel, which gives every bell
//! on it back; [`next`](Listener::next) builds it again and says so.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{Stream, StreamExt, future::try_join_all};
use lapin::{
    Acker, BasicProperties, Channel, Consumer,
    message::Delivery,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    receipt::{self, Held, HeldBell},
    session::Session,
    supervisor::Link,
    topology::{BELLS, Kind},
    trouble,
};
use crate::{
    broker::{Bell, Error, Listener, Result},
    model::Route,
};

/// The pause before a listener that could not listen tries again, on a
/// connection that is up: as long as the longest pause between connections.
const PAUSE: Duration = Duration::from_secs(3);

/// Rings the bells of some routes: transient, unconfirmed, not mandatory.
pub(super) async fn ring(session: &Session, routes: &[Route], deadline: Instant) -> Result<()> {
    let ringing = async {
        for route in routes {
            session
                .topology
                .ensure(&session.connection, Kind::Bell, route)
                .await?;
        }
        let channel = session.side_channel().await;
        let channel = channel.map_err(|error| trouble::classify(&error, "a channel"))?;
        let rings = routes.iter().map(|route| ring_one(&channel, route));
        try_join_all(rings)
            .await
            .map_err(|error| trouble::classify(&error, "the exchange of bells"))
    };
    match timeout_at(deadline, ringing).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            session.topology.forget_all();
            Err(error)
        }
        Err(_) => Err(Error::Unavailable("no bell could be rung in time".into())),
    }
}

async fn ring_one(channel: &Channel, route: &Route) -> lapin::Result<()> {
    channel
        .basic_publish(
            BELLS.into(),
            Kind::Bell.queue(route).into(),
            BasicPublishOptions::default(),
            &[],
            BasicProperties::default(),
        )
        .await
        // The channel does not confirm: there is nothing more to wait for.
        .map(drop)
}

/// Listens on whichever session is up.
#[derive(Debug)]
pub(super) struct BellListener {
    link: Arc<Link>,
    wanted: BTreeSet<Route>,
    ears: Option<Ears>,
    /// Bells may have been lost since `next` last said so.
    missed: bool,
}

impl BellListener {
    /// A listener that hears nothing yet.
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            wanted: BTreeSet::new(),
            ears: None,
            missed: false,
        }
    }

    /// Hears what is wanted, on this session. The old ears are lost if it fails
    /// or is dropped half-way.
    async fn apply(&mut self, session: Arc<Session>) -> Result<()> {
        let mut ears = match self.ears.take() {
            Some(ears) if Arc::ptr_eq(&ears.session, &session) && ears.usable() => ears,
            Some(_lost) => {
                self.missed = true;
                Ears::open(session).await?
            }
            None => Ears::open(session).await?,
        };
        if let Err(error) = ears.tune(&self.wanted).await {
            self.missed = true;
            return Err(error);
        }
        self.ears = Some(ears);
        Ok(())
    }

    /// Builds the ears again, however long it takes.
    async fn rebuild(&mut self) {
        self.missed = true;
        loop {
            let session = self.link.next_session().await;
            match self.apply(session).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, "cannot listen to the bells; trying again"),
            }
            sleep(PAUSE).await;
        }
    }
}

#[async_trait]
impl Listener for BellListener {
    async fn tune(&mut self, routes: &[Route]) -> Result<()> {
        self.wanted = routes.iter().cloned().collect();
        let session = self.link.session()?;
        self.apply(session).await
    }

    async fn next(&mut self) -> Option<Bell> {
        loop {
            let Some(ears) = self.ears.as_mut() else {
                self.rebuild().await;
                continue;
            };
            if std::mem::take(&mut self.missed) {
                return None;
            }
            match ears.hear().await {
                Some(bell) => return Some(bell),
                None => self.ears = None,
            }
        }
    }
}

/// The consumers of one listener on one session.
#[derive(Debug)]
struct Ears {
    session: Arc<Session>,
    channel: Channel,
    routes: BTreeMap<Route, Ear>,
}

/// The consumer of one route.
#[derive(Debug)]
struct Ear {
    consumer: Consumer,
    /// The last bell that `next` gave out.
    in_hand: Option<Acker>,
}

impl Ears {
    async fn open(session: Arc<Session>) -> Result<Self> {
        let opened = async {
            let channel = session.connection.create_channel().await?;
            // Per consumer, not per channel: the latter is deprecated in RabbitMQ 4.
            channel.basic_qos(1, BasicQosOptions::default()).await?;
            Ok(channel)
        };
        let channel = opened
            .await
            .map_err(|error| trouble::classify(&error, "a channel"))?;
        Ok(Self {
            session,
            channel,
            routes: BTreeMap::new(),
        })
    }

    fn usable(&self) -> bool {
        !self.session.ended.is_cancelled() && self.channel.status().connected()
    }

    /// Adds and cancels consumers until exactly `wanted` is heard.
    async fn tune(&mut self, wanted: &BTreeSet<Route>) -> Result<()> {
        let heard: BTreeSet<Route> = self.routes.keys().cloned().collect();
        for route in heard.difference(wanted) {
            if let Some(ear) = self.routes.remove(route) {
                self.cancel(ear)
                    .await
                    .map_err(|error| trouble::classify(&error, "a bell's consumer"))?;
            }
        }
        for route in wanted.difference(&heard) {
            let consumer = self.consume(route).await?;
            let ear = Ear {
                consumer,
                in_hand: None,
            };
            self.routes.insert(route.clone(), ear);
        }
        Ok(())
    }

    async fn consume(&self, route: &Route) -> Result<Consumer> {
        let Session {
            topology,
            connection,
            ..
        } = &*self.session;
        topology.ensure(connection, Kind::Bell, route).await?;
        let queue = Kind::Bell.queue(route);
        let consumed = self.channel.basic_consume(
            queue.as_str().into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        consumed.await.map_err(|error| {
            topology.forget(Kind::Bell, route);
            trouble::classify(&error, &format!("the queue `{queue}`"))
        })
    }

    /// Stops hearing a route and gives its bell back, wherever it is.
    async fn cancel(&self, mut ear: Ear) -> lapin::Result<()> {
        self.channel
            .basic_cancel(ear.consumer.tag(), BasicCancelOptions::default())
            .await?;
        // The stream ends here: a cancelled consumer gets a last word.
        while let Some(Ok(unheard)) = ear.consumer.next().await {
            receipt::requeue(&unheard.acker).await;
        }
        if let Some(acker) = ear.in_hand.filter(Acker::usable) {
            receipt::requeue(&acker).await;
        }
        Ok(())
    }

    /// Waits for a bell. `None`: these ears hear no more.
    async fn hear(&mut self) -> Option<Bell> {
        let Self {
            session, routes, ..
        } = self;
        let heard = std::future::poll_fn(|context| poll_ears(routes, context));
        let heard = tokio::select! {
            heard = heard => heard,
            () = session.ended.cancelled() => None,
        };
        let Some((route, delivery)) = heard else {
            // Perhaps somebody deleted a queue: the next ears declare them again.
            for route in routes.keys() {
                session.topology.forget(Kind::Bell, route);
            }
            return None;
        };
        let held = Held::new(delivery.acker, session.give_back.clone());
        Some(Bell::new(route, Box::new(HeldBell(held))))
    }
}

/// The first bell in the order of routes; `None` once any consumer has ended.
fn poll_ears(
    routes: &mut BTreeMap<Route, Ear>,
    context: &mut Context<'_>,
) -> Poll<Option<(Route, Delivery)>> {
    for (route, ear) in routes {
        match Pin::new(&mut ear.consumer).poll_next(context) {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(delivery))) => {
                ear.in_hand = Some(delivery.acker.clone());
                return Poll::Ready(Some((route.clone(), delivery)));
            }
            // Its queue was deleted, or the channel closed.
            Poll::Ready(Some(Err(_)) | None) => {
                return Poll::Ready(None);
            }
        }
    }
    Poll::Pending
}
