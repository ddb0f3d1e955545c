//! The file on disk: tables, schema version, and the lock on its folder.
//!
//! Invariant: one process has the folder open; a file of a newer version, or
//! of another program, is refused before anything is written.
//!
//! Ids are 16-byte blobs, times are microseconds, states are the letters of
//! [`TaskState::letter`](crate::model::TaskState::letter). `task` holds what
//! changes and stays small, because every step rewrites the row; what was
//! asked for (`body`) and what came out (`outcome`) are written once.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

use rusqlite::{Connection, OpenFlags};

use crate::store::{Error, Result};

use super::fault;

/// The version of the tables below.
const VERSION: i64 = 3;
/// Marks the file as ours: `ZGat`.
const APPLICATION: i64 = 0x5a47_6174;
/// The database's name inside the data directory.
const FILE: &str = "zerogate.sqlite";
/// The lock's name inside the data directory.
const LOCK: &str = "zerogate.lock";

/// `deadline` means, by state: when a scheduled task is due, a take lapses, a
/// slip is suspected lost, a lease ends; and for final states, when the task
/// ended. One index serves every kind of sweep.
const TABLES: &str = "
CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE task (
  seq INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  tenant INTEGER NOT NULL,
  type INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  cancels INTEGER NOT NULL,
  max_attempts INTEGER NOT NULL,
  submitted_at INTEGER NOT NULL,
  state TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  lapses_alone INTEGER NOT NULL,
  solo INTEGER NOT NULL,
  open INTEGER NOT NULL,
  slip INTEGER NOT NULL,
  due_at INTEGER,
  deadline INTEGER,
  expires_at INTEGER,
  started_at INTEGER,
  finished_at INTEGER,
  token BLOB,
  done_token BLOB,
  done_state TEXT,
  worker TEXT,
  cancel TEXT,
  progress TEXT
);
CREATE INDEX task_ready ON task (priority, type, tenant, seq) WHERE state = 'R';
CREATE INDEX task_deadline ON task (state, deadline) WHERE deadline IS NOT NULL;
CREATE INDEX task_expiry ON task (expires_at)
  WHERE expires_at IS NOT NULL AND state IN ('W', 'S', 'R', 'T', 'Q');
