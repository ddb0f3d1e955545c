//! Nothing of a tenant's workbook leaves a run but in its output: errors, their Debug texts and progress hold places and
//! lengths only.

use std::fmt::Write as _;
use std::sync::Mutex;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::{SHEET, edited, input, made, members, zipped};
use crate::{Error, Run};

/// Stands in every cell, label, sheet name, member and parameter. Pointers may hold names of fields of the input, which are
/// addresses.
const CANARY: &str = "Quetzalcoatlus";

fn marked() -> Vec<u8> {
    let bytes = made(|page| {
        page.set_name(format!("{CANARY} sheet")).unwrap();
        for at in 0..4 {
            page.write_string(0, at, format!("{CANARY} {at}")).unwrap();
            for row in 1..9 {
                page.write_string(row, at, format!("{CANARY} cell {row}"))
                    .unwrap();
            }
        }
    });
    let mut all = members(&bytes);
    all.push((format!("{CANARY}.xml"), CANARY.as_bytes().to_vec()));
    zipped(&all)
}

/// Everything that a run says besides its output.
fn said(bytes: &[u8], more: &serde_json::Value) -> (String, bool) {
    let heard = Mutex::new(String::new());
    let progress = |_: f64, doing: &str| heard.lock().unwrap().push_str(doing);
    let run = Run {
        progress: &progress,
        ..Run::unattended()
    };
    let result = super::super::run(&input(bytes, more), &run);
    let refused = result.is_err();
    let mut said = heard.into_inner().unwrap();
    if let Err(error) = result {
        write!(said, "{error} {error:?} {error:#?}").unwrap();
        if let Error::InvalidInput(problems) = &error {
            said += &serde_json::to_string(problems).unwrap();
        }
    }
    (said, refused)
}

#[test]
fn errors_and_progress_hold_no_contents() {
    let good = marked();
    let text = format!("{CANARY},b\n{CANARY},\"{CANARY}\n");
    let long = made(|page| {
        page.write_string(0, 0, CANARY.repeat(2_000)).unwrap();
    });
    let cases = [
        (good.clone(), json!({"sheets": [CANARY]})),
        (good.clone(), json!({"header": 99})),
        (good.clone(), json!({"header": CANARY})),
        (good.clone(), json!({"format": "ods"})),
        (good.clone(), json!({"schema": CANARY})),
        (
            good.clone(),
            json!({"schema": {"fields": [{"name": CANARY, "type": "number", "min": CANARY}]}}),
        ),
        (
            good.clone(),
            json!({"schema": {"fields": [{"name": CANARY, "pattern": format!("({CANARY}")}]}}),
        ),
        (
            good.clone(),
            json!({"schema": {"primaryKey": [CANARY], "fields": []}}),
        ),
        (
            good.clone(),
            json!({"schema": {"rules": [{"id": CANARY, "expr": format!("[{CANARY}] >=")}]}}),
        ),
        (
            good.clone(),
            json!({"schema": {"rules": [{"id": "r", "expr": format!("{CANARY} {CANARY}")}]}}),
        ),
        (good.clone(), json!({"entities": {"fields": []}})),
        (good.clone(), json!({"as_of": CANARY})),
        (good[..good.len() / 2].to_vec(), json!({})),
        (
            edited(&long, "xl/sharedStrings.xml", |xml| {
                xml.replacen(CANARY, &CANARY.repeat(5_000), 1)
            }),
            json!({}),
        ),
        (
            edited(&good, SHEET, |xml| {
                xml.replacen("r=\"A2\"", "r=\"Quetzalcoatlus2\"", 1)
            }),
            json!({}),
        ),
        (
            edited(&good, SHEET, |xml| {
                xml.replacen("<worksheet", "<!DOCTYPE Quetzalcoatlus><worksheet", 1)
            }),
            json!({}),
        ),
        (format!("<{CANARY}>").into_bytes(), json!({})),
        (format!("%PDF {CANARY}").into_bytes(), json!({})),
        (zipped(&[(CANARY.into(), CANARY.into())]), json!({})),
    ];
    for (nth, (bytes, more)) in cases.into_iter().enumerate() {
        let (said, refused) = said(&bytes, &more);
        assert!(refused, "case {nth}");
        assert!(!said.contains(CANARY), "case {nth}: {said}");
    }
    let (said, _) = said(text.as_bytes(), &json!({}));
    assert!(!said.contains(CANARY), "{said}");
}

#[test]
fn damaged_files_do_not_betray_their_contents() {
    let good = marked();
    let all = members(&good);
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut refusals = 0;
    for _ in 0..150 {
        let mut damaged = all.clone();
        let member = rng.random_range(0..damaged.len());
        let content = &mut damaged[member].1;
        let at = rng.random_range(0..content.len());
        if rng.random() {
            content.truncate(at);
        } else {
            content[at] = b'<';
        }
        let (said, refused) = said(&zipped(&damaged), &json!({}));
        refusals += u32::from(refused);
        assert!(!said.contains(CANARY), "{said}");
    }
    assert!(refusals > 10, "{refusals} of 150 were refused");
}

#[test]
fn warnings_and_messages_of_an_output_hold_no_cell_values() {
    let csv = "Id,Amount,When,Mail\nQuetzalcoatlus,Quetzalcoatlus,Quetzalcoatlus,Quetzalcoatlus\nQuetzalcoatlus,5,03/04/2020,a@x.org\n";
    let schema = json!({"fields": [
        {"name": "Id", "unique": true, "required": true}, {"name": "Amount", "type": "number", "min": 6},
        {"name": "When", "type": "date"}, {"name": "Mail", "type": "email", "pattern": "z+", "enum": ["q"]}],
        "primaryKey": ["Id"], "rules": [{"id": "r", "expr": "[Amount] > 7"}]});
    let output = super::run_with(
        csv.as_bytes(),
        json!({"schema": schema, "as_of": "2026-01-01"}),
    )
    .unwrap();
    for part in [
        "validation",
        "quality",
        "warnings",
        "null_reasons",
        "totals",
        "columns",
        "sheets",
    ] {
        assert!(
            !output[part].to_string().contains(CANARY),
            "{part}: {}",
            output[part]
        );
    }
    assert!(output["validation"]["errors_total"].as_u64().unwrap() >= 6);
    assert!(!super::super::summary(&output).contains(CANARY));
}
