//! A cable between a client and its broker that a test can cut, hold, mend, and speak into.
//!
//! A TCP relay on loopback. Everything runs on the runtime of the test that made it and ends with it.

use std::sync::Arc;

use anyhow::{Context, Result};
use shared::lifecycle::Tasks;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};

/// What the cable does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    /// Connections stay open, nothing passes.
    Held,
    /// Connections are closed, new ones are closed at once.
    Cut,
}

/// More frames than a test ever speaks.
const SPOKEN: usize = 16;

/// A relay to one port. Dropping it cuts it for good.
#[derive(Debug)]
pub struct Cable {
    port: u16,
    state: Arc<watch::Sender<State>>,
    spoken: broadcast::Sender<Vec<u8>>,
}

impl Cable {
    /// A whole cable to a port of this machine.
    pub async fn to(target: u16, tasks: &Tasks) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("lay a cable")?;
        let port = listener
            .local_addr()
            .context("find the cable's end")?
            .port();
        let state = Arc::new(watch::Sender::new(State::Whole));
        let spoken = broadcast::Sender::new(SPOKEN);
        let (group, states, voice) = (tasks.clone(), state.clone(), spoken.clone());
        tasks.spawn_until_stop("cable", async move {
            while let Ok((client, _)) = listener.accept().await {
                let states = states.subscribe();
                let line = relay(client, target, states, voice.subscribe());
                group.spawn_until_stop("cable", line);
            }
        });
        Ok(Self {
            port,
            state,
            spoken,
        })
    }

    /// The near end.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Closes every connection and refuses new ones.
    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Lets nothing pass, in silence.
    pub fn hold(&self) {
        self.state.send_replace(State::Held);
    }

    /// Says to every client what a broker in alarm says (`connection.blocked`). The line must be quiet.
    pub fn speak_blocked(&self) -> Result<()> {
        self.speak(&[0, 10, 0, 60, 3, b'm', b'e', b'm'])
    }

    /// Says that the alarm is over (`connection.unblocked`).
    pub fn speak_unblocked(&self) -> Result<()> {
        self.speak(&[0, 10, 0, 61])
    }

    /// A method frame of AMQP 0-9-1 on channel 0: type, channel, length, method, end.
    fn speak(&self, method: &[u8]) -> Result<()> {
        let length = u32::try_from(method.len()).context("a long method")?;
        let mut frame = vec![1, 0, 0];
        frame.extend(length.to_be_bytes());
        frame.extend(method);
        frame.push(0xCE);
        self.spoken.send(frame).context("nobody is on the line")?;
        Ok(())
    }

    /// Works again. What was held passes now.
    pub fn mend(&self) {
        self.state.send_replace(State::Whole);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.cut();
    }
}

async fn relay(
    client: TcpStream,
    target: u16,
    mut states: watch::Receiver<State>,
    spoken: broadcast::Receiver<Vec<u8>>,
) {
    if *states.borrow() == State::Cut {
        return;
    }
    let Ok(broker) = TcpStream::connect(("127.0.0.1", target)).await else {
        return;
    };
    let (client_in, client_out) = client.into_split();
    let (broker_in, broker_out) = broker.into_split();
    // Nobody speaks to the broker.
    let (_mute, silence) = broadcast::channel(1);
    tokio::select! {
        () = copy(client_in, broker_out, states.clone(), silence) => {}
        () = copy(broker_in, client_out, states.clone(), spoken) => {}
        // An error means that the cable is gone: cut as well.
        _ = states.wait_for(|state| *state == State::Cut) => {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut states: watch::Receiver<State>,
    mut spoken: broadcast::Receiver<Vec<u8>>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = tokio::select! {
            count = from.read(&mut buffer) => count.unwrap_or(0),
            Ok(frame) = spoken.recv() => {
                buffer[..frame.len()].copy_from_slice(&frame);
                frame.len()
            }
        };
        let whole = states
            .wait_for(|state| *state == State::Whole)
            .await
            .is_ok();
        if count == 0 || !whole || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
