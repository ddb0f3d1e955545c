//! Finds the rows that name the columns, names the columns, and tells records from other rows.
//!
//! Of the first rows the one wins that looks most like labels (`search`): texts, all different, above cells of another
//! type; of nearly equal ones the first. Invariant: labels are unique within a sheet, compared as [`Sheet::column`] does.
//! Deliberately absent: header trees; of several rows the last one gives the labels.

mod search;

use std::collections::BTreeSet;

use super::cell::Cell;
use super::classes::{Catalogue, Class};
use super::table::{Column, Header, LabelDefect, Row, RowKind, Sheet};
use super::texts::Texts;

/// Characters of a label; labels become keys of every record.
const LABEL_CHARS: usize = 256;

/// Where the header is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// To be found.
    Auto,
    /// In that row, 1-based.
    Row(u32),
}

/// Gives a sheet its header, its columns and the kinds of its rows. `false` when the sheet has no cell in the row
/// that was asked for.
pub(crate) fn apply(sheet: &mut Sheet, texts: &Texts, typed: bool, place: Place) -> bool {
    if sheet.rows.is_empty() {
        return true;
    }
    let mut finder = Finder {
        classes: Catalogue::new(texts),
        texts,
        typed,
    };
    let found = match place {
        Place::Auto => finder.find(sheet),
        Place::Row(row) => sheet.rows.iter().position(|r| r.number == row),
    };
    let missing = found.is_none() && place != Place::Auto;
    sheet.header = found.map(|at| {
        let last = sheet.rows[at].number;
        let first = if place == Place::Auto {
            finder.top(sheet, at)
        } else {
            last
        };
        Header { first, last }
    });
    sheet.columns = finder.columns(sheet, found);
    for at in 0..sheet.rows.len() {
        let kind = finder.kind(sheet, at, found);
        sheet.rows[at].kind = kind;
    }
    !missing
}

struct Finder<'t> {
    classes: Catalogue<'t>,
    texts: &'t Texts,
    typed: bool,
}

impl Finder<'_> {
    /// Whether a cell is what labels are: a text that is no number and no date.
    fn is_label(&mut self, cell: Cell) -> bool {
        let Cell::Text(id) = cell else { return false };
        let classes = self.classes.of(id);
        let other = [
            Class::Blank,
            Class::Date,
            Class::DateTime,
            Class::EitherOrder,
            Class::Email,
            Class::Url,
            Class::Amount,
        ];
        let spelt = [Class::Number, Class::Boolean, Class::Identifier];
        !other.into_iter().any(|class| classes.has(class))
            && (self.typed || !spelt.into_iter().any(|class| classes.has(class)))
    }

    fn is_blank(&mut self, cell: Cell) -> bool {
        match cell {
            Cell::Text(id) => self.classes.of(id).has(Class::Blank),
            other => other == Cell::Empty,
        }
    }

    /// Whether a cell is a number, or in an untyped file a text that reads as one or as an amount of money.
    fn is_number(&mut self, cell: Cell) -> bool {
        match cell {
            Cell::Number(_) => true,
            Cell::Text(id) if !self.typed => {
                let classes = self.classes.of(id);
                classes.has(Class::Number) || classes.has(Class::Amount)
            }
            _ => false,
        }
    }

    /// The first row of a header of several: the rows right above that hold at least two texts and nothing else.
    fn top(&mut self, sheet: &Sheet, at: usize) -> u32 {
        let mut top = at;
        while top > 0 && sheet.rows[top - 1].number + 1 == sheet.rows[top].number {
            let cells: Vec<Cell> = sheet
                .cells_of(&sheet.rows[top - 1])
                .map(|(_, cell)| cell)
                .collect();
            let labels = cells.iter().filter(|cell| self.is_label(**cell)).count();
            let filled = cells.iter().filter(|cell| !self.is_blank(**cell)).count();
            if labels < 2 || labels < filled {
                break;
            }
            top -= 1;
        }
        sheet.rows[top].number
    }

    fn columns(&mut self, sheet: &Sheet, header: Option<usize>) -> Vec<Column> {
        let below = &sheet.rows[header.unwrap_or(0)..];
        let bounds =
            below
                .iter()
                .flat_map(|row| sheet.cells_of(row))
                .fold(None, |bounds, (column, _)| {
                    let (low, high) = bounds.unwrap_or((column, column));
                    Some((column.min(low), column.max(high)))
                });
        let Some((first, last)) = bounds else {
            return Vec::new();
        };
        let mut labels = Labels::default();
        let row = header.map(|at| sheet.rows[at].clone());
        let given: Vec<String> = (first..=last)
            .map(|column| {
                row.as_ref()
                    .map_or(String::new(), |row| self.label(sheet, row, column))
            })
            .collect();
        labels.taken = given.iter().map(|label| label.to_lowercase()).collect();
        (first..=last)
            .zip(given)
            .map(|(at, given)| labels.column(at, &given, header.is_some()))
            .collect()
    }

    fn label(&mut self, sheet: &Sheet, row: &Row, column: u32) -> String {
        let cell = sheet.cell(row, column);
        let text = match cell {
            Cell::Text(id) => self.texts.get(id).trim().to_owned(),
            Cell::Number(x) => super::numbers::plain(x),
            Cell::Bool(x) => x.to_string(),
            Cell::Moment(moment) => moment.to_string(),
            Cell::Empty | Cell::Error(_) | Cell::Time(_) | Cell::NoDate(_) => String::new(),
        };
        text.chars().take(LABEL_CHARS).collect()
    }

    fn kind(&mut self, sheet: &Sheet, at: usize, header: Option<usize>) -> RowKind {
        let row = &sheet.rows[at];
        if let Some(header) = sheet.header {
            if row.number < header.first {
                return RowKind::Preamble;
            }
            if row.number <= header.last {
                return RowKind::Header;
            }
        }
        if sheet.cells_of(row).all(|(_, cell)| self.is_blank(cell)) {
            RowKind::Blank
        } else if header.is_some_and(|header| self.repeats(sheet, row, &sheet.rows[header])) {
            RowKind::RepeatedHeader
        } else if self.is_total(sheet, row) {
            RowKind::Total
        } else {
            RowKind::Record
        }
    }

    /// Whether a row says the labels again: at least two, one of them a text, at least half of all, and nothing else.
    fn repeats(&mut self, sheet: &Sheet, row: &Row, header: &Row) -> bool {
        let (mut same, mut texts) = (0, 0);
        for (column, cell) in sheet.cells_of(row) {
            if self.is_blank(cell) {
                continue;
            }
            match (cell, sheet.cell(header, column)) {
                (Cell::Text(id), Cell::Text(label))
                    if self.texts.get(id).trim() == self.texts.get(label).trim() =>
                {
                    texts += 1;
                }
                // A label that is a year.
                (cell, label) if cell == label => {}
                _ => return false,
            }
            same += 1;
        }
        texts > 0 && same >= 2 && same * 2 >= sheet.cells_of(header).count()
    }

    /// Whether a row says "Total" where it begins, or anywhere in a row that is mostly empty, beside a number.
    fn is_total(&mut self, sheet: &Sheet, row: &Row) -> bool {
        let (mut filled, mut numbers, mut said, mut first) = (0, 0, false, false);
        for (_, cell) in sheet.cells_of(row) {
            if self.is_blank(cell) {
                continue;
            }
            match cell {
                Cell::Text(id) if says_total(self.texts.get(id)) => {
                    said = true;
                    first |= filled == 0;
                }
                other => numbers += u32::from(self.is_number(other)),
            }
            filled += 1;
        }
        said && numbers > 0 && (first || filled * 2 <= sheet.columns.len())
    }
}

