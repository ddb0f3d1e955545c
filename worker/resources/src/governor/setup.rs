//! What a governor begins with.
//!
//! Invariant: plain data that a decision log can carry whole, so that a replay
//! begins where the worker began.

use serde::{Deserialize, Serialize};
use shared::model::Category;

use crate::{
    estimate::Declared,
    feature::{ADVANCED_ANALYTICS, Feature},
    history::Retention,
    profile::Profile,
};

/// One workflow type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kind {
    /// Its name.
    pub name: String,
    /// When it gives way.
    pub category: Category,
    /// What its author says that a task needs.
    #[serde(default)]
    pub declared: Declared,
}

/// What is known before anything happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// The worker's id, for alerts.
    pub worker: String,
    /// The types that it serves. Events name them by their place.
    pub kinds: Vec<Kind>,
    /// The configured profile.
    pub profile: Profile,
    /// Tasks at once, when calm.
    pub concurrency: u32,
    /// Tells workers' waits apart; not secret.
    pub seed: u64,
    /// How long history is kept.
    #[serde(default)]
    pub retention: Retention,
}

impl Setup {
    /// Every feature: the types, and the expensive parts of handlers.
    pub(super) fn catalogue(&self) -> Vec<Feature> {
        let types = self.kinds.iter();
        let mut all: Vec<_> = types
            .map(|kind| Feature::new(&kind.name, kind.category))
            .collect();
        all.push(Feature::new(ADVANCED_ANALYTICS, Category::Advanced));
        all
    }
}
