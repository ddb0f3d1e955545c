//! A cable between a client and its broker that a test can cut, hold and mend.
//!
//! A TCP relay on loopback. Everything runs on the runtime of the test that made it and ends with it.

use std::sync::Arc;

use anyhow::{Context, Result};
use shared::lifecycle::Tasks;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the cable does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    /// Connections stay open, nothing passes.
    Held,
    /// Connections are closed, new ones are closed at once.
    Cut,
}

/// A relay to one port. Dropping it cuts it for good.
#[derive(Debug)]
pub struct Cable {
    port: u16,
    state: Arc<watch::Sender<State>>,
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
        let (group, states) = (tasks.clone(), state.clone());
        tasks.spawn_until_stop("cable", async move {
            while let Ok((client, _)) = listener.accept().await {
                let states = states.subscribe();
                group.spawn_until_stop("cable", relay(client, target, states));
            }
        });
        Ok(Self { port, state })
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

async fn relay(client: TcpStream, target: u16, mut states: watch::Receiver<State>) {
    if *states.borrow() == State::Cut {
        return;
    }
    let Ok(broker) = TcpStream::connect(("127.0.0.1", target)).await else {
        return;
    };
    let (client_in, client_out) = client.into_split();
    let (broker_in, broker_out) = broker.into_split();
    tokio::select! {
        () = copy(client_in, broker_out, states.clone()) => {}
        () = copy(broker_in, client_out, states.clone()) => {}
        // An error means that the cable is gone: cut as well.
        _ = states.wait_for(|state| *state == State::Cut) => {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut states: watch::Receiver<State>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(count) = from.read(&mut buffer).await else {
            return;
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
