//! Of the first rows, the one that names the columns.
//!
//! Invariant: two rows are compared over the same rows, those below the later one, so that what stands at the end of a
//! short table speaks for neither; a later row replaces an earlier one only if it looks clearly more like labels, for
//! each row above the header is lost as a record. Deliberately absent: what the labels become.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finder, says_total};
use crate::excel::cell::Cell;
use crate::excel::classes::Class;
use crate::excel::dates;
use crate::excel::table::{Row, Sheet};

/// Rows among which the header is looked for.
const SEARCHED: usize = 20;
/// Rows below a candidate whose types are compared with it.
const BELOW: usize = 50;
/// A row this near to the one before is no better: between a header with a blank label and a row of five texts lie 0.2.
const NEAR: f64 = 0.3;
/// What labels that are all different weigh: below 0.9, so that one duplicate among three labels (0.25) does not make
/// the first row of data the header; above 0.6, so that a row of group labels, each twice, gives way to the next.
const DISTINCT: f64 = 0.75;

/// A row that may name the columns.
struct Candidate {
    at: usize,
    /// The columns of its labels.
    columns: Vec<u32>,
    /// How many labels it has, of how many columns, and how many of them differ.
    score: f64,
}

impl Candidate {
    /// How much the row looks like labels above cells of another type.
    fn over(&self, others: &BTreeSet<u32>, width: f64) -> f64 {
        let changes = self.columns.iter().filter(|c| others.contains(c)).count();
        self.score + f64::from(crate::number::small(changes)) / width
    }
}

impl Finder<'_> {
    /// The row of labels; `None` when no row has more labels than other cells.
    pub(super) fn find(&mut self, sheet: &Sheet) -> Option<usize> {
        let searched = sheet.rows.iter().take(SEARCHED + BELOW);
        let width = searched.map(|row| self.filled(sheet, row)).max()?;
        let width = f64::from(width.max(1));
        let mut best: Option<Candidate> = None;
        for at in 0..sheet.rows.len().min(SEARCHED) {
            let Some(later) = self.candidate(sheet, at, width) else {
                continue;
            };
            let better = best.as_ref().is_none_or(|earlier| {
                let others = self.others(sheet, later.at);
                later.over(&others, width) > earlier.over(&others, width) + NEAR
            });
            if better {
                best = Some(later);
            }
        }
        best.map(|row| row.at)
    }

    fn filled(&mut self, sheet: &Sheet, row: &Row) -> u32 {
        let cells = sheet.cells_of(row);
        crate::number::small(cells.filter(|&(_, cell)| !self.is_blank(cell)).count())
    }

    fn candidate(&mut self, sheet: &Sheet, at: usize, width: f64) -> Option<Candidate> {
        let row = &sheet.rows[at];
        if self.sums(sheet, row) {
            return None;
        }
        let series = self.series(sheet, at);
        let mut texts = BTreeSet::new();
        let mut columns = Vec::new();
        let (mut filled, mut distinct) = (0, 0);
        for (column, cell) in sheet.cells_of(row) {
            if self.is_blank(cell) {
                continue;
            }
            filled += 1;
            if series.contains(&column) {
                columns.push(column);
                distinct += 1;
            } else if self.is_label(cell)
                && let Cell::Text(id) = cell
            {
                columns.push(column);
                distinct += u32::from(texts.insert(self.texts.get(id).trim().to_lowercase()));
            }
        }
        if columns.is_empty() || 2 * columns.len() < filled {
            return None;
        }
        let count = f64::from(crate::number::small(columns.len()));
        let filled = f64::from(crate::number::small(filled));
        let score = count / width + DISTINCT * f64::from(distinct) / filled;
        Some(Candidate { at, columns, score })
    }

    /// Whether a row begins with "Total" and holds a number.
    fn sums(&mut self, sheet: &Sheet, row: &Row) -> bool {
        let mut cells = sheet.cells_of(row).map(|(_, cell)| cell);
        let first = cells.find(|&cell| !self.is_blank(cell));
        matches!(first, Some(Cell::Text(id)) if says_total(self.texts.get(id)))
            && cells.any(|cell| self.is_number(cell))
    }

    /// The columns that most cells below a row give another type than labels have. Total rows say nothing of a type.
    fn others(&mut self, sheet: &Sheet, at: usize) -> BTreeSet<u32> {
        let mut counts: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
        for row in sheet.rows[at + 1..].iter().take(BELOW) {
            if self.sums(sheet, row) {
                continue;
            }
            for (column, cell) in sheet.cells_of(row) {
                if self.is_blank(cell) {
                    continue;
                }
                let (labels, others) = counts.entry(column).or_default();
                let counter = if self.is_label(cell) { labels } else { others };
                *counter += 1;
            }
        }
        counts.retain(|_, (labels, others)| others > labels);
        counts.into_keys().collect()
    }

    /// The columns of a row whose cells are years or days that ascend or descend from cell to cell, above cells that
    /// are none: `Name, 2019, 2020, 2021`. There must be two at least.
    fn series(&mut self, sheet: &Sheet, at: usize) -> BTreeSet<u32> {
        let found: Vec<(u32, i64)> = sheet
            .cells_of(&sheet.rows[at])
            .filter_map(|(column, cell)| Some((column, self.point_in_time(cell)?)))
            .collect();
        let ascends = found.windows(2).all(|pair| pair[0].1 < pair[1].1);
        let descends = found.windows(2).all(|pair| pair[0].1 > pair[1].1);
        let columns: BTreeSet<u32> = found.into_iter().map(|(column, _)| column).collect();
        if columns.len() < 2 || !(ascends || descends) {
            return BTreeSet::new();
        }
        let (mut same, mut others) = (0, 0);
        for row in sheet.rows[at + 1..].iter().take(BELOW) {
            for (column, cell) in sheet.cells_of(row) {
                if self.is_blank(cell) || !columns.contains(&column) {
                    continue;
                }
                let counter = if self.point_in_time(cell).is_some() {
                    &mut same
                } else {
                    &mut others
                };
                *counter += 1;
            }
        }
        if others > same {
            columns
        } else {
            BTreeSet::new()
        }
    }

    /// A year or a day as a number that ascends with time; years and days are never near each other.
    fn point_in_time(&mut self, cell: Cell) -> Option<i64> {
        let year = |x: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "guarded: integral, of four digits"
            )]
            (x.fract() == 0.0 && (1900.0..=2100.0).contains(&x)).then_some(x as i64)
        };
        let day = |moment: crate::excel::cell::Moment| {
            let date = moment.date;
            (i64::from(date.year()) * 16 + i64::from(date.month())) * 32 + i64::from(date.day())
        };
        match cell {
            Cell::Number(x) => year(x),
            Cell::Moment(moment) => Some(day(moment)),
            Cell::Text(id) => {
                let classes = self.classes.of(id);
                let text = self.texts.get(id);
                if classes.has(Class::Integer) {
                    crate::excel::numbers::of_text(text).and_then(year)
                } else if classes.has(Class::Date) {
                    dates::of_text(text, None).map(day)
                } else {
                    None
                }
            }
            _ => None,
        }
    }
}
