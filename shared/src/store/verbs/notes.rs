//! What the fleet learned and wants to find again: small named texts, and rows
//! of figures by the minute.
//!
//! Invariant: plain data, bounded in size and in time. No store reads the texts.

use std::time::Duration;

use crate::{
    model::{Json, Stamp},
    store::{Error, Result},
};

/// The longest name, in bytes.
const LONGEST_NAME: usize = 256;

fn check(what: &str, name: &str, text: &str, longest: usize) -> Result<()> {
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(Error::Refused(format!(
            "{what} has a name of 1 to {LONGEST_NAME} bytes"
        )));
    }
    if text.len() > longest {
        return Err(Error::Refused(format!(
            "{what} has at most {longest} bytes, not {}",
            text.len()
        )));
    }
    Ok(())
}

/// A small text under a name. The last one written under a name counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// By which it is found again.
    pub name: String,
    /// What is kept.
    pub text: String,
    /// After this time it is forgotten.
    pub lasts: Duration,
}

impl Note {
    /// The longest text, in bytes: a script copies what it stores.
    pub const LONGEST: usize = 256 * 1024;

    /// Refuses what no store should hold.
    pub(crate) fn check(&self) -> Result<()> {
        check("a note", &self.name, &self.text, Self::LONGEST)
    }
}

/// The figures of one minute of one scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesRow {
    /// What they are of: `fleet`, `worker:<id>`, `host:<name>`.
    pub scope: String,
    /// The beginning of the minute. A row of the same scope and time is
    /// replaced.
    pub at: Stamp,
    /// The figures.
    pub figures: Json,
}

impl SeriesRow {
    /// The longest text of figures, in bytes: with a row a minute, 45 MiB in
    /// the time that they are kept.
    pub const LONGEST: usize = 4096;
    /// How long a row is kept: a week to compare with, and the present day.
    pub const KEPT: Duration = Duration::from_hours(8 * 24);
    /// How long after its last row all rows of a worker are kept: workers come
    /// and go, and what they did is in the rows of their host and of the fleet.
    pub const KEPT_OF_WORKER: Duration = Duration::from_hours(24);
    /// Rows further ahead of the store's clock are passed over: their writer's
    /// clock is wrong, and they would outlive all others.
    pub const AHEAD: Duration = Duration::from_hours(24);
    /// Begins the scope of a worker.
    pub const OF_WORKER: &str = "worker:";

    /// Refuses what no store should hold.
    pub(crate) fn check(&self) -> Result<()> {
        check(
            "a row of figures",
            &self.scope,
            self.figures.as_str(),
            Self::LONGEST,
        )
    }

    /// How long after its last row a scope is kept.
    pub(crate) fn kept(scope: &str) -> Duration {
        if scope.starts_with(Self::OF_WORKER) {
            Self::KEPT_OF_WORKER
        } else {
            Self::KEPT
        }
    }
}

/// Which rows to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesQuery {
    /// Of which scope.
    pub scope: String,
    /// From this time on.
    pub from: Stamp,
    /// Up to this time, which is included.
    pub to: Stamp,
    /// At most so many, the earliest of them.
    pub limit: u32,
}
