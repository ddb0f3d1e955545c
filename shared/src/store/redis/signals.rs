//! News by publish and subscribe, on a connection of its own.
//!
//! One message per call of a script, with each kind of news at most once
//! (`lua/index.lua` writes it): `R` ready, `E<number>:<ids>` ended,
//! `C<number>:<ids>` cancel asked, `M` mode, `W` workers, `O` orders,
//! `A` alerts.
//!
//! Invariant: [`Signals::next`] may be dropped at any point and loses nothing
//! that had arrived; every connection after the first is followed by
//! [`Signal::Missed`]. What is heard and not yet asked for is bounded: a
//! listener that falls further behind is told so by the same word.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use redis::{
    AsyncConnectionConfig, Client, PushInfo, PushKind, RedisError, Value,
    aio::MultiplexedConnection,
};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::Instant,
};
use tracing::{info, warn};

use crate::{
    model::TaskId,
    store::{
        Error, Result,
        signal::{Signal, Signals},
    },
};

use super::{
    connection::{Link, classify_running, is_refusal},
    keys, reply,
};

/// After this much silence the connection is probed: a line that died without
/// a word would otherwise be listened to for ever.
const SILENCE: Duration = Duration::from_secs(15);
/// How long a probe or a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The first pause before connecting again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause: as long as a loop's own timer, which looks anyway.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Messages that may wait for a listener. Each stands for one call of a
/// script, and all together for a fraction of a second of a busy fleet: who is
/// further behind is helped more by looking at everything.
pub(super) const BACKLOG: usize = 512;

type Connecting = BoxFuture<'static, std::result::Result<Line, RedisError>>;

/// A connection that is subscribed, and what it brings.
struct Line {
    connection: MultiplexedConnection,
    news: broadcast::Receiver<PushInfo>,
}

enum State {
    Listening(Box<Line>),
    /// Not polled through a shared reference; the lock only makes it shareable.
    Connecting(Mutex<Connecting>),
}

/// Subscribes to the news of the store.
pub(super) async fn listen(link: &Link) -> Result<Box<dyn Signals>> {
    let channel = keys::news(link.base());
    let client = link.client().clone();
    let first = subscribe(client.clone(), channel.clone(), Duration::ZERO)
        .await
        .map_err(|e| classify_running(&e))?;
    Ok(Box::new(Listener {
        client,
        channel,
        state: State::Listening(Box::new(first)),
        heard: VecDeque::new(),
        pause: FIRST_PAUSE,
        quiet_until: Instant::now() + SILENCE,
    }))
}

struct Listener {
    client: Client,
    channel: String,
    state: State,
    heard: VecDeque<Signal>,
    pause: Duration,
    quiet_until: Instant,
}

async fn subscribe(
    client: Client,
    channel: String,
    pause: Duration,
) -> std::result::Result<Line, RedisError> {
    tokio::time::sleep(pause).await;
    let connect = async {
        let (sender, news) = broadcast::channel(BACKLOG);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_push_sender(sender);
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        connection.subscribe(channel).await?;
        Ok(Line { connection, news })
    };
    tokio::time::timeout(PATIENCE, connect)
        .await
        .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
}

/// What one step of listening brought.
enum Step {
    Message(Vec<u8>),
    /// Nothing that concerns a listener.
    Nothing,
    /// More messages than may wait.
    Overflow,
    Silence,
    Lost,
    Connected(Box<Line>),
    Refused(RedisError),
}

impl Listener {
    /// Waits for one thing to happen. Dropping this loses nothing.
    async fn step(&mut self) -> Step {
        match &mut self.state {
            State::Listening(line) => {
                match tokio::time::timeout_at(self.quiet_until, line.news.recv()).await {
                    Ok(Ok(push)) => read(push),
                    Ok(Err(RecvError::Lagged(_))) => Step::Overflow,
                    Ok(Err(RecvError::Closed)) => Step::Lost,
                    Err(_) => Step::Silence,
                }
            }
            State::Connecting(connecting) => {
                let connecting = connecting.get_mut().unwrap_or_else(PoisonError::into_inner);
                match connecting.await {
                    Ok(line) => Step::Connected(Box::new(line)),
                    Err(e) => Step::Refused(e),
                }
            }
        }
    }

    fn reconnect(&mut self, pause: Duration) {
        let connecting = subscribe(self.client.clone(), self.channel.clone(), pause);
        self.state = State::Connecting(Mutex::new(Box::pin(connecting)));
    }

