//! What may be absent may be null, and then is absent: many programs write every field that they know.
//!
//! Invariant: a published schema allows null exactly where a run takes it, so nobody needs to know which fields these
//! are. Where null stands in a map or a list it is no field and stays what it is. A field that can hold null by itself
//! must mean by it what its absence means.

use serde_json::{Map, Value};

/// Lets every property that is not required be null.
pub(super) fn allow_null(schema: &mut Value) {
    let Value::Object(keywords) = schema else {
        return;
    };
    let required = keywords.get("required").cloned().unwrap_or_default();
    for (keyword, inner) in keywords {
        match (keyword.as_str(), inner) {
            ("properties", Value::Object(properties)) => {
                for (name, property) in properties {
                    allow_null(property);
                    if !is_listed(&required, name) {
                        add_null(property);
                    }
                }
            }
            ("items" | "additionalProperties", inner) => allow_null(inner),
            ("anyOf", Value::Array(options)) => options.iter_mut().for_each(allow_null),
            _ => {}
        }
    }
}

fn is_listed(names: &Value, name: &str) -> bool {
    names
        .as_array()
        .is_some_and(|names| names.iter().any(|n| n == name))
}

/// What has no type allows null already, or says so in its alternatives.
fn add_null(property: &mut Value) {
    let null = Value::from("null");
    if let Some(kind) = property.get_mut("type") {
        let mut types = match kind.take() {
            Value::Array(types) => types,
            one => vec![one],
        };
        if !types.contains(&null) {
            types.push(null);
        }
        *kind = types.into();
    }
    if let Some(Value::Array(allowed)) = property.get_mut("enum")
        && !allowed.contains(&Value::Null)
    {
        allowed.push(Value::Null);
    }
}

/// The value without the nulls of properties that may be absent.
pub(super) fn without_nulls(schema: &Value, value: &Value) -> Value {
    if let Some(options) = schema["anyOf"].as_array() {
        let first = options.iter().find(|o| o["type"] != "null");
        return first.map_or_else(|| value.clone(), |o| without_nulls(o, value));
    }
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter_map(|(name, field)| {
                let property = schema["properties"].get(name);
                if property.is_some() && field.is_null() && !is_listed(&schema["required"], name) {
                    return None;
                }
                let inner = property.unwrap_or(&schema["additionalProperties"]);
                Some((name.clone(), without_nulls(inner, field)))
            });
            Value::Object(kept.collect::<Map<_, _>>())
        }
        Value::Array(items) => {
            let inner = &schema["items"];
            let kept = items.iter().map(|item| without_nulls(inner, item));
            Value::Array(kept.collect())
        }
        plain => plain.clone(),
    }
}
