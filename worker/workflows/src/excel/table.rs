//! The model that reading, inference, validation and output share: a workbook as typed tables.
//!
//! Life of a workbook: a reader fills `rows` and `cells`; `header` names the columns and gives every row its kind;
//! `infer` types the columns; from then on nothing changes. Invariants: rows ascend by `number` and rows without any
//! cell are absent; the cells of a row ascend by column and hold no [`Cell::Empty`]; `columns[i].at` ascends.
//! Memory: 18 bytes a filled cell, each distinct text once: 100,000 x 20 cells are 36 MB and their texts.
//!
//! To read a cell as what it means use [`Workbook::number`], [`Workbook::boolean`], [`Workbook::moment`] and
//! [`Workbook::plain`]: they know that all cells of a CSV file are text. Deliberately absent: cells as strings.

use std::borrow::Cow;
use std::ops::Range;

use super::amounts::{self, Notation};
use super::cell::{Cell, Moment, clock};
use super::dates::{self, DayOrder};
use super::numbers;
use super::texts::{TextId, Texts};

/// The file formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Xlsx,
    Xls,
    Xlsb,
    Ods,
    Csv,
}

impl Format {
    /// As the field `format` of the input names it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Xlsx => "xlsx",
            Self::Xls => "xls",
            Self::Xlsb => "xlsb",
            Self::Ods => "ods",
            Self::Csv => "csv",
        }
    }
}

/// A workbook that was read.
#[derive(Debug)]
pub(crate) struct Workbook {
    /// What the bytes are.
    pub(crate) format: Format,
    /// The sheets that were asked for, in the order of the file.
    pub(crate) sheets: Vec<Sheet>,
    /// All texts.
    pub(crate) texts: Texts,
    /// What a reader should know, with coordinates and counts, never contents.
    pub(crate) warnings: Vec<String>,
}

impl Workbook {
    /// A text.
    pub(crate) fn text(&self, id: TextId) -> &str {
        self.texts.get(id)
    }

    /// Whether the file says of each cell what it is. Not so in CSV: there a text that reads as a number is one.
    pub(crate) fn is_typed(&self) -> bool {
        self.format != Format::Csv
    }

    /// The cell as a number: a native one, or in an untyped file a text in plain notation, or in the one that the
    /// column settled on. A number stored as text in a typed file is `None`.
    pub(crate) fn number(&self, cell: Cell, notation: Option<Notation>) -> Option<f64> {
        match cell {
            Cell::Number(x) => Some(x),
            Cell::Text(id) if !self.is_typed() => match notation {
                Some(notation) => amounts::of_text(self.text(id), notation),
                None => numbers::of_text(self.text(id)),
            },
            _ => None,
        }
    }

    /// The cell as a truth value: a native one, or in an untyped file `true` or `false` in any case.
    pub(crate) fn boolean(&self, cell: Cell) -> Option<bool> {
        match cell {
            Cell::Bool(x) => Some(x),
            Cell::Text(id) if !self.is_typed() => {
                let text = self.text(id).trim();
                [("true", true), ("false", false)]
                    .into_iter()
                    .find_map(|(name, value)| text.eq_ignore_ascii_case(name).then_some(value))
            }
            _ => None,
        }
    }

    /// The cell as a date: a native one, or (in any format) a text in an unambiguous notation, or in the order of day
    /// and month that the column settled on.
    pub(crate) fn moment(&self, cell: Cell, order: Option<DayOrder>) -> Option<Moment> {
        match cell {
            Cell::Moment(moment) => Some(moment),
            Cell::Text(id) => dates::of_text(self.text(id), order),
            _ => None,
        }
    }

