//! What the columns of a sheet hold: types by counting, never by guessing.
//!
//! The narrowest type that at least 95 % of the filled cells support is accepted, and every cell that is not of it is
//! an exception. Two rules keep identifiers whole: digits with leading zeros among numbers make the column
//! text, and numbers stored as text in a typed file are text. Invariant: `support + exceptions = filled + errors`.

use std::collections::BTreeMap;

use super::amounts::Notation;
use super::cell::Cell;
use super::classes::{Catalogue, Class, Classes, PATTERNS, WIDTH};
use super::dates::DayOrder;
use super::limits;
use super::table::{Column, Exception, Kind, Native, RowKind, Sheet};
use super::texts::{TextId, Texts};
use crate::{Error, Run};

/// Columns of texts with at most this many different values, each on average five times, are categorical.
const CATEGORIES: u64 = 50;

/// Types the columns of a sheet whose header is known.
pub(crate) fn infer(
    sheet: &mut Sheet,
    texts: &Texts,
    typed: bool,
    run: &Run<'_>,
) -> Result<(), Error> {
    let Some(first) = sheet.columns.first().map(|c| c.at) else {
        return Ok(());
    };
    let mut columns = std::mem::take(&mut sheet.columns);
    let mut catalogue = Catalogue::new(texts);
    let mut tallies: Vec<Tally> = columns.iter().map(|_| Tally::default()).collect();
    let mut distinct = Distinct::new(texts, columns.len());
    each(sheet, first, run, &mut |_, column, cell| {
        let classes = classes_of(cell, &mut catalogue);
        tallies[column].add(cell, classes);
        if is_value(cell, classes) {
            distinct.add(column, cell);
        }
    })?;
    for (at, (column, tally)) in columns.iter_mut().zip(&tallies).enumerate() {
        tally.decide(column, typed);
        column.distinct = distinct.count(at);
        column.categorical = column.kind == Kind::String
            && column.distinct <= CATEGORIES
            && column.filled >= 5 * column.distinct.max(1);
    }
    each(sheet, first, run, &mut |row, column, cell| {
        let classes = classes_of(cell, &mut catalogue);
        let column = &mut columns[column];
        if let Some(value_kind) = exception(cell, classes, column, typed) {
            column.exceptions_total += 1;
            if column.exceptions.len() < limits::EXCEPTIONS_SHOWN {
                column.exceptions.push(Exception { row, value_kind });
            }
        }
    })?;
    sheet.columns = columns;
    Ok(())
}

/// Visits the cells of all records: row number, index of the column, cell.
fn each(
    sheet: &Sheet,
    first: u32,
    run: &Run<'_>,
    visit: &mut dyn FnMut(u32, usize, Cell),
) -> Result<(), Error> {
    for (at, row) in sheet.rows.iter().enumerate() {
        if at.is_multiple_of(4_096) {
            run.check()?;
        }
        if row.kind == RowKind::Record {
            for (column, cell) in sheet.cells_of(row) {
                if let Some(index) = column.checked_sub(first) {
                    visit(row.number, index as usize, cell);
                }
            }
        }
    }
    Ok(())
}

fn classes_of(cell: Cell, catalogue: &mut Catalogue<'_>) -> Classes {
    match cell {
        Cell::Text(id) => catalogue.of(id),
        _ => Classes::default(),
    }
}

/// Whether a cell counts as filled: no error, no blank text.
fn is_value(cell: Cell, classes: Classes) -> bool {
    cell.is_filled() && !classes.has(Class::Blank)
}

/// What was counted in a column.
#[derive(Debug, Default)]
struct Tally {
    native: Native,
    integers: u64,
    days: u64,
    moments: u64,
    times: u64,
    filled: u64,
    classes: [u64; WIDTH],
}

impl Tally {
    fn add(&mut self, cell: Cell, classes: Classes) {
        if let Cell::Error(_) = cell {
            self.native.error += 1;
            return;
        }
        if !is_value(cell, classes) {
            return;
        }
        self.filled += 1;
        match cell {
            Cell::Text(_) => {
                self.native.text += 1;
                classes.count(&mut self.classes);
            }
            Cell::Number(x) => {
                self.native.number += 1;
                self.integers += u64::from(x.fract() == 0.0);
            }
            Cell::Bool(_) => self.native.bool += 1,
            Cell::Moment(moment) => {
                self.native.date += 1;
                let counter = if moment.millis.is_none() {
                    &mut self.days
                } else {
                    &mut self.moments
                };
                *counter += 1;
            }
            Cell::Time(_) => {
                self.native.date += 1;
                self.times += 1;
            }
            Cell::NoDate(_) => self.native.date += 1,
            Cell::Empty | Cell::Error(_) => {}
        }
    }

