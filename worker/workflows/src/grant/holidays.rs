//! The built-in public holidays of all countries, made by `data/make_holidays.py` from Python's `holidays` (MIT).
//!
//! A region is an ISO 3166 code in any letter case: `US`, `gb-eng`. Invariant: the tables are unpacked once and then
//! only read; the script describes their format. Deliberately absent: names of holidays, half days.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};
use std::sync::OnceLock;

use jiff::civil::Date;
use zip::ZipArchive;

const TABLES: &[u8] = include_bytes!("../../data/holidays.zip");
/// All that is said of the shipped file: a test unpacks it.
const SHIPPED: &str = "the shipped tables are well-formed";

struct Tables {
    first: i16,
    last: i16,
    /// Marks by region, in upper case.
    marks: BTreeMap<String, String>,
}

fn tables() -> &'static Tables {
    static READ: OnceLock<Tables> = OnceLock::new();
    READ.get_or_init(|| {
        let mut text = String::new();
        let mut archive = ZipArchive::new(Cursor::new(TABLES)).expect(SHIPPED);
        let mut member = archive.by_index(0).expect(SHIPPED);
        member.read_to_string(&mut text).expect(SHIPPED);
        let mut marks: BTreeMap<String, String> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_once(' ').unwrap_or((line, "")))
            .map(|(region, marks)| (region.to_owned(), marks.to_owned()))
            .collect();
        let years = marks.remove("years").expect(SHIPPED);
        let (first, last) = years.split_once(' ').expect(SHIPPED);
        Tables {
            first: first.parse().expect(SHIPPED),
            last: last.parse().expect(SHIPPED),
            marks,
        }
    })
}

/// First and last year in which the holidays of a region are known: those of the tables, fewer for a country whose
/// lunar calendar nobody has published further.
pub(super) fn years(region: &str) -> (i16, i16) {
    let Tables { first, last, .. } = *tables();
    let days = of(region).unwrap_or_default();
    match (days.first(), days.last()) {
        (Some(a), Some(b)) => (a.year(), b.year()),
        _ => (first, last),
    }
}

/// Countries that have a table.
pub(super) fn countries() -> usize {
    tables().marks.keys().filter(|k| !k.contains('-')).count()
}

/// All regions, for tests.
#[cfg(test)]
pub(super) fn regions() -> impl Iterator<Item = &'static str> {
    tables().marks.keys().map(String::as_str)
}

/// Whether a region is a country whose subdivisions have holidays of their own.
pub(super) fn has_subdivisions(region: &str) -> bool {
    let within = format!("{}-", region.to_ascii_uppercase());
    tables()
        .marks
        .range(within.clone()..)
        .take_while(|(name, _)| name.starts_with(&within))
        .any(|(_, marks)| !marks.is_empty())
}

/// The dates of a mark like `0704` or `0703:40`.
fn dates(mark: &str) -> impl Iterator<Item = Date> {
    let (day, years) = mark.split_once(':').unwrap_or((mark, "ffffffff"));
    let number = |text: &str| text.parse::<i8>().expect(SHIPPED);
    let (month, day) = (number(&day[..2]), number(&day[2..]));
    let years = u32::from_str_radix(years, 16).expect(SHIPPED);
    let Tables { first, last, .. } = *tables();
    (first..=last)
        .enumerate()
        .filter(move |(bit, _)| years >> bit & 1 == 1)
        .map(move |(_, year)| Date::new(year, month, day).expect(SHIPPED))
}

/// The holidays of `US` or `GB-ENG`; `None` for an unknown region.
pub(super) fn of(region: &str) -> Option<BTreeSet<Date>> {
    let region = region.to_ascii_uppercase();
    let country = region.split('-').next()?;
    let marks = |wanted: &str| tables().marks.get(wanted);
    let nationwide = marks(country)?.split_whitespace();
    let mut days: BTreeSet<Date> = nationwide.flat_map(dates).collect();
    if country == region {
        return Some(days);
    }
    for mark in marks(&region)?.split_whitespace() {
        match mark.split_at(1) {
            ("+", added) => days.extend(dates(added)),
            (_, taken) => days.retain({
                let taken: BTreeSet<Date> = dates(taken).collect();
                move |day| !taken.contains(day)
            }),
        }
    }
    Some(days)
}
