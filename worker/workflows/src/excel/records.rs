//! Records as JSON: the first ones in the result, all of them in attached files, one a line.
//!
//! Invariant: a record names its place (`sheet!R5C1`, the first column of its table) and holds its filled cells by
//! label; cells are of the type of their column where they can be, else what they natively are; an error is null.
//! Deliberately absent: empty cells.

use serde_json::{Map, Value};

use super::cell::{Cell, clock, r1c1};
use super::limits;
use super::table::{Column, Kind, Row, Sheet, Workbook};
use crate::files::Sink;
use crate::{Error, FileLink, Run};

/// What became of the records.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// The files, in order.
    pub(crate) files: Vec<FileLink>,
    /// Records in them.
    pub(crate) records: u64,
}

/// The first records, over all sheets: as many as were asked for, or as there is room for.
pub(crate) fn first(workbook: &Workbook, most: u64) -> Vec<Value> {
    let all = workbook
        .sheets
        .iter()
        .flat_map(|sheet| sheet.records().map(move |row| (sheet, row)));
    let most = usize::try_from(most.min(limits::RECORDS_SHOWN_MOST)).unwrap_or(usize::MAX);
    let mut room = limits::RECORDS_SHOWN_BYTES;
    all.take(most)
        .map(|(sheet, row)| record(workbook, sheet, row))
        .map_while(|record| {
            room = room.checked_sub(record.to_string().len())?;
            Some(record)
        })
        .collect()
}

fn record(workbook: &Workbook, sheet: &Sheet, row: &Row) -> Value {
    let values: Map<String, Value> = typed(workbook, sheet, row)
        .map(|(column, cell)| (column.label.clone(), cell.json()))
        .collect();
    serde_json::json!({"source": source(sheet, row), "values": values})
}

/// The place of a record.
pub(crate) fn source(sheet: &Sheet, row: &Row) -> String {
    r1c1(
        &sheet.name,
        row.number,
        sheet.columns.first().map_or(1, |c| c.at),
    )
}

/// A cell as what its column is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Typed<'w> {
    Text(&'w str),
    Number(f64),
    Bool(bool),
    Moment(super::cell::Moment),
    /// A time or duration in milliseconds.
    Time(i64),
    /// An error, or a date that is none.
    Nothing,
}

impl Typed<'_> {
    fn json(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(*text),
            Self::Number(x) => number(*x),
            Self::Bool(x) => Value::from(*x),
            Self::Moment(moment) => Value::from(moment.to_string()),
            Self::Time(millis) => Value::from(clock(*millis)),
            Self::Nothing => Value::Null,
        }
    }
}

/// A number of the file: exact, and without `.0` where it is integral.
pub(super) fn number(x: f64) -> Value {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "guarded: integral and below 2^53"
    )]
    if x.fract() == 0.0 && x.abs() < 9_007_199_254_740_992.0 {
        Value::from(x as i64)
    } else {
        Value::from(x)
    }
}

/// The filled cells of a row with their columns.
pub(crate) fn typed<'w>(
    workbook: &'w Workbook,
    sheet: &'w Sheet,
    row: &'w Row,
) -> impl Iterator<Item = (&'w Column, Typed<'w>)> {
    let first = sheet.columns.first().map_or(1, |c| c.at);
    sheet.cells_of(row).filter_map(move |(at, cell)| {
        let column = sheet.columns.get(at.checked_sub(first)? as usize)?;
        Some((column, as_column(workbook, column, cell)))
    })
}

fn as_column<'w>(workbook: &'w Workbook, column: &Column, cell: Cell) -> Typed<'w> {
    let wanted = match column.kind {
        Kind::Integer | Kind::Number => workbook.number(cell, column.notation).map(Typed::Number),
        Kind::Boolean => workbook.boolean(cell).map(Typed::Bool),
        Kind::Date | Kind::DateTime => workbook.moment(cell, column.day_order).map(Typed::Moment),
        _ => None,
    };
    wanted.unwrap_or(match cell {
        Cell::Text(id) => Typed::Text(workbook.text(id)),
        Cell::Number(x) => Typed::Number(x),
        Cell::Bool(x) => Typed::Bool(x),
        Cell::Moment(moment) => Typed::Moment(moment),
        Cell::Time(millis) => Typed::Time(millis),
        Cell::Empty | Cell::NoDate(_) | Cell::Error(_) => Typed::Nothing,
    })
}

