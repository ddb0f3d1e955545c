//! Starts a worker's flows and loops, and holds what they share.
//!
//! Invariant: everything that a worker spawns ends with its drain. The handle
//! keeps nothing alive.

mod chosen;
mod drain;

use std::{
    io,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use rand::Rng;
use shared::{
    blobs::{Blobs, mark},
    broker::Broker,
    clock::Clock,
    lifecycle::{Tasks, panic_text},
    model::{Nonce, WorkerId},
    store::{Store, verbs::FirstOf},
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{
    alerts,
    builtin::Means,
    conditions::Conditions,
    fetch::{self, Board},
    figures::Figures,
    files::Depot,
    gate::{self, Gate, ResourceGate},
    heartbeat, http,
    isolation::{self, Pool},
    knowledge, leases,
    leases::Leases,
    ledger::{Ledger, Listeners},
    monitor::{self, Monitor},
    options::Options,
    orders,
    registry::Registry,
    tally::Tally,
    workroom::{self, Workroom},
};

pub use drain::DrainReport;

/// What a worker stands on.
#[derive(Clone, Debug)]
pub struct Seams {
    /// The state of the fleet.
    pub store: Arc<dyn Store>,
    /// Where files are.
    pub blobs: Arc<dyn Blobs>,
    /// Where slips come from.
    pub broker: Arc<dyn Broker>,
    /// Labels the worker's own news; decides nothing about tasks.
    pub clock: Arc<dyn Clock>,
}

/// Why a worker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its own port is taken or not allowed.
    #[error("cannot listen on {0}: {1}; choose another address")]
    Listen(SocketAddr, io::Error),
    /// Its runs cannot keep files.
    #[error(transparent)]
    Workroom(#[from] workroom::Error),
    /// Its gate cannot be had.
    #[error(transparent)]
    Gate(#[from] gate::Error),
    /// It cannot watch the machine.
    #[error("no thread for the monitor: {0}; allow this worker more threads")]
    Monitor(io::Error),
    /// It cannot have child processes.
    #[error("no thread for child processes: {0}; allow this worker more threads")]
    Children(io::Error),
    /// It could do nothing.
    #[error("the worker has no handler; register at least one workflow type")]
    NoHandler,
}

/// Starts workers.
#[derive(Clone, Copy, Debug)]
pub struct Worker;

impl Worker {
    /// Starts a worker. It takes work as soon as the store answers.
    pub async fn start(
        options: Options,
        registry: Registry,
        seams: Seams,
        tasks: &Tasks,
    ) -> Result<Handle, Error> {
        if registry.names().is_empty() {
            return Err(Error::NoHandler);
        }
        let listener = match options.listen {
            Some(addr) => Some(
                TcpListener::bind(addr)
                    .await
                    .map_err(|error| Error::Listen(addr, error))?,
            ),
            None => None,
        };
        let listening = listener.as_ref().and_then(|l| l.local_addr().ok());
        let core = Arc::new(Core::new(options, registry, &seams, tasks)?);
        info!(
            worker = %core.id,
            slots = core.gate.most(),
            types = core.registry.names().len(),
            "the worker starts"
        );
        let started_at = seams.clock.now();
        let Seams { store, blobs, .. } = seams;
        tasks.spawn_until_stop("blob-check", async move {
            let drawn = Nonce::draw(&mut rand::rng());
            mark::check(&*store, &*blobs, drawn).await;
        });
        let mut loops = start_loops(&core, tasks, listener, started_at);
        loops.extend(start_monitor(&core, tasks)?);
        let flows = (0..core.gate.most()).map(|_| {
            core.keep_up(tasks, "flow", &core.over, |core| async move {
                fetch::flow(core).await;
            })
        });
        let (send, report) = watch::channel(None);
        let handle = Handle {
            id: core.id.clone(),
            draining: core.draining.clone(),
            report,
            listening,
        };
        let crew = drain::Crew {
            flows: flows.collect(),
            loops,
        };
        let stopping = tasks.stopping();
        tasks.spawn("drain", drain::supervise(core, crew, stopping, send));
        Ok(handle)
    }
}

/// A running worker. Cheap to clone; dropping it changes nothing.
#[derive(Clone, Debug)]
pub struct Handle {
    id: WorkerId,
    draining: CancellationToken,
    report: watch::Receiver<Option<DrainReport>>,
    listening: Option<SocketAddr>,
}

impl Handle {
    /// The worker's id, with its per-boot epoch.
    #[must_use]
    pub fn id(&self) -> &WorkerId {
        &self.id
    }

    /// Where the worker serves its health and metrics, if it does.
    #[must_use]
    pub fn listening(&self) -> Option<SocketAddr> {
        self.listening
    }

    /// Takes nothing new, waits for running work at most the grace, gives the
    /// rest back, says goodbye. Returns at once.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// Waits until the worker has drained: because it was told to, or because
    /// too many of its runs could not be stopped.
    pub async fn drained(&self) -> DrainReport {
        let mut report = self.report.clone();
        match report.wait_for(Option::is_some).await {
            Ok(report) => report.clone().unwrap_or_default(),
            Err(_) => DrainReport::broken(),
        }
    }
}

/// What the flows and loops of one worker share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) id: WorkerId,
    pub(crate) host: String,
    pub(crate) options: Options,
    pub(crate) registry: Registry,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) gate: Arc<dyn Gate>,
    /// The same gate, if it asks the governor.
    pub(crate) resources: Option<ResourceGate>,
    /// What happened to runs since the monitor last looked.
    pub(crate) tally: Arc<Tally>,
    /// The orders that were heard last.
    pub(crate) orders: orders::Heard,
    /// Live workers of the fleet, as last heard.
    pub(crate) workers: Arc<AtomicU32>,
    pub(crate) board: Arc<Board>,
    pub(crate) conditions: Arc<Conditions>,
    pub(crate) ledger: Ledger,
    pub(crate) leases: Arc<Leases>,
    pub(crate) figures: Figures,
    pub(crate) clock: Arc<dyn Clock>,
    /// Children and files for runs.
    pub(crate) means: Means,
    /// Where the files of runs come from and go.
    pub(crate) depot: Depot,
    /// Nothing new starts.
    pub(crate) draining: CancellationToken,
    /// The drain's grace is over: give back, do not wait.
    pub(crate) hurrying: CancellationToken,
    /// The worker has ended.
    pub(crate) over: CancellationToken,
    /// Runs that go on although they were given up.
    pub(crate) abandoned: Arc<AtomicUsize>,
    exhausted: AtomicBool,
    given_back: AtomicUsize,
}

impl Core {
    fn new(
        options: Options,
        registry: Registry,
        seams: &Seams,
        tasks: &Tasks,
    ) -> Result<Self, Error> {
        let host = options.host.clone();
        let host = host.or_else(|| sysinfo::System::host_name().ok());
        let host = host.unwrap_or_else(|| "worker".to_owned());
        let id = boot_id(&host);
        let means = means(&options, &id)?;
        let (gate, resources) = chosen::gate(&options, &registry, &id, seams.clock.now())?;
        let draining = CancellationToken::new();
        let board = Arc::new(Board::new(registry.routes(), options.low_first_every));
        let conditions = Arc::new(Conditions::new(draining.clone()));
        let listeners = Listeners {
            board: Arc::clone(&board),
            conditions: Arc::clone(&conditions),
        };
        let store = Arc::clone(&seams.store);
        let depot = Depot {
            store: Arc::clone(&store),
            blobs: Arc::clone(&seams.blobs),
            clock: Arc::clone(&seams.clock),
            keep: options.file_retention,
        };
        Ok(Self {
            ledger: Ledger::start(tasks, Arc::clone(&store), &id, options.lease, listeners),
            gate,
            resources,
            tally: Arc::default(),
            orders: orders::Heard::default(),
            workers: Arc::new(AtomicU32::new(1)),
            figures: Figures::new(&registry.names(), options.tells_ends),
            clock: Arc::clone(&seams.clock),
            leases: Arc::new(Leases::new()),
            broker: Arc::clone(&seams.broker),
            id,
            host,
            options,
            registry,
            store,
            board,
            conditions,
            draining,
            hurrying: CancellationToken::new(),
            over: CancellationToken::new(),
            abandoned: Arc::default(),
            exhausted: AtomicBool::new(false),
            given_back: AtomicUsize::new(0),
            means,
            depot,
        })
    }

    /// A run was left behind with threads that go on. Too many of those, and
    /// only a fresh process gets its memory back.
    pub(crate) fn note_abandoned(&self) {
        let count = self.abandoned.load(Ordering::Acquire);
        if count > self.options.abandoned_max && !self.exhausted.swap(true, Ordering::AcqRel) {
            error!(
                count,
                "too many runs cannot be stopped; the worker drains and asks for a fresh process"
            );
            self.draining.cancel();
        }
    }

    /// The gate does not open, and only a fresh process helps: drains, if no
    /// other worker of the fleet did within the last minute.
    pub(crate) async fn recycle(&self) {
        /// So that a fleet does not end together.
        const ONE_IN: Duration = Duration::from_mins(1);
        let asked = FirstOf {
            key: "recycle".to_owned(),
            by: Nonce::draw(&mut rand::rng()),
            lasts: ONE_IN,
        };
        if matches!(self.store.first_of(asked).await, Ok(Some(_))) {
            self.exhausted.store(true, Ordering::Release);
            error!(
                "the gate does not open with nothing in flight; the worker drains and asks for a fresh process"
            );
            self.draining.cancel();
        }
    }

    /// So many runs went back to the store.
    pub(crate) fn note_given_back(&self, count: usize) {
        self.given_back.fetch_add(count, Ordering::AcqRel);
    }

    /// Runs `work` until `until`; again, after a pause, if it panics.
    fn keep_up<F>(
        self: &Arc<Self>,
        tasks: &Tasks,
        name: &'static str,
        until: &CancellationToken,
        work: impl Fn(Arc<Self>) -> F + Send + Sync + 'static,
    ) -> JoinHandle<Option<()>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        /// Long enough that a loop that fails at once does not burn a core.
        const PAUSE: Duration = Duration::from_millis(500);
        let (core, until) = (Arc::clone(self), until.clone());
        tasks.spawn(name, async move {
            let trying = async {
                while !survived(name, work(Arc::clone(&core))).await {
                    sleep(PAUSE).await;
                }
            };
            tokio::select! {
                () = trying => {}
                () = until.cancelled() => {}
            }
        })
    }
}

