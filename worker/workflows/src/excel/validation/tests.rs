//! Validation against small tables made by hand.

use serde_json::{Value as Json, json};

use super::super::handmade::workbook;
use super::super::table::Workbook;
use super::{Plan, Report, SchemaChoice, validate};
use crate::{Error, Run};

fn planned(schema: &Json) -> Result<Plan, Error> {
    let choice: Option<SchemaChoice> = serde_json::from_value(schema.clone()).unwrap();
    Plan::new(choice.as_ref(), Some(jiff::civil::date(2027, 3, 31)))
}

fn report(schema: &Json, book: &Workbook) -> Report {
    validate(book, &planned(schema).unwrap(), &Run::unattended()).unwrap()
}

/// Place, code and field of each error.
fn errors(report: &Report) -> Vec<(String, String, String)> {
    let text = |v: &Json| v.as_str().unwrap_or("").to_owned();
    report
        .errors
        .iter()
        .map(|e| {
            (
                text(if e["cell"].is_null() {
                    &e["row"]
                } else {
                    &e["cell"]
                }),
                text(&e["code"]),
                text(&e["field"]),
            )
        })
        .collect()
}

fn expect(report: &Report, expected: &[(&str, &str, &str)]) {
    let found = errors(report);
    let found: Vec<(&str, &str, &str)> = found
        .iter()
        .map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str()))
        .collect();
    assert_eq!(found, expected);
    let total: u64 = report.counts.values().sum();
    assert_eq!(total, expected.len() as u64);
}

#[test]
fn every_code_has_its_coordinate() {
    let schema = json!({
        "fields": [
            {"name": "Id", "required": true, "unique": true},
            {"name": "Amount", "aliases": ["Sum"], "type": "number", "min": 0, "max": 100},
            {"name": "Kind", "enum": ["a", "b"]},
            {"name": "Code", "pattern": "[A-Z]\\d"},
            {"name": "Absent", "required": true},
        ],
        "primaryKey": ["Id", "Kind"],
        "rules": [{"id": "small", "expr": "Amount < 50"}],
    });
    let book = workbook(
        &["id ", "Sum", "Kind", "Code", "", "Code"],
        &[
            json!(["1", 5, "a", "A1", null, null]),
            json!([null, -1, "c", "A12", "x", null]),
            json!([null, null, null, null, null, null]),
            json!(["1", "7", "a", "A1", null, null]),
            json!(["2", 60, "#N/A", null, null, null]),
        ],
    );
    let report = report(&schema, &book);
    expect(
        &report,
        &[
            ("S!R1C5", "missing-label", ""),
            ("S!R1C6", "duplicate-label", "Code_2"),
            ("S!R1", "missing-label", "Absent"),
            ("S!R3C1", "constraint-error", "Id"),
            ("S!R3C2", "constraint-error", "Amount"),
            ("S!R3C3", "constraint-error", "Kind"),
            ("S!R3C4", "constraint-error", "Code"),
            ("S!R3C5", "extra-cell", ""),
            ("S!R4", "blank-row", ""),
            ("S!R5C1", "unique-error", "Id"),
            ("S!R5C2", "type-error", "Amount"),
            ("S!R5", "unique-error", ""),
            ("S!R6C3", "type-error", "Kind"),
            ("S!R6", "row-constraint", ""),
        ],
    );
    assert_eq!(report.rows, 4);
    // Id is filled 3 of 4 times, Absent never.
    assert_eq!((report.required.num, report.required.den), (3, 8));
    let keys = report.keys.unwrap();
    assert_eq!((keys.num, keys.den), (1, 4));
    // "7" is text: as a number it holds. Row 3 holds too.
    let consistency = report.consistency().unwrap();
    assert_eq!((consistency.num, consistency.den), (3, 4));
    let valid = report.valid;
    assert_eq!((valid.num, valid.den), (2 + 2 + 2 + 2, 3 + 4 + 4 + 3));
}

#[test]
fn no_message_holds_a_cell() {
    let canary = "canary-4711";
    let schema = json!({
        "fields": [{"name": "A", "type": "number"}, {"name": "B", "unique": true, "pattern": "x", "type": "email"}],
        "primaryKey": "A",
        "rules": [{"id": "r", "expr": "[A] > 1"}],
    });
    let book = workbook(
        &["A", "B"],
        &[json!([canary, canary]), json!([canary, canary])],
    );
    let report = report(&schema, &book);
    assert!(report.counts.values().sum::<u64>() > 5);
    assert!(!report.json().to_string().contains(canary));
}

#[test]
fn lists_are_capped_and_counts_are_not() {
    let rows: Vec<Json> = (0..1_500).map(|_| json!(["x"])).collect();
    let schema = json!({"fields": [{"name": "A", "type": "integer"}]});
    let out = report(&schema, &workbook(&["A"], &rows)).json();
    assert_eq!(out["errors"].as_array().unwrap().len(), super::MAX_ERRORS);
    assert_eq!(out["counts_by_code"]["type-error"], 1_500);
    assert_eq!(
        (&out["errors_total"], &out["truncated"]),
        (&json!(1_500), &json!(true))
    );
}

