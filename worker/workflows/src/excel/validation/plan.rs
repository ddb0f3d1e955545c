//! The schema of an input, checked and made ready: patterns compiled, bounds read, rules parsed.
//!
//! Invariant: whatever is wrong with a schema is found here, before a row is read, with a pointer into the input.

use jiff::civil::Date;
use regex::{Regex, RegexBuilder};
use rust_decimal::Decimal;

use super::super::cell::Moment;
use super::super::{dates, exact, numbers, rules};
use super::builtin;
use super::schema::{Field, FieldType, Scalar, Schema, SchemaChoice};
use crate::problem::accept;
use crate::{Error, Problem};

/// Fields of a schema.
const MAX_FIELDS: u64 = 2_000;
/// Rules of a schema; each is applied to every row.
const MAX_RULES: u64 = 100;
/// Allowed values of one field.
const MAX_ENUM: u64 = 10_000;
/// Bytes of a compiled pattern: the usual ones take some thousand.
const PATTERN_BYTES: usize = 1 << 20;

/// A field, ready.
#[derive(Debug)]
pub(super) struct PlannedField {
    pub(super) field: Field,
    pub(super) pattern: Option<Regex>,
    /// The allowed values as text, sorted.
    pub(super) allowed: Option<Vec<String>>,
    pub(super) min: Option<Bound>,
    pub(super) max: Option<Bound>,
}

/// The least or largest value of a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound {
    Number(Decimal),
    Date(Moment),
}

/// A rule, ready.
#[derive(Debug)]
pub(super) struct PlannedRule {
    pub(super) id: String,
    pub(super) expression: rules::Expression,
}

/// What to check.
#[derive(Debug, Default)]
pub(in crate::excel) struct Plan {
    pub(super) fields: Vec<PlannedField>,
    /// Texts that stand for a missing value, without surrounding blanks.
    pub(super) missing: Vec<String>,
    /// Indices of the fields of the primary key.
    pub(super) key: Vec<usize>,
    pub(super) rules: Vec<PlannedRule>,
    /// Label of the column of last changes, if the schema names one, and how many days old they may be.
    pub(super) timeliness: Option<(String, u32)>,
    /// Whether a schema was given at all.
    pub(super) declared: bool,
    /// The day of the input.
    pub(super) as_of: Option<Date>,
}

impl Plan {
    /// Reads the parameter `schema`, which stands at `/schema`.
    pub(in crate::excel) fn new(
        choice: Option<&SchemaChoice>,
        as_of: Option<Date>,
    ) -> Result<Self, Error> {
        let schema = match choice {
            None => {
                return Ok(Self {
                    as_of,
                    ..Self::default()
                });
            }
            Some(SchemaChoice::Given(schema)) => (**schema).clone(),
            Some(SchemaChoice::Named(name)) => builtin::named(name).ok_or_else(|| {
                Error::InvalidInput(vec![Problem::new(
                    "/schema",
                    "no schema has this name; there is \"360giving\"",
                )])
            })?,
        };
        Error::cap(
            "max_schema_fields",
            schema.fields.len() as u64,
            MAX_FIELDS,
            "/schema/fields",
        )?;
        Error::cap(
            "max_rules",
            schema.rules.len() as u64,
            MAX_RULES,
            "/schema/rules",
        )?;
        let mut problems = Vec::new();
        let plan = Self {
            key: key(&schema, &mut problems),
            missing: schema
                .missing
                .iter()
                .map(|text| text.trim().to_owned())
                .collect(),
            rules: rules_of(&schema, &mut problems),
            timeliness: schema
                .timeliness
                .as_ref()
                .map(|t| (t.column.clone(), t.max_age_days)),
            fields: fields(schema, &mut problems)?,
            declared: true,
            as_of,
        };
        accept(problems)?;
        Ok(plan)
    }

    /// The field with this name or alias.
    pub(super) fn field(&self, label: &str) -> Option<&Field> {
        self.fields
            .iter()
            .map(|f| &f.field)
            .find(|f| f.names().any(|name| same(name, label)))
    }
}

impl Field {
    /// Its name and its other labels.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.aliases.iter().map(String::as_str))
    }
}

