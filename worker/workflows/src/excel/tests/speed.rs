//! Measures a workbook of 100,000 x 20 cells, in a release build:
//! `cargo test --release -p zerogate-workflows --lib excel::tests::speed -- --ignored --nocapture`.

use std::time::Instant;

use rust_xlsxwriter::{Format, Workbook as Book};
use serde_json::json;

use super::run_with;

/// Grants as registers have them: identifiers, names that recur, amounts, dates, codes.
fn large() -> Vec<u8> {
    let mut book = Book::new();
    let day = Format::new().set_num_format("yyyy-mm-dd");
    let page = book.add_worksheet();
    for at in 0..20_u16 {
        page.write_string(0, at, format!("Column {at}")).unwrap();
    }
    for row in 1..=100_000_u32 {
        let mix = row.wrapping_mul(2_654_435_761);
        for at in 0..20_u16 {
            match at % 5 {
                0 => page
                    .write_string(row, at, format!("G-{at}-{row:06}"))
                    .unwrap(),
                1 => page
                    .write_string(row, at, format!("Recipient {}", mix % 5_000))
                    .unwrap(),
                2 => page
                    .write_number(row, at, f64::from(mix % 100_000) / 4.0)
                    .unwrap(),
                3 => page
                    .write_number_with_format(row, at, f64::from(40_000 + mix % 5_000), &day)
                    .unwrap(),
                _ => page
                    .write_string(row, at, ["GBP", "EUR", "USD"][mix as usize % 3])
                    .unwrap(),
            };
        }
    }
    book.save_to_buffer().unwrap()
}

#[test]
#[ignore = "a measurement of half a minute, for release builds"]
fn a_large_workbook() {
    let bytes = match std::env::var_os("ZEROGATE_WORKBOOK").map(std::path::PathBuf::from) {
        Some(path) if path.is_file() => std::fs::read(path).unwrap(),
        Some(path) => {
            let bytes = large();
            std::fs::write(path, &bytes).unwrap();
            bytes
        }
        None => large(),
    };
    let schema = json!({"fields": [
        {"name": "Column 0", "required": true}, {"name": "Column 1", "required": true},
        {"name": "Column 2", "type": "number", "min": 0}, {"name": "Column 3", "type": "date"},
        {"name": "Column 4", "type": "currency"}], "primaryKey": ["Column 0"]});
    for (name, more) in [
        (
            "read, typed, validated, scored",
            json!({"schema": schema, "record_file": false, "limits": {"records": 100}}),
        ),
        (
            "and all records written",
            json!({"schema": schema, "limits": {"records": 100}}),
        ),
        (
            "and a cleaned workbook",
            json!({"schema": schema, "cleaned_workbook": true, "limits": {"records": 100}}),
        ),
    ] {
        let started = Instant::now();
        let output = run_with(&bytes, more).unwrap();
        eprintln!(
            "{name}: {:?}, overall {}",
            started.elapsed(),
            output["quality"]["overall"]["value"]
        );
        assert_eq!(output["records_total"], 100_000);
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    eprintln!(
        "{} bytes of workbook; {}",
        bytes.len(),
        status
            .lines()
            .find(|l| l.starts_with("VmHWM"))
            .unwrap_or("")
    );
}
