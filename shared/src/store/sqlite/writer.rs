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
        let settles = perform(&mut core, first, &mut jobs, GATHER);
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

fn perform(
    core: &mut Core,
    first: Job,
    jobs: &mut mpsc::Receiver<Job>,
    gather: Duration,
) -> Vec<Settle> {
    if let Err(error) = run(core, "BEGIN") {
        // Each savepoint below is then a transaction of its own: slower, and
        // just as durable.
        error!(%error, "cannot begin a transaction");
    }
    let began = Instant::now();
    let mut settles = vec![first(core)];
    while settles.len() < GROUP
        && began.elapsed() < gather
        && let Ok(job) = jobs.try_recv()
    {
        settles.push(job(core));
    }
    settles
}

fn in_savepoint<T>(core: &mut Core, verb: impl FnOnce(&mut Core) -> Result<T>) -> Result<T> {
    core.dispel_doubt()?;
    run(core, "SAVEPOINT verb")?;
    let mark = core.begin_verb();
    let done = verb(core).and_then(|answer| {
        core.end_verb()?;
        run(core, "RELEASE verb")?;
        Ok(answer)
    });
    if done.is_err() {
        if let Err(error) = run(core, "ROLLBACK TO verb").and_then(|()| run(core, "RELEASE verb")) {
            error!(%error, "a verb failed and took its whole group along");
            core.doubt();
        }
        core.undo_verb(mark);
    }
    done
}

fn commit(core: &mut Core) -> Result<()> {
    let done = run(core, "COMMIT");
    if let Err(error) = &done {
        error!(%error, "a commit failed; whoever asked must ask again");
        if !core.db.is_autocommit()
            && let Err(error) = run(core, "ROLLBACK")
        {
            error!(%error, "cannot roll back");
        }
    }
    core.settle_group(done.is_ok());
    done
}

fn run(core: &Core, sql: &str) -> Result<()> {
    core.db
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
        .map(|_| ())
        .map_err(fault)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;
    use crate::{
        clock::SystemClock,
        model::{
            Json, Nonce, OnDependencyFailure, Priority, RetryPolicy, TaskId, TaskSpec, TenantId,
        },
        store::{
            sqlite::{dispatch, schema, submit},
            verbs::{NewTask, Submission, Submitted, Take, Windows},
        },
    };

    fn submission(n: u8, bytes: usize) -> Submission {
        let spec = TaskSpec {
            tenant: TenantId::default(),
            workflow_type: "diagnostic.echo".parse().unwrap(),
            priority: Priority::Medium,
            depends_on: Vec::new(),
            reads: Vec::new(),
            on_dependency_failure: OnDependencyFailure::Cancel,
            retry: RetryPolicy::default(),
            timeout_ms: 1000,
            run_at: None,
            expires_at: None,
            correlation_id: format!("c-{n}"),
            labels: BTreeMap::new(),
            traceparent: None,
        };
        Submission {
            tenant: TenantId::default(),
            tasks: vec![NewTask {
                id: TaskId::from_bytes([n; 16]),
                spec,
                input: Json::from_text(format!("\"{}\"", "x".repeat(bytes))),
                files: Vec::new(),
            }],
            idempotency: None,
        }
    }

    type Answer = oneshot::Receiver<Result<Submitted>>;

    fn asked(submission: Submission) -> (Job, Answer) {
        let (answer, answered) = oneshot::channel();
        let verb = move |core: &mut Core| submit::submit(core, &submission);
        (job(verb, answer), answered)
    }

    /// Performs these as one group and returns what each asker heard.
    fn group(core: &mut Core, submissions: Vec<Submission>) -> Vec<Result<Submitted>> {
        let (jobs, mut queue) = mpsc::channel(GROUP);
        let mut answers = Vec::new();
        for submission in submissions {
            let (job, answered) = asked(submission);
            assert!(jobs.try_send(job).is_ok(), "there is room");
            answers.push(answered);
        }
        let first = queue.try_recv().unwrap();
        // However slow the machine is, this is to be one group.
        let settles = perform(core, first, &mut queue, Duration::from_hours(1));
        let committed = commit(core);
        for settle in settles {
            settle(&committed);
        }
        core.news.clear();
        let heard = answers.into_iter().map(|mut answer| answer.try_recv());
        heard.map(|answer| answer.expect("answered")).collect()
    }

    fn take_all(core: &mut Core) -> usize {
        let take = Take {
            nonce: Nonce::draw(&mut rand::rng()),
            limit: 100,
            windows: Windows {
                default: 100,
                by_type: BTreeMap::new(),
            },
            deadline: Duration::from_secs(10),
        };
        let taken = in_savepoint(core, |core| dispatch::take_ready(core, &take)).unwrap();
        assert!(!taken.more, "nothing is left to be taken");
        taken.tasks.len()
    }

    #[test]
    fn a_full_disk_in_mid_group_leaves_memory_as_the_file_is() {
        let folder = tempfile::tempdir().unwrap();
        let lock = schema::lock(folder.path()).unwrap();
        let db = schema::open_writer(folder.path()).unwrap();
        let mut core = Core::load(db, Arc::new(SystemClock)).unwrap();
        let pages: i64 = core
            .db
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .unwrap();
        let most = |core: &Core, pages: i64| {
            let sql = format!("PRAGMA max_page_count = {pages}");
            core.db
                .query_row(&sql, [], |row| row.get::<_, i64>(0))
                .unwrap();
        };
        most(&core, pages + 2);
        let heard = group(
            &mut core,
            vec![submission(1, 10), submission(2, 1 << 20), submission(3, 10)],
        );
        assert!(heard[0].is_err(), "it may be lost: {:?}", heard[0]);
        assert!(matches!(
            heard[1],
            Err(Error::Full(_) | Error::Unavailable(_))
        ));
        most(&core, 1 << 20);
        // Whoever got no answer asks again, and every task is then there once.
        for answer in group(&mut core, (1..=3).map(|n| submission(n, 10)).collect()) {
            assert!(matches!(answer, Ok(Submitted::Accepted)), "{answer:?}");
        }
        assert_eq!(take_all(&mut core), 3);
        assert_eq!(take_all(&mut core), 0);
        drop(lock);
    }
}
