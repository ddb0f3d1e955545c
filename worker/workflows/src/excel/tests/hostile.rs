//! What must be refused: each case of WORKFLOWS 8.1 ends as an error that says what and where, in this very process.

use serde_json::json;

use super::{SHEET, edited, made, members, refusal, run, run_with, with_cells, zipped};
use crate::Error;

fn limit(bytes: &[u8]) -> String {
    match run_with(bytes, json!({})) {
        Err(Error::LimitExceeded { limit, .. }) => limit,
        other => panic!("{other:?}"),
    }
}

fn small() -> Vec<u8> {
    made(|page| {
        page.write_string(0, 0, "Name").unwrap();
        page.write_string(1, 0, "x").unwrap();
    })
}

fn cell(place: &str) -> String {
    format!("<row><c r=\"{place}\"><v>1</v></c></row>")
}

#[test]
fn two_cells_at_opposite_corners_do_not_become_a_rectangle() {
    let bytes = with_cells(&(cell("A1") + &cell("XFD1048576")));
    assert!(bytes.len() < 10_000);
    assert_eq!(limit(&bytes), "used_rectangle");
}

#[test]
fn shared_strings_that_claim_billions_are_refused_before_they_are_reserved() {
    for claim in ["100000000000", "2000001", "99999999999999999999999999"] {
        let bytes = edited(&small(), "xl/sharedStrings.xml", |xml| {
            let at = xml.find("uniqueCount=\"").unwrap() + 13;
            let end = at + xml[at..].find('"').unwrap();
            format!("{}{claim}{}", &xml[..at], &xml[end..])
        });
        assert_eq!(limit(&bytes), "shared_strings", "{claim}");
    }
}

#[test]
fn places_beyond_a_sheet_are_refused() {
    assert_eq!(limit(&with_cells(&cell("XFE1"))), "columns");
    assert_eq!(limit(&with_cells(&cell("A1048577"))), "rows");
    for place in ["AAAAAAAAAAAA1", "A99999999999999", "A0", "1", "é1"] {
        let result = run_with(&with_cells(&cell(place)), json!({}));
        assert!(
            matches!(
                result,
                Err(Error::InvalidInput(_) | Error::LimitExceeded { .. })
            ),
            "{place}: {result:?}"
        );
    }
}

#[test]
fn long_cells_and_one_long_string_in_many_cells_are_refused() {
    let text = |n: usize| {
        let letters = ('a'..='y').collect::<Vec<char>>();
        let noise: String = (0..n).map(|i| letters[i * i % 25]).collect();
        with_cells(&format!(
            "<row><c r=\"A1\" t=\"inlineStr\"><is><t>{noise}</t></is></c></row>"
        ))
    };
    assert!(run_with(&text(32_767), json!({})).is_ok());
    assert_eq!(limit(&text(32_768)), "cell_characters");
    // POI's poc-shared-strings: 12,000 cells of one string of a million characters.
    let cells: Vec<String> = (1..=12_000)
        .map(|row| format!("<row><c r=\"A{row}\" t=\"s\"><v>0</v></c></row>"))
        .collect();
    let bytes = edited(
        &with_cells(&cells.concat()),
        "xl/sharedStrings.xml",
        |xml| xml.replacen("<t>x</t>", &format!("<t>{}</t>", "ab".repeat(500_000)), 1),
    );
    assert_eq!(limit(&bytes), "inflate_ratio");
}

#[test]
fn bombs_are_counted_while_they_inflate() {
    let bomb = edited(&small(), SHEET, |xml| {
        xml.replacen(
            "<sheetData>",
            &format!("<sheetData>{}", "<row/>".repeat(3_000_000)),
            1,
        )
    });
    assert!(bomb.len() < 200_000);
    assert_eq!(limit(&bomb), "inflate_ratio");
    // The same, with a directory that declares one byte.
    let mut lying = bomb.clone();
    let at = find(&lying, b"xl/worksheets/sheet1.xml", 1).unwrap() - 46;
    lying[at + 24..at + 28].copy_from_slice(&1_u32.to_le_bytes());
    assert!(matches!(
        run_with(&lying, json!({})),
        Err(Error::InvalidInput(_) | Error::LimitExceeded { .. })
    ));
    // And one that declares four gigabytes.
    let mut large = small();
    let at = find(&large, b"xl/worksheets/sheet1.xml", 1).unwrap() - 46;
    large[at + 24..at + 28].copy_from_slice(&0xFFFF_FFF0_u32.to_le_bytes());
    assert_eq!(limit(&large), "inflated_bytes");
}

