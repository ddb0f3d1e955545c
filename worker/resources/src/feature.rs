//! What is switched off, by which rule, for how long, and what it brought.
//!
//! A feature is a workflow type (or an optional part of the handlers, such as
//! `advanced_analytics`) with a category. Each tick [`Features::observe`]
//! resolves every feature by the first rule that applies ([`rule`]):
//! essential > an operator's override ([`order`]) > emergency > the profile >
//! automatic ([`shed`]: levels, forecasts, unknown capacity, and the turn in
//! which categories come back). What a switch freed is measured ([`effect`]).
//!
//! Invariant: essential features are always on. Nothing is remembered but the
//! dwell of the automatic rules, the remaining time of overrides and open
//! measurements: the same events give the same states.
//!
//! Deliberately absent: pulling, admission and the memory ceiling. An
//! override that switches a feature on lifts the switch, nothing else.

pub mod effect;
pub mod order;
pub mod rule;
pub mod shed;

mod words;

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::model::{Category, Level, Priority};

use crate::profile::{Profile, Share};

pub use effect::Effect;
pub use order::Override;
pub use rule::Rule;

use effect::Effects;
use order::Orders;
use rule::Inputs;
use shed::Shed;

/// The optional, expensive parts of the handlers: a feature of its own.
pub const ADVANCED_ANALYTICS: &str = "advanced_analytics";

/// An entry of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feature {
    /// The workflow type's name, or that of an optional part.
    pub name: String,
    /// When it gives way.
    pub category: Category,
}

impl Feature {
    /// An entry of the catalogue.
    #[must_use]
    pub fn new(name: &str, category: Category) -> Self {
        Self {
            name: name.to_owned(),
            category,
        }
    }
}

/// What the rules go by at one tick.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// Now, since the worker's start.
    pub at: Duration,
    /// The overall level.
    pub level: Level,
    /// The level without regard to the processor. With nothing in flight it
    /// alone decides: a busy host must not starve a worker for ever.
    pub level_without_cpu: Level,
    /// The level that a forecast sees within the horizon (high or critical).
    /// It acts only where the profile lets forecasts act.
    pub predicted: Option<Level>,
    /// The profile in force.
    pub profile: &'a Profile,
    /// The limits of this worker are known.
    pub known: bool,
    /// Running tasks, all types.
    pub in_flight: u32,
    /// Running tasks of each feature, in the order of the catalogue; missing
    /// ones count as none.
    pub in_flight_by_feature: &'a [u32],
    /// Measured: use of memory as a share of the limit.
    pub memory: f64,
    /// Measured: use of memory in bytes.
    pub used: u64,
    /// Measured: use of the processors as a share of the effective cores.
    pub cpu: Option<f64>,
}

/// The numbers behind a state.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The overall level.
    pub level: Level,
    /// The level without the processor.
    pub level_without_cpu: Level,
    /// What a forecast sees coming.
    pub predicted: Option<Level>,
    /// Running tasks.
    pub in_flight: u32,
    /// Use of memory, a share.
    pub memory: f64,
    /// From which on it counts as high.
    pub memory_high: f64,
    /// Use of the processors, a share.
    pub cpu: Option<f64>,
    /// From which on it counts as high.
    pub cpu_high: f64,
    /// The profile's share of the slots for this category; 0 is off.
    pub share: f64,
}

/// Whether a feature is on, and everything one may ask about that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The feature's name.
    pub name: String,
    /// Its category.
    pub category: Category,
    /// It is on.
    pub enabled: bool,
    /// The rule that decided.
    pub rule: Rule,
    /// Since when it has been on or off.
    pub since: Duration,
    /// Until when the rule holds at least (a forecast's hold, a turn to come
    /// back) or at most (an override); `None` where only a change of the
    /// situation ends it.
    pub until: Option<Duration>,
    /// Why, as a sentence.
    pub reason: String,
    /// What would change it, as a sentence.
    pub would_change: String,
    /// The numbers it goes by.
    pub evidence: Evidence,
}

impl State {
    /// Whether a task of this priority must wait for the feature.
    ///
    /// An operator, an emergency and the profile bind every task; the
    /// automatic rules do not bind critical and high ones, and one that rests
    /// on the processor alone binds nobody while nothing is in flight.
    #[must_use]
    pub fn binds(&self, priority: Priority, in_flight: u32) -> bool {
        if self.enabled {
            return false;
        }
        if !self.rule.is_automatic() {
            return true;
        }
        let starved = in_flight == 0 && self.rule.is_cpu_alone();
        priority > Priority::High && !starved
    }
}

