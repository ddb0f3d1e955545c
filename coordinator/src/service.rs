//! Starts a coordinator, and ends it in good order.
//!
//! Invariant: the listener is bound before `start` returns; at the stop it
//! closes first, then requests under way are answered.

use std::{net::SocketAddr, sync::Arc};

use axum::serve::ListenerExt;
use shared::{
    blobs::{Blobs, mark},
    broker::Broker,
    clock::Clock,
    lifecycle::Tasks,
    model::Nonce,
    store::Store,
};
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::{
    api,
    app::{App, Bells, KeysInFlight, Vitals},
    collect,
    dispatch::{self, Unrecorded},
    fleet::FleetView,
    news,
    options::Options,
    series, upkeep,
    watchers::Watchers,
};

/// A coordinator could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, or not ours.
    #[error("cannot listen at {address}: {cause}; choose another address with --listen")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        cause: std::io::Error,
    },
}

/// What a coordinator stands on.
#[derive(Clone, Debug)]
pub struct Seams {
    /// The state of the fleet.
    pub store: Arc<dyn Store>,
    /// Where files are.
    pub blobs: Arc<dyn Blobs>,
    /// Where slips go.
    pub broker: Arc<dyn Broker>,
    /// Labels the coordinator's own news, and tells the age of blobs.
    pub clock: Arc<dyn Clock>,
}

/// The role.
#[derive(Debug)]
pub struct Coordinator;

impl Coordinator {
    /// Starts a coordinator whose loops live in `tasks`; it ends with them.
    pub async fn start(options: Options, seams: Seams, tasks: &Tasks) -> Result<Handle, Error> {
        let address = options.listen;
        let failed = |cause| Error::Listen { address, cause };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let app = Arc::new(App {
            fleet: FleetView::new(&options),
            options,
            store: seams.store,
            blobs: seams.blobs,
            mark: Nonce::draw(&mut rand::rng()),
            broker: seams.broker,
            clock: seams.clock,
            watchers: Watchers::default(),
            bells: Bells::default(),
            unrecorded: Unrecorded::default(),
            vitals: Vitals::default(),
            keys: KeysInFlight::default(),
            tasks: tasks.clone(),
            stopping: tasks.stopping(),
        });
        // The first picture of the fleet, so that the first submission finds
        // its type; a store that is away is no reason not to start.
        if let Err(error) = app.fleet.refresh(&*app.store).await {
            warn!(%error, "starting without the store; it will be asked again");
        } else {
            app.vitals.store_answered(true);
        }
        spawn_loops(&app, tasks);
        let checking = Arc::clone(&app);
        tasks.spawn_until_stop("blob-check", async move {
            mark::check(&*checking.store, &*checking.blobs, checking.mark).await;
        });
        tasks.spawn("http", serve(listener, Arc::clone(&app)));
        info!(address = %bound, version = app.options.version, "listening");
        Ok(Handle {
            address: bound,
            app,
        })
    }
}

fn spawn_loops(app: &Arc<App>, tasks: &Tasks) {
    let keep = |name, run: fn(Arc<App>) -> futures_util::future::BoxFuture<'static, ()>| {
        let app = Arc::clone(app);
        tasks.spawn_forever(name, move || run(Arc::clone(&app)));
    };
    keep("fleet", |app| {
        Box::pin(async move { app.fleet.keep(&app).await })
    });
    keep("news", |app| Box::pin(news::listen(app)));
    keep("collect", |app| Box::pin(collect::run(app)));
    keep("dispatch", |app| Box::pin(dispatch::run(app)));
    keep("upkeep", |app| Box::pin(upkeep::run(app)));
    keep("series", |app| Box::pin(series::run(app)));
    keep("broker-epochs", |app| Box::pin(upkeep::watch_epochs(app)));
}

async fn serve(listener: TcpListener, app: Arc<App>) {
    // Answers are small: without this, one in two waits for the peer's
    // delayed acknowledgement.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
    });
    let stopping = app.stopping.clone();
    let served = axum::serve(listener, api::router(app))
        .with_graceful_shutdown(stopping.cancelled_owned())
        .await;
    if let Err(error) = served {
        warn!(%error, "the listener ended");
    }
}

/// A running coordinator. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    address: SocketAddr,
    app: Arc<App>,
}

impl Handle {
    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Whether it can take work: the store answered when it was asked last,
    /// and no stop was asked for.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.app.vitals.store_ok() && !self.app.stopping.is_cancelled()
    }
}
