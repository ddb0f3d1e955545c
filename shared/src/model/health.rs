//! How well something goes, in one word.
//!
//! Invariant: four bands and the honest fifth, "unknown", everywhere.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The band of a health score. Orders from well to ill; what is not known
/// comes first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// Nobody measured it, or the measurements are too old.
    #[default]
    Unknown,
    /// 80 and more.
    Healthy,
    /// 60 to 79.
    Degraded,
    /// 40 to 59.
    Stressed,
    /// Below 40.
    Critical,
}

impl HealthState {
    /// The state's name in the API and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Stressed => "stressed",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
