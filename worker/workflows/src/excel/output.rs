//! The described half of a result: sheets, columns, records, files and warnings. The judged half is `judge`'s.
//!
//! Invariant: lists are capped and say how long they would have been; warnings hold counts and coordinates only.

use serde_json::{Value, json};

use super::amounts::Notation;
use super::cell::{a1, letters, r1c1};
use super::dates::DayOrder;
use super::limits;
use super::table::{Column, Kind, LabelDefect, RowKind, Sheet, Used, Workbook};
use crate::document::Document;
use crate::number::float;

/// Writes what was read.
pub(crate) fn fill(workbook: &Workbook, doc: &mut Document) {
    doc.set("format", workbook.format.as_str());
    doc.set(
        "sheets",
        workbook.sheets.iter().map(sheet).collect::<Vec<Value>>(),
    );
    if workbook.sheets.iter().any(|s| s.header.is_none()) {
        doc.because(
            "/sheets/*/header_row",
            "null where no row names the columns",
        );
    }
    if workbook.sheets.iter().any(|s| s.used.is_none()) {
        doc.because("/sheets/*/used_range", "null where a sheet has no cell");
    }
    let all = workbook
        .sheets
        .iter()
        .flat_map(|s| s.columns.iter().map(move |c| (s, c)));
    let mut room = limits::EXCEPTIONS_SHOWN_ALL;
    let columns: Vec<Value> = all
        .clone()
        .take(limits::COLUMNS_SHOWN)
        .map(|(s, c)| column(s, c, &mut room))
        .collect();
    for (field, reason) in [
        ("support", "null where a column has no filled cell"),
        ("label_defect", "null where a label is in order"),
        ("sub_type", "null where the type says it all"),
        (
            "day_order",
            "null where no text date of the column settles the order of day and month",
        ),
        (
            "number_notation",
            "null where no number of the column has separators or the mark of a currency",
        ),
    ] {
        if columns.iter().any(|c| c[field].is_null()) {
            doc.because(format!("/columns/*/{field}"), reason);
        }
    }
    doc.set("columns_total", all.count());
    doc.set("columns", columns);
    for text in &workbook.warnings {
        doc.warn(text.clone());
    }
    for (at, sheet) in workbook.sheets.iter().enumerate() {
        warn(at + 1, sheet, doc);
    }
}

fn sheet(sheet: &Sheet) -> Value {
    let count = |kind| sheet.rows.iter().filter(|row| row.kind == kind).count();
    let notes = &sheet.notes;
    let cells = |list: &[(u32, u32)]| -> Vec<String> {
        list.iter()
            .map(|&(row, column)| r1c1(&sheet.name, row, column))
            .collect()
    };
    let listed = |kind| -> Vec<u32> {
        let rows = sheet.rows.iter().filter(|row| row.kind == kind);
        rows.map(|row| row.number)
            .take(limits::NOTES_SHOWN)
            .collect()
    };
    json!({
        "name": sheet.name,
        "rows": count(RowKind::Record),
        "columns": sheet.columns.len(),
        "header_row": sheet.header.map(|h| h.last),
        "header_rows": sheet.header.map_or(0, |h| h.last + 1 - h.first),
        "used_range": sheet.used.map(range),
        "hidden": sheet.hidden,
        "preamble_rows": count(RowKind::Preamble),
        "blank_rows": blank_rows(sheet),
        "total_rows": listed(RowKind::Total),
        "repeated_header_rows": listed(RowKind::RepeatedHeader),
        "hidden_rows": notes.hidden_rows,
        "merged": notes.merged.iter().copied().map(range).collect::<Vec<String>>(),
        "merged_total": notes.merged_total,
        "formulas": notes.formulas,
        "uncalculated": cells(&notes.uncalculated),
        "uncalculated_total": notes.uncalculated_total,
    })
}

/// Rows below the header that hold nothing, up to the last row that does.
fn blank_rows(sheet: &Sheet) -> u64 {
    let start = sheet.header.map_or_else(
        || sheet.rows.first().map_or(1, |r| r.number),
        |h| h.last + 1,
    );
    let below: Vec<_> = sheet
        .rows
        .iter()
        .filter(|row| row.number >= start)
        .collect();
    let listed = below
        .iter()
        .filter(|row| row.kind != RowKind::Blank)
        .count() as u64;
    below
        .last()
        .map_or(0, |last| u64::from(last.number + 1 - start) - listed)
}

fn range(used: Used) -> String {
    let first = a1(used.first_row, used.first_column);
    let last = a1(used.last_row, used.last_column);
    format!("{first}:{last}")
}

