//! The sums of a column apart by the currency that stands beside each number.
//!
//! Invariant: the sums by currency add up to the sum of the column. Deliberately absent: conversion; guesses which of
//! several columns of currencies belongs to a column of amounts.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::super::table::{Column, Kind, Row, Sheet, Workbook};
use super::super::validation::formats::is_currency;
use super::number;

/// Numbers beside an empty cell or something that is no code of ISO 4217.
const OTHER: &str = "other";

/// Sums by code.
pub(super) struct Currencies<'s> {
    column: &'s Column,
    sums: BTreeMap<String, (Option<Decimal>, u64)>,
}

impl<'s> Currencies<'s> {
    /// By the column of currencies of a sheet, if it has exactly one.
    pub(super) fn of(sheet: &'s Sheet) -> Option<Self> {
        let mut found = sheet.columns.iter().filter(|c| c.kind == Kind::Currency);
        let column = found.next().filter(|_| found.next().is_none())?;
        Some(Self {
            column,
            sums: BTreeMap::new(),
        })
    }

    pub(super) fn add(
        &mut self,
        workbook: &Workbook,
        sheet: &Sheet,
        row: &Row,
        x: Option<Decimal>,
    ) {
        let beside = workbook.plain(sheet.cell(row, self.column.at));
        let code = beside.trim();
        let code = if is_currency(code) { code } else { OTHER };
        if !self.sums.contains_key(code) {
            self.sums.insert(code.to_owned(), (Some(Decimal::ZERO), 0));
        }
        if let Some((sum, n)) = self.sums.get_mut(code) {
            *sum = sum.zip(x).and_then(|(sum, x)| sum.checked_add(x));
            *n += 1;
        }
    }

    pub(super) fn json(&self) -> Value {
        let sums: Map<String, Value> = self
            .sums
            .iter()
            .map(|(code, (sum, n))| {
                let exact = sum.map(|x| x.normalize().to_string());
                let entry = json!({"sum": number(*sum), "sum_exact": exact, "n": n});
                (code.clone(), entry)
            })
            .collect();
        Value::Object(sums)
    }
}
