//! One cell: what it holds, and how its place is written.
//!
//! Invariant: a cell is 16 bytes and owns nothing; text is an id into [`super::texts::Texts`]. Rows and columns count
//! from 1, as people do. Deliberately absent: formulas and formats; a cell is its last calculated value.

use std::fmt::Write as _;

use jiff::civil::Date;

use super::texts::TextId;

/// Milliseconds of a day.
pub(crate) const DAY_MS: u32 = 86_400_000;

/// What a cell holds. Kinds are those of the file ("native"): a number stored as text is text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell {
    /// Nothing, or text of length 0.
    Empty,
    /// Text as it stands, untrimmed; of a CSV file every cell is text.
    Text(TextId),
    /// A finite number that is not shown as a date.
    Number(f64),
    /// True or false.
    Bool(bool),
    /// A date, with or without a time of day.
    Moment(Moment),
    /// A time without a date: milliseconds, also above a day or negative (durations).
    Time(i64),
    /// A number shown as a date that is none: serial 60 of the 1900 system (the fictitious 1900-02-29), or out of range.
    NoDate(f64),
    /// `#N/A` and its kin: missing, and a validity error.
    Error(CellError),
}

const _: () = assert!(size_of::<Cell>() == 16);

/// A civil date and perhaps the time of day. Zones are dropped: spreadsheets have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Moment {
    /// The day.
    pub(crate) date: Date,
    /// Milliseconds since midnight; `None` where the cell holds a whole day.
    pub(crate) millis: Option<u32>,
}

impl Moment {
    /// A whole day.
    pub(crate) fn day(date: Date) -> Self {
        Self { date, millis: None }
    }
}

impl std::fmt::Display for Moment {
    /// `2027-03-31`, or with a time `2027-03-31T17:00:00` (and `.250` where there are fractions).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.date)?;
        match self.millis {
            Some(millis) => write!(f, "T{}", clock(i64::from(millis))),
            None => Ok(()),
        }
    }
}

/// Milliseconds as `hh:mm:ss`, with `.mmm` where there are fractions; hours may exceed 24.
pub(crate) fn clock(millis: i64) -> String {
    let (sign, total) = (if millis < 0 { "-" } else { "" }, millis.unsigned_abs());
    let (seconds, rest) = (total / 1_000, total % 1_000);
    let (h, m, s) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{sign}{h:02}:{m:02}:{s:02}");
    if rest > 0 {
        write!(text, ".{rest:03}").expect("a String takes all text");
    }
    text
}

/// The errors that a cell can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CellError {
    Null,
    Div0,
    Value,
    Ref,
    Name,
    Num,
    NA,
    GettingData,
    Other,
}

impl CellError {
    /// All, by what the cell shows.
    const ALL: [Self; 8] = [
        Self::Null,
        Self::Div0,
        Self::Value,
        Self::Ref,
        Self::Name,
        Self::Num,
        Self::NA,
        Self::GettingData,
    ];

    /// The error that a cell shows; [`CellError::Other`] for one that is not known.
    pub(crate) fn named(shown: &str) -> Self {
        let known = Self::ALL.into_iter().find(|error| error.as_str() == shown);
        known.unwrap_or(Self::Other)
    }

    /// The error of that code in a binary file. [MS-XLS] 2.5.10.
    pub(crate) fn coded(code: u8) -> Self {
        match code {
            0x00 => Self::Null,
            0x07 => Self::Div0,
            0x0F => Self::Value,
            0x17 => Self::Ref,
            0x1D => Self::Name,
            0x24 => Self::Num,
            0x2A => Self::NA,
            0x2B => Self::GettingData,
            _ => Self::Other,
        }
    }

    /// As the cell shows it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Null => "#NULL!",
            Self::Div0 => "#DIV/0!",
            Self::Value => "#VALUE!",
            Self::Ref => "#REF!",
            Self::Name => "#NAME?",
            Self::Num => "#NUM!",
            Self::NA => "#N/A",
            Self::GettingData => "#GETTING_DATA",
            Self::Other => "#ERROR!",
        }
    }
}

impl Cell {
    /// Whether the cell counts as filled: it holds something that is not an error.
    pub(crate) fn is_filled(self) -> bool {
        !matches!(self, Self::Empty | Self::Error(_))
    }

    /// The native kind, as `native_types` and `value_kind` name it.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Text(_) => "text",
            Self::Number(_) => "number",
            Self::Bool(_) => "bool",
            Self::Moment(_) | Self::Time(_) | Self::NoDate(_) => "date",
            Self::Error(_) => "error",
        }
    }
}

/// The letters of a column: 1 is `A`, 27 is `AA`.
pub(crate) fn letters(mut column: u32) -> String {
    let mut reversed = Vec::new();
    while column > 0 {
        reversed.push(char::from(
            b'A' + u8::try_from((column - 1) % 26).unwrap_or(0),
        ));
        column = (column - 1) / 26;
    }
    reversed.iter().rev().collect()
}

/// `C5` for row 5, column 3.
pub(crate) fn a1(row: u32, column: u32) -> String {
    format!("{}{row}", letters(column))
}

/// `sheet!R5C3`, the coordinate of results and errors.
pub(crate) fn r1c1(sheet: &str, row: u32, column: u32) -> String {
    format!("{sheet}!R{row}C{column}")
}
