//! The rows of a task: read whole, changed in memory, written back whole.
//!
//! Invariant: nobody but this file knows the columns of `task`. Deliberately
//! absent: any rule about when a row may change.

use rusqlite::{Connection, Row, ToSql, params, types::Type};

use crate::{
    model::{
        AttemptRecord, AttemptToken, Priority, Progress, Stamp, TaskError, TaskId, TaskState,
        TaskView, WorkerId,
    },
    store::{Error, Result, verbs::NewTask},
};

use super::{fault, tally::Lane};

/// One row of `task`. Times are the store's.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) seq: i64,
    pub(super) id: TaskId,
    pub(super) lane: Lane,
    /// A failed parent cancels it.
    pub(super) cancels: bool,
    pub(super) max_attempts: u32,
    pub(super) submitted_at: Stamp,
    pub(super) state: TaskState,
    pub(super) attempt: u32,
    pub(super) failures: u32,
    pub(super) lapses_alone: u32,
    pub(super) solo: bool,
    /// Parents that have not settled.
    pub(super) open: u32,
    /// Its share of a slip believed unclaimed; see `dispatch`.
    pub(super) slip: i64,
    /// Not before this time: `run_at`, or the delay after a failure.
    pub(super) due_at: Option<Stamp>,
    /// What it means depends on the state; see `schema`.
    pub(super) deadline: Option<Stamp>,
    pub(super) expires_at: Option<Stamp>,
    pub(super) started_at: Option<Stamp>,
    pub(super) finished_at: Option<Stamp>,
    /// Running: the claim's token. Taken: the take's nonce.
    pub(super) token: Option<AttemptToken>,
    /// The token of the last committed report, and what it led to.
    pub(super) done: Option<(AttemptToken, TaskState)>,
    pub(super) worker: Option<WorkerId>,
    /// A cancel is pending, for this reason.
    pub(super) cancel: Option<String>,
    pub(super) progress: Option<Progress>,
    /// The bytes for which a worker had no room.
    pub(super) too_large: Option<i64>,
    /// How often that was so.
    pub(super) asides: u32,
}

/// The columns in the order in which [`Record::read`] expects them.
pub(super) const COLUMNS: &str = "seq, id, tenant, type, priority, cancels, max_attempts, \
     submitted_at, state, attempt, failures, lapses_alone, solo, open, slip, due_at, deadline, \
     expires_at, started_at, finished_at, token, done_token, done_state, worker, cancel, progress, \
     too_large, asides";

