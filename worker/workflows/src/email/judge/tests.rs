//! Whole runs: numbers worked out by hand, and what must not change a result.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::Run;

const ME: &str = "me@eso.example";
const ADA: &str = "ada@mail.fund.example";
const KIND: &str = "Thank you so much for this wonderful report. We love the work that your school does for the children!";

#[derive(Debug, Clone)]
struct Letter {
    id: String,
    from: String,
    to: String,
    cc: String,
    hours_ago: i64,
    answers: Option<String>,
    text: String,
}

fn letter(id: &str, from: &str, to: &str, hours_ago: i64, answers: Option<&str>) -> Letter {
    Letter {
        id: id.into(),
        from: from.into(),
        to: to.into(),
        cc: String::new(),
        hours_ago,
        answers: answers.map(Into::into),
        text: KIND.into(),
    }
}

fn mbox(letters: &[Letter]) -> String {
    let as_of: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let mut out = String::new();
    for l in letters {
        let at = TimeZone::UTC.to_datetime(as_of - SignedDuration::from_hours(l.hours_ago));
        let date = at.strftime("%a, %d %b %Y %H:%M:%S");
        write!(
            out,
            "From x@y.example {}\nFrom: {}\nTo: {}\nDate: {date} +0000\nMessage-ID: <{}>\nSubject: s\n",
            at.strftime("%a %b %e %H:%M:%S %Y"),
            l.from,
            l.to,
            l.id
        )
        .unwrap();
        if !l.cc.is_empty() {
            writeln!(out, "Cc: {}", l.cc).unwrap();
        }
        if let Some(id) = &l.answers {
            write!(out, "In-Reply-To: <{id}>\nReferences: <{id}>\n").unwrap();
        }
        write!(out, "\n{}\n\n", l.text).unwrap();
    }
    out
}

fn input(letters: &[Letter], known: &[&str]) -> Value {
    json!({
        "as_of": "2026-11-23T12:00:00Z",
        "owner_addresses": [ME],
        "source": {"kind": "mbox", "data": {"content_base64": STANDARD.encode(mbox(letters))}},
        "sponsor_domains": {"fund.example": "s1", "trust.example": "s2"},
        "known_message_ids": known,
    })
}

fn run(letters: &[Letter], known: &[&str]) -> Value {
    crate::email::run(&input(letters, known), &Run::unattended()).unwrap()
}

fn close(actual: &Value, expected: f64) {
    assert!(
        (actual.as_f64().unwrap() - expected).abs() < 1e-9,
        "{actual} is not {expected}"
    );
}

/// Ada answers the first mail after 6 hours and the second after 30, leaves the third and may still answer the fourth.
fn correspondence() -> Vec<Letter> {
    let day = 24;
    let mut copied = letter("copied@e", ME, "bob@else.example", 50 * day, None);
    copied.cc = ADA.into();
    vec![
        letter("1@e", ME, ADA, 100 * day, None),
        letter("1a@f", ADA, ME, 100 * day - 6, Some("1@e")),
        letter("2@e", ME, ADA, 60 * day, None),
        letter("2a@f", ADA, ME, 60 * day - 30, Some("2@e")),
        letter("2b@e", ME, ADA, 60 * day - 32, Some("2a@f")),
        letter("4@e", ME, ADA, 2 * day, None),
        copied,
    ]
}

#[test]
fn a_correspondence_has_the_numbers_worked_out_by_hand() {
    let out = run(&correspondence(), &[]);
    let contacts = out["contacts"].as_array().unwrap();
    assert_eq!(contacts.len(), 2);
    let ada = contacts
        .iter()
        .find(|c| c["counts"]["received"] == 2)
        .unwrap();
    assert_eq!(
        ada["counts"],
        json!({"sent": 5, "received": 2, "initiated_by_owner": 4, "initiated_by_contact": 0})
    );
    // 1@e and 2@e answered; 2b@e and the copy not; 4@e pending.
    assert_eq!(
        [
            &ada["reply_rate_in"]["num"],
            &ada["reply_rate_in"]["den"],
            &ada["reply_rate_in"]["pending"]
        ],
        [2, 4, 1]
    );
    assert_eq!(
        [&ada["engagingness"]["num"], &ada["engagingness"]["den"]],
        [2, 3]
    );
    // 2a@f answered, 1a@f not.
    assert_eq!(
        [&ada["reply_rate_out"]["num"], &ada["reply_rate_out"]["den"]],
        [1, 2]
    );
    // Four addressed mails, answered after 6 and 30 h: S = 3/4, then 1/2.
    close(&ada["latency_km_median_h"], 30.0);
    assert_eq!([&ada["latency_n"], &ada["censored_n"]], [2, 2]);
    // 4@e is two days old, so its first 24 hours are over.
    assert_eq!(
        [
            &ada["share_within_24h"]["num"],
            &ada["share_within_24h"]["den"]
        ],
        [1, 4]
    );
    // 1a@f is from Saturday evening (100 days before a Monday), 2a@f from Friday 18 h.
    assert_eq!(
        [
            &ada["business_hours_share"]["num"],
            &ada["business_hours_share"]["den"]
        ],
        [0, 2]
    );
    close(&ada["days_since_last_inbound"], 58.0);
    close(&ada["days_since_last_contact"], 2.0);
    assert_eq!(
        (&ada["thread_depth"], &ada["dormant"]),
        (&3.into(), &false.into())
    );
    assert!(ada["sentiment"]["mean"].as_f64().unwrap() > 0.5 && ada["sentiment"]["n"] == 2);
    let bob = contacts
        .iter()
        .find(|c| c["counts"]["received"] == 0)
        .unwrap();
    assert!(bob["latency_km_median_h"].is_null() && bob["sentiment"]["mean"].is_null());
    assert_eq!(bob["sentiment"]["reason"], "no mail");
}

