//! A point in time as the store sees it.
//!
//! Invariant: whole microseconds since 1970 UTC, below 2^53, so that a double
//! (a Redis score, a Lua number) holds it exactly.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Microseconds since 1970-01-01T00:00:00Z. As text it is RFC 3339 UTC with
/// exactly six decimals, which sorts as time sorts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Stamp(i64);

impl Stamp {
    /// The latest time that is representable: the year 2255.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// The time this many microseconds after 1970.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The time this many milliseconds after 1970.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970, rounded down.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This time plus a duration, at most [`Stamp::MAX`].
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros)).min(Self::MAX)
    }

    /// How long after `earlier` this is; zero if it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => write!(f, "{time:.6}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let time: jiff::Timestamp = text.parse().map_err(|_| {
            D::Error::custom("expected an RFC 3339 time such as 2026-11-23T03:01:02Z")
        })?;
        Ok(Self(time.as_microsecond()).clamp(Self(0), Self::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_exactly_six_decimals_and_comes_back() {
        let stamp = Stamp::from_micros(1_763_866_862_120_000);
        assert_eq!(stamp.to_string(), "2025-11-23T03:01:02.120000Z");
        let json = serde_json::to_string(&stamp).unwrap();
        assert_eq!(serde_json::from_str::<Stamp>(&json).unwrap(), stamp);
        assert_eq!(
            serde_json::from_str::<Stamp>("\"2025-11-23T04:01:02.12+01:00\"").unwrap(),
            stamp
        );
    }

    #[test]
    fn arithmetic_stays_in_range() {
        assert_eq!(
            Stamp::from_millis(5).since(Stamp::from_millis(9)),
            Duration::ZERO
        );
        assert_eq!(Stamp::MAX.after(Duration::from_secs(1)), Stamp::MAX);
    }
}