    /// The cell as text: for keys, patterns and comparisons. Numbers in their shortest form, dates as ISO 8601; empty
    /// and error cells are `""`. Text is untrimmed.
    pub(crate) fn plain(&self, cell: Cell) -> Cow<'_, str> {
        match cell {
            Cell::Empty | Cell::Error(_) => Cow::Borrowed(""),
            Cell::Text(id) => Cow::Borrowed(self.text(id)),
            Cell::Number(x) | Cell::NoDate(x) => Cow::Owned(numbers::plain(x)),
            Cell::Bool(x) => Cow::Borrowed(if x { "true" } else { "false" }),
            Cell::Moment(moment) => Cow::Owned(moment.to_string()),
            Cell::Time(millis) => Cow::Owned(clock(millis)),
        }
    }
}

/// One sheet as a table.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    /// Its name; `csv` for a CSV file.
    pub(crate) name: String,
    /// Whether the workbook hides it. Hidden sheets are read like others.
    pub(crate) hidden: bool,
    /// The rectangle of the filled cells; `None` when there are none.
    pub(crate) used: Option<Used>,
    /// The rows that name the columns; `None` when the sheet has no cell.
    pub(crate) header: Option<Header>,
    /// The columns between the first and the last that has a label or a cell.
    pub(crate) columns: Vec<Column>,
    /// The rows that have a cell, header included.
    pub(crate) rows: Vec<Row>,
    /// The columns (1-based) of all cells, row after row.
    pub(super) places: Vec<u16>,
    /// The cells, in step with `places`.
    pub(super) cells: Vec<Cell>,
    /// What the file says of the sheet beside its cells.
    pub(crate) notes: Notes,
}

/// A rectangle of cells, both ends included, 1-based.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) first_row: u32,
    pub(crate) last_row: u32,
    pub(crate) first_column: u32,
    pub(crate) last_column: u32,
}

/// The rows that name the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The first of them, 1-based. Above it stand titles, which are no data.
    pub(crate) first: u32,
    /// The last of them: the row that gives the labels. More than one row is flagged by a warning.
    pub(crate) last: u32,
}

/// What a file says of a sheet beside its cells. Coordinates are (row, column), 1-based; lists are capped, counts not.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Rectangles that are merged into their top left cell.
    pub(crate) merged: Vec<Used>,
    /// How many there are.
    pub(crate) merged_total: u64,
    /// Formula cells without a cached value: read as empty.
    pub(crate) uncalculated: Vec<(u32, u32)>,
    /// How many there are.
    pub(crate) uncalculated_total: u64,
    /// Number of formula cells.
    pub(crate) formulas: u64,
    /// Number of rows that are hidden; they are read like others.
    pub(crate) hidden_rows: u64,
}

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowKind {
    /// Above the header: titles and notes.
    Preamble,
    /// Names the columns.
    Header,
    /// Data.
    Record,
    /// Only blank texts or error-free emptiness between records. Rows without any cell are not listed at all: a gap
    /// in `number` is as many blank rows.
    Blank,
    /// A sum over records ("Total", "Grand total"); no record.
    Total,
    /// The labels once more; no record.
    RepeatedHeader,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its number in the sheet, 1-based.
    pub(crate) number: u32,
    /// What it is.
    pub(crate) kind: RowKind,
    /// Its cells in `Sheet::places` and `Sheet::cells`.
    pub(super) span: Range<u32>,
}

impl Sheet {
    /// The records, in order.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Row> + Clone {
        self.rows.iter().filter(|row| row.kind == RowKind::Record)
    }

    /// The filled cells of a row with their columns (1-based), in order.
    pub(crate) fn cells_of(&self, row: &Row) -> impl Iterator<Item = (u32, Cell)> + Clone {
        let span = row.span.start as usize..row.span.end as usize;
        let places = self.places[span.clone()].iter();
        places
            .map(|&place| u32::from(place))
            .zip(self.cells[span].iter().copied())
    }

    /// The cell of a row in a column (1-based), [`Cell::Empty`] if there is none.
    pub(crate) fn cell(&self, row: &Row, column: u32) -> Cell {
        let start = row.span.start as usize;
        let places = &self.places[start..row.span.end as usize];
        let Some(&first) = places.first() else {
            return Cell::Empty;
        };
        // Most rows have no gaps, and then a subtraction finds the cell.
        let guess = column.wrapping_sub(u32::from(first)) as usize;
        if places.get(guess).is_some_and(|&p| u32::from(p) == column) {
            return self.cells[start + guess];
        }
        places
            .binary_search_by(|&p| u32::from(p).cmp(&column))
            .map_or(Cell::Empty, |at| self.cells[start + at])
    }

    /// The column with that label, compared without case and surrounding white space.
    pub(crate) fn column(&self, label: &str) -> Option<&Column> {
        let wanted = label.trim().to_lowercase();
        self.columns
            .iter()
            .find(|c| c.label.trim().to_lowercase() == wanted)
    }
}

