//! Checks a value against the JSON Schema of a type, and reads it into its Rust form.
//!
//! The schema that a type publishes is the schema that is checked here, so the two cannot drift apart. Only the
//! keywords that our own schemas use are understood; a test refuses any other. Unlike a general validator it points
//! at the field itself, quotes neither a value nor the key of a map (inputs are personal data), and looks through
//! `null` alternatives.

mod optional;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::problem::accept;
use crate::{Error, Problem};

/// No more problems than this are collected: enough to mend an input, too few to exhaust memory on a hostile one.
const MAX_PROBLEMS: usize = 1_000;

/// The input as a `T`, or every problem that the schema finds.
pub(crate) fn read<T: DeserializeOwned>(schema: &Value, input: &Value) -> Result<T, Error> {
    let mut problems = Vec::new();
    walk(schema, input, &mut String::new(), &mut problems);
    accept(problems)?;
    if let Ok(read) = T::deserialize(input) {
        return Ok(read);
    }
    // JSON Schema calls 5.0 an integer, serde does not; nor does serde take null for absence.
    let plain = integral(optional::without_nulls(schema, input));
    T::deserialize(plain).map_err(|e| {
        Error::InvalidInput(vec![Problem::new(
            "",
            format!("cannot be read: {:?} error", e.classify()),
        )])
    })
}

/// An entry of a list by the schema of its items; the error says which field is wrong and how, without its value.
pub(crate) fn read_entry<T: DeserializeOwned>(
    schema: &Value,
    fields: serde_json::Map<String, Value>,
) -> Result<T, String> {
    read(schema, &Value::Object(fields)).map_err(|error| match error {
        Error::InvalidInput(problems) => problems.first().map_or_else(
            || "cannot be read".to_owned(),
            |p| format!("{} {}", p.pointer.trim_start_matches('/'), p.detail),
        ),
        other => other.to_string(),
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "guarded: the float is integral and within 2^53"
)]
fn integral(value: Value) -> Value {
    match value {
        Value::Number(n) => match n.as_f64() {
            Some(x) if x.fract() == 0.0 && x.abs() < 9.007_199_254_740_992e15 && n.is_f64() => {
                Value::from(x as i64)
            }
            _ => Value::Number(n),
        },
        Value::Array(items) => Value::Array(items.into_iter().map(integral).collect()),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(k, v)| (k, integral(v))).collect())
        }
        other => other,
    }
}

fn walk(schema: &Value, value: &Value, at: &mut String, problems: &mut Vec<Problem>) {
    if problems.len() >= MAX_PROBLEMS {
        return;
    }
    if let Some(options) = schema["anyOf"].as_array() {
        // Ours are always "this or null".
        if !value.is_null()
            && let Some(first) = options.iter().find(|o| o["type"] != "null")
        {
            walk(first, value, at, problems);
        }
        return;
    }
    if let Some(detail) = wrong_type(schema, value) {
        problems.push(Problem::new(at.as_str(), detail));
        return;
    }
    if value.is_null() {
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        let names = allowed
            .iter()
            .filter(|v| !v.is_null())
            .map(Value::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        problems.push(Problem::new(at.as_str(), format!("must be one of {names}")));
    }
    match value {
        Value::Object(_) => object(schema, value, at, problems),
        Value::Array(items) => array(schema, items, at, problems),
        Value::String(text) => {
            problems.extend(wrong_text(schema, text).map(|d| Problem::new(at.as_str(), d)));
        }
        Value::Number(_) => {
            problems.extend(wrong_number(schema, value).map(|d| Problem::new(at.as_str(), d)));
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn wrong_type(schema: &Value, value: &Value) -> Option<String> {
    let wanted: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let fits = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|x| x.fract() == 0.0)
        }
        _ => false,
    };
    (!wanted.iter().any(|w| fits(w))).then(|| format!("must be of type {}", wanted.join(" or ")))
}

fn object(schema: &Value, value: &Value, at: &mut String, problems: &mut Vec<Problem>) {
    let Some(fields) = value.as_object() else {
        return;
    };
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if !fields.contains_key(name) {
            problems.push(Problem::new(
                at.as_str(),
                format!("the field {name:?} is missing"),
            ));
        }
    }
    let mut keys = Vec::new();
    for (name, field) in fields {
        match (
            schema["properties"].get(name),
            schema.get("additionalProperties"),
        ) {
            (Some(known), _) => {
                let step = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
                below(&step, (known, field), at, problems);
            }
            (None, Some(Value::Bool(false))) => problems.push(unknown(at, name)),
            (None, Some(rest)) => keys.push((name, rest, field)),
            (None, None) => {}
        }
    }
    // The keys of a map are data, such as addresses: their place among the sorted keys tells which one is meant.
    keys.sort_unstable_by_key(|(name, ..)| *name);
    for (place, (_, rest, field)) in keys.into_iter().enumerate() {
        below(&format!(" (key {place})"), (rest, field), at, problems);
    }
}

