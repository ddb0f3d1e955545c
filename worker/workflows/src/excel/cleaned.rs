//! The cleaned workbook: the records of each sheet under unique labels, typed and trimmed.
//!
//! Invariant: text is only ever written as text, and what a spreadsheet might take for a formula when the cell is
//! edited or exported carries the quote prefix (CWE-1236); the same workbook gives the same bytes. Deliberately absent:
//! titles, totals, blank rows, formats of the original.

use std::collections::BTreeSet;
use std::io::{Seek, SeekFrom, Write};

use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format, Workbook as Book, Worksheet, XlsxError,
};

use super::cell::{DAY_MS, Moment, clock};
use super::records::{Typed, typed};
use super::table::{Sheet, Workbook};
use crate::files::Sink;
use crate::{Error, FileLink, Run};

const MEDIA_TYPE: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Writes the workbook as a file of the run.
pub(crate) fn attach(workbook: &Workbook, run: &Run<'_>) -> Result<FileLink, Error> {
    let mut book = Book::new();
    let long_ago = ExcelDateTime::from_ymd(2000, 1, 1).map_err(|e| failed(&e))?;
    book.set_properties(&DocProperties::new().set_creation_datetime(&long_ago));
    let formats = Formats::new();
    let mut names = BTreeSet::new();
    for (at, sheet) in workbook.sheets.iter().enumerate() {
        let page = book
            .add_worksheet_with_constant_memory()
            .map_err(|e| failed(&e))?;
        page.set_name(free_name(&sheet.name, at, &mut names))
            .map_err(|e| failed(&e))?;
        fill(page, workbook, sheet, (&formats, run))?;
    }
    if workbook.sheets.is_empty() {
        book.add_worksheet();
    }
    let mut sink = run.files.create("cleaned.xlsx", MEDIA_TYPE)?;
    book.save_to_writer(Through(sink.as_mut()))
        .map_err(|e| failed(&e))?;
    sink.finish()
}

/// A sink as a plain writer.
struct Through<'s>(&'s mut dyn Sink);

impl Write for Through<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Seek for Through<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

/// Only the kind: messages of the writer may quote what was written.
fn failed(error: &XlsxError) -> Error {
    let kind = match error {
        XlsxError::IoError(_) | XlsxError::ZipError(_) => "the file cannot be written",
        _ => "a cell or sheet was refused",
    };
    Error::Internal(format!("cannot make the cleaned workbook: {kind}"))
}

struct Formats {
    label: Format,
    quoted: Format,
    day: Format,
    moment: Format,
}

impl Formats {
    fn new() -> Self {
        Self {
            label: Format::new().set_bold(),
            quoted: Format::new().set_quote_prefix(),
            day: Format::new().set_num_format("yyyy-mm-dd"),
            moment: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
        }
    }
}

