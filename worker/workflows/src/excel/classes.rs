//! What a text could be: a date, a number, an address. Each distinct text of a workbook is asked once.
//!
//! Invariant: classes say nothing of a column; a text may have several. Deliberately absent: guesses that need the
//! other cells of the column (the order of day and month, see [`super::infer`]).

use std::sync::LazyLock;

use regex::Regex;

use super::amounts::{self, Mark, Notation};
use super::dates;
use super::numbers;
use super::table::Kind;
use super::texts::{TextId, Texts};
use super::validation::formats;

/// A set of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Classes(u32);

/// The classes, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Class {
    /// The text was looked at.
    Known = 1,
    /// White space only.
    Blank = 1 << 1,
    /// A number in plain notation.
    Number = 1 << 2,
    /// An integral number.
    Integer = 1 << 3,
    /// Digits that are no number: with leading zeros, or more than a number keeps.
    Identifier = 1 << 4,
    /// `true` or `false`.
    Boolean = 1 << 5,
    /// A date that reads in one way only.
    Date = 1 << 6,
    /// The same with a time of day.
    DateTime = 1 << 7,
    /// A date in numbers, day and month of which could be either; not both the same.
    EitherOrder = 1 << 8,
    /// A date in numbers whose day can only come first.
    DayFirst = 1 << 9,
    /// A date in numbers whose month can only come first.
    MonthFirst = 1 << 10,
    /// `17:00`, `17:00:30`.
    Time = 1 << 11,
    Email = 1 << 12,
    Url = 1 << 13,
    Phone = 1 << 14,
    Postcode = 1 << 15,
    OrgId = 1 << 16,
    Iban = 1 << 17,
    Currency = 1 << 18,
    /// `12.5%`
    Percent = 1 << 19,
    /// No plain number, but one with the mark of a currency or with separators, in one notation at least.
    Amount = 1 << 20,
    /// A number with a decimal point only: `1,250.50`, `12.5`, `£3`.
    Point = 1 << 21,
    /// A number with a decimal comma only: `1.250,50`, `12,5`.
    Comma = 1 << 22,
    /// A number in both notations, of the same value: `300`, `€300`.
    Either = 1 << 23,
    /// A number in both notations, of different values: `1,250`.
    Unsettled = 1 << 24,
    /// An amount of pounds, dollars, euros.
    Pound = 1 << 25,
    Dollar = 1 << 26,
    Euro = 1 << 27,
}

/// Number of classes, as the width of a table of counts.
pub(crate) const WIDTH: usize = 28;

/// Column types that are a pattern of texts, with the class that fits each; narrow ones first.
pub(crate) const PATTERNS: [(Class, Kind); 9] = [
    (Class::Time, Kind::Time),
    (Class::Email, Kind::Email),
    (Class::Url, Kind::Url),
    (Class::OrgId, Kind::OrgId),
    (Class::Iban, Kind::Iban),
    (Class::Postcode, Kind::Postcode),
    (Class::Currency, Kind::Currency),
    (Class::Percent, Kind::Percent),
    (Class::Phone, Kind::Phone),
];

impl Class {
    /// The place of its bit.
    pub(crate) fn place(self) -> usize {
        (self as u32).trailing_zeros() as usize
    }
}

impl Classes {
    pub(crate) fn has(self, class: Class) -> bool {
        self.0 & class as u32 != 0
    }

    fn set(&mut self, class: Class, fits: bool) {
        if fits {
            self.0 |= class as u32;
        }
    }

    /// Counts each class that is set.
    pub(crate) fn count(self, counts: &mut [u64; WIDTH]) {
        let mut rest = self.0;
        while rest != 0 {
            counts[rest.trailing_zeros() as usize] += 1;
            rest &= rest - 1;
        }
    }
}

/// The classes of all texts, found when first asked for.
#[derive(Debug)]
pub(crate) struct Catalogue<'t> {
    texts: &'t Texts,
    known: Vec<Classes>,
}

impl<'t> Catalogue<'t> {
    pub(crate) fn new(texts: &'t Texts) -> Self {
        Self {
            texts,
            known: vec![Classes::default(); texts.len()],
        }
    }

    /// The classes of a text.
    pub(crate) fn of(&mut self, id: TextId) -> Classes {
        let known = self.known[id.index()];
        if known.has(Class::Known) {
            return known;
        }
        let found = classes(self.texts.get(id));
        self.known[id.index()] = found;
        found
    }
}

/// All classes of one text.
fn classes(raw: &str) -> Classes {
    let mut found = Classes::default();
    found.set(Class::Known, true);
    let text = raw.trim();
    if text.is_empty() {
        found.set(Class::Blank, true);
        return found;
    }
    // No form has more than this; what is longer is prose.
    if text.len() > 2_048 {
        return found;
    }
    if text.bytes().any(|b| b.is_ascii_digit()) {
        in_digits(text, raw, &mut found);
    } else {
        let is = |word: &str| text.eq_ignore_ascii_case(word);
        found.set(Class::Boolean, is("true") || is("false"));
        found.set(Class::Currency, formats::is_currency(raw));
    }
    if raw.contains('@') {
        found.set(Class::Email, formats::is_email(raw));
    }
    if raw.contains("://") {
        found.set(Class::Url, formats::is_url(raw));
    }
    if raw.contains('-') {
        found.set(Class::OrgId, formats::is_org_id(raw));
    }
    found
}

