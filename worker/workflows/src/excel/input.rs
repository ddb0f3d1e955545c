//! The input of a run. Its documentation is the published schema.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::entities::Entities;
use super::header::Place;
use super::limits;
use super::table::Format;
use super::validation::SchemaChoice;
use crate::files::Bytes;
use crate::{Error, Problem};

/// What a run takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The workbook: at most 25 MiB.
    pub(crate) workbook: Bytes,
    /// What the bytes are. With `auto` they say it themselves; anything else must agree with them.
    #[serde(default)]
    pub(crate) format: Choice,
    /// The sheets to read, by name; all when absent. The only sheet of a CSV file is called `csv`.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub(crate) sheets: Option<Vec<String>>,
    /// The row that names the columns: `auto`, or its number counted from 1.
    #[serde(default)]
    header: HeaderChoice,
    /// What the columns should hold: a schema, or `360giving`.
    #[serde(default)]
    pub(crate) schema: Option<SchemaChoice>,
    /// Which columns name organisations or people that may occur under several names.
    #[serde(default)]
    pub(crate) entities: Option<Entities>,
    /// The day that ages are measured from, or a time of it (RFC 3339: its day in UTC counts); without it timeliness is
    /// not measured.
    #[serde(default)]
    pub(crate) as_of: Option<AsOf>,
    /// How much the result shows.
    #[serde(default)]
    pub(crate) limits: Shown,
    /// Whether to attach all records as JSON lines.
    #[serde(default = "yes")]
    pub(crate) record_file: bool,
    /// Whether to attach a cleaned workbook: records alone, typed and trimmed, with unique labels.
    #[serde(default)]
    pub(crate) cleaned_workbook: bool,
}

fn yes() -> bool {
    true
}

/// A format, or that the bytes decide.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum Choice {
    #[default]
    Auto,
    Xlsx,
    Xls,
    Xlsb,
    Ods,
    Csv,
}

impl Choice {
    /// The format that the input insists on.
    pub(crate) fn format(self) -> Option<Format> {
        match self {
            Self::Auto => None,
            Self::Xlsx => Some(Format::Xlsx),
            Self::Xls => Some(Format::Xls),
            Self::Xlsb => Some(Format::Xlsb),
            Self::Ods => Some(Format::Ods),
            Self::Csv => Some(Format::Csv),
        }
    }
}

/// A row number, or `auto`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum HeaderChoice {
    Row(u32),
    Word(String),
}

impl Default for HeaderChoice {
    fn default() -> Self {
        Self::Word("auto".into())
    }
}

impl JsonSchema for HeaderChoice {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "HeaderChoice".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "integer"], "minimum": 1, "maximum": limits::ROWS})
    }
}

/// A day like 2027-03-31, or a time like 2027-03-31T09:00:00Z.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct AsOf(String);

impl JsonSchema for AsOf {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "AsOf".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 10, "maxLength": 40})
    }
}

impl AsOf {
    /// The day in UTC.
    fn day(&self) -> Option<Date> {
        if self.0.len() == 10 {
            return self.0.parse().ok();
        }
        let instant: Timestamp = self.0.parse().ok()?;
        Some(instant.to_zoned(TimeZone::UTC).date())
    }
}

/// How much of what the result shows.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Shown {
    /// Records listed in the result itself.
    #[schemars(range(max = 10_000))]
    pub(crate) records: u64,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            records: limits::RECORDS_SHOWN,
        }
    }
}

impl Input {
    /// The day that ages are measured from.
    pub(crate) fn as_of(&self) -> Result<Option<Date>, Error> {
        let Some(as_of) = &self.as_of else {
            return Ok(None);
        };
        as_of.day().map(Some).ok_or_else(|| {
            Error::InvalidInput(vec![Problem::new(
                "/as_of",
                "is neither a day like 2026-11-23 nor a time like 2026-11-23T09:00:00Z",
            )])
        })
    }

    /// Where the header is.
    pub(crate) fn header(&self) -> Result<Place, Error> {
        match &self.header {
            HeaderChoice::Row(row) => Ok(Place::Row(*row)),
            HeaderChoice::Word(word) if word == "auto" => Ok(Place::Auto),
            HeaderChoice::Word(_) => Err(Error::InvalidInput(vec![Problem::new(
                "/header",
                "is neither \"auto\" nor a row number",
            )])),
        }
    }
}

/// What absent optional fields are taken to be.
pub(crate) fn defaults() -> Value {
    json!({"format": "auto", "sheets": null, "header": "auto", "schema": null, "entities": null, "as_of": null,
        "limits": {"records": limits::RECORDS_SHOWN}, "record_file": true, "cleaned_workbook": false})
}

/// A small register of grants as CSV, with the defects that real ones have.
pub(crate) fn example() -> Value {
    const CSV: &str = "Identifier,Recipient Org:Name,Recipient Org:Identifier,Amount Awarded,Currency,Award Date,Postcode,Contact
G-001,Harbour Arts Trust,GB-CHC-1100001,12500,GBP,2026-01-15,M1 1AE,grants@harbour-arts.example
G-002,Northfield Food Bank,GB-CHC-1100002,8000,GBP,2026-02-02,B33 8TH,office@northfield.example
G-003,Harbour Arts,GB-CHC-1100001,4000,GBP,15 March 2026,M1 1AE,grants@harbour-arts.example
G-004,Riverside Youth CIC,,n/a,GBP,2026-03-20,SW1A 1AA,hello@riverside.example
G-005,Riverside Youth C.I.C.,GB-COH-01234567,6000,GBP,2026-04-01,SW1A1AA,not given
G-005,Oak Lane School,,3500,GBP,2026-04-09,,head@oaklane.example
Total,,,34000,,,,
";
    let bytes = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, CSV);
    json!({
        "workbook": {"content_base64": bytes},
        "format": "csv",
        "schema": {
            "fields": [
                {"name": "Identifier", "required": true},
                {"name": "Recipient Org:Name", "required": true},
                {"name": "Amount Awarded", "type": "number", "required": true, "min": 0},
                {"name": "Award Date", "type": "date", "required": true},
                {"name": "Postcode", "type": "postcode"},
                {"name": "Contact", "type": "email"}
            ],
            "primaryKey": ["Identifier"]
        },
        "entities": {"name": "Recipient Org:Name", "id": "Recipient Org:Identifier"},
        "as_of": "2026-06-01"
    })
}