/// The `nth` place of a text.
fn find(bytes: &[u8], text: &[u8], nth: usize) -> Option<usize> {
    bytes
        .windows(text.len())
        .enumerate()
        .filter(|(_, w)| *w == text)
        .map(|(at, _)| at)
        .nth(nth)
}

#[test]
fn directories_out_of_order_are_refused() {
    let mut many = members(&small());
    for nth in 0..1_000 {
        many.push((format!("x{nth}"), vec![]));
    }
    assert_eq!(limit(&zipped(&many)), "zip_entries");

    let mut case = members(&small());
    let sheet = case
        .iter()
        .find(|(name, _)| name == SHEET)
        .unwrap()
        .1
        .clone();
    case.push(("xl/worksheets/SHEET1.xml".into(), sheet));
    assert!(refusal(&zipped(&case)).contains("differ in case"));

    let mut twice = zipped(&case);
    while let Some(at) = find(&twice, b"SHEET1", 0) {
        twice[at..at + 6].copy_from_slice(b"sheet1");
    }
    assert!(refusal(&twice).contains("same name"));

    // The second entry of the directory points at the first member.
    let mut overlap = small();
    let first = find(&overlap, b"PK\x01\x02", 0).unwrap();
    let second = find(&overlap, b"PK\x01\x02", 1).unwrap();
    let offset: [u8; 4] = overlap[first + 42..first + 46].try_into().unwrap();
    overlap[second + 42..second + 46].copy_from_slice(&offset);
    assert!(matches!(
        run_with(&overlap, json!({})),
        Err(Error::InvalidInput(_))
    ));
}

#[test]
fn document_types_are_refused() {
    let laughs = edited(&small(), SHEET, |xml| {
        xml.replacen(
            "<worksheet",
            "<!DOCTYPE x [<!ENTITY a \"b\">]><worksheet",
            1,
        )
    });
    assert!(refusal(&laughs).contains("document type"));
}

