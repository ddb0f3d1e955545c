//! The same mail in two forms gives the same result, byte by byte; and so does any order of the same mails.

use std::io::{Cursor, Write};

use mail_parser::{Address, MessageParser, PartType};
use serde_json::{Value, json};

use super::{analyse, input, mbox, real_mails, try_run};

/// The mail as Graph would list it, made by an unguarded mail-parser with its own defaults.
pub(super) fn as_graph(bytes: &[u8]) -> Option<Value> {
    let parsed = MessageParser::default().parse(bytes)?;
    let recipient =
        |a: &mail_parser::Addr<'_>| json!({"emailAddress": {"name": a.name, "address": a.address}});
    let list = |a: Option<&Address<'_>>| -> Vec<Value> {
        a.map_or(vec![], |a| a.iter().map(recipient).collect())
    };
    let all = |name: &str| -> Vec<Value> {
        parsed
            .header_values(name.to_owned())
            .flat_map(|v| list(v.as_address()))
            .collect()
    };
    let headers: Vec<Value> = parsed
        .headers()
        .iter()
        .map(|h| {
            let raw = &bytes[h.offset_start as usize..h.offset_end as usize];
            json!({"name": h.name.as_str(), "value": String::from_utf8_lossy(raw).trim()})
        })
        .collect();
    let mut bodies = parsed
        .text_body
        .iter()
        .map(|id| &parsed.parts[*id as usize].body);
    let body = match (bodies.next(), bodies.next()) {
        (Some(PartType::Text(t)), None) => json!({"contentType": "text", "content": t}),
        (Some(PartType::Html(h)), None) => json!({"contentType": "html", "content": h}),
        // Graph has one body; how it joins several is its own affair.
        _ => return None,
    };
    // Several From fields, or authors in a group, have no form in Graph.
    if parsed.header_values("From".to_owned()).count() != 1 {
        return None;
    }
    let from = parsed.from()?;
    // An author that is no address has no place in Graph either.
    if !from
        .iter()
        .all(|a| a.address.as_deref().is_some_and(|a| a.contains('@')))
    {
        return None;
    }
    if list(Some(from)).len() != 1 || parsed.parts.iter().skip(1).any(|p| is_calendar(p)) {
        return None;
    }
    Some(json!({
        "id": "AAMk", "conversationId": "c1", "isDraft": false,
        "internetMessageId": parsed.message_id().map(|id| format!("<{id}>")),
        "subject": parsed.subject(),
        "from": list(Some(from))[0],
        "toRecipients": all("To"), "ccRecipients": all("Cc"), "replyTo": all("Reply-To"),
        "body": body,
        "internetMessageHeaders": headers,
    }))
}

fn is_calendar(part: &mail_parser::MessagePart<'_>) -> bool {
    use mail_parser::MimeHeaders;
    part.is_content_type("text", "calendar")
}

#[test]
fn eml_and_graph_agree_on_real_messages() {
    let mut compared = 0;
    for (name, bytes) in real_mails() {
        let Some(graph) = as_graph(bytes) else {
            continue;
        };
        let list = serde_json::to_vec(&json!([graph])).unwrap();
        let page = serde_json::to_vec(&json!({"@odata.context": "x", "value": [graph]})).unwrap();
        match (
            try_run(&input("eml", bytes)),
            try_run(&input("graph_json", &list)),
        ) {
            (Ok(raw), Ok(json)) => {
                compared += 1;
                assert_eq!(raw, json, "{name}");
                assert_eq!(json, analyse("graph_json", &page), "{name}");
            }
            // Without any header field both refuse it, each in its own words.
            (Err(_), Err(_)) => {}
            (raw, json) => panic!("{name}: {raw:?} against {json:?}"),
        }
    }
    assert!(compared >= 60, "{compared}");
}

#[test]
fn sent_date_time_takes_the_place_of_the_date_field() {
    let eml = b"From: a@x.example\nTo: me@eso.example\nDate: Mon, 02 Nov 2026 09:00:00 +0000\nMessage-ID: <1@x>\nSubject: s\n\nHello there\n";
    let graph = json!([{"internetMessageId": "<1@x>", "subject": "s", "sentDateTime": "2026-11-02T09:00:00Z",
        "from": {"emailAddress": {"name": "A", "address": "A@X.example"}},
        "toRecipients": [{"emailAddress": {"address": "me@eso.example"}}],
        "body": {"contentType": "html", "content": "<html><body><p>Hello there</p></body></html>"}}]);
    assert_eq!(
        analyse("eml", eml),
        analyse("graph_json", &serde_json::to_vec(&graph).unwrap())
    );
}

