//! One table in every format, by writers that share no code with the readers, gives the same values and types.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{column, run, run_with, values};

fn data(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

const LABELS: [(&str, &str); 7] = [
    ("Id", "string"),
    ("Name", "string"),
    ("Amount", "number"),
    ("Paid", "boolean"),
    ("Awarded", "date"),
    ("Share", "number"),
    ("Note", "string"),
];

fn expected(label: &str, i: usize) -> Value {
    let names = ["Zoë & Søn", "Ærø <Trust>", "日本 基金", "Plain Ltd"];
    let start = jiff::civil::date(2020, 1, 1);
    match label {
        "Id" => json!(format!("{:04}", i + 1)),
        "Name" => json!(names[i % 4]),
        "Amount" if i == 6 => Value::Null,
        "Amount" if i.is_multiple_of(3) => super::super::records::number(i as f64 + 0.25),
        "Amount" => json!(i * 100),
        "Paid" => json!(i.is_multiple_of(2)),
        "Awarded" => json!((start + jiff::Span::new().days(i64::try_from(i).unwrap())).to_string()),
        "Share" => super::super::records::number(i as f64 / 40.0),
        _ if i == 8 => json!("x".repeat(9_000)),
        _ if i == 9 => json!("é".repeat(3_000) + &"日".repeat(6_000)),
        _ if i.is_multiple_of(5) => Value::Null,
        _ => json!(format!("note {i}")),
    }
}

fn check(output: &Value, format: &str) {
    assert_eq!(output["format"], format);
    for (label, kind) in LABELS {
        let found = values(output, label);
        for (i, found) in found.iter().enumerate().take(40) {
            let shown = format!("{:.60}", found.to_string());
            let wanted = expected(label, i);
            assert!(*found == wanted, "{format} {label} of record {i}: {shown}");
        }
        assert_eq!(column(output, label)["type"], kind, "{format} {label}");
    }
}

#[test]
fn every_format_gives_the_same_table() {
    for format in ["xlsx", "xlsb", "xls", "ods"] {
        let bytes = data(&format!("table.{format}"));
        let output = run(&bytes);
        check(&output, format);
        let sheets = output["sheets"].as_array().unwrap();
        assert_eq!(sheets.len(), 2);
        assert_eq!(
            (&sheets[0]["rows"], &sheets[1]["rows"]),
            (&json!(40), &json!(2)),
            "{format}"
        );
        if format != "ods" {
            assert_eq!(
                (&sheets[0]["hidden"], &sheets[1]["hidden"]),
                (&json!(false), &json!(true)),
                "{format}"
            );
        }
        let amount = column(&output, "Amount");
        // That writer of ods leaves errors, hidden sheets and merged areas out.
        if format != "ods" {
            assert_eq!(amount["native_types"]["error"], 1, "{format}");
            assert_eq!(
                amount["exceptions"][0],
                json!({"cell": "Grants!R8C3", "value_kind": "error"}),
                "{format}"
            );
        }
        if format != "ods" {
            assert_eq!(sheets[0]["merged"], json!(["I1:J2"]), "{format}");
        }
        let alone = run_with(&bytes, json!({"sheets": ["Behind"], "format": format})).unwrap();
        assert_eq!(alone["sheets"].as_array().unwrap().len(), 1);
        assert_eq!(values(&alone, "B"), [json!(1), json!(2)]);
        assert!(
            run_with(&bytes, json!({"sheets": ["Absent"]}))
                .unwrap_err()
                .to_string()
                .contains("/sheets/0")
        );
    }
}

#[test]
fn csv_gives_the_same_table() {
    let mut text = LABELS.map(|(label, _)| label).join(",") + "\r\n";
    for i in 0..40 {
        let cell = |label: &str| match expected(label, i) {
            Value::Null => String::new(),
            Value::String(s) => format!("\"{s}\""),
            other => other.to_string(),
        };
        writeln!(text, "{}", LABELS.map(|(label, _)| cell(label)).join(",")).unwrap();
    }
    let output = run(text.as_bytes());
    check(&output, "csv");
}