/// Whether two labels name the same column.
fn same(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

fn key(schema: &Schema, problems: &mut Vec<Problem>) -> Vec<usize> {
    let mut key = Vec::new();
    for name in schema.primary_key.list() {
        match schema
            .fields
            .iter()
            .position(|f| f.names().any(|known| same(known, name)))
        {
            Some(at) => key.push(at),
            None => problems.push(Problem::new(
                "/schema/primaryKey",
                "names a field that the schema does not have",
            )),
        }
    }
    key
}

fn rules_of(schema: &Schema, problems: &mut Vec<Problem>) -> Vec<PlannedRule> {
    let mut planned: Vec<PlannedRule> = Vec::new();
    for (i, rule) in schema.rules.iter().enumerate() {
        if planned.iter().any(|known| known.id == rule.id) {
            problems.push(Problem::new(
                format!("/schema/rules/{i}/id"),
                "another rule has the same id",
            ));
        }
        match rules::parse(&rule.expr) {
            Ok(expression) => planned.push(PlannedRule {
                id: rule.id.clone(),
                expression,
            }),
            Err(mistake) => problems.push(Problem::new(
                format!("/schema/rules/{i}/expr"),
                format!("at character {}: {}", mistake.at, mistake.detail),
            )),
        }
    }
    planned
}

fn fields(schema: Schema, problems: &mut Vec<Problem>) -> Result<Vec<PlannedField>, Error> {
    let mut planned: Vec<PlannedField> = Vec::new();
    for (i, field) in schema.fields.into_iter().enumerate() {
        let at = |part: &str| format!("/schema/fields/{i}/{part}");
        if planned
            .iter()
            .any(|p| p.field.names().any(|a| field.names().any(|b| same(a, b))))
        {
            problems.push(Problem::new(
                at("name"),
                "an earlier field has the same name or alias",
            ));
        }
        let count = field.allowed.as_ref().map_or(0, Vec::len);
        Error::cap("max_enum", count as u64, MAX_ENUM, &at("enum"))?;
        if field.kind == FieldType::Enum && count == 0 {
            problems.push(Problem::new(
                at("enum"),
                "a field of type enum needs its allowed values",
            ));
        }
        let mut bound = |part: &str, value: Option<&Scalar>| {
            let read = value.map(|v| read_bound(field.kind, v))?;
            if read.is_none() {
                problems.push(Problem::new(
                    at(part),
                    "must be a number for a field of numbers, a date like 2027-03-31 for one of dates, either for one of any type",
                ));
            }
            read
        };
        let (min, max) = (
            bound("min", field.min.as_ref()),
            bound("max", field.max.as_ref()),
        );
        let pattern = field.pattern.as_ref().and_then(|text| whole(text));
        if field.pattern.is_some() && pattern.is_none() {
            problems.push(Problem::new(
                at("pattern"),
                "not a regular expression (without look-around and back-references), or too large",
            ));
        }
        let allowed = field.allowed.as_ref().map(|list| {
            let mut texts: Vec<String> = list.iter().map(Scalar::plain).collect();
            texts.sort_unstable();
            texts
        });
        planned.push(PlannedField {
            field,
            pattern,
            allowed,
            min,
            max,
        });
    }
    Ok(planned)
}

/// A pattern that must match the whole text.
fn whole(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(&format!("^(?:{pattern})$"))
        .size_limit(PATTERN_BYTES)
        .build()
        .ok()
}

/// A bound of a field. Numbers may be written as text, as Table Schema allows; where the field is of any type, the
/// bound decides what is compared.
fn read_bound(kind: FieldType, value: &Scalar) -> Option<Bound> {
    let number = |x: f64| exact::decimal(x).map(Bound::Number);
    let date = |text: &str| dates::of_text(text, None).map(Bound::Date);
    let spelt = |text: &str| numbers::of_text(text).and_then(number);
    match (kind, value) {
        (FieldType::Number | FieldType::Integer | FieldType::Any, Scalar::Number(x)) => number(*x),
        (FieldType::Number | FieldType::Integer, Scalar::Text(text)) => spelt(text),
        (FieldType::Date | FieldType::DateTime, Scalar::Text(text)) => date(text),
        (FieldType::Any, Scalar::Text(text)) => date(text).or_else(|| spelt(text)),
        _ => None,
    }
}

impl Scalar {
    /// As the text of a cell with this value.
    fn plain(&self) -> String {
        match self {
            Self::Bool(truth) => truth.to_string(),
            Self::Number(x) => numbers::plain(*x),
            Self::Text(text) => text.clone(),
        }
    }
}
