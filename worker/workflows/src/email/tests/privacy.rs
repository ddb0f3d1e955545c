//! The canary: a word that stands for every name, address, subject and body may be in no error, in no progress, in no
//! `Debug` text, in no summary and in no result, whatever is done to the mails that hold it.

use std::sync::Mutex;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::super::read::Reader;
use super::mutations::mutate;
use super::{input, mbox};
use crate::{Run, find};

const CANARY: &str = "canary7f3a";

/// A mail whose every personal field is the canary, and which a sponsor's domain does not make an event.
fn letter() -> String {
    format!(
        "Return-Path: <{CANARY}@x.example>\nReceived: from {CANARY}.example by y.example; Mon, 2 Nov 2026 08:00:01 +0000\n\
         From: {CANARY} <{CANARY}@x.example>\nTo: \"{CANARY} x\" <{CANARY}2@{CANARY}.example>, {CANARY}\nCc: {CANARY}: a@{CANARY}.example;\n\
         Subject: {CANARY} =?utf-8?Q?{CANARY}?=\nMessage-ID: <{CANARY}@x>\nReferences: <{CANARY}0@x>\n\
         Date: Mon, 2 Nov 2026 08:00:00 +0000\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary={CANARY}\n\n\
         --{CANARY}\nContent-Type: text/html; name={CANARY}.html\n\n<p title={CANARY}>{CANARY} wrote this.</p>\n\
         --{CANARY}\nContent-Type: text/plain; charset={CANARY}\n\n{CANARY} wrote that as well, and more of it.\n--{CANARY}--\n"
    )
}

fn page() -> Value {
    json!([{"internetMessageId": format!("<{CANARY}@x>"), "conversationId": CANARY, "subject": CANARY,
        "from": {"emailAddress": {"name": CANARY, "address": format!("{CANARY}@x.example")}},
        "toRecipients": [{"emailAddress": {"address": CANARY}}], "sentDateTime": "2026-11-02T08:00:00Z",
        "body": {"contentType": "text", "content": CANARY}}])
}

/// Everything that a run says anywhere, as one text.
fn said(input: &Value) -> String {
    let heard = Mutex::new(String::new());
    let hear = |_: f64, doing: &str| heard.lock().unwrap().push_str(doing);
    let run = Run {
        progress: &hear,
        ..Run::unattended()
    };
    let kind = find("email_analysis").unwrap();
    let result = (kind.run)(input, &run);
    let heard = heard.lock().unwrap();
    match result {
        Ok(output) => format!("{heard} {output} {}", (kind.summary)(&output)),
        Err(error) => format!("{heard} {error} {error:?}"),
    }
}

#[track_caller]
fn silent(input: &Value) {
    let said = said(input);
    let at = said.find(CANARY);
    let near = at.map(|at| &said[said.floor_char_boundary(at.saturating_sub(120))..at]);
    assert_eq!(near, None, "and then the canary");
}

#[test]
fn good_mails_leave_nothing_in_results() {
    silent(&input("eml", letter().as_bytes()));
    silent(&input("mbox", &mbox(&[letter()])));
    silent(&input("maildir_zip", &archive(&letter())));
    silent(&input("graph_json", page().to_string().as_bytes()));
}

fn archive(mail: &str) -> Vec<u8> {
    super::forms::zip_of(&[mail.as_bytes().to_vec()])
}