/// "Total", "Grand total", "Sub-total:", "Total amount".
fn says_total(text: &str) -> bool {
    const MOST: usize = 40;
    let text = text.trim();
    if text.len() > MOST {
        return false;
    }
    let bare: String = text
        .to_lowercase()
        .chars()
        .filter(char::is_ascii_alphabetic)
        .collect();
    matches!(
        bare.as_str(),
        "total"
            | "totals"
            | "grandtotal"
            | "grandtotals"
            | "subtotal"
            | "subtotals"
            | "overalltotal"
            | "totalamount"
            | "sum"
    )
}

/// Labels given so far.
#[derive(Default)]
struct Labels {
    /// All labels of the file and those made up, in lower case.
    taken: BTreeSet<String>,
    /// Where each label stood first.
    first: std::collections::BTreeMap<String, u32>,
    /// The next suffix of each duplicate.
    next: std::collections::BTreeMap<String, u32>,
}

impl Labels {
    fn column(&mut self, at: u32, given: &str, named: bool) -> Column {
        let key = given.to_lowercase();
        let (label, defect) = if given.is_empty() {
            let label = self.free(&format!("column_{at}"), None);
            (label, named.then_some(LabelDefect::Blank))
        } else if let Some(&first) = self.first.get(&key) {
            let label = self.free(given, Some(key));
            (label, Some(LabelDefect::Duplicate(first)))
        } else {
            self.first.insert(key, at);
            (given.to_owned(), None)
        };
        Column {
            at,
            label,
            defect,
            ..Column::default()
        }
    }

    /// A label that no column has, made of this one by a suffix.
    fn free(&mut self, label: &str, duplicate_of: Option<String>) -> String {
        if duplicate_of.is_none() && self.taken.insert(label.to_lowercase()) {
            return label.to_owned();
        }
        let next = self
            .next
            .entry(duplicate_of.unwrap_or_else(|| label.to_lowercase()))
            .or_insert(2);
        loop {
            let suffixed = format!("{label}_{next}");
            *next += 1;
            if self.taken.insert(suffixed.to_lowercase()) {
                return suffixed;
            }
        }
    }
}
