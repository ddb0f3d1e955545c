//! Which RabbitMQ a test works on: a virtual host of its own on the run's shared node, or a node of its own.
//!
//! A node boots in about 7 s of both cores, so tests that leave the node alone share one: `with-broker` starts it and
//! hands its description down by environment. Each virtual host is used once in a run. Without that description, or
//! when the virtual hosts run out, a test boots a private node: slower, never wrong.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::rabbit::{self, Rabbit};
use crate::settings;

/// What `with-broker` writes down for the tests it starts.
#[derive(Debug, Serialize, Deserialize)]
pub struct SharedBroker {
    /// The AMQP port on 127.0.0.1.
    pub port: u16,
    /// How many virtual hosts the node was booted with.
    pub vhosts: usize,
    /// The folder in which a file says that a virtual host is taken.
    pub taken: PathBuf,
}

/// The broker of one fleet.
#[derive(Debug)]
pub enum Broker {
    /// A virtual host that nobody else uses, on a node that others use.
    Shared {
        /// Its AMQP URL.
        url: String,
    },
    /// A node that may be stopped, killed and wiped.
    Private(Rabbit),
}

impl Broker {
    /// A virtual host of the shared node; a private node where there is none.
    pub fn shared() -> Result<Self> {
        if let Some(description) = settings::shared_broker()
            && let Some(url) = claim(&description)?
        {
            return Ok(Self::Shared { url });
        }
        Self::private()
    }

    /// A node of its own.
    pub fn private() -> Result<Self> {
        Ok(Self::Private(Rabbit::start(1)?))
    }

    /// The AMQP URL for the fleet.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Shared { url } => url.clone(),
            Self::Private(rabbit) => rabbit.url(&rabbit::vhost_name(0)),
        }
    }

    /// The node itself, for its faults.
    pub fn node(&mut self) -> Result<&mut Rabbit> {
        match self {
            Self::Private(rabbit) => Ok(rabbit),
            Self::Shared { .. } => {
                anyhow::bail!(
                    "the shared RabbitMQ node is not this test's to break: ask for a private one"
                )
            }
        }
    }
}

fn claim(description: &Path) -> Result<Option<String>> {
    let text = std::fs::read_to_string(description)
        .with_context(|| format!("read the shared broker in {}", description.display()))?;
    let shared: SharedBroker = serde_json::from_str(&text).context("read the shared broker")?;
    for n in 0..shared.vhosts {
        let name = rabbit::vhost_name(n);
        match File::create_new(shared.taken.join(&name)) {
            Ok(_) => return Ok(Some(rabbit::url(shared.port, &name))),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).context("take a virtual host"),
        }
    }
    Ok(None)
}
