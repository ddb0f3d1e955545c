//! Checks the tables row by row.
//!
//! Invariant: one pass in the order of sheets and rows, so errors come in that order; memory grows with distinct keys
//! alone. Deliberately absent: what a value should have been.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::super::cell::{Cell, r1c1};
use super::super::rules::{self, Outcome, Value};
use super::super::table::{Column, LabelDefect, Row, RowKind, Sheet, Workbook};
use super::cells;
use super::plan::Plan;
use super::report::{Age, FieldTally, Place, Report, RuleTally, Tally};
use super::sheet::{Bound, bound};
use crate::{Error, Run};

/// Rows between two looks at the stop request.
const STRIDE: u64 = 4_096;

/// Validates a workbook.
pub(in crate::excel) fn validate(
    workbook: &Workbook,
    plan: &Plan,
    run: &Run<'_>,
) -> Result<Report, Error> {
    let mut report = Report {
        declared: plan.declared,
        rules: plan
            .rules
            .iter()
            .map(|r| RuleTally {
                id: r.id.clone(),
                ..RuleTally::default()
            })
            .collect(),
        fields: plan
            .fields
            .iter()
            .map(|f| FieldTally {
                name: f.field.name.clone(),
                ..FieldTally::default()
            })
            .collect(),
        keys: (!plan.key.is_empty()).then(Tally::default),
        ..Report::default()
    };
    let sheets = bound(workbook, plan);
    report.age = Age {
        max_days: most_days(plan),
        declared: plan.timeliness.is_some(),
    };
    report.timely = if sheets.iter().all(|b| b.changed.is_none()) {
        Err("no column says when a row was last changed")
    } else if plan.as_of.is_none() {
        Err("the input has no as_of")
    } else {
        Ok(Tally::default())
    };
    for bound in &sheets {
        let mut check = Check {
            workbook,
            plan,
            bound,
            report: &mut report,
            seen: Seen::new(plan),
            run,
        };
        check.labels();
        check.rows()?;
        check.absent();
    }
    Ok(report)
}

/// Days that a row may be old.
fn most_days(plan: &Plan) -> u32 {
    let declared = plan.timeliness.as_ref();
    declared.map_or(super::builtin::YEARLY, |&(_, days)| days)
}

/// What was met before in a sheet.
struct Seen<'s> {
    /// For each field that must be unique, its values and the first row of each.
    values: Vec<Option<HashMap<Cow<'s, str>, u32>>>,
    keys: HashSet<String>,
}

impl Seen<'_> {
    fn new(plan: &Plan) -> Self {
        Self {
            values: plan
                .fields
                .iter()
                .map(|f| f.field.unique.then(HashMap::new))
                .collect(),
            keys: HashSet::new(),
        }
    }
}

struct Check<'c, 's> {
    workbook: &'s Workbook,
    plan: &'c Plan,
    bound: &'c Bound<'s>,
    report: &'c mut Report,
    seen: Seen<'s>,
    run: &'c Run<'c>,
}

