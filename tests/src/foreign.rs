//! Files as tenants send them: good ones of any size, and hostile ones that are small to send and dear to read.
//!
//! Invariant: every file holds [`CANARY`] where people's data stand, and is the same on every call.

use std::fmt::Write as _;
use std::io::{Cursor, Read, Write};

use anyhow::{Context, Result};
use rust_xlsxwriter::{Workbook, XlsxError};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// Personal data that must show up in results alone.
pub const CANARY: &str = "canary-4b1d";

/// A file that must fail, and why.
#[derive(Debug)]
pub struct Hostile {
    /// What is wrong with it.
    pub what: &'static str,
    /// How mail is stored; `None` for workbooks.
    pub kind: Option<&'static str>,
    /// The content.
    pub bytes: Vec<u8>,
    /// What the error's message must say.
    pub says: &'static str,
}

/// A workbook with one sheet of organisations, addresses, amounts and days.
pub fn workbook(rows: u32) -> Result<Vec<u8>> {
    Ok(written(rows)?)
}

fn written(rows: u32) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (at, label) in (0..).zip(["Organisation", "Contact", "Amount", "Awarded"]) {
        sheet.write(0, at, label)?;
    }
    for row in 1..=rows {
        sheet.write(row, 0, format!("{CANARY} Trust {}", row % 40))?;
        sheet.write(row, 1, format!("{CANARY}.{row}@fund.example"))?;
        sheet.write(row, 2, f64::from(row) * 12.5)?;
        let day = format!("2026-{:02}-{:02}", row % 12 + 1, row % 28 + 1);
        sheet.write(row, 3, day)?;
    }
    book.save_to_buffer()
}

/// A mailbox of a conversation, `mails` long, one mail a day.
#[must_use]
pub fn mbox(mails: u32) -> String {
    let mut text = String::new();
    for n in 0..mails {
        let (from, to) = if n % 2 == 0 {
            (
                "me@fund.example".to_owned(),
                format!("{CANARY}@sponsor.example"),
            )
        } else {
            (
                format!("{CANARY}@sponsor.example"),
                "me@fund.example".to_owned(),
            )
        };
        let day = n % 28 + 1;
        let month = ["Jul", "Aug", "Sep", "Oct"][(n / 28 % 4) as usize];
        let answers = match n.checked_sub(1) {
            Some(before) => format!("In-Reply-To: <{before}@mail.example>\n"),
            None => String::new(),
        };
        let _never_fails = write!(
            text,
            "From {from} Wed Jul  1 09:00:00 2026\nFrom: {from}\nTo: {to}\nSubject: {CANARY}\n\
             Date: {day} {month} 2026 09:00:00 +0000\nMessage-ID: <{n}@mail.example>\n{answers}\n\
             We are very happy with your great work, {CANARY}.\n\n",
        );
    }
    text
}

/// One of each way to hurt a reader.
pub fn hostile() -> Result<Vec<Hostile>> {
    let mut all = books()?;
    all.extend(letters()?);
    Ok(all)
}

fn books() -> Result<Vec<Hostile>> {
    let good = workbook(30)?;
    let sheet = "xl/worksheets/sheet1.xml";
    let far = "<row r=\"1048576\"><c r=\"XFD1048576\"><v>1</v></c></row></sheetData>";
    let entity = "<!DOCTYPE a [<!ENTITY b \"c\">]><worksheet";
    let changed = |from: &'static str, to: &'static str| {
        move |text: &str| text.replacen(from, to, 1).into_bytes()
    };
    let book = |what, bytes| Hostile {
        what,
        kind: None,
        bytes,
        says: "/workbook",
    };
    Ok(vec![
        book(
            "a part that inflates to 400 MiB",
            with_part(&good, sheet, |_| vec![b' '; 400 << 20])?,
        ),
        book(
            "a string table that claims four milliard strings",
            with_part(
                &good,
                "xl/sharedStrings.xml",
                changed("uniqueCount=\"", "uniqueCount=\"4294967"),
            )?,
        ),
        book(
            "two cells at opposite corners",
            with_part(&good, sheet, changed("</sheetData>", far))?,
        ),
        book(
            "a document type",
            with_part(&good, sheet, changed("<worksheet", entity))?,
        ),
        book("cut in the middle", good[..good.len() / 2].to_vec()),
        book(
            "not a workbook",
            format!("%PDF-1.7 {CANARY}\n").into_bytes(),
        ),
        book("nothing", vec![b' ']),
    ])
}

fn letters() -> Result<Vec<Hostile>> {
    let letter = |what, kind, bytes| Hostile {
        what,
        kind: Some(kind),
        bytes,
        says: "/source/data",
    };
    let long = format!(
        "From: {CANARY}@fund.example\nSubject: {}\n\nx\n",
        CANARY.repeat(100_000)
    );
    let escaping = archive(&[(&format!("../../{CANARY}"), b"x")])?;
    Ok(vec![
        letter("parts in parts", "eml", nested(3_000).into_bytes()),
        letter("many parts", "eml", fanned(50_000).into_bytes()),
        letter("headers without end", "eml", long.into_bytes()),
        letter(
            "an archive that leads out of its folder",
            "maildir_zip",
            escaping,
        ),
        letter("deep JSON", "graph_json", "[".repeat(1 << 20).into_bytes()),
    ])
}

/// A copy of a workbook with one part changed.
fn with_part(book: &[u8], part: &str, change: impl Fn(&str) -> Vec<u8>) -> Result<Vec<u8>> {
    let mut from = ZipArchive::new(Cursor::new(book))?;
    let mut files = Vec::new();
    for at in 0..from.len() {
        let mut entry = from.by_index(at)?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        let name = entry.name()?.into_owned();
        if name == part {
            content = change(str::from_utf8(&content).context("a part that is no text")?);
        }
        files.push((name, content));
    }
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, bytes)| (&**name, &**bytes))
        .collect();
    archive(&files)
}

fn archive(files: &[(&str, &[u8])]) -> Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default())?;
        zip.write_all(content)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// Multiparts within multiparts.
fn nested(deep: u32) -> String {
    let mut text = format!("From: {CANARY}@fund.example\nSubject: {CANARY}\nMIME-Version: 1.0\n");
    for n in 0..deep {
        let _never_fails = write!(
            text,
            "Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n"
        );
    }
    text
}

/// One multipart of many parts.
fn fanned(parts: usize) -> String {
    let head = format!(
        "From: {CANARY}@fund.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
    );
    head + &"--b\n\nx\n".repeat(parts) + "--b--\n"
}
