//! One connection and its life: connect, watch, give up, back off, again.
//!
//! Invariant: at most one session is up; when it ends everything on it is
//! dropped before the next connection is tried. No refusal of the broker ends
//! the loop; only [`close`](crate::broker::Broker::close) and the end of the
//! process do.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use lapin::{Connection, ConnectionProperties, Event, uri::AMQPUri};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    options::Options,
    receipt::Leftovers,
    session::{Purpose, Session},
};
use crate::broker::{Error, Result};

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// The pause after the first failure; it doubles from there.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A connection that lived this long was a good one: the back-off starts anew.
const GOOD_LIFE: Duration = Duration::from_secs(10);

/// A handshake takes milliseconds; a broker this slow is stuck.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Handshakes with a stuck broker that may wait at once. Each keeps a thread of
/// lapin's until the broker answers or the kernel gives up.
const MOST_ATTEMPTS: usize = 4;

/// How often the state is looked at, besides the events: not every way in
/// which a connection can end sends one.
const LOOK: Duration = Duration::from_secs(1);

/// What the users of a connection see of it.
#[derive(Debug)]
enum State {
    Away(String),
    Up {
        session: Arc<Session>,
        blocked: bool,
    },
    Closed,
}

/// The users' side of a connection.
#[derive(Debug)]
pub(super) struct Link(watch::Sender<State>);

impl Default for Link {
    fn default() -> Self {
        Self(watch::Sender::new(State::Away("not connected yet".into())))
    }
}

impl Link {
    /// The session, if there is one now.
    pub(super) fn session(&self) -> Result<Arc<Session>> {
        match &*self.0.borrow() {
            State::Up { session, .. } => Ok(session.clone()),
            State::Away(why) => Err(Error::Unavailable(why.clone())),
            State::Closed => Err(Error::Unavailable("it was closed".into())),
        }
    }

    /// The session, if the broker takes messages on it now.
    pub(super) fn usable(&self) -> Result<Arc<Session>> {
        let session = self.session()?;
        if self.is_blocked() {
            return Err(Error::Unavailable(
                "it asked publishers to hold: look at its memory and disk alarms".into(),
            ));
        }
        Ok(session)
    }

    /// Waits at most until `deadline` for [`usable`](Self::usable).
    pub(super) async fn usable_by(&self, deadline: Instant) -> Result<Arc<Session>> {
        let mut states = self.0.subscribe();
        let ready = states
            .wait_for(|state| matches!(state, State::Up { blocked: false, .. } | State::Closed));
        // In time or not, the state says what is to be said.
        drop(tokio::time::timeout_at(deadline, ready).await);
        self.usable()
    }

