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
        parse(&text).ok_or_else(|| {
            D::Error::custom("expected an RFC 3339 time such as 2026-11-23T03:01:02Z")
        })
    }
}

/// Reads a time; one outside of what is representable is the nearest that is.
fn parse(text: &str) -> Option<Stamp> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(Stamp(time.as_microsecond()).clamp(Stamp(0), Stamp::MAX));
    }
    // "For ever" is often written as the end of the year 9999, whose last hours
    // lie beyond the crate's range. The year before has the same days.
    let rest = text.strip_prefix("9999-")?;
    let valid = format!("9998-{rest}").parse::<jiff::Timestamp>().is_ok();
    valid.then_some(Stamp::MAX)
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
    fn all_of_the_year_9999_is_a_time() {
        let read = |text: &str| serde_json::from_str::<Stamp>(&format!("\"{text}\"")).ok();
        for late in [
            "9999-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59.999999Z",
            "9999-12-31T23:59:59-12:00",
        ] {
            assert_eq!(read(late), Some(Stamp::MAX), "{late}");
        }
        for wrong in [
            "9999-02-29T00:00:00Z",
            "9999-13-01T00:00:00Z",
            "9999-",
            "9999-12-31",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
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
