//! Rows of a table as entries of an input: how the result of one workflow feeds the next.
//!
//! An import names a list of the input (`gifts`, `edges`), the rows (records of `excel_processing`, or plain objects;
//! inline or as a file of JSON lines) and a mapping from fields to columns. Invariant: a row that lacks something is
//! left out and counted with its reason; it never makes the run fail unless every row does. Deliberately absent:
//! formulas and joins; what needs them is a workflow of its own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::files::Bytes;
use crate::{Error, Problem, Run};

/// Rows of all imports of one input: what a sheet can hold.
pub(crate) const MAX_ROWS: u64 = 1_048_576;
/// Longest row of a file: a sheet's widest row of long texts stays below.
const MAX_ROW_BYTES: usize = 4 << 20;
/// Largest file.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// Places listed for each reason why rows were left out.
const PLACES: usize = 10;

/// Rows to be read as entries of one list of the input.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Import<L> {
    /// The list that the rows are added to.
    pub(crate) into: L,
    /// The rows: `records` of an Excel processing result (`{"source", "values"}`), or plain objects.
    #[serde(default)]
    #[schemars(with = "Option<Vec<BTreeMap<String, Anything>>>")]
    records: Option<Vec<Map<String, Value>>>,
    /// The rows as a file of JSON lines, such as the complete records of an Excel processing result.
    #[serde(default)]
    file: Option<Bytes>,
    /// Column of each field.
    #[schemars(extend("additionalProperties" = {"type": "string", "maxLength": 1024}))]
    mapping: BTreeMap<String, String>,
    /// Fields that are the same in every row; a mapped column that is filled counts more.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Anything>")]
    constants: BTreeMap<String, Value>,
}

/// Any JSON value, in a schema.
struct Anything;

impl JsonSchema for Anything {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Anything".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({})
    }
}

/// What a field of an entry must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text; a number is written out.
    Text,
    /// A day; of a time its day.
    Day,
    /// A time; a day is its midnight, UTC.
    Time,
    /// A number, or text that is one.
    Number,
    /// An amount of money at least zero.
    Amount,
    /// Text split at `;` or `,`.
    Texts,
}

/// A field of an entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
}

/// What became of an import's rows.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    rows: u64,
    used: u64,
    left_out: BTreeMap<String, (u64, Vec<String>)>,
}

impl Tally {
    /// For the output: rows read and used, and why others were left out, with the first places of each reason.
    pub(crate) fn told(&self, into: &str) -> Value {
        let reasons: Vec<_> = self
            .left_out
            .iter()
            .map(
                |(reason, (rows, places))| json!({"reason": reason, "rows": rows, "first": places}),
            )
            .collect();
        json!({"into": into, "rows": self.rows, "used": self.used, "left_out": reasons})
    }

    /// An entry turns out to be unusable.
    pub(crate) fn refuse(&mut self, reason: String, place: &str) {
        self.used -= 1;
        self.leave(reason, place);
    }

    /// `Err` when there are rows and none of them is used. `at` is the import.
    pub(crate) fn accept(&self, at: &str) -> Result<(), Error> {
        if self.rows == 0 || self.used > 0 {
            return Ok(());
        }
        let reasons: Vec<_> = self.left_out.keys().cloned().collect();
        Err(invalid(
            at,
            format!(
                "none of the {} rows can be used: {}",
                self.rows,
                reasons.join("; ")
            ),
        ))
    }

    fn leave(&mut self, reason: String, place: &str) {
        let (rows, places) = self.left_out.entry(reason).or_default();
        *rows += 1;
        if places.len() < PLACES {
            places.push(place.to_owned());
        }
    }
}

/// An entry made from a row, and where the row stands.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) place: String,
    pub(crate) fields: Map<String, Value>,
}

impl<L> Import<L> {
    /// The entries of all rows that have every required field in a readable form.
    pub(crate) fn entries(
        &self,
        fields: &[Field],
        run: &Run<'_>,
        at: &str,
    ) -> Result<(Vec<Entry>, Tally), Error> {
        self.check(fields, at)?;
        let rows = self.rows(run, at)?;
        let mut tally = Tally {
            rows: rows.len() as u64,
            ..Tally::default()
        };
        let mut entries = Vec::with_capacity(rows.len());
        for (number, row) in rows.into_iter().enumerate() {
            if number % 4096 == 0 {
                run.check()?;
            }
            let (place, values) = opened(row, number);
            match self.entry(fields, &values) {
                Ok(fields) => entries.push(Entry { place, fields }),
                Err(reason) => tally.leave(reason, &place),
            }
        }
        tally.used = entries.len() as u64;
        tally.accept(at)?;
        Ok((entries, tally))
    }

