//! Takes cells from a reader, one by one, and counts them against the caps.
//!
//! Invariant: nothing above a cap of [`limits`] is ever stored; a finished sheet fulfils the invariants of
//! [`super::table`], in whatever order its cells came. Deliberately absent: formats of files.

use super::cell::{Cell, CellError};
use super::guard::AT;
use super::limits;
use super::table::{Notes, Row, RowKind, Sheet, Used};
use super::texts::{TextId, Texts};
use crate::{Error, Run};

/// What all sheets share while they are read.
pub(crate) struct Gather<'a> {
    pub(crate) run: &'a Run<'a>,
    pub(crate) texts: Texts,
    text_bytes: u64,
    cells: u64,
}

impl<'a> Gather<'a> {
    pub(crate) fn new(run: &'a Run<'a>) -> Self {
        Self {
            run,
            texts: Texts::default(),
            text_bytes: 0,
            cells: 0,
        }
    }

    /// A text as a cell; the empty one is no cell.
    pub(crate) fn text(&mut self, text: &str) -> Result<Cell, Error> {
        if text.is_empty() {
            return Ok(Cell::Empty);
        }
        if text.len() as u64 > limits::CELL_CHARS {
            let characters = text.chars().count() as u64;
            Error::cap("cell_characters", characters, limits::CELL_CHARS, AT)?;
        }
        let id = self.texts.intern(text)?;
        self.known(id, text.len())
    }

    /// Counts a cell that stands in one more place.
    pub(crate) fn again(&mut self, cell: Cell) -> Result<(), Error> {
        if let Cell::Text(id) = cell {
            self.known(id, self.texts.get(id).len())?;
        }
        Ok(())
    }

    /// A text that was seen before, and its length in bytes.
    pub(crate) fn known(&mut self, id: TextId, bytes: usize) -> Result<Cell, Error> {
        self.text_bytes += bytes as u64;
        Error::cap("text_bytes", self.text_bytes, limits::TEXT_BYTES, AT)?;
        Ok(Cell::Text(id))
    }
}

/// A number as a cell: what is not finite is an error, as spreadsheets show it.
pub(crate) fn number(x: f64) -> Cell {
    if x.is_finite() {
        Cell::Number(x)
    } else {
        Cell::Error(CellError::Num)
    }
}

/// One sheet while its cells come in.
#[derive(Debug, Default)]
pub(crate) struct Filling {
    sheet: Sheet,
    last: (u32, u32),
    bottom: u64,
    right: u64,
    /// A cell came before one that it should follow.
    disordered: bool,
}

impl Filling {
    pub(crate) fn new(name: String, hidden: bool) -> Self {
        Self {
            sheet: Sheet {
                name,
                hidden,
                ..Sheet::default()
            },
            ..Self::default()
        }
    }

    pub(crate) fn notes(&mut self) -> &mut Notes {
        &mut self.sheet.notes
    }

    /// A formula cell; `calculated` tells whether the file holds its value.
    pub(crate) fn formula(&mut self, row: u64, column: u64, calculated: bool) {
        let notes = &mut self.sheet.notes;
        notes.formulas += 1;
        if calculated {
            return;
        }
        notes.uncalculated_total += 1;
        if notes.uncalculated.len() < limits::NOTES_SHOWN
            && let (Ok(row), Ok(column)) = (u32::try_from(row), u32::try_from(column))
        {
            notes.uncalculated.push((row, column));
        }
    }

    /// Puts a cell at (row, column), both from 1. A later one at the same place replaces an earlier one.
    pub(crate) fn put(
        &mut self,
        gather: &mut Gather<'_>,
        at: (u64, u64),
        cell: Cell,
    ) -> Result<(), Error> {
        if cell == Cell::Empty {
            return Ok(());
        }
        let (row, column) = at;
        if row > self.bottom || column > self.right {
            self.widen(row, column)?;
        }
        gather.cells += 1;
        if gather.cells.is_multiple_of(16_384) {
            gather.run.check()?;
        }
        Error::cap("cells", gather.cells, limits::CELLS, AT)?;
        let (row, place) = (small(row), small(column));
        if (row, place) <= self.last {
            self.disordered = true;
        }
        let end = small(self.sheet.cells.len() as u64);
        if row != self.last.0 || self.sheet.rows.is_empty() {
            self.sheet.rows.push(Row {
                number: row,
                kind: RowKind::Record,
                span: end..end,
            });
        }
        if let Some(open) = self.sheet.rows.last_mut() {
            open.span.end = end + 1;
        }
        self.last = (row, place);
        self.sheet
            .places
            .push(u16::try_from(place).unwrap_or(u16::MAX));
        self.sheet.cells.push(cell);
        Ok(())
    }

