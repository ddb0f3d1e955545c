//! Alerts of the fleet, and who tells them.
//!
//! Invariant: bounded in number; a resolved one that is over is not shown.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use tracing::debug;

use crate::{
    model::{AlertState, Stamp},
    store::{
        Result,
        verbs::{AlertRecord, FirstOf},
    },
};

use super::{core::Core, fault, records::unreadable};

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Resolved ones that changed no later than this are over.
fn over(now: Stamp) -> i64 {
    now.micros() - micros(AlertRecord::KEPT_RESOLVED)
}

/// The verb `raise`.
pub(super) fn raise(core: &mut Core, records: &[AlertRecord]) -> Result<()> {
    records.iter().try_for_each(AlertRecord::check)?;
    for record in records {
        let text = serde_json::to_string(record).map_err(|error| unreadable("an alert", &error))?;
        let at = record.updated_at.min(core.now).micros();
        let resolved = record.state == AlertState::Resolved;
        core.db
            .prepare_cached("INSERT OR REPLACE INTO alert VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut statement| statement.execute(params![record.id, at, resolved, text]))
            .map_err(fault)?;
        core.news.alerts = true;
    }
    core.db
        .prepare_cached("DELETE FROM alert WHERE resolved AND updated_at <= ?1")
        .and_then(|mut statement| statement.execute([over(core.now)]))
        .map_err(fault)?;
    core.db
        .prepare_cached(
            "DELETE FROM alert WHERE id IN (SELECT id FROM alert \
             ORDER BY resolved, updated_at DESC, id DESC LIMIT -1 OFFSET ?1)",
        )
        .and_then(|mut statement| statement.execute([AlertRecord::KEPT]))
        .map_err(fault)?;
    Ok(())
}

/// The verb `alerts`. One that cannot be read is left out.
pub(super) fn latest(db: &Connection, limit: u32, now: Stamp) -> Result<Vec<AlertRecord>> {
    let mut statement = db
        .prepare_cached(
            "SELECT updated_at, text FROM alert WHERE NOT (resolved AND updated_at <= ?1) \
             ORDER BY updated_at DESC, id DESC LIMIT ?2",
        )
        .map_err(fault)?;
    let rows = statement
        .query_map([over(now), limit.into()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })
        .map_err(fault)?;
    let mut records = Vec::new();
    for row in rows {
        let (at, text) = row.map_err(fault)?;
        let Ok(mut record) = serde_json::from_str::<AlertRecord>(&text) else {
            debug!("an alert cannot be read");
            continue;
        };
        record.updated_at = Stamp::from_micros(at);
        records.push(record);
    }
    Ok(records)
}

/// Who was first, when, how many others asked since, and what it was answered.
type Window = (String, i64, i64, i64);

/// The verb `first_of`.
pub(super) fn first_of(core: &Core, first: &FirstOf) -> Result<Option<u64>> {
    first.check()?;
    let now = core.now.micros();
    core.db
        .prepare_cached("DELETE FROM first_of WHERE forget_at <= ?1")
        .and_then(|mut statement| statement.execute([now]))
        .map_err(fault)?;
    let held: Option<Window> = core
        .db
        .prepare_cached("SELECT by, at, others, answer FROM first_of WHERE key = ?1")
        .and_then(|mut statement| {
            let read =
                |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
            statement.query_row([&first.key], read).optional()
        })
        .map_err(fault)?;
    let by = first.by.to_string();
    let others = match held {
        Some((holder, .., answer)) if holder == by => return Ok(u64::try_from(answer).ok()),
        Some((_, at, ..)) if at.saturating_add(micros(first.lasts)) > now => {
            core.db
                .prepare_cached("UPDATE first_of SET others = others + 1 WHERE key = ?1")
                .and_then(|mut statement| statement.execute([&first.key]))
                .map_err(fault)?;
            return Ok(None);
        }
        Some((_, _, others, _)) => others,
        None => 0,
    };
    let forget_at = core.now.after(first.lasts).after(FirstOf::KEPT).micros();
    core.db
        .prepare_cached("INSERT OR REPLACE INTO first_of VALUES (?1, ?2, ?3, 0, ?4, ?5)")
        .and_then(|mut statement| statement.execute(params![first.key, by, now, others, forget_at]))
        .map_err(fault)?;
    Ok(u64::try_from(others).ok())
}