/// Whether a part came to its natural end; its panic is logged.
async fn survived(name: &'static str, part: impl Future<Output = ()>) -> bool {
    match AssertUnwindSafe(part).catch_unwind().await {
        Ok(()) => true,
        Err(panic) => {
            let panic = panic_text(&*panic);
            error!(
                name,
                panic, "a part of the worker panicked; starting it again"
            );
            false
        }
    }
}

fn start_loops(
    core: &Arc<Core>,
    tasks: &Tasks,
    listener: Option<TcpListener>,
    started_at: shared::model::Stamp,
) -> Vec<JoinHandle<Option<()>>> {
    let mut loops = vec![
        core.keep_up(tasks, "heartbeat", &core.over, move |core| async move {
            heartbeat::beat(&core, started_at).await;
        }),
        core.keep_up(tasks, "signals", &core.over, |core| async move {
            heartbeat::listen(&core).await;
        }),
        core.keep_up(tasks, "knowledge", &core.over, |core| async move {
            knowledge::share(&core).await;
        }),
        core.keep_up(tasks, "stop", &core.over, |core| async move {
            heartbeat::stop_when_told(&core).await;
        }),
        core.keep_up(tasks, "renewals", &core.over, |core| async move {
            leases::renew(&core).await;
        }),
        core.keep_up(tasks, "bells", &core.draining, |core| async move {
            fetch::listen(&core).await;
        }),
        core.keep_up(tasks, "walk", &core.draining, |core| async move {
            fetch::walk(&core).await;
        }),
    ];
    if let Some(listener) = listener {
        let listener = Arc::new(std::sync::Mutex::new(Some(listener)));
        loops.push(core.keep_up(tasks, "http", &core.over, move |core| {
            let listener = Arc::clone(&listener);
            async move { http::serve(core, &listener).await }
        }));
    }
    loops
}