impl Record {
    /// Reads a row selected by [`COLUMNS`].
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let done = match token(row, 21)? {
            Some(token) => Some((token, state(row, 22)?)),
            None => None,
        };
        Ok(Self {
            seq: row.get(0)?,
            id: TaskId::from_bytes(row.get(1)?),
            lane: lane(row, 2)?,
            cancels: row.get(5)?,
            max_attempts: row.get(6)?,
            submitted_at: Stamp::from_micros(row.get(7)?),
            state: state(row, 8)?,
            attempt: row.get(9)?,
            failures: row.get(10)?,
            lapses_alone: row.get(11)?,
            solo: row.get(12)?,
            open: row.get(13)?,
            slip: row.get(14)?,
            due_at: stamp(row, 15)?,
            deadline: stamp(row, 16)?,
            expires_at: stamp(row, 17)?,
            started_at: stamp(row, 18)?,
            finished_at: stamp(row, 19)?,
            token: token(row, 20)?,
            done,
            // These two are for people: one that cannot be read must not stop
            // the task, and with it every list that it stands in.
            worker: text(row, 23)?.and_then(|worker| worker.parse().ok()),
            cancel: row.get(24)?,
            progress: text(row, 25)?.and_then(|progress| serde_json::from_str(progress).ok()),
            too_large: row.get(26)?,
            asides: row.get(27)?,
        })
    }

    /// The row with this id.
    pub(super) fn by_id(db: &Connection, id: TaskId) -> Result<Option<Self>> {
        Self::one(db, "WHERE id = ?1", &[&&id.as_bytes()[..]])
    }

    /// The row with this acceptance number.
    pub(super) fn by_seq(db: &Connection, seq: i64) -> Result<Option<Self>> {
        Self::one(db, "WHERE seq = ?1", &[&seq])
    }

    /// The rows that `tail` selects (`WHERE ...`).
    pub(super) fn all(db: &Connection, tail: &str, given: &[&dyn ToSql]) -> Result<Vec<Self>> {
        let sql = format!("SELECT {COLUMNS} FROM task {tail}");
        let mut statement = db.prepare_cached(&sql).map_err(fault)?;
        let rows = statement.query_map(given, Self::read).map_err(fault)?;
        rows.collect::<rusqlite::Result<_>>().map_err(fault)
    }

    fn one(db: &Connection, tail: &str, given: &[&dyn ToSql]) -> Result<Option<Self>> {
        Ok(Self::all(db, tail, given)?.pop())
    }

    /// Writes a new row, with its body.
    pub(super) fn insert(&self, db: &Connection, task: &NewTask) -> Result<()> {
        db.prepare_cached(
            "INSERT INTO task (seq, id, tenant, type, priority, cancels, max_attempts, \
             submitted_at, state, attempt, failures, lapses_alone, solo, open, slip, due_at, \
             deadline, expires_at, finished_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, 0, 0, 0, ?10, 0, ?11, ?12, ?13, ?14)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                self.seq,
                &self.id.as_bytes()[..],
                self.lane.tenant,
                self.lane.kind,
                self.lane.priority.rank(),
                self.cancels,
                self.max_attempts,
                self.submitted_at.micros(),
                letter(self.state),
                self.open,
                self.due_at.map(Stamp::micros),
                self.deadline.map(Stamp::micros),
                self.expires_at.map(Stamp::micros),
                self.finished_at.map(Stamp::micros),
            ])
        })
        .map_err(fault)?;
        let spec = serde_json::to_string(&task.spec).map_err(|error| unwritable(&error))?;
        db.prepare_cached("INSERT INTO body VALUES (?1, ?2, ?3, ?4, ?5)")
            .and_then(|mut statement| {
                statement.execute(params![
                    self.seq,
                    spec,
                    task.spec.correlation_id,
                    task.spec.traceparent,
                    task.input.as_str()
                ])
            })
            .map_err(fault)?;
        Ok(())
    }

    /// Writes everything that may have changed.
    pub(super) fn save(&self, db: &Connection) -> Result<()> {
        let progress = self
            .progress
            .as_ref()
            .map(serde_json::to_string)
            .transpose()
            .map_err(|error| unwritable(&error))?;
        db.prepare_cached(
            "UPDATE task SET state = ?2, attempt = ?3, failures = ?4, lapses_alone = ?5, \
             solo = ?6, open = ?7, slip = ?8, due_at = ?9, deadline = ?10, expires_at = ?11, \
             started_at = ?12, finished_at = ?13, token = ?14, done_token = ?15, \
             done_state = ?16, worker = ?17, cancel = ?18, progress = ?19, \
             too_large = ?20, asides = ?21 WHERE seq = ?1",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                self.seq,
                letter(self.state),
                self.attempt,
                self.failures,
                self.lapses_alone,
                self.solo,
                self.open,
                self.slip,
                self.due_at.map(Stamp::micros),
                self.deadline.map(Stamp::micros),
                self.expires_at.map(Stamp::micros),
                self.started_at.map(Stamp::micros),
                self.finished_at.map(Stamp::micros),
                self.token.map(bits),
                self.done.map(|(token, _)| bits(token)),
                self.done.map(|(_, state)| letter(state)),
                self.worker.as_ref().map(WorkerId::as_str),
                self.cancel,
                progress,
                self.too_large,
                self.asides,
            ])
        })
        .map_err(fault)?;
        Ok(())
    }

    /// Whether it must not start any more.
    pub(super) fn expired(&self, now: Stamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// Records that a run ended, and forgets the oldest ones.
pub(super) fn close_run(
    db: &Connection,
    task: &Record,
    now: Stamp,
    why: Option<(&str, &str)>,
) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO run VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
        .and_then(|mut statement| {
            statement.execute(params![
                task.seq,
                task.attempt,
                task.started_at.unwrap_or(now).micros(),
                now.micros(),
                task.worker.as_ref().map_or("", WorkerId::as_str),
                why.map(|(code, _)| code),
                why.map(|(_, message)| message),
            ])
        })
        .map_err(fault)?;
    let kept = u32::try_from(TaskView::ATTEMPTS_KEPT).unwrap_or(u32::MAX);
    if let Some(oldest) = task.attempt.checked_sub(kept) {
        db.prepare_cached("DELETE FROM run WHERE seq = ?1 AND attempt <= ?2")
            .and_then(|mut statement| statement.execute(params![task.seq, oldest]))
            .map_err(fault)?;
    }
    Ok(())
}

