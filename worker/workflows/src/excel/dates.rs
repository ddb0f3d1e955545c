//! Dates: serial numbers of spreadsheets, and texts.
//!
//! Invariant: a text date is read only where it can be read in one way; `03/04/2027` needs a [`DayOrder`], which only
//! a whole column can give. Two-digit years are no dates. Zones are checked for their shape and dropped.

use jiff::civil::Date;

use super::cell::{Cell, DAY_MS, Moment};

/// How a column writes day and month where both are numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DayOrder {
    /// 31/12/2027
    DayFirst,
    /// 12/31/2027
    MonthFirst,
}

/// The day before day 1 of the 1900 system, had 1900 been a leap year as that system believes.
const EPOCH_1900: Date = Date::constant(1899, 12, 30);
/// Day 0 of the 1904 system.
const EPOCH_1904: Date = Date::constant(1904, 1, 1);
/// 9999-12-31 in the 1900 system: the last day that spreadsheets know.
const LAST_SERIAL: f64 = 2_958_466.0;

/// The cell of a number that is shown as a date or time. Serials below 1 are times of day; serial 60 of the 1900
/// system, negative and too large ones are [`Cell::NoDate`].
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded by the checks before it"
)]
pub(crate) fn of_serial(serial: f64, is_1904: bool) -> Cell {
    if !(0.0..LAST_SERIAL).contains(&serial) {
        return Cell::NoDate(serial);
    }
    // Milliseconds, rounded: a serial holds about 15 digits, so halves of a second survive and nothing finer.
    let total = (serial * f64::from(DAY_MS)).round() as u64;
    let (mut day, millis) = (
        total / u64::from(DAY_MS),
        (total % u64::from(DAY_MS)) as u32,
    );
    if day == 0 && !is_1904 {
        return Cell::Time(i64::from(millis));
    }
    let epoch = if is_1904 { EPOCH_1904 } else { EPOCH_1900 };
    if !is_1904 && day == 60 {
        return Cell::NoDate(serial);
    }
    // Before the leap day that never was, the count is one short.
    if !is_1904 && day < 60 {
        day += 1;
    }
    let span = jiff::Span::new().days(i64::try_from(day).unwrap_or(i64::MAX));
    epoch
        .checked_add(span)
        .map_or(Cell::NoDate(serial), |date| {
            Cell::Moment(Moment {
                date,
                millis: (millis > 0).then_some(millis),
            })
        })
}

/// The cell of a number that is shown as a duration, in days.
pub(crate) fn of_duration(days: f64) -> Cell {
    // A century in days: longer ones are no durations but mistakes, and cannot be told in milliseconds for ever.
    if days.abs() > 36_525.0 {
        return Cell::NoDate(days);
    }
    #[expect(clippy::cast_possible_truncation, reason = "bounded by the line above")]
    let millis = (days * f64::from(DAY_MS)).round() as i64;
    Cell::Time(millis)
}

/// The date that a text spells: ISO 8601 (also with time), `31 December 2027`, `Dec 31, 2027`, `31.12.2027`; with
/// slashes or dashes, when only one order gives a date or `order` settles it.
pub(crate) fn of_text(text: &str, order: Option<DayOrder>) -> Option<Moment> {
    let text = text.trim();
    if text.len() < 8 || text.len() > 40 || !text.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    iso(text).or_else(|| worded(text)).or_else(|| {
        let (a, b, year) = numeric(text)?;
        let day_first = date(year, b, a);
        let month_first = date(year, a, b);
        match (day_first, month_first) {
            (Some(one), Some(other)) if one == other => Some(Moment::day(one)),
            (Some(day), Some(month)) => order.map(|order| {
                Moment::day(match order {
                    DayOrder::DayFirst => day,
                    DayOrder::MonthFirst => month,
                })
            }),
            (Some(one), None) => (order != Some(DayOrder::MonthFirst)).then(|| Moment::day(one)),
            (None, Some(one)) => (order != Some(DayOrder::DayFirst)).then(|| Moment::day(one)),
            (None, None) => None,
        }
    })
}

/// The orders in which `03/04/2027` is a date: (day first, month first). `None` for texts of another shape.
pub(crate) fn orders(text: &str) -> Option<(bool, bool)> {
    let (a, b, year) = numeric(text.trim())?;
    let fits = (date(year, b, a).is_some(), date(year, a, b).is_some());
    (fits.0 || fits.1).then_some(fits)
}

fn date(year: u32, month: u32, day: u32) -> Option<Date> {
    Date::new(
        i16::try_from(year).ok().filter(|&y| y >= 1000)?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
    )
    .ok()
}

