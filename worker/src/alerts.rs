//! Tells people what the governor says they should know: the log, callbacks in
//! code, the store, and a signed [`webhook`].
//!
//! Invariant: notes of one alert are told in their order. Nobody who is slow or
//! fails holds up the others: a callback has two seconds and its panic is its
//! own; the store is asked again while it is away; a webhook has a queue of its
//! own.
//!
//! Deliberately absent: when an alert fires (see the package `resources`).

mod address;
mod post;
pub mod webhook;

use std::{fmt, sync::Arc, time::Duration};

pub use resources::alert::{AlertLevel, Note, NoteState};
use shared::{
    clock::Clock,
    model::{AlertState, Stamp, WorkerId},
    store::{Error, Store, verbs::AlertRecord},
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tracing::{debug, info, warn};

use crate::{gate::ResourceGate, monitor::News, service::Core};
pub(crate) use post::post;

/// A callback that takes longer is left alone.
const PATIENCE: Duration = Duration::from_secs(2);
/// Callbacks that hang at once; with more, further alerts do not reach them.
const HANGING: usize = 4;
/// Between two tries to reach the store.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Tries until the store is taken to be gone for longer: the alert, if it
/// still holds, is told again within the hour.
const TRIES: u32 = 60;
/// Messages that wait for the webhook: half an hour of the most that one
/// worker says.
const POSTS: usize = 256;

/// What a team does when an alert is told. Called on a thread that may block.
pub trait OnAlert: Send + Sync + 'static {
    /// This was told of an alert of this worker.
    fn on_alert(&self, worker: &WorkerId, note: &Note);
}

impl<F: Fn(&WorkerId, &Note) + Send + Sync + 'static> OnAlert for F {
    fn on_alert(&self, worker: &WorkerId, note: &Note) {
        self(worker, note);
    }
}

/// The callbacks of a worker.
#[derive(Clone, Default)]
pub struct Callbacks(Vec<Arc<dyn OnAlert>>);

impl Callbacks {
    /// Adds one.
    #[must_use]
    pub fn with(mut self, callback: impl OnAlert) -> Self {
        self.0.push(Arc::new(callback));
        self
    }
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} callbacks", self.0.len())
    }
}

/// Passes on what the monitor says, until dropped.
pub(crate) async fn pass_on(core: &Core, news: &mut mpsc::Receiver<News>) {
    let (send, posts) = mpsc::channel(POSTS);
    let now = core.clock.now();
    let at = core.resources.as_ref();
    let at = at.map_or(Duration::ZERO, ResourceGate::now);
    let desk = Desk {
        began: Stamp::from_micros(now.micros() - micros(at)),
        core,
        posts: core.options.webhook.is_some().then_some(send),
        hanging: Arc::new(Semaphore::new(HANGING)),
    };
    let work = async {
        while let Some(item) = news.recv().await {
            match item {
                News::Notes(notes) => desk.tell(notes).await,
                News::Recycle => core.recycle().await,
            }
        }
    };
    tokio::join!(work, post(core, posts));
}

struct Desk<'a> {
    core: &'a Core,
    /// When the worker's own time began, by the clock: drawn once, so that the
    /// same moment always has the same name.
    began: Stamp,
    posts: Option<mpsc::Sender<Note>>,
    hanging: Arc<Semaphore>,
}

impl Desk<'_> {
    async fn tell(&self, notes: Vec<Note>) {
        let notes: Vec<_> = notes.into_iter().flat_map(unfolded).collect();
        for note in &notes {
            write_down(note);
            self.call(note).await;
            if let Some(posts) = &self.posts
                && posts.try_send(note.clone()).is_err()
            {
                warn!(
                    alert = note.id,
                    "the webhook is too slow; this note is in the store alone"
                );
            }
        }
        self.raise(&notes).await;
    }

    async fn call(&self, note: &Note) {
        for callback in &self.core.options.on_alert.0 {
            let Ok(permit) = Arc::clone(&self.hanging).try_acquire_owned() else {
                warn!("too many callbacks hang; this alert does not reach them");
                return;
            };
            let (callback, worker, note) =
                (Arc::clone(callback), self.core.id.clone(), note.clone());
            let call = spawn_blocking(move || {
                let _permit = permit;
                callback.on_alert(&worker, &note);
            });
            match timeout(PATIENCE, call).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => warn!("a callback for alerts panicked"),
                Err(_) => warn!("a callback for alerts takes too long; it is left alone"),
            }
        }
    }

    async fn raise(&self, notes: &[Note]) {
        let core = self.core;
        let now = core.clock.now();
        let records: Vec<_> = notes
            .iter()
            .map(|note| record(note, &core.id, (now, self.began)))
            .collect();
        raise(&*core.store, records).await;
    }
}

async fn raise(store: &dyn Store, records: Vec<AlertRecord>) {
    for _ in 0..TRIES {
        match store.raise(records.clone()).await {
            Ok(()) => return,
            Err(error @ Error::Unavailable(_)) => {
                debug!(%error, "the store does not take alerts; trying again");
            }
            Err(error) => {
                warn!(%error, "the store refuses these alerts");
                return;
            }
        }
        sleep(ASK_AGAIN).await;
    }
    warn!("the store has been away for too long to take these alerts");
}

/// A note, and those that share its place, apart.
fn unfolded(mut note: Note) -> Vec<Note> {
    let also = std::mem::take(&mut note.also);
    std::iter::once(note)
        .chain(also.into_iter().flat_map(unfolded))
        .collect()
}

fn write_down(note: &Note) {
    let Note {
        id, level, message, ..
    } = note;
    match note.state {
        NoteState::Resolved => info!(alert = id, %level, message, "an alert is over"),
        state => warn!(alert = id, %level, ?state, message, "alert"),
    }
}

fn micros(of: Duration) -> i64 {
    i64::try_from(of.as_micros()).unwrap_or(i64::MAX)
}

/// The alert as the fleet knows it, by the clock.
fn record(note: &Note, worker: &WorkerId, (now, began): (Stamp, Stamp)) -> AlertRecord {
    let finite = |value: f64| if value.is_finite() { value } else { 0.0 };
    AlertRecord {
        id: note.id.clone(),
        key: note.key.clone(),
        level: note.level,
        state: match note.state {
            NoteState::Resolved => AlertState::Resolved,
            _ => AlertState::Firing,
        },
        worker_id: Some(worker.clone()),
        message: note.message.clone(),
        value: finite(note.value),
        threshold: finite(note.threshold),
        since: began.after(note.since),
        updated_at: now,
        count: note.count,
    }
}

/// Seconds since 1970.
fn unix(clock: &dyn Clock) -> i64 {
    clock.now().micros() / 1_000_000
}
