//! What validation found: errors with coordinates, exact counts, and the tallies that scores are made of.
//!
//! Invariant: messages and coordinates never hold the content of a cell.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Errors listed in a result; counts are exact.
pub(in crate::excel) const MAX_ERRORS: usize = 1_000;

/// Numerator and denominator of a share.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::excel) struct Tally {
    pub(in crate::excel) num: u64,
    pub(in crate::excel) den: u64,
}

impl Tally {
    /// One more case, and whether it is good.
    pub(in crate::excel) fn add(&mut self, good: bool) {
        self.den += 1;
        self.num += u64::from(good);
    }
}

/// What the rules made of the rows.
#[derive(Debug, Clone, Default)]
pub(in crate::excel) struct RuleTally {
    pub(in crate::excel) id: String,
    pub(in crate::excel) held: Tally,
    /// Rows that could not be computed; they count as broken.
    pub(in crate::excel) senseless: u64,
    /// Rows with an empty cell where a value is needed.
    pub(in crate::excel) not_applicable: u64,
    /// Sheets that lack a column of the rule.
    pub(in crate::excel) sheets_without: u64,
}

/// What a field made of its cells.
#[derive(Debug, Clone, Default)]
pub(in crate::excel) struct FieldTally {
    pub(in crate::excel) name: String,
    pub(in crate::excel) filled: u64,
    pub(in crate::excel) valid: Tally,
    pub(in crate::excel) rows: u64,
}

/// Errors, counts, tallies.
#[derive(Debug, Default)]
pub(in crate::excel) struct Report {
    pub(in crate::excel) errors: Vec<Value>,
    pub(in crate::excel) counts: BTreeMap<&'static str, u64>,
    pub(in crate::excel) rules: Vec<RuleTally>,
    pub(in crate::excel) fields: Vec<FieldTally>,
    /// Rows that were checked.
    pub(in crate::excel) rows: u64,
    /// Filled required cells of all.
    pub(in crate::excel) required: Tally,
    /// Filled cells of all, required or not.
    pub(in crate::excel) fill: Tally,
    /// Filled cells that pass type and constraints. Error cells count as filled ones that fail.
    pub(in crate::excel) valid: Tally,
    /// Distinct complete primary keys, and rows.
    pub(in crate::excel) keys: Option<Tally>,
    /// Rows changed recently enough, and rows; `Err` says why there is no such share.
    pub(in crate::excel) timely: Option<Result<Tally, &'static str>>,
    pub(in crate::excel) declared: bool,
}

/// Where an error is.
#[derive(Debug, Clone)]
pub(in crate::excel) enum Place {
    /// `sheet!R5C3`
    Cell(String),
    /// `sheet!R5`
    Row(String),
}

impl Report {
    pub(in crate::excel) fn error(
        &mut self,
        place: impl FnOnce() -> Place,
        code: &'static str,
        field: Option<&str>,
        message: impl FnOnce() -> String,
    ) {
        *self.counts.entry(code).or_default() += 1;
        if self.errors.len() >= MAX_ERRORS {
            return;
        }
        let mut fields = Map::new();
        match place() {
            Place::Cell(at) => fields.insert("cell".into(), at.into()),
            Place::Row(at) => fields.insert("row".into(), at.into()),
        };
        fields.insert("code".into(), code.into());
        fields.insert("field".into(), field.into());
        fields.insert("message".into(), message().into());
        self.errors.push(Value::Object(fields));
    }

    /// The `validation` of an output.
    pub(in crate::excel) fn json(&self) -> Value {
        let total: u64 = self.counts.values().sum();
        let rules: Vec<Value> = self
            .rules
            .iter()
            .map(|r| {
                json!({"id": r.id, "passes": r.held.num, "applicable": r.held.den, "not_computable": r.senseless,
                    "not_applicable": r.not_applicable, "sheets_without_a_column": r.sheets_without})
            })
            .collect();
        let fields: Vec<Value> = self
            .fields
            .iter()
            .map(|f| json!({"name": f.name, "rows": f.rows, "filled": f.filled, "valid": f.valid.num}))
            .collect();
        json!({
            "errors": self.errors,
            "counts_by_code": self.counts,
            "errors_total": total,
            "truncated": total > self.errors.len() as u64,
            "rows": self.rows,
            "rules": rules,
            "fields": fields,
            "schema": self.declared,
        })
    }

    /// Rules over all rows: passes and applicable pairs. `None` when no rule applies to any row.
    pub(in crate::excel) fn consistency(&self) -> Option<Tally> {
        let sum = self.rules.iter().fold(Tally::default(), |sum, rule| Tally {
            num: sum.num + rule.held.num,
            den: sum.den + rule.held.den,
        });
        (sum.den > 0).then_some(sum)
    }

    /// Whether the schema has rules.
    pub(in crate::excel) fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }
}
