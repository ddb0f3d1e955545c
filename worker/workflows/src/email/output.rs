//! Lays an analysis out: corpus, threads, anomalies, limits, evidence. No address, name, subject or body leaves here.
//!
//! A result, field by field (rates are `{value, num, den, n, pending}`; what is null has its reason in `null_reasons`):
//!
//! | field | meaning |
//! |---|---|
//! | `as_of`, `params`, `limits`, `truncated`, `warnings` | what was asked and allowed; whether a soft limit cut anything |
//! | `corpus.files`, `parsed`, `duplicates`, `drafts`, `messages` | mails found; read; with an id that came before; drafts left out; judged |
//! | `corpus.failed[]`, `failed_total` | mails left out: `index` in the source, `offset` in bytes, `code`, `detail` |
//! | `corpus.classes`, `first`, `last`, `stripped_share` | mails by class; first and last instant; share of human text that is quotes and signatures |
//! | `threads[]`, `threads_total` | keyed hash of the topmost Message-ID as `id`; mails (`size`), `participants`, `first`, `last`, `depth` |
//! | `contacts[].key`, `addresses_hmac` | HMAC-SHA-256 under the tenant's key: of the standing address, of every address seen |
//! | `contacts[].counts`, `initiation_share` | mails within the window in both directions; who begins threads |
//! | `contacts[].reply_rate_in`, `reply_rate_out` | share answered within `reply_window_days`, by the contact and by the owner |
//! | `contacts[].engagingness`, `responsiveness`, `share_within_24h` | the same of mails addressed, not copied |
//! | `contacts[].latency_km_median_h`, `latency_n`, `censored_n`; `own_...` | hours until the contact answers, Kaplan-Meier; answered, unanswered; the owner's |
//! | `contacts[].business_hours_share`, `days_since_last_...`, `thread_depth`, `dormant` | habits and silence |
//! | `contacts[].sentiment`, `tone` | tone per contact and of all contacts: `mean`, `min`, `max`, `trend` per week, `n`, `not_scored` |
//! | `contacts_total` | contacts, listed or not |
//! | `updates[]` | `sponsor_id`, strength `before`, `after`, `delta`, `new_event_ids` (Message-IDs), `new_event_ids_total`, `evidence` |
//! | `anomalies[]` | `kind`, `n`, `detail`, and places or keys |
//! | `conventions`, `evidence` | how numbers are made; numerators and denominators of those above |

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::Sha256;

use super::contact::PersonId;
use super::message::{Class, Message};
use super::read::Note;
use super::thread::Thread;
use super::{Scene, anomaly, limits};
use crate::document::Document;
use crate::files::hexadecimal;
use crate::number::maybe;

/// Version of the rules behind the numbers of this page.
const METHOD_VERSION: u32 = 1;

/// `cut` tells that a list made elsewhere was cut.
pub(super) fn fill(scene: &Scene<'_>, cut: bool, doc: &mut Document) {
    let mut evidence = Map::new();
    corpus(scene, &mut evidence, doc);
    let truncated = threads(scene, doc) | cut | shortened(scene);
    doc.set("anomalies", anomaly::listed(scene));
    doc.set("limits", limits::listed());
    doc.set("truncated", truncated);
    doc.set("as_of", scene.input.as_of.as_str());
    doc.set("params", json!(scene.input.params));
    evidence.insert(
        "threads".into(),
        json!({"n": scene.forest.threads.len(), "method": "RFC 5256 REFERENCES (JWZ), missing mails kept as phantoms",
            "method_version": METHOD_VERSION}),
    );
    doc.set("evidence", evidence);
    warn(scene, doc);
}

/// Whether a soft limit left out texts, failures or links; the lists tell of themselves.
fn shortened(scene: &Scene<'_>) -> bool {
    let corpus = scene.corpus;
    corpus.texts_left_out > 0
        || corpus.notes.contains_key(&Note::TruncatedText)
        || corpus.failed_total > corpus.failed.len() as u64
        || scene.forest.cut
}

