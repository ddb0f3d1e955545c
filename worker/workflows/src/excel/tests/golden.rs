//! The facts of two real workbooks, found by openpyxl. WORKFLOWS 6.4.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{column, run_with, values};

/// A file of `data/grants` beside the project, or under `ZEROGATE_SHARED`.
pub(super) fn grants(name: &str) -> Option<Vec<u8>> {
    let named = std::env::var_os("ZEROGATE_SHARED").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared"));
    let found = named
        .into_iter()
        .chain(beside)
        .map(|shared| shared.join("data/grants").join(name));
    let file = found.into_iter().find(|file| file.is_file());
    if file.is_none() {
        eprintln!(
            "skipped: {name} is in no data/grants above the project, nor under ZEROGATE_SHARED"
        );
    }
    file.map(|file| std::fs::read(file).unwrap())
}

fn total<'o>(output: &'o Value, label: &str) -> &'o Value {
    let totals = output["totals"].as_array().unwrap();
    totals.iter().find(|t| t["column"] == label).unwrap()
}

fn sum(output: &Value, label: &str) -> f64 {
    total(output, label)["sum"].as_f64().unwrap()
}

fn trimmed(text: &str) -> String {
    text.trim().to_owned()
}

/// How many texts are postcodes of the strict pattern.
fn uk(postcodes: &[Value], prepare: impl Fn(&str) -> String) -> usize {
    let strict = regex::Regex::new(r"^[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}$").unwrap();
    let texts = postcodes.iter().filter_map(Value::as_str);
    texts.filter(|text| strict.is_match(&prepare(text))).count()
}

/// Recipient ids, those with more than one name, and names with more than one id.
fn recipients(output: &Value) -> (usize, usize, usize) {
    let ids = values(output, "Recipient Org:Identifier");
    let names = values(output, "Recipient Org:Name");
    let mut by_id: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut by_name: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (id, name) in ids.iter().zip(&names) {
        let (id, name) = (id.to_string(), name.to_string());
        by_id.entry(id.clone()).or_default().insert(name.clone());
        by_name.entry(name).or_default().insert(id);
    }
    let several =
        |all: &BTreeMap<_, BTreeSet<String>>| all.values().filter(|s| s.len() > 1).count();
    (by_id.len(), several(&by_id), several(&by_name))
}

