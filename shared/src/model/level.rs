//! How hard pressed a worker is, and which profile judges that.
//!
//! Invariant: five levels and four profiles, everywhere.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How hard pressed a worker is. Orders from calm to worst.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing is short.
    #[default]
    Normal,
    /// Moderate load, or a high level is predicted.
    Elevated,
    /// A resource is above its high threshold.
    High,
    /// A resource is above its critical threshold.
    Critical,
    /// Memory or disk is at its end. Never because of the processor alone.
    Emergency,
}

impl Level {
    /// All levels, from calm to worst.
    pub const ALL: [Self; 5] = [
        Self::Normal,
        Self::Elevated,
        Self::High,
        Self::Critical,
        Self::Emergency,
    ];

    /// The level's name in the API and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Elevated => "elevated",
            Self::High => "high",
            Self::Critical => "critical",
            Self::Emergency => "emergency",
        }
    }

    /// 0 for normal to 4 for emergency.
    #[must_use]
    pub const fn rank(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which thresholds and shares a worker goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProfileName {
    /// For a developer's machine: late thresholds, forecasts only warn.
    Development,
    /// For ordinary service.
    #[default]
    Balanced,
    /// For steady throughput: early thresholds, nothing experimental.
    Performance,
    /// Essential work only.
    Emergency,
}

impl ProfileName {
    /// All profiles.
    pub const ALL: [Self; 4] = [
        Self::Development,
        Self::Balanced,
        Self::Performance,
        Self::Emergency,
    ];

    /// The profile's name in the API and in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Balanced => "balanced",
            Self::Performance => "performance",
            Self::Emergency => "emergency",
        }
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text is not the name of a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a profile: use development, balanced, performance or emergency")]
pub struct BadProfile(String);

impl FromStr for ProfileName {
    type Err = BadProfile;

    fn from_str(text: &str) -> Result<Self, BadProfile> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.as_str() == text)
            .ok_or_else(|| BadProfile(text.chars().take(32).collect()))
    }
}
