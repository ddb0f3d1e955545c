//! What may be switched off, and in which order.
//!
//! Invariant: essential work is never switched off.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::TypeName;

/// Names under this prefix are those of the diagnostic types.
const DIAGNOSTIC: &str = "diagnostic.";

/// When a feature gives way to more important ones. Orders by importance, the
/// most important first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// Never.
    Essential,
    /// At a critical level only.
    #[default]
    Standard,
    /// At a high level.
    Advanced,
    /// At an elevated level already.
    Experimental,
}

impl Category {
    /// All categories, the most important first.
    pub const ALL: [Self; 4] = [
        Self::Essential,
        Self::Standard,
        Self::Advanced,
        Self::Experimental,
    ];

    /// The category's name in the API and in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Essential => "essential",
            Self::Standard => "standard",
            Self::Advanced => "advanced",
            Self::Experimental => "experimental",
        }
    }

    /// The category of a workflow type that says this of itself. Diagnostic
    /// types are essential whatever they say; one that says nothing sensible is
    /// standard.
    #[must_use]
    pub fn of_type(name: &TypeName, said: &str) -> Self {
        if name.as_str().starts_with(DIAGNOSTIC) {
            return Self::Essential;
        }
        said.parse().unwrap_or_default()
    }

    /// 0 for essential to 3 for experimental.
    #[must_use]
    pub const fn rank(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text is not the name of a category.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a category: use essential, standard, advanced or experimental")]
pub struct BadCategory(String);

impl FromStr for Category {
    type Err = BadCategory;

    fn from_str(text: &str) -> Result<Self, BadCategory> {
        Self::ALL
            .into_iter()
            .find(|category| category.as_str() == text)
            .ok_or_else(|| BadCategory(text.chars().take(32).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_that_says_nothing_sensible_is_standard() {
        let of = |name: &str, said| Category::of_type(&name.parse().unwrap(), said);
        assert_eq!(of("a", "experimental"), Category::Experimental);
        assert_eq!(of("a", ""), Category::Standard);
        assert_eq!(of("a", "Advanced"), Category::Standard);
        assert_eq!(of("diagnostic.echo", "experimental"), Category::Essential);
    }
}
