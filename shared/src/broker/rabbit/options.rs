//! What an operator chooses about RabbitMQ, checked before anything starts.
//!
//! Invariant: an [`Options`] never shows its URL: it holds a password.

use std::{fmt, time::Duration};

use lapin::uri::AMQPUri;

use crate::broker::{Error, Result};

/// Seconds between heartbeats: a dead peer is noticed within twice this.
const HEARTBEAT: u16 = 10;
/// The longest frame in bytes, unless the URL says otherwise. The client keeps
/// room for 64 frames a connection, all of it resident: with the 128 KiB that
/// the broker offers that would be 16 MiB in every idle process. A slip is far
/// shorter than one frame, and a longer one is sent in several.
const FRAME_MAX: u32 = 32 << 10;

/// More channels than this would crowd a connection, which holds 2,047.
const MOST_CHANNELS: u16 = 512;

/// How the queues of slips are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueType {
    /// On one node; fast.
    #[default]
    Classic,
    /// Replicated by Raft; survives the loss of a node.
    Quorum,
}

impl QueueType {
    /// The value of RabbitMQ's `x-queue-type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
        }
    }
}

/// How to reach RabbitMQ and what to ask of it.
#[derive(Clone)]
pub struct Options {
    /// `amqp[s]://user:password@host:port/vhost`.
    pub url: String,
    /// The type of the task queues. Changing it needs the queues deleted.
    pub queue_type: QueueType,
    /// After this long a publish is [`Unknown`](crate::broker::Published::Unknown).
    pub publish_timeout: Duration,
    /// How many fetches, and how many publishing batches, run at once.
    pub channels: u16,
    /// The name that operators see on our connections.
    pub name: String,
}

impl Options {
    /// The defaults: classic queues, 5 s, 16 channels (the number at which
    /// getters stopped gaining on two cores).
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            queue_type: QueueType::default(),
            publish_timeout: Duration::from_secs(5),
            channels: 16,
            name: "zerogate".into(),
        }
    }

    /// The address, if the options make sense.
    pub(super) fn address(&self) -> Result<AMQPUri> {
        let nonsense = |text: &str| Err(Error::Unsuitable(text.to_owned()));
        if !(1..=MOST_CHANNELS).contains(&self.channels) {
            return nonsense("the number of broker channels must be between 1 and 512");
        }
        if self.publish_timeout.is_zero() {
            return nonsense("the publish timeout must be longer than nothing");
        }
        // The parser's own message would repeat the URL, and with it the password.
        let Ok(mut address) = self.url.parse::<AMQPUri>() else {
            return nonsense(
                "the broker's URL cannot be read: write amqp://user:password@host:5672/vhost (or amqps://)",
            );
        };
        if address.vhost.is_empty() {
            // `amqp://host/` strictly names the vhost "", which nobody has.
            "/".clone_into(&mut address.vhost);
        }
        address.query.heartbeat.get_or_insert(HEARTBEAT);
        address.query.frame_max.get_or_insert(FRAME_MAX);
        Ok(address)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("queue_type", &self.queue_type)
            .field("publish_timeout", &self.publish_timeout)
            .field("channels", &self.channels)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused_and_never_repeats_the_password() {
        let bad = Options::new("http://me:secret@host/");
        let text = format!("{:?} {}", bad, bad.address().unwrap_err());
        assert!(!text.contains("secret"), "{text}");
        let none = Options {
            channels: 0,
            ..Options::new("amqp://localhost")
        };
        assert!(none.address().is_err());
        let hasty = Options {
            publish_timeout: Duration::ZERO,
            ..Options::new("amqp://localhost")
        };
        assert!(hasty.address().is_err());
    }

    #[test]
    fn a_trailing_slash_means_the_default_vhost_and_the_heartbeat_is_ours() {
        let address = Options::new("amqp://localhost:5672/").address().unwrap();
        assert_eq!(address.vhost, "/");
        assert_eq!(address.query.heartbeat, Some(10));
        let named = Options::new("amqp://localhost/t%2f1?heartbeat=3");
        assert_eq!(named.address().unwrap().vhost, "t/1");
        assert_eq!(named.address().unwrap().query.heartbeat, Some(3));
    }
}
