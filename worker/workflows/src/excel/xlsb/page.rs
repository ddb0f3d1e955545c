//! The cells of one sheet.

use std::io::Read;

use super::super::biff::{flag, float, unpacked, word};
use super::super::cell::Cell;
use super::super::gather::{Filling, Gather};
use super::super::limits;
use super::super::number_format::{self, Shown};
use super::super::table::Used;
use super::Globals;
use super::records::{Records, wide};
use crate::Error;

/// Where the cells go.
type Target<'t, 'g> = (&'t mut Filling, &'t mut Gather<'g>);

/// Reads all cells of a sheet's part.
pub(super) fn fill<R: Read>(
    mut records: Records<R>,
    globals: &Globals,
    target: &mut Target<'_, '_>,
) -> Result<(), Error> {
    let mut page = Page {
        globals,
        row: 0,
        column: 0,
    };
    while let Some(kind) = records.next()? {
        let data = records.data();
        match kind {
            // BrtEndSheet
            0x82 => return Ok(()),
            // BrtRowHdr
            0x00 => page.row(data, target.0),
            0x01..=0x12 | 0x3E => page.cell(kind, data, target)?,
            // BrtMergeCell
            0xB0 => merged(data, target.0),
            _ => Some(()),
        }
        .ok_or_else(|| records.damaged(kind))?;
    }
    Err(records.endless())
}

/// The place that the records have come to, from 1.
struct Page<'g> {
    globals: &'g Globals,
    row: u64,
    column: u64,
}

impl Page<'_> {
    fn row(&mut self, data: &[u8], filling: &mut Filling) -> Option<()> {
        self.row = u64::from(word(data, 0)?) + 1;
        self.column = 0;
        // fDyZero
        filling.notes().hidden_rows += u64::from(data.get(11)? & 0x10 != 0);
        Some(())
    }

    /// One cell record; `None` when it is too short for what it says it is, or names what is not there.
    fn cell(
        &mut self,
        kind: u32,
        data: &[u8],
        (filling, gather): &mut Target<'_, '_>,
    ) -> Result<Option<()>, Error> {
        // The short kinds leave their column out: it is the next one.
        let (kind, style) = match kind {
            0x0C..=0x12 => (short(kind), 0),
            _ => (kind, 4),
        };
        let column = match style {
            0 => Some(self.column + 1),
            _ => word(data, 0).map(|column| u64::from(column) + 1),
        };
        let (Some(column), Some(format)) = (column, word(data, style)) else {
            return Ok(None);
        };
        self.column = column;
        let Some(cell) = self.value(kind, &data[style + 4..], format & 0xFF_FFFF, gather)? else {
            return Ok(None);
        };
        if self.row == 0 {
            return Ok(None);
        }
        if let 0x08..=0x0B = kind {
            filling.formula(self.row, column, true);
        }
        filling.put(gather, (self.row, column), cell)?;
        Ok(Some(()))
    }

    fn value(
        &self,
        kind: u32,
        data: &[u8],
        format: u32,
        gather: &mut Gather<'_>,
    ) -> Result<Option<Cell>, Error> {
        let shown = |x| {
            let shown = self.globals.shown.get(format as usize).copied();
            number_format::cell(x, shown.unwrap_or(Shown::Number), self.globals.is_1904)
        };
        let text = |text: Option<(String, usize)>, gather: &mut Gather<'_>| match text {
            Some((text, _)) => gather.text(&text).map(Some),
            None => Ok(None),
        };
        Ok(match kind {
            // Blank, RK, error, truth value, double.
            0x01 => Some(Cell::Empty),
            0x02 => word(data, 0).map(|rk| shown(unpacked(rk))),
            0x03 | 0x0B => data.first().map(|&code| flag(code, true)),
            0x04 | 0x0A => data.first().map(|&value| flag(value, false)),
            0x05 | 0x09 => float(data, 0).map(shown),
            // Text, plain or rich.
            0x06 | 0x08 => text(wide(data, 0), gather)?,
            0x3E => text(wide(data, 1), gather)?,
            _ => match word(data, 0).and_then(|at| self.globals.strings.get(at as usize)) {
                Some(&(id, bytes)) if bytes > 0 => Some(gather.known(id, bytes)?),
                Some(_) => Some(Cell::Empty),
                None => None,
            },
        })
    }
}

/// The kind of which a short kind is the short form.
fn short(kind: u32) -> u32 {
    match kind {
        0x0C => 0x01,
        0x0D => 0x02,
        0x0E => 0x03,
        0x0F => 0x04,
        0x10 => 0x05,
        0x11 => 0x06,
        _ => 0x07,
    }
}

fn merged(data: &[u8], filling: &mut Filling) -> Option<()> {
    let at = |i| word(data, i)?.checked_add(1);
    let area = Used {
        first_row: at(0)?,
        last_row: at(4)?,
        first_column: at(8)?,
        last_column: at(12)?,
    };
    let notes = filling.notes();
    notes.merged_total += 1;
    if notes.merged.len() < limits::NOTES_SHOWN {
        notes.merged.push(area);
    }
    Some(())
}
