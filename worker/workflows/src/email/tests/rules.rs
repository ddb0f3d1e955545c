//! Classes, duplicates, new text: the rules of WORKFLOWS 5.3, one by one.

use serde_json::json;

use super::super::message::Class;
use super::super::read::Reader;
use super::{analyse, anomaly, mbox};

fn reader() -> Reader {
    Reader::new("2026-11-23T23:59:59Z".parse().unwrap())
}

fn class(headers: &str, body: &str) -> Class {
    let text = format!("From: a@x.example\nMessage-ID: <1@x>\n{headers}\n{body}");
    reader().raw(text.as_bytes()).unwrap().message.class
}

#[test]
fn classes() {
    for (headers, expected) in [
        ("", Class::Human),
        ("Auto-Submitted: no\n", Class::Human),
        (
            "Auto-Submitted: auto-replied (rejected)\n",
            Class::AutoReply,
        ),
        (
            "auto-submitted: Auto-Generated; owner-email=x\n",
            Class::AutoReply,
        ),
        ("X-Autoreply: yes\n", Class::AutoReply),
        ("Precedence: bulk\n", Class::Bulk),
        ("Precedence: LIST\n", Class::Bulk),
        ("Precedence: first-class\n", Class::Human),
        ("List-Id: News <news.x.example>\n", Class::Bulk),
        ("Return-Path: <>\n", Class::Bounce),
        ("Return-Path: <a@x.example>\n", Class::Human),
        (
            "Return-Path: <>\nAuto-Submitted: auto-replied\n",
            Class::AutoReply,
        ),
        (
            "Content-Type: multipart/report; report-type=delivery-status; boundary=b\nAuto-Submitted: auto-replied\n",
            Class::Bounce,
        ),
        (
            "Content-Type: text/calendar; method=REQUEST\n",
            Class::Calendar,
        ),
        (
            "Content-Class: urn:content-classes:calendarmessage\n",
            Class::Calendar,
        ),
    ] {
        assert_eq!(class(headers, "x\n"), expected, "{headers}");
    }
    let invitation = "--b\nContent-Type: text/plain\n\nhi\n--b\nContent-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\n--b--\n";
    assert_eq!(
        class(
            "Content-Type: multipart/alternative; boundary=b\n",
            invitation
        ),
        Class::Calendar
    );
    let attached = invitation.replace("; method=REQUEST", "; name=x.ics");
    assert_eq!(
        class("Content-Type: multipart/mixed; boundary=b\n", &attached),
        Class::Human
    );
}

fn new_text(body: &str) -> String {
    let text = format!(
        "From: a@x.example\nMessage-ID: <1@x>\nContent-Type: text/plain; charset=utf-8\n\n{body}"
    );
    reader().raw(text.as_bytes()).unwrap().message.new_text.text
}