#[test]
fn bad_sources_leave_nothing_in_errors() {
    let zip_named = {
        use std::io::Write;
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(format!("../{CANARY}/cur/{CANARY}"), options)
            .unwrap();
        zip.write_all(CANARY.as_bytes()).unwrap();
        zip.finish().unwrap().into_inner()
    };
    let long = format!("{}X: {}\n\nx\n", letter(), CANARY.repeat(40_000));
    let addresses = format!(
        "To: {}\n\nx\n",
        format!("{CANARY}@x.example, ").repeat(2_100)
    );
    let references = format!(
        "From: a@b\nReferences: {}\n\nx\n",
        format!("<{CANARY}@x> ").repeat(600)
    );
    let parts = letter().replace("wrote", &format!("\n--{CANARY}\n\nx").repeat(2_100));
    let wrong = json!([{"subject": {CANARY: CANARY}, "from": CANARY}]).to_string();
    let cases: [(&str, Vec<u8>); 13] = [
        ("eml", CANARY.into()),
        ("eml", format!("{CANARY}: {}", CANARY.repeat(40_000)).into()),
        ("eml", long.into()),
        ("eml", addresses.into()),
        ("eml", references.into()),
        ("eml", parts.into()),
        ("mbox", CANARY.into()),
        ("mbox", format!("From {CANARY}\n{CANARY}").into()),
        ("maildir_zip", CANARY.into()),
        ("maildir_zip", zip_named),
        ("graph_json", CANARY.into()),
        ("graph_json", wrong.into()),
        ("graph_json", format!("{{\"{CANARY}\": 1}}").into()),
    ];
    for (kind, bytes) in cases {
        silent(&input(kind, &bytes));
    }
}

#[test]
fn bad_inputs_leave_nothing_in_errors() {
    let good = || input("eml", letter().as_bytes());
    for (field, value) in [
        ("owner_addresses", json!([CANARY])),
        ("owner_addresses", json!({CANARY: CANARY})),
        ("aliases", json!({CANARY: [CANARY]})),
        ("aliases", json!({"a@b.example": [CANARY, {CANARY: 1}]})),
        (
            "sponsor_domains",
            json!({(" ".to_owned() + CANARY + " @"): CANARY}),
        ),
        ("sponsor_domains", json!({"": CANARY})),
        ("known_message_ids", json!({CANARY: 1})),
        ("as_of", json!(CANARY)),
        (
            "source",
            json!({"kind": "eml", "data": {"content_base64": CANARY.to_owned() + "!"}}),
        ),
        ("source", json!({"kind": "eml", "data": {"file": CANARY}})),
        ("source", json!({"kind": "eml", "data": CANARY})),
        ("aliases", json!({address(): "x"})),
        ("aliases", json!({address(): [1]})),
        ("sponsor_domains", json!({address(): ["x"]})),
        ("sponsor_domains", json!({"x.example": {address(): 1}})),
        ("params", json!({address(): 1})),
        ("source", json!({address(): 1})),
    ] {
        let mut input = good();
        input[field] = value;
        silent(&input);
    }
    let mut input = good();
    input[address()] = json!(1);
    silent(&input);
}

fn address() -> String {
    format!("{CANARY}.person@secret.example")
}

#[test]
fn keys_are_told_by_their_place() {
    let mut input = input("eml", letter().as_bytes());
    input["aliases"] = json!({address(): "x", "a@b.example": []});
    input["sponsor_domains"] = json!({address(): 7});
    input["alias"] = json!({});
    let said = said(&input);
    for place in [
        "/aliases (key 1): ",
        "/sponsor_domains (key 0): ",
        "/alias: ",
    ] {
        assert!(said.contains(place), "{said}");
    }
}

#[test]
fn mutations_leave_nothing_anywhere() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let page = page().to_string();
    let seeds: [(&str, Vec<u8>); 4] = [
        ("eml", letter().into_bytes()),
        ("mbox", mbox(&[letter(), letter()])),
        ("maildir_zip", archive(&letter())),
        ("graph_json", page.into_bytes()),
    ];
    for _ in 0..150 {
        for (kind, seed) in &seeds {
            let mut bytes = seed.clone();
            mutate(&mut bytes, &mut rng);
            silent(&input(kind, &bytes));
        }
    }
}

#[test]
fn records_do_not_print_what_they_hold() {
    let reader = Reader::new("2026-11-23T23:59:59Z".parse().unwrap());
    let entry = reader.raw(letter().as_bytes()).unwrap();
    assert!(entry.message.new_text.text.contains(CANARY) && entry.message.subject.contains(CANARY));
    let printed = format!("{entry:?} {:?}", entry.message.from);
    assert!(!printed.contains(CANARY), "{printed}");
}
