//! Any bytes as a part of a sound container: the compression in front of the parsers hides little from a fuzzer. The first
//! byte says which part of which format it is.

#![no_main]

use std::io::{Cursor, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use zerogate_workflows::{Error, Run, find};
use zip::write::SimpleFileOptions;

const XLSX: &[(&str, &str)] = &[
    (
        "[Content_Types].xml",
        "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>",
    ),
    (
        "xl/workbook.xml",
        "<workbook xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"><sheets><sheet name=\"S\" sheetId=\"1\" r:id=\"a\"/></sheets></workbook>",
    ),
    (
        "xl/_rels/workbook.xml.rels",
        "<Relationships><Relationship Id=\"a\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>",
    ),
    (
        "xl/sharedStrings.xml",
        "<sst uniqueCount=\"1\"><si><t>x</t></si></sst>",
    ),
    ("xl/styles.xml", "<styleSheet/>"),
    (
        "xl/worksheets/sheet1.xml",
        "<worksheet><sheetData/></worksheet>",
    ),
];
const ODS: &[(&str, &str)] = &[
    ("mimetype", "application/vnd.oasis.opendocument.spreadsheet"),
    ("content.xml", ""),
];

fuzz_target!(|bytes: &[u8]| {
    let Some((&which, body)) = bytes.split_first() else {
        return;
    };
    let which = usize::from(which) % (XLSX.len() + 1);
    let (parts, at) = if which == XLSX.len() {
        (ODS, 1)
    } else {
        (XLSX, which)
    };
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (nth, (name, content)) in parts.iter().enumerate() {
        zip.start_file(*name, stored)
            .expect("memory takes a member");
        let content = if nth == at { body } else { content.as_bytes() };
        zip.write_all(content).expect("memory takes all bytes");
    }
    let workbook = zip.finish().expect("memory takes a directory").into_inner();
    let kind = find("excel_processing").expect("the type is in the catalogue");
    let input = json!({
        "workbook": {"content_base64": STANDARD.encode(workbook)},
        "record_file": false,
    });
    let result = (kind.run)(&input, &Run::unattended());
    assert!(!matches!(result, Err(Error::Internal(_))));
});
