//! The published schemas agree with the runs: what a schema refuses the run refuses, and what a run refuses for the
//! shape of one field the schema refuses too. An independent validator (the one that submissions meet) decides.

use serde_json::{Value, json};
use zerogate_workflows::{Error, Run, catalogue, karate_club, sample_grant, sample_sponsors};

fn samples(name: &str) -> Vec<Value> {
    match name {
        "relationship_mapping" => vec![karate_club()],
        "grant_timeline" => vec![sample_grant()],
        "sponsor_analysis" => vec![sample_sponsors()],
        _ => vec![],
    }
}

#[test]
fn samples_examples_and_defaults_are_valid_and_run() {
    for kind in catalogue() {
        let schema = jsonschema::validator_for(&(kind.input_schema)()).unwrap();
        for input in samples(kind.name).into_iter().chain([(kind.example)()]) {
            let found: Vec<String> = schema.iter_errors(&input).map(|e| e.to_string()).collect();
            assert!(found.is_empty(), "{}: {found:?}", kind.name);
            let output = (kind.run)(&input, &Run::unattended()).unwrap();
            assert!((kind.summary)(&output).len() > 100);

            let mut full = input.clone();
            for (field, value) in (kind.defaults)().as_object().unwrap() {
                full.as_object_mut()
                    .unwrap()
                    .entry(field)
                    .or_insert(value.clone());
            }
            assert!(schema.is_valid(&full), "{} with its defaults", kind.name);
            let again = (kind.run)(&full, &Run::unattended()).unwrap();
            assert_eq!(
                output, again,
                "{}: the defaults are what absence means",
                kind.name
            );
        }
    }
}

/// Every place of a value, with what stands there.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        // The first items stand for the rest, which have the same shape.
        Value::Array(items) => items
            .iter()
            .take(2)
            .enumerate()
            .for_each(|(i, v)| places(v, &format!("{at}/{i}"), found)),
        Value::Object(map) => map
            .iter()
            .for_each(|(k, v)| places(v, &format!("{at}/{k}"), found)),
        _ => {}
    }
}

/// Every field of the schema that may be absent, under the objects that the value has.
fn optional(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let schema = schema["anyOf"].get(0).unwrap_or(schema);
    match value {
        Value::Object(fields) => {
            let required = schema["required"].as_array().into_iter().flatten();
            let required: Vec<&Value> = required.collect();
            for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
                let at = format!("{at}/{name}");
                if !required.iter().any(|r| *r == name) {
                    found.push(at.clone());
                }
                if let Some(field) = fields.get(name) {
                    optional(inner, field, &at, found);
                }
            }
        }
        Value::Array(items) => items.iter().take(2).enumerate().for_each(|(i, item)| {
            optional(&schema["items"], item, &format!("{at}/{i}"), found);
        }),
        _ => {}
    }
}

#[test]
fn null_in_an_optional_field_is_absence() {
    for kind in catalogue() {
        let schema = (kind.input_schema)();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let mut full = (kind.example)();
        for (field, value) in (kind.defaults)().as_object().unwrap() {
            let fields = full.as_object_mut().unwrap();
            fields.entry(field).or_insert(value.clone());
        }
        let mut places = Vec::new();
        optional(&schema, &full, "", &mut places);
        assert!(places.len() > 5, "{}: {places:?}", kind.name);
        for place in places {
            let (above, name) = place.rsplit_once('/').unwrap();
            let mut absent = full.clone();
            let fields = absent.pointer_mut(above).unwrap().as_object_mut().unwrap();
            fields.remove(name);
            let mut null = absent.clone();
            null.pointer_mut(above).unwrap()[name] = Value::Null;
            assert!(validator.is_valid(&null), "{}{place}", kind.name);
            let run = |input: &Value| (kind.run)(input, &Run::unattended());
            match (run(&null), run(&absent)) {
                (Ok(a), Ok(b)) => assert_eq!(a, b, "{}{place}", kind.name),
                (a, b) => assert_eq!(a.err(), b.err(), "{}{place}", kind.name),
            }
        }
    }
}

#[test]
fn schema_and_run_refuse_the_same_shapes() {
    let wrong = [
        json!(null),
        json!(-1),
        json!(0),
        json!(1e30),
        json!(0.5),
        json!(""),
        json!("x"),
        json!(true),
        json!([]),
        json!({}),
        json!(["x"]),
        json!({"x": 1}),
        json!("2026-1-1"),
        json!("24:00"),
    ];
    for kind in catalogue() {
        let schema = jsonschema::validator_for(&(kind.input_schema)()).unwrap();
        let input = (kind.example)();
        let mut all = Vec::new();
        places(&input, "", &mut all);
        for place in all {
            for replacement in &wrong {
                let mut mutated = input.clone();
                *mutated.pointer_mut(&place).unwrap() = replacement.clone();
                let result = (kind.run)(&mutated, &Run::unattended());
                if !schema.is_valid(&mutated) {
                    assert!(
                        matches!(result, Err(Error::InvalidInput(_))),
                        "{}{place} = {replacement}: {result:?}",
                        kind.name
                    );
                } else if let Err(Error::InvalidInput(problems)) = &result {
                    // What only the run refuses needs a second field, a table, or a clock to see.
                    let shape = problems.iter().find(|p| {
                        p.detail.starts_with("must be of type")
                            || p.detail.contains("unknown field")
                            || p.detail.starts_with("must be at")
                            || p.detail.starts_with("must be one of")
                            || p.detail.contains("cannot be read")
                    });
                    assert!(
                        shape.is_none(),
                        "{}{place} = {replacement}: the schema allows {shape:?}",
                        kind.name
                    );
                }
            }
        }
    }
}
