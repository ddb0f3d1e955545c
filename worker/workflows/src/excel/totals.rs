//! Sums of the numeric columns, and whether rows that claim to be totals are right.
//!
//! Sums are exact: each number is the decimal that a person sees. Invariant: only records are summed; what is filled
//! and no number is counted, not skipped in silence. Deliberately absent: conversion of currencies.

mod currencies;

use currencies::Currencies;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Value, json};

use super::amounts::Notation;
use super::cell::{Cell, a1, r1c1};
use super::table::{Column, Kind, Row, RowKind, Sheet, Workbook};
use super::{exact, limits};
use crate::document::Document;
use crate::number::maybe;

/// Total rows listed per column.
const MAX_CHECKS: usize = 50;

/// Writes `totals`.
pub(super) fn fill(workbook: &Workbook, doc: &mut Document) {
    let mut totals = Vec::new();
    let all = workbook.sheets.iter().flat_map(|sheet| {
        let summed = sheet.columns.iter().filter(|c| is_summed(c));
        summed.map(move |column| (sheet, column))
    });
    for (sheet, column) in all.clone().take(limits::TOTALS_SHOWN) {
        totals.push(Sums::new(workbook, sheet, column).json(sheet, column));
    }
    let count = all.count();
    if count > limits::TOTALS_SHOWN {
        doc.warn(format!(
            "totals lists the first {} of {count} columns of numbers",
            limits::TOTALS_SHOWN
        ));
    }
    if totals.iter().any(|t: &Value| t["sum"].is_null()) {
        doc.because(
            "/totals/*/sum",
            "null where a number or the sum has more than 28 digits",
        );
    }
    if totals.iter().any(|t: &Value| {
        t["checks"]
            .as_array()
            .is_some_and(|c| c.iter().any(|c| c["matches"].is_null()))
    }) {
        doc.because(
            "/totals/*/checks/*/matches",
            "null where there is no exact sum to compare with",
        );
    }
    if totals.iter().any(|t: &Value| t["by_currency"].is_null()) {
        doc.because(
            "/totals/*/by_currency",
            "null where a sheet has no column of currencies, or several",
        );
    }
    doc.set("totals", totals);
}

/// Columns of numbers; also columns of text in which half of the cells are numbers, for those are what sums miss.
fn is_summed(column: &Column) -> bool {
    matches!(column.kind, Kind::Number | Kind::Integer | Kind::Percent)
        || (column.native.number > 0 && 2 * column.native.number >= column.filled)
}

/// The sums of a column.
struct Sums<'s> {
    /// Of all records; `None` above 28 digits.
    sum: Option<Decimal>,
    numbers: u64,
    /// Filled cells that are no number.
    others: u64,
    errors: u64,
    negative: u64,
    /// How the numbers of the column are written.
    notation: Option<Notation>,
    by_currency: Option<Currencies<'s>>,
    checks: Vec<Check>,
    checks_total: u64,
    wrong: u64,
}

/// A row that claims to be a total.
struct Check {
    row: u32,
    stated: Decimal,
    /// The sum since the total before, and the sum of all records above.
    block: Option<Decimal>,
    above: Option<Decimal>,
}

impl Check {
    /// Whether the row states the sum of its block or of all above it.
    fn matches(&self) -> Option<bool> {
        let (block, above) = (self.block?, self.above?);
        Some(self.stated == block || self.stated == above)
    }
}

impl<'s> Sums<'s> {
    fn new(workbook: &Workbook, sheet: &'s Sheet, column: &Column) -> Self {
        let mut sums = Self {
            notation: column.notation,
            sum: Some(Decimal::ZERO),
            numbers: 0,
            others: 0,
            errors: 0,
            negative: 0,
            by_currency: Currencies::of(sheet),
            checks: Vec::new(),
            checks_total: 0,
            wrong: 0,
        };
        let mut block = Some(Decimal::ZERO);
        for row in &sheet.rows {
            let cell = sheet.cell(row, column.at);
            match row.kind {
                RowKind::Record => sums.record(workbook, (sheet, row), cell, &mut block),
                RowKind::Total => sums.total(workbook, row, cell, &mut block),
                RowKind::Preamble | RowKind::Header | RowKind::Blank | RowKind::RepeatedHeader => {}
            }
        }
        sums
    }

    fn record(
        &mut self,
        workbook: &Workbook,
        (sheet, row): (&Sheet, &Row),
        cell: Cell,
        block: &mut Option<Decimal>,
    ) {
        if let Some(x) = workbook.number(cell, self.notation) {
            let exact = exact::decimal(x);
            if let Some(sums) = &mut self.by_currency {
                sums.add(workbook, sheet, row, exact);
            }
            let add = |sum: Option<Decimal>| sum?.checked_add(exact?);
            self.sum = add(self.sum);
            *block = add(*block);
            self.numbers += 1;
            self.negative += u64::from(x < 0.0);
        } else if let Cell::Error(_) = cell {
            self.errors += 1;
        } else if !workbook.plain(cell).trim().is_empty() {
            self.others += 1;
        }
    }

    fn total(&mut self, workbook: &Workbook, row: &Row, cell: Cell, block: &mut Option<Decimal>) {
        let Some(stated) = workbook
            .number(cell, self.notation)
            .and_then(exact::decimal)
        else {
            return;
        };
        let check = Check {
            row: row.number,
            stated,
            block: *block,
            above: self.sum,
        };
        *block = Some(Decimal::ZERO);
        self.checks_total += 1;
        self.wrong += u64::from(check.matches() == Some(false));
        if self.checks.len() < MAX_CHECKS {
            self.checks.push(check);
        }
    }

    fn json(&self, sheet: &Sheet, column: &Column) -> Value {
        let checks: Vec<Value> = self
            .checks
            .iter()
            .map(|check| {
                let expected = if Some(check.stated) == check.above { check.above } else { check.block };
                json!({"cell": r1c1(&sheet.name, check.row, column.at), "stated": number(Some(check.stated)),
                    "expected": number(expected), "matches": check.matches()})
            })
            .collect();
        json!({
            "sheet": sheet.name,
            "column": column.label,
            "at": a1(sheet.header.map_or(1, |h| h.last), column.at),
            "sum": number(self.sum),
            "sum_exact": self.sum.map(|x| x.normalize().to_string()),
            "n": self.numbers,
            "not_numeric": self.others,
            "errors": self.errors,
            "negative": self.negative,
            "by_currency": self.by_currency.as_ref().map(Currencies::json),
            "checks": checks,
            "checks_total": self.checks_total,
            "checks_wrong": self.wrong,
            "method": "exact decimal sum over records",
        })
    }
}

/// A decimal as a number of 12 digits; comparisons were made before, exactly.
fn number(x: Option<Decimal>) -> Value {
    maybe(x.and_then(|x| x.to_f64()))
}
