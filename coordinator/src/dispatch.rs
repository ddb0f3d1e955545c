//! Steps 4 and 5: takes what is ready, publishes it as slips, rings the bells.
//!
//! Invariant: nothing is decided here that a crash could undo. What is taken
//! and not published comes back when the take's deadline lapses; what is
//! published twice is dropped by the claim; a bell follows its slip's confirm.
//!
//! While the broker is away nothing is taken, so that everything can go out at
//! once when it returns.

mod bundle;
mod unrecorded;
mod window;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use metrics::gauge;
use shared::{
    broker::Published,
    fault::{self, Point},
    model::{Nonce, Route, TypeName},
    store::verbs::{PublishedSlip, Take, Taken, TakenTask, Windows},
    wire::Slip,
};
use tokio::{
    sync::{Semaphore, oneshot},
    time::Instant,
};
use tracing::{debug, info_span, warn};

pub(crate) use unrecorded::Unrecorded;

use crate::app::App;

/// Tasks per take: large enough that a take's round trip is a small part of
/// its cost, small enough that a batch is published in a few milliseconds.
const TAKE: u32 = 512;
/// How long a taken batch may stay unpublished before it is ready again: far
/// longer than a publication, short enough not to be noticed after a crash.
const TAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Batches under way at once: store and broker work at the same time, and a
/// slow confirm does not stop the others.
const IN_FLIGHT: u32 = 4;
/// Looks for ready tasks without any news: what a lost signal costs at most.
const IDLE: Duration = Duration::from_secs(1);
/// Looks while a backlog drains, because a claim, which opens the window,
/// makes no news.
const BUSY: Duration = Duration::from_millis(20);
/// Between two looks that only an ended task caused.
const SPACING: Duration = Duration::from_millis(5);
/// A take of so many begins a busy time; shorter queues drain by themselves.
const MANY: usize = 8;
/// How long a busy time outlasts the last task that was taken.
const BUSY_FOR: Duration = Duration::from_secs(1);
/// First and last wait while the store or the broker does not answer.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// How long after its confirm a slip is recorded as queued. Most slips are
/// claimed by then and need no record at all, which spares the store a tenth
/// of a task's cost; the deadline of the take is twenty times as long.
const RECORD_AFTER: Duration = Duration::from_millis(500);
/// How often `published` is tried: later the deadline repairs it.
const PUBLISHED_TRIES: u32 = 3;

/// Dispatches for ever.
pub(crate) async fn run(app: Arc<App>) {
    let mut dispatcher = Dispatcher {
        batches: Arc::new(Semaphore::new(IN_FLIGHT as usize)),
        app,
        learned: BTreeMap::new(),
        busy_until: None,
    };
    loop {
        dispatcher.wait().await;
        while dispatcher.turn().await {}
    }
}

struct Dispatcher {
    app: Arc<App>,
    batches: Arc<Semaphore>,
    /// The latest learned run time of each type that was taken here.
    learned: BTreeMap<TypeName, Duration>,
    busy_until: Option<Instant>,
}

impl Dispatcher {
    /// Waits for a reason to look.
    async fn wait(&mut self) {
        let busy = self.busy_until.is_some_and(|until| Instant::now() < until);
        let bells = &self.app.bells;
        if busy {
            let room = async {
                bells.room.notified().await;
                tokio::time::sleep(SPACING).await;
            };
            tokio::select! {
                () = bells.ready.notified() => {}
                () = room => {}
                () = tokio::time::sleep(BUSY) => {}
            }
        } else {
            tokio::select! {
                () = bells.ready.notified() => {}
                () = tokio::time::sleep(crate::upkeep::jittered(IDLE)) => {}
            }
        }
    }

