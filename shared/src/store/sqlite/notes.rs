//! Notes and rows of figures.
//!
//! Invariant: what is over is not shown, whether it was removed yet or not.

use rusqlite::{Connection, params};

use crate::{
    model::{Json, Stamp},
    store::{
        Result,
        verbs::{Note, SeriesQuery, SeriesRow},
    },
};

use super::{core::Core, fault};

/// The verb `keep`.
pub(super) fn keep(core: &Core, note: &Note) -> Result<()> {
    note.check()?;
    core.db
        .prepare_cached("DELETE FROM note WHERE expires_at <= ?1")
        .and_then(|mut statement| statement.execute([core.now.micros()]))
        .map_err(fault)?;
    core.db
        .prepare_cached("INSERT OR REPLACE INTO note VALUES (?1, ?2, ?3)")
        .and_then(|mut statement| {
            let expires_at = core.now.after(note.lasts).micros();
            statement.execute(params![note.name, note.text, expires_at])
        })
        .map_err(fault)?;
    Ok(())
}

/// The verb `kept`.
pub(super) fn kept(db: &Connection, names: &[String], now: Stamp) -> Result<Vec<Option<String>>> {
    let mut statement = db
        .prepare_cached("SELECT text FROM note WHERE name = ?1 AND expires_at > ?2")
        .map_err(fault)?;
    let mut text = |name: &String| {
        let mut rows = statement.query(params![name, now.micros()])?;
        rows.next()?.map(|row| row.get(0)).transpose()
    };
    names.iter().map(|name| text(name).map_err(fault)).collect()
}

/// The earliest time whose rows are still kept so long.
fn since(now: Stamp, kept: std::time::Duration) -> i64 {
    now.micros() - i64::try_from(kept.as_micros()).unwrap_or(i64::MAX) + 1
}

/// The verb `append`. Here rows end as well: at most once a minute, not with
/// every sweep.
pub(super) fn append(core: &Core, rows: &[SeriesRow]) -> Result<()> {
    rows.iter().try_for_each(SeriesRow::check)?;
    let oldest = since(core.now, SeriesRow::KEPT);
    let latest = core.now.after(SeriesRow::AHEAD).micros();
    for row in rows {
        let at = row.at.micros();
        if (oldest..=latest).contains(&at) {
            core.db
                .prepare_cached("INSERT OR REPLACE INTO series VALUES (?1, ?2, ?3)")
                .and_then(|mut statement| {
                    statement.execute(params![row.scope, at, row.figures.as_str()])
                })
                .map_err(fault)?;
        }
    }
    core.db
        .prepare_cached("DELETE FROM series WHERE at < ?1")
        .and_then(|mut statement| statement.execute([oldest]))
        .map_err(fault)?;
    core.db
        .prepare_cached(
            "DELETE FROM series WHERE scope IN (SELECT scope FROM series \
             WHERE scope >= 'worker:' AND scope < 'worker;' GROUP BY scope HAVING max(at) < ?1)",
        )
        .and_then(|mut statement| statement.execute([since(core.now, SeriesRow::KEPT_OF_WORKER)]))
        .map_err(fault)?;
    Ok(())
}

/// The verb `series`.
pub(super) fn series(db: &Connection, query: &SeriesQuery, now: Stamp) -> Result<Vec<SeriesRow>> {
    let last: Option<i64> = db
        .prepare_cached("SELECT max(at) FROM series WHERE scope = ?1")
        .and_then(|mut statement| statement.query_row([&query.scope], |row| row.get(0)))
        .map_err(fault)?;
    let kept = SeriesRow::kept(&query.scope);
    if last.is_none_or(|last| last < since(now, kept)) {
        return Ok(Vec::new());
    }
    let from = query.from.micros().max(since(now, SeriesRow::KEPT));
    let mut statement = db
        .prepare_cached(
            "SELECT at, figures FROM series WHERE scope = ?1 AND at BETWEEN ?2 AND ?3 \
             ORDER BY at LIMIT ?4",
        )
        .map_err(fault)?;
    let rows = statement
        .query_map(
            params![query.scope, from, query.to.micros(), query.limit],
            |row| {
                Ok(SeriesRow {
                    scope: query.scope.clone(),
                    at: Stamp::from_micros(row.get(0)?),
                    figures: Json::from_text(row.get(1)?),
                })
            },
        )
        .map_err(fault)?;
    rows.collect::<rusqlite::Result<_>>().map_err(fault)
}
