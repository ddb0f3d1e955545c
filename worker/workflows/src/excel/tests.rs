//! Whole runs: real workbooks, made ones of every feature, hostile ones, and thousands of damaged ones.

mod bounds;
mod canary;
mod features;
mod formats;
mod golden;
mod headers;
mod hostile;
mod mutations;
mod parameters;

use std::io::{Cursor, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rust_xlsxwriter::Workbook as Book;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

use crate::{Error, Run};

/// The input of a run over these bytes.
fn input(bytes: &[u8], more: &Value) -> Value {
    let mut input = json!({"workbook": {"content_base64": STANDARD.encode(bytes)}, "limits": {"records": 10_000}});
    for (field, value) in more.as_object().unwrap() {
        input[field] = value.clone();
    }
    input
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "every caller makes the value for this call alone"
)]
fn run_with(bytes: &[u8], more: Value) -> Result<Value, Error> {
    super::run(&input(bytes, &more), &Run::unattended())
}

fn run(bytes: &[u8]) -> Value {
    run_with(bytes, json!({})).unwrap_or_else(|e| panic!("{e}"))
}

fn refusal(bytes: &[u8]) -> String {
    run_with(bytes, json!({})).expect_err("refused").to_string()
}

/// A workbook of one sheet.
fn made(fill: impl FnOnce(&mut rust_xlsxwriter::Worksheet)) -> Vec<u8> {
    let mut book = Book::new();
    fill(book.add_worksheet());
    book.save_to_buffer().unwrap()
}

/// The column of that name.
fn column<'o>(output: &'o Value, name: &str) -> &'o Value {
    let columns = output["columns"].as_array().unwrap();
    columns
        .iter()
        .find(|c| c["name"] == name)
        .unwrap_or_else(|| panic!("no column {name}"))
}

/// The values of a column over all records.
fn values(output: &Value, name: &str) -> Vec<Value> {
    let records = output["records"].as_array().unwrap();
    records
        .iter()
        .map(|r| r["values"].get(name).cloned().unwrap_or(Value::Null))
        .collect()
}

/// The members of a zip archive.
fn members(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..archive.len())
        .map(|at| {
            let mut file = archive.by_index(at).unwrap();
            let mut content = Vec::new();
            file.read_to_end(&mut content).unwrap();
            (file.name().unwrap().into_owned(), content)
        })
        .collect()
}

/// A zip archive of these members.
fn zipped(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(name.as_str(), SimpleFileOptions::default())
            .unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A workbook with one member changed.
fn edited(bytes: &[u8], member: &str, edit: impl FnOnce(String) -> String) -> Vec<u8> {
    let mut all = members(bytes);
    let found = all
        .iter_mut()
        .find(|(name, _)| name == member)
        .expect("the member is there");
    found.1 = edit(String::from_utf8(std::mem::take(&mut found.1)).unwrap()).into_bytes();
    zipped(&all)
}

const SHEET: &str = "xl/worksheets/sheet1.xml";

/// A workbook whose only sheet has this `sheetData`.
fn with_cells(cells: &str) -> Vec<u8> {
    edited(
        &made(|page| {
            page.write_string(0, 0, "x").unwrap();
        }),
        SHEET,
        |xml| {
            let (start, end) = (
                xml.find("<sheetData>").unwrap(),
                xml.find("</sheetData>").unwrap(),
            );
            format!("{}<sheetData>{cells}{}", &xml[..start], &xml[end..])
        },
    )
}