    /// Takes one batch and sends it on its way; whether to look again at once.
    async fn turn(&mut self) -> bool {
        self.wait_for_broker().await;
        let batches = Arc::clone(&self.batches);
        let Ok(place) = batches.acquire_owned().await else {
            return false;
        };
        let (tell, told) = oneshot::channel();
        let (app, windows) = (Arc::clone(&self.app), self.windows());
        // A task of its own: at a stop this loop is dropped where it waits, but
        // what was taken is still published.
        self.app.tasks.spawn("dispatch-batch", async move {
            let taken = take(&app, windows).await;
            // Nobody listens any more at a stop.
            tell.send(News::of(&taken)).ok();
            if taken.tasks.is_empty() {
                return;
            }
            let confirmed = send(&app, taken.tasks).await;
            // The next batch need not wait for this one's record.
            drop(place);
            record_later(&app, confirmed).await;
        });
        let Ok(news) = told.await else {
            return false;
        };
        let more = news.more;
        self.learn(news);
        more
    }

    async fn wait_for_broker(&self) {
        loop {
            let health = self.app.broker.health();
            if health.connected && !health.blocked {
                return;
            }
            tokio::select! {
                _ = self.app.broker.epoch_after(health.epoch) => {}
                () = tokio::time::sleep(BACK_OFF.0 * 2) => {}
            }
        }
    }

    fn windows(&self) -> Windows {
        let fleet = self.app.fleet.now();
        let options = &self.app.options;
        let limits = window::Limits {
            target: options.window_target,
            cap: options.window_cap,
        };
        let sights = fleet.catalogue.names().map(|name| {
            let sight = window::Sight {
                slots: fleet.offer(name).slots,
                run: self.learned.get(name).copied(),
            };
            (name.clone(), sight)
        });
        let windows = window::windows(sights, limits);
        for (name, size) in &windows.by_type {
            gauge!("zerogate_dispatch_window", "workflow_type" => name.as_str().to_owned())
                .set(f64::from(*size));
        }
        windows
    }

    fn learn(&mut self, news: News) {
        let busy = self.busy_until.is_some_and(|until| Instant::now() < until);
        if news.tasks >= MANY || (busy && news.tasks > 0) {
            self.busy_until = Some(Instant::now() + BUSY_FOR);
        }
        self.learned.extend(news.learned);
    }
}

/// What a batch tells the loop that looks for the next.
struct News {
    tasks: usize,
    more: bool,
    learned: BTreeMap<TypeName, Duration>,
}

impl News {
    fn of(taken: &Taken) -> Self {
        let mut learned = BTreeMap::new();
        for task in &taken.tasks {
            let Some(run) = task.expected_run else {
                continue;
            };
            let name = &task.route.workflow_type;
            if !learned.contains_key(name) {
                learned.insert(name.clone(), run);
            }
        }
        Self {
            tasks: taken.tasks.len(),
            more: taken.more,
            learned,
        }
    }
}

/// Step 4. Asks under one nonce until there is an answer, so that what a lost
/// answer took is not left lying until its deadline.
async fn take(app: &App, windows: Windows) -> Taken {
    let take = Take {
        nonce: Nonce::draw(&mut rand::rng()),
        limit: TAKE,
        windows,
        deadline: TAKE_DEADLINE,
    };
    let mut pause = BACK_OFF.0;
    loop {
        match app.store.take_ready(take.clone()).await {
            Ok(taken) => return taken,
            Err(_) if app.stopping.is_cancelled() => return Taken::default(),
            Err(error) => {
                if error.is_transient() {
                    debug!(%error, "cannot take ready tasks");
                } else {
                    warn!(%error, "the store refuses to hand out ready tasks; nothing is dispatched");
                }
                tokio::time::sleep(crate::upkeep::jittered(pause)).await;
                pause = (pause * 2).min(BACK_OFF.1);
            }
        }
    }
}