#[test]
fn quotes_signatures_and_old_mails_are_taken_away() {
    for body in [
        "New.\n\nOn Mon, 2 Nov 2026 at 10:00, Kim <me@eso.example> wrote:\n> old\n> older\n",
        "New.\n\nOn Mon, Nov 2, 2026 at 10:00 AM Kim Long Name\n<me@eso.example> wrote:\n\n> old\n",
        "> old\n> older\n\nNew.\n",
        "New.\n\nLe lun. 2 nov. 2026 à 10:00, Kim <me@eso.example> a écrit :\n> vieux\n",
        "New.\n\nAm Mo., 2. Nov. 2026 um 10:00 Uhr schrieb Kim <me@eso.example>:\n> alt\n",
        "New.\n\nAm 02.11.26 um 10:00 schrieb Kim:\n> alt\n",
        "New.\n\nEl lun, 2 nov 2026 a las 10:00, Kim (<me@eso.example>) escribió:\n> viejo\n",
        "New.\n\nIl giorno lun 2 nov 2026 alle ore 10:00 Kim <me@eso.example> ha scritto:\n> vecchio\n",
        "New.\n\nEm seg., 2 de nov. de 2026 às 10:00, Kim <me@eso.example> escreveu:\n> velho\n",
        "New.\n\nOp ma 2 nov 2026 om 10:00 schreef Kim <me@eso.example>:\n> oud\n",
        "New.\n\nDen mån 2 nov. 2026 kl 10:00 skrev Kim <me@eso.example>:\n> gammal\n",
        "New.\n\nDen man. 2. nov. 2026 kl. 10.00 skrev Kim <me@eso.example>:\n> gammel\n",
        "New.\n\nW dniu 2.11.2026 o 10:00, Kim pisze:\n> x\n",
        "New.\n\npon., 2 lis 2026 o 10:00 Kim <me@eso.example> napisał(a):\n> stare\n",
        "New.\n\nma 2. marrask. 2026 klo 10.00 Kim (me@eso.example) kirjoitti:\n> vanha\n",
        "New.\n\nпн, 2 нояб. 2026 г. в 10:00, Kim <me@eso.example>:\n> старое\n",
        "New.\n\n2 ноября 2026, 10:00, Kim пишет:\n> старое\n",
        "New.\n\n-----Original Message-----\nFrom: Kim\nSent: Monday\n\nold\n",
        "New.\n\n________________________________\nFrom: Kim <me@eso.example>\nSent: Monday, November 2, 2026\nTo: Ada\nSubject: RE: s\n\nold\n",
        "New.\n\nVon: Kim <me@eso.example>\nGesendet: Montag, 2. November 2026 10:00\nAn: Ada\nBetreff: AW: s\n\nalt\n",
        "New.\n\nDe : Kim\nEnvoyé : lundi 2 novembre 2026\nÀ : Ada\nObjet : RE: s\n\nvieux\n",
        "New.\n\n---------- Forwarded message ---------\nFrom: Kim\n\nold\n",
        "New.\nOn Mon, 2 Nov 2026 at 10:00, Kim <me@eso.example> wrote:\n> old\n",
        "New.\n-- \nKim\nExample ESO\n",
        "New.\n\nSent from my iPhone\n",
        "New.\n\nGet Outlook for iOS\n",
        "New.\n\nVon meinem iPhone gesendet\n",
        "New.\n\nOn 2 Nov 2026, at 10:00, Kim <me@eso.example> wrote:\n\nold without marks\n",
    ] {
        assert_eq!(new_text(body), "New.", "{body}");
    }
}

#[test]
fn what_people_write_stays() {
    for body in [
        "On reflection she wrote:\nnothing at all.",
        "From: the bottom of my heart, thank you.",
        "Dear Ada,\n\n- one\n- two\n\nDate: Monday\nTo: everyone who comes",
        "We sent from our side what you wanted.",
        "a > b, as I said",
        "Kim <me@eso.example> will write:\none thing.",
    ] {
        assert_eq!(new_text(body), body, "{body}");
    }
    // Answers between quoted lines.
    let inline =
        "On Mon, 2 Nov 2026 at 10:00, Kim <me@eso.example> wrote:\n> one?\nYes.\n> two?\nNo.\n";
    assert_eq!(new_text(inline), "Yes.\nNo.");
    // A signature above the quoted mail, the answer below it.
    let below = "-- \nKim\n\n> old\n\nNew.\n";
    assert_eq!(new_text(below), "New.");
}

#[test]
fn quotes_in_html_are_taken_away() {
    let html = "<html><body><div>New.</div><div class=gmail_quote>On Mon, 2 Nov 2026 at 10:00, Kim &lt;<a href='mailto:x'>me@eso.example</a>&gt; wrote:<br><blockquote>old</blockquote></div></body></html>";
    let text = format!("From: a@x.example\nContent-Type: text/html; charset=utf-8\n\n{html}");
    assert_eq!(
        reader().raw(text.as_bytes()).unwrap().message.new_text.text,
        "New."
    );
}