/// One column of a sheet, with what its records hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Column {
    /// Its number in the sheet, 1-based.
    pub(crate) at: u32,
    /// Its name, unique in the sheet: the label, suffixed (`_2`) where it is a duplicate, `column_7` where it is blank.
    pub(crate) label: String,
    /// What is wrong with the label as it stands in the file.
    pub(crate) defect: Option<LabelDefect>,
    /// The narrowest type that at least 95 % of the filled cells support.
    pub(crate) kind: Kind,
    /// The type without its pattern: `string` for `email`.
    pub(crate) base: Kind,
    /// A string column of few values.
    pub(crate) categorical: bool,
    /// Filled cells that are of this `kind`.
    pub(crate) support: u64,
    /// Filled cells: neither empty nor blank text nor error.
    pub(crate) filled: u64,
    /// Distinct values among the filled cells (texts trimmed).
    pub(crate) distinct: u64,
    /// What the cells natively are, errors included.
    pub(crate) native: Native,
    /// Cells that are not of this `kind`, errors included; the first of them, in order of rows.
    pub(crate) exceptions: Vec<Exception>,
    /// How many there are.
    pub(crate) exceptions_total: u64,
    /// Both day/month and month/day fit every text date: they are not read as dates.
    pub(crate) ambiguous_dates: bool,
    /// The order of day and month in text dates, where the column settles it.
    pub(crate) day_order: Option<DayOrder>,
    /// How numbers with separators or marks of a currency are written, where an untyped column settles it.
    pub(crate) notation: Option<Notation>,
    /// Texts that are numbers, but of another value with a decimal comma than with a point: they are not read as numbers.
    pub(crate) unsettled_numbers: bool,
}

/// What is wrong with a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LabelDefect {
    /// There is none: Frictionless `missing-label` (with cells below: `extra-cell`).
    Blank,
    /// The same as that of an earlier column (its number): Frictionless `duplicate-label`.
    Duplicate(u32),
}

/// Counts of native kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Native {
    pub(crate) number: u64,
    pub(crate) text: u64,
    pub(crate) date: u64,
    pub(crate) bool: u64,
    pub(crate) error: u64,
}

/// A cell that is not what its column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exception {
    /// Its row, 1-based.
    pub(crate) row: u32,
    /// What it is instead: its native kind, or `impossible_date`, or `not_<type>` for a text that the pattern refuses.
    pub(crate) value_kind: &'static str,
}

/// The types of columns, narrow ones first where they nest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Kind {
    #[default]
    Empty,
    Boolean,
    Integer,
    Percent,
    Number,
    Date,
    DateTime,
    Time,
    Email,
    Url,
    Phone,
    Postcode,
    OrgId,
    Iban,
    Currency,
    String,
}

impl Kind {
    /// As `columns[].type` and the fields of a schema name it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Percent => "percent",
            Self::Number => "number",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Time => "time",
            Self::Email => "email",
            Self::Url => "url",
            Self::Phone => "phone",
            Self::Postcode => "postcode",
            Self::OrgId => "org_id",
            Self::Iban => "iban",
            Self::Currency => "currency",
            Self::String => "string",
        }
    }
}