/// Walks what lies one step further than `at`.
fn below(
    step: &str,
    (schema, value): (&Value, &Value),
    at: &mut String,
    problems: &mut Vec<Problem>,
) {
    let length = at.len();
    at.push_str(step);
    walk(schema, value, at, problems);
    at.truncate(length);
}

/// A field that the schema does not know. Named only where it looks like the name of one, for it may be data in the
/// wrong place.
fn unknown(at: &str, name: &str) -> Problem {
    const LONGEST_NAME: usize = 41;
    let named = name.len() <= LONGEST_NAME
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if named {
        return Problem::new(format!("{at}/{name}"), "unknown field");
    }
    let length = name.chars().count();
    Problem::new(
        at,
        format!("has an unknown field, whose name has {length} characters and is no plain word"),
    )
}

fn array(schema: &Value, items: &[Value], at: &mut String, problems: &mut Vec<Problem>) {
    let length = items.len() as u64;
    if let Some(least) = schema["minItems"].as_u64().filter(|&least| length < least) {
        problems.push(Problem::new(
            at.as_str(),
            format!("must have at least {least} items"),
        ));
    }
    if let Some(most) = schema["maxItems"].as_u64().filter(|&most| length > most) {
        problems.push(Problem::new(
            at.as_str(),
            format!("must have at most {most} items, not {length}"),
        ));
    }
    let Some(inner) = schema.get("items") else {
        return;
    };
    for (i, item) in items.iter().enumerate() {
        below(&format!("/{i}"), (inner, item), at, problems);
    }
}

fn wrong_number(schema: &Value, value: &Value) -> Option<String> {
    let x = value.as_f64()?;
    let bound = |name: &str| schema[name].as_f64();
    if let Some(low) = bound("minimum").filter(|&low| x < low) {
        return Some(format!("must be at least {low}"));
    }
    if let Some(low) = bound("exclusiveMinimum").filter(|&low| x <= low) {
        return Some(format!("must be above {low}"));
    }
    if let Some(high) = bound("maximum").filter(|&high| x > high) {
        return Some(format!("must be at most {high}"));
    }
    bound("exclusiveMaximum")
        .filter(|&high| x >= high)
        .map(|high| format!("must be below {high}"))
}

fn wrong_text(schema: &Value, text: &str) -> Option<String> {
    let length = text.chars().count() as u64;
    if let Some(least) = schema["minLength"].as_u64().filter(|&least| length < least) {
        return Some(format!("must have at least {least} characters"));
    }
    if let Some(most) = schema["maxLength"].as_u64().filter(|&most| length > most) {
        return Some(format!("must have at most {most} characters, not {length}"));
    }
    match schema["format"].as_str() {
        Some("date") => (!is_date(text)).then(|| "must be a date like 2027-03-31".into()),
        Some("clock-time") => (!is_clock_time(text)).then(|| "must be a time like 17:00".into()),
        _ => None,
    }
}

/// `yyyy-mm-dd` and a day that exists. The published schema says the same by a pattern and `format`.
fn is_date(text: &str) -> bool {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| {
            if i == 4 || i == 7 {
                b == b'-'
            } else {
                b.is_ascii_digit()
            }
        });
    shape && text.parse::<jiff::civil::Date>().is_ok()
}

/// `hh:mm` or `hh:mm:ss`.
fn is_clock_time(text: &str) -> bool {
    let shape = (text.len() == 5 || text.len() == 8)
        && text.bytes().enumerate().all(|(i, b)| {
            if i == 2 || i == 5 {
                b == b':'
            } else {
                b.is_ascii_digit()
            }
        });
    shape && text.parse::<jiff::civil::Time>().is_ok()
}