/// A feature came under another rule, and perhaps changed sides with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// When.
    pub at: Duration,
    /// The feature's name.
    pub feature: String,
    /// It was on.
    pub was: bool,
    /// It is on.
    pub enabled: bool,
    /// The rule that decided.
    pub rule: Rule,
    /// Why, as a sentence.
    pub reason: String,
}

/// An operator keeps a feature on that critical resources would switch off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// The feature's name.
    pub feature: String,
    /// Who ordered it.
    pub by: String,
    /// The level it stands against.
    pub level: Level,
}

/// What one tick changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Changes {
    /// Features that came under another rule; those that changed sides have
    /// `was != enabled`.
    pub changes: Vec<Change>,
    /// Conflicts that hold now (all of them, at every tick).
    pub conflicts: Vec<Conflict>,
    /// Features whose override ended at this tick.
    pub expired: Vec<String>,
    /// Measurements that were completed.
    pub effects: Vec<Effect>,
}

/// All features of a worker.
#[derive(Clone, Debug, Serialize)]
pub struct Features {
    states: Vec<State>,
    shed: Shed,
    orders: Orders,
    effects: Effects,
}

impl Features {
    /// All features on. Names that repeat keep their first category.
    #[must_use]
    pub fn new(catalogue: &[Feature]) -> Self {
        let mut states: Vec<State> = Vec::with_capacity(catalogue.len());
        for feature in catalogue {
            if states.iter().all(|state| state.name != feature.name) {
                states.push(words::fresh(feature));
            }
        }
        Self {
            states,
            shed: Shed::default(),
            orders: Orders::default(),
            effects: Effects::default(),
        }
    }

    /// These are the operators' overrides from now on: all of them, each with
    /// the time that it has left. They end by this worker's own time, also
    /// when nothing else is heard from outside.
    pub fn order(&mut self, at: Duration, overrides: &[Override]) {
        self.orders.replace(at, overrides);
    }

    /// Resolves every feature.
    pub fn observe(&mut self, now: &Situation<'_>) -> Changes {
        let mut changes = Changes {
            expired: self.orders.expire(now.at),
            ..Changes::default()
        };
        self.shed.observe(now);
        changes.effects = self.effects.observe(now);
        for index in 0..self.states.len() {
            self.resolve(index, now, &mut changes);
        }
        changes
    }

    fn resolve(&mut self, index: usize, now: &Situation<'_>, changes: &mut Changes) {
        let state = &mut self.states[index];
        let order = self.orders.of(&state.name);
        let inputs = Inputs {
            order,
            emergency_level: now.level == Level::Emergency,
            profile: now.profile.name,
            off_by_profile: now.profile.share(state.category) == Share::Off,
            automatic: self.shed.of(state.category),
        };
        let ruling = rule::resolve(state.category, &inputs);
        if let Some(order) = order
            && ruling.enabled
            && state.category != Category::Essential
            && now.level >= Level::Critical
        {
            changes.conflicts.push(Conflict {
                feature: state.name.clone(),
                by: order.by.clone(),
                level: now.level,
            });
        }
        let was = state.enabled;
        let altered = was != ruling.enabled || !state.rule.same_kind(&ruling.rule);
        if was != ruling.enabled {
            state.since = now.at;
        }
        // The numbers of a decision are those of its moment; they follow the
        // tick so that an explanation never quotes an old measurement.
        let evidence = words::evidence(state.category, now);
        if altered || state.evidence != evidence || state.rule != ruling.rule {
            state.enabled = ruling.enabled;
            state.until = ruling.until;
            state.rule = ruling.rule;
            state.evidence = evidence;
            words::explain(state, now);
        }
        if altered {
            changes.changes.push(Change {
                at: now.at,
                feature: state.name.clone(),
                was,
                enabled: state.enabled,
                rule: state.rule.clone(),
                reason: state.reason.clone(),
            });
        }
        match (was, state.enabled) {
            (true, false) => self.effects.start(index, state, now),
            (false, true) => self.effects.abandon(index),
            _ => {}
        }
    }

    /// Every feature, in the order of the catalogue.
    #[must_use]
    pub fn states(&self) -> &[State] {
        &self.states
    }

    /// The feature of this name.
    #[must_use]
    pub fn state(&self, name: &str) -> Option<&State> {
        self.states.iter().find(|state| state.name == name)
    }

    /// The feature is on; one that nobody catalogued is.
    #[must_use]
    pub fn enabled(&self, name: &str) -> bool {
        self.state(name).is_none_or(|state| state.enabled)
    }

    /// The state that keeps a task of this feature and priority waiting.
    #[must_use]
    pub fn binds(&self, name: &str, priority: Priority, in_flight: u32) -> Option<&State> {
        self.state(name)
            .filter(|state| state.binds(priority, in_flight))
    }

    /// The latest measurement of each feature that was ever switched off.
    pub fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.effects.latest()
    }
}