fn fill(
    page: &mut Worksheet,
    workbook: &Workbook,
    sheet: &Sheet,
    (formats, run): (&Formats, &Run<'_>),
) -> Result<(), Error> {
    let mut row = 0;
    let first = sheet.columns.first().map_or(1, |c| c.at);
    // Without a header every row may be a record, and then there is no room for one more.
    if sheet.header.is_some() {
        for (at, column) in (0..).zip(&sheet.columns) {
            let format = if is_dangerous(&column.label) {
                &formats.quoted
            } else {
                &formats.label
            };
            page.write_string_with_format(row, at, &column.label, format)
                .map_err(|e| failed(&e))?;
        }
        row += 1;
    }
    for record in sheet.records() {
        if row.is_multiple_of(4_096) {
            run.check()?;
        }
        for (column, cell) in typed(workbook, sheet, record) {
            let at = u16::try_from(column.at - first).unwrap_or(u16::MAX);
            put(page, (row, at), &cell, formats).map_err(|e| failed(&e))?;
        }
        row += 1;
    }
    Ok(())
}

fn put(
    page: &mut Worksheet,
    (row, at): (u32, u16),
    cell: &Typed<'_>,
    formats: &Formats,
) -> Result<(), XlsxError> {
    match cell {
        Typed::Text(text) => write_text(page, (row, at), text.trim(), formats)?,
        Typed::Number(x) => {
            page.write_number(row, at, *x)?;
        }
        Typed::Bool(x) => {
            page.write_boolean(row, at, *x)?;
        }
        Typed::Moment(moment) => match serial(*moment) {
            Some(serial) => {
                let format = if moment.millis.is_none() {
                    &formats.day
                } else {
                    &formats.moment
                };
                page.write_number_with_format(row, at, serial, format)?;
            }
            None => write_text(page, (row, at), &moment.to_string(), formats)?,
        },
        Typed::Time(millis) => write_text(page, (row, at), &clock(*millis), formats)?,
        Typed::Nothing => {}
    }
    Ok(())
}

fn write_text(
    page: &mut Worksheet,
    (row, at): (u32, u16),
    text: &str,
    formats: &Formats,
) -> Result<(), XlsxError> {
    if text.is_empty() {
        return Ok(());
    }
    if is_dangerous(text) {
        page.write_string_with_format(row, at, text, &formats.quoted)?;
    } else {
        page.write_string(row, at, text)?;
    }
    Ok(())
}

/// Whether a spreadsheet might run a text: it begins, perhaps behind white space, with `=`, `+`, `-`, `@`, a tab, a
/// carriage return, NUL, or the full-width form of one of the four. OWASP ASVS 1.2.10.
pub(crate) fn is_dangerous(text: &str) -> bool {
    let control = text.starts_with(['\t', '\r', '\0', '\n']);
    control
        || text
            .trim_start()
            .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\0'])
}

/// The day as a number of the 1900 system; `None` before 1900-03-01, where programs disagree.
fn serial(moment: Moment) -> Option<f64> {
    let epoch = jiff::civil::Date::constant(1899, 12, 30);
    let days = epoch.until(moment.date).ok()?.get_days();
    let time = f64::from(moment.millis.unwrap_or(0)) / f64::from(DAY_MS);
    (days > 60).then(|| f64::from(days) + time)
}

/// A name that a spreadsheet accepts: at most 31 characters, none of `[]:*?/\`, no quote at its ends, none twice.
fn free_name(name: &str, at: usize, taken: &mut BTreeSet<String>) -> String {
    const MOST: usize = 31;
    let clean: String = name
        .chars()
        .filter(|c| !matches!(c, '[' | ']' | ':' | '*' | '?' | '/' | '\\') && !c.is_control())
        .collect();
    let clean = clean.trim_matches('\'').trim();
    // Spreadsheets count UTF-16 units.
    let fits = !clean.is_empty()
        && clean.encode_utf16().count() <= MOST
        && !clean.eq_ignore_ascii_case("history");
    if fits && taken.insert(clean.to_lowercase()) {
        return clean.to_owned();
    }
    let mut nth = at + 1;
    while !taken.insert(format!("sheet{nth}")) {
        nth += 1;
    }
    format!("Sheet{nth}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_dangerous_however_they_hide() {
        for text in [
            "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\rx", "\0=", "  =1", "\u{a0}=1", "＝1", "－1",
            "\nx",
        ] {
            assert!(is_dangerous(text), "{text:?}");
        }
        for text in ["", "a=1", "1-2", "x@y.org", "'=1"] {
            assert!(!is_dangerous(text), "{text:?}");
        }
    }

    #[test]
    fn names_of_sheets_are_always_accepted() {
        let mut taken = BTreeSet::new();
        let long = "x".repeat(40);
        for (at, name) in ["A/B", "ab", "AB", "", "'q'", &long, "History"]
            .iter()
            .enumerate()
        {
            let free = free_name(name, at, &mut taken);
            assert!(
                Worksheet::new().set_name(&free).is_ok(),
                "{name:?} -> {free:?}"
            );
        }
        assert_eq!(taken.len(), 7);
    }
}