CREATE TABLE body (
  seq INTEGER PRIMARY KEY,
  spec TEXT NOT NULL,
  correlation_id TEXT NOT NULL,
  traceparent TEXT,
  input TEXT NOT NULL
);
CREATE TABLE outcome (seq INTEGER PRIMARY KEY, error TEXT, result TEXT);
CREATE TABLE run (
  seq INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  finished_at INTEGER NOT NULL,
  worker TEXT NOT NULL,
  code TEXT,
  message TEXT,
  PRIMARY KEY (seq, attempt)
) WITHOUT ROWID;
CREATE TABLE edge (
  parent INTEGER NOT NULL,
  child INTEGER NOT NULL,
  open INTEGER NOT NULL,
  PRIMARY KEY (parent, child)
) WITHOUT ROWID;
CREATE TABLE idempotency (
  tenant INTEGER NOT NULL,
  key TEXT NOT NULL,
  at INTEGER NOT NULL,
  fingerprint TEXT NOT NULL,
  reply TEXT NOT NULL,
  PRIMARY KEY (tenant, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_age ON idempotency (at);
CREATE TABLE ended (
  tenant INTEGER NOT NULL,
  type INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  completed INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  PRIMARY KEY (tenant, type, priority)
) WITHOUT ROWID;
CREATE TABLE learned (type INTEGER PRIMARY KEY, mean_us REAL NOT NULL);
CREATE TABLE announced (name TEXT PRIMARY KEY, at INTEGER NOT NULL, info TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
";

/// What version 2 added. `expires_at` is null while tasks refer to the file.
const FILE_TABLES: &str = "
CREATE TABLE file (
  tenant INTEGER NOT NULL,
  id BLOB NOT NULL,
  key TEXT NOT NULL UNIQUE,
  bytes INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  name TEXT NOT NULL,
  keep INTEGER NOT NULL,
  uses INTEGER NOT NULL,
  expires_at INTEGER,
  PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE INDEX file_expiry ON file (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE file_use (seq INTEGER NOT NULL, id BLOB NOT NULL, PRIMARY KEY (seq, id)) WITHOUT ROWID;
";

/// What version 3 added.
const FLEET_TABLES: &str = "
ALTER TABLE task ADD COLUMN too_large INTEGER;
ALTER TABLE task ADD COLUMN asides INTEGER NOT NULL DEFAULT 0;
CREATE TABLE note (name TEXT PRIMARY KEY, text TEXT NOT NULL, expires_at INTEGER NOT NULL);
CREATE INDEX note_expiry ON note (expires_at);
CREATE TABLE series (
  scope TEXT NOT NULL,
  at INTEGER NOT NULL,
  figures TEXT NOT NULL,
  PRIMARY KEY (scope, at)
) WITHOUT ROWID;
CREATE INDEX series_age ON series (at);
CREATE TABLE alert (
  id TEXT PRIMARY KEY,
  updated_at INTEGER NOT NULL,
  resolved INTEGER NOT NULL,
  text TEXT NOT NULL
);
CREATE INDEX alert_age ON alert (resolved, updated_at);
CREATE TABLE first_of (
  key TEXT PRIMARY KEY,
  by TEXT NOT NULL,
  at INTEGER NOT NULL,
  others INTEGER NOT NULL,
  answer INTEGER NOT NULL,
  forget_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX first_of_age ON first_of (forget_at);
";

/// The lock on a data directory; released when dropped, or by the kernel when
/// the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held, not used")] File);

/// Creates the folder if need be and locks it.
pub(super) fn lock(folder: &Path) -> Result<Lock> {
    let refuse = |what: &str, error: &dyn std::fmt::Display| {
        Error::Unsuitable(format!(
            "the data directory {} cannot be {what}: {error}; choose another with --data-dir",
            folder.display()
        ))
    };
    fs::create_dir_all(folder).map_err(|error| refuse("created", &error))?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(LOCK))
        .map_err(|error| refuse("written to", &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(Error::Unsuitable(format!(
            "the data directory {} is in use by another process; stop that one or choose another with --data-dir",
            folder.display()
        ))),
        Err(TryLockError::Error(error)) => Err(refuse("locked", &error)),
    }
}

/// Opens the connection that writes, and makes the tables if they are missing.
pub(super) fn open_writer(folder: &Path) -> Result<Connection> {
    let db = Connection::open(folder.join(FILE)).map_err(fault)?;
    tune(&db)?;
    let version = pragma(&db, "user_version")?;
    let application = pragma(&db, "application_id")?;
    if version > VERSION {
        return Err(Error::Unsuitable(format!(
            "the data directory {} was written by a newer version (schema {version}; this program knows {VERSION}); use that version or another data directory",
            folder.display()
        )));
    }
    if version == VERSION && application == APPLICATION {
        return Ok(db);
    }
    if (1..VERSION).contains(&version) && application == APPLICATION {
        let files = if version < 2 { FILE_TABLES } else { "" };
        db.execute_batch(&format!(
            "BEGIN IMMEDIATE; {files} {FLEET_TABLES} PRAGMA user_version = {VERSION}; COMMIT;"
        ))
        .map_err(fault)?;
        return Ok(db);
    }
    let tables: i64 = db
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(fault)?;
    if tables > 0 {
        return Err(Error::Unsuitable(format!(
            "{} in the data directory {} belongs to another program; choose another with --data-dir",
            FILE,
            folder.display()
        )));
    }
    db.execute_batch(&format!(
        "BEGIN IMMEDIATE; {TABLES} {FILE_TABLES} {FLEET_TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
    ))
    .map_err(fault)?;
    Ok(db)
}

/// Opens a connection that only looks.
pub(super) fn open_reader(folder: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(folder.join(FILE), flags).map_err(fault)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(db)
}

/// More than the store has statements: none is ever compiled twice.
const STATEMENTS: usize = 128;

/// WAL with `synchronous=FULL` makes every COMMIT durable. 16 MiB of log
/// between checkpoints amortise their random writes; 32 MiB of cache hold the
/// hot pages of some 100,000 tasks.
fn tune(db: &Connection) -> Result<()> {
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 4000;
         PRAGMA cache_size = -32768;
         PRAGMA temp_store = MEMORY;",
    )
    .map_err(fault)
}

fn pragma(db: &Connection, name: &str) -> Result<i64> {
    db.pragma_query_value(None, name, |row| row.get(0))
        .map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_an_older_version_gets_what_is_new() {
        const NEW_IN_3: &str = "DROP TABLE note; DROP TABLE series; DROP TABLE alert; \
             DROP TABLE first_of; ALTER TABLE task DROP COLUMN too_large; \
             ALTER TABLE task DROP COLUMN asides; PRAGMA user_version = 2;";
        const NEW_IN_2: &str = "DROP TABLE file; DROP TABLE file_use; PRAGMA user_version = 1;";
        let layout = |db: &Connection| {
            let mut statement = db
                .prepare("SELECT sql FROM sqlite_schema ORDER BY 1")
                .unwrap();
            let rows = statement.query_map([], |row| row.get::<_, Option<String>>(0));
            rows.unwrap().collect::<rusqlite::Result<Vec<_>>>().unwrap()
        };
        for undo in [NEW_IN_3.to_owned(), format!("{NEW_IN_3}{NEW_IN_2}")] {
            let folder = tempfile::tempdir().unwrap();
            let db = open_writer(folder.path()).unwrap();
            let fresh = layout(&db);
            db.execute_batch(&undo).unwrap();
            assert_ne!(layout(&db), fresh);
            drop(db);
            for _ in 0..2 {
                let db = open_writer(folder.path()).unwrap();
                assert_eq!(pragma(&db, "user_version").unwrap(), VERSION);
                assert_eq!(layout(&db), fresh);
            }
        }
    }
}
