//! The facts of the real grant workbooks (WORKFLOWS 6.4), repeats, and the speed of judging.

use serde_json::{Value as Json, json};

use super::super::handmade::{grants, workbook};
use super::super::table::Workbook;
use super::{Document, Plans, fill};
use crate::{Error, Run};

fn judged(book: &Workbook, schema: &Json, entities: &Json) -> Json {
    let read = |value: &Json| serde_json::from_value(value.clone()).unwrap();
    let (schema, entities): (Option<_>, Option<_>) = (
        read(schema),
        serde_json::from_value(entities.clone()).unwrap(),
    );
    let plans = Plans::new(
        schema.as_ref(),
        entities.as_ref(),
        Some(jiff::civil::date(2026, 11, 23)),
    )
    .unwrap();
    let mut doc = Document::default();
    fill(book, &plans, &Run::unattended(), &mut doc).unwrap();
    doc.finish()
}

fn recipients() -> Json {
    json!({"name": "Recipient Org:Name", "id": "Recipient Org:Identifier"})
}

fn total<'j>(out: &'j Json, column: &str) -> &'j Json {
    out["totals"]
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t["column"] == column)
        .unwrap()
}

#[test]
fn facts_of_a_b_charitable_trust() {
    let schema = json!({
        "fields": [
            {"name": "Identifier", "required": true},
            {"name": "Recipient Org:Postal Code", "type": "postcode"},
            {"name": "Amount Awarded", "type": "number", "required": true},
        ],
        "primaryKey": "Identifier",
        "rules": [{"id": "amounts_agree", "expr": "[Amount Awarded] = [Amount Awarded - website format]"}],
    });
    let out = judged(&grants("a001p00000zgyHZAAY"), &schema, &recipients());
    assert_eq!(total(&out, "Amount Awarded")["sum_exact"], "12785625");
    assert_eq!(
        total(&out, "Amount Awarded - website format")["sum_exact"],
        "12660625"
    );
    assert_eq!(
        out["quality"]["uniqueness"],
        json!({"value": 1.0, "num": 783, "den": 783})
    );
    assert_eq!(
        (
            &out["quality"]["consistency"]["num"],
            &out["quality"]["consistency"]["den"]
        ),
        (&json!(782), &json!(783))
    );
    let postcodes = &out["validation"]["fields"][1];
    assert_eq!(
        (&postcodes["filled"], &postcodes["valid"]),
        (&json!(777), &json!(753))
    );
    let broken: Vec<&Json> = out["validation"]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["code"] == "row-constraint")
        .collect();
    assert_eq!(broken.len(), 1);
    assert_eq!(broken[0]["row"], "S!R120");
}

#[test]
fn recipients_of_a_b_charitable_trust() {
    let out = judged(&grants("a001p00000zgyHZAAY"), &json!(null), &recipients());
    let entities = out["entities"].as_array().unwrap();
    let ids: std::collections::BTreeSet<&str> = entities
        .iter()
        .flat_map(|e| e["ids"].as_array().unwrap())
        .filter_map(Json::as_str)
        .collect();
    assert_eq!(ids.len(), 322);
    assert!(
        entities
            .iter()
            .all(|e| e["ids"].as_array().unwrap().len() == 1),
        "no entity has two identifiers"
    );
    let records: u64 = entities
        .iter()
        .map(|e| e["records_total"].as_u64().unwrap())
        .sum();
    assert_eq!(records, 783);
    let of = |name: &str| {
        let mut found = entities
            .iter()
            .filter(|e| e["names"].as_array().unwrap().iter().any(|n| n == name));
        found.next().unwrap()
    };
    // Variants of a name under one identifier are one; an identifier that two names share is for a person to look at.
    assert_eq!(
        of("Project 17")["id"],
        of("Project Seventeen (AKA Project 17)")["id"]
    );
    assert_eq!(of("Koestler Trust")["id"], of("Koestler Arts")["id"]);
    assert_ne!(of("IMiX")["id"], of("Global Dialogue")["id"]);
    let review = |e: &Json| e["review"].as_array().unwrap().clone();
    assert!(
        review(of("IMiX"))
            .iter()
            .any(|r| r["reason"] == "same_id" && r["entity"] == of("Global Dialogue")["id"])
    );
    let apart: std::collections::BTreeSet<String> = entities
        .iter()
        .flat_map(review)
        .filter(|r| r["reason"] == "different_ids")
        .map(|r| r["a"].to_string() + &r["b"].to_string())
        .collect();
    assert_eq!(apart.len(), 6, "six names have more than one identifier");
}