    /// Waits for a session, however long it takes.
    pub(super) async fn next_session(&self) -> Arc<Session> {
        let mut states = self.0.subscribe();
        loop {
            if let State::Up { session, .. } = &*states.borrow_and_update()
                && !session.ended.is_cancelled()
            {
                return session.clone();
            }
            if states.changed().await.is_err() {
                // Nobody is left who could connect.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Why it cannot be used now.
    pub(super) fn trouble(&self) -> Option<String> {
        match &*self.0.borrow() {
            State::Up { .. } => None,
            State::Away(why) => Some(why.clone()),
            State::Closed => Some("it was closed".into()),
        }
    }

    /// Whether the broker asked publishers to hold.
    pub(super) fn is_blocked(&self) -> bool {
        matches!(&*self.0.borrow(), State::Up { blocked: true, .. })
    }

    /// Waits for the end of the supervisor.
    pub(super) async fn closed(&self) {
        let mut states = self.0.subscribe();
        // An error means that the supervisor is gone: closed as well.
        drop(
            states
                .wait_for(|state| matches!(state, State::Closed))
                .await,
        );
    }

    fn set(&self, state: State) {
        self.0.send_replace(state);
    }

    fn set_blocked(&self, now: bool) {
        self.0.send_modify(|state| {
            if let State::Up { blocked, .. } = state {
                *blocked = now;
            }
        });
    }
}

/// The owner of one connection.
pub(super) struct Supervisor {
    pub(super) link: Arc<Link>,
    pub(super) options: Arc<Options>,
    pub(super) address: AMQPUri,
    pub(super) purpose: Purpose,
    pub(super) epoch: Arc<watch::Sender<u64>>,
    pub(super) leftovers: Leftovers,
    pub(super) stop: CancellationToken,
}

impl Supervisor {
    /// Keeps a connection until told to stop.
    pub(super) async fn run(self) {
        let stop = self.stop.clone();
        let mut attempts = Attempts::default();
        let mut failures = 0;
        let mut rebuilds = false;
        while !stop.is_cancelled() {
            let connected = tokio::select! {
                connected = attempts.connect(&self) => connected,
                () = stop.cancelled() => break,
            };
            failures = match connected {
                Ok(connection) => {
                    if rebuilds {
                        metrics::counter!("zerogate_broker_reconnects_total").increment(1);
                    }
                    rebuilds = true;
                    self.live(connection, failures).await
                }
                Err(error) => {
                    self.note(&error);
                    failures + 1
                }
            };
            tokio::select! {
                () = sleep(pause(failures)) => {}
                () = stop.cancelled() => {}
            }
        }
        self.link.set(State::Closed);
    }

    /// Uses a connection until it ends; the failures to count from then on.
    async fn live(&self, connection: Connection, failures: u32) -> u32 {
        let born = Instant::now();
        let session = Session::new(connection, self.purpose, &self.options, &self.leftovers);
        self.link.set(State::Up {
            session: session.clone(),
            blocked: false,
        });
        // After the link, so that whoever sees the epoch can use the session.
        self.epoch.send_modify(|epoch| *epoch += 1);
        info!(
            purpose = self.purpose.as_str(),
            "connected to the message broker"
        );
        let why = self.watch(&session).await;
        self.note(&why);
        session.end().await;
        if born.elapsed() >= GOOD_LIFE {
            1
        } else {
            failures + 1
        }
    }

    /// Follows a session to its end, and says what ended it.
    async fn watch(&self, session: &Session) -> String {
        let mut events = std::pin::pin!(session.connection.events_listener());
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut why = "the connection ended".to_owned();
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return "it was closed".into(),
                () = session.give_back.doomed.cancelled() => {
                    return "too many messages were dropped at once".into();
                }
                Some(event) = events.next() => match event {
                    Event::ConnectionBlocked(reason) => {
                        warn!(%reason, "the message broker asks publishers to hold");
                        self.link.set_blocked(true);
                    }
                    Event::ConnectionUnblocked => self.link.set_blocked(false),
                    Event::Error(error) => why = error.to_string(),
                    _ => {}
                },
                _ = look.tick() => {}
            }
            // Errors of a single channel are events too: the connection lives on.
            if !session.connection.status().connected() {
                return why;
            }
        }
    }

    fn note(&self, why: &str) {
        if self.stop.is_cancelled() {
            return;
        }
        // Once per change, not once per attempt: an outage may last for hours.
        if self.link.trouble().as_deref() != Some(why) {
            warn!(
                purpose = self.purpose.as_str(),
                why, "no connection to the message broker; trying again"
            );
        }
        self.link.set(State::Away(why.to_owned()));
    }

    fn properties(&self) -> ConnectionProperties {
        let name = format!("{} {}", self.options.name, self.purpose.as_str());
        ConnectionProperties::default().with_connection_name(name.into())
    }
}

/// Handshakes under way.
#[derive(Default)]
struct Attempts(FuturesUnordered<BoxFuture<'static, lapin::Result<Connection>>>);

impl Attempts {
    /// Starts another handshake, if not too many wait, and takes the first that
    /// comes to an end.
    async fn connect(&mut self, plan: &Supervisor) -> std::result::Result<Connection, String> {
        if self.0.len() < MOST_ATTEMPTS {
            let handshake = Connection::connect_uri(plan.address.clone(), plan.properties());
            self.0.push(Box::pin(handshake));
        }
        match timeout(CONNECT_TIMEOUT, self.0.next()).await {
            Ok(Some(Ok(connection))) => {
                self.0.clear();
                Ok(connection)
            }
            Ok(Some(Err(error))) => Err(error.to_string()),
            Ok(None) | Err(_) => Err(format!(
                "no answer to the handshake within {} s",
                CONNECT_TIMEOUT.as_secs()
            )),
        }
    }
}

/// The pause after so many failures in a row: doubling, capped, and shortened by
/// up to half, so that a fleet does not come back in step.
fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(10);
    let longest = FIRST_PAUSE
        .saturating_mul(1 << doublings)
        .min(LONGEST_PAUSE);
    longest.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_below_the_cap() {
        for failures in 0..100 {
            let pause = pause(failures);
            assert!(
                pause >= FIRST_PAUSE / 2 && pause <= LONGEST_PAUSE,
                "{pause:?}"
            );
        }
        assert!(pause(1) <= FIRST_PAUSE);
        assert!(pause(9) >= LONGEST_PAUSE / 2);
    }
}
