//! An output under construction: fields, and for every null the reason why.
//!
//! Invariant: each null that stands for something not computed has an entry in `null_reasons`, keyed by its pointer
//! (`*` stands for every element of a list). Keys are sorted, whatever map type `serde_json` is built with.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Fields and reasons, collected in any order.
#[derive(Debug, Default)]
pub(crate) struct Document {
    fields: BTreeMap<String, Value>,
    reasons: BTreeMap<String, String>,
    warnings: Vec<String>,
}

impl Document {
    pub(crate) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.fields.insert(name.into(), value.into());
    }

    /// Says why the value at `pointer` is null.
    pub(crate) fn because(&mut self, pointer: impl Into<String>, reason: impl Into<String>) {
        self.reasons.insert(pointer.into(), reason.into());
    }

    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    /// The finished output with `null_reasons` and `warnings`.
    pub(crate) fn finish(mut self) -> Value {
        let reasons = self
            .reasons
            .into_iter()
            .map(|(k, v)| (k, Value::from(v)))
            .collect::<Map<_, _>>();
        self.fields
            .insert("null_reasons".into(), Value::Object(reasons));
        self.fields.insert("warnings".into(), self.warnings.into());
        sorted(Value::Object(self.fields.into_iter().collect()))
    }
}

/// The same value with every object's keys in order: a dependency may switch `preserve_order` on for the whole build.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let ordered: BTreeMap<String, Value> =
                map.into_iter().map(|(k, v)| (k, sorted(v))).collect();
            Value::Object(ordered.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        plain => plain,
    }
}
