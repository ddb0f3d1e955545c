//! What can be set about a worker, and why the defaults are what they are.
//!
//! Invariant: plain data; reading flags, files and the environment is the
//! composition root's business.

use std::{fmt, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use resources::{
    history::Retention,
    profile::Profile,
    source::{self, SampleSource},
};
use shared::model::ProfileName;

use crate::{
    alerts::{Callbacks, webhook::Webhook},
    gate, isolation,
};

/// The settings of a worker.
#[derive(Clone, Debug)]
pub struct Options {
    /// The machine's name, for people and as the first part of the worker's
    /// id; `None` asks the operating system.
    pub host: Option<String>,
    /// The program's version, as heartbeats say it.
    pub version: String,
    /// Tasks at once. 10 by default, the mission's figure for an instance.
    pub concurrency: u32,
    /// Which gate decides what may start.
    pub gate: gate::Choice,
    /// Thresholds, shares and pace, unless an operator orders another profile.
    pub profile: Profile,
    /// Where measurements come from instead of this machine: recorded or made
    /// up, for tests and trials.
    pub source: Option<SourceOf>,
    /// How long the worker's own history of measurements is kept.
    pub history: Retention,
    /// Where to write every decision of the gate with its inputs; nowhere by
    /// default.
    pub decision_log: Option<PathBuf>,
    /// What is called when an alert is told.
    pub on_alert: Callbacks,
    /// Where alerts are sent.
    pub webhook: Option<Webhook>,
    /// How long a lease holds without renewal. 20 s: four renewals may fail
    /// before the task is given to another.
    pub lease: Duration,
    /// How often leases are renewed.
    pub renew: Duration,
    /// How often the worker says that it lives. 2 s: a coordinator notices a
    /// lost worker within a lease, and 100 workers cost the store 50 calls/s.
    pub heartbeat: Duration,
    /// How long a drain waits for running work before it gives it back. 10 s:
    /// less than the 30 s after which supervisors kill.
    pub drain_grace: Duration,
    /// How long a run may go on after it was asked to stop.
    pub cancel_grace: Duration,
    /// One fetch in so many begins with the lowest priority, so that every
    /// priority drains at no less than that share. At least 1.
    pub low_first_every: u32,
    /// How often all routes are looked at although no bell rang; drawn from
    /// half to one and a half of it, so that a fleet does not look in step.
    pub scan: Duration,
    /// A bundle's tickets that have not started after this long are given
    /// back, because the guess that made the bundle was wrong.
    pub bundle_patience: Duration,
    /// How long a finished ticket of a bundle waits for its siblings before it
    /// is reported alone.
    pub report_patience: Duration,
    /// So many runs may go on after they were given up; with one more the
    /// worker drains and asks its supervisor for a fresh process.
    pub abandoned_max: usize,
    /// Where runs keep files while they go on; `None` takes a folder of this
    /// worker's own among the system's temporary files.
    pub work_dir: Option<PathBuf>,
    /// How long a file that a run made is kept when no task refers to it.
    pub file_retention: Duration,
    /// How runs of types that parse foreign bytes get their child processes;
    /// as many may wait for work as there are slots.
    pub isolation: isolation::Options,
    /// Where to serve `/livez`, `/readyz` and `/metrics`; nowhere by default,
    /// so that many workers fit on one host.
    pub listen: Option<SocketAddr>,
    /// Gives the text of `/metrics`.
    pub metrics: Option<MetricsText>,
    /// Whether this process's metrics count the ends and retries of the runs
    /// of this worker. Not beside a coordinator in the same process, which
    /// tells the fleet's under the same names: they would count twice.
    pub tells_ends: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            concurrency: 10,
            gate: gate::Choice::default(),
            profile: Profile::preset(ProfileName::default()),
            source: None,
            history: Retention::default(),
            decision_log: None,
            on_alert: Callbacks::default(),
            webhook: None,
            lease: Duration::from_secs(20),
            renew: Duration::from_secs(5),
            heartbeat: Duration::from_secs(2),
            drain_grace: Duration::from_secs(10),
            cancel_grace: Duration::from_secs(5),
            low_first_every: 16,
            scan: Duration::from_secs(3),
            bundle_patience: Duration::from_millis(100),
            report_patience: Duration::from_millis(20),
            abandoned_max: 4,
            work_dir: None,
            file_retention: Duration::from_hours(24),
            isolation: isolation::Options::default(),
            listen: None,
            metrics: None,
            tells_ends: true,
        }
    }
}

/// A source of metrics in Prometheus text.
#[derive(Clone)]
pub struct MetricsText(Arc<dyn Fn() -> String + Send + Sync>);

impl MetricsText {
    /// Metrics come from this function.
    pub fn new(render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(render))
    }

    /// The text now.
    #[must_use]
    pub fn render(&self) -> String {
        (self.0)()
    }
}

impl fmt::Debug for MetricsText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricsText")
    }
}

/// Makes a source of measurements, on the thread that asks it.
#[derive(Clone)]
pub struct SourceOf(Arc<Make>);

type Make = dyn Fn() -> Result<Box<dyn SampleSource>, source::Error> + Send + Sync;

impl SourceOf {
    /// Sources come from this function. It is asked again while it fails.
    pub fn new(
        make: impl Fn() -> Result<Box<dyn SampleSource>, source::Error> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(make))
    }

    pub(crate) fn make(&self) -> Result<Box<dyn SampleSource>, source::Error> {
        (self.0)()
    }
}

impl fmt::Debug for SourceOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SourceOf")
    }
}
