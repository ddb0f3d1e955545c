//! All mails of a source: each read, the failures listed, duplicates dropped, the rest in order.
//!
//! Invariant: which of several mails with one id stays does not depend on the order in which they were found, so a
//! permuted source gives the same corpus: an archive or a listing of a mailbox has no order that means anything. The
//! first mail (WORKFLOWS 5.3) is therefore the one with the earliest date, not the one that was found first; only mails
//! that say something else under the same id differ by this, and each is an anomaly `duplicate_differs`. Deliberately absent: raw bytes; they are gone when a mail has been read.

use std::collections::BTreeMap;
use std::collections::hash_map::{Entry as Slot, HashMap};

use jiff::Timestamp;

use super::input::Input;
use super::limits;
use super::message::Message;
use super::read::{Entry, Note, Reader};
use super::source::{self, Failure, Found, Place};
use crate::{Error, Problem, Run};

/// Mails between two reports of progress.
const REPORT_EVERY: u64 = 256;

/// What was found and read.
#[derive(Debug, Default)]
pub(super) struct Corpus {
    /// Every mail once, in order.
    pub(super) messages: Vec<Message>,
    /// Mails that were found, drafts left out.
    pub(super) files: u64,
    /// Mails that were read, duplicates included.
    pub(super) parsed: u64,
    /// The first failures.
    pub(super) failed: Vec<(Place, Failure)>,
    /// All failures.
    pub(super) failed_total: u64,
    /// Mails whose id came before.
    pub(super) duplicates: u64,
    pub(super) drafts: u64,
    pub(super) suspicious: Vec<Place>,
    pub(super) suspicious_total: u64,
    pub(super) escaping: u64,
    /// Texts left out because the corpus' cap was reached.
    pub(super) texts_left_out: u64,
    /// Mails threaded by their order in a conversation, for want of references.
    pub(super) by_conversation: u64,
    /// How many mails have which note.
    pub(super) notes: BTreeMap<Note, u64>,
}

struct Intake {
    reader: Reader,
    corpus: Corpus,
    entries: Vec<Entry>,
    places: HashMap<String, usize>,
    text_bytes: usize,
}

/// Reads the source of an input.
pub(super) fn gather(input: &Input, as_of: Timestamp, run: &Run<'_>) -> Result<Corpus, Error> {
    let mut intake = Intake {
        reader: Reader::new(as_of),
        corpus: Corpus::default(),
        entries: Vec::new(),
        places: HashMap::new(),
        text_bytes: 0,
    };
    source::read(input, run, &mut |place, found| {
        intake.take(place, found)?;
        if place.index % REPORT_EVERY == 0 {
            // The total is not known before the end of a stream: the fraction nears one half.
            let n = place.index as f64;
            run.step(0.5 * n / (n + 10_000.0), "reading mails")?;
        }
        Ok(())
    })?;
    intake.finish()
}

