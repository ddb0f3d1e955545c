//! The embedded backend: one file in a data directory, one process.
//!
//! One thread writes ([`writer`]): it drains a bounded queue of verbs, gives
//! each a savepoint, and commits them together (WAL, `synchronous=FULL`), so
//! that many askers share one flush of the disk; answers and signals leave
//! after the COMMIT. Another thread reads, on a connection of its own.
//!
//! Reading order: [`schema`] is the file; [`records`], [`names`], [`facts`]
//! and [`tally`] are what is in it and beside it in memory; [`core`] owns them
//! and holds the one way in which a state changes. The verbs follow the nine
//! steps: [`submit`], [`dispatch`] (with [`rotation`]), [`run`], [`report`],
//! [`resolve`]; then [`control`], [`orders`], [`notes`], [`alerts`], [`files`], [`upkeep`], [`fleet`], [`query`] (with
//! [`pace`]) and [`signals`]. [`seam`] leads from the trait to them.
//!
//! Invariant: whatever was answered is on the disk; after a crash nothing is
//! half there. Deliberately absent: a second process on the same folder.

mod schema;

mod records;

mod names;

mod facts;

mod tally;

mod core;

mod writer;

mod submit;

mod rotation;

mod dispatch;

mod run;

mod report;

mod resolve;

mod control;

mod orders;

mod notes;

mod alerts;

mod files;

mod upkeep;

mod fleet;

mod pace;

mod query;

mod signals;

mod seam;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::clock::Clock;

use self::core::Core;
use super::{Error, Result, signal::Signal};

/// Verbs that may wait for the writing thread: four full groups. Further
/// askers wait at the door, so that memory stays bounded.
const QUEUE: usize = 1024;

/// Where the store is, and what time it is.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of the file; made if it is missing, locked while open.
    pub data_dir: PathBuf,
    /// The store's time.
    pub clock: Arc<dyn Clock>,
}

/// The embedded store. Dropping it waits until the file is closed.
pub struct SqliteStore {
    jobs: Option<mpsc::Sender<writer::Job>>,
    looks: Option<mpsc::Sender<writer::Look>>,
    signals: broadcast::Sender<Signal>,
    clock: Arc<dyn Clock>,
    data_dir: PathBuf,
    threads: Vec<JoinHandle<()>>,
}

impl SqliteStore {
    /// Opens the store in a data directory, making it if need be.
    ///
    /// What a former boot left running, taken or queued is ready again: its
    /// workers and its broker ended with it.
    ///
    /// # Errors
    /// [`Error::Unsuitable`] if another process has the folder open, or its
    /// file is of a newer version or of another program.
    pub fn open(options: Options) -> Result<Arc<Self>> {
        let lock = schema::lock(&options.data_dir)?;
        let db = schema::open_writer(&options.data_dir)?;
        let mut core = Core::load(db, Arc::clone(&options.clock))?;
        writer::recover(&mut core)?;
        let reader = schema::open_reader(&options.data_dir)?;
        let (signals, _) = broadcast::channel(signals::BACKLOG);
        let (jobs, job_queue) = mpsc::channel(QUEUE);
        let (looks, look_queue) = mpsc::channel(QUEUE);
        let telling = signals.clone();
        let threads = vec![
            spawn("store-writer", move || {
                writer::serve(core, job_queue, &telling, lock);
            })?,
            spawn("store-reader", move || writer::look(&reader, look_queue))?,
        ];
        Ok(Arc::new(Self {
            jobs: Some(jobs),
            looks: Some(looks),
            signals,
            clock: options.clock,
            data_dir: options.data_dir,
            threads,
        }))
    }

    /// Performs a verb on the writing thread; returns after its COMMIT.
    async fn write<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut Core) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(writer::job(verb, answer))
            .await
            .map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }

    /// Looks at what is committed.
    async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let look: writer::Look = Box::new(move |db| {
            // An asker that went away does not want its answer.
            drop(answer.send(look(db)));
        });
        let looks = self.looks.as_ref().ok_or_else(ended)?;
        looks.send(look).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

impl Drop for SqliteStore {
    /// Waits for the two threads: a folder that is still locked could not be
    /// opened again. They end as soon as their queues are empty.
    fn drop(&mut self) {
        self.jobs = None;
        self.looks = None;
        for thread in self.threads.drain(..) {
            // A panic there was reported when it happened.
            drop(thread.join());
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| Error::Unsuitable(format!("cannot start the thread {name}: {error}")))
}

fn ended() -> Error {
    Error::Unavailable("its thread has ended; see the log for the reason, and restart".into())
}

/// What a failure of SQLite means to the asker. Its message never quotes a
/// value.
#[expect(
    clippy::needless_pass_by_value,
    reason = "`map_err` gives its error away"
)]
fn fault(error: rusqlite::Error) -> Error {
    let text = match &error {
        rusqlite::Error::SqliteFailure(code, _) => code.to_string(),
        rusqlite::Error::FromSqlConversionFailure(column, ..) => {
            format!("the value of column {column}")
        }
        other => other.to_string(),
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Full(text),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) | None => Error::Corrupt(text),
        Some(_) => Error::Unavailable(text),
    }
}