#[test]
fn other_files_are_named() {
    for (bytes, words) in [
        (&b"%PDF-1.7 x"[..], "PDF"),
        (b"<html><table></table></html>", "begin with \"<\""),
        (
            b"\xef\xbb\xbf  <?xml version='1.0'?><x/>",
            "begin with \"<\"",
        ),
        (b"   \r\n\t ", "white space"),
        (b"PK\x05\x06aaaaaaaaaaaaaaaaaaaaaa", "empty zip"),
        (b"PK\x03\x04", "no end"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (
            b"\x7fELF\x02\x01\x01\x00\x00\x00\x00",
            "neither a workbook nor text",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1short",
            "damaged or truncated",
        ),
    ] {
        assert!(
            refusal(bytes).contains(words),
            "{words}: {}",
            refusal(bytes)
        );
    }
    assert!(run_with(b"", json!({})).is_err());
    let archive = zipped(&[("notes.txt".into(), b"x".to_vec())]);
    assert!(refusal(&archive).contains("zip archive"));
    let letter = zipped(&[
        ("[Content_Types].xml".into(), vec![]),
        ("word/document.xml".into(), vec![]),
    ]);
    assert!(refusal(&letter).contains("document"));
    let misnamed = run_with(&small(), json!({"format": "xls"}))
        .unwrap_err()
        .to_string();
    assert!(
        misnamed.contains("/format: says xls, but the bytes are xlsx"),
        "{misnamed}"
    );
    let html = run_with(b"<a>,b\n1,2\n", json!({"format": "csv"}));
    assert!(html.is_ok(), "said to be CSV: {html:?}");
}

#[test]
fn files_above_the_cap_are_refused() {
    let mut large = vec![b'a'; 26 << 20];
    large[100] = b'\n';
    assert!(matches!(
        run_with(&large, json!({})),
        Err(Error::LimitExceeded { .. })
    ));
}

#[test]
fn too_many_sheets_are_refused() {
    let mut book = rust_xlsxwriter::Workbook::new();
    for _ in 0..257 {
        book.add_worksheet();
    }
    assert_eq!(limit(&book.save_to_buffer().unwrap()), "sheets");
}

/// A compound file with these directory entries: name, first sector, length. `chain` is the table of sectors; sector 0
/// holds the table, sector 1 the directory.
fn compound(entries: &[(&str, u32, u32)], chain: &[u32]) -> Vec<u8> {
    let mut bytes = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    bytes.resize(512, 0);
    bytes[24..34].copy_from_slice(&[0x3E, 0, 3, 0, 0xFE, 0xFF, 9, 0, 6, 0]);
    bytes[44] = 1;
    bytes[48] = 1;
    bytes[56..60].copy_from_slice(&4_096_u32.to_le_bytes());
    bytes[60..64].copy_from_slice(&u32::MAX.to_le_bytes());
    bytes[68..72].copy_from_slice(&0xFFFF_FFFE_u32.to_le_bytes());
    bytes[76..].fill(0xFF);
    bytes[76..80].fill(0);
    let mut table = vec![0xFF; 512];
    for (at, next) in chain.iter().enumerate() {
        table[at * 4..at * 4 + 4].copy_from_slice(&next.to_le_bytes());
    }
    bytes.extend(table);
    let mut directory = vec![0; 512];
    for (nth, (name, start, length)) in entries.iter().enumerate() {
        let entry = &mut directory[nth * 128..];
        for (at, unit) in name.encode_utf16().enumerate() {
            entry[at * 2..at * 2 + 2].copy_from_slice(&unit.to_le_bytes());
        }
        entry[116..120].copy_from_slice(&start.to_le_bytes());
        entry[120..124].copy_from_slice(&length.to_le_bytes());
    }
    bytes.extend(directory);
    bytes.extend(vec![0; 512 * 8]);
    bytes
}

const LAST: u32 = 0xFFFF_FFFE;

#[test]
fn encrypted_workbooks_are_named() {
    let bytes = compound(
        &[("Root Entry", LAST, 0), ("EncryptedPackage", 2, 4_096)],
        &[0xFFFF_FFFD, LAST],
    );
    assert!(refusal(&bytes).contains("encrypted"));
}

#[test]
fn chains_that_run_in_circles_end() {
    let circle = compound(
        &[("Root Entry", LAST, 0), ("Workbook", 2, 4_096)],
        &[0xFFFF_FFFD, 1],
    );
    assert!(refusal(&circle).contains("damaged"));
    let stream = compound(
        &[("Root Entry", LAST, 0), ("Workbook", 2, 0x7FFF_FFFF)],
        &[0xFFFF_FFFD, LAST, 3, 2],
    );
    assert!(refusal(&stream).contains("damaged"));
    let document = compound(
        &[("Root Entry", LAST, 0), ("WordDocument", 2, 4_096)],
        &[0xFFFF_FFFD, LAST, 3],
    );
    assert!(refusal(&document).contains("no workbook"));
}

/// A document whose only table has these rows.
fn document(rows: &str) -> Vec<u8> {
    let content = format!(
        "<office:document-content><office:body><office:spreadsheet><table:table table:name=\"T\">{rows}</table:table></office:spreadsheet></office:body></office:document-content>"
    );
    zipped(&[
        (
            "mimetype".into(),
            b"application/vnd.oasis.opendocument.spreadsheet".to_vec(),
        ),
        ("content.xml".into(), content.into_bytes()),
    ])
}

#[test]
fn repetitions_in_documents_are_counted() {
    let cell = |attributes: &str, text: &str| {
        format!(
            "<table:table-cell office:value-type=\"string\" {attributes}><text:p>{text}</text:p></table:table-cell>"
        )
    };
    let row = |attributes: &str, cells: &str| {
        format!("<table:table-row {attributes}>{cells}</table:table-row>")
    };
    let head = row("", &cell("", "Label"));
    let across = row(
        "",
        &cell("table:number-columns-repeated=\"999999999999\"", "x"),
    );
    assert_eq!(limit(&document(&(head.clone() + &across))), "columns");
    let down = row(
        "table:number-rows-repeated=\"999999999999\"",
        &cell("", "x"),
    );
    assert_eq!(limit(&document(&(head.clone() + &down))), "rows");
    let both = row(
        "table:number-rows-repeated=\"1000000\"",
        &cell("table:number-columns-repeated=\"16384\"", "x"),
    );
    assert!(
        ["used_rectangle", "cells"].contains(&limit(&document(&(head.clone() + &both))).as_str())
    );
    let blanks = row("", &cell("", "<text:s text:c=\"1000000000000\"/>"));
    assert_eq!(
        limit(&document(&(head.clone() + &blanks))),
        "cell_characters"
    );
    let empty = "<table:table-cell table:number-columns-repeated=\"16384\"/>";
    let below = row("table:number-rows-repeated=\"1048000\"", empty);
    let fine = run(&document(
        &(head.clone() + &row("", &cell("", "x")) + &below),
    ));
    assert_eq!(fine["sheets"][0]["used_range"], "A1:A2");
    let truncated = document(&(head + "<table:table-row>"));
    let cut = truncated.len();
    assert!(
        refusal(&truncated).contains("well-formed")
            || refusal(&truncated[..cut]).contains("ends within")
    );
}