#[test]
fn the_stripped_share_is_reported_with_its_parts() {
    let mail = "From: a@x.example\nMessage-ID: <1@x>\nDate: Mon, 2 Nov 2026 08:00:00 +0000\n\nabcd\n> ef\n";
    let output = analyse("eml", mail.as_bytes());
    let share = &output["evidence"]["stripped_share"];
    assert_eq!((&share["num"], &share["den"]), (&json!(3), &json!(7)));
    assert_eq!(output["corpus"]["stripped_share"], json!(0.428_571_428_571));
}

#[test]
fn duplicates_are_counted_and_dropped() {
    let mail = |id: &str, body: &str| {
        format!("From: a@x.example\n{id}Date: Mon, 2 Nov 2026 08:00:00 +0000\n\n{body}\n")
    };
    let output = analyse(
        "mbox",
        &mbox(&[
            mail("Message-ID: <1@x>\n", "a"),
            mail("Message-ID: <1@x>\n", "a"),
            mail("Message-ID: < 1@x >\n", "b"),
            mail("", "c"),
            mail("", "c"),
            mail("", "d"),
        ]),
    );
    let corpus = &output["corpus"];
    assert_eq!(
        [
            &corpus["files"],
            &corpus["parsed"],
            &corpus["duplicates"],
            &corpus["messages"]
        ],
        [&json!(6), &json!(6), &json!(3), &json!(3)]
    );
    assert_eq!(anomaly(&output, "duplicate_differs"), 1);
    assert_eq!(anomaly(&output, "no_message_id"), 2);
}

#[test]
fn of_mails_with_one_id_the_earliest_is_kept() {
    let mail = |day: u8, body: &str| {
        format!(
            "From: a@x.example\nMessage-ID: <1@x>\nDate: Mon, {day} Nov 2026 08:00:00 +0000\n\n{body}\n"
        )
    };
    let (early, late) = (mail(2, "early"), mail(9, "late"));
    for order in [[&early, &late], [&late, &early]] {
        let output = analyse("mbox", &mbox(&order));
        assert_eq!(output["corpus"]["duplicates"], 1);
        assert_eq!(output["corpus"]["first"], "2026-11-02T08:00:00Z");
        assert_eq!(output["corpus"]["last"], "2026-11-02T08:00:00Z");
        assert_eq!(anomaly(&output, "duplicate_differs"), 1);
    }
}

#[test]
fn a_graph_header_without_a_value_costs_only_itself() {
    let headers = serde_json::json!([{"name": "X-Empty", "value": null}, {"name": null, "value": "x"}, {},
        {"name": "Auto-Submitted", "value": "auto-replied"}]);
    let page = serde_json::json!([{"internetMessageId": "<1@x>", "sentDateTime": "2026-11-02T08:00:00Z",
        "internetMessageHeaders": headers}]);
    let output = analyse("graph_json", page.to_string().as_bytes());
    assert_eq!(output["corpus"]["failed_total"], 0);
    assert_eq!(output["corpus"]["classes"]["auto_reply"], 1);
}

#[test]
fn addresses_in_groups_quotes_and_encoded_words() {
    let text = "From: =?utf-8?Q?Ad=C3=A1_=22x=22?= =?utf-8?Q?_Stone?= <\"ada stone\"@Fund.example>\nTo: Friends: b@x.example, \"C, D\" <c+tag@x.example>;, d@b\u{fc}cher.example\nCc: undisclosed-recipients:;\n\nx\n";
    let m = reader().raw(text.as_bytes()).unwrap().message;
    let all = |list: &[super::super::contact::Address]| {
        list.iter()
            .map(|a| a.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(all(&m.from), ["ada stone@fund.example"]);
    assert_eq!(
        all(&m.to),
        ["b@x.example", "c@x.example", "d@xn--bcher-kva.example"]
    );
    assert!(m.cc.is_empty());
}
