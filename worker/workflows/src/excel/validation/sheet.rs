//! Which column of a sheet is which field, and which the columns of a rule are.
//!
//! Invariant: a binding is made once per sheet; rows are then checked by column numbers alone.

use super::super::table::{Column, Sheet, Workbook};
use super::plan::Plan;

/// A sheet and its columns by the fields and rules of a plan.
#[derive(Debug)]
pub(super) struct Bound<'s> {
    pub(super) sheet: &'s Sheet,
    /// For each field of the plan its column.
    pub(super) fields: Vec<Option<&'s Column>>,
    /// For each rule of the plan the columns of its labels; `None` when the sheet lacks one.
    pub(super) rules: Vec<Option<Vec<&'s Column>>>,
    /// The column of last changes.
    pub(super) changed: Option<&'s Column>,
}

impl<'s> Bound<'s> {
    fn new(sheet: &'s Sheet, plan: &Plan) -> Self {
        let by_label = |label: &str| match plan.field(label) {
            Some(field) => field.names().find_map(|name| sheet.column(name)),
            None => sheet.column(label),
        };
        let rule = |labels: &[String]| labels.iter().map(|label| by_label(label)).collect();
        Self {
            sheet,
            fields: plan
                .fields
                .iter()
                .map(|f| f.field.names().find_map(|name| sheet.column(name)))
                .collect(),
            rules: plan
                .rules
                .iter()
                .map(|r| rule(&r.expression.labels))
                .collect(),
            changed: plan
                .timeliness
                .as_ref()
                .and_then(|(label, _)| by_label(label)),
        }
    }
}

/// The sheets that a plan is about: without a schema all that have columns; with one those that have a column of it,
/// and if none has, the first with columns, so that what is missing is said.
pub(super) fn bound<'s>(workbook: &'s Workbook, plan: &Plan) -> Vec<Bound<'s>> {
    let sheets = workbook
        .sheets
        .iter()
        .filter(|s| s.header.is_some() && !s.columns.is_empty());
    let mut all: Vec<Bound<'s>> = sheets.map(|sheet| Bound::new(sheet, plan)).collect();
    if plan.declared && !plan.fields.is_empty() {
        let matches = |b: &Bound<'_>| b.fields.iter().any(Option::is_some);
        if all.iter().any(matches) {
            all.retain(matches);
        } else {
            all.truncate(1);
        }
    }
    all
}
