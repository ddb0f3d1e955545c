//! An output in words, for a programme officer.

use std::fmt::Write;

use serde_json::Value;

const CONTACTS_SHOWN: usize = 8;
/// Characters of a key that are shown: enough to find it in the result.
const KEY_SHOWN: usize = 10;
const FINE: &str = "writing to a string cannot fail";

/// A few sentences and the busiest contacts.
pub(super) fn text(output: &Value) -> String {
    let corpus = &output["corpus"];
    let count = |name: &str| corpus[name].as_u64().unwrap_or(0);
    let mut text = format!(
        "{} mail(s) were read, {} of them duplicates; {} could not be read.",
        count("parsed"),
        count("duplicates"),
        count("failed_total")
    );
    if let (Some(first), Some(last)) = (corpus["first"].as_str(), corpus["last"].as_str()) {
        write!(text, " They are from {} to {}.", day(first), day(last)).expect(FINE);
    }
    let classes = &corpus["classes"];
    let class = |name: &str| classes[name].as_u64().unwrap_or(0);
    write!(
        text,
        " {} were written by people, {} are bulk mail, {} automatic answers, {} delivery reports, {} invitations.",
        class("human"),
        class("bulk"),
        class("auto_reply"),
        class("bounce"),
        class("calendar")
    )
    .expect(FINE);
    let threads = output["threads_total"].as_u64().unwrap_or(0);
    write!(text, " They form {threads} thread(s).").expect(FINE);
    if let Some(share) = corpus["stripped_share"].as_f64() {
        write!(
            text,
            " Quotes and signatures are {:.0} % of what people sent.",
            100.0 * share
        )
        .expect(FINE);
    }
    text.push('\n');
    contacts(output, &mut text);
    updates(output, &mut text);
    anomalies(output, &mut text);
    text
}

fn day(instant: &str) -> &str {
    instant.get(..10).unwrap_or(instant)
}

fn list<'a>(output: &'a Value, name: &str) -> &'a [Value] {
    output[name].as_array().map_or(&[], Vec::as_slice)
}

fn contacts(output: &Value, text: &mut String) {
    let mut all: Vec<&Value> = list(output, "contacts").iter().collect();
    if all.is_empty() {
        return;
    }
    let mails = |c: &Value| {
        let n = |name: &str| c["counts"][name].as_u64().unwrap_or(0);
        n("sent") + n("received")
    };
    all.sort_by_key(|c| std::cmp::Reverse(mails(c)));
    text.push_str("\nContact      sent  received  they answer  median hours  tone   dormant\n");
    for contact in all.iter().take(CONTACTS_SHOWN) {
        let number = |v: &Value, digits: usize| {
            v.as_f64()
                .or_else(|| v["value"].as_f64())
                .map_or("-".to_owned(), |x| format!("{x:.digits$}"))
        };
        let rate = &contact["reply_rate_in"];
        let rate = rate
            .as_f64()
            .or_else(|| rate["value"].as_f64())
            .map_or("-".to_owned(), |p| format!("{:.0} %", 100.0 * p));
        let key = contact["key"].as_str().unwrap_or_default();
        writeln!(
            text,
            "{:<11}{:>6}{:>10}{rate:>13}{:>14}{:>6}   {}",
            &key[..key.floor_char_boundary(KEY_SHOWN)],
            contact["counts"]["sent"].to_string(),
            contact["counts"]["received"].to_string(),
            number(&contact["latency_km_median_h"], 1),
            number(&contact["sentiment"]["mean"], 2),
            if contact["dormant"] == true {
                "yes"
            } else {
                "no"
            },
        )
        .expect(FINE);
    }
    if all.len() > CONTACTS_SHOWN {
        writeln!(text, "and {} more", all.len() - CONTACTS_SHOWN).expect(FINE);
    }
}

fn updates(output: &Value, text: &mut String) {
    for update in list(output, "updates") {
        let score = |name: &str| {
            let v = &update[name];
            v.as_f64()
                .or_else(|| v["value"].as_f64())
                .map_or("-".to_owned(), |x| format!("{x:.1}"))
        };
        writeln!(
            text,
            "Sponsor {}: relationship {} -> {} ({} new mail(s)).",
            update["sponsor_id"].as_str().unwrap_or_default(),
            score("before"),
            score("after"),
            update["new_event_ids_total"].as_u64().unwrap_or_default()
        )
        .expect(FINE);
    }
}

fn anomalies(output: &Value, text: &mut String) {
    let found: Vec<String> = list(output, "anomalies")
        .iter()
        .map(|a| {
            format!(
                "{} ({})",
                a["kind"].as_str().unwrap_or_default().replace('_', " "),
                a["n"]
            )
        })
        .collect();
    if !found.is_empty() {
        writeln!(text, "Odd: {}.", found.join(", ")).expect(FINE);
    }
}
