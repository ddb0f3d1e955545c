//! Reads the records of an xls workbook ([MS-XLS]): BIFF8, and BIFF5 of Excel 5 and 95.
//!
//! An own reader, because a general one makes a full rectangle of every sheet, and text of every formula. Invariant:
//! memory follows the cells that are there. Deliberately absent: formulas, formats other than dates.

mod globals;
mod records;
mod strings;

use globals::Globals;
use records::{Record, Records};
use strings::Segments;

use super::cell::{Cell, CellError};
use super::gather::{Filling, Gather};
use super::guard::refused;
use super::limits;
use super::read::Wanted;
use super::table::{Sheet, Used};
use crate::Error;

/// Reads the wanted sheets of a workbook stream.
pub(crate) fn read(
    stream: &[u8],
    wanted: &Wanted<'_>,
    gather: &mut Gather<'_>,
) -> Result<Vec<Sheet>, Error> {
    let globals = Globals::read(stream, gather)?;
    wanted.check(globals.sheets.iter().map(|s| s.name.as_str()))?;
    let mut done = Vec::new();
    for (at, listed) in globals.sheets.iter().enumerate() {
        if !wanted.has(&listed.name) {
            continue;
        }
        gather.run.step(0.1, "reading cells")?;
        let mut page = Page {
            globals: &globals,
            filling: Filling::new(listed.name.clone(), listed.hidden),
            formula: None,
            nth: at + 1,
        };
        let body = stream.get(listed.offset..).ok_or_else(|| page.damaged(0))?;
        page.fill(body, gather)?;
        done.push(page.filling.finish());
    }
    Ok(done)
}

/// One sheet while it is read.
struct Page<'g> {
    globals: &'g Globals,
    filling: Filling,
    /// The formula cell whose text comes in the next record.
    formula: Option<(u64, u64)>,
    nth: usize,
}

