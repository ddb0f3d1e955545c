//! E-mail analysis: who writes to whom, how fast, in what tone, from the mails of one owner.
//!
//! The way of a run: `input` -> `source` (bytes to single mails) -> `read` (a mail to its record, [`message`]) ->
//! `corpus` (duplicates dropped, failures listed) -> [`contact`] (who is who) -> `thread` -> `judge` (`tone`, `traffic`,
//! `engagement`, `updates`) -> `output`.
//! Invariant: the same mails give the same result in every form and every order. Deliberately absent: decryption,
//! anything remote, names and bodies in results; people are keyed hashes.

mod anomaly;
mod contact;
mod corpus;
mod engagement;
mod input;
mod interactions;
mod judge;
mod limits;
mod message;
mod output;
mod read;
mod sample;
mod source;
mod summary;
mod thread;
mod tone;
mod traffic;
mod updates;

#[cfg(test)]
mod tests;

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

use crate::document::Document;
use crate::{Demand, Error, Run, schema};

pub(crate) use sample::example;

/// JSON Schema of the input.
pub(crate) fn input_schema() -> Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(schema::of::<input::Input>).clone()
}

/// What absent optional fields are taken to be.
pub(crate) fn defaults() -> Value {
    json!({"owner_addresses": [], "aliases": {}, "sponsor_domains": {}, "known_message_ids": [],
        "params": input::Params::default()})
}

/// Bytes of mails over those of the archive that packs them.
const ARCHIVE_RATIO: u64 = 4;
/// Bytes for each address, domain and Message-ID that the input says is known: its JSON, its Rust form, its place in a
/// table.
const KNOWN_BYTES: u64 = 300;
/// Nanoseconds to read and file one of them.
const KNOWN_NANOS: u64 = 1_000;

/// What an input is likely to need, by the bytes of its mails and by what it says is known; mails that stand in the
/// input are there in Base64.
pub(crate) fn demand(input: &Value, file_bytes: u64) -> Demand {
    let source = &input["source"];
    let inline = source["data"]["content_base64"].as_str();
    let inline = inline.map_or(0, str::len) as u64;
    let stored = file_bytes + inline / 4 * 3;
    let packed = source["kind"] == "maildir_zip";
    let bytes = stored.saturating_mul(if packed { ARCHIVE_RATIO } else { 1 });
    let bytes = bytes.min(limits::MAX_INFLATED_BYTES);
    let known = known(input);
    Demand {
        memory_bytes: (1 << 20) + 2 * inline + 2 * bytes + KNOWN_BYTES * known,
        cores: 1,
        duration: Duration::from_millis(20)
            + Duration::from_nanos(100 * bytes + KNOWN_NANOS * known),
    }
}

/// Addresses, domains and Message-IDs that the input lists.
fn known(input: &Value) -> u64 {
    let list = |value: &Value| value.as_array().map_or(0, Vec::len);
    let map = |name: &str| input[name].as_object().into_iter().flatten();
    let ids = list(&input["known_message_ids"]) + list(&input["owner_addresses"]);
    let aliases: usize = map("aliases").map(|(_, others)| 1 + list(others)).sum();
    (ids + aliases + map("sponsor_domains").count()) as u64
}

/// Everything that later steps look at.
pub(super) struct Scene<'a> {
    input: &'a input::Input,
    corpus: &'a corpus::Corpus,
    book: &'a contact::Book,
    forest: &'a thread::Forest,
    contact_key: &'a [u8; 32],
}

/// Analyses the mails of one owner.
pub(crate) fn run(input: &Value, run: &Run<'_>) -> Result<Value, Error> {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    let input: input::Input = schema::read(SCHEMA.get_or_init(input_schema), input)?;
    let as_of = input.validate()?;
    let corpus = corpus::gather(&input, as_of, run)?;
    run.step(0.5, "joining threads")?;
    let identities = contact::Identities::new(&input.owner_addresses, &input.aliases);
    let book = contact::Book::new(&corpus.messages, &identities, run.contact_key);
    let forest = thread::forest(&corpus.messages, input.params.subject_merge);
    let scene = Scene {
        input: &input,
        corpus: &corpus,
        book: &book,
        forest: &forest,
        contact_key: run.contact_key,
    };
    let mut doc = Document::default();
    let cut = judge::fill(&scene, as_of, run, &mut doc)?;
    output::fill(&scene, cut, &mut doc);
    Ok(doc.finish())
}

/// A finished output in words.
pub(crate) fn summary(output: &Value) -> String {
    summary::text(output)
}