    fn class(&self, class: Class) -> u64 {
        self.classes[class.place()]
    }

    /// The order of day and month, where some dates of the column allow one only and none the other.
    fn order(&self) -> Option<DayOrder> {
        match (self.class(Class::DayFirst), self.class(Class::MonthFirst)) {
            (1.., 0) => Some(DayOrder::DayFirst),
            (0, 1..) => Some(DayOrder::MonthFirst),
            _ => None,
        }
    }

    /// How the numbers of an untyped column are written, where plain notation is not enough: in one notation only, and
    /// with the mark of one currency at most. `Err` where both notations fit and give other values.
    fn notation(&self) -> Result<Option<Notation>, ()> {
        let count = |class| self.class(class);
        let marks = [Class::Pound, Class::Dollar, Class::Euro];
        let marked = marks.into_iter().filter(|&mark| count(mark) > 0).count();
        if count(Class::Amount) == 0 || count(Class::Identifier) > 0 || marked > 1 {
            return Ok(None);
        }
        match (
            count(Class::Point),
            count(Class::Comma),
            count(Class::Unsettled),
        ) {
            (1.., 0, _) | (0, 0, 0) => Ok(Some(Notation::Point)),
            (0, 1.., _) => Ok(Some(Notation::Comma)),
            (0, 0, 1..) => Err(()),
            _ => Ok(None),
        }
    }

    /// Texts that are numbers in whatever notation the column has.
    fn amounts(&self) -> u64 {
        let all = [Class::Point, Class::Comma, Class::Either, Class::Unsettled];
        all.map(|class| self.class(class)).iter().sum()
    }

    fn decide(&self, column: &mut Column, typed: bool) {
        column.native = self.native;
        column.filled = self.filled;
        column.day_order = self.order();
        let either = self.class(Class::EitherOrder);
        let days = self.days
            + self.class(Class::Date)
            + if column.day_order.is_some() {
                either
            } else {
                0
            };
        let moments = days + self.moments + self.class(Class::DateTime);
        let enough = |n: u64| self.filled > 0 && n * 20 >= self.filled * 19;
        column.ambiguous_dates = either > 0
            && column.day_order.is_none()
            && enough(moments + either)
            && !enough(moments);
        // In an untyped file a text that reads as a number or truth value is one.
        let spelt = |class| if typed { 0 } else { self.class(class) };
        let numbers = self.native.number + spelt(Class::Number);
        // Identifiers among numbers: as numbers they would lose their zeros or their last digits.
        let numeric = |n: u64| {
            if self.class(Class::Identifier) > 0 {
                0
            } else {
                n
            }
        };
        let notation = if typed || !enough(self.amounts()) {
            Ok(None)
        } else {
            self.notation()
        };
        column.unsettled_numbers = notation.is_err() && !enough(numbers);
        column.notation = notation.unwrap_or(None);
        let (integers, numbers) = if column.notation.is_some() {
            (0, self.amounts())
        } else {
            (self.integers + spelt(Class::Integer), numbers)
        };
        let strings = (Kind::String, self.native.text);
        let narrow = [
            (Kind::Boolean, self.native.bool + spelt(Class::Boolean)),
            (Kind::Integer, numeric(integers)),
            (Kind::Number, numeric(numbers)),
            (Kind::Date, days),
            (Kind::DateTime, moments),
            (Kind::Time, self.times + self.class(Class::Time)),
        ]
        .into_iter()
        .chain(PATTERNS.map(|(class, kind)| (kind, self.class(class))))
        .find(|&(_, support)| enough(support));
        let (kind, support) = match narrow {
            _ if self.filled == 0 => (Kind::Empty, 0),
            Some(found) => found,
            None => strings,
        };
        column.kind = kind;
        column.support = support;
        column.base = base(kind);
    }
}

/// The type without its pattern.
fn base(kind: Kind) -> Kind {
    match kind {
        Kind::Email
        | Kind::Url
        | Kind::Phone
        | Kind::Postcode
        | Kind::OrgId
        | Kind::Iban
        | Kind::Percent
        | Kind::Currency => Kind::String,
        other => other,
    }
}