#[test]
fn facts_of_andrew_lloyd_webber_foundation() {
    let out = judged(
        &grants("a003W000001B7PzQAK"),
        &json!("360giving"),
        &recipients(),
    );
    assert_eq!(total(&out, "Amount Awarded")["sum_exact"], "21757793.27");
    assert_eq!(
        total(&out, "Amount Applied For")["sum_exact"],
        "27143231.27"
    );
    assert_eq!(out["validation"]["rows"], 475);
    assert_eq!(out["entity_resolution"]["entities"], 288);
}

#[test]
fn judging_twice_gives_the_same_bytes() {
    let judge = || {
        judged(
            &grants("a001p00000zgyHZAAY"),
            &json!("360giving"),
            &recipients(),
        )
        .to_string()
    };
    assert_eq!(judge(), judge());
}

#[test]
fn faults_of_entities_are_placed() {
    for (entities, pointer) in [
        (json!({}), "/entities"),
        (json!({"name": "A", "id": "A"}), "/entities"),
    ] {
        let read: Option<_> = serde_json::from_value(entities).unwrap();
        let Err(Error::InvalidInput(problems)) = Plans::new(None, read.as_ref(), None) else {
            panic!("accepted")
        };
        assert_eq!(problems[0].pointer, pointer);
    }
}

#[test]
fn total_rows_are_checked() {
    let mut book = workbook(
        &["Name", "Sum"],
        &[
            json!(["a", 0.1]),
            json!(["b", 0.2]),
            json!(["Total", 0.3]),
            json!(["c", 5]),
            json!(["d", "x"]),
            json!(["Total", 6]),
            json!(["Grand total", 5.3]),
        ],
    );
    for at in [2, 5, 6] {
        book.sheets[0].rows[at].kind = super::super::table::RowKind::Total;
    }
    let out = judged(&book, &json!(null), &json!(null));
    let sums = total(&out, "Sum");
    assert_eq!(
        (&sums["sum_exact"], &sums["n"], &sums["not_numeric"]),
        (&json!("5.3"), &json!(3), &json!(1))
    );
    let matches: Vec<&Json> = sums["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["matches"])
        .collect();
    assert_eq!(matches, [true, false, true]);
    assert!(out["entities"].is_null() && out["null_reasons"]["/entities"].is_string());
}

/// 100,000 rows of 20 columns: prints the milliseconds of validation with scores, and of entities.
#[test]
#[ignore = "a measurement, meaningful in release mode only: cargo test --release -- --ignored --nocapture judging_speed"]
fn judging_speed() {
    let labels: Vec<String> = (0..20).map(|c| format!("c{c}")).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let row = |i: u64| -> Json {
        let cell = |c: u64| -> Json {
            let x = (i + 1)
                .wrapping_mul(6_364_136_223_846_793_005)
                .rotate_left(u32::try_from(c).unwrap() * 3)
                % 50_000;
            match c {
                0 => format!("id-{i}").into(),
                1 => format!("2027-0{}-1{}", 1 + x % 9, x % 10).into(),
                2 => {
                    let word = |x: u64| {
                        ["alpha", "beta", "gamma", "delta", "kappa"]
                            [usize::try_from(x % 5).unwrap()]
                    };
                    format!("{} {} {} Trust", word(x), word(x / 5), x / 25 % 500).into()
                }
                c if c % 2 == 0 => (x as f64 / 100.0).into(),
                _ => format!("text {x}").into(),
            }
        };
        (0..20).map(cell).collect()
    };
    let rows: Vec<Json> = (0..100_000).map(row).collect();
    let book = workbook(&labels, &rows);
    let fields: Vec<Json> = (0..20)
        .map(|c| json!({"name": format!("c{c}"), "required": true, "type": match c { 1 => "date", 2 => "string", c if c > 0 && c % 2 == 0 => "number", _ => "string" }}))
        .collect();
    let schema = json!({"fields": fields, "primaryKey": "c0", "rules": [{"id": "r1", "expr": "[c4] <= [c6] + 400"}, {"id": "r2", "expr": "[c1] > date('2027-01-01')"}]});
    let start = std::time::Instant::now();
    let out = judged(&book, &schema, &json!(null));
    println!(
        "validation, scores, totals: {} ms; {}",
        start.elapsed().as_millis(),
        out["quality"]["overall"]
    );
    let start = std::time::Instant::now();
    let out = judged(&book, &json!(null), &json!({"name": "c2"}));
    println!(
        "entities: {} ms; {}",
        start.elapsed().as_millis(),
        out["entity_resolution"]["pairs_compared"]
    );
}

/// The two parameters as an input holds them.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    #[serde(default)]
    schema: Option<super::SchemaChoice>,
    #[serde(default)]
    entities: Option<super::Entities>,
}

