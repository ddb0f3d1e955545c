//! The judging half of an analysis: tone, contacts, relationship updates, from the mails once they are read.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::contact::{Person, PersonId};
use super::engagement::{self, Dealings, Settings};
use super::read::ids;
use super::tone::{self, Gathered, Tone, Unscored};
use super::traffic::{self, Author, Known, Mail};
use super::updates::{self, Sponsors};
use super::{Scene, interactions, limits};
use crate::document::Document;
use crate::{Error, Run};

/// Mails between two reports of progress: a few milliseconds of scoring.
const REPORT_EVERY: usize = 256;

type Tones = Vec<Result<Tone, Unscored>>;

/// Adds `contacts`, `updates` and `tone`. Whether a list was cut.
pub(super) fn fill(
    scene: &Scene<'_>,
    as_of: Timestamp,
    run: &Run<'_>,
    doc: &mut Document,
) -> Result<bool, Error> {
    let tones = tones(scene, run)?;
    run.step(0.9, "judging contacts")?;
    let messages = &scene.corpus.messages;
    let forest = scene.forest;
    let depths: Vec<u32> = forest
        .thread_of
        .iter()
        .map(|t| forest.threads[*t].depth)
        .collect();
    let scores: Vec<Option<f64>> = tones.iter().map(|t| t.ok().map(|t| t.mean)).collect();
    let known = Known {
        parents: &forest.parents,
        depths: &depths,
        tones: &scores,
    };
    let mails = traffic::of(messages, scene.book, known);
    let settings = Settings {
        as_of,
        window_days: scene.input.params.window_days,
        reply_window_days: scene.input.params.reply_window_days,
    };
    let sponsors = Sponsors::new(&scene.input.sponsor_domains);
    let by_id: BTreeMap<&str, Result<Tone, Unscored>> = messages
        .iter()
        .zip(tones)
        .map(|(m, tone)| (m.id.as_str(), tone))
        .collect();
    let moods = moods(&mails, &by_id, &settings);
    let mut tone = moods.all.describe(as_of);
    for field in ["mean", "min", "max", "trend"] {
        if tone[field].is_null() {
            doc.because(
                format!("/tone/{field}"),
                "see tone.reason and tone.trend_reason",
            );
        }
    }
    tone["note"] = tone::NOTE.into();
    doc.set("tone", tone);
    let truncated = contacts(scene, &mails, &moods, &settings, doc);
    let known_ids: Vec<String> = scene
        .input
        .known_message_ids
        .iter()
        .map(|id| ids::one(id).unwrap_or_else(|| id.trim().to_owned()))
        .collect();
    let known_ids: HashSet<&str> = known_ids.iter().map(String::as_str).collect();
    let events = updates::events(&mails, scene.book.people(), &sponsors);
    let truncated = changes(&events, &known_ids, as_of, doc) || truncated;
    let truncated = interactions::fill(&events, doc) || truncated;
    doc.set("conventions", conventions());
    Ok(truncated)
}

/// Lists the updates; whether some of their events were left out.
fn changes(
    events: &updates::Events<'_>,
    known: &HashSet<&str>,
    as_of: Timestamp,
    doc: &mut Document,
) -> bool {
    let mut updates = updates::all(events, known, as_of);
    let total = updates::keep_newest(&mut updates, limits::MAX_EVENT_IDS);
    let cut = total > limits::MAX_EVENT_IDS;
    if cut {
        doc.warn(format!(
            "{} new_event_ids are listed, the newest of {total}: those left out would count as new again",
            limits::MAX_EVENT_IDS
        ));
    }
    let lines: Vec<Value> = updates.iter().map(updates::Update::describe).collect();
    doc.set("updates", lines);
    cut
}

/// The tone of every message.
fn tones(scene: &Scene<'_>, run: &Run<'_>) -> Result<Tones, Error> {
    let messages = &scene.corpus.messages;
    let mut tones = Vec::with_capacity(messages.len());
    for (place, message) in messages.iter().enumerate() {
        if place % REPORT_EVERY == 0 {
            run.step(
                0.5 + 0.4 * place as f64 / messages.len() as f64,
                "scoring tone",
            )?;
        }
        tones.push(if scene.input.params.sentiment {
            tone::of_message(message)
        } else {
            Err(Unscored::SwitchedOff)
        });
    }
    Ok(tones)
}

