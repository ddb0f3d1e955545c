//! RabbitMQ as the suite's subject: a virtual host for each test, on a node that lives as long as any test uses it.
//!
//! Under `with-broker` the node is the run's shared one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use anyhow::{Context, Result};
use shared::broker::rabbit::{Options, QueueType, RabbitBroker};
use shared::lifecycle::Tasks;

use super::Fixture;
use super::cable::Cable;
use crate::broker::Broker;
use crate::rabbit::{Rabbit, url, vhost_name};
use crate::settings;

/// More virtual hosts than any test program has tests.
const VHOSTS: usize = 80;

/// A node with virtual hosts that are each used once.
struct Node {
    rabbit: Rabbit,
    used: AtomicUsize,
}

/// A virtual host for one test, and what keeps its node alive.
pub struct Place {
    url: String,
    _node: Option<Arc<Node>>,
}

impl Place {
    /// A virtual host that nobody else uses.
    pub fn fresh() -> Result<Arc<Self>> {
        static NODE: Mutex<Weak<Node>> = Mutex::new(Weak::new());
        if settings::shared_broker().is_some()
            && let Broker::Shared { url } = Broker::shared()?
        {
            return Ok(Arc::new(Self { url, _node: None }));
        }
        let mut kept = NODE.lock().unwrap_or_else(PoisonError::into_inner);
        let node = match kept.upgrade() {
            Some(node) => node,
            None => Arc::new(Node {
                rabbit: Rabbit::start(VHOSTS)?,
                used: AtomicUsize::new(0),
            }),
        };
        *kept = Arc::downgrade(&node);
        let vhost = vhost_name(node.used.fetch_add(1, Ordering::Relaxed));
        Ok(Arc::new(Self {
            url: node.rabbit.url(&vhost),
            _node: Some(node),
        }))
    }

    /// A fixture whose clients connect to this place.
    #[must_use]
    pub fn fixture(self: Arc<Self>, queue_type: QueueType) -> Fixture {
        let url = self.url.clone();
        let make = move |tasks: &Tasks| {
            let broker = RabbitBroker::connect(options(&url, queue_type), tasks)?;
            Ok(broker as Arc<dyn shared::broker::Broker>)
        };
        Fixture::new(make, self)
    }

    /// A cable to the node, and the URL of this place at its near end.
    pub async fn cable(&self, tasks: &Tasks) -> Result<(Cable, String)> {
        let (node, vhost) = self.url.rsplit_once('/').context("find the vhost")?;
        let port = node.rsplit(':').next().context("find the port")?;
        let cable = Cable::to(port.parse().context("read the port")?, tasks).await?;
        let near = url(cable.port(), vhost);
        Ok((cable, near))
    }
}

/// A fixture on a fresh virtual host.
pub fn fixture(queue_type: QueueType) -> Result<Fixture> {
    Ok(Place::fresh()?.fixture(queue_type))
}

/// Runs a case that is about RabbitMQ itself, with the URL of its virtual host.
pub fn on_rabbit(
    queue_type: QueueType,
    case: impl AsyncFnOnce(&Fixture, &str) -> Result<()>,
) -> Result<()> {
    let place = Place::fresh()?;
    let url = place.url.clone();
    place
        .fixture(queue_type)
        .run(async |fixture| case(fixture, &url).await)
}

/// Options that are patient with a machine busy with other tests.
#[must_use]
pub fn options(url: &str, queue_type: QueueType) -> Options {
    Options {
        queue_type,
        publish_timeout: Duration::from_secs(20),
        ..Options::new(url)
    }
}

/// Runs what brings its own runtime, or blocks, from within ours.
pub fn outside<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            scope
                .spawn(work)
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })
}
