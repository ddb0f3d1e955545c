//! Tenants and types as small numbers, so that rows and indexes stay compact.
//!
//! Invariant: a number, once given, means the same name for ever.

use std::{collections::HashMap, str::FromStr};

use rusqlite::Connection;

use crate::{
    model::{Route, TenantId, TypeName},
    store::{Error, Result},
};

use super::{fault, tally::Lane};

/// The names in use, cached from the table `name`.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<String, i64>,
    texts: HashMap<i64, String>,
}

impl Names {
    /// Reads the table.
    pub(super) fn load(db: &Connection) -> Result<Self> {
        let mut names = Self::default();
        let mut rows = db.prepare("SELECT id, text FROM name").map_err(fault)?;
        let mut rows = rows.query([]).map_err(fault)?;
        while let Some(row) = rows.next().map_err(fault)? {
            let (number, text): (i64, String) =
                (row.get(0).map_err(fault)?, row.get(1).map_err(fault)?);
            names.texts.insert(number, text.clone());
            names.numbers.insert(text, number);
        }
        Ok(names)
    }

    /// The number of a name that is known.
    pub(super) fn known(&self, text: &str) -> Option<i64> {
        self.numbers.get(text).copied()
    }

    /// The number of a name, given to it now if it has none.
    pub(super) fn number(&mut self, db: &Connection, text: &str) -> Result<i64> {
        if let Some(number) = self.known(text) {
            return Ok(number);
        }
        let number = db
            .prepare_cached("INSERT INTO name (text) VALUES (?1) RETURNING id")
            .and_then(|mut statement| statement.query_row([text], |row| row.get(0)))
            .map_err(fault)?;
        self.numbers.insert(text.to_owned(), number);
        self.texts.insert(number, text.to_owned());
        Ok(number)
    }

    /// The tenant of a lane.
    pub(super) fn tenant(&self, lane: Lane) -> Result<TenantId> {
        self.text(lane.tenant)
    }

    /// The type of a lane.
    pub(super) fn kind(&self, lane: Lane) -> Result<TypeName> {
        self.text(lane.kind)
    }

    /// The route of a lane.
    pub(super) fn route(&self, lane: Lane) -> Result<Route> {
        Ok(Route::new(self.kind(lane)?, lane.priority))
    }

    fn text<T: FromStr>(&self, number: i64) -> Result<T> {
        self.texts
            .get(&number)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| Error::Corrupt(format!("name {number} is missing or malformed")))
    }
}
