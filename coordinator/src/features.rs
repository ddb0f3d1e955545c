//! The features of the fleet: what each worker says of them, put together.
//!
//! Invariant: pure, and the same features whether or not a worker lives: every
//! known workflow type, and the optional parts of the handlers.

use std::collections::BTreeMap;

use resources::feature::ADVANCED_ANALYTICS;
use serde::Serialize;
use serde_json::{Value, json};
use shared::{
    model::{Category, Stamp, WorkerId},
    store::verbs::FeatureOrder,
};

use crate::fleet::{Fleet, Member, Ruling};

/// The state of a feature in the whole fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Effective {
    Enabled,
    Partly,
    Disabled,
}

impl Effective {
    fn of(share: f64) -> Self {
        if share >= 1.0 {
            Self::Enabled
        } else if share > 0.0 {
            Self::Partly
        } else {
            Self::Disabled
        }
    }
}

/// The state of a feature on one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Switch {
    Enabled,
    Disabled,
}

/// A feature of the fleet, as the API shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Feature<'a> {
    pub(crate) name: String,
    pub(crate) category: Category,
    pub(crate) state: Effective,
    pub(crate) rule: String,
    pub(crate) reason: String,
    pub(crate) would_change: String,
    pub(crate) until: Option<Stamp>,
    pub(crate) evidence: Value,
    pub(crate) effect: Option<Value>,
    pub(crate) order: Option<&'a FeatureOrder>,
    pub(crate) workers: BTreeMap<&'a WorkerId, Switch>,
    pub(crate) worker_details: BTreeMap<&'a WorkerId, Detail>,
    /// The share of the workers on which it is on; of the fleet without any
    /// workers 0 or 1.
    #[serde(skip)]
    pub(crate) share: f64,
}

/// A feature on one worker.
#[derive(Debug, Serialize)]
pub(crate) struct Detail {
    enabled: bool,
    rule: String,
    reason: String,
    would_change: String,
    until: Option<Stamp>,
    evidence: Value,
    effect: Option<Value>,
}

/// Every feature, by name.
pub(crate) fn all(fleet: &Fleet) -> Vec<Feature<'_>> {
    let types = fleet.catalogue.all();
    let mut named: BTreeMap<&str, Category> = types
        .map(|kind| (kind.info.name.as_str(), kind.category))
        .collect();
    named.insert(ADVANCED_ANALYTICS, Category::Advanced);
    named
        .into_iter()
        .map(|(name, category)| feature(fleet, name, category))
        .collect()
}

/// The category of a feature, if there is such a feature.
pub(crate) fn category(fleet: &Fleet, name: &str) -> Option<Category> {
    if name == ADVANCED_ANALYTICS {
        return Some(Category::Advanced);
    }
    fleet.catalogue.find(name).map(|kind| kind.category)
}

/// One feature.
pub(crate) fn feature<'a>(fleet: &'a Fleet, name: &str, category: Category) -> Feature<'a> {
    let rulings: BTreeMap<&WorkerId, Ruling> = fleet
        .working()
        .filter(|member| concerns(member, name))
        .map(|member| (member.id(), fleet.ruling(member, name, category)))
        .collect();
    let nobody = rulings
        .is_empty()
        .then(|| fleet.ruling_of_nobody(name, category));
    let on = rulings
        .values()
        .chain(&nobody)
        .filter(|ruling| ruling.enabled);
    let share = share(on.count(), rulings.len().max(1));
    let said = rulings
        .iter()
        .map(|(worker, ruling)| (Some(*worker), ruling));
    let telling = said
        .chain(nobody.iter().map(|ruling| (None, ruling)))
        .min_by_key(|(_, ruling)| (ruling.enabled, ruling.strength()));
    let (worker, ruling) = telling.expect("where no worker says anything, nobody does");
    Feature {
        name: name.to_owned(),
        category,
        state: Effective::of(share),
        rule: ruling.rule.clone(),
        reason: ruling.reason.clone(),
        would_change: ruling.would_change.clone(),
        until: ruling.until,
        evidence: json!({"worker_id": worker, "numbers": ruling.evidence}),
        effect: effect(&rulings),
        order: fleet.order(name),
        workers: rulings
            .iter()
            .map(|(id, ruling)| (*id, switch(ruling)))
            .collect(),
        share,
        worker_details: rulings
            .into_iter()
            .map(|(id, it)| (id, Detail::of(it)))
            .collect(),
    }
}

/// Whether a feature means anything to a worker: optional parts do to all of
/// them, a type to those that serve it.
fn concerns(member: &Member, name: &str) -> bool {
    let mut types = member.seen.state.types.iter();
    name == ADVANCED_ANALYTICS || types.any(|served| served.as_str() == name)
}

fn switch(ruling: &Ruling) -> Switch {
    if ruling.enabled {
        Switch::Enabled
    } else {
        Switch::Disabled
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of workers")]
fn share(on: usize, all: usize) -> f64 {
    on as f64 / all as f64
}

/// What switching it off freed the last time, where that was measured: by
/// worker, and in all.
fn effect(rulings: &BTreeMap<&WorkerId, Ruling>) -> Option<Value> {
    let measured: BTreeMap<&WorkerId, &Value> = rulings
        .iter()
        .filter_map(|(worker, ruling)| Some((*worker, ruling.effect.as_ref()?)))
        .collect();
    if measured.is_empty() {
        return None;
    }
    let bytes = |effect: &Value, name: &str| effect[name].as_f64().unwrap_or_default();
    let freed: f64 = measured
        .values()
        .map(|effect| bytes(effect, "bytes_before") - bytes(effect, "bytes_after"))
        .sum();
    Some(json!({"freed_bytes": freed, "workers": measured}))
}

impl Detail {
    fn of(ruling: Ruling) -> Self {
        Self {
            enabled: ruling.enabled,
            rule: ruling.rule,
            reason: ruling.reason,
            would_change: ruling.would_change,
            until: ruling.until,
            evidence: ruling.evidence,
            effect: ruling.effect,
        }
    }
}