/// A column; of its exceptions as many are listed as there is `room` for.
fn column(sheet: &Sheet, column: &Column, room: &mut usize) -> Value {
    let listed = column.exceptions.len().min(*room);
    *room -= listed;
    let exceptions: Vec<Value> = column.exceptions[..listed]
        .iter()
        .map(|e| json!({"cell": r1c1(&sheet.name, e.row, column.at), "value_kind": e.value_kind}))
        .collect();
    let native = column.native;
    let support = (column.filled > 0).then(|| column.support as f64 / column.filled as f64);
    json!({
        "sheet": sheet.name,
        "name": column.label,
        "column": letters(column.at),
        "type": column.kind.as_str(),
        "base_type": column.base.as_str(),
        "sub_type": sub_type(column),
        "support": support.map_or(Value::Null, float),
        "supported": column.support,
        "native_types": {"number": native.number, "text": native.text, "date": native.date,
            "bool": native.bool, "error": native.error},
        "exceptions": exceptions,
        "exceptions_total": column.exceptions_total,
        "filled": column.filled,
        "distinct": column.distinct,
        "ambiguous_dates": column.ambiguous_dates,
        "day_order": column.day_order.map(|order| match order {
            DayOrder::DayFirst => "day_first",
            DayOrder::MonthFirst => "month_first",
        }),
        "number_notation": column.notation.map(|notation| match notation {
            Notation::Point => "decimal_point",
            Notation::Comma => "decimal_comma",
        }),
        "label_defect": column.defect.map(|defect| match defect {
            LabelDefect::Blank => "missing-label",
            LabelDefect::Duplicate(_) => "duplicate-label",
        }),
    })
}

/// The pattern that narrows a text column.
fn sub_type(column: &Column) -> Option<&'static str> {
    if column.kind != column.base {
        Some(column.kind.as_str())
    } else if column.categorical {
        Some("categorical")
    } else {
        None
    }
}

/// What a reader of a sheet should know.
fn warn(nth: usize, sheet: &Sheet, doc: &mut Document) {
    let mut say = |text: String| doc.warn(format!("sheet {nth}: {text}"));
    match sheet.header {
        None if sheet.rows.is_empty() => say("there is no cell".into()),
        None => say(
            "no row names the columns; all rows are records, and the sheet is not judged".into(),
        ),
        Some(header) if header.first < header.last => say(format!(
            "rows {} to {} look like a header of several rows; labels are those of the last",
            header.first, header.last
        )),
        Some(_) => {}
    }
    let above = sheet
        .rows
        .iter()
        .filter(|row| row.kind == RowKind::Preamble);
    let above = above.count();
    if above > 0 {
        say(format!(
            "{above} rows above the header are no records; set \"header\" if another row names the columns"
        ));
    }
    let defects = sheet.columns.iter().filter(|c| c.defect.is_some()).count();
    if defects > 0 {
        say(format!(
            "{defects} labels are blank or duplicate; they were made unique"
        ));
    }
    let ambiguous: Vec<String> = sheet
        .columns
        .iter()
        .filter(|c| c.ambiguous_dates)
        .take(20)
        .map(|c| letters(c.at))
        .collect();
    if !ambiguous.is_empty() {
        say(format!(
            "dates in column {} could be day/month or month/day; they stay text",
            ambiguous.join(", ")
        ));
    }
    let unsettled: Vec<String> = sheet
        .columns
        .iter()
        .filter(|c| c.unsettled_numbers)
        .take(20)
        .map(|c| letters(c.at))
        .collect();
    if !unsettled.is_empty() {
        say(format!(
            "numbers in column {} could have a decimal comma or separated thousands; they stay text",
            unsettled.join(", ")
        ));
    }
    for text in counted(sheet) {
        say(text);
    }
    let numbers = sheet
        .columns
        .iter()
        .filter(|c| c.kind == Kind::String && c.native.number > 0);
    let mixed: u64 = numbers.map(|c| c.native.number).sum();
    if mixed > 0 {
        say(format!(
            "{mixed} numbers stand in columns of text; identifiers stored as numbers lose leading zeros"
        ));
    }
}

/// What was read otherwise than it looks, with how often.
fn counted(sheet: &Sheet) -> Vec<String> {
    let notes = &sheet.notes;
    let impossible = sheet
        .columns
        .iter()
        .flat_map(|c| &c.exceptions)
        .filter(|e| e.value_kind == "impossible_date");
    let impossible = impossible.count();
    let all = [
        (
            u64::from(sheet.hidden),
            "sheet is hidden; it was read like any other",
        ),
        (
            notes.hidden_rows,
            "rows are hidden; they were read like others",
        ),
        (
            notes.merged_total,
            "areas are merged; their value stands in the first cell only",
        ),
        (
            notes.uncalculated_total,
            "formula cells have no stored value and count as empty; formulas are never calculated here",
        ),
        (
            impossible as u64,
            "cells are shown as dates but are none, such as 29 February 1900",
        ),
    ];
    let found = all.into_iter().filter(|(count, _)| *count > 0);
    found
        .map(|(count, what)| format!("{count} {what}"))
        .collect()
}
