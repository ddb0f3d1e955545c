//! The thread that writes: it drains the queue of requests, gives each verb a
//! savepoint, and commits them together.
//!
//! Invariant: an answer or a signal leaves only after the COMMIT that made it
//! true. Deliberately absent: what a verb does.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{broadcast, mpsc, oneshot};
use tracing::{error, warn};

use crate::store::{Error, Result, signal::Signal};

use super::{core::Core, fault, schema::Lock, upkeep};

/// At most this many verbs share a COMMIT: enough to amortise a disk's flush
/// over every client that a process can have, few enough that the first of
/// them does not wait long for the last.
const GROUP: usize = 256;
/// No further verb joins a group that is older than this: about the time of
/// one flush of a slow disk.
const GATHER: Duration = Duration::from_millis(10);

/// Tells one asker how the COMMIT went.
pub(super) type Settle = Box<dyn FnOnce(&Result<()>) + Send>;
/// One verb: performed in its savepoint, settled after the COMMIT.
pub(super) type Job = Box<dyn FnOnce(&mut Core) -> Settle + Send>;
/// One reading.
pub(super) type Look = Box<dyn FnOnce(&Connection) + Send>;

/// Wraps a verb, so that its answer waits for the COMMIT.
pub(super) fn job<T: Send + 'static>(
    verb: impl FnOnce(&mut Core) -> Result<T> + Send + 'static,
    answer: oneshot::Sender<Result<T>>,
) -> Job {
    Box::new(move |core| {
        let done = in_savepoint(core, verb);
        Box::new(move |committed| {
            let reply = match committed {
                Ok(()) => done,
                Err(error) => Err(Error::Unavailable(error.to_string())),
            };
            // An asker that went away does not want its answer.
            drop(answer.send(reply));
        })
    })
}

/// Serves requests until every sender is gone. Holds the lock to the end.
pub(super) fn serve(
    mut core: Core,
    mut jobs: mpsc::Receiver<Job>,
    signals: &broadcast::Sender<Signal>,
    lock: Lock,
) {
    while let Some(first) = jobs.blocking_recv() {
        let settles = perform(&mut core, first, &mut jobs);
        let committed = commit(&mut core);
        for settle in settles {
            settle(&committed);
        }
        if committed.is_ok() {
            for signal in core.news.signals() {
                // Nobody may be listening.
                drop(signals.send(signal));
            }
        } else {
            core.news.clear();
        }
    }
    drop(core);
    drop(lock);
}

/// Serves readings until every sender is gone. Each sees one moment.
pub(super) fn look(db: &Connection, mut looks: mpsc::Receiver<Look>) {
    while let Some(look) = looks.blocking_recv() {
        let moment = db.unchecked_transaction();
        if let Err(error) = &moment {
            warn!(%error, "reading without a snapshot");
        }
        look(db);
    }
}

/// Puts in order what a former boot left behind, before anything is served.
pub(super) fn recover(core: &mut Core) -> Result<()> {
    run(core, "BEGIN")?;
    in_savepoint(core, upkeep::recover)?;
    commit(core)?;
    core.news.clear();
    Ok(())
}

fn perform(core: &mut Core, first: Job, jobs: &mut mpsc::Receiver<Job>) -> Vec<Settle> {
    if let Err(error) = run(core, "BEGIN") {
        // Each savepoint below is then a transaction of its own: slower, and
        // just as durable.
        error!(%error, "cannot begin a transaction");
    }
    let began = Instant::now();
    let mut settles = vec![first(core)];
    while settles.len() < GROUP
        && began.elapsed() < GATHER
        && let Ok(job) = jobs.try_recv()
    {
        settles.push(job(core));
    }
    settles
}

fn in_savepoint<T>(core: &mut Core, verb: impl FnOnce(&mut Core) -> Result<T>) -> Result<T> {
    run(core, "SAVEPOINT verb")?;
    let mark = core.begin_verb();
    let done = verb(core).and_then(|answer| {
        core.end_verb()?;
        run(core, "RELEASE verb")?;
        Ok(answer)
    });
    if done.is_err() {
        let undone = run(core, "ROLLBACK TO verb").and_then(|()| run(core, "RELEASE verb"));
        core.undo_verb(mark)?;
        undone?;
    }
    done
}

fn commit(core: &mut Core) -> Result<()> {
    let done = run(core, "COMMIT");
    if let Err(error) = &done {
        error!(%error, "a commit failed; nothing of its group is stored");
        if !core.db.is_autocommit()
            && let Err(error) = run(core, "ROLLBACK")
        {
            error!(%error, "cannot roll back");
        }
    }
    core.settle_group(done.is_ok())?;
    done
}

fn run(core: &Core, sql: &str) -> Result<()> {
    core.db
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
        .map(|_| ())
        .map_err(fault)
}
