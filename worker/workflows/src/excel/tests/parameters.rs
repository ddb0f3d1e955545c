//! Parameters in all the forms that people write them in.

use serde_json::{Value, json};

use super::{run, run_with};

const CSV: &[u8] = b"id,amount,start,postcode,name\n1,10,2024-01-01,SW1A 1AA,Acme Ltd\n2,,2024-03-01,M1 1AE,Acme Limited\n3,x,2024-03-01,10023,Beta CIC\n2,500,2025-03-01,B33 8TH,Beta\n";

fn warned(output: &Value, words: &str) -> bool {
    let warnings = output["warnings"].as_array().unwrap();
    warnings.iter().any(|w| w.as_str().unwrap().contains(words))
}

/// Place and message of each error.
fn messages(output: &Value) -> Vec<(String, String, String)> {
    let errors = output["validation"]["errors"].as_array().unwrap().iter();
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    errors
        .map(|e| {
            let place = if e["cell"].is_null() {
                &e["row"]
            } else {
                &e["cell"]
            };
            (text(place), text(&e["code"]), text(&e["message"]))
        })
        .collect()
}

fn found(messages: &[(String, String, String)]) -> Vec<(&str, &str, &str)> {
    let all = messages.iter();
    all.map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str()))
        .collect()
}

#[test]
fn a_field_without_a_type_holds_anything_and_its_bounds_still_hold() {
    let fields = json!([
        {"name": "amount", "required": true, "min": 0, "max": "100"},
        {"name": "start", "max": "2024-12-31"}, {"name": "id"},
    ]);
    let output = run_with(CSV, json!({"schema": {"fields": fields}})).unwrap();
    assert_eq!(
        found(&messages(&output)),
        [
            (
                "csv!R3C2",
                "constraint-error",
                "constraint \"required\": the cell is empty"
            ),
            (
                "csv!R4C2",
                "constraint-error",
                "constraint \"min\": not a number"
            ),
            (
                "csv!R5C2",
                "constraint-error",
                "constraint \"max\": above the largest value"
            ),
            (
                "csv!R5C3",
                "constraint-error",
                "constraint \"max\": above the largest value"
            ),
        ]
    );
    let number = json!({"fields": [{"name": "amount", "type": "number", "min": "0"}]});
    assert!(run_with(CSV, json!({"schema": number})).is_ok());
    let text = json!({"fields": [{"name": "amount", "type": "string", "min": 0}]});
    assert!(run_with(CSV, json!({"schema": text})).is_err());
}

#[test]
fn missing_values_of_a_schema_are_empty_cells() {
    let csv = b"Id,Amount\n1,5\n2, n/a \n3,-99\n4,7\n";
    let schema = |missing: Value| {
        json!({"schema": {"missingValues": missing, "fields": [{"name": "Id"}, {"name": "Amount", "type": "number", "required": true}],
            "rules": [{"id": "positive", "expr": "[Amount] > 0"}]}})
    };
    let output = run_with(csv, schema(json!(["", "n/a", "-99"]))).unwrap();
    assert_eq!(
        output["validation"]["counts_by_code"],
        json!({"constraint-error": 2})
    );
    assert_eq!(output["quality"]["completeness"]["num"], 2);
    assert_eq!(output["quality"]["consistency"]["den"], 2);
    let output = run_with(csv, schema(json!([]))).unwrap();
    assert_eq!(
        output["validation"]["counts_by_code"],
        json!({"row-constraint": 2, "type-error": 1})
    );
}

#[test]
fn a_unique_primary_key_counts_against_validity_once() {
    let schema = json!({"fields": [{"name": "id", "unique": true}], "primaryKey": "id"});
    let output = run_with(CSV, json!({"schema": schema})).unwrap();
    assert_eq!(
        found(&messages(&output)),
        [("csv!R5C1", "unique-error", "the same value as in row 3")]
    );
    let quality = &output["quality"];
    assert_eq!(
        (&quality["validity"]["num"], &quality["validity"]["den"]),
        (&json!(3), &json!(4))
    );
    assert_eq!(
        (&quality["uniqueness"]["num"], &quality["uniqueness"]["den"]),
        (&json!(3), &json!(4))
    );
}

#[test]
fn as_of_is_a_day_or_a_time() {
    for (as_of, timely) in [
        ("2024-04-01", 3),
        ("2024-04-01T09:30:00Z", 3),
        ("2025-03-01T00:30:00+01:00", 3),
        ("2025-03-01", 4),
    ] {
        let csv = "a,Last modified\n1,2024-03-31\n2,2024-03-31\n3,2024-03-31\n4,2025-03-01\n";
        let output = run_with(csv.as_bytes(), json!({"as_of": as_of})).unwrap();
        assert_eq!(output["quality"]["timeliness"]["num"], timely, "{as_of}");
        assert_eq!(output["as_of"], as_of);
    }
    for wrong in ["2024-13-01", "2024-04-01T09:30:00", "yesterday, at noon"] {
        let refused = run_with(CSV, json!({"as_of": wrong}))
            .unwrap_err()
            .to_string();
        assert!(refused.contains("/as_of"), "{refused}");
    }
}

#[test]
fn blocks_may_name_roles() {
    let csv = b"Org,Number,name_prefix\nAcme Ltd,7,x\nAcme Works,7,x\nBeta,8,y\n";
    let rules = |blocks: Value| {
        let entities = json!({"name": "Org", "id": "Number", "blocks": blocks});
        run_with(csv, json!({"entities": entities})).unwrap()
    };
    let by_role = rules(json!(["id", ["name", "id"]]));
    let blocks = by_role["entity_resolution"]["blocks"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(
        blocks[0]["rule"],
        json!([{"column": "Number", "by": "whole"}])
    );
    assert_eq!(blocks[1]["rule"][0]["column"], "Org");
    assert_eq!(
        by_role["entity_resolution"]["blocks"][0],
        rules(json!(["Number"]))["entity_resolution"]["blocks"][0]
    );
    assert_eq!(by_role["entity_resolution"]["pairs_compared"], 1);
    assert!(!warned(&by_role, "lack the column"));
    // A column of that name comes first; a role that is not given has no column.
    let real = run_with(
        CSV,
        json!({"entities": {"name": "name", "id": "postcode", "blocks": ["id", "postcode"]}}),
    )
    .unwrap();
    assert_eq!(
        real["entity_resolution"]["blocks"][0]["rule"][0]["column"],
        "id"
    );
    assert!(warned(
        &rules(json!(["domain"])),
        "lack the column \"domain\""
    ));
}

#[test]
fn columns_that_are_not_there_are_named() {
    let output = run_with(CSV, json!({"entities": {"name": "nmae"}})).unwrap();
    assert!(output["entities"].is_null());
    assert!(warned(&output, "no sheet has the column \"nmae\""));
    let schema = json!({"rules": [{"id": "r1", "expr": "[start] <= [end]"}]});
    let output = run_with(CSV, json!({"schema": schema})).unwrap();
    assert!(warned(
        &output,
        "rule \"r1\" names a column that 1 of the judged sheets lack"
    ));
    assert!(!warned(&run(CSV), "rule"));
}