    fn check(&self, fields: &[Field], at: &str) -> Result<(), Error> {
        let known = || fields.iter().map(|f| f.name).collect::<Vec<_>>().join(", ");
        let mut problems = Vec::new();
        for (member, names) in [
            ("mapping", self.mapping.keys().collect::<Vec<_>>()),
            ("constants", self.constants.keys().collect()),
        ] {
            if names
                .iter()
                .any(|name| !fields.iter().any(|f| f.name == *name))
            {
                problems.push(Problem::new(
                    format!("{at}/{member}"),
                    format!("has an unknown field; known are {}", known()),
                ));
            }
        }
        for field in fields.iter().filter(|f| f.required) {
            if !self.mapping.contains_key(field.name) && !self.constants.contains_key(field.name) {
                problems.push(Problem::new(
                    format!("{at}/mapping"),
                    format!("{:?} is missing", field.name),
                ));
            }
        }
        if self.records.is_some() == self.file.is_some() {
            problems.push(Problem::new(
                at,
                "must have exactly one of \"records\" and \"file\"",
            ));
        }
        crate::problem::accept(problems)
    }

    fn rows(&self, run: &Run<'_>, at: &str) -> Result<Vec<Map<String, Value>>, Error> {
        let (Some(file), None) = (&self.file, &self.records) else {
            let rows = self.records.clone().unwrap_or_default();
            Error::cap(
                "max_import_rows",
                rows.len() as u64,
                MAX_ROWS,
                &format!("{at}/records"),
            )?;
            return Ok(rows);
        };
        let at = format!("{at}/file");
        let mut reader = BufReader::new(file.open(run, &at, MAX_FILE_BYTES)?);
        let (mut rows, mut line) = (Vec::new(), Vec::new());
        loop {
            line.clear();
            let limit = MAX_ROW_BYTES as u64 + 1;
            let read = std::io::Read::take(&mut reader, limit).read_until(b'\n', &mut line);
            let read =
                read.map_err(|_| Error::Internal("a file of the input could not be read".into()))?;
            if read == 0 {
                return Ok(rows);
            }
            Error::cap("max_row_bytes", read as u64, MAX_ROW_BYTES as u64, &at)?;
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let number = rows.len() + 1;
            let row = serde_json::from_slice(&line).map_err(|_| {
                invalid(
                    &at,
                    format!("row {number} is not a JSON object on one line"),
                )
            })?;
            rows.push(row);
            Error::cap("max_import_rows", number as u64, MAX_ROWS, &at)?;
        }
    }

    fn entry(
        &self,
        fields: &[Field],
        values: &Map<String, Value>,
    ) -> Result<Map<String, Value>, String> {
        let mut entry = Map::new();
        for field in fields {
            let cell = self
                .mapping
                .get(field.name)
                .and_then(|column| values.get(column));
            let filled = cell
                .filter(|v| !blank(v))
                .or_else(|| self.constants.get(field.name));
            match filled {
                None if field.required => return Err(format!("{} is empty", field.name)),
                None => {}
                Some(value) => {
                    let read = read(value, field.kind);
                    let read = read
                        .ok_or_else(|| format!("{} is not {}", field.name, field.kind.article()))?;
                    entry.insert(field.name.into(), read);
                }
            }
        }
        Ok(entry)
    }
}

impl Kind {
    fn article(self) -> &'static str {
        match self {
            Self::Text | Self::Texts => "text",
            Self::Day => "a day",
            Self::Time => "a time",
            Self::Number => "a number",
            Self::Amount => "an amount",
        }
    }
}

/// The place and the values of a row: a record of Excel processing has both, a plain object its number only.
fn opened(mut row: Map<String, Value>, number: usize) -> (String, Map<String, Value>) {
    let place = row.get("source").and_then(Value::as_str).map(str::to_owned);
    match (place, row.get_mut("values").map(Value::take)) {
        (Some(place), Some(Value::Object(values))) => (place, values),
        (_, Some(values)) => {
            row.insert("values".into(), values);
            (format!("row {}", number + 1), row)
        }
        (_, None) => (format!("row {}", number + 1), row),
    }
}

fn blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

fn read(value: &Value, kind: Kind) -> Option<Value> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => whole(number),
        Value::Array(_) if kind == Kind::Texts => return Some(value.clone()),
        _ => return None,
    };
    Some(match kind {
        Kind::Text => text.into(),
        Kind::Day => text
            .get(..10)?
            .parse::<jiff::civil::Date>()
            .ok()?
            .to_string()
            .into(),
        Kind::Time => time(&text)?.into(),
        Kind::Number => text
            .parse::<f64>()
            .ok()
            .filter(|x| x.is_finite())
            .map(Value::from)?,
        Kind::Amount => {
            let plain = text.replace(',', "");
            crate::money::Amount::Text(plain.clone()).read().ok()?;
            plain.into()
        }
        Kind::Texts => text
            .split([';', ','])
            .map(str::trim)
            .filter(|t| !t.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
            .into(),
    })
}