/// Every value of the independent extraction that has a column of the same meaning.
fn agrees(output: &Value, extraction: &[u8], pairs: &[(&str, &str)]) {
    let other: Value = serde_json::from_slice(extraction).unwrap();
    let grants = other["grants"].as_array().unwrap();
    assert_eq!(output["records"].as_array().unwrap().len(), grants.len());
    for (label, pointer) in pairs {
        let ours = values(output, label);
        for (at, (ours, grant)) in ours.iter().zip(grants).enumerate() {
            let theirs = grant.pointer(pointer).cloned().unwrap_or(Value::Null);
            let same = match (ours.as_f64(), theirs.as_f64()) {
                (Some(a), Some(b)) => (a - b).abs() < 1e-9,
                _ => text(ours) == text(&theirs),
            };
            assert!(same, "{label} of record {at}: {ours} and {theirs}");
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(s) => s.split('T').next().unwrap_or_default().trim().to_owned(),
        other => other.to_string(),
    }
}

#[test]
fn abct() {
    let Some(bytes) = grants("a001p00000zgyHZAAY.xlsx") else {
        return;
    };
    let output = run_with(&bytes, json!({"schema": "360giving"})).unwrap();
    let sheet = &output["sheets"][0];
    assert_eq!(sheet["name"], "ABCT data - Jan 2013 - Aug 2020");
    assert_eq!(sheet["used_range"], "A1:V784");
    assert_eq!(
        (&sheet["rows"], &sheet["columns"], &sheet["header_row"]),
        (&json!(783), &json!(22), &json!(1))
    );
    assert_eq!(column(&output, "Identifier")["distinct"], 783);
    assert!((sum(&output, "Amount Awarded") - 12_785_625.0).abs() < 1e-6);
    let label = "Amount Awarded - website format";
    assert!((sum(&output, label) - 12_660_625.0).abs() < 1e-6);
    let (amounts, shown) = (values(&output, "Amount Awarded"), values(&output, label));
    let differing: Vec<usize> = (0..783)
        .filter(|&i| amounts[i].as_f64() != shown[i].as_f64())
        .collect();
    assert_eq!(differing, [118], "sheet row 120");
    assert_eq!(
        output["records"][118]["source"],
        "ABCT data - Jan 2013 - Aug 2020!R120C1"
    );
    abct_columns(&output);
    let json = grants("a001p00000zgyHZAAY.json").unwrap();
    agrees(
        &output,
        &json,
        &[
            ("Identifier", "/id"),
            ("Title", "/title"),
            ("Amount Awarded", "/amountAwarded"),
            ("Award Date", "/awardDate"),
        ],
    );
}

fn abct_columns(output: &Value) {
    let charity = column(output, "Recipient Org:Charity Number");
    assert_eq!(
        (
            &charity["native_types"]["text"],
            &charity["native_types"]["number"]
        ),
        (&json!(780), &json!(3))
    );
    assert_eq!(
        (&charity["type"], &charity["exceptions_total"]),
        (&json!("string"), &json!(3))
    );
    let postcode = column(output, "Recipient Org:Postal Code");
    assert_eq!(
        (&postcode["filled"], &postcode["supported"]),
        (&json!(777), &json!(753))
    );
    assert_eq!(
        (&postcode["type"], &postcode["base_type"]),
        (&json!("postcode"), &json!("string"))
    );
    assert_eq!(column(output, "Award Date")["type"], "date");
    let untrimmed = |label| {
        values(output, label)
            .iter()
            .filter_map(|v| v.as_str().map(|s| s != s.trim()))
            .filter(|b| *b)
            .count()
    };
    assert_eq!(untrimmed("Description"), 186);
    assert_eq!(untrimmed("Website: Project Detail"), 185);
    assert_eq!(
        values(output, "Award Date"),
        values(output, "Award Date - website format")
    );
    let postcodes = values(output, "Recipient Org:Postal Code");
    assert_eq!(
        (uk(&postcodes, str::to_owned), uk(&postcodes, trimmed)),
        (753, 757)
    );
    assert_eq!(recipients(output), (322, 33, 6));
    assert_eq!(
        total(output, "Amount Awarded")["by_currency"],
        json!({"GBP": {"sum": 12_785_625.0, "sum_exact": "12785625", "n": 783}})
    );
    let uniqueness = &output["quality"]["uniqueness"];
    assert_eq!(uniqueness, &json!({"value": 1.0, "num": 783, "den": 783}));
}

#[test]
fn alwf() {
    let Some(bytes) = grants("a003W000001B7PzQAK.xlsx") else {
        return;
    };
    let output = run_with(&bytes, json!({"as_of": "2026-01-01"})).unwrap();
    let sheet = &output["sheets"][0];
    assert_eq!(
        (&sheet["name"], &sheet["used_range"]),
        (&json!("Sheet1"), &json!("A1:X476"))
    );
    assert_eq!(
        (&sheet["rows"], &sheet["columns"]),
        (&json!(475), &json!(24))
    );
    assert!((sum(&output, "Amount Awarded") - 21_757_793.27).abs() < 1e-6);
    assert!((sum(&output, "Amount Applied For") - 27_143_231.27).abs() < 1e-6);
    let dates = column(&output, "Award Date");
    assert_eq!(
        (
            &dates["native_types"]["date"],
            &dates["native_types"]["text"]
        ),
        (&json!(132), &json!(343))
    );
    assert_eq!(
        (&dates["type"], &dates["support"]),
        (&json!("date"), &json!(1.0))
    );
    alwf_columns(&output);
    let json = grants("a003W000001B7PzQAK.json").unwrap();
    agrees(
        &output,
        &json,
        &[
            ("Identifier", "/id"),
            ("Title", "/title"),
            ("Amount Awarded", "/amountAwarded"),
            ("Award Date", "/awardDate"),
        ],
    );
}

fn alwf_columns(output: &Value) {
    let charity = column(output, "Recipient Org:Charity Number");
    assert_eq!(
        (
            &charity["native_types"]["number"],
            &charity["native_types"]["text"]
        ),
        (&json!(288), &json!(36))
    );
    assert_eq!(charity["type"], "string");
    let postcode = column(output, "Recipient Org:Postal Code");
    assert_eq!(
        (
            &postcode["native_types"]["text"],
            &postcode["native_types"]["number"]
        ),
        (&json!(462), &json!(12))
    );
    assert_eq!(postcode["filled"], 474);
    let postcodes = values(output, "Recipient Org:Postal Code");
    assert_eq!(uk(&postcodes, trimmed), 437);
    let mut zips: Vec<i64> = postcodes.iter().filter_map(Value::as_i64).collect();
    zips.sort_unstable();
    assert_eq!(zips[..6], [0; 6]);
    let known: BTreeSet<i64> = zips[6..].iter().copied().collect();
    assert!(known.is_superset(&BTreeSet::from([7_044, 10_023, 10_036, 30_901])));
    assert_eq!(zips.len(), 12);
    assert_eq!(
        column(output, "Planned Dates:Duration (months)")["filled"],
        468
    );
    let (ids, several_names, _) = recipients(output);
    assert_eq!((ids, several_names), (288, 1));
    let timeliness = &output["quality"]["timeliness"];
    assert_eq!(
        (&timeliness["den"], &timeliness["declared"]),
        (&json!(475), &json!(false)),
        "by the column \"Last modified\""
    );
}