#[test]
fn an_update_is_the_strength_without_and_with_the_new_mails() {
    let letters = correspondence();
    let known = ["<1@e>", "1a@f", "copied@e"];
    let out = run(&letters, &known);
    let [update] = &out["updates"].as_array().unwrap()[..] else {
        panic!("{}", out["updates"])
    };
    assert_eq!(update["sponsor_id"], "s1");
    assert_eq!(
        update["new_event_ids"],
        json!(["2@e", "2a@f", "2b@e", "4@e"])
    );
    let number = |field: &str| update[field].as_f64().unwrap();
    assert!((number("after") - number("before") - number("delta")).abs() < 1e-9);
    // What was new then is known now.
    let old: Vec<Letter> = letters
        .iter()
        .filter(|l| known.iter().any(|k| k.contains(&l.id)))
        .cloned()
        .collect();
    assert_eq!(run(&old, &[])["updates"][0]["after"], update["before"]);
    assert_eq!(run(&letters, &[])["updates"][0]["after"], update["after"]);
    // A: mails weigh 2^(-age / 90 d), those of the sponsor alone.
    let w = |days: f64| (-days / 90.0).exp2();
    let a = w(100.0) + w(99.75) + w(60.0) + w(58.75) + w(60.0 - 32.0 / 24.0) + w(50.0) + w(2.0);
    close(
        &update["evidence"]["after"]["components"]["intensity"]["num"],
        a,
    );
    // 1@e after 6 h, 2@e after 30 h, 2b@e and the copy never; 4@e may still be answered.
    let l = ((-0.25_f64).exp2() + (-1.25_f64).exp2()) / 4.0;
    close(
        &update["evidence"]["after"]["components"]["responsiveness"]["value"],
        l,
    );
    assert!(update["evidence"]["after"]["components"]["giving"]["value"].is_null());
}

#[test]
fn a_mail_that_is_known_changes_nothing() {
    let letters = correspondence();
    assert_eq!(input(&letters, &[]), input(&letters, &[]));
    assert_eq!(
        run(&letters, &[]).to_string(),
        run(&letters, &[]).to_string()
    );
    let all: Vec<&str> = letters.iter().map(|l| l.id.as_str()).collect();
    assert_eq!(run(&letters, &all)["updates"], json!([]));
    let twice: Vec<Letter> = letters.iter().chain(&letters).cloned().collect();
    assert_eq!(run(&twice, &[])["updates"], run(&letters, &[])["updates"]);
    assert_eq!(run(&twice, &[])["contacts"], run(&letters, &[])["contacts"]);
}

#[test]
fn tone_is_null_with_its_reason() {
    let mut letters = correspondence();
    for l in &mut letters {
        l.text = "Nous vous remercions vivement de votre soutien genereux a notre ecole. Les enfants etaient tres heureux.".into();
    }
    let sentiment = |out: &Value| {
        let contacts = out["contacts"].as_array().unwrap();
        contacts
            .iter()
            .find(|c| c["counts"]["received"] == 2)
            .unwrap()["sentiment"]
            .clone()
    };
    let french = run(&letters, &[]);
    assert_eq!(sentiment(&french)["reason"], "language:fr");
    assert_eq!(french["tone"]["not_scored"], json!({"language:fr": 2}));
    let tone = &french["updates"][0]["evidence"]["after"]["components"]["tone"];
    assert_eq!(
        (&tone["value"], &tone["reason"]),
        (&Value::Null, &"no text".into())
    );
    let mut off = input(&correspondence(), &[]);
    off["params"] = json!({"sentiment": false});
    let off = crate::email::run(&off, &Run::unattended()).unwrap();
    assert_eq!(
        sentiment(&off)["reason"],
        "switched off by params.sentiment"
    );
}