fn corpus(scene: &Scene<'_>, evidence: &mut Map<String, Value>, doc: &mut Document) {
    let corpus = scene.corpus;
    let mut classes: Map<String, Value> = Map::new();
    for class in Class::ALL {
        let n = corpus.messages.iter().filter(|m| m.class == class).count();
        classes.insert(class.as_str().into(), n.into());
    }
    let failed: Vec<Value> = corpus
        .failed
        .iter()
        .map(|(place, failure)| {
            json!({"index": place.index, "offset": place.offset, "code": failure.code, "detail": failure.detail})
        })
        .collect();
    let bounds = |pick: fn(&mut dyn Iterator<Item = Timestamp>) -> Option<Timestamp>| {
        let mut instants = corpus.messages.iter().filter_map(|m| m.sent.map(|s| s.at));
        pick(&mut instants).map(|t| t.to_string())
    };
    let (first, last) = (bounds(|i| i.min()), bounds(|i| i.max()));
    if first.is_none() {
        doc.because("/corpus/first", "no mail has a date");
        doc.because("/corpus/last", "no mail has a date");
    }
    // Human mails alone: lists and robots quote by other rules.
    let human = || corpus.messages.iter().filter(|m| m.class == Class::Human);
    let body: u64 = human().map(|m| u64::from(m.new_text.body_chars)).sum();
    let stripped: u64 = human().map(|m| u64::from(m.new_text.stripped_chars)).sum();
    let share = (body > 0).then(|| stripped as f64 / body as f64);
    if share.is_none() {
        doc.because(
            "/corpus/stripped_share",
            "no human mail has a readable body",
        );
    }
    evidence.insert(
        "stripped_share".into(),
        json!({"value": maybe(share), "num": stripped, "den": body, "n": human().count(),
            "method": "characters taken away as quotes and signatures over all characters of human mails, white space left out; heuristic",
            "method_version": METHOD_VERSION}),
    );
    doc.set(
        "corpus",
        json!({
            "files": corpus.files,
            "parsed": corpus.parsed,
            "failed": failed,
            "failed_total": corpus.failed_total,
            "duplicates": corpus.duplicates,
            "drafts": corpus.drafts,
            "messages": corpus.messages.len(),
            "classes": classes,
            "first": first,
            "last": last,
            "stripped_share": maybe(share),
        }),
    );
}

/// Lists the threads; whether some were left out.
fn threads(scene: &Scene<'_>, doc: &mut Document) -> bool {
    let all = &scene.forest.threads;
    let mut shown: Vec<&Thread> = all.iter().collect();
    if shown.len() > limits::MAX_LISTED {
        // The newest stay; a stable sort keeps ties in their order.
        shown.sort_by_key(|t| {
            std::cmp::Reverse(ends(t, &scene.corpus.messages).map(|(_, last)| last))
        });
        shown.truncate(limits::MAX_LISTED);
        shown.sort_by_key(|t| t.messages[0]);
        doc.warn(format!(
            "{} threads are listed, the newest of {}",
            limits::MAX_LISTED,
            all.len()
        ));
    }
    let lines: Vec<Value> = shown.iter().map(|t| thread(t, scene)).collect();
    if lines.iter().any(|l| l["first"].is_null()) {
        doc.because("/threads/*/first", "no mail of the thread has a date");
        doc.because("/threads/*/last", "no mail of the thread has a date");
    }
    doc.set("threads", lines);
    doc.set("threads_total", all.len());
    all.len() > limits::MAX_LISTED
}

fn thread(thread: &Thread, scene: &Scene<'_>) -> Value {
    let messages = &scene.corpus.messages;
    let mut people: BTreeSet<PersonId> = BTreeSet::new();
    for message in thread.messages.iter().map(|place| &messages[*place]) {
        let all = message.from.iter().chain(message.recipients());
        people.extend(all.filter_map(|a| scene.book.number(a)));
    }
    let ends = ends(thread, messages);
    json!({
        "id": thread_id(scene.contact_key, &thread.root),
        "size": thread.messages.len(),
        "participants": people.len(),
        "first": ends.map(|(first, _)| first.to_string()),
        "last": ends.map(|(_, last)| last.to_string()),
        "depth": thread.depth,
    })
}

/// First and last instant of a thread.
fn ends(thread: &Thread, messages: &[Message]) -> Option<(Timestamp, Timestamp)> {
    let instants = || {
        thread
            .messages
            .iter()
            .filter_map(|place| messages[*place].sent.map(|s| s.at))
    };
    instants().min().zip(instants().max())
}

/// A thread is named by the keyed hash of its topmost Message-ID, which may hold an address.
fn thread_id(contact_key: &[u8; 32], root: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(contact_key).expect("HMAC takes keys of any size");
    mac.update(b"thread\0");
    mac.update(root.as_bytes());
    format!("t-{}", &hexadecimal(&mac.finalize().into_bytes())[..32])
}

/// What a reader should know before trusting the numbers.
fn warn(scene: &Scene<'_>, doc: &mut Document) {
    let corpus = scene.corpus;
    if scene.input.owner_addresses.is_empty() {
        doc.warn("owner_addresses is empty, so nothing counts as sent by the owner");
    } else if !scene.book.people().iter().any(|p| p.owner) {
        doc.warn("none of owner_addresses occurs in the mails");
    }
    if corpus.failed_total > 0 {
        doc.warn(format!(
            "{} mail(s) could not be read; see corpus.failed",
            corpus.failed_total
        ));
    }
    if corpus.texts_left_out > 0 {
        doc.warn(format!(
            "the texts of {} mail(s) were left out: the corpus is above its cap on text",
            corpus.texts_left_out
        ));
    }
    if scene.forest.cut {
        doc.warn("the references are so tangled that some links between mails were left out");
    }
    doc.warn(
        "new text is found by rules of thumb; evidence.stripped_share says how much was taken away",
    );
}
