//! What one workbook may ask for: fixed numbers, the same for every input. Sources: WORKFLOWS 8.1 unless said.
//!
//! Invariant: whatever is above a hard limit ends as `limit_exceeded` before it is allocated; above a soft one the
//! result says so and stays correct.

use serde_json::{Value, json};

/// Bytes of the file.
pub(crate) const FILE_BYTES: u64 = 25 << 20;
/// Members of a zip container.
pub(crate) const ZIP_ENTRIES: u64 = 1_000;
/// Bytes of all members of a zip container after inflating, declared and counted.
pub(crate) const INFLATED_BYTES: u64 = 256 << 20;
/// Inflated : deflated bytes of a member that is read, once it is above [`RATIO_GRACE`].
pub(crate) const INFLATE_RATIO: u64 = 100;
/// Members up to this size may have any ratio.
pub(crate) const RATIO_GRACE: u64 = 100 << 10;
/// Shared strings, declared and counted.
pub(crate) const SHARED_STRINGS: u64 = 2_000_000;
/// Markup in parts that describe the workbook (styles, relations, names): each element may cost a reader some hundred
/// bytes, so half a million stay far below the memory of a run.
pub(crate) const DESCRIPTION_ELEMENTS: u64 = 500_000;
/// Bytes of one element's markup, or of the text between two elements: 32,767 characters, each escaped at length,
/// are a quarter of this.
pub(crate) const MARKUP_RUN: u64 = 1 << 20;
/// Bytes of the markup of one cell or shared string with its rich text.
pub(crate) const CELL_MARKUP: u64 = 8 << 20;
/// Sheets of a workbook.
pub(crate) const SHEETS: u64 = 256;
/// Rows of a sheet.
pub(crate) const ROWS: u64 = 1_048_576;
/// Columns of a sheet.
pub(crate) const COLUMNS: u64 = 16_384;
/// Cells that hold something, in all sheets.
pub(crate) const CELLS: u64 = 5_000_000;
/// Largest row x largest column of a sheet.
pub(crate) const RECTANGLE: u64 = 50_000_000;
/// Characters of one cell.
pub(crate) const CELL_CHARS: u64 = 32_767;
/// Bytes of text in all cells, repetitions counted: it bounds the work of everything that follows.
pub(crate) const TEXT_BYTES: u64 = 128 << 20;
/// Records shown in the result itself, unless `limits.records` says otherwise. Soft.
pub(crate) const RECORDS_SHOWN: u64 = 100;
/// The most that `limits.records` may ask for: the result stays readable.
pub(crate) const RECORDS_SHOWN_MOST: u64 = 10_000;
/// Bytes of the records shown, as JSON; with all other parts a result stays below the 64 MiB that it may have. Soft.
pub(crate) const RECORDS_SHOWN_BYTES: usize = 8 << 20;
/// Exceptions listed of all columns together. Soft.
pub(crate) const EXCEPTIONS_SHOWN_ALL: usize = 20_000;
/// Columns whose sums are listed. Soft.
pub(crate) const TOTALS_SHOWN: usize = 5_000;
/// Characters of the name of a sheet, which every coordinate repeats; spreadsheets allow 31, or some more.
pub(crate) const SHEET_NAME_CHARS: u64 = 256;
/// Exceptions listed per column. Soft.
pub(crate) const EXCEPTIONS_SHOWN: usize = 50;
/// Coordinates listed per note of a sheet. Soft.
pub(crate) const NOTES_SHOWN: usize = 50;
/// Bytes of one attached file of records; then the next one begins. Below the cap on files of a run, 64 MiB.
pub(crate) const RECORD_FILE_BYTES: u64 = 48 << 20;
/// Attached files of records. Soft: what does not fit is left out and said so.
pub(crate) const RECORD_FILES: u64 = 8;
/// Columns of all sheets described in the result. Soft.
pub(crate) const COLUMNS_SHOWN: usize = 20_000;

/// The numbers as an output lists them.
pub(crate) fn listed() -> Value {
    json!({
        "file_bytes": FILE_BYTES,
        "zip_entries": ZIP_ENTRIES,
        "inflated_bytes": INFLATED_BYTES,
        "inflate_ratio": INFLATE_RATIO,
        "inflate_ratio_grace_bytes": RATIO_GRACE,
        "shared_strings": SHARED_STRINGS,
        "description_elements": DESCRIPTION_ELEMENTS,
        "markup_run_bytes": MARKUP_RUN,
        "cell_markup_bytes": CELL_MARKUP,
        "sheets": SHEETS,
        "rows": ROWS,
        "columns": COLUMNS,
        "cells": CELLS,
        "used_rectangle": RECTANGLE,
        "cell_characters": CELL_CHARS,
        "text_bytes": TEXT_BYTES,
        "records_shown": RECORDS_SHOWN,
        "records_shown_most": RECORDS_SHOWN_MOST,
        "records_shown_bytes": RECORDS_SHOWN_BYTES,
        "exceptions_shown": EXCEPTIONS_SHOWN_ALL,
        "totals_shown": TOTALS_SHOWN,
        "sheet_name_characters": SHEET_NAME_CHARS,
        "exceptions_shown_per_column": EXCEPTIONS_SHOWN,
        "notes_shown_per_sheet": NOTES_SHOWN,
        "record_file_bytes": RECORD_FILE_BYTES,
        "record_files": RECORD_FILES,
        "columns_shown": COLUMNS_SHOWN,
    })
}