impl Page<'_> {
    fn damaged(&self, kind: u16) -> Error {
        refused(format!(
            "sheet {} is damaged: a record of type {kind:#06x} is cut off or wrong",
            self.nth
        ))
    }

    fn fill(&mut self, body: &[u8], gather: &mut Gather<'_>) -> Result<(), Error> {
        let mut depth = 0_u32;
        for record in Records::new(body) {
            let Ok(record) = record else {
                return Err(self.damaged(0));
            };
            match record.kind {
                // Charts stand inside of sheets, with cells of their own.
                records::BOF => depth += 1,
                records::EOF if depth <= 1 => return Ok(()),
                records::EOF => depth -= 1,
                _ if depth == 1 => {
                    self.record(&record, gather)?
                        .ok_or_else(|| self.damaged(record.kind))?;
                }
                _ => {}
            }
        }
        Err(refused(format!(
            "sheet {} has no end: the file is truncated",
            self.nth
        )))
    }

    /// One record; `None` when it is too short for what it says it is.
    fn record(
        &mut self,
        record: &Record<'_>,
        gather: &mut Gather<'_>,
    ) -> Result<Option<()>, Error> {
        let data = record.data;
        let Some(at) = place(data) else {
            return Ok(Some(()));
        };
        let cell = match record.kind {
            0x0203 => float(data, 6).map(|x| self.globals.shown(data, x)),
            0x027E => word(data, 6).map(|rk| self.globals.shown(data, unpacked(rk))),
            0x0205 => data.get(6..8).map(|v| flag(v[0], v[1] != 0)),
            0x00FD => match word(data, 6).and_then(|at| self.globals.strings.get(at as usize)) {
                Some(&(id, bytes)) if bytes > 0 => Some(gather.known(id, bytes)?),
                Some(_) => Some(Cell::Empty),
                None => None,
            },
            0x0204 | 0x00D6 => match self.globals.text(&mut Segments::new(record).skipping(6)) {
                Some(text) => Some(gather.text(&text)?),
                None => None,
            },
            0x00BD => return self.many(data, at, gather),
            0x0006 => self.formula(data, at),
            0x0207 => return self.formula_text(record, gather),
            0x0208 => {
                // ROW: the flag fDyZero of a row with height 0.
                let hidden = data.get(12).is_some_and(|flags| flags & 0x20 != 0);
                self.filling.notes().hidden_rows += u64::from(hidden);
                return Ok(Some(()));
            }
            0x00E5 => return Ok(self.merged(data)),
            _ => return Ok(Some(())),
        };
        let Some(cell) = cell else { return Ok(None) };
        self.filling.put(gather, at, cell)?;
        Ok(Some(()))
    }

    /// MULRK: numbers side by side.
    fn many(
        &mut self,
        data: &[u8],
        (row, first): (u64, u64),
        gather: &mut Gather<'_>,
    ) -> Result<Option<()>, Error> {
        let Some(numbers) = data.len().checked_sub(6).and_then(|n| data.get(4..4 + n)) else {
            return Ok(None);
        };
        for (nth, rk) in numbers.chunks_exact(6).enumerate() {
            let Some(value) = word(rk, 2) else {
                return Ok(None);
            };
            let format = u16::from_le_bytes([rk[0], rk[1]]);
            let cell = self.globals.formatted(format, unpacked(value));
            self.filling.put(gather, (row, first + nth as u64), cell)?;
        }
        Ok(Some(()))
    }

    /// FORMULA: its cached value, or that it comes next.
    fn formula(&mut self, data: &[u8], at: (u64, u64)) -> Option<Cell> {
        let value = data.get(6..14)?;
        let cell = if value[6..] == [0xFF, 0xFF] {
            match value[0] {
                0 => {
                    self.formula = Some(at);
                    return Some(Cell::Empty);
                }
                1 => flag(value[2], false),
                2 => flag(value[2], true),
                _ => Cell::Empty,
            }
        } else {
            self.globals.shown(data, float(data, 6)?)
        };
        // Type 3 is an empty text, which is a calculated value.
        self.filling.formula(at.0, at.1, true);
        Some(cell)
    }

    /// STRING: the text that a formula gave.
    fn formula_text(
        &mut self,
        record: &Record<'_>,
        gather: &mut Gather<'_>,
    ) -> Result<Option<()>, Error> {
        let Some(at) = self.formula.take() else {
            return Ok(Some(()));
        };
        let Some(text) = self.globals.text(&mut Segments::new(record)) else {
            return Ok(None);
        };
        let cell = gather.text(&text)?;
        self.filling.formula(at.0, at.1, true);
        self.filling.put(gather, at, cell)?;
        Ok(Some(()))
    }

    fn merged(&mut self, data: &[u8]) -> Option<()> {
        let count = usize::from(half(data, 0)?);
        let areas = data.get(2..2 + count * 8)?;
        let notes = self.filling.notes();
        for area in areas.chunks_exact(8) {
            let at = |i| half(area, i).map(|n| u32::from(n) + 1);
            let area = Used {
                first_row: at(0)?,
                last_row: at(2)?,
                first_column: at(4)?,
                last_column: at(6)?,
            };
            notes.merged_total += 1;
            if notes.merged.len() < limits::NOTES_SHOWN {
                notes.merged.push(area);
            }
        }
        Some(())
    }
}

pub(super) fn half(data: &[u8], at: usize) -> Option<u16> {
    let b = data.get(at..at + 2)?;
    Some(u16::from_le_bytes([b[0], b[1]]))
}

pub(super) fn word(data: &[u8], at: usize) -> Option<u32> {
    let b = data.get(at..at + 4)?;
    Some(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

pub(super) fn float(data: &[u8], at: usize) -> Option<f64> {
    let b: [u8; 8] = data.get(at..at + 8)?.try_into().ok()?;
    Some(f64::from_le_bytes(b))
}

/// The place of a cell record, from 1.
fn place(data: &[u8]) -> Option<(u64, u64)> {
    Some((u64::from(half(data, 0)?) + 1, u64::from(half(data, 2)?) + 1))
}

pub(super) fn flag(value: u8, is_error: bool) -> Cell {
    if is_error {
        Cell::Error(CellError::coded(value))
    } else {
        Cell::Bool(value != 0)
    }
}

/// The number of an RK: 30 bits, of an integer or the front of a double, perhaps in hundredths. [MS-XLS] 2.5.218.
pub(super) fn unpacked(rk: u32) -> f64 {
    let x = if rk & 2 != 0 {
        f64::from(rk.cast_signed() >> 2)
    } else {
        f64::from_bits(u64::from(rk & !3) << 32)
    };
    if rk & 1 != 0 { x / 100.0 } else { x }
}
