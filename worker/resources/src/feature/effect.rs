//! What switching a feature off brought.
//!
//! A switch whose effect nobody measured is superstition: memory and CPU are
//! noted when a feature goes off, and again when the last task that was
//! running then has ended, or after [`LONGEST`].
//!
//! Invariant: at most one open measurement per feature; a feature that comes
//! back before its measurement is complete has none.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Situation, State};

/// After this the rest of the worker has changed so much that the difference
/// says nothing about the feature.
pub const LONGEST: Duration = Duration::from_secs(30);

/// Memory and CPU before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The feature that was switched off.
    pub feature: String,
    /// When.
    pub at: Duration,
    /// The name of the rule that did it.
    pub rule: String,
    /// Its tasks that were running then: only their end can free anything.
    pub in_flight: u32,
    /// Used memory at the switch, in bytes.
    pub bytes_before: u64,
    /// Used memory at the end, in bytes.
    pub bytes_after: u64,
    /// Use of the processors at the switch, a share.
    pub cpu_before: Option<f64>,
    /// Use of the processors at the end, a share.
    pub cpu_after: Option<f64>,
    /// How long it took.
    pub took: Duration,
    /// The running tasks ended within that time.
    pub ended: bool,
    /// Other features that were being measured meanwhile: the difference is
    /// theirs as well.
    pub together: u32,
}

impl Effect {
    /// Bytes that came free; negative where use grew nevertheless.
    #[must_use]
    pub fn freed(&self) -> i64 {
        let whole = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        whole(self.bytes_before) - whole(self.bytes_after)
    }
}

/// Open and completed measurements, by the feature's place in the catalogue.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Effects {
    open: BTreeMap<usize, Effect>,
    latest: BTreeMap<usize, Effect>,
}

impl Effects {
    pub(super) fn start(&mut self, index: usize, state: &State, now: &Situation<'_>) {
        let together = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        for other in self.open.values_mut() {
            other.together += 1;
        }
        let effect = Effect {
            feature: state.name.clone(),
            at: now.at,
            rule: state.rule.as_str().to_owned(),
            in_flight: running(index, now),
            bytes_before: now.used,
            bytes_after: now.used,
            cpu_before: now.cpu,
            cpu_after: now.cpu,
            took: Duration::ZERO,
            ended: false,
            together,
        };
        self.open.insert(index, effect);
    }

    pub(super) fn abandon(&mut self, index: usize) {
        self.open.remove(&index);
    }

    /// Completes what is complete.
    pub(super) fn observe(&mut self, now: &Situation<'_>) -> Vec<Effect> {
        let mut complete = Vec::new();
        for (index, effect) in &mut self.open {
            effect.ended = running(*index, now) == 0;
            effect.took = now.at.saturating_sub(effect.at);
            effect.bytes_after = now.used;
            effect.cpu_after = now.cpu;
            if effect.ended || effect.took >= LONGEST {
                complete.push(*index);
            }
        }
        complete
            .into_iter()
            .filter_map(|index| {
                let effect = self.open.remove(&index)?;
                self.latest.insert(index, effect.clone());
                Some(effect)
            })
            .collect()
    }

    pub(super) fn latest(&self) -> impl Iterator<Item = &Effect> {
        self.latest.values()
    }
}

fn running(index: usize, now: &Situation<'_>) -> u32 {
    now.in_flight_by_feature.get(index).copied().unwrap_or(0)
}
