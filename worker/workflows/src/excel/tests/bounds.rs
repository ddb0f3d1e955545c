//! Harmless workbooks of many doubts and long texts: what does not fit is left out and said so.

use serde_json::{Value, json};

use super::{made, run_with, zipped};
use crate::Error;

fn warned(output: &Value, words: &str) -> bool {
    let warnings = output["warnings"].as_array().unwrap();
    warnings.iter().any(|w| w.as_str().unwrap().contains(words))
}

/// Elements of a list in all entities.
fn listed(output: &Value, list: &str) -> usize {
    let entities = output["entities"].as_array().unwrap().iter();
    entities.map(|e| e[list].as_array().unwrap().len()).sum()
}

#[test]
fn many_doubts_leave_a_result_of_bounded_size() {
    use std::fmt::Write as _;
    let mut csv = "Id,Name\n".to_owned();
    for row in 0..1_500 {
        // Names that block together, with an id each: every pair is a doubt.
        writeln!(
            csv,
            "GB-CHC-{},Harbour Arts number{:02}",
            100_000 + row,
            row % 15
        )
        .unwrap();
    }
    let output = run_with(
        csv.as_bytes(),
        json!({"entities": {"name": "Name", "id": "Id"}, "limits": {"records": 0}, "record_file": false}),
    )
    .unwrap();
    assert_eq!(output["truncated"], true);
    assert_eq!(output["entity_resolution"]["truncated"], true);
    assert!(warned(
        &output,
        "pieces of evidence and reviews are not listed"
    ));
    assert_eq!(
        listed(&output, "review") + listed(&output, "evidence"),
        20_000
    );
    // Each doubt is one of two entities, listed or not.
    let entities = output["entities"].as_array().unwrap();
    let stated: u64 = entities
        .iter()
        .map(|e| e["review_total"].as_u64().unwrap())
        .sum();
    let reviews = output["entity_resolution"]["reviews"].as_u64().unwrap();
    assert!(reviews > 20_000);
    assert_eq!(stated, 2 * reviews);
    assert!(output.to_string().len() < 24 << 20);
}

#[test]
fn long_records_are_cut_at_a_number_of_bytes() {
    let bytes = made(|page| {
        for at in 0..40 {
            page.write_string(0, at, format!("L{at}")).unwrap();
            for row in 1..=20 {
                page.write_string(row, at, "x".repeat(32_000)).unwrap();
            }
        }
    });
    let output = run_with(&bytes, json!({"limits": {"records": 20}})).unwrap();
    let shown = output["records"].as_array().unwrap().len();
    assert_eq!(
        shown,
        (8 << 20) / (40 * 32_009),
        "40 texts and their labels each"
    );
    assert_eq!(
        (&output["records_truncated"], &output["truncated"]),
        (&json!(true), &json!(true))
    );
    assert!(warned(&output, "records lists the first 6 of the 20"));
    let few = run_with(&bytes, json!({"limits": {"records": 3}})).unwrap();
    assert_eq!(
        (&few["records_truncated"], &few["truncated"]),
        (&json!(true), &json!(false))
    );
}

#[test]
fn a_repeated_text_counts_as_often_as_it_stands_there() {
    let ods = |rows: u64, columns: u64, text: &str| {
        let content = format!(
            r#"<office:document-content><office:body><office:spreadsheet><table:table table:name="S"><table:table-row table:number-rows-repeated="{rows}"><table:table-cell office:value-type="string" table:number-columns-repeated="{columns}"><text:p>{text}</text:p></table:table-cell></table:table-row></table:table></office:spreadsheet></office:body></office:document-content>"#
        );
        zipped(&[
            (
                "mimetype".into(),
                b"application/vnd.oasis.opendocument.spreadsheet".to_vec(),
            ),
            ("content.xml".into(), content.into_bytes()),
        ])
    };
    let refused = run_with(&ods(1_000, 500, &"ab".repeat(2_000)), json!({}));
    assert!(
        matches!(&refused, Err(Error::LimitExceeded { limit, .. }) if limit == "text_bytes"),
        "{refused:?}"
    );
    let fine = run_with(&ods(1_000, 1, "yes"), json!({"limits": {"records": 1}})).unwrap();
    assert_eq!(fine["records_total"], 999);
}

#[test]
fn names_of_sheets_are_short() {
    let content = format!(
        r#"<office:document-content><office:body><office:spreadsheet><table:table table:name="{}"><table:table-row><table:table-cell office:value-type="string"><text:p>x</text:p></table:table-cell></table:table-row></table:table></office:spreadsheet></office:body></office:document-content>"#,
        "n".repeat(300)
    );
    let file = zipped(&[
        (
            "mimetype".into(),
            b"application/vnd.oasis.opendocument.spreadsheet".to_vec(),
        ),
        ("content.xml".into(), content.into_bytes()),
    ]);
    let refused = run_with(&file, json!({}));
    assert!(
        matches!(refused, Err(Error::LimitExceeded { limit, .. }) if limit == "sheet_name_characters")
    );
}
