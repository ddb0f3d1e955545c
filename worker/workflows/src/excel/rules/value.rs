//! What a rule computes with.
//!
//! Invariant: numbers are exact decimals; a whole day equals its midnight; text compares by code points.

use std::borrow::Cow;
use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::super::cell::Moment;
use super::super::{dates, exact, numbers};

/// A value of a cell or of a part of a rule.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::excel) enum Value<'t> {
    /// Nothing: the cell is empty, blank or an error.
    Empty,
    Number(Decimal),
    Text(Cow<'t, str>),
    Date(Moment),
    Bool(bool),
}

impl Value<'_> {
    /// A number; `Empty` never, so that what is too large fails and is not skipped.
    pub(in crate::excel) fn number(x: f64) -> Self {
        exact::decimal(x).map_or_else(|| Value::Text(numbers::plain(x).into()), Value::Number)
    }

    /// The order of two values; `None` when they cannot be compared. A text beside a number or date is read as one if
    /// it spells one: columns often mix both.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Value::Number(a), Value::Number(b)) => Some(a.cmp(b)),
            (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
            (Value::Date(a), Value::Date(b)) => Some(midnight(*a).cmp(&midnight(*b))),
            (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
            (Value::Text(text), Value::Number(b)) => Some(spelt(text)?.cmp(b)),
            (Value::Number(a), Value::Text(text)) => Some(a.cmp(&spelt(text)?)),
            (Value::Text(text), Value::Date(b)) => {
                Some(midnight(dates::of_text(text, None)?).cmp(&midnight(*b)))
            }
            (Value::Date(a), Value::Text(text)) => {
                Some(midnight(*a).cmp(&midnight(dates::of_text(text, None)?)))
            }
            _ => None,
        }
    }
}

fn spelt(text: &str) -> Option<Decimal> {
    numbers::of_text(text).and_then(exact::decimal)
}

fn midnight(moment: Moment) -> (jiff::civil::Date, u32) {
    (moment.date, moment.millis.unwrap_or(0))
}
