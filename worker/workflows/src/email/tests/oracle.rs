//! What Python 3.11's `email` reads in the 107 messages of mail-parser 0.11.9 (`tests/oracle/make_mails.py`) is what we
//! read, field by field; every deviation is listed with its reason.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::contact::Address;
use super::super::read::Reader;
use super::real_mails;
use crate::files::sha256_of;

/// Deviations: file, field, why.
const DEVIATIONS: &[(&str, &str, &str)] = &[
    // Two boundaries of which one begins the other, or the same one twice: RFC 2046 forbids them; nothing is lost but
    // the three or four letters of the fragment.
    (
        "malformed/001.eml",
        "plain",
        "the outer boundary begins with the inner one",
    ),
    (
        "malformed/003.eml",
        "plain",
        "outer and inner boundary are the same",
    ),
    (
        "malformed/006.eml",
        "plain",
        "the inner boundary begins with the outer one",
    ),
    // A field name with a space: Python ends the header there and takes the rest for the body; we read on.
    ("malformed/019.eml", "to", "read after a broken field"),
    ("malformed/019.eml", "subject", "read after a broken field"),
    (
        "malformed/019.eml",
        "plain",
        "Python's is the rest of the header",
    ),
    // A part with two Content-Type fields: Python takes the first (multipart, then finds no text), we the last.
    ("malformed/020.eml", "plain", "two Content-Type fields"),
    ("malformed/021.eml", "plain", "two Content-Type fields"),
    // UTF-8 text without a charset: Python decodes it as ASCII, byte by byte.
    ("thirdparty/010.eml", "plain", "UTF-8 without a charset"),
];

fn reader() -> Reader {
    Reader::new("2026-11-23T23:59:59Z".parse().unwrap())
}

fn canonical(value: &Value) -> Option<Vec<String>> {
    let list = value.as_array()?;
    let each = list
        .iter()
        .filter_map(|a| Address::new(a.as_str().unwrap()));
    Some(each.map(|a| a.as_str().to_owned()).collect())
}

fn texts(value: &Value) -> Option<Vec<String>> {
    Some(
        value
            .as_array()?
            .iter()
            .map(|v| v.as_str().unwrap().to_owned())
            .collect(),
    )
}

fn written(addresses: &[Address]) -> Vec<String> {
    addresses.iter().map(|a| a.as_str().to_owned()).collect()
}

/// The fields in which a mail is read differently.
fn differences(bytes: &[u8], expected: &Value) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let entry = match reader().raw(bytes) {
        Ok(entry) => entry,
        Err(failure) => return vec![("whole", format!("{failure:?}"))],
    };
    let m = entry.message;
    let mut compare = |field: &'static str, ours: String, theirs: Option<String>| {
        if let Some(theirs) = theirs
            && ours != theirs
        {
            found.push((field, format!("{ours:?} is not {theirs:?}")));
        }
    };
    for (field, ours) in [("from", &m.from), ("to", &m.to), ("cc", &m.cc)] {
        compare(
            field,
            format!("{:?}", written(ours)),
            canonical(&expected[field]).map(|t| format!("{t:?}")),
        );
    }
    let date = expected["date"].as_i64().map(|d| d.to_string());
    compare(
        "date",
        m.sent
            .map_or(String::new(), |s| s.at.as_second().to_string()),
        date,
    );
    compare(
        "subject",
        m.subject.clone(),
        expected["subject"].as_str().map(str::to_owned),
    );
    let id = texts(&expected["message_id"]).filter(|ids| !ids.is_empty());
    compare("message_id", m.id.clone(), id.map(|ids| ids[0].clone()));
    for (field, ours) in [
        ("references", &m.references),
        ("in_reply_to", &m.in_reply_to),
    ] {
        compare(
            field,
            format!("{ours:?}"),
            texts(&expected[field]).map(|t| format!("{t:?}")),
        );
    }
    if let Some(hash) = expected["plain"]["sha256"].as_str() {
        let body = reader().plain(bytes).unwrap_or_default();
        let chars = body.chars().count();
        compare("plain", sha256_of(body.as_bytes()), Some(hash.to_owned()));
        if let Some(last) = found.last_mut().filter(|f| f.0 == "plain") {
            last.1 = format!(
                "{chars} characters, expected {}",
                expected["plain"]["chars"]
            );
        }
    }
    found
}

#[test]
fn real_messages_are_read_as_python_reads_them() {
    let expected: BTreeMap<String, Value> =
        serde_json::from_str(include_str!("../../../tests/oracle/mails.json")).unwrap();
    let mails = real_mails();
    assert_eq!(mails.len(), expected.len());
    let mut wrong = Vec::new();
    let mut listed: Vec<(&str, &str)> = DEVIATIONS.iter().map(|d| (d.0, d.1)).collect();
    for (name, bytes) in mails {
        for (field, what) in differences(bytes, &expected[name]) {
            match listed.iter().position(|d| *d == (name.as_str(), field)) {
                Some(at) => drop(listed.remove(at)),
                None => wrong.push(format!("{name} {field}: {what}")),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(listed.is_empty(), "listed but equal: {listed:?}");
}