/// Tones by who wrote.
#[derive(Default)]
struct Moods {
    /// Of everyone but the owner: the aggregate view.
    all: Gathered,
    each: BTreeMap<PersonId, Gathered>,
}

fn moods(
    mails: &[Mail<'_>],
    tones: &BTreeMap<&str, Result<Tone, Unscored>>,
    settings: &Settings,
) -> Moods {
    let mut moods = Moods::default();
    for mail in mails.iter().filter(|m| settings.counts(m.at)) {
        if let (Author::Contact(contact), Some(tone)) = (mail.author, tones.get(mail.id)) {
            moods.all.add(mail.at, *tone);
            moods.each.entry(contact).or_default().add(mail.at, *tone);
        }
    }
    moods
}

/// Lists the contacts in the order of their keys; whether some were left out.
fn contacts(
    scene: &Scene<'_>,
    mails: &[Mail<'_>],
    moods: &Moods,
    settings: &Settings,
    doc: &mut Document,
) -> bool {
    let all = engagement::contacts(mails, settings);
    let total = all.len();
    let mut shown: Vec<(PersonId, Dealings)> = all.into_iter().collect();
    if total > limits::MAX_CONTACTS {
        // The newest stay; a stable sort keeps ties in their order.
        shown.sort_by_key(|(_, dealings)| std::cmp::Reverse(dealings.last()));
        shown.truncate(limits::MAX_CONTACTS);
        shown.sort_by_key(|(id, _)| *id);
        doc.warn(format!(
            "{} contacts are listed, the newest of {total}",
            limits::MAX_CONTACTS
        ));
    }
    let silent = Gathered::default();
    let lines: Vec<Value> = shown
        .iter()
        .map(|(id, dealings)| {
            let mut line = dealings.describe(settings);
            name(&mut line, scene.book.person(*id));
            line["sentiment"] = moods
                .each
                .get(id)
                .unwrap_or(&silent)
                .describe(settings.as_of);
            line
        })
        .collect();
    explain(&lines, doc);
    doc.set("contacts", lines);
    doc.set("contacts_total", total);
    total > limits::MAX_CONTACTS
}

fn name(line: &mut Value, person: &Person) {
    line["key"] = person.key.as_str().into();
    line["addresses_hmac"] = person.addresses_hmac.clone().into();
}

/// Says once for all contacts where to read why a number is null.
fn explain(contacts: &[Value], doc: &mut Document) {
    for (pointer, reason) in [
        ("/latency_km_median_h", "see latency_reason of the contact"),
        (
            "/own_latency_km_median_h",
            "see own_latency_reason of the contact",
        ),
        ("/days_since_last_inbound", "the contact never wrote"),
        ("/reply_rate_in/value", "see reason beside it"),
        ("/reply_rate_out/value", "see reason beside it"),
        ("/engagingness/value", "see reason beside it"),
        ("/responsiveness/value", "see reason beside it"),
        ("/share_within_24h/value", "see reason beside it"),
        ("/initiation_share/value", "see reason beside it"),
        ("/business_hours_share/value", "see reason beside it"),
        ("/sentiment/mean", "see sentiment.reason of the contact"),
        ("/sentiment/min", "see sentiment.reason of the contact"),
        ("/sentiment/max", "see sentiment.reason of the contact"),
        (
            "/sentiment/trend",
            "see sentiment.trend_reason of the contact",
        ),
    ] {
        if contacts
            .iter()
            .any(|c| c.pointer(pointer).is_some_and(Value::is_null))
        {
            doc.because(format!("/contacts/*{pointer}"), reason);
        }
    }
}

fn conventions() -> Value {
    json!({
        "tone": tone::conventions(),
        "duplicates": "of several mails with one Message-ID the one with the earliest date is kept, whatever their order in the source",
        "engagement": engagement::conventions(),
        "updates": "relationship strength for as_of without and with the new mails; mails tell neither gifts nor ties",
        "new_event_ids": "Message-IDs without angle brackets, the form that known_message_ids takes too; a mail without one has sha256: and the hash of date, sender, subject and body",
    })
}