/// Step 5 for one batch, up to the bell. Returns what the broker confirmed.
async fn send(app: &App, tasks: Vec<TakenTask>) -> Vec<PublishedSlip> {
    fault::pass(Point::DispatchTaken).await;
    let fleet = app.fleet.now();
    let free = |name: &TypeName| fleet.offer(name).free;
    let slips = bundle::bundle(tasks, app.options.bundle_target, free);
    for slip in slips.iter().filter(|slip| slip.tickets.len() == 1) {
        trace(slip);
    }
    let held: Vec<(Route, PublishedSlip)> = slips
        .iter()
        .map(|slip| (slip.route.clone(), published(slip, app)))
        .collect();
    app.unrecorded.expect(&held);
    let copies = fault::armed(Point::DispatchDuplicate).then(|| slips.clone());
    let outcomes = app.broker.publish(slips).await;
    if let Some(copies) = copies {
        let sent = app.broker.publish(copies).await;
        warn!(slips = sent.len(), "published every slip twice, as armed");
    }
    fault::pass(Point::DispatchPublished).await;
    let confirmed = confirmed(app, held, outcomes);
    let mut routes: Vec<Route> = confirmed.iter().map(|(route, _)| route.clone()).collect();
    routes.sort_unstable();
    routes.dedup();
    ring(app, &routes).await;
    confirmed.into_iter().map(|(_, slip)| slip).collect()
}

/// The end of step 5, off the way of the tasks; at a stop at once.
async fn record_later(app: &App, slips: Vec<PublishedSlip>) {
    if slips.is_empty() {
        return;
    }
    tokio::select! {
        () = app.stopping.cancelled() => {}
        () = tokio::time::sleep(RECORD_AFTER) => {}
    }
    let left = app.unrecorded.settle(slips);
    if !left.is_empty() {
        record(app, left).await;
    }
}

fn published(slip: &Slip, app: &App) -> PublishedSlip {
    PublishedSlip {
        tickets: slip
            .tickets
            .iter()
            .map(|ticket| (ticket.task, ticket.attempt))
            .collect(),
        republish_after: app.options.republish_after,
    }
}

/// One line per task that travels alone; bundles are too many for that.
fn trace(slip: &Slip) {
    let ticket = &slip.tickets[0];
    let span = info_span!(
        "dispatch",
        step = 5,
        task_id = %ticket.task,
        correlation_id = ticket.correlation_id.as_deref().unwrap_or_default(),
    );
    span.in_scope(|| debug!(route = %slip.route, attempt = ticket.attempt, "publishing"));
}

/// Keeps the confirmed slips. The others wait for the take's deadline: nobody
/// knows whether they are there. (The broker counts them.)
fn confirmed(
    app: &App,
    held: Vec<(Route, PublishedSlip)>,
    outcomes: Vec<Published>,
) -> Vec<(Route, PublishedSlip)> {
    let mut confirmed = Vec::with_capacity(held.len());
    for ((route, slip), outcome) in held.into_iter().zip(outcomes) {
        match outcome {
            Published::Confirmed => {
                confirmed.push((route, slip));
                continue;
            }
            Published::Returned(reason) => {
                warn!(%route, reason, "the broker did not take a slip");
            }
            Published::Unknown(reason) => {
                debug!(%route, reason, "the broker did not confirm a slip");
            }
        }
        app.unrecorded.settle(vec![slip]);
    }
    confirmed
}

async fn record(app: &App, slips: Vec<PublishedSlip>) {
    let mut pause = BACK_OFF.0;
    for _ in 0..PUBLISHED_TRIES {
        match app.store.published(slips.clone()).await {
            Ok(()) => return,
            Err(error) => debug!(%error, "cannot record the publication"),
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    warn!("published slips are not recorded; they will be published again and dropped as copies");
}

async fn ring(app: &App, routes: &[Route]) {
    if routes.is_empty() || fault::armed(Point::DispatchNoBell) {
        return;
    }
    if let Err(error) = app.broker.ring(routes).await {
        debug!(%error, "a bell was not rung; workers look by themselves");
    }
}
