//! Operators' overrides, as this worker keeps them.
//!
//! Invariant: an override ends by this worker's own monotonic time, whether or
//! not anybody tells it so.
//!
//! Deliberately absent: who may order what (the coordinator checks), and the
//! refusal to switch essential features off (it is refused there, and has no
//! effect here).

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

/// No override lasts longer than a day: what should last longer is a profile.
pub const LONGEST: Duration = Duration::from_hours(24);

/// An operator's order about a feature, as it comes from the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// The feature's name.
    pub feature: String,
    /// On or off, whatever the weaker rules say.
    pub enabled: bool,
    /// Who ordered it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// How long it still holds, by the store's clock at the time of telling.
    pub remaining: Duration,
}

/// An override in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// On or off.
    pub enabled: bool,
    /// Who ordered it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it ends, by the worker's own time.
    pub until: Duration,
}

/// All overrides in force.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Orders {
    standing: BTreeMap<String, Standing>,
}

impl Orders {
    pub(super) fn replace(&mut self, at: Duration, overrides: &[Override]) {
        self.standing = overrides
            .iter()
            .filter(|order| !order.remaining.is_zero())
            .map(|order| {
                let standing = Standing {
                    enabled: order.enabled,
                    by: order.by.clone(),
                    reason: order.reason.clone(),
                    until: at.saturating_add(order.remaining.min(LONGEST)),
                };
                (order.feature.clone(), standing)
            })
            .collect();
    }

    /// Drops what is over and names it.
    pub(super) fn expire(&mut self, at: Duration) -> Vec<String> {
        let over: Vec<String> = self
            .standing
            .iter()
            .filter(|(_, standing)| standing.until <= at)
            .map(|(feature, _)| feature.clone())
            .collect();
        for feature in &over {
            self.standing.remove(feature);
        }
        over
    }

    pub(super) fn of(&self, feature: &str) -> Option<&Standing> {
        self.standing.get(feature)
    }
}