impl<'s> Check<'_, 's> {
    fn sheet(&self) -> &'s Sheet {
        self.bound.sheet
    }

    /// The labels: blank and duplicate ones, and those that are needed and absent.
    fn labels(&mut self) {
        let sheet = self.sheet();
        let row = sheet.header.map_or(1, |h| h.last);
        for column in &sheet.columns {
            if !self.plan.declared {
                self.report.valid.num += column.support;
                self.report.valid.den += column.filled + column.native.error;
            }
            let place = || Place::Cell(r1c1(&sheet.name, row, column.at));
            match column.defect {
                Some(LabelDefect::Blank) => {
                    self.report.error(place, "missing-label", None, || {
                        "the column has no label".into()
                    });
                }
                Some(LabelDefect::Duplicate(first)) => {
                    self.report
                        .error(place, "duplicate-label", Some(&column.label), || {
                            format!("the same label as column {first}")
                        });
                }
                None => {}
            }
        }
        for (at, (planned, column)) in self.plan.fields.iter().zip(&self.bound.fields).enumerate() {
            if column.is_none() && (planned.field.required || self.plan.key.contains(&at)) {
                let place = || Place::Row(row_of(sheet, row));
                self.report
                    .error(place, "missing-label", Some(&planned.field.name), || {
                        "the column is missing".into()
                    });
            }
        }
        for (tally, columns) in self.report.rules.iter_mut().zip(&self.bound.rules) {
            tally.sheets_without += u64::from(columns.is_none());
        }
    }

    fn rows(&mut self) -> Result<(), Error> {
        let sheet = self.sheet();
        let last = sheet.records().last().map_or(0, |row| row.number);
        let mut next = sheet.header.map_or(1, |h| h.last + 1);
        let unlabelled: Vec<&Column> = sheet
            .columns
            .iter()
            .filter(|c| c.defect == Some(LabelDefect::Blank) && c.filled > 0)
            .collect();
        for row in &sheet.rows {
            if row.number < next || row.number > last {
                continue;
            }
            self.blank(next..row.number);
            next = row.number + 1;
            match row.kind {
                RowKind::Blank => self.blank(row.number..next),
                RowKind::Record => self.record(row, &unlabelled)?,
                RowKind::Preamble | RowKind::Header | RowKind::Total | RowKind::RepeatedHeader => {}
            }
        }
        Ok(())
    }

    /// Counts what the columns that are not there leave empty, for all rows at once.
    fn absent(&mut self) {
        let records = self.sheet().records().count() as u64;
        for (at, (planned, column)) in self.plan.fields.iter().zip(&self.bound.fields).enumerate() {
            self.report.fields[at].rows += records;
            if column.is_none() {
                self.report.fill.den += records;
                self.report.required.den += if planned.field.required { records } else { 0 };
            }
        }
    }

    /// Rows without anything between records.
    fn blank(&mut self, rows: Range<u32>) {
        let sheet = self.sheet();
        for row in rows {
            let place = || Place::Row(row_of(sheet, row));
            self.report
                .error(place, "blank-row", None, || "the row is blank".into());
        }
    }

    fn record(&mut self, row: &Row, unlabelled: &[&Column]) -> Result<(), Error> {
        if self.report.rows.is_multiple_of(STRIDE) {
            self.run.check()?;
        }
        self.report.rows += 1;
        if self.plan.declared {
            let bound = self.bound;
            for (at, column) in bound.fields.iter().enumerate() {
                if let Some(column) = column {
                    self.field(at, column, row);
                }
            }
        } else {
            self.inferred(row);
        }
        for column in unlabelled {
            if cells::is_filled(
                self.workbook,
                &self.plan.missing,
                self.sheet().cell(row, column.at),
            ) {
                let place = || Place::Cell(r1c1(&self.bound.sheet.name, row.number, column.at));
                self.report.error(place, "extra-cell", None, || {
                    "a cell in a column without a label".into()
                });
            }
        }
        self.key(row);
        self.apply_rules(row);
        self.timeliness(row);
        Ok(())
    }

    fn field(&mut self, at: usize, column: &Column, row: &Row) {
        let planned = &self.plan.fields[at];
        let sheet = self.sheet();
        let name = Some(planned.field.name.as_str());
        let needed = planned.field.required || self.plan.key.contains(&at);
        let cell = sheet.cell(row, column.at);
        let filled = cells::is_filled(self.workbook, &self.plan.missing, cell);
        let place = || Place::Cell(r1c1(&sheet.name, row.number, column.at));
        if planned.field.required {
            self.report.required.add(filled);
        }
        self.report.fill.add(filled);
        self.report.fields[at].filled += u64::from(filled);
        if let Cell::Error(_) = cell {
            self.report.valid.add(false);
            self.report.fields[at].valid.add(false);
            self.report.error(place, "type-error", name, || {
                "an error value instead of data".into()
            });
            return;
        }
        if !filled {
            if needed {
                self.report.error(place, "constraint-error", name, || {
                    "constraint \"required\": the cell is empty".into()
                });
            }
            return;
        }
        let fault = cells::fault(self.workbook, planned, column, cell);
        if let Some(fault) = &fault {
            self.report
                .error(place, fault.code, name, || fault.message.clone());
        }
        let mut valid = fault.is_none();
        if let Some(values) = &mut self.seen.values[at] {
            let first = *values
                .entry(cells::key_text(self.workbook, cell))
                .or_insert(row.number);
            if first != row.number {
                valid = false;
                self.report.error(place, "unique-error", name, || {
                    format!("the same value as in row {first}")
                });
            }
        }
        self.report.valid.add(valid);
        self.report.fields[at].valid.add(valid);
    }

    /// Without a schema only errors stand out; what is of the type of its column was counted when that was inferred.
    fn inferred(&mut self, row: &Row) {
        let sheet = self.sheet();
        for column in &sheet.columns {
            let cell = sheet.cell(row, column.at);
            let filled = cells::is_filled(self.workbook, &self.plan.missing, cell);
            self.report.fill.add(filled);
            if let Cell::Error(_) = cell {
                let place = || Place::Cell(r1c1(&sheet.name, row.number, column.at));
                self.report
                    .error(place, "type-error", Some(&column.label), || {
                        "an error value instead of data".into()
                    });
            }
        }
    }

    fn key(&mut self, row: &Row) {
        let Some(tally) = &mut self.report.keys else {
            return;
        };
        let sheet = self.bound.sheet;
        let mut key = String::new();
        let mut complete = true;
        for &at in &self.plan.key {
            let cell =
                self.bound.fields[at].map_or(Cell::Empty, |column| sheet.cell(row, column.at));
            complete &= cells::is_filled(self.workbook, &self.plan.missing, cell);
            key.push_str(&cells::key_text(self.workbook, cell));
            key.push('\u{1f}');
        }
        let fresh = complete && self.seen.keys.insert(key);
        tally.add(fresh);
        // A field that is the key alone and unique has said so already.
        let said = matches!(self.plan.key[..], [at] if self.plan.fields[at].field.unique);
        if complete && !fresh && !said {
            let place = || Place::Row(row_of(sheet, row.number));
            self.report.error(place, "unique-error", None, || {
                "an earlier row has the same primary key".into()
            });
        }
    }

    fn apply_rules(&mut self, row: &Row) {
        let sheet = self.sheet();
        for (at, planned) in self.plan.rules.iter().enumerate() {
            let Some(columns) = &self.bound.rules[at] else {
                continue;
            };
            let cell = |label: usize| -> Value<'_> {
                let cell = sheet.cell(row, columns[label].at);
                if cells::is_filled(self.workbook, &self.plan.missing, cell) {
                    cells::value(self.workbook, columns[label], cell)
                } else {
                    Value::Empty
                }
            };
            let outcome = rules::evaluate(&planned.expression, self.plan.as_of, &cell);
            let tally = &mut self.report.rules[at];
            match outcome {
                Outcome::NotApplicable => tally.not_applicable += 1,
                other => tally.held.add(other == Outcome::Holds),
            }
            tally.senseless += u64::from(outcome == Outcome::Senseless);
            if matches!(outcome, Outcome::Broken | Outcome::Senseless) {
                let place = || Place::Row(row_of(sheet, row.number));
                self.report
                    .error(place, "row-constraint", None, || match outcome {
                        Outcome::Senseless => format!(
                            "rule {:?} cannot be computed on the kinds of these cells",
                            planned.id
                        ),
                        _ => format!("rule {:?} does not hold", planned.id),
                    });
            }
        }
    }

    fn timeliness(&mut self, row: &Row) {
        let (Ok(tally), Some(as_of), Some(column)) =
            (&mut self.report.timely, self.plan.as_of, self.bound.changed)
        else {
            return;
        };
        let changed = self
            .workbook
            .moment(self.bound.sheet.cell(row, column.at), column.day_order);
        let age = changed.map(|moment| (as_of - moment.date).get_days());
        tally.add(age.is_some_and(|days| days >= 0 && days.unsigned_abs() <= most_days(self.plan)));
    }
}

/// `sheet!R5`
fn row_of(sheet: &Sheet, row: u32) -> String {
    format!("{}!R{row}", sheet.name)
}
