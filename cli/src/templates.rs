//! `zerogate templates`: the workflow types with what each takes: schema, defaults and an example.
//!
//! Of this program, or, with an address, of a fleet, whose workers may offer types of their own. Invariant: both have
//! the same form, that of `GET /api/workflows/templates`.

use std::{fmt::Write as _, process::ExitCode};

use serde_json::{Value, json};

use crate::{
    arguments::{Output, Templates},
    client::{http::Api, table},
    exit::{Failure, USAGE},
};

/// Characters of a default in the table of fields.
const DEFAULT: usize = 40;
/// Why formatting into a text cannot fail.
const FINE: &str = "writing to a string cannot fail";

/// Lists all types, or shows one.
pub(crate) fn run(command: &Templates) -> anyhow::Result<ExitCode> {
    let all = match &command.url {
        Some(url) => Api::new(url)?.get("/api/workflows/templates")?,
        None => own(),
    };
    let shown = match &command.workflow_type {
        None => all,
        Some(name) => one(&all, name)?,
    };
    let text = match (command.output, &shown) {
        (Output::Json, _) => serde_json::to_string_pretty(&shown)?,
        (Output::Table, Value::Array(types)) => list(types),
        (Output::Table, one) => details(one),
    };
    table::line(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The types of this program.
fn own() -> Value {
    let types = workflows::catalogue().iter().map(|kind| {
        json!({
            "id": kind.name,
            "workflow_type": kind.name,
            "title": kind.title,
            "description": kind.description,
            "defaults": (kind.defaults)(),
            "input_schema": (kind.input_schema)(),
            "estimated_duration_ms": kind.estimated_duration_ms,
            "resource_class": kind.resource_class,
            "feature_category": kind.category.as_str(),
            "example": (kind.example)(),
        })
    });
    types.collect()
}

fn one(all: &Value, name: &str) -> Result<Value, Failure> {
    let types = all.as_array().into_iter().flatten();
    let names: Vec<String> = types.clone().map(|t| table::cell(&t["id"])).collect();
    let found = types.clone().find(|t| t["id"] == name).cloned();
    found.ok_or_else(|| {
        let text = format!(
            "`{name}` is not among the templates; there are {}",
            names.join(", ")
        );
        Failure::new(USAGE, text)
    })
}

fn list(types: &[Value]) -> String {
    let row = |kind: &Value| {
        ["id", "resource_class", "feature_category", "title"]
            .map(|name| table::cell(&kind[name]))
            .to_vec()
    };
    let rows: Vec<Vec<String>> = types.iter().map(row).collect();
    let table = table::columns(&["TYPE", "RESOURCES", "CATEGORY", "TITLE"], &rows);
    format!(
        "{table}\n\n`zerogate templates TYPE` shows its fields, defaults and example; -o json its schema; `zerogate run TYPE --example` runs the example."
    )
}

fn details(kind: &Value) -> String {
    let name = table::cell(&kind["id"]);
    let mut text = format!(
        "{}\n{}\n\n",
        table::cell(&kind["title"]),
        table::cell(&kind["description"])
    );
    let schema = &kind["input_schema"];
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let fields = schema["properties"].as_object().into_iter().flatten();
    let row = |(field, about): (&String, &Value)| {
        let needed = required.iter().any(|r| r.as_str() == Some(field));
        let default = match &kind["defaults"][field] {
            _ if needed => "required".into(),
            Value::Null => "-".into(),
            Value::Object(members) if !members.is_empty() => "see -o json".into(),
            value => table::short(&value.to_string(), DEFAULT),
        };
        let meaning = about["description"].as_str().unwrap_or_default();
        let meaning = meaning.split_whitespace().collect::<Vec<_>>().join(" ");
        let first = meaning.split_inclusive(". ").next().unwrap_or_default();
        vec![field.clone(), default, first.trim_end().to_owned()]
    };
    let rows: Vec<Vec<String>> = fields.map(row).collect();
    text.push_str(&table::columns(&["FIELD", "DEFAULT", "MEANING"], &rows));
    let example = serde_json::to_string(&kind["example"]).unwrap_or_default();
    write!(
        text,
        "\n\nExample (`zerogate run {name} --example` runs it)\n{example}"
    )
    .expect(FINE);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_schema_defaults_and_an_example_that_can_be_read() {
        let all = own();
        let types = all.as_array().unwrap();
        assert_eq!(types.len(), workflows::catalogue().len());
        let listed = list(types);
        for kind in types {
            let name = kind["id"].as_str().unwrap();
            assert!(listed.contains(name), "{listed}");
            for member in ["input_schema", "defaults", "example"] {
                assert!(kind[member].is_object(), "{name} has no {member}");
            }
            let text = details(&one(&all, name).unwrap());
            for field in kind["input_schema"]["properties"]
                .as_object()
                .unwrap()
                .keys()
            {
                assert!(text.contains(field.as_str()), "{field} is missing:\n{text}");
            }
        }
        let wrong = one(&all, "no_such_type").unwrap_err();
        assert!(wrong.message.contains("sponsor_analysis"), "{wrong}");
    }
}
