//! Workbooks made in memory for tests of what comes after reading.
//!
//! Deliberately absent: inference; columns are text, or numbers where their first cell is one.

use calamine::{Data, Reader};
use serde_json::Value as Json;

use super::cell::{Cell, CellError, Moment};
use super::table::{Column, Format, Header, Kind, LabelDefect, Row, RowKind, Sheet, Workbook};
use super::texts::Texts;

/// A sheet "S" with its labels in row 1 and rows of texts, numbers and errors from row 2. `null` is an empty cell, a row
/// of nulls is absent.
pub(super) fn workbook(labels: &[&str], rows: &[Json]) -> Workbook {
    let mut book = Workbook {
        format: Format::Xlsx,
        sheets: vec![],
        texts: Texts::default(),
        warnings: vec![],
    };
    let mut sheet = Sheet {
        name: "S".into(),
        header: Some(Header { first: 1, last: 1 }),
        ..Sheet::default()
    };
    for (at, label) in labels.iter().enumerate() {
        let earlier = labels[..at].iter().position(|l| l == label);
        let defect = match earlier {
            _ if label.is_empty() => Some(LabelDefect::Blank),
            Some(first) => Some(LabelDefect::Duplicate(u32::try_from(first).unwrap() + 1)),
            None => None,
        };
        let name = if earlier.is_some() {
            format!("{label}_2")
        } else {
            (*label).to_owned()
        };
        let at = u32::try_from(at).unwrap() + 1;
        sheet.columns.push(Column {
            at,
            label: name,
            defect,
            filled: 1,
            kind: Kind::String,
            ..Column::default()
        });
    }
    for (number, row) in rows.iter().enumerate() {
        let start = u32::try_from(sheet.cells.len()).unwrap();
        for (at, cell) in row.as_array().unwrap().iter().enumerate() {
            let cell = match cell {
                Json::Null => continue,
                Json::Number(x) => Cell::Number(x.as_f64().unwrap()),
                Json::Bool(x) => Cell::Bool(*x),
                Json::String(text) if text == "#N/A" => Cell::Error(CellError::NA),
                other => Cell::Text(book.texts.intern(other.as_str().unwrap()).unwrap()),
            };
            sheet.places.push(u16::try_from(at).unwrap() + 1);
            sheet.cells.push(cell);
        }
        let end = u32::try_from(sheet.cells.len()).unwrap();
        if start < end {
            let number = u32::try_from(number).unwrap() + 2;
            sheet.rows.push(Row {
                number,
                kind: RowKind::Record,
                span: start..end,
            });
        }
    }
    type_columns(&mut sheet);
    book.sheets.push(sheet);
    book
}

/// Columns whose first cell is a number are numeric.
fn type_columns(sheet: &mut Sheet) {
    for column in &mut sheet.columns {
        let first = sheet
            .rows
            .first()
            .map(|row| (row.span.start as usize, row.span.end as usize));
        let cells = first.map_or(0..0, |(start, end)| start..end);
        let cell = cells
            .clone()
            .find(|&i| u32::from(sheet.places[i]) == column.at)
            .map(|i| sheet.cells[i]);
        if matches!(cell, Some(Cell::Number(_))) {
            column.kind = Kind::Number;
        }
    }
}

/// The first sheet of a real workbook under `data/grants`, by calamine's own cell types.
pub(super) fn grants(name: &str) -> Workbook {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/grants");
    let mut file: calamine::Xlsx<_> = calamine::open_workbook(format!("{folder}/{name}.xlsx"))
        .unwrap_or_else(|e| panic!("the real workbooks lie beside the project, in {folder}: {e}"));
    let sheet = file.sheet_names()[0].clone();
    let range = file.worksheet_range(&sheet).unwrap();
    let mut rows = range.rows();
    let labels: Vec<String> = rows
        .next()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let rows: Vec<Json> = rows.map(|row| row.iter().map(json).collect()).collect();
    workbook(&labels, &rows)
}

/// Dates become ISO texts, which rules and dates read as dates.
fn json(cell: &Data) -> Json {
    match cell {
        Data::Empty => Json::Null,
        Data::Float(x) => (*x).into(),
        Data::Int(x) => (*x).into(),
        Data::Bool(x) => (*x).into(),
        Data::DateTime(serial) => match super::dates::of_serial(serial.as_f64(), false) {
            Cell::Moment(moment) => Moment::to_string(&moment).into(),
            _ => "".into(),
        },
        other => other.to_string().into(),
    }
}
