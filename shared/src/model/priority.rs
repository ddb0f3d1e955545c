//! Priorities, and the route of a task: its type and priority.
//!
//! Invariant: four levels, strict, in this order, everywhere.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::TypeName;

/// How urgent a task is. Higher ones start first; none starves, because a
/// proven share of fetches begins at the bottom.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Priority {
    /// Bypasses soft resource limits within its reserve.
    Critical = 0,
    /// Before ordinary work.
    High = 1,
    /// Ordinary work.
    #[default]
    Medium = 2,
    /// When there is room.
    Low = 3,
}

impl Priority {
    /// All levels, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Medium, Self::Low];

    /// The level's name in the API, in queue names and in labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }

    /// 0 for critical to 3 for low.
    #[must_use]
    pub const fn rank(self) -> u8 {
        self as u8
    }

    /// The level with this rank.
    #[must_use]
    pub const fn from_rank(rank: u8) -> Option<Self> {
        match rank {
            0 => Some(Self::Critical),
            1 => Some(Self::High),
            2 => Some(Self::Medium),
            3 => Some(Self::Low),
            _ => None,
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text is not the name of a priority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a priority: use critical, high, medium or low")]
pub struct BadPriority(String);

impl FromStr for Priority {
    type Err = BadPriority;

    fn from_str(text: &str) -> Result<Self, BadPriority> {
        Self::ALL
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or_else(|| BadPriority(text.chars().take(32).collect()))
    }
}

/// Where a slip travels: one durable queue exists per route.
///
/// Orders by priority first, so that a sorted list of routes is in the order
/// in which a worker asks them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// The priority, compared first.
    pub priority: Priority,
    /// The workflow type.
    pub workflow_type: TypeName,
}

impl Route {
    /// The route of a type at a priority.
    #[must_use]
    pub fn new(workflow_type: TypeName, priority: Priority) -> Self {
        Self {
            priority,
            workflow_type,
        }
    }

    /// The four routes of a type, the most urgent first.
    pub fn all_of(workflow_type: &TypeName) -> impl Iterator<Item = Self> + '_ {
        Priority::ALL
            .into_iter()
            .map(|priority| Self::new(workflow_type.clone(), priority))
    }
}

impl fmt::Display for Route {
    /// `<type>.<priority>`, the tail of the queue's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.workflow_type, self.priority)
    }
}
