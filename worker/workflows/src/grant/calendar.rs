//! Working days: which they are, counting between dates, and their ordinals.
//!
//! Ordinal 0 is the first working day on or after `as_of`; earlier ones are negative. A task of d days that starts on
//! ordinal s occupies s..s+ceil(d)-1. Dates roll backward to a working day, never forward.

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::Date;

use super::input::{Calendar as Settings, Span, Weekday};
use super::{holidays, limits};
use crate::Error;

/// Closed days of the week, Monday first.
pub(super) fn closed_weekdays(weekend: &[Weekday]) -> [bool; 7] {
    let mut closed = [false; 7];
    for &day in weekend {
        closed[day as usize] = true;
    }
    closed
}

/// Decides for any date whether it is worked.
#[derive(Debug)]
pub(super) struct Calendar {
    closed_weekdays: [bool; 7],
    holidays: BTreeSet<Date>,
    blackouts: Vec<Span>,
}

impl Calendar {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut days = settings
            .country
            .as_deref()
            .and_then(holidays::of)
            .unwrap_or_default();
        days.extend(settings.holidays.iter().map(|d| d.0));
        Self {
            closed_weekdays: closed_weekdays(&settings.weekend),
            holidays: days,
            blackouts: merged(&settings.blackouts),
        }
    }

    /// Whether the weekday itself is worked.
    pub(super) fn is_weekday(&self, date: Date) -> bool {
        let position =
            usize::try_from(date.weekday().to_monday_zero_offset()).expect("a weekday is 0 to 6");
        !self.closed_weekdays[position]
    }

    pub(super) fn is_working(&self, date: Date) -> bool {
        let after = self.blackouts.partition_point(|span| span.from.0 <= date);
        let blacked_out = after > 0 && date <= self.blackouts[after - 1].to.0;
        self.is_weekday(date) && !blacked_out && !self.holidays.contains(&date)
    }

    /// The last working day on or before `date`.
    pub(super) fn roll_back(&self, date: Date) -> Result<Date, Error> {
        self.walk(date, -1, 0)
    }

    /// The working day `count` working days before `date`, which is rolled back first.
    pub(super) fn before(&self, date: Date, count: u32) -> Result<Date, Error> {
        self.walk(date, -1, u64::from(count))
    }

    /// From the first working day on the way, `count` working days further.
    fn walk(&self, from: Date, step: i32, mut count: u64) -> Result<Date, Error> {
        let mut date = from;
        for _ in 0..limits::MAX_CALENDAR_DAYS {
            if self.is_working(date) {
                if count == 0 {
                    return Ok(date);
                }
                count -= 1;
            }
            date = date.checked_add(step.days()).map_err(|_| too_long())?;
        }
        Err(too_long())
    }

    /// Working days in `[from, to)`, or minus those in `(to, from]` when `to` comes first: numpy's `busday_count`.
    pub(super) fn count(&self, from: Date, to: Date) -> i64 {
        let (first, last) = (from.min(to), from.max(to));
        let days = first
            .series(1.day())
            .take_while(|&d| d <= last)
            .filter(|&d| d != to && self.is_working(d));
        let count = i64::try_from(days.count()).expect("the window is capped");
        if to < from { -count } else { count }
    }
}

fn too_long() -> Error {
    let cap = limits::MAX_CALENDAR_DAYS;
    Error::LimitExceeded {
        limit: "max_calendar_days".into(),
        value: cap + 1,
        cap,
        pointer: "/calendar".into(),
    }
}

/// Overlapping spans as one, ascending.
fn merged(spans: &[Span]) -> Vec<Span> {
    let mut sorted = spans.to_vec();
    sorted.sort_by_key(|s| (s.from, s.to));
    let mut merged: Vec<Span> = Vec::new();
    for span in sorted {
        match merged.last_mut() {
            Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
            _ => merged.push(span),
        }
    }
    merged
}

/// The working days around a plan, numbered.
#[derive(Debug)]
pub(super) struct Ordinals {
    days: Vec<Date>,
    /// Position of ordinal 0.
    zero: usize,
}

impl Ordinals {
    /// Numbers the working days from `room` before the first of `anchors` to `room` after the last.
    pub(super) fn new(
        calendar: &Calendar,
        as_of: Date,
        anchors: &[Date],
        room: u64,
    ) -> Result<Self, Error> {
        let first = anchors.iter().copied().fold(as_of, Date::min);
        let last = anchors.iter().copied().fold(as_of, Date::max);
        let start = calendar.walk(first, -1, room + 1)?;
        let end = calendar.walk(last, 1, room + 1)?;
        let days: Vec<Date> = start
            .series(1.day())
            .take_while(|&d| d <= end)
            .filter(|&d| calendar.is_working(d))
            .collect();
        let zero = days.partition_point(|&d| d < as_of);
        Ok(Self { days, zero })
    }

    /// The ordinal of a working day.
    pub(super) fn of(&self, date: Date) -> i64 {
        let position = self.days.partition_point(|&d| d < date);
        i64::try_from(position).expect("the table is capped") - self.origin()
    }

    fn origin(&self) -> i64 {
        i64::try_from(self.zero).expect("the table is capped")
    }

    /// The date of an ordinal; the table reaches as far as any plan can.
    pub(super) fn date(&self, ordinal: i64) -> Date {
        let last = self.days.len() - 1;
        let position = usize::try_from((ordinal + self.origin()).max(0))
            .expect("not negative")
            .min(last);
        self.days[position]
    }
}
