//! Operators' standing orders: features switched by hand, profiles, and workers
//! that are to drain.
//!
//! Invariant: plain data. An order about a feature is over by itself; one about
//! a worker goes with the worker.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    model::{ProfileName, Stamp, WorkerId},
    store::{Error, Result},
};

/// The longest name of a feature, in bytes: that of a workflow type.
const LONGEST_FEATURE: usize = 128;
/// The longest text that says who and why, in bytes: every worker reads all of
/// them.
const LONGEST_TEXT: usize = 4096;

/// One order. The latest about the same thing counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Switches a feature.
    Feature {
        /// Which.
        feature: String,
        /// On or off; `None` gives it back to the automatic rules.
        state: Option<bool>,
        /// Who orders it.
        by: String,
        /// Why.
        reason: String,
        /// After this time it is automatic again.
        lasts: Duration,
    },
    /// Sets thresholds and shares.
    Profile {
        /// Of this worker; `None` for the whole fleet.
        worker: Option<WorkerId>,
        /// Which; `None` gives back what was configured.
        profile: Option<ProfileName>,
        /// Who orders it.
        by: String,
        /// Why.
        reason: String,
    },
    /// Has a worker finish what it has and take nothing new.
    Drain {
        /// Which worker.
        worker: WorkerId,
        /// `false` lets it take work again.
        drain: bool,
        /// Who orders it.
        by: String,
        /// Why.
        reason: String,
    },
}

impl Order {
    /// Refuses what no store should hold.
    pub(crate) fn check(&self) -> Result<()> {
        let (Self::Feature { by, reason, .. }
        | Self::Profile { by, reason, .. }
        | Self::Drain { by, reason, .. }) = self;
        if by.len() > LONGEST_TEXT || reason.len() > LONGEST_TEXT {
            return Err(Error::Refused(format!(
                "an order says who and why in at most {LONGEST_TEXT} bytes each"
            )));
        }
        match self {
            Self::Feature { feature, .. }
                if feature.is_empty() || feature.len() > LONGEST_FEATURE =>
            {
                Err(Error::Refused(format!(
                    "the name of a feature has 1 to {LONGEST_FEATURE} bytes"
                )))
            }
            _ => Ok(()),
        }
    }
}

/// A feature that was switched by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FeatureOrder {
    /// Which.
    pub feature: String,
    /// On or off.
    pub enabled: bool,
    /// Who ordered it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, by the store's clock.
    pub at: Stamp,
    /// Until when, by the store's clock.
    pub expires_at: Stamp,
    /// How long that was when the store answered, in milliseconds rounded up:
    /// whoever read it can let it end by a clock of its own.
    pub remaining_ms: u64,
}

/// A profile that was set by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfileOrder {
    /// Which.
    pub profile: ProfileName,
    /// Who ordered it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, by the store's clock.
    pub at: Stamp,
}

/// A worker that is to drain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DrainOrder {
    /// Who ordered it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, by the store's clock.
    pub at: Stamp,
}

/// What is ordered of one worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerOrders {
    /// Its profile; the fleet's where there is none.
    pub profile: Option<ProfileOrder>,
    /// It is to drain.
    pub drain: Option<DrainOrder>,
}

/// All standing orders. For its members the rule of
/// [`TypeInfo`](crate::store::query::TypeInfo) holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Orders {
    /// Grows with every change but the mere end of a feature's order; 0 if
    /// there never was an order. Whoever sees another number asks again.
    pub version: u64,
    /// Features switched by hand whose time is not over, by name.
    pub features: Vec<FeatureOrder>,
    /// The profile of the fleet.
    pub profile: Option<ProfileOrder>,
    /// What is ordered of single workers.
    pub workers: BTreeMap<WorkerId, WorkerOrders>,
}

impl Orders {
    /// Leaves out what is over by now, and says how much is left of the rest.
    pub(crate) fn standing_at(mut self, now: Stamp) -> Self {
        self.features.retain(|order| order.expires_at > now);
        self.features.sort_by(|a, b| a.feature.cmp(&b.feature));
        for order in &mut self.features {
            let left = order.expires_at.since(now).as_micros().div_ceil(1000);
            order.remaining_ms = u64::try_from(left).unwrap_or(u64::MAX);
        }
        self
    }

    /// The version after a change at this time: also a store that lost its
    /// data comes to another number than before.
    pub(crate) fn next_version(&self, now: Stamp) -> u64 {
        now.micros().unsigned_abs().max(self.version + 1)
    }
}