impl Intake {
    fn take(&mut self, place: Place, found: Found<'_>) -> Result<(), Error> {
        let corpus = &mut self.corpus;
        let entry = match found {
            Found::Raw(bytes) => self.reader.raw(bytes),
            Found::Graph(item) => self.reader.graph(*item),
            Found::Failed(failure) => Err(failure),
            Found::Draft => {
                corpus.drafts += 1;
                return Ok(());
            }
            Found::Escaping => {
                corpus.escaping += 1;
                return Ok(());
            }
            Found::Suspicious => {
                corpus.suspicious_total += 1;
                if corpus.suspicious.len() < limits::MAX_FAILED_LISTED {
                    corpus.suspicious.push(place);
                }
                return Ok(());
            }
        };
        corpus.files += 1;
        Error::cap(
            "max_messages",
            corpus.files,
            limits::MAX_MESSAGES,
            "/source/data",
        )?;
        match entry {
            Ok(entry) => {
                corpus.parsed += 1;
                self.keep(entry);
            }
            Err(failure) => {
                corpus.failed_total += 1;
                if corpus.failed.len() < limits::MAX_FAILED_LISTED {
                    corpus.failed.push((place, failure));
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, mut entry: Entry) {
        match self.places.entry(entry.message.id.clone()) {
            Slot::Vacant(slot) => {
                self.text_bytes += entry.message.new_text.text.len();
                if self.text_bytes > limits::MAX_CORPUS_TEXT_BYTES {
                    entry.message.new_text.text = String::new();
                    entry.message.new_text.truncated = true;
                    self.corpus.texts_left_out += 1;
                }
                slot.insert(self.entries.len());
                self.entries.push(entry);
            }
            Slot::Occupied(slot) => {
                self.corpus.duplicates += 1;
                let kept = &mut self.entries[*slot.get()];
                if kept.message == entry.message {
                    return;
                }
                if precedence(&entry.message) < precedence(&kept.message) {
                    *kept = entry;
                }
                if !kept.notes.contains(&Note::DuplicateDiffers) {
                    kept.notes.push(Note::DuplicateDiffers);
                }
            }
        }
    }

    fn finish(self) -> Result<Corpus, Error> {
        let mut corpus = self.corpus;
        if corpus.parsed == 0 {
            return Err(nothing_read(&corpus));
        }
        let mut entries = self.entries;
        entries.sort_by(|a, b| a.message.order(&b.message));
        corpus.by_conversation = chain_conversations(&mut entries);
        for entry in entries {
            for note in entry.notes {
                *corpus.notes.entry(note).or_default() += 1;
            }
            corpus.messages.push(entry.message);
        }
        Ok(corpus)
    }
}

/// The order in which one of several mails with the same id is kept: the earliest, then by what it says.
fn precedence(m: &Message) -> impl Ord + '_ {
    (
        (m.sent.is_none(), m.sent),
        (&m.from, &m.to, &m.cc, &m.reply_to),
        (&m.references, &m.in_reply_to, &m.subject, m.class),
        (
            &m.new_text.text,
            m.new_text.body_chars,
            m.new_text.stripped_chars,
        ),
    )
}

/// Graph mails that came without a header know only their conversation: each is taken for an answer to the one before.
fn chain_conversations(entries: &mut [Entry]) -> u64 {
    let mut last: HashMap<String, String> = HashMap::new();
    let mut chained = 0;
    for entry in entries {
        let Some(conversation) = entry.conversation.take() else {
            continue;
        };
        let id = entry.message.id.clone();
        if let Some(before) = last.insert(conversation, id) {
            entry.message.in_reply_to.push(before);
            chained += 1;
        }
    }
    chained
}

/// The error of a source in which not one mail can be read: a limit's where limits alone were to blame.
fn nothing_read(corpus: &Corpus) -> Error {
    const POINTER: &str = "/source/data";
    let limit = corpus
        .failed
        .first()
        .and_then(|(_, f)| f.limit.map(|l| (f.code, l)));
    let all_limits = corpus.failed.iter().all(|(_, f)| f.limit.is_some());
    match (limit, corpus.failed.first()) {
        (Some((code, (value, cap))), _) if all_limits => Error::LimitExceeded {
            limit: format!("max_{code}"),
            value,
            cap,
            pointer: POINTER.into(),
        },
        (_, Some((place, failure))) => {
            let at = match place.offset {
                Some(offset) => format!("mail {} at byte {offset}", place.index),
                None => format!("mail {}", place.index),
            };
            Error::InvalidInput(vec![Problem::new(
                POINTER,
                format!(
                    "none of {} mail(s) can be read; {at}: {}: {}",
                    corpus.files, failure.code, failure.detail
                ),
            )])
        }
        (_, None) => Error::InvalidInput(vec![Problem::new(
            POINTER,
            format!("has no mails ({} draft(s) left out)", corpus.drafts),
        )]),
    }
}
