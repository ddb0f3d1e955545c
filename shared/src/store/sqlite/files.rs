//! The records of files: who refers to them, and when they expire.
//!
//! Invariant: `uses` of a file equals its rows in `file_use`; a file expires
//! only while that is zero.

use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    model::{FileId, Json, Stamp, TaskId, TenantId},
    store::{
        Result,
        files::{FilePut, FileRecord, NewFile, Payloads},
        large,
        verbs::Submission,
    },
};

use super::{core::Core, fault, query, records::Record};

/// The verb `put_file`.
pub(super) fn put(core: &mut Core, file: NewFile) -> Result<FilePut> {
    let tenant = core.names.number(&core.db, file.tenant.as_str())?;
    let keep = Stamp::default().after(file.keep).micros();
    let known = one(&core.db, tenant, file.id)?;
    let key = match &known {
        Some(known) if file.replaces.as_ref() != Some(&known.key) => known.key.clone(),
        _ => file.key.clone(),
    };
    let uses = known.map_or(0, |known| known.uses);
    let expires_at = (uses == 0).then(|| core.now.after(file.keep).micros());
    core.db
        .prepare_cached("INSERT OR REPLACE INTO file VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")
        .and_then(|mut statement| {
            statement.execute(params![
                tenant,
                &file.id.sha256()[..],
                key,
                i64::try_from(file.bytes).unwrap_or(i64::MAX),
                file.content_type,
                file.name,
                keep,
                i64::try_from(uses).unwrap_or(i64::MAX),
                expires_at,
            ])
        })
        .map_err(fault)?;
    if key == file.key {
        return Ok(FilePut::Stored);
    }
    Ok(FilePut::Known(FileRecord {
        id: file.id,
        key,
        bytes: file.bytes,
        content_type: file.content_type,
        name: file.name,
        uses,
    }))
}

fn one(db: &Connection, tenant: i64, id: FileId) -> Result<Option<FileRecord>> {
    db.prepare_cached(
        "SELECT key, bytes, content_type, name, uses FROM file WHERE tenant = ?1 AND id = ?2",
    )
    .and_then(|mut statement| {
        statement
            .query_row(params![tenant, &id.sha256()[..]], |row| {
                Ok(FileRecord {
                    id,
                    key: row.get(0)?,
                    bytes: row.get::<_, i64>(1)?.unsigned_abs(),
                    content_type: row.get(2)?,
                    name: row.get(3)?,
                    uses: row.get::<_, i64>(4)?.unsigned_abs(),
                })
            })
            .optional()
    })
    .map_err(fault)
}

/// The verb `files`.
pub(super) fn look(
    db: &Connection,
    tenant: &TenantId,
    ids: &[FileId],
) -> Result<Vec<Option<FileRecord>>> {
    let Some(tenant) = query::number(db, tenant.as_str())? else {
        return Ok(vec![None; ids.len()]);
    };
    ids.iter().map(|id| one(db, tenant, *id)).collect()
}

/// The verb `keys_held`.
pub(super) fn held(db: &Connection, tenant: &TenantId, keys: &[String]) -> Result<Vec<bool>> {
    let Some(tenant) = query::number(db, tenant.as_str())? else {
        return Ok(vec![false; keys.len()]);
    };
    let mut statement = db
        .prepare_cached("SELECT 1 FROM file WHERE key = ?1 AND tenant = ?2")
        .map_err(fault)?;
    keys.iter()
        .map(|key| statement.exists(params![key, tenant]).map_err(fault))
        .collect()
}

/// The verb `payloads`.
pub(super) fn payloads(
    db: &Connection,
    tenant: &TenantId,
    ids: &[TaskId],
) -> Result<Vec<Option<Payloads>>> {
    let tenant = query::number(db, tenant.as_str())?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let task = Record::by_id(db, *id)?.filter(|task| Some(task.lane.tenant) == tenant);
        found.push(match task {
            None => None,
            Some(task) => Some(Payloads {
                is_final: task.state.is_final(),
                input: mark(db, "SELECT input FROM body WHERE seq = ?1", task.seq)?,
                result: query::result_of(db, &task)?.filter(large::is_mark),
            }),
        });
    }
    Ok(found)
}

fn mark(db: &Connection, sql: &str, seq: i64) -> Result<Option<Json>> {
    let text: Option<String> = db
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row([seq], |row| row.get(0)).optional())
        .map_err(fault)?;
    Ok(text.map(Json::from_text).filter(large::is_mark))
}

/// The files of a submission that its tenant does not have.
pub(super) fn unknown(core: &Core, submission: &Submission) -> Result<Vec<(usize, FileId)>> {
    let mut unknown = Vec::new();
    let tenant = core.names.known(submission.tenant.as_str());
    for (place, task) in submission.tasks.iter().enumerate() {
        for id in &task.files {
            let known = match tenant {
                Some(tenant) => one(&core.db, tenant, *id)?.is_some(),
                None => false,
            };
            if !known {
                unknown.push((place, *id));
            }
        }
    }
    Ok(unknown)
}

/// From now on the task refers to these files, as far as they are known.
pub(super) fn refer(core: &Core, task: &Record, files: &[FileId]) -> Result<()> {
    for id in files {
        let hash = &id.sha256()[..];
        let fresh = core
            .db
            .prepare_cached(
                "INSERT OR IGNORE INTO file_use SELECT ?1, id FROM file WHERE tenant = ?2 AND id = ?3",
            )
            .and_then(|mut statement| statement.execute(params![task.seq, task.lane.tenant, hash]))
            .map_err(fault)?;
        if fresh > 0 {
            core.db
                .prepare_cached(
                    "UPDATE file SET uses = uses + 1, expires_at = NULL WHERE tenant = ?1 AND id = ?2",
                )
                .and_then(|mut statement| statement.execute(params![task.lane.tenant, hash]))
                .map_err(fault)?;
        }
    }
    Ok(())
}

/// A removed task refers to no file any more; those that nobody else uses
/// begin to expire.
pub(super) fn unrefer(core: &Core, task: &Record) -> Result<()> {
    let freed = core
        .db
        .prepare_cached(
            "UPDATE file SET uses = uses - 1, \
             expires_at = CASE WHEN uses = 1 THEN min(?3 + keep, ?4) END \
             WHERE tenant = ?1 AND id IN (SELECT id FROM file_use WHERE seq = ?2)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                task.lane.tenant,
                task.seq,
                core.now.micros(),
                Stamp::MAX.micros()
            ])
        })
        .map_err(fault)?;
    if freed > 0 {
        core.db
            .prepare_cached("DELETE FROM file_use WHERE seq = ?1")
            .and_then(|mut statement| statement.execute([task.seq]))
            .map_err(fault)?;
    }
    Ok(())
}

/// Removes files that nobody referred to for long enough, at most `limit`.
pub(super) fn expire(core: &Core, limit: u32) -> Result<u32> {
    let removed = core
        .db
        .prepare_cached(
            "DELETE FROM file WHERE (tenant, id) IN \
             (SELECT tenant, id FROM file WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
        )
        .and_then(|mut statement| statement.execute(params![core.now.micros(), limit]))
        .map_err(fault)?;
    Ok(u32::try_from(removed).unwrap_or(u32::MAX))
}