/// A date in an input or output: `yyyy-mm-dd`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize, serde::Serialize,
)]
#[serde(transparent)]
pub(crate) struct Day(pub(crate) jiff::civil::Date);

impl schemars::JsonSchema for Day {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"})
    }
}

/// The schema of `T`, self-contained: no `$ref`, so that every place can be checked where it stands. What may be absent
/// may be null.
pub(crate) fn of<T: schemars::JsonSchema>() -> Value {
    let settings =
        schemars::generate::SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    optional::allow_null(&mut schema);
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks a schema and fails on a keyword that [`walk`] would silently ignore.
    fn only_known_keywords(schema: &Value) {
        const CHECKED: &[&str] = &[
            "type",
            "enum",
            "anyOf",
            "properties",
            "required",
            "additionalProperties",
            "items",
            "minItems",
            "maxItems",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "minLength",
            "maxLength",
            "format",
            "pattern",
        ];
        const SPOKEN: &[&str] = &["title", "description", "default", "$schema"];
        for (keyword, inner) in schema.as_object().unwrap() {
            assert!(
                CHECKED.contains(&keyword.as_str()) || SPOKEN.contains(&keyword.as_str()),
                "keyword {keyword}"
            );
            match keyword.as_str() {
                "properties" => inner
                    .as_object()
                    .unwrap()
                    .values()
                    .for_each(only_known_keywords),
                "items" => only_known_keywords(inner),
                "additionalProperties" if inner.is_object() => only_known_keywords(inner),
                "anyOf" => {
                    let options = inner.as_array().unwrap();
                    assert!(
                        options.len() == 2 && options[1]["type"] == "null",
                        "anyOf is this-or-null: {inner}"
                    );
                    only_known_keywords(&options[0]);
                }
                "format" => {
                    let known = [
                        "date",
                        "clock-time",
                        "double",
                        "uint",
                        "uint8",
                        "uint16",
                        "uint32",
                        "uint64",
                    ];
                    assert!(known.contains(&inner.as_str().unwrap()), "format {inner}");
                }
                "pattern" => {
                    assert!(schema["format"] == "date" || schema["format"] == "clock-time");
                }
                _ => {}
            }
        }
    }

    #[test]
    fn every_keyword_of_every_published_schema_is_checked() {
        for kind in crate::catalogue() {
            only_known_keywords(&(kind.input_schema)());
        }
    }

    #[test]
    fn keys_of_maps_and_unknown_fields_are_not_quoted() {
        let schema = serde_json::json!({
            "type": "object", "additionalProperties": false,
            "properties": {"aliases": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}}},
        });
        let found = |input: Value| {
            let mut problems = Vec::new();
            walk(&schema, &input, &mut String::new(), &mut problems);
            problems.into_iter().map(|p| p.pointer).collect::<Vec<_>>()
        };
        let aliases = serde_json::json!({"z@x": 1, "a@x": [], "b@x": ["", 2]});
        assert_eq!(
            found(serde_json::json!({"aliases": aliases})),
            ["/aliases (key 1)/1", "/aliases (key 2)"]
        );
        // A slip of the pen is named, what may be data is not.
        let long = "a".repeat(42);
        for (name, at) in [
            ("alias", "/alias"),
            ("_x9", "/_x9"),
            ("a@x.example", ""),
            ("Ada Stone", ""),
            ("9a", ""),
            ("", ""),
            ("zo\u{eb}", ""),
            (&long, ""),
            (&long[1..], &format!("/{}", &long[1..])),
        ] {
            assert_eq!(found(serde_json::json!({name: 1})), [at], "{name}");
        }
    }

    #[test]
    fn dates_must_exist() {
        assert!(is_date("2028-02-29"));
        for bad in [
            "2027-02-29",
            "2027-2-9",
            "20270209",
            "2027-02-09T00:00",
            "2027-13-01",
            "",
        ] {
            assert!(!is_date(bad), "{bad}");
        }
        assert!(
            is_clock_time("17:00")
                && is_clock_time("17:00:30")
                && !is_clock_time("25:00")
                && !is_clock_time("1700")
        );
    }
}
