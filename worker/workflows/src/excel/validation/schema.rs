//! The `schema` parameter of an input: what the columns of a table should hold.
//!
//! Modelled on the Table Schema of Frictionless, flattened: constraints stand in the field itself.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema as JsonSchemaOf, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A schema, or the name of one that is built in: `360giving`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(in crate::excel) enum SchemaChoice {
    /// A name.
    Named(String),
    /// The schema itself.
    Given(Box<Schema>),
}

impl JsonSchema for SchemaChoice {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SchemaChoice".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> JsonSchemaOf {
        let mut schema = Schema::json_schema(generator);
        schema.insert("type".into(), serde_json::json!(["object", "string"]));
        schema.insert(
            "description".into(),
            "A schema, or the name of one that is built in: \"360giving\" (the flat template of the 360Giving Data Standard).".into(),
        );
        schema
    }
}

/// What the columns of a table should hold.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::excel) struct Schema {
    /// The columns.
    #[serde(default)]
    pub(super) fields: Vec<Field>,
    /// Names of the fields that together identify a row.
    #[serde(default, rename = "primaryKey")]
    pub(super) primary_key: Names,
    /// Texts that stand for a missing value, like `n/a`, compared without surrounding blanks: cells with one of them
    /// count as empty. White space always does.
    #[serde(default, rename = "missingValues")]
    #[schemars(length(max = 100))]
    pub(super) missing: Vec<String>,
    /// Conditions over the columns of each row.
    #[serde(default)]
    pub(super) rules: Vec<RowRule>,
    /// Which column says when a row was last changed, and how old that may be.
    #[serde(default)]
    pub(super) timeliness: Option<Timeliness>,
}

/// One name, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Names {
    One(String),
    Many(Vec<String>),
}

impl Default for Names {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Names {
    pub(super) fn list(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        }
    }
}

impl JsonSchema for Names {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Names".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> JsonSchemaOf {
        json_schema!({"type": ["string", "array"], "items": {"type": "string"}})
    }
}

/// A column of a table.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Field {
    /// The label of the column; case and surrounding blanks do not matter.
    #[schemars(length(min = 1, max = 256))]
    pub(super) name: String,
    /// Other labels of the same column.
    #[serde(default)]
    pub(super) aliases: Vec<String>,
    /// What its cells hold; anything when absent.
    #[serde(default, rename = "type")]
    pub(super) kind: FieldType,
    /// Whether the column must be there and every row must fill it.
    #[serde(default)]
    pub(super) required: bool,
    /// Whether no two rows may have the same value.
    #[serde(default)]
    pub(super) unique: bool,
    /// The allowed values.
    #[serde(default, rename = "enum")]
    pub(super) allowed: Option<Vec<Scalar>>,
    /// A regular expression that the whole text must match.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    pub(super) pattern: Option<String>,
    /// The least number or date.
    #[serde(default)]
    pub(super) min: Option<Scalar>,
    /// The largest number or date.
    #[serde(default)]
    pub(super) max: Option<Scalar>,
}

/// What the cells of a column hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum FieldType {
    // No documentation of a variant: the published schema stays one list of names.
    #[default]
    Any,
    String,
    Number,
    Integer,
    Boolean,
    Date,
    #[serde(rename = "datetime")]
    DateTime,
    Email,
    Url,
    Postcode,
    OrgId,
    Currency,
    Enum,
}

impl FieldType {
    /// The name, as errors give it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::String => "string",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Email => "email",
            Self::Url => "url",
            Self::Postcode => "postcode",
            Self::OrgId => "org_id",
            Self::Currency => "currency",
            Self::Enum => "enum",
        }
    }
}

/// A number, text or truth value.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Scalar {
    Bool(bool),
    Number(f64),
    Text(String),
}

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> JsonSchemaOf {
        json_schema!({"type": ["string", "number", "boolean"]})
    }
}

/// A condition over the columns of a row.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RowRule {
    /// Its name in errors.
    #[schemars(length(min = 1, max = 100))]
    pub(super) id: String,
    /// The condition, like `[End] >= [Start] and len([Title]) <= 140`.
    #[schemars(length(min = 1, max = 2000))]
    pub(super) expr: String,
}

/// Which column says when a row was last changed, and how old that may be.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Timeliness {
    /// Label of the column.
    pub(super) column: String,
    /// Days before `as_of`.
    #[schemars(range(max = 36500))]
    pub(super) max_age_days: u32,
}
