//! Checks an input against its type's JSON Schema, also while parts of it are
//! still to come from parents: at the submission by the coordinator, and by the
//! worker after the parents' results were put in.
//!
//! Invariant: nothing is refused that a parent's result could make valid. A
//! `$result` object stands for any value, so a complaint about it, or one that
//! depends on what it is, is dropped; after substitution there is none left, and
//! the same check is in full. No complaint repeats a value.

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind as Kind};
use serde_json::Value;
use tracing::warn;

use crate::model::{TypeName, reference};

/// The most complaints about one input: a list of ten thousand wrong items is
/// understood from the first hundred.
const MAX_COMPLAINTS: usize = 100;

/// One thing wrong with an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// JSON pointer from the input's root.
    pub pointer: String,
    /// What is wrong there. No payload.
    pub detail: String,
}

impl Complaint {
    fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            detail: detail.into(),
        }
    }
}

/// A compiled schema.
#[derive(Debug)]
pub struct Schema(Option<Validator>);

impl Schema {
    /// Compiles a type's schema. One that is no schema constrains nothing: the
    /// handler validates for itself.
    #[must_use]
    pub fn compile(name: &TypeName, schema: &Value) -> Self {
        let trivial = match schema {
            Value::Bool(all) => *all,
            Value::Object(members) => members.is_empty(),
            _ => false,
        };
        if trivial {
            return Self(None);
        }
        match jsonschema::draft202012::new(schema) {
            Ok(validator) => Self(Some(validator)),
            Err(error) => {
                warn!(workflow_type = %name, %error, "the announced input schema is no schema");
                Self(None)
            }
        }
    }

    /// What is certainly wrong with an input, by pointers from its root.
    #[must_use]
    pub fn check(&self, input: &Value) -> Vec<Complaint> {
        let Some(validator) = self.0.as_ref().filter(|it| !it.is_valid(input)) else {
            return Vec::new();
        };
        let (references, malformed) = reference::find(input);
        let open: Vec<&str> = references
            .iter()
            .map(|found| found.at.as_str())
            .chain(malformed.iter().map(|bad| bad.at.as_str()))
            .collect();
        let certain = validator
            .iter_errors(input)
            .filter(|error| is_certain(error, &open));
        certain
            .flat_map(|error| complaints(&error))
            .take(MAX_COMPLAINTS)
            .collect()
    }
}

/// Whether a complaint stands, whatever the parents' results at `open` are.
fn is_certain(error: &ValidationError<'_>, open: &[&str]) -> bool {
    let at = error.instance_path().as_str();
    if open.iter().any(|place| is_at_or_below(at, place)) {
        return false;
    }
    if open.is_empty() {
        return true;
    }
    // A branch was chosen by a condition, perhaps by looking at a place that
    // is still open.
    let path = error.evaluation_path().as_str();
    let branch = |step| matches!(step, "then" | "else" | "dependentSchemas");
    if path.split('/').any(branch) {
        return false;
    }
    let above = open.iter().any(|place| is_at_or_below(place, at));
    !above || looks_no_deeper(error.kind())
}

fn is_at_or_below(at: &str, place: &str) -> bool {
    at.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Complaints that depend on the names or the number of members alone.
const fn looks_no_deeper(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Type { .. }
            | Kind::Required { .. }
            | Kind::AdditionalProperties { .. }
            | Kind::AdditionalItems { .. }
            | Kind::PropertyNames { .. }
            | Kind::MinItems { .. }
            | Kind::MaxItems { .. }
            | Kind::MinProperties { .. }
            | Kind::MaxProperties { .. }
    )
}

/// A complaint, at the member that it is about: one that is missing or that
/// nobody knows stands below the object that is complained about.
fn complaints(error: &ValidationError<'_>) -> Vec<Complaint> {
    let at = error.instance_path().as_str();
    let below = |name: &str, detail: &str| {
        Complaint::new(format!("{at}/{}", reference::escape(name)), detail)
    };
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => unexpected
            .iter()
            .map(|name| below(name, "is not a known field"))
            .collect(),
        Kind::Required {
            property: Value::String(name),
        } => vec![below(name, "is required")],
        _ => vec![Complaint::new(at, detail(error))],
    }
}

/// The complaint without the value that caused it.
fn detail(error: &ValidationError<'_>) -> String {
    let mut text = error.masked().to_string();
    if let Some(first) = text.get_mut(0..1) {
        first.make_ascii_lowercase();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pointers(schema: &Value, input: &Value) -> Vec<String> {
        let schema = Schema::compile(&"t".parse().unwrap(), schema);
        let found = schema.check(input);
        found.into_iter().map(|one| one.pointer).collect()
    }

    fn open() -> Value {
        json!({"$result": "parent", "pointer": "/x"})
    }

    #[test]
    fn every_complaint_is_made_and_no_value_is_repeated() {
        let schema = json!({
            "type": "object",
            "properties": {"n": {"type": "integer"}, "s": {"type": "string", "maxLength": 3}},
            "required": ["m"],
            "additionalProperties": false,
        });
        let schema = Schema::compile(&"t".parse().unwrap(), &schema);
        let found = schema.check(&json!({"n": "secret", "s": "secret", "extra": 1}));
        let mut at: Vec<_> = found.iter().map(|one| one.pointer.as_str()).collect();
        at.sort_unstable();
        assert_eq!(at, ["/extra", "/m", "/n", "/s"]);
        assert!(found.iter().all(|one| !one.detail.contains("secret")));
    }

    #[test]
    fn a_reference_stands_for_any_value() {
        let schema = json!({
            "properties": {
                "n": {"type": "integer"},
                "list": {"type": "array", "items": {"type": "object", "required": ["id"]}},
            },
            "required": ["n", "list"],
        });
        assert!(pointers(&schema, &json!({"n": open(), "list": open()})).is_empty());
        let input = json!({"n": open(), "list": [open(), {"id": 1}, {}]});
        assert_eq!(pointers(&schema, &input), ["/list/2/id"]);
        assert!(pointers(&schema, &open()).is_empty());
    }

    #[test]
    fn what_depends_on_a_reference_is_not_held_against_its_ancestors() {
        let schemas = [
            json!({"oneOf": [{"properties": {"k": {"const": 1}}}, {"properties": {"k": {"const": 2}}}]}),
            json!({"anyOf": [{"properties": {"k": {"type": "string"}}}, {"required": ["z"]}]}),
            json!({"not": {"properties": {"k": {"type": "object"}}}}),
            json!({
                "if": {"properties": {"k": {"type": "object"}}},
                "then": {"required": ["q"]},
                "else": {"required": ["r"]},
            }),
            json!({"const": {"k": 7}}),
        ];
        for schema in schemas {
            assert!(
                pointers(&schema, &json!({"k": open()})).is_empty(),
                "{schema}"
            );
            let shape = json!({"type": "object", "allOf": [schema], "required": ["other"]});
            assert_eq!(
                pointers(&shape, &json!({"k": open()})),
                ["/other"],
                "{shape}"
            );
        }
    }

    #[test]
    fn without_references_conditions_hold() {
        let schema = json!({
            "if": {"properties": {"k": {"const": 1}}},
            "then": {"required": ["q"]},
        });
        assert_eq!(pointers(&schema, &json!({"k": 1})), ["/q"]);
        let schema = json!({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]});
        assert_eq!(pointers(&schema, &json!({})), [""]);
    }

    #[test]
    fn no_schema_constrains_nothing() {
        for schema in [json!({}), json!(true), json!({"type": 7})] {
            assert!(pointers(&schema, &json!({"k": 1})).is_empty());
        }
    }
}
