//! Dates as mails write them: RFC 5322, its obsolete forms, and what real programs send.
//!
//! A date is whatever has a day, a month and a year; a missing time is midnight. RFC 5322 4.3 reads short years: 00-49
//! are of this century, the rest of the last. Deliberately absent: guessing between day and month.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// A date as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Written {
    pub(in super::super) at: Timestamp,
    /// Seconds east of UTC; `None` without a zone, and for `-0000`.
    pub(in super::super) offset: Option<i32>,
    /// The text has no zone at all.
    pub(in super::super) zoneless: bool,
    /// The year had fewer than four digits.
    pub(in super::super) short_year: bool,
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
/// Longer texts are no dates.
const MAX_BYTES: usize = 256;

/// What a zone tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    /// `-0000`, a military letter, nonsense: the time is UTC, the sender's clock is unknown.
    Unknown,
    /// Seconds east of UTC.
    East(i32),
}

impl Zone {
    fn east(self) -> Option<i32> {
        match self {
            Self::Unknown => None,
            Self::East(seconds) => Some(seconds),
        }
    }
}

#[derive(Default)]
struct Found {
    day: Option<i8>,
    month: Option<i8>,
    year: Option<i16>,
    short_year: bool,
    time: Option<(i8, i8, i8)>,
    zone: Option<Zone>,
}

/// Reads the text of a Date field.
pub(in super::super) fn read(text: &str) -> Option<Written> {
    let text = text.trim();
    if text.len() > MAX_BYTES {
        return None;
    }
    if let Some(written) = iso(text) {
        return Some(written);
    }
    let bare = without_comments(text);
    let mut found = Found::default();
    for word in bare
        .split([' ', '\t', '\r', '\n', ','])
        .filter(|w| !w.is_empty())
    {
        found.word(word);
    }
    found.finish()
}

/// The date of a Received field: what follows its last semicolon.
pub(in super::super) fn received(text: &str) -> Option<Timestamp> {
    let (_, date) = text.rsplit_once(';')?;
    read(date).map(|w| w.at)
}

impl Found {
    fn word(&mut self, word: &str) {
        if word.contains(':') && word.starts_with(|c: char| c.is_ascii_digit()) {
            self.time = self.time.or_else(|| clock(word));
        } else if word.starts_with(|c: char| c.is_ascii_digit()) && word.contains(['-', '/', '.']) {
            // 23-Nov-2026
            for part in word.split(['-', '/', '.']).filter(|p| !p.is_empty()) {
                self.plain(part);
            }
        } else if word.starts_with(['+', '-']) {
            self.zone = self.zone.or_else(|| offset(word));
        } else {
            self.plain(word);
        }
    }

    fn plain(&mut self, word: &str) {
        if word.bytes().all(|b| b.is_ascii_digit()) {
            self.number(word);
        } else if let Some(month) = month(word) {
            self.month = self.month.or(Some(month));
        } else if word.eq_ignore_ascii_case("pm") || word.eq_ignore_ascii_case("am") {
            let evening = word.eq_ignore_ascii_case("pm");
            self.time = self.time.map(|(h, m, s)| match (h, evening) {
                (12, false) => (0, m, s),
                (1..12, true) => (h + 12, m, s),
                _ => (h, m, s),
            });
        } else if self.zone.is_none() && (self.time.is_some() || self.year.is_some()) {
            self.zone = named_zone(word);
        }
    }

    fn number(&mut self, word: &str) {
        let Ok(number) = word.parse::<i16>() else {
            return;
        };
        let day = i8::try_from(number).ok().filter(|d| (1..=31).contains(d));
        if self.day.is_none() && word.len() <= 2 && day.is_some() {
            self.day = day;
        } else if self.year.is_none() {
            self.short_year = word.len() < 4;
            self.year = Some(match (word.len(), number) {
                (1 | 2, 0..50) => number + 2_000,
                (1..4, _) => number + 1_900,
                _ => number,
            });
        }
    }

    fn finish(self) -> Option<Written> {
        let date = Date::new(self.year?, self.month?, self.day?).ok()?;
        let (hour, minute, second) = self.time.unwrap_or_default();
        let civil = date.to_datetime(jiff::civil::Time::new(hour, minute, second, 0).ok()?);
        let offset = self.zone.and_then(Zone::east);
        Some(Written {
            at: instant(civil, offset.unwrap_or(0))?,
            offset,
            zoneless: self.zone.is_none(),
            short_year: self.short_year,
        })
    }
}

fn instant(civil: DateTime, offset: i32) -> Option<Timestamp> {
    let as_utc = civil.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Timestamp::from_second(as_utc.as_second() - i64::from(offset)).ok()
}

/// `2026-11-23T09:25:00Z`, as some programs and Graph write; to the second.
fn iso(text: &str) -> Option<Written> {
    let shape = text.as_bytes();
    if shape.len() < 19 || shape[4] != b'-' || !matches!(shape[10], b'T' | b' ') {
        return None;
    }
    let zone =
        text[19.min(text.len())..].trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let civil: DateTime = text.get(..19)?.parse().ok()?;
    let (offset, zoneless) = match zone.trim() {
        "" => (None, true),
        "Z" | "z" => (Some(0), false),
        other => (offset(other)?.east(), false),
    };
    Some(Written {
        at: instant(civil, offset.unwrap_or(0))?,
        offset,
        zoneless,
        short_year: false,
    })
}

