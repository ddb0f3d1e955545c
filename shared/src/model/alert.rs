//! How urgent an alert is, and whether it still holds.
//!
//! Invariant: four levels and two states, everywhere.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How urgent an alert is. Orders from least to most urgent.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum AlertLevel {
    /// Worth knowing.
    #[default]
    Low,
    /// Look at it today.
    Medium,
    /// Look at it now.
    High,
    /// Work is being lost or has stopped.
    Critical,
}

impl AlertLevel {
    /// All levels, from least to most urgent.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The level's name in the API and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for AlertLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether an alert still holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// It does.
    #[default]
    Firing,
    /// What it tells of is over.
    Resolved,
}

impl AlertState {
    /// The state's name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

impl fmt::Display for AlertState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