/// `d/m/yyyy` or `m/d/yyyy` with `/` or `-`, as (first, second, year); with dots the day always comes first.
fn numeric(text: &str) -> Option<(u32, u32, u32)> {
    let separator = text.chars().find(|c| !c.is_ascii_digit())?;
    if !matches!(separator, '/' | '-') {
        return None;
    }
    let mut parts = text.split(separator);
    let (a, b, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 || a.len() > 2 || b.len() > 2 {
        return None;
    }
    Some((digits(a)?, digits(b)?, digits(year)?))
}

fn digits(text: &str) -> Option<u32> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// `yyyy-mm-dd`, `yyyy/mm/dd`, each perhaps with `T` or a blank and a time, perhaps with a zone.
fn iso(text: &str) -> Option<Moment> {
    let day = text.get(..10)?;
    let separator = day.as_bytes()[4];
    if !matches!(separator, b'-' | b'/') || day.as_bytes()[7] != separator {
        return None;
    }
    let day = date(
        digits(day.get(..4)?)?,
        digits(day.get(5..7)?)?,
        digits(day.get(8..10)?)?,
    )?;
    let rest = text.get(10..)?;
    if rest.is_empty() {
        return Some(Moment::day(day));
    }
    let millis = time(rest.strip_prefix(['T', 't', ' '])?)?;
    Some(Moment {
        date: day,
        millis: Some(millis),
    })
}

/// `hh:mm`, `hh:mm:ss`, `hh:mm:ss.fff`, perhaps with `Z` or `+hh:mm`, as milliseconds of the day.
pub(crate) fn time(text: &str) -> Option<u32> {
    let clock = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let zone = clock.rfind(['+', '-']).unwrap_or(clock.len());
    let (clock, zone) = clock.split_at(zone);
    let zone_fits = zone.is_empty()
        || zone.len() == 6 && zone.as_bytes()[3] == b':' && digits(&zone[1..3]).is_some();
    let parsed = jiff::civil::Time::strptime(
        if clock.len() == 5 {
            "%H:%M"
        } else {
            "%H:%M:%S%.f"
        },
        clock.trim_end(),
    );
    let time = parsed.ok().filter(|_| zone_fits && clock.len() >= 5)?;
    let seconds = u32::try_from(i32::from(time.hour()) * 3_600 + i32::from(time.minute()) * 60)
        .ok()?
        + u32::try_from(time.second()).ok()?;
    Some(seconds * 1_000 + u32::try_from(time.millisecond()).ok()?)
}

/// `31 December 2027`, `31-Dec-2027`, `31st Dec 2027`, `December 31, 2027`, `31.12.2027`.
fn worded(text: &str) -> Option<Moment> {
    let parts: Vec<&str> = text
        .split([' ', '-', ',', '/', '.'])
        .filter(|part| !part.is_empty())
        .collect();
    let [a, b, year] = parts[..] else { return None };
    let year = digits(year).filter(|_| year.len() == 4)?;
    let found = if let Some(month) = month(b) {
        date(year, month, ordinal(a)?)
    } else if let Some(month) = month(a) {
        date(year, month, ordinal(b)?)
    } else if text.split('.').count() == 3 && a.len() <= 2 && b.len() <= 2 {
        date(year, digits(b)?, digits(a)?)
    } else {
        None
    };
    found.map(Moment::day)
}

fn ordinal(text: &str) -> Option<u32> {
    let bare = ["st", "nd", "rd", "th"]
        .iter()
        .find_map(|suffix| text.strip_suffix(suffix))
        .unwrap_or(text);
    digits(bare).filter(|_| bare.len() <= 2)
}

/// The number of an English month by its name or its first three letters.
fn month(text: &str) -> Option<u32> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let text = text.to_ascii_lowercase();
    let at = NAMES.iter().position(|name| {
        *name == text || name[..3] == text || (*name == "september" && text == "sept")
    })?;
    u32::try_from(at + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        of_text(text, None).map(|m| m.to_string())
    }

    #[test]
    fn serials_follow_both_epochs_and_the_leap_day_that_never_was() {
        let shown = |serial, epoch| match of_serial(serial, epoch) {
            Cell::Moment(m) => m.to_string(),
            other => format!("{other:?}"),
        };
        // openpyxl.utils.datetime.from_excel, except 60, which it calls 1900-02-28.
        assert_eq!(shown(1.0, false), "1900-01-01");
        assert_eq!(shown(59.0, false), "1900-02-28");
        assert_eq!(shown(60.0, false), "NoDate(60.0)");
        assert_eq!(shown(61.0, false), "1900-03-01");
        assert_eq!(shown(43_831.5, false), "2020-01-01T12:00:00");
        assert_eq!(shown(0.0, true), "1904-01-01");
        assert_eq!(shown(42_369.0, true), "2020-01-01");
        assert_eq!(shown(0.25, false), "Time(21600000)");
        assert_eq!(shown(-1.0, false), "NoDate(-1.0)");
        assert_eq!(shown(3e6, false), "NoDate(3000000.0)");
        assert_eq!(shown(2_958_465.0, false), "9999-12-31");
        assert_eq!(shown(2_958_465.0, true), "NoDate(2958465.0)");
    }

    #[test]
    fn texts_are_dates_only_where_they_read_in_one_way() {
        for (text, wanted) in [
            ("2027-03-31", "2027-03-31"),
            ("2027/03/31", "2027-03-31"),
            (" 2027-03-31T17:05:00Z ", "2027-03-31T17:05:00"),
            ("2027-03-31 17:05", "2027-03-31T17:05:00"),
            ("2027-03-31T17:05:00.250+01:00", "2027-03-31T17:05:00.250"),
            ("31/12/2027", "2027-12-31"),
            ("12/31/2027", "2027-12-31"),
            ("05/05/2027", "2027-05-05"),
            ("31 December 2027", "2027-12-31"),
            ("1st Feb 2027", "2027-02-01"),
            ("Dec 31, 2027", "2027-12-31"),
            ("01-Feb-2027", "2027-02-01"),
            ("03.04.2027", "2027-04-03"),
        ] {
            assert_eq!(read(text).as_deref(), Some(wanted), "{text}");
        }
        for text in [
            "03/04/2027",
            "31/12/27",
            "2027-02-30",
            "2027-13-01",
            "20270331",
            "1.2.3",
            "10.05.2027.1",
            "99/99/2027",
            "2027-03-31T25:00",
            "some text 2027",
            "12345678",
            "é2027-03-31",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let settled = of_text("03/04/2027", Some(DayOrder::DayFirst)).unwrap();
        assert_eq!(settled.to_string(), "2027-04-03");
        assert_eq!(of_text("12/31/2027", Some(DayOrder::DayFirst)), None);
    }
}
