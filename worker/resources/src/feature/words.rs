//! The sentences and numbers of a feature's state.
//!
//! Invariant: a sentence says nothing that the rule and the evidence do not.

use std::time::Duration;

use shared::model::{Category, Level, ProfileName};

use super::{Evidence, Feature, Rule, Situation, State, shed};
use crate::profile::{Profile, Share};

/// A feature that nothing was decided about yet.
pub(super) fn fresh(feature: &Feature) -> State {
    let profile = Profile::preset(ProfileName::Balanced);
    let calm = Situation {
        at: Duration::ZERO,
        level: Level::Normal,
        level_without_cpu: Level::Normal,
        predicted: None,
        profile: &profile,
        known: true,
        in_flight: 0,
        in_flight_by_feature: &[],
        memory: 0.0,
        used: 0,
        cpu: None,
    };
    let mut state = State {
        name: feature.name.clone(),
        category: feature.category,
        enabled: true,
        rule: if feature.category == Category::Essential {
            Rule::Essential
        } else {
            Rule::Free
        },
        since: Duration::ZERO,
        until: None,
        reason: String::new(),
        would_change: String::new(),
        evidence: evidence(feature.category, &calm),
    };
    explain(&mut state, &calm);
    state
}

pub(super) fn evidence(category: Category, now: &Situation<'_>) -> Evidence {
    Evidence {
        level: now.level,
        level_without_cpu: now.level_without_cpu,
        predicted: now.predicted,
        in_flight: now.in_flight,
        memory: now.memory,
        memory_high: now.profile.thresholds.memory_high,
        cpu: now.cpu,
        cpu_high: now.profile.thresholds.cpu_high,
        share: match now.profile.share(category) {
            Share::Off => 0.0,
            Share::Slots(share) => share,
        },
    }
}

/// Writes both sentences.
pub(super) fn explain(state: &mut State, now: &Situation<'_>) {
    state.reason = reason(state, now);
    state.would_change = would_change(state, now);
}

fn reason(state: &State, now: &Situation<'_>) -> String {
    let category = state.category;
    match &state.rule {
        Rule::Essential => "on: essential features are never switched off".to_owned(),
        Rule::Manual { by, why } => {
            let side = if state.enabled { "on" } else { "off" };
            format!("{side}: ordered by {by}: {why}")
        }
        Rule::Emergency { by_profile: true } => {
            "off: the emergency profile runs essential work only".to_owned()
        }
        Rule::Emergency { by_profile: false } => format!(
            "off: the worker is at level emergency, which leaves essential work only ({})",
            use_of(now)
        ),
        Rule::Profile { profile } => {
            format!("off: the {profile} profile gives {category} features no share")
        }
        Rule::Level {
            level,
            cpu_alone: true,
        } => format!(
            "off: the processor puts the worker at level {level} ({})",
            use_of(now)
        ),
        Rule::Level { level, .. } => {
            format!("off: the worker is at level {level} ({})", use_of(now))
        }
        Rule::Blind => "off: the limits of this worker cannot be read".to_owned(),
        Rule::Predicted { level } => format!(
            "off: level {level} is predicted within the horizon ({})",
            use_of(now)
        ),
        Rule::Recovering { .. } => {
            "off: the cause is over; categories come back one at a time".to_owned()
        }
        Rule::Free => match state.evidence.share {
            share if share < 1.0 => format!(
                "on: nothing stands against it; the {} profile gives {category} features {:.0} % of the slots",
                now.profile.name,
                share * 100.0
            ),
            _ => "on: nothing stands against it".to_owned(),
        },
    }
}

fn would_change(state: &State, now: &Situation<'_>) -> String {
    let turn = shed::TURN.as_secs();
    let left = state
        .until
        .map(|until| until.saturating_sub(now.at).as_secs());
    match &state.rule {
        Rule::Essential => "nothing".to_owned(),
        Rule::Manual { .. } => format!(
            "the order ends in {} s, or an operator sets the feature to auto",
            left.unwrap_or(0)
        ),
        Rule::Emergency { by_profile: true } | Rule::Profile { .. } => {
            "another profile, or an operator's order".to_owned()
        }
        Rule::Emergency { by_profile: false } => {
            format!("the worker leaves level emergency; then one category comes back per {turn} s")
        }
        Rule::Level { .. } => format!(
            "the level falls below {}; then one category comes back per {turn} s",
            first_level(state.category)
        ),
        Rule::Blind => "the limits can be read again".to_owned(),
        Rule::Predicted { .. } => format!(
            "the forecast no longer sees it, after {} s at the earliest",
            left.unwrap_or(0)
        ),
        Rule::Recovering { .. } => format!("its turn comes in {} s", left.unwrap_or(0)),
        Rule::Free => format!(
            "level {}, a forecast, the profile or an operator's order",
            first_level(state.category)
        ),
    }
}

/// The level at which a category gives way.
const fn first_level(category: Category) -> Level {
    match category {
        Category::Essential => Level::Emergency,
        Category::Standard => Level::Critical,
        Category::Advanced => Level::High,
        Category::Experimental => Level::Elevated,
    }
}

fn use_of(now: &Situation<'_>) -> String {
    let t = &now.profile.thresholds;
    let memory = format!(
        "memory {:.0} %, high from {:.0} %",
        now.memory * 100.0,
        t.memory_high * 100.0
    );
    match now.cpu {
        Some(cpu) => format!(
            "{memory}; processor {:.0} %, high from {:.0} %",
            cpu * 100.0,
            t.cpu_high * 100.0
        ),
        None => memory,
    }
}