/// Writes all records as attached files of JSON lines, each below [`limits::RECORD_FILE_BYTES`].
pub(crate) fn attach(workbook: &Workbook, run: &Run<'_>) -> Result<Written, Error> {
    let mut lines = Lines {
        run,
        open: None,
        done: Written::default(),
    };
    let mut line = Vec::new();
    for sheet in &workbook.sheets {
        let keys: Vec<Vec<u8>> = sheet.columns.iter().map(|c| quoted(&c.label)).collect();
        let first = sheet.columns.first().map_or(1, |c| c.at);
        for row in sheet.records() {
            line.clear();
            line.extend_from_slice(b"{\"source\":");
            text(&mut line, &source(sheet, row));
            line.extend_from_slice(b",\"values\":{");
            for (nth, (column, cell)) in typed(workbook, sheet, row).enumerate() {
                if nth > 0 {
                    line.push(b',');
                }
                line.extend_from_slice(&keys[(column.at - first) as usize]);
                line.push(b':');
                value(&mut line, &cell);
            }
            line.extend_from_slice(b"}}\n");
            if !lines.push(&line)? {
                return lines.finish();
            }
        }
    }
    lines.finish()
}

fn quoted(label: &str) -> Vec<u8> {
    let mut key = Vec::new();
    text(&mut key, label);
    key
}

fn text(line: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(line, text).expect("writing a string to memory cannot fail");
}

fn value(line: &mut Vec<u8>, cell: &Typed<'_>) {
    match cell {
        Typed::Text(words) => text(line, words),
        other => serde_json::to_writer(line, &other.json())
            .expect("writing a number to memory cannot fail"),
    }
}

/// Files of lines, the last of them open.
struct Lines<'r> {
    run: &'r Run<'r>,
    open: Option<(Box<dyn Sink>, u64, Vec<u8>)>,
    done: Written,
}

/// Bytes gathered before they go to a file.
const CHUNK: usize = 64 << 10;

impl Lines<'_> {
    /// Takes a line; `false` when there is no room for it.
    fn push(&mut self, line: &[u8]) -> Result<bool, Error> {
        let full = self
            .open
            .as_ref()
            .is_some_and(|(_, bytes, _)| bytes + line.len() as u64 > limits::RECORD_FILE_BYTES);
        if full {
            self.close()?;
        }
        if self.open.is_none() {
            if self.done.files.len() as u64 >= limits::RECORD_FILES
                || line.len() as u64 > limits::RECORD_FILE_BYTES
            {
                return Ok(false);
            }
            let name = format!("records-{}.jsonl", self.done.files.len() + 1);
            let sink = self.run.files.create(&name, "application/x-ndjson")?;
            self.open = Some((sink, 0, Vec::with_capacity(2 * CHUNK)));
        }
        if let Some((sink, bytes, buffer)) = &mut self.open {
            *bytes += line.len() as u64;
            buffer.extend_from_slice(line);
            if buffer.len() >= CHUNK {
                self.run.check()?;
                write(sink.as_mut(), buffer)?;
                buffer.clear();
            }
        }
        self.done.records += 1;
        Ok(true)
    }

    fn close(&mut self) -> Result<(), Error> {
        if let Some((mut sink, _, buffer)) = self.open.take() {
            write(sink.as_mut(), &buffer)?;
            self.done.files.push(sink.finish()?);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Written, Error> {
        self.close()?;
        Ok(self.done)
    }
}

fn write(sink: &mut dyn Sink, bytes: &[u8]) -> Result<(), Error> {
    sink.write_all(bytes)
        .map_err(|e| Error::Internal(format!("cannot write the file of records: {:?}", e.kind())))
}