#[test]
fn types_take_what_they_should() {
    let cases = [
        (
            "integer",
            json!([1, 2.5, "3", true]),
            [true, false, false, false],
        ),
        (
            "number",
            json!([1.5, -2, "3", true]),
            [true, true, false, false],
        ),
        (
            "string",
            json!(["a", 1, true, " b"]),
            [true, false, false, true],
        ),
        (
            "boolean",
            json!([true, "true", 1, false]),
            [true, false, false, true],
        ),
        (
            "date",
            json!(["2027-03-31", "03/04/2027", "31/03/2027", "2027-03-31T10:00"]),
            [true, false, true, false],
        ),
        (
            "datetime",
            json!(["2027-03-31", "x", 5, "2027-03-31T10:00"]),
            [true, false, false, true],
        ),
        (
            "email",
            json!(["a@b.org", "a@b", "a b@c.org", 1]),
            [true, false, false, false],
        ),
        (
            "postcode",
            json!(["SW1A 1AA", "10023", 10023, "SW1A 1AA "]),
            [true, false, false, false],
        ),
        (
            "currency",
            json!(["GBP", "gbp", "XXQ", 1]),
            [true, false, false, false],
        ),
    ];
    for (kind, cells, expected) in cases {
        let rows: Vec<Json> = cells
            .as_array()
            .unwrap()
            .iter()
            .map(|c| json!([c]))
            .collect();
        let report = report(
            &json!({"fields": [{"name": "A", "type": kind}]}),
            &workbook(&["A"], &rows),
        );
        let wrong: Vec<String> = errors(&report).into_iter().map(|(at, ..)| at).collect();
        let wanted: Vec<String> = (2..)
            .zip(expected)
            .filter(|(_, good)| !good)
            .map(|(row, _)| format!("S!R{row}C1"))
            .collect();
        assert_eq!(wrong, wanted, "{kind}");
    }
}

#[test]
fn faults_of_a_schema_are_placed() {
    let schema = json!({
        "fields": [
            {"name": "A", "pattern": "("},
            {"name": "a"},
            {"name": "B", "type": "enum"},
            {"name": "C", "type": "string", "min": 1},
        ],
        "primaryKey": "Z",
        "rules": [{"id": "r", "expr": "1 +"}, {"id": "r", "expr": "true"}],
    });
    let Err(Error::InvalidInput(problems)) = planned(&schema) else {
        panic!("accepted")
    };
    let pointers: Vec<&str> = problems.iter().map(|p| p.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/schema/fields/0/pattern",
            "/schema/fields/1/name",
            "/schema/fields/2/enum",
            "/schema/fields/3/min",
            "/schema/primaryKey",
            "/schema/rules/0/expr",
        ]
    );
    assert!(matches!(
        planned(&json!("nonsense")),
        Err(Error::InvalidInput(_))
    ));
}

#[test]
fn the_built_in_schema_is_sound() {
    let plan = planned(&json!("360giving")).unwrap();
    assert_eq!(plan.fields.iter().filter(|f| f.field.required).count(), 10);
    for rule in &plan.rules {
        assert!(
            rule.expression
                .labels
                .iter()
                .all(|label| plan.field(label).is_some()),
            "{}",
            rule.id
        );
    }
}

#[test]
fn timeliness_is_a_share_or_a_reason() {
    let schema =
        json!({"fields": [{"name": "A"}], "timeliness": {"column": "Changed", "max_age_days": 30}});
    let book = workbook(
        &["A", "Changed"],
        &[
            json!(["x", "2027-03-31"]),
            json!(["x", "2027-03-01"]),
            json!(["x", "2027-02-28"]),
            json!(["x", "2027-04-01"]),
            json!(["x"]),
        ],
    );
    let tally = report(&schema, &book).timely.unwrap();
    assert_eq!((tally.num, tally.den), (2, 5));
    assert!(
        report(&schema, &workbook(&["A"], &[json!(["x"])]))
            .timely
            .is_err()
    );
    assert!(report(&json!(null), &book).timely.is_err());
}

#[test]
fn without_a_schema_shape_and_errors_are_judged() {
    let report = report(
        &json!(null),
        &workbook(
            &["A", "A"],
            &[json!(["#N/A", 1]), json!([null, null]), json!(["x"])],
        ),
    );
    expect(
        &report,
        &[
            ("S!R1C2", "duplicate-label", "A_2"),
            ("S!R2C1", "type-error", "A"),
            ("S!R3", "blank-row", ""),
        ],
    );
    assert_eq!((report.fill.num, report.fill.den), (2, 4));
}

#[test]
fn without_a_schema_the_column_of_last_changes_is_known_by_its_name() {
    let rows = [
        json!(["x", "2027-03-31"]),
        json!(["x", "2026-03-01"]),
        json!(["x"]),
    ];
    let typed = |label: &str| {
        let mut book = workbook(&["A", label], &rows);
        book.sheets[0].columns[1].kind = super::super::table::Kind::Date;
        report(&json!(null), &book)
    };
    for label in ["Last Modified", "dateModified", "last_updated"] {
        let report = typed(label);
        assert_eq!(
            report.timely.unwrap(),
            super::Tally { num: 1, den: 3 },
            "{label}"
        );
        assert!(!report.age.declared && report.age.max_days == 366);
    }
    assert!(typed("Award Date").timely.is_err());
    let text = report(&json!(null), &workbook(&["A", "Last Modified"], &rows));
    assert!(text.timely.is_err(), "a column of texts tells no age");
}