/// The real mails and a thread of our own.
fn mails() -> Vec<Vec<u8>> {
    let mut mails: Vec<Vec<u8>> = real_mails().iter().map(|(_, b)| b.clone()).collect();
    mails.retain(|m| try_run(&input("eml", m)).is_ok());
    // An mbox reports the places of mails that begin unlike mails; places are the one thing that order changes.
    mails.retain(|m| {
        let name = m
            .iter()
            .take_while(|b| b.is_ascii_graphic() && **b != b':')
            .count();
        name > 0 && m.get(name) == Some(&b':')
    });
    for i in 0..20_u32 {
        let (who, parent) = (
            if i % 2 == 0 {
                "me@eso.example"
            } else {
                "ada@fund.example"
            },
            i.saturating_sub(1),
        );
        let mail = format!(
            "From: {who}\nTo: you{i}@x.example\nDate: Mon, {} Nov 2026 09:00:00 +0100\nMessage-ID: <m{i}@x>\nReferences: <m{parent}@x>\nSubject: Re: thread\n\nThis is mail {i}, I love it.\n",
            i + 1
        );
        mails.push(mail.into_bytes());
    }
    // The same id, another text: which one stays must not depend on the order.
    mails.push(b"From: b@x.example\nDate: Mon, 9 Nov 2026 09:00:00 +0000\nMessage-ID: <twice@x>\n\nfirst text\n".to_vec());
    mails.push(b"From: b@x.example\nDate: Mon, 9 Nov 2026 09:00:00 +0000\nMessage-ID: <twice@x>\n\nanother text\n".to_vec());
    mails
}

pub(super) fn zip_of(mails: &[Vec<u8>]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (i, mail) in mails.iter().enumerate() {
        let folder = ["cur", "new", ".Sent/cur", "Archive/2026/new"][i % 4];
        zip.start_file(format!("Maildir/{folder}/{i}.host:2,S"), options)
            .unwrap();
        zip.write_all(mail).unwrap();
    }
    for other in [
        "Maildir/tmp/1.host",
        "Maildir/cur/.hidden",
        "Maildir/dovecot.index",
    ] {
        zip.start_file(other, options).unwrap();
        zip.write_all(b"From: no@mail.example\n\n").unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// What is found in an archive of these names, each of another mail.
fn found(names: &[&str]) -> serde_json::Value {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (i, name) in names.iter().enumerate() {
        zip.start_file(*name, options).unwrap();
        write!(zip, "From: a@x.example\nMessage-ID: <{i}@x>\n\nx\n").unwrap();
    }
    zip.add_directory("cur/", options).unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    let result = super::try_run(&super::input("maildir_zip", &bytes));
    result.map_or_else(
        |e| e.to_string().into(),
        |out| out["corpus"]["messages"].clone(),
    )
}

#[test]
fn an_archive_without_maildir_folders_is_a_folder_of_mails() {
    assert_eq!(found(&["a.eml", "deep/er/B.EML", "readme.txt"]), 2);
    let plain = ["1700000000.M1P1.host:2,S", "x/2", ".hidden", "x/.DS_Store"];
    assert_eq!(found(&plain), 2);
    assert_eq!(found(&["a.eml", "__MACOSX/b.eml", "__MACOSX/._a.eml"]), 1);
    // A sentence in a name is no flag; at the end of a Maildir name it is.
    assert_eq!(found(&["Re 2,D.eml", "b.eml"]), 2);
    assert_eq!(found(&["1.host:2,DS", "2.host:2,S"]), 1);
    // One mail in its place, and the archive is a Maildir.
    assert_eq!(found(&["a.eml", "b", "new/1.host", "tmp/2.host"]), 1);
    let none = found(&[".hidden", "__MACOSX/x"]);
    assert!(none.as_str().unwrap().contains("has no mails"), "{none}");
}

#[test]
fn permuted_mails_give_the_same_bytes() {
    let mut mails = mails();
    let first = analyse("mbox", &mbox(&mails)).to_string();
    for turn in [1, 7, 40] {
        let by = turn % mails.len();
        mails.rotate_left(by);
        if turn == 7 {
            mails.reverse();
        }
        assert_eq!(analyse("mbox", &mbox(&mails)).to_string(), first, "{turn}");
    }
}

#[test]
fn mbox_and_maildir_agree() {
    // Line ends and a final newline are the container's affair, so mails of one convention are compared.
    let mut mails = mails();
    for mail in &mut mails {
        while mail.last() == Some(&b'\n') || mail.last() == Some(&b'\r') {
            mail.pop();
        }
        mail.extend_from_slice(b"\n");
    }
    mails.retain(|m| !m.windows(5).any(|w| w == b"From ") && m.windows(2).any(|w| w == b"\n\n"));
    let (a, b) = (
        analyse("mbox", &mbox(&mails)),
        analyse("maildir_zip", &zip_of(&mails)),
    );
    assert_eq!(a["corpus"]["files"], mails.len());
    assert_eq!(a.to_string(), b.to_string());
}
