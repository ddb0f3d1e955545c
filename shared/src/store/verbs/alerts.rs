//! Alerts as the whole fleet knows them.
//!
//! Invariant: plain data. An alert is judged by who raises it; the store only
//! remembers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    model::{AlertLevel, AlertState, Nonce, Stamp, WorkerId},
    store::{Error, Result},
};

/// The longest id and key, in bytes.
const LONGEST_NAME: usize = 256;

/// One alert. For its members the rule of
/// [`TypeInfo`](crate::store::query::TypeInfo) holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AlertRecord {
    /// By which it is updated.
    pub id: String,
    /// What it is about: alerts of one key follow each other.
    pub key: String,
    /// How urgent it is.
    pub level: AlertLevel,
    /// Whether it still holds.
    pub state: AlertState,
    /// Which worker it is about, if it is about one.
    pub worker_id: Option<WorkerId>,
    /// One or two sentences, without payload.
    pub message: String,
    /// What was measured.
    pub value: f64,
    /// What it was compared with.
    pub threshold: f64,
    /// Since when it holds.
    pub since: Stamp,
    /// When it was raised, changed or resolved last, by the clock of who did
    /// it; the store lets nothing be later than its own present.
    pub updated_at: Stamp,
    /// How often it was told.
    pub count: u64,
}

impl AlertRecord {
    /// How many alerts are remembered. Beyond that the resolved ones go first,
    /// then those that were not heard of for longest.
    pub const KEPT: u32 = 1000;
    /// How long a resolved one is remembered.
    pub const KEPT_RESOLVED: Duration = Duration::from_hours(24);
    /// The longest message, in bytes.
    pub const LONGEST_MESSAGE: usize = 4096;

    /// Refuses what no store should hold.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |what: String| Err(Error::Refused(what));
        if self.id.is_empty() || self.id.len().max(self.key.len()) > LONGEST_NAME {
            return refuse(format!(
                "an alert has an id of 1 to {LONGEST_NAME} bytes and a key of no more"
            ));
        }
        if self.message.len() > Self::LONGEST_MESSAGE {
            return refuse(format!(
                "the message of an alert has at most {} bytes",
                Self::LONGEST_MESSAGE
            ));
        }
        if !self.value.is_finite() || !self.threshold.is_finite() {
            return refuse("value and threshold of an alert are finite numbers".into());
        }
        Ok(())
    }
}

/// Asks to be the one who tells, where many want to tell the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstOf {
    /// What is to be told.
    pub key: String,
    /// Recognises the same question asked again: the first one stays the first
    /// one.
    pub by: Nonce,
    /// One in this time. Ask with the same time for the same key.
    pub lasts: Duration,
}

impl FirstOf {
    /// How long after its end a window is remembered, for the number of those
    /// who wanted to tell the same.
    pub const KEPT: Duration = Duration::from_hours(24);

    /// Refuses what no store should hold.
    pub(crate) fn check(&self) -> Result<()> {
        if self.key.len() > LONGEST_NAME {
            return Err(Error::Refused(format!(
                "what is to be told once has a key of at most {LONGEST_NAME} bytes"
            )));
        }
        Ok(())
    }
}