/// What a cell is instead of what its column is; `None` where it fits or is not filled.
fn exception(cell: Cell, classes: Classes, column: &Column, typed: bool) -> Option<&'static str> {
    if let Cell::Error(_) = cell {
        return Some("error");
    }
    if !is_value(cell, classes) {
        return None;
    }
    let text = |class| classes.has(class);
    let spelt = |class| !typed && classes.has(class);
    let is_day = text(Class::Date) || text(Class::EitherOrder) && column.day_order.is_some();
    let fits = match (column.kind, cell) {
        (Kind::Empty, _)
        | (Kind::String, Cell::Text(_))
        | (Kind::Boolean, Cell::Bool(_))
        | (Kind::Number, Cell::Number(_))
        | (Kind::DateTime, Cell::Moment(_))
        | (Kind::Time, Cell::Time(_)) => true,
        (Kind::Boolean, _) => spelt(Class::Boolean),
        (Kind::Integer, Cell::Number(x)) => x.fract() == 0.0,
        (Kind::Integer, _) => spelt(Class::Integer),
        (Kind::Number, _) if column.notation.is_some() => {
            let all = [Class::Point, Class::Comma, Class::Either, Class::Unsettled];
            all.into_iter().any(spelt)
        }
        (Kind::Number, _) => spelt(Class::Number),
        (Kind::Date, Cell::Moment(moment)) => moment.millis.is_none(),
        (Kind::Date, _) => is_day,
        (Kind::DateTime, _) => is_day || text(Class::DateTime),
        (kind, _) => PATTERNS
            .iter()
            .any(|&(class, of)| of == kind && text(class)),
    };
    if fits {
        return None;
    }
    Some(match cell {
        Cell::NoDate(_) => "impossible_date",
        Cell::Text(_) => not(column.kind),
        other => other.kind(),
    })
}

/// How a text is called that the pattern of a column refuses.
fn not(kind: Kind) -> &'static str {
    match kind {
        Kind::Email => "not_email",
        Kind::Url => "not_url",
        Kind::Phone => "not_phone",
        Kind::Postcode => "not_postcode",
        Kind::OrgId => "not_org_id",
        Kind::Iban => "not_iban",
        Kind::Percent => "not_percent",
        Kind::Currency => "not_currency",
        _ => "text",
    }
}

/// The different values of each column.
struct Distinct<'t> {
    texts: &'t Texts,
    /// By column: a tag of the kind, and the value's bits.
    keys: Vec<Vec<(u8, u64)>>,
    /// Texts with blanks around them, trimmed.
    trimmed: BTreeMap<&'t str, u64>,
    /// What each such text is once trimmed; others are themselves.
    same: Vec<Option<u64>>,
}

impl<'t> Distinct<'t> {
    fn new(texts: &'t Texts, columns: usize) -> Self {
        let mut this = Self {
            texts,
            keys: vec![Vec::new(); columns],
            trimmed: BTreeMap::new(),
            same: vec![None; texts.len()],
        };
        let untrimmed: Vec<TextId> = texts
            .ids()
            .filter(|&id| texts.get(id).trim().len() < texts.get(id).len())
            .collect();
        if untrimmed.is_empty() {
            return this;
        }
        for id in &untrimmed {
            let next = (texts.len() + this.trimmed.len()) as u64;
            let key = *this.trimmed.entry(texts.get(*id).trim()).or_insert(next);
            this.same[id.index()] = Some(key);
        }
        for id in texts.ids() {
            if this.same[id.index()].is_none() {
                this.same[id.index()] = this.trimmed.get(this.texts.get(id)).copied();
            }
        }
        this
    }

    fn add(&mut self, column: usize, cell: Cell) {
        let key = match cell {
            Cell::Empty | Cell::Error(_) => return,
            Cell::Text(id) => (0, self.same[id.index()].unwrap_or(id.index() as u64)),
            Cell::Number(x) => (1, (x + 0.0).to_bits()),
            Cell::Bool(x) => (2, u64::from(x)),
            Cell::Moment(moment) => {
                let date = moment.date;
                let day = (i64::from(date.year()) * 16 + i64::from(date.month())) * 32
                    + i64::from(date.day());
                (
                    3,
                    day.cast_unsigned() << 32 | u64::from(moment.millis.unwrap_or(u32::MAX)),
                )
            }
            Cell::Time(millis) => (4, millis.cast_unsigned()),
            Cell::NoDate(x) => (5, x.to_bits()),
        };
        let keys = &mut self.keys[column];
        // Now and then only, so that a column of few values stays short.
        if keys.len() == keys.capacity() && keys.len() >= 4_096 {
            keys.sort_unstable();
            keys.dedup();
        }
        keys.push(key);
    }

    fn count(&mut self, column: usize) -> u64 {
        let mut keys = std::mem::take(&mut self.keys[column]);
        keys.sort_unstable();
        keys.dedup();
        keys.len() as u64
    }
}
