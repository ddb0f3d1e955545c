//! One cell against its field.
//!
//! Invariant: total, and a message says kinds and lengths, never contents.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::super::cell::{Cell, Moment};
use super::super::exact;
use super::super::rules::Value;
use super::super::table::{Column, Kind, Workbook};
use super::formats;
use super::plan::{Bound, PlannedField};
use super::schema::FieldType;

/// What is wrong with a cell.
pub(super) struct Fault {
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// Whether a cell holds something: blank text, errors and texts that stand for a missing value do not count.
pub(super) fn is_filled(workbook: &Workbook, missing: &[String], cell: Cell) -> bool {
    match cell {
        Cell::Text(id) => {
            let text = workbook.text(id).trim();
            !text.is_empty() && !missing.iter().any(|m| m == text)
        }
        // `-99` in a column of numbers.
        other => {
            other.is_filled()
                && (missing.is_empty() || !missing.iter().any(|m| *m == workbook.plain(other)))
        }
    }
}

/// The text by which values are compared for uniqueness.
pub(super) fn key_text(workbook: &Workbook, cell: Cell) -> Cow<'_, str> {
    match workbook.plain(cell) {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        owned @ Cow::Owned(_) => owned,
    }
}

/// What is wrong with a filled cell of a field, if anything is.
pub(super) fn fault(
    workbook: &Workbook,
    planned: &PlannedField,
    column: &Column,
    cell: Cell,
) -> Option<Fault> {
    let kind = planned.field.kind;
    if !fits(workbook, kind, column, cell) {
        return Some(Fault {
            code: "type-error",
            message: mistyped(workbook, kind, cell),
        });
    }
    let broken = |message: String| {
        Some(Fault {
            code: "constraint-error",
            message,
        })
    };
    if let Some(allowed) = &planned.allowed
        && allowed
            .binary_search_by(|known| known.as_str().cmp(&workbook.plain(cell)))
            .is_err()
    {
        return broken(format!(
            "constraint \"enum\": not one of the {} allowed values",
            allowed.len()
        ));
    }
    if let Some(pattern) = &planned.pattern {
        let text = workbook.plain(cell);
        if !pattern.is_match(&text) {
            return broken(format!(
                "constraint \"pattern\": does not match ({} characters)",
                text.chars().count()
            ));
        }
    }
    out_of_bounds(workbook, planned, column, cell).and_then(broken)
}

/// How a cell breaks the constraints `min` and `max`.
fn out_of_bounds(
    workbook: &Workbook,
    planned: &PlannedField,
    column: &Column,
    cell: Cell,
) -> Option<String> {
    let bounds = [
        ("min", planned.min, Ordering::Less, "below the least value"),
        (
            "max",
            planned.max,
            Ordering::Greater,
            "above the largest value",
        ),
    ];
    for (name, bound, wrong, detail) in bounds {
        let Some(bound) = bound else { continue };
        let detail = match order(workbook, column, cell, bound) {
            Some(found) if found != wrong => continue,
            Some(_) => detail,
            None => match bound {
                Bound::Number(_) => "not a number",
                Bound::Date(_) => "not a date",
            },
        };
        return Some(format!("constraint {name:?}: {detail}"));
    }
    None
}

fn mistyped(workbook: &Workbook, kind: FieldType, cell: Cell) -> String {
    match cell {
        Cell::Text(id) => {
            format!(
                "a text of {} characters, not of type {}",
                workbook.text(id).chars().count(),
                kind.as_str()
            )
        }
        Cell::NoDate(_) => format!(
            "a number shown as a date that is none, not of type {}",
            kind.as_str()
        ),
        other => format!("a {}, not of type {}", other.kind(), kind.as_str()),
    }
}

/// Whether a filled cell is of a type. A text field takes text alone: an identifier stored as a number has lost its
/// leading zeros. A date field takes no time of day but midnight.
fn fits(workbook: &Workbook, kind: FieldType, column: &Column, cell: Cell) -> bool {
    let text = |form: fn(&str) -> bool| matches!(cell, Cell::Text(id) if form(workbook.text(id)));
    match kind {
        FieldType::String => matches!(cell, Cell::Text(_)),
        FieldType::Enum | FieldType::Any => true,
        FieldType::Number => workbook.number(cell, column.notation).is_some(),
        FieldType::Integer => workbook
            .number(cell, column.notation)
            .is_some_and(|x| x.fract() == 0.0),
        FieldType::Boolean => workbook.boolean(cell).is_some(),
        FieldType::Date => workbook
            .moment(cell, column.day_order)
            .is_some_and(|moment| moment.millis.unwrap_or(0) == 0),
        FieldType::DateTime => workbook.moment(cell, column.day_order).is_some(),
        FieldType::Email => text(formats::is_email),
        FieldType::Url => text(formats::is_url),
        FieldType::Postcode => text(formats::is_postcode),
        FieldType::OrgId => text(formats::is_org_id),
        FieldType::Currency => text(formats::is_currency),
    }
}

/// How a cell stands to a bound.
fn order(workbook: &Workbook, column: &Column, cell: Cell, bound: Bound) -> Option<Ordering> {
    match bound {
        Bound::Number(limit) => {
            Some(exact::decimal(workbook.number(cell, column.notation)?)?.cmp(&limit))
        }
        Bound::Date(limit) => {
            let comparable = |m: Moment| (m.date, m.millis.unwrap_or(0));
            Some(comparable(workbook.moment(cell, column.day_order)?).cmp(&comparable(limit)))
        }
    }
}

/// The cell as rules see it. Text is a number in untyped files and a date in columns of dates.
pub(super) fn value<'t>(workbook: &'t Workbook, column: &Column, cell: Cell) -> Value<'t> {
    match cell {
        Cell::Empty | Cell::Error(_) => Value::Empty,
        Cell::Number(x) | Cell::NoDate(x) => Value::number(x),
        Cell::Bool(truth) => Value::Bool(truth),
        Cell::Moment(moment) => Value::Date(moment),
        Cell::Time(_) => Value::Text(workbook.plain(cell)),
        Cell::Text(id) => text_value(workbook, column, cell, workbook.text(id)),
    }
}

fn text_value<'t>(workbook: &'t Workbook, column: &Column, cell: Cell, text: &'t str) -> Value<'t> {
    if text.trim().is_empty() {
        return Value::Empty;
    }
    if matches!(column.kind, Kind::Date | Kind::DateTime)
        && let Some(moment) = workbook.moment(cell, column.day_order)
    {
        return Value::Date(moment);
    }
    if !workbook.is_typed() {
        if let Some(x) = workbook.number(cell, column.notation) {
            return Value::number(x);
        }
        if column.kind == Kind::Boolean
            && let Some(truth) = workbook.boolean(cell)
        {
            return Value::Bool(truth);
        }
    }
    Value::Text(Cow::Borrowed(text))
}