fn clock(word: &str) -> Option<(i8, i8, i8)> {
    let mut parts = word.split(':');
    let mut part = |missing: Option<i8>| match parts.next() {
        Some(text) => {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            text[..digits].parse::<i8>().ok()
        }
        None => missing,
    };
    let (hour, minute, second) = (part(None)?, part(None)?, part(Some(0))?);
    // A leap second counts as the one before.
    (hour < 24 && minute < 60 && second <= 60).then_some((hour, minute, second.min(59)))
}

fn month(word: &str) -> Option<i8> {
    let head = word.get(..3)?;
    let number = MONTHS.iter().position(|m| head.eq_ignore_ascii_case(m))?;
    i8::try_from(number + 1).ok()
}

/// `+0130` or `+01:30`; `-0000` is a zone that tells nothing (RFC 5322 3.3).
fn offset(word: &str) -> Option<Zone> {
    let digits: String = word[1..].chars().filter(char::is_ascii_digit).collect();
    if !word[1..].chars().all(|c| c.is_ascii_digit() || c == ':') {
        return None;
    }
    let (hours, minutes) = match digits.len() {
        4 => (
            digits[..2].parse::<i32>().ok()?,
            digits[2..].parse::<i32>().ok()?,
        ),
        1 | 2 => (digits.parse::<i32>().ok()?, 0),
        _ => return None,
    };
    let seconds = hours * 3_600 + minutes * 60;
    if hours > 23 || minutes > 59 {
        return Some(Zone::Unknown);
    }
    Some(match (word.starts_with('-'), seconds) {
        (true, 0) => Zone::Unknown,
        (true, west) => Zone::East(-west),
        (false, east) => Zone::East(east),
    })
}

/// The zones that RFC 5322 names, and `GMT+0200`. Military letters tell nothing, as it says.
fn named_zone(word: &str) -> Option<Zone> {
    let upper = word.to_ascii_uppercase();
    let hours = match upper.as_str() {
        "UT" | "GMT" | "UTC" | "Z" => 0,
        "EST" | "CDT" => -5,
        "EDT" => -4,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        _ => {
            let rest = upper
                .strip_prefix("GMT")
                .or_else(|| upper.strip_prefix("UTC"));
            return match rest {
                Some(rest) if rest.starts_with(['+', '-']) => offset(rest),
                _ if upper.len() == 1 && upper.bytes().all(|b| b.is_ascii_alphabetic()) => {
                    Some(Zone::Unknown)
                }
                _ => None,
            };
        }
    };
    Some(Zone::East(hours * 3_600))
}

fn without_comments(text: &str) -> String {
    let mut depth = 0_u32;
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, at: &str, offset: Option<i32>) {
        let written = read(text).unwrap_or_else(|| panic!("{text} is not read"));
        assert_eq!(written.at.to_string(), at, "{text}");
        assert_eq!(written.offset, offset, "{text}");
    }

    #[test]
    fn dates_of_the_rfc_and_of_real_programs() {
        check(
            "Fri, 21 Nov 1997 09:55:06 -0600",
            "1997-11-21T15:55:06Z",
            Some(-21_600),
        );
        check("21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06Z", Some(0));
        check(
            "Mon, 23 Nov 2026 09:25 +01:30",
            "2026-11-23T07:55:00Z",
            Some(5_400),
        );
        check("Mon Nov 23 09:25:00 2026", "2026-11-23T09:25:00Z", None);
        check(
            "Mon Nov 23 09:25:00 PST 2026",
            "2026-11-23T17:25:00Z",
            Some(-28_800),
        );
        check("23-Nov-2026 09:25:00 -0000", "2026-11-23T09:25:00Z", None);
        check(
            "Thu, 13 Feb 1969 23:32 (a (nested) comment) -0330",
            "1969-02-14T03:02:00Z",
            Some(-12_600),
        );
        check("2026-11-23T09:25:00.123Z", "2026-11-23T09:25:00Z", Some(0));
        check(
            "2026-11-23T09:25:00+02:00",
            "2026-11-23T07:25:00Z",
            Some(7_200),
        );
        check(
            "Mon, 23 Nov 2026 09:25:60 GMT+0200",
            "2026-11-23T07:25:59Z",
            Some(7_200),
        );
        check(
            "1 Jan 05 1:02 PM EST",
            "2005-01-01T18:02:00Z",
            Some(-18_000),
        );
        check("Sun, 7 Nov 100 09:00:00 Z", "2000-11-07T09:00:00Z", Some(0));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for bad in [
            "",
            "soon",
            "Mon, 31 Feb 2026 09:00:00 +0000",
            "12:00",
            "99 Nov",
            "\u{e9}\u{e9}\u{e9}\u{e9}-\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}T00000000",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert!(read("Mon Nov 23 09:25:00 2026").unwrap().zoneless);
        assert!(!read("Mon Nov 23 09:25:00 -0000 2026").unwrap().zoneless);
        assert!(read("21 Nov 97 09:55:06 GMT").unwrap().short_year);
    }
}