/// A number as an id shows it: 12, not 12.0.
fn whole(number: &serde_json::Number) -> String {
    let text = number.to_string();
    text.strip_suffix(".0")
        .map_or_else(|| text.clone(), str::to_owned)
}

fn time(text: &str) -> Option<String> {
    if text.parse::<jiff::Timestamp>().is_ok() {
        return Some(text.to_owned());
    }
    let local: jiff::civil::DateTime = text.parse().ok()?;
    Some(
        local
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()?
            .timestamp()
            .to_string(),
    )
}

fn invalid(pointer: &str, detail: impl Into<String>) -> Error {
    Error::InvalidInput(vec![Problem::new(pointer, detail)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Into {
        Gifts,
    }

    const FIELDS: [Field; 4] = [
        Field {
            name: "id",
            kind: Kind::Text,
            required: true,
        },
        Field {
            name: "date",
            kind: Kind::Day,
            required: true,
        },
        Field {
            name: "amount",
            kind: Kind::Amount,
            required: true,
        },
        Field {
            name: "note",
            kind: Kind::Text,
            required: false,
        },
    ];

    fn import(value: Value) -> Import<Into> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn rows_become_entries_and_incomplete_ones_are_counted_with_their_place() {
        let import = import(json!({"into": "gifts",
            "records": [
                {"source": "S!R2C1", "values": {"Id": 7.0, "When": "2024-05-01T00:00:00", "How much": "1,250.50"}},
                {"source": "S!R3C1", "values": {"Id": "b", "When": "soon", "How much": 3}},
                {"source": "S!R4C1", "values": {"Id": " ", "When": "2024-05-01", "How much": 3}},
                {"Id": "c", "When": "2024-05-02", "How much": 0.1}],
            "mapping": {"id": "Id", "date": "When", "amount": "How much"}, "constants": {"note": "sheet"}}));
        let (entries, tally) = import
            .entries(&FIELDS, &Run::unattended(), "/imports/0")
            .unwrap();
        let fields: Vec<_> = entries
            .iter()
            .map(|e| Value::from(e.fields.clone()))
            .collect();
        assert_eq!(
            fields,
            [
                json!({"id": "7", "date": "2024-05-01", "amount": "1250.50", "note": "sheet"}),
                json!({"id": "c", "date": "2024-05-02", "amount": "0.1", "note": "sheet"})
            ]
        );
        assert_eq!(entries[1].place, "row 4");
        assert_eq!(
            tally.told("gifts"),
            json!({"into": "gifts", "rows": 4, "used": 2, "left_out": [
            {"reason": "date is not a day", "rows": 1, "first": ["S!R3C1"]},
            {"reason": "id is empty", "rows": 1, "first": ["S!R4C1"]}]})
        );
        assert!(matches!(import.into, Into::Gifts));
    }

    #[test]
    fn a_mapping_that_fits_nothing_is_an_error_with_its_place() {
        for (value, pointer) in [
            (
                json!({"into": "gifts", "records": [], "mapping": {"id": "Id"}}),
                "/imports/0/mapping",
            ),
            (
                json!({"into": "gifts", "mapping": {"id": "A", "date": "B", "amount": "C"}}),
                "/imports/0",
            ),
            (
                json!({"into": "gifts", "records": [{"A": 1}], "mapping": {"id": "A", "date": "B", "amount": "C"}}),
                "/imports/0",
            ),
            (
                json!({"into": "gifts", "records": [], "mapping": {"id": "A", "date": "B", "amount": "C", "sum": "D"}}),
                "/imports/0/mapping",
            ),
        ] {
            let Err(Error::InvalidInput(problems)) =
                import(value).entries(&FIELDS, &Run::unattended(), "/imports/0")
            else {
                panic!("accepted");
            };
            assert!(
                problems.iter().any(|p| p.pointer == pointer),
                "{problems:?}"
            );
        }
    }

    #[test]
    fn a_file_of_json_lines_is_read_row_by_row() {
        use base64::Engine;
        let lines = "{\"A\":\"x\",\"B\":\"2024-01-01\",\"C\":5}\n\n{\"A\":\"y\",\"B\":\"2024-01-02\",\"C\":6}";
        let encoded = base64::engine::general_purpose::STANDARD.encode(lines);
        let import = import(json!({"into": "gifts", "file": {"content_base64": encoded},
            "mapping": {"id": "A", "date": "B", "amount": "C"}}));
        let (entries, _) = import
            .entries(&FIELDS, &Run::unattended(), "/imports/0")
            .unwrap();
        assert_eq!(entries.len(), 2);
    }
}
