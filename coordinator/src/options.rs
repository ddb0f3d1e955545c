//! What the composition root decides for a coordinator.
//!
//! Invariant: plain data, complete; nothing is read from the environment.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use shared::store::query::TypeInfo;

/// Renders the metrics of the process as Prometheus text.
#[derive(Clone)]
pub struct Render(Arc<dyn Fn() -> String + Send + Sync>);

impl Render {
    /// Renders by calling `render`.
    pub fn new(render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(render))
    }

    pub(crate) fn text(&self) -> String {
        (self.0)()
    }
}

impl fmt::Debug for Render {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Render")
    }
}

/// The settings of one coordinator.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The program's version, for the system's status.
    pub version: String,
    /// Whether types whose names begin with `diagnostic.` may be submitted.
    pub diagnostics: bool,
    /// The types that are known without any worker.
    pub built_in: Vec<TypeInfo>,
    /// How long a worker's lease holds; a worker silent for longer is lost.
    pub lease: Duration,
    /// How often workers renew; no sweep for longer than this is an outage.
    pub renew: Duration,
    /// How long a slip may stay unclaimed before it is suspected lost.
    pub republish_after: Duration,
    /// How long finished tasks are kept.
    pub retention: Duration,
    /// Expected work that may travel on one slip; zero sends every task alone.
    pub bundle_target: Duration,
    /// Expected work per route that may lie in the broker.
    pub window_target: Duration,
    /// The most tasks of one route that may lie in the broker.
    pub window_cap: u32,
    /// The largest body of a request, in bytes.
    pub body_limit: usize,
    /// How long the body of a request may take to arrive.
    pub body_patience: Duration,
    /// The largest file, in bytes.
    pub file_limit: usize,
    /// How long we wait for the bytes of a file, in all.
    pub file_patience: Duration,
    /// How long a file is kept that no task refers to.
    pub file_retention: Duration,
    /// How often blobs that nobody needs are looked for.
    pub collect_every: Duration,
    /// Blobs younger than this are left alone: what needs them may be about to
    /// be recorded.
    pub blob_age: Duration,
    /// How often a row of the fleet's figures is written.
    pub series_every: Duration,
    /// Where `/metrics` comes from.
    pub metrics: Render,
}

impl Options {
    /// The defaults of production, listening at `listen`.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            diagnostics: false,
            built_in: Vec::new(),
            lease: Duration::from_secs(20),
            renew: Duration::from_secs(5),
            // A fleet is back at full work 30 s after a wiped broker returns.
            republish_after: Duration::from_secs(15),
            retention: Duration::from_hours(7 * 24),
            bundle_target: Duration::from_millis(20),
            window_target: Duration::from_secs(1),
            window_cap: 4096,
            body_limit: 32 * 1024 * 1024,
            // The largest body over a line of ten megabits.
            body_patience: Duration::from_secs(30),
            file_limit: 64 * 1024 * 1024,
            // The largest file over a line of two megabits: it lies in nobody's
            // memory meanwhile.
            file_patience: Duration::from_mins(5),
            file_retention: Duration::from_hours(24),
            collect_every: Duration::from_mins(10),
            blob_age: Duration::from_hours(1),
            series_every: Duration::from_mins(1),
            metrics: Render::new(String::new),
        }
    }
}