const PEOPLE: [&str; 6] = [
    "ada@fund.example",
    "bo@sub.fund.example",
    "cy@trust.example",
    "di@other.example",
    "ed@notfund.example",
    ME,
];

prop_compose! {
    /// Mails among the owner and five people, each maybe an answer to an earlier one.
    fn mailbox()(raw in prop::collection::vec((0_usize..6, 0_usize..6, 0_usize..6, 0_i64..9_000, prop::option::of(0_usize..25), 0_usize..4), 1..25)) -> Vec<Letter> {
        let texts = [KIND, "No.", "This is a terrible mess and I am very angry about the report, which nobody here could read at all.", ""];
        let mut out: Vec<Letter> = Vec::new();
        for (i, (from, to, cc, hours_ago, answers, text)) in raw.into_iter().enumerate() {
            let answers = answers.filter(|k| *k < i).map(|k| out[k].id.clone());
            let mut l = letter(&format!("{i}@x.example"), PEOPLE[from], PEOPLE[to], hours_ago, answers.as_deref());
            l.cc = if cc == to { String::new() } else { PEOPLE[cc].into() };
            l.text = texts[text].into();
            out.push(l);
        }
        out
    }
}

fn update_of(out: &Value, sponsor: &str) -> Option<Value> {
    out["updates"]
        .as_array()
        .unwrap()
        .iter()
        .find(|u| u["sponsor_id"] == sponsor)
        .cloned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_mails_changes_nothing(letters in mailbox(), by in 0_usize..25) {
        let mut other = letters.clone();
        other.rotate_left(by % letters.len());
        other.reverse();
        let (mut a, mut b) = (run(&letters, &[]), run(&other, &[]));
        for out in [&mut a, &mut b] {
            out["corpus"]["failed"] = Value::Null; // places in the source
        }
        prop_assert_eq!(a, b);
    }

    #[test]
    fn names_of_contacts_change_only_their_keys(letters in mailbox()) {
        let renamed: Vec<Letter> = letters.iter().cloned().map(|mut l| {
            for field in [&mut l.from, &mut l.to, &mut l.cc] {
                *field = field.replace("ada@", "zoe@").replace("di@other", "abe@another");
            }
            l
        }).collect();
        let anonymous = |out: &Value| {
            let mut lines: Vec<String> = out["contacts"].as_array().unwrap().iter().map(|c| {
                let mut c = c.clone();
                c["key"] = Value::Null;
                c["addresses_hmac"] = Value::Null;
                c.to_string()
            }).collect();
            lines.sort();
            lines
        };
        let (a, b) = (run(&letters, &[]), run(&renamed, &[]));
        prop_assert_eq!(anonymous(&a), anonymous(&b));
        prop_assert_eq!(&a["updates"], &b["updates"]);
        let text = a.to_string();
        prop_assert!(!PEOPLE.iter().any(|p| text.contains(p)) && !text.contains("terrible"));
    }

    #[test]
    fn other_sponsors_mails_do_not_move_a_relationship(letters in mailbox()) {
        let without: Vec<Letter> = letters.iter()
            .filter(|l| l.from == ME || PEOPLE[..2].contains(&l.from.as_str()) || l.from == PEOPLE[4])
            .filter(|l| l.from != ME || [&l.to, &l.cc].iter().any(|a| PEOPLE[..2].contains(&a.as_str())))
            .cloned().collect();
        if !without.is_empty() {
            prop_assert_eq!(update_of(&run(&letters, &[]), "s1"), update_of(&run(&without, &[]), "s1"));
        }
    }

    #[test]
    fn two_deliveries_in_a_row_end_where_one_does(letters in mailbox(), first in 0_usize..25) {
        let known: Vec<&str> = letters[..first % letters.len()].iter().map(|l| l.id.as_str()).collect();
        let (whole, rest) = (run(&letters, &[]), run(&letters, &known));
        for sponsor in ["s1", "s2"] {
            if let (Some(whole), Some(rest)) = (update_of(&whole, sponsor), update_of(&rest, sponsor)) {
                prop_assert_eq!(&whole["after"], &rest["after"]);
                let ids = rest["new_event_ids"].as_array().unwrap();
                prop_assert!(ids.iter().all(|id| !known.contains(&id.as_str().unwrap())));
            }
        }
        prop_assert_eq!(run(&letters, &known).to_string(), rest.to_string());
    }
}