#[test]
fn parameters_are_read_through_their_published_schema() {
    let schema = crate::schema::of::<Parameters>();
    let read = |input: Json| crate::schema::read::<Parameters>(&schema, &input);
    for good in [
        json!({}),
        json!({"schema": null, "entities": null}),
        json!({"schema": "360giving"}),
        json!({"schema": {"fields": [{"name": "A", "type": "number", "min": 0, "max": 5, "enum": [1, "x", true], "required": true}],
            "primaryKey": "A", "rules": [{"id": "r", "expr": "A > 1"}], "timeliness": {"column": "B", "max_age_days": 3}}}),
        json!({"schema": {"fields": [{"name": "A", "min": "2020-01-01", "type": "date"}], "primaryKey": ["A"]}}),
        json!({"entities": {"name": "A", "id": "B", "blocks": ["C", ["A", {"column": "D", "by": "prefix", "length": 3}]]}}),
        json!({"entities": {"fields": [{"column": "A", "kind": "person"}]}}),
    ] {
        let parameters = read(good.clone()).unwrap_or_else(|e| panic!("{good}: {e}"));
        assert_eq!(parameters.schema.is_some(), !good["schema"].is_null());
        assert_eq!(parameters.entities.is_some(), !good["entities"].is_null());
    }
    for (bad, pointer) in [
        (json!({"schema": 5}), "/schema"),
        (
            json!({"schema": {"fields": [{"name": "A", "type": "decimal"}]}}),
            "/schema/fields/0/type",
        ),
        (
            json!({"schema": {"fields": [{"name": "A", "min": []}]}}),
            "/schema/fields/0/min",
        ),
        (json!({"schema": {"primaryKey": {}}}), "/schema/primaryKey"),
        (
            json!({"entities": {"fields": [{"column": "A", "kind": "x"}]}}),
            "/entities/fields/0/kind",
        ),
        (
            json!({"entities": {"blocks": [[{"column": "A", "by": "x"}]]}}),
            "/entities/blocks/0/0/by",
        ),
        (json!({"entities": {"blocks": [[]]}}), "/entities/blocks/0"),
    ] {
        let Err(Error::InvalidInput(problems)) = read(bad.clone()) else {
            panic!("{bad} accepted")
        };
        assert_eq!(problems[0].pointer, pointer, "{bad}");
    }
    for foreign in ["$ref", "oneOf", "allOf", "const"] {
        assert!(
            !schema.to_string().contains(&format!("{foreign:?}:")),
            "{foreign}: {schema}"
        );
    }
}

#[test]
fn judging_ends_when_asked() {
    let book = grants("a003W000001B7PzQAK");
    let stop = || true;
    let run = Run {
        stop: &stop,
        ..Run::unattended()
    };
    let entities: super::Entities = serde_json::from_value(recipients()).unwrap();
    let plans = Plans::new(None, Some(&entities), None).unwrap();
    assert_eq!(
        fill(&book, &plans, &run, &mut Document::default()),
        Err(Error::Stopped)
    );
}