/// The classes of a text that has a digit.
fn in_digits(text: &str, raw: &str, found: &mut Classes) {
    if let Some(x) = numbers::of_text(text) {
        found.set(Class::Number, true);
        found.set(
            Class::Integer,
            x.fract() == 0.0 && !text.contains(['.', 'e', 'E']),
        );
    }
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    found.set(Class::Identifier, digits && !found.has(Class::Number));
    if text.len() > 48 {
        return;
    }
    as_amount(text, found);
    if let Some(moment) = dates::of_text(text, None) {
        let class = if moment.millis.is_some() {
            Class::DateTime
        } else {
            Class::Date
        };
        found.set(class, true);
    }
    match dates::orders(text) {
        Some((true, true)) => found.set(Class::EitherOrder, !found.has(Class::Date)),
        Some((true, false)) => found.set(Class::DayFirst, true),
        Some((false, true)) => found.set(Class::MonthFirst, true),
        _ => {}
    }
    found.set(
        Class::Time,
        text.contains(':') && dates::time(text).is_some(),
    );
    found.set(Class::Postcode, formats::is_postcode(raw));
    found.set(Class::Percent, is_percent(text));
    found.set(Class::Iban, is_iban(text));
    let is_other = found.has(Class::Number) && !text.starts_with('0');
    found.set(
        Class::Phone,
        !is_other && !found.has(Class::Date) && is_phone(text),
    );
}

/// The notations in which a text is a number. Pounds and dollars are written with a decimal point.
fn as_amount(text: &str, found: &mut Classes) {
    let point = amounts::of_text(text, Notation::Point);
    let comma = amounts::of_text(text, Notation::Comma);
    if point.is_none() && comma.is_none() {
        return;
    }
    let mark = amounts::mark(text);
    let class = match (point, comma) {
        (Some(_), _) if matches!(mark, Some(Mark::Pound | Mark::Dollar)) => Class::Point,
        (Some(a), Some(b)) if a.to_bits() == b.to_bits() => Class::Either,
        (Some(_), Some(_)) => Class::Unsettled,
        (Some(_), None) => Class::Point,
        (None, _) => Class::Comma,
    };
    found.set(class, true);
    found.set(Class::Amount, !found.has(Class::Number));
    if let Some(mark) = mark {
        let class = match mark {
            Mark::Pound => Class::Pound,
            Mark::Dollar => Class::Dollar,
            Mark::Euro => Class::Euro,
        };
        found.set(class, true);
    }
}

fn is_percent(text: &str) -> bool {
    text.strip_suffix('%')
        .is_some_and(|number| numbers::of_text(number.trim_end()).is_some())
}

/// A number to call: `+44 20 7946 0000`, `(020) 7946 0000`, `07700 900123`. Nine to fifteen digits (E.164), written
/// from outside (`+`) or with a trunk prefix or area code.
fn is_phone(text: &str) -> bool {
    static FORM: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(\+|\(|0)[0-9 ().\-/]+( ?(x|ext\.?) ?[0-9]{1,5})?$")
            .expect("a constant pattern that tests compile")
    });
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (9..=20).contains(&digits) && FORM.is_match(text)
}

/// ISO 13616: letters and digits whose remainder by 97 is 1; blanks between groups are allowed.
fn is_iban(text: &str) -> bool {
    let compact: Vec<u8> = text.bytes().filter(|b| *b != b' ').collect();
    if !(15..=34).contains(&compact.len())
        || !compact[..2].iter().all(u8::is_ascii_uppercase)
        || !compact[2..4].iter().all(u8::is_ascii_digit)
        || !compact
            .iter()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    {
        return false;
    }
    let moved = compact[4..].iter().chain(&compact[..4]);
    moved.fold(0_u32, |rest, &byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    }) == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_the_classes_that_people_see() {
        let has = |text: &str, class| classes(text).has(class);
        assert!(has("  ", Class::Blank));
        assert!(
            has("12", Class::Integer) && has("1.5", Class::Number) && !has("1.0", Class::Integer)
        );
        assert!(has("007", Class::Identifier) && !has("007", Class::Number));
        assert!(
            has("1234567890123456", Class::Identifier) && has("123456789012345", Class::Integer)
        );
        assert!(has("GB82 WEST 1234 5698 7654 32", Class::Iban));
        assert!(!has("GB83 WEST 1234 5698 7654 32", Class::Iban));
        assert!(has("+44 20 7946 0000", Class::Phone) && has("07700 900123", Class::Phone));
        assert!(
            !has("01234567", Class::Phone)
                && !has("1164883", Class::Phone)
                && !has("2020-01-02", Class::Phone)
        );
        assert!(has("12.5 %", Class::Percent) && has("GBP", Class::Currency));
        assert!(has("03/04/2020", Class::EitherOrder) && !has("03/04/2020", Class::Date));
        assert!(has("30/04/2020", Class::DayFirst) && has("04/30/2020", Class::MonthFirst));
        assert!(has("2020-01-02T10:00:00Z", Class::DateTime) && has("17:30", Class::Time));
        assert!(has("SW1A 1AA", Class::Postcode) && !has("SW1A 1AA ", Class::Postcode));
    }
}