/// Watches the machine, and passes on what comes of it; nothing where the gate
/// does not ask the governor.
fn start_monitor(core: &Arc<Core>, tasks: &Tasks) -> Result<Option<JoinHandle<Option<()>>>, Error> {
    let Some(gate) = core.resources.clone() else {
        return Ok(None);
    };
    let means = monitor::Means {
        gate,
        tally: Arc::clone(&core.tally),
        clock: Arc::clone(&core.clock),
        workers: Arc::clone(&core.workers),
        tells: core.options.tells_ends,
        source: core.options.source.clone(),
    };
    let work_dir = core.means.workroom.path();
    let (monitor, news) = Monitor::start(means, work_dir).map_err(Error::Monitor)?;
    let watched = Arc::new(tokio::sync::Mutex::new((monitor, news)));
    Ok(Some(core.keep_up(
        tasks,
        "alerts",
        &core.over,
        move |core| {
            let watched = Arc::clone(&watched);
            async move { alerts::pass_on(&core, &mut watched.lock().await.1).await }
        },
    )))
}

/// What built-in types run with.
fn means(options: &Options, id: &WorkerId) -> Result<Means, Error> {
    let workroom = match &options.work_dir {
        Some(base) => Workroom::open(base, id.as_str()),
        None => Workroom::temporary(id.as_str()),
    }?;
    let isolation = isolation::Options {
        idle_max: usize::try_from(options.concurrency).unwrap_or(usize::MAX),
        ..options.isolation.clone()
    };
    let pool = Pool::new(isolation).map_err(Error::Children)?;
    Ok(Means::new(pool, workroom))
}

/// `<host>-<pid>-<epoch>`: unique to this boot, because leases and late
/// reports of an earlier boot must never be taken for this one's.
fn boot_id(host: &str) -> WorkerId {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_') {
            c
        } else {
            '_'
        }
    };
    let host: String = host.chars().take(64).map(plain).collect();
    let epoch = rand::rng().next_u32();
    format!("{host}-{}-{epoch:08x}", std::process::id())
        .parse()
        .expect("the parts are of the letters that a worker id may have")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_this_boot_whatever_the_host_is_called() {
        let (one, two) = (boot_id("häuser am see/1"), boot_id("häuser am see/1"));
        assert_ne!(one, two);
        assert!(one.as_str().starts_with("h_user_am_see_1-"), "{one}");
        assert!(boot_id(&"x".repeat(500)).as_str().len() <= 128);
    }
}