    fn widen(&mut self, row: u64, column: u64) -> Result<(), Error> {
        Error::cap("rows", row, limits::ROWS, AT)?;
        Error::cap("columns", column, limits::COLUMNS, AT)?;
        self.bottom = self.bottom.max(row);
        self.right = self.right.max(column);
        Error::cap(
            "used_rectangle",
            self.bottom * self.right,
            limits::RECTANGLE,
            AT,
        )
    }

    /// The sheet, in order.
    pub(crate) fn finish(mut self) -> Sheet {
        if self.disordered {
            sort(&mut self.sheet);
        }
        let sheet = &mut self.sheet;
        sheet.rows.shrink_to_fit();
        sheet.cells.shrink_to_fit();
        sheet.places.shrink_to_fit();
        let (first, last) = (sheet.rows.first(), sheet.rows.last());
        if let (Some(first), Some(last)) = (first, last) {
            let left = sheet.places.iter().min().copied().unwrap_or(1);
            let right = sheet.places.iter().max().copied().unwrap_or(1);
            sheet.used = Some(Used {
                first_row: first.number,
                last_row: last.number,
                first_column: left.into(),
                last_column: right.into(),
            });
        }
        self.sheet
    }
}

/// Callers are behind the caps on rows, columns and cells.
fn small(n: u64) -> u32 {
    u32::try_from(n).expect("rows, columns and cells are capped far below 2^32")
}

/// Orders rows and the cells within; of cells at one place the last one stays.
fn sort(sheet: &mut Sheet) {
    let mut all: Vec<(u32, u16, Cell)> = Vec::with_capacity(sheet.cells.len());
    for row in &sheet.rows {
        let span = row.span.start as usize..row.span.end as usize;
        for at in span {
            all.push((row.number, sheet.places[at], sheet.cells[at]));
        }
    }
    all.sort_by_key(|&(row, column, _)| (row, column));
    all.reverse();
    all.dedup_by_key(|&mut (row, column, _)| (row, column));
    all.reverse();
    sheet.rows.clear();
    sheet.places = all.iter().map(|&(_, column, _)| column).collect();
    sheet.cells = all.iter().map(|&(_, _, cell)| cell).collect();
    for (at, &(number, _, _)) in all.iter().enumerate() {
        let at = small(at as u64);
        match sheet.rows.last_mut() {
            Some(row) if row.number == number => row.span.end = at + 1,
            _ => sheet.rows.push(Row {
                number,
                kind: RowKind::Record,
                span: at..at + 1,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_in_any_order_make_the_same_sheet() {
        let run = Run::unattended();
        let mut gather = Gather::new(&run);
        let mut filling = Filling::new("S".into(), false);
        for (row, column, x) in [
            (3, 2, 1.0),
            (1, 5, 2.0),
            (3, 1, 3.0),
            (3, 2, 4.0),
            (2, 1, 5.0),
        ] {
            filling
                .put(&mut gather, (row, column), Cell::Number(x))
                .unwrap();
        }
        let sheet = filling.finish();
        let numbers: Vec<u32> = sheet.rows.iter().map(|r| r.number).collect();
        assert_eq!(numbers, [1, 2, 3]);
        let third: Vec<_> = sheet.cells_of(&sheet.rows[2]).collect();
        assert_eq!(third, [(1, Cell::Number(3.0)), (2, Cell::Number(4.0))]);
        assert_eq!(sheet.cell(&sheet.rows[0], 5), Cell::Number(2.0));
        assert_eq!(sheet.cell(&sheet.rows[0], 4), Cell::Empty);
        let used = sheet.used.unwrap();
        assert_eq!((used.first_column, used.last_column), (1, 5));
    }

    #[test]
    fn two_cells_at_opposite_corners_are_refused() {
        let run = Run::unattended();
        let mut gather = Gather::new(&run);
        let mut filling = Filling::new("S".into(), false);
        filling.put(&mut gather, (1, 1), Cell::Bool(true)).unwrap();
        let corner = filling.put(&mut gather, (1_048_576, 16_384), Cell::Bool(true));
        assert!(
            matches!(corner, Err(Error::LimitExceeded { limit, .. }) if limit == "used_rectangle")
        );
        let below = filling.put(&mut gather, (1_048_577, 1), Cell::Bool(true));
        assert!(matches!(below, Err(Error::LimitExceeded { limit, .. }) if limit == "rows"));
    }
}
