//! Hostile and broken mail (WORKFLOWS 8.2), case by case: each ends as what it is, and the mails beside it go on.

use std::io::{Cursor, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::limits;
use super::{analyse, anomaly, input, mbox, try_run};
use crate::Error;

const GOOD: &str = "From: ada@fund.example\nTo: me@eso.example\nDate: Mon, 2 Nov 2026 09:00:00 +0000\nMessage-ID: <good@x>\nSubject: s\n\nFine.\n";

fn mail(headers: &str, body: &str) -> String {
    format!(
        "From: a@x.example\nDate: Mon, 2 Nov 2026 08:00:00 +0000\nMessage-ID: <bad@x>\n{headers}\n{body}"
    )
}

/// The code by which a bad mail is listed while a good one beside it is read; alone it fails the run likewise.
fn code(bad: &str) -> String {
    let output = analyse("mbox", &mbox(&[bad, GOOD]));
    assert_eq!(output["corpus"]["parsed"], 1, "{}", output["corpus"]);
    let failed = &output["corpus"]["failed"];
    assert_eq!(
        (failed[0]["index"].as_u64(), failed[0]["offset"].as_u64()),
        (Some(0), Some(0))
    );
    let code = failed[0]["code"].as_str().unwrap().to_owned();
    match try_run(&input("eml", bad.as_bytes())) {
        Err(Error::LimitExceeded {
            limit, value, cap, ..
        }) => {
            assert!(limit == format!("max_{code}") && value > cap);
            assert_eq!(limits::listed()[&limit], cap, "{limit}");
        }
        Err(Error::InvalidInput(problems)) => {
            assert!(problems[0].detail.contains(&code), "{problems:?}");
        }
        other => panic!("{code}: {other:?}"),
    }
    code
}

fn repeated(times: u32, piece: impl Fn(u32) -> String) -> String {
    (0..times).map(piece).collect::<Vec<_>>().concat()
}

fn quick(work: impl FnOnce()) {
    let start = Instant::now();
    work();
    assert!(
        start.elapsed() < Duration::from_mins(1),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn mime_bombs_are_limits() {
    let deep = repeated(60, |i| {
        format!("Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n")
    });
    assert_eq!(code(&mail(&deep, "x")), "mime_depth");
    let wide = "--b\n\nx\n".repeat(2_100);
    assert_eq!(
        code(&mail(
            "Content-Type: multipart/mixed; boundary=\"b\"\n",
            &wide
        )),
        "mime_parts"
    );
    // The parser finds delimiters inside a line too.
    let line = "x--b".repeat(2_100);
    assert_eq!(
        code(&mail("Content-Type: multipart/mixed; boundary=b\n", &line)),
        "mime_parts"
    );
    let many = repeated(2_100, |i| {
        format!("Content-Type: multipart/mixed; boundary=\"zz{i}\"\n\n")
    });
    assert_eq!(code(&mail("", &many)), "mime_parts");
    quick(|| {
        // Multiparts whose delimiter never comes: each is searched for to the end.
        let parts = "--b\nContent-Type: multipart/mixed; boundary=nowhere\n\n".repeat(1_900);
        let body = format!("{parts}{}", "x\n".repeat(2 << 20));
        assert_eq!(
            code(&mail("Content-Type: multipart/mixed; boundary=b\n", &body)),
            "mime_work"
        );
    });
}

#[test]
fn nested_messages_take_no_stack() {
    quick(|| {
        for extra in [
            "",
            "Content-Transfer-Encoding: base64\n",
            "Content-Transfer-Encoding: quoted-printable\n",
        ] {
            for kind in ["message/rfc822", "MESSAGE / global", "message/\n RFC822"] {
                let nest = format!("Content-Type: {kind}\n{extra}\n").repeat(20_000);
                let mail = mail(&nest, "x");
                let output = analyse("mbox", &mbox(&[mail.as_str(), GOOD]));
                assert_eq!(output["corpus"]["files"], 2);
            }
        }
        let digest = "Content-Type: multipart/digest; boundary=b\n\n--b\n\n".repeat(40);
        assert_eq!(
            analyse("eml", mail(&digest, "x").as_bytes())["corpus"]["parsed"],
            1
        );
    });
}

#[test]
fn header_limits() {
    let long = format!("X-Long: {}\n", "x".repeat(300 << 10));
    assert_eq!(code(&mail(&long, "x")), "header_bytes");
    let many = repeated(2_100, |i| format!("To: u{i}@x.example\n"));
    assert_eq!(code(&mail(&many, "x")), "addresses");
    let ids = repeated(510, |i| format!(" <r{i}@x>\n"));
    assert_eq!(code(&mail(&format!("References:{ids}"), "x")), "references");
    assert_eq!(
        code("no header at all, only a line of text\n\nand another\n"),
        "not_a_message"
    );
    let large = "x".repeat(usize::try_from(limits::MAX_MESSAGE_BYTES).unwrap());
    assert_eq!(
        analyse("mbox", &mbox(&[mail("", &large).as_str(), GOOD]))["corpus"]["failed"][0]["code"],
        "message_bytes"
    );
}

#[test]
fn texts_are_cut_at_their_cap_not_refused() {
    let body = "Some words and more. ".repeat(20_000);
    let output = analyse("eml", mail("", &body).as_bytes());
    assert_eq!(anomaly(&output, "truncated_text"), 1);
    let html = format!("<p>{}</p>", "word ".repeat(1 << 20));
    let output = analyse("eml", mail("Content-Type: text/html\n", &html).as_bytes());
    assert_eq!(anomaly(&output, "truncated_text"), 1);
}

#[test]
fn character_sets_that_fit_or_do_not() {
    let utf7 = mail(
        "Content-Type: text/plain; charset=unknown-8bit\n",
        "caf\u{e9}\n",
    );
    assert_eq!(analyse("eml", utf7.as_bytes())["corpus"]["parsed"], 1);
    let mut latin = mail("Content-Type: text/plain; charset=utf-8\n", "").into_bytes();
    latin.extend_from_slice(b"caf\xe9\n");
    assert_eq!(anomaly(&analyse("eml", &latin), "undecoded_text"), 1);
    let mut japanese = mail("Content-Type: text/plain; charset=iso-2022-jp\n", "").into_bytes();
    japanese.extend_from_slice(b"\x1b$B$3$s$K$A$O\x1b(B\n");
    assert_eq!(anomaly(&analyse("eml", &japanese), "undecoded_text"), 0);
    let mut chinese = mail("Content-Type: text/plain; charset=gb18030\n", "").into_bytes();
    chinese.extend_from_slice(b"\xc4\xe3\xba\xc3\n");
    assert_eq!(anomaly(&analyse("eml", &chinese), "undecoded_text"), 0);
}

#[test]
fn dates_that_lie_are_clamped_and_flagged() {
    for (date, kind) in [
        ("Date: Mon, 2 Nov 2099 08:00:00 +0000\n", "future_date"),
        ("Date: Mon, 2 Nov 2026 08:00:00\n", "date_without_zone"),
        ("Date: 2 Nov 26 08:00:00 +0000\n", "two_digit_year"),
        (
            "Received: from x by y; Mon, 2 Nov 2026 08:00:00 +0000\n",
            "date_from_received",
        ),
        ("Date: soon\n", "no_date"),
        (
            "Received: from x by y; Mon, 2 Nov 2026 08:00:00 +0000\nDate: Fri, 20 Nov 2026 08:00:00 +0000\n",
            "date_after_received",
        ),
    ] {
        let text = format!("From: a@x.example\nMessage-ID: <1@x>\n{date}\nx\n");
        let output = analyse("eml", text.as_bytes());
        assert_eq!(anomaly(&output, kind), 1, "{date}: {}", output["anomalies"]);
    }
    let future =
        "From: a@x.example\nMessage-ID: <1@x>\nDate: Mon, 2 Nov 2099 08:00:00 +0000\n\nx\n";
    assert_eq!(
        analyse("eml", future.as_bytes())["corpus"]["last"],
        "2026-11-23T23:59:59Z"
    );
}

#[test]
fn sealed_mail_is_reported_not_opened() {
    for (headers, body, kind) in [
        (
            "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\nContent-Transfer-Encoding: base64\n",
            "MIIB",
            "encrypted_smime",
        ),
        (
            "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\n",
            "--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\nContent-Type: application/octet-stream\n\nx\n--b--\n",
            "encrypted_pgp",
        ),
        (
            "",
            "-----BEGIN PGP MESSAGE-----\n\nhQEM\n-----END PGP MESSAGE-----\n",
            "encrypted_pgp",
        ),
    ] {
        let output = analyse("eml", mail(headers, body).as_bytes());
        assert_eq!(anomaly(&output, kind), 1, "{headers}");
    }
}

#[test]
fn body_lines_that_begin_with_from() {
    // mboxo: not quoted. The first is text, the second has the shape of a separator and splits, both are reported.
    let text = mail(
        "",
        "Dear A,\n\nFrom now on we meet on Mondays.\nFrom what I saw at 10:00 in 2026 it works.\n\nBye\n",
    );
    let mut bytes = b"From x@y Mon Nov  2 09:00:00 2026\n".to_vec();
    bytes.extend_from_slice(text.as_bytes());
    let output = analyse("mbox", &bytes);
    assert_eq!(anomaly(&output, "suspicious_split"), 1, "{output}");
    assert_eq!(output["corpus"]["files"], 2);
    assert_eq!(output["corpus"]["failed"][0]["code"], "not_a_message");
    let quiet = analyse("mbox", &mbox(&[text.as_str()]));
    assert_eq!(
        (
            anomaly(&quiet, "suspicious_split"),
            quiet["corpus"]["files"].as_u64()
        ),
        (0, Some(1))
    );
}

fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn names_that_lead_outside_are_harmless() {
    let zip = archive(&[
        ("../../../../tmp/cur/evil:2,S", GOOD.as_bytes()),
        ("/etc/new/1", mail("", "x").as_bytes()),
    ]);
    let output = analyse("maildir_zip", &zip);
    assert_eq!(output["corpus"]["parsed"], 2);
    assert!(anomaly(&output, "name_leads_outside") >= 1);
}

#[test]
fn archives_that_inflate_without_end() {
    let zeros = vec![b' '; 30 << 20];
    let zip = archive(&[("cur/1", &zeros), ("cur/2", GOOD.as_bytes())]);
    assert!(zip.len() < 100 << 10);
    let output = analyse("maildir_zip", &zip);
    assert_eq!(output["corpus"]["failed"][0]["code"], "entry_ratio");
    assert_eq!(output["corpus"]["parsed"], 1);
    let alone = try_run(&input("maildir_zip", &archive(&[("cur/1", &zeros)])));
    assert!(
        matches!(alone, Err(Error::LimitExceeded { ref limit, .. }) if limit == "max_entry_ratio"),
        "{alone:?}"
    );
}

#[test]
fn a_declared_number_of_entries_is_not_believed() {
    let mut zip = archive(&[("cur/1", GOOD.as_bytes())]);
    let end = zip.windows(4).rposition(|w| w == b"PK\x05\x06").unwrap();
    for lie in [0_u16, 2, 60_000, u16::MAX] {
        zip[end + 8..end + 10].copy_from_slice(&lie.to_le_bytes());
        zip[end + 10..end + 12].copy_from_slice(&lie.to_le_bytes());
        let result = try_run(&input("maildir_zip", &zip));
        assert!(
            matches!(result, Err(Error::InvalidInput(_)) | Ok(_)),
            "{lie}: {result:?}"
        );
    }
}

#[test]
fn sources_that_are_not_what_they_are_called() {
    let cases: &[(&str, &[u8])] = &[
        ("eml", b""),
        ("eml", b"\x00\x01\x02\xff"),
        ("eml", b"PK\x03\x04"),
        ("mbox", b""),
        ("mbox", b"From: a@b\n\nx"),
        ("mbox", b"\n\n\n"),
        ("maildir_zip", b""),
        ("maildir_zip", b"PK\x03\x04truncated"),
        ("maildir_zip", b"text"),
        ("graph_json", b""),
        ("graph_json", b"[]"),
        ("graph_json", b"{}"),
        ("graph_json", b"{\"value\": 3}"),
        ("graph_json", b"[1, \"x\"]"),
        ("graph_json", b"[{}]"),
        ("graph_json", b"[{\"isDraft\": true}]"),
    ];
    for (kind, bytes) in cases {
        let result = try_run(&input(kind, bytes));
        let Err(Error::InvalidInput(problems)) = &result else {
            panic!("{kind} {bytes:?}: {result:?}");
        };
        assert!(
            problems[0].pointer.starts_with("/source/data"),
            "{problems:?}"
        );
    }
    assert!(matches!(
        try_run(&input("maildir_zip", &archive(&[("readme.txt", b"x")]))),
        Err(Error::InvalidInput(_))
    ));
}

#[test]
fn one_bad_graph_item_does_not_spoil_the_others() {
    let good = json!({"internetMessageId": "<1@x>", "sentDateTime": "2026-11-02T09:00:00Z"});
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = format!(
        "[{{\"subject\": 5}}, {good}, {{\"x\": {deep}, \"internetMessageId\": \"<2@x>\"}}]"
    );
    match try_run(&input("graph_json", text.as_bytes())) {
        Ok(output) => {
            assert_eq!(output["corpus"]["failed"][0]["code"], "graph_item");
            assert!(output["corpus"]["parsed"].as_u64().unwrap() >= 1);
        }
        Err(e) => assert!(matches!(e, Error::InvalidInput(_)), "{e:?}"),
    }
    let text = format!("[{{\"subject\": 5}}, {good}]");
    let output = analyse("graph_json", text.as_bytes());
    assert_eq!(
        (
            &output["corpus"]["parsed"],
            &output["corpus"]["failed"][0]["index"]
        ),
        (&json!(1), &json!(0))
    );
}

#[test]
fn nothing_personal_is_in_results_or_errors() {
    const CANARY: &str = "canary7f3a";
    let text = format!(
        "From: {CANARY} <{CANARY}@x.example>\nTo: {CANARY}2@{CANARY}.example\nSubject: {CANARY}\nMessage-ID: <{CANARY}@x>\nDate: Mon, 2 Nov 2026 08:00:00 +0000\n\n{CANARY} wrote this.\n"
    );
    let output = analyse("eml", text.as_bytes());
    let summary = (crate::find("email_analysis").unwrap().summary)(&output);
    assert!(!output.to_string().contains(CANARY) && !summary.contains(CANARY));
    let json = json!([{"subject": {CANARY: CANARY}, "from": CANARY}]).to_string();
    for (kind, bytes) in [
        ("eml", CANARY.as_bytes()),
        ("mbox", CANARY.as_bytes()),
        ("maildir_zip", CANARY.as_bytes()),
        ("graph_json", json.as_bytes()),
    ] {
        let error = try_run(&input(kind, bytes)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(CANARY), "{error}");
    }
    let mut wrong: Value = input("eml", text.as_bytes());
    wrong["owner_addresses"] = json!([CANARY]);
    wrong["aliases"] = json!({CANARY: [CANARY]});
    let error = try_run(&wrong).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(CANARY), "{error}");
}
