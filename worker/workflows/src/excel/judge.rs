//! The judging half of a run: entities, validation, quality and totals of a workbook that was read.
//!
//! [`Plans::new`] checks the parameters before a byte is read; [`fill`] judges the tables and writes `validation`,
//! `quality`, `totals`, `entities` and `entity_resolution`. Deliberately absent: reading, inference, output files.

#[cfg(test)]
mod tests;

use jiff::civil::Date;

use super::entities::{self, Entities};
use super::table::{Row, Sheet, Workbook};
use super::validation::{self, SchemaChoice};
use super::{quality, totals};
use crate::document::Document;
use crate::{Error, Run};

/// What is to be judged, checked.
#[derive(Debug)]
pub(super) struct Plans {
    validation: validation::Plan,
    entities: Option<entities::Plan>,
}

impl Plans {
    /// Checks the parameters `schema` and `entities` of an input.
    pub(super) fn new(
        schema: Option<&SchemaChoice>,
        entities: Option<&Entities>,
        as_of: Option<Date>,
    ) -> Result<Self, Error> {
        Ok(Self {
            validation: validation::Plan::new(schema, as_of)?,
            entities: entities
                .map(|e| entities::Plan::new(e, "/entities"))
                .transpose()?,
        })
    }
}

/// Judges a workbook. Whether a soft limit left something out.
pub(super) fn fill(
    workbook: &Workbook,
    plans: &Plans,
    run: &Run<'_>,
    doc: &mut Document,
) -> Result<bool, Error> {
    let report = validation::validate(workbook, &plans.validation, run)?;
    doc.set("validation", report.json());
    for rule in report.rules.iter().filter(|r| r.sheets_without > 0) {
        doc.warn(format!(
            "rule {:?} names a column that {} of the judged sheets lack; it was not applied there",
            rule.id, rule.sheets_without
        ));
    }
    quality::fill(&report, doc);
    totals::fill(workbook, doc);
    let Some(plan) = &plans.entities else {
        no_entities("the input asks for no entities", doc);
        return Ok(false);
    };
    let has = |label: &str| workbook.sheets.iter().any(|s| s.column(label).is_some());
    let plan = &plan.clone().with_roles(has);
    let rows = Records::new(workbook, plan);
    if rows.rows.is_empty() {
        for label in plan.labels().take(plan.compared()).filter(|l| !has(l)) {
            doc.warn(format!(
                "entities were not resolved: no sheet has the column {label:?}"
            ));
        }
        no_entities("no sheet has records and one of the compared columns", doc);
        return Ok(false);
    }
    for (label, missing) in plan.labels().zip(&rows.sheets_without) {
        if *missing > 0 {
            doc.warn(format!(
                "{missing} of the sheets with entities lack the column {label:?}"
            ));
        }
    }
    let resolution = entities::resolve(plan, rows.texts(), run)?;
    Ok(entities::fill(&resolution, &rows, doc))
}

fn no_entities(reason: &str, doc: &mut Document) {
    for name in ["entities", "entity_resolution"] {
        doc.set(name, serde_json::Value::Null);
        doc.because(format!("/{name}"), reason);
    }
}

/// The limits of judging, as an output lists them.
pub(super) fn limits() -> serde_json::Value {
    serde_json::json!({
        "validation_errors_shown": validation::MAX_ERRORS,
        "entities_shown": entities::MAX_ENTITIES,
        "entity_pairs_shown": entities::MAX_PAIRS_LISTED,
        "entity_bytes_shown": entities::MAX_BYTES,
        "entity_block_profiles": entities::MAX_BLOCK,
        "entity_pairs": entities::MAX_PAIRS,
        "entity_values": entities::MAX_VALUES,
    })
}

/// The records of all sheets that have a compared column.
struct Records<'w> {
    workbook: &'w Workbook,
    sheets: Vec<(&'w Sheet, Vec<Option<u32>>)>,
    /// Of each record its sheet (in `sheets`) and its row.
    rows: Vec<(usize, &'w Row)>,
    /// For each column of the plan, how many of `sheets` lack it.
    sheets_without: Vec<usize>,
}

impl<'w> Records<'w> {
    fn new(workbook: &'w Workbook, plan: &entities::Plan) -> Self {
        let mut sheets: Vec<(&Sheet, Vec<Option<u32>>)> = workbook
            .sheets
            .iter()
            .map(|sheet| {
                (
                    sheet,
                    plan.labels()
                        .map(|label| sheet.column(label).map(|c| c.at))
                        .collect(),
                )
            })
            .collect();
        sheets.retain(|(_, columns)| columns[..plan.compared()].iter().any(Option::is_some));
        let rows = sheets.iter().enumerate();
        let rows = rows
            .flat_map(|(at, (sheet, _))| sheet.records().map(move |row| (at, row)))
            .collect();
        let lacking = |column: usize| {
            sheets
                .iter()
                .filter(|(_, columns)| columns[column].is_none())
                .count()
        };
        let sheets_without = (0..plan.labels().count()).map(lacking).collect();
        Self {
            workbook,
            sheets,
            rows,
            sheets_without,
        }
    }

    fn cell(&self, record: usize, column: usize) -> std::borrow::Cow<'w, str> {
        let (at, row) = self.rows[record];
        let (sheet, columns) = &self.sheets[at];
        columns[column].map_or("".into(), |column| {
            self.workbook.plain(sheet.cell(row, column))
        })
    }

    fn texts(&self) -> impl Iterator<Item = Vec<std::borrow::Cow<'w, str>>> + '_ {
        let columns = self.sheets_without.len();
        (0..self.rows.len()).map(move |record| {
            (0..columns)
                .map(|column| self.cell(record, column))
                .collect()
        })
    }
}

impl entities::Rows for Records<'_> {
    fn source(&self, row: u32) -> String {
        let (at, row) = self.rows[row as usize];
        format!("{}!R{}", self.sheets[at].0.name, row.number)
    }

    fn text(&self, row: u32, column: usize) -> String {
        self.cell(row as usize, column).into_owned()
    }
}
