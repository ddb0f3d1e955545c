//! Small things that outlive the process: the mode, standing orders, learned
//! run times, the next acceptance number, and what is counted over all tenants.
//!
//! Invariant: acceptance numbers only ever grow, also past tasks that were
//! removed.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use crate::{
    model::{Nonce, TenantId},
    store::{
        Error, Result,
        verbs::{ModeState, Orders},
    },
};

use super::{fault, records::unreadable};

const MODE: &str = "mode";
const ORDERS: &str = "orders";
const NEXT_SEQ: &str = "next_seq";
const BLOB_MARK: &str = "blob_mark";
/// Before the name of a tenant.
const CONTACT_KEY: &str = "contact_key.";

/// Tasks accepted since installation.
pub(super) const SUBMITTED: &str = "total.submitted";
/// Failed runs that are tried again, since installation.
pub(super) const RETRIES: &str = "total.retries";
/// Leases that ran out since installation.
pub(super) const LEASES_LAPSED: &str = "total.leases_lapsed";

/// The mode of the fleet.
pub(super) fn mode(db: &Connection) -> Result<ModeState> {
    get(db, MODE)?.map_or(Ok(ModeState::default()), |text| {
        serde_json::from_str(&text).map_err(|error| unreadable("mode", &error))
    })
}

/// Stores the mode.
pub(super) fn set_mode(db: &Connection, mode: &ModeState) -> Result<()> {
    let text = serde_json::to_string(mode).map_err(|error| unreadable("mode", &error))?;
    set(db, MODE, &text)
}

/// The standing orders.
pub(super) fn orders(db: &Connection) -> Result<Orders> {
    get(db, ORDERS)?.map_or(Ok(Orders::default()), |text| {
        serde_json::from_str(&text).map_err(|error| unreadable("standing orders", &error))
    })
}

/// Stores the standing orders.
pub(super) fn set_orders(db: &Connection, orders: &Orders) -> Result<()> {
    let text =
        serde_json::to_string(orders).map_err(|error| unreadable("standing orders", &error))?;
    set(db, ORDERS, &text)
}

/// The mark of the blob store; this one if there is none yet.
pub(super) fn blob_mark(db: &Connection, drawn: Nonce) -> Result<Nonce> {
    first_drawn(db, BLOB_MARK, drawn)
}

/// The key by which a tenant's contacts are named; this one if there is none
/// yet.
pub(super) fn contact_key(db: &Connection, tenant: &TenantId, drawn: Nonce) -> Result<Nonce> {
    first_drawn(db, &format!("{CONTACT_KEY}{tenant}"), drawn)
}

fn first_drawn(db: &Connection, name: &str, drawn: Nonce) -> Result<Nonce> {
    if let Some(text) = get(db, name)? {
        return text.parse().map_err(|_| Error::Corrupt(name.into()));
    }
    set(db, name, &drawn.to_string())?;
    Ok(drawn)
}

/// The next acceptance number.
pub(super) fn next_seq(db: &Connection) -> Result<i64> {
    let floor = get(db, NEXT_SEQ)?
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let last: i64 = db
        .query_row("SELECT coalesce(max(seq), 0) FROM task", [], |row| {
            row.get(0)
        })
        .map_err(fault)?;
    Ok(floor.max(last + 1))
}

/// Remembers the next acceptance number, before tasks are removed.
pub(super) fn keep_next_seq(db: &Connection, next: i64) -> Result<()> {
    set(db, NEXT_SEQ, &next.to_string())
}

/// Learned run times in microseconds, by type.
pub(super) fn learned(db: &Connection) -> Result<HashMap<i64, f64>> {
    let mut statement = db
        .prepare("SELECT type, mean_us FROM learned")
        .map_err(fault)?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(fault)?;
    rows.collect::<rusqlite::Result<_>>().map_err(fault)
}

/// Stores the learned run time of a type.
pub(super) fn keep_learned(db: &Connection, kind: i64, mean_us: f64) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO learned VALUES (?1, ?2)")
        .and_then(|mut statement| statement.execute(params![kind, mean_us]))
        .map_err(fault)?;
    Ok(())
}

/// What was counted so far.
pub(super) fn total(db: &Connection, name: &str) -> Result<u64> {
    Ok(get(db, name)?
        .and_then(|text| text.parse().ok())
        .unwrap_or(0))
}

/// Counts `more`.
pub(super) fn count(db: &Connection, name: &str, more: usize) -> Result<()> {
    if more == 0 {
        return Ok(());
    }
    let more = u64::try_from(more).unwrap_or(u64::MAX);
    let sum = total(db, name)?.saturating_add(more);
    set(db, name, &sum.to_string())
}

fn get(db: &Connection, name: &str) -> Result<Option<String>> {
    db.prepare_cached("SELECT value FROM fact WHERE name = ?1")
        .and_then(|mut statement| {
            let mut rows = statement.query([name])?;
            rows.next()?.map(|row| row.get(0)).transpose()
        })
        .map_err(fault)
}

fn set(db: &Connection, name: &str, value: &str) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO fact VALUES (?1, ?2)")
        .and_then(|mut statement| statement.execute(params![name, value]))
        .map_err(fault)?;
    Ok(())
}