    fn refused(&mut self, error: &RedisError) {
        if is_refusal(error) {
            let error = classify_running(error);
            warn!(%error, "cannot listen to the store's news; trying again");
        }
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.reconnect(self.pause);
    }

    /// Whether the silent connection still answers.
    async fn probe(&mut self) -> bool {
        self.quiet_until = Instant::now() + SILENCE;
        let State::Listening(line) = &mut self.state else {
            return true;
        };
        let ping = redis::cmd("PING");
        let answer = ping.query_async::<Value>(&mut line.connection);
        matches!(tokio::time::timeout(PATIENCE, answer).await, Ok(Ok(_)))
    }

    async fn hear(&mut self) {
        match self.step().await {
            Step::Message(bytes) => {
                self.quiet_until = Instant::now() + SILENCE;
                match decode(&bytes) {
                    Ok(signals) => self.heard.extend(signals),
                    // News of a newer version: something happened.
                    Err(_) => self.heard.push_back(Signal::Missed),
                }
            }
            Step::Nothing => {}
            Step::Overflow => self.heard.push_back(Signal::Missed),
            Step::Silence if self.probe().await => {}
            Step::Silence | Step::Lost => {
                info!("lost the connection that brings the store's news; connecting again");
                self.reconnect(Duration::ZERO);
            }
            Step::Connected(line) => {
                self.state = State::Listening(line);
                self.pause = FIRST_PAUSE;
                self.quiet_until = Instant::now() + SILENCE;
                self.heard.push_back(Signal::Missed);
            }
            Step::Refused(error) => self.refused(&error),
        }
    }
}

#[async_trait]
impl Signals for Listener {
    async fn next(&mut self) -> Signal {
        loop {
            if let Some(signal) = self.heard.pop_front() {
                return signal;
            }
            self.hear().await;
        }
    }
}

/// What the server pushed: the channel and the message, or a word about the
/// connection.
fn read(push: PushInfo) -> Step {
    match (push.kind, push.data.into_iter().nth(1)) {
        (PushKind::Message, Some(Value::BulkString(bytes))) => Step::Message(bytes),
        (PushKind::Disconnection, _) => Step::Lost,
        _ => Step::Nothing,
    }
}

fn decode(mut bytes: &[u8]) -> Result<Vec<Signal>> {
    let bad = || Error::Corrupt("news".into());
    let mut signals = Vec::new();
    while let Some((letter, rest)) = bytes.split_first() {
        let (signal, rest) = match letter {
            b'R' => (Signal::Ready, rest),
            b'M' => (Signal::Mode, rest),
            b'W' => (Signal::Workers, rest),
            b'O' => (Signal::Orders, rest),
            b'A' => (Signal::Alerts, rest),
            b'E' | b'C' => {
                let (ids, rest) = ids(rest).ok_or_else(bad)?;
                let ended = *letter == b'E';
                let signal = if ended {
                    Signal::Ended
                } else {
                    Signal::CancelAsked
                };
                (signal(ids), rest)
            }
            _ => return Err(bad()),
        };
        signals.push(signal);
        bytes = rest;
    }
    Ok(signals)
}

/// Reads `number:` and so many ids; gives what follows them.
fn ids(bytes: &[u8]) -> Option<(Vec<TaskId>, &[u8])> {
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let number: usize = std::str::from_utf8(&bytes[..colon]).ok()?.parse().ok()?;
    let (row, rest) = bytes[colon + 1..].split_at_checked(number.checked_mul(16)?)?;
    let ids = row.chunks(16).map(|id| reply::id(id).ok());
    Some((ids.collect::<Option<_>>()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_are_read_one_by_one() {
        let (a, b) = (TaskId::from_bytes([1; 16]), TaskId::from_bytes([2; 16]));
        let (a_row, b_row) = (a.as_bytes().as_slice(), b.as_bytes().as_slice());
        let news = [b"RE2:", a_row, b_row, b"C1:", b_row, b"MWOA"].concat();
        let signals = decode(&news).unwrap();
        assert_eq!(
            signals,
            [
                Signal::Ready,
                Signal::Ended(vec![a, b]),
                Signal::CancelAsked(vec![b]),
                Signal::Mode,
                Signal::Workers,
                Signal::Orders,
                Signal::Alerts,
            ]
        );
        assert_eq!(decode(b"").unwrap(), []);
        for bad in [
            "X",
            "Rx",
            "E",
            "E1:123",
            "E:",
            "C-1:",
            "E99999999999999999999:",
        ] {
            assert!(decode(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
