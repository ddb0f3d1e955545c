//! Which rule decides about a feature.
//!
//! Invariant: [`resolve`] is total and has no memory: the first rule that
//! applies wins, in the order of [`Rule`]'s variants.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::model::{Category, Level, ProfileName};

use super::order::Standing;

/// The rule that decided, the strongest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Rule {
    /// Essential features are always on.
    Essential,
    /// An operator ordered it.
    Manual {
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// Only essential work: the emergency profile or an emergency level.
    Emergency {
        /// An operator chose the emergency profile; otherwise the level did it.
        by_profile: bool,
    },
    /// The profile gives the category no share.
    Profile {
        /// Which.
        profile: ProfileName,
    },
    /// A level switched the category off.
    Level {
        /// Which.
        level: Level,
        /// Only the processor is short.
        cpu_alone: bool,
    },
    /// The limits of the worker are unknown.
    Blind,
    /// A forecast switched the category off.
    Predicted {
        /// The level that is coming.
        level: Level,
    },
    /// The cause is over; the category waits for its turn to come back.
    Recovering {
        /// Only the processor had been short.
        cpu_alone: bool,
    },
    /// Nothing stands against it.
    Free,
}

impl Rule {
    /// The rule's name in the API.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Essential => "essential",
            Self::Manual { .. } => "manual",
            Self::Emergency { .. } => "emergency",
            Self::Profile { .. } => "profile",
            Self::Level { .. } => "level",
            Self::Blind => "blind",
            Self::Predicted { .. } => "predicted",
            Self::Recovering { .. } => "recovering",
            Self::Free => "free",
        }
    }

    /// The worker decided by itself: tasks of critical and high priority are
    /// not bound.
    #[must_use]
    pub const fn is_automatic(&self) -> bool {
        matches!(
            self,
            Self::Level { .. } | Self::Blind | Self::Predicted { .. } | Self::Recovering { .. }
        )
    }

    /// Nothing but the processor stands against it.
    #[must_use]
    pub const fn is_cpu_alone(&self) -> bool {
        matches!(
            self,
            Self::Level {
                cpu_alone: true,
                ..
            } | Self::Recovering { cpu_alone: true }
        )
    }

    /// The same rule, whatever its figures.
    #[must_use]
    pub fn same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// An automatic rule that holds a category off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Automatic {
    /// [`Rule::Level`], [`Rule::Blind`], [`Rule::Predicted`] or
    /// [`Rule::Recovering`].
    pub rule: Rule,
    /// Until when at least.
    pub until: Option<Duration>,
}

/// Everything that one feature's rules look at.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// An operator's override that is in force.
    pub order: Option<&'a Standing>,
    /// The overall level is emergency.
    pub emergency_level: bool,
    /// The profile in force.
    pub profile: ProfileName,
    /// It gives the category no share.
    pub off_by_profile: bool,
    /// What the automatic rules say.
    pub automatic: Option<&'a Automatic>,
}

/// What was decided about a feature.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Ruling {
    /// It is on.
    pub enabled: bool,
    /// By this rule.
    pub rule: Rule,
    /// Until when, as far as that is known.
    pub until: Option<Duration>,
}

/// The first rule that applies.
pub fn resolve(category: Category, inputs: &Inputs<'_>) -> Ruling {
    let ruling = |enabled, rule| Ruling {
        enabled,
        rule,
        until: None,
    };
    let by_profile = inputs.profile == ProfileName::Emergency;
    if category == Category::Essential {
        ruling(true, Rule::Essential)
    } else if let Some(order) = inputs.order {
        Ruling {
            enabled: order.enabled,
            rule: Rule::Manual {
                by: order.by.clone(),
                why: order.reason.clone(),
            },
            until: Some(order.until),
        }
    } else if by_profile || inputs.emergency_level {
        ruling(false, Rule::Emergency { by_profile })
    } else if inputs.off_by_profile {
        let profile = inputs.profile;
        ruling(false, Rule::Profile { profile })
    } else if let Some(automatic) = inputs.automatic {
        Ruling {
            enabled: false,
            rule: automatic.rule.clone(),
            until: automatic.until,
        }
    } else {
        ruling(true, Rule::Free)
    }
}