/// The runs that ended, the oldest first.
pub(super) fn runs(db: &Connection, seq: i64) -> Result<Vec<AttemptRecord>> {
    let mut statement = db
        .prepare_cached(
            "SELECT attempt, started_at, finished_at, worker, code, message FROM run \
             WHERE seq = ?1 ORDER BY attempt",
        )
        .map_err(fault)?;
    let rows = statement
        .query_map([seq], |row| {
            let worker = text(row, 3)?.unwrap_or_default();
            Ok(AttemptRecord {
                attempt: row.get(0)?,
                started_at: Stamp::from_micros(row.get(1)?),
                finished_at: stamp(row, 2)?,
                worker_id: worker.parse().map_err(|error| odd(3, error))?,
                code: row.get(4)?,
                message: row.get(5)?,
            })
        })
        .map_err(fault)?;
    rows.collect::<rusqlite::Result<_>>().map_err(fault)
}

/// Writes what came out of a task.
pub(super) fn save_outcome(
    db: &Connection,
    seq: i64,
    result: Option<&str>,
    error: Option<&TaskError>,
) -> Result<()> {
    let error = error
        .map(serde_json::to_string)
        .transpose()
        .map_err(|error| unwritable(&error))?;
    db.prepare_cached("INSERT OR REPLACE INTO outcome VALUES (?1, ?2, ?3)")
        .and_then(|mut statement| statement.execute(params![seq, error, result]))
        .map_err(fault)?;
    Ok(())
}

/// Why a task failed or was cancelled.
pub(super) fn error_of(db: &Connection, seq: i64) -> Result<Option<TaskError>> {
    let found: Option<String> = db
        .prepare_cached("SELECT error FROM outcome WHERE seq = ?1")
        .and_then(|mut statement| {
            let mut rows = statement.query([seq])?;
            rows.next()?.map_or(Ok(None), |row| row.get(0))
        })
        .map_err(fault)?;
    found
        .map(|text| serde_json::from_str(&text).map_err(|error| unreadable("error", &error)))
        .transpose()
}

/// A stored document that cannot be read.
pub(super) fn unreadable(what: &str, error: &serde_json::Error) -> Error {
    // The error's text may quote the document; its place does not.
    Error::Corrupt(format!(
        "{what}, line {} column {}",
        error.line(),
        error.column()
    ))
}

fn unwritable(error: &serde_json::Error) -> Error {
    Error::Corrupt(format!("a value that is not JSON: {:?}", error.classify()))
}

/// The lane in three columns from `at`: tenant, type, priority.
pub(super) fn lane(row: &Row<'_>, at: usize) -> rusqlite::Result<Lane> {
    let priority = Priority::from_rank(row.get(at + 2)?)
        .ok_or_else(|| odd(at + 2, Error::Corrupt("a priority".into())))?;
    Ok(Lane {
        tenant: row.get(at)?,
        kind: row.get(at + 1)?,
        priority,
    })
}

/// The state in a column.
pub(super) fn state(row: &Row<'_>, at: usize) -> rusqlite::Result<TaskState> {
    text(row, at)?
        .and_then(|text| text.chars().next())
        .and_then(TaskState::from_letter)
        .ok_or_else(|| odd(at, Error::Corrupt("a state".into())))
}

/// The letter of a state, as text.
pub(super) fn letter(state: TaskState) -> &'static str {
    match state {
        TaskState::Waiting => "W",
        TaskState::Scheduled => "S",
        TaskState::Ready => "R",
        TaskState::Taken => "T",
        TaskState::Queued => "Q",
        TaskState::Running => "X",
        TaskState::Completed => "C",
        TaskState::Failed => "F",
        TaskState::Cancelled => "K",
    }
}

fn bits(token: AttemptToken) -> [u8; 16] {
    token.bits().to_be_bytes()
}

fn text<'a>(row: &'a Row<'_>, at: usize) -> rusqlite::Result<Option<&'a str>> {
    row.get_ref(at)?
        .as_str_or_null()
        .map_err(|error| odd(at, error))
}

fn stamp(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Stamp>> {
    Ok(row.get::<_, Option<i64>>(at)?.map(Stamp::from_micros))
}

fn token(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<AttemptToken>> {
    let bytes: Option<[u8; 16]> = row.get(at)?;
    Ok(bytes.map(|bytes| AttemptToken::from_bits(u128::from_be_bytes(bytes))))
}

fn odd(
    at: usize,
    error: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(at, Type::Text, error.into())
}
