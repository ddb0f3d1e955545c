//! What lives and dies with one connection.
//!
//! Invariant: never outlives its connection in use: when [`Session::ended`] is
//! raised nothing new starts on it, and what is under way fails.

use std::{sync::Arc, time::Duration};

use lapin::{Channel, Connection};
use tokio::{sync::Mutex, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    channels::Pool,
    options::Options,
    receipt::{GiveBack, Leftovers},
    topology::Topology,
};

/// A broker that does not answer `connection.close` by then is gone anyway.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Slips and bells out.
    Publish,
    /// Slips and bells in, depths.
    Consume,
}

impl Purpose {
    /// The connection's name for operators, after the process's own.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Consume => "consume",
        }
    }
}

/// One connection and everything on it.
#[derive(Debug)]
pub(super) struct Session {
    /// The connection itself.
    pub(super) connection: Connection,
    /// What was declared on it.
    pub(super) topology: Topology,
    /// Channels of getters or publishers.
    pub(super) pool: Arc<Pool>,
    /// How messages that are dropped find their way back.
    pub(super) give_back: GiveBack,
    /// Raised once, when the connection is given up.
    pub(super) ended: CancellationToken,
    /// For depths on the one connection, bells on the other.
    side: Mutex<Option<Channel>>,
}

impl Session {
    /// A session on a fresh connection.
    pub(super) fn new(
        connection: Connection,
        purpose: Purpose,
        options: &Options,
        leftovers: &Leftovers,
    ) -> Arc<Self> {
        Arc::new(Self {
            connection,
            topology: Topology::new(options.queue_type),
            pool: Pool::new(options.channels, purpose == Purpose::Publish),
            give_back: leftovers.for_session(),
            ended: CancellationToken::new(),
            side: Mutex::default(),
        })
    }

    /// A channel without confirms that is shared by short uses. One that the
    /// broker closed is replaced.
    pub(super) async fn side_channel(&self) -> lapin::Result<Channel> {
        let mut side = self.side.lock().await;
        if let Some(channel) = side.as_ref().filter(|channel| channel.status().connected()) {
            return Ok(channel.clone());
        }
        let channel = self.connection.create_channel().await?;
        *side = Some(channel.clone());
        Ok(channel)
    }

    /// Ends it for all its users and says good-bye if anybody listens.
    pub(super) async fn end(&self) {
        self.ended.cancel();
        let goodbye = self.connection.close(200, "closing".into());
        if let Ok(Err(error)) = timeout(CLOSE_TIMEOUT, goodbye).await {
            tracing::debug!(%error, "the connection was gone before its good-bye");
        }
    }
}
