//! A mail between its form and its record: where bytes and Graph JSON meet.
//!
//! Fields that only transport writes are read here, by name and value, for both forms alike; then date, class and new
//! text are decided once.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::super::contact::Address;
use super::super::limits;
use super::super::message::{Class, Message, NewText, Seal, Sent};
use super::super::source::Failure;
use super::dates::{self, Written};
use super::{Entry, Note, ids, quotes};
use crate::files::hexadecimal;

/// A clock that is further ahead of the receiving host than this is wrong, not merely slow transport in reverse.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_hours(24);

/// What decides the class of a mail.
#[derive(Debug, Default, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "five independent observations"
)]
pub(super) struct Signals {
    pub(super) automatic: bool,
    pub(super) bulk: bool,
    pub(super) report: bool,
    pub(super) null_return_path: bool,
    pub(super) calendar: bool,
}

impl Signals {
    /// A delivery report is automatic too, and what it reports is what matters: it comes first. An automatic answer
    /// may carry a null return path (RFC 3834 demands it): it comes before that.
    fn class(self) -> Class {
        if self.report {
            Class::Bounce
        } else if self.automatic {
            Class::AutoReply
        } else if self.bulk {
            Class::Bulk
        } else if self.null_return_path {
            Class::Bounce
        } else if self.calendar {
            Class::Calendar
        } else {
            Class::Human
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Envelope {
    pub(super) id: Option<String>,
    pub(super) from: Vec<Address>,
    pub(super) to: Vec<Address>,
    pub(super) cc: Vec<Address>,
    pub(super) reply_to: Vec<Address>,
    pub(super) references: Vec<String>,
    pub(super) in_reply_to: Vec<String>,
    pub(super) subject: String,
    pub(super) date: Option<Written>,
    /// By the last host, which wrote its field on top.
    pub(super) received: Option<Timestamp>,
    pub(super) signals: Signals,
    pub(super) seal: Option<Seal>,
    pub(super) body: String,
    pub(super) conversation: Option<String>,
    pub(super) notes: Vec<Note>,
}

impl Envelope {
    /// One field of the header, unfolded or not. The first of several of a name counts.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "message-id" if self.id.is_none() => self.id = ids::one(value),
            "references" if self.references.is_empty() => self.references = ids::all(value),
            "in-reply-to" if self.in_reply_to.is_empty() => self.in_reply_to = ids::all(value),
            "date" if self.date.is_none() => self.date = dates::read(value),
            "received" if self.received.is_none() => self.received = dates::received(value),
            "auto-submitted" | "x-autoreply" | "x-autorespond" => {
                self.signals.automatic |= !first_word(value).eq_ignore_ascii_case("no");
            }
            "list-id" => self.signals.bulk = true,
            "precedence" => {
                let word = first_word(value).to_ascii_lowercase();
                self.signals.bulk |= matches!(word.as_str(), "bulk" | "list");
                self.signals.automatic |= word == "auto_reply";
            }
            "return-path" => self.signals.null_return_path |= value == "<>",
            "content-class" => {
                self.signals.calendar |= value
                    .to_ascii_lowercase()
                    .contains("content-classes:calendarmessage");
            }
            "content-type" => self.content_type(value),
            _ => {}
        }
    }

    /// What the type of the whole mail, or of one of its parts, says about it.
    pub(super) fn content_type(&mut self, value: &str) {
        match first_word(value).to_ascii_lowercase().as_str() {
            "multipart/report" => self.signals.report = true,
            "text/calendar" => self.signals.calendar = true,
            "multipart/encrypted" => self.seal = Some(Seal::Pgp),
            "application/pkcs7-mime" | "application/x-pkcs7-mime" => self.seal = Some(Seal::Smime),
            _ => {}
        }
    }

    /// Decides date, class, id and new text.
    pub(super) fn finish(mut self, as_of: Timestamp) -> Result<Entry, Failure> {
        let references = (self.references.len() + self.in_reply_to.len()) as u64;
        Failure::cap("references", references, limits::MAX_REFERENCES)?;
        let sent = self.sent(as_of);
        if self.body.contains("-----BEGIN PGP MESSAGE-----") {
            self.seal = self.seal.or(Some(Seal::Pgp));
        }
        if self.body.contains('\u{fffd}') {
            self.notes.push(Note::UndecodedText);
        }
        let (body, cut) = quotes::normal(&self.body);
        let id = match self.id.take() {
            Some(id) => id,
            None => self.fingerprint(sent, &body),
        };
        let new_text = if self.seal.is_some() {
            NewText::default()
        } else {
            quotes::new_text(&body, cut)
        };
        if new_text.truncated {
            self.notes.push(Note::TruncatedText);
        }
        match self.seal {
            Some(Seal::Smime) => self.notes.push(Note::Smime),
            Some(Seal::Pgp) => self.notes.push(Note::Pgp),
            None => {}
        }
        if self.from.is_empty() {
            self.notes.push(Note::NoSender);
        }
        self.notes.sort_unstable();
        self.notes.dedup();
        Ok(Entry {
            message: Message {
                id,
                sent,
                from: self.from,
                to: self.to,
                cc: self.cc,
                reply_to: self.reply_to,
                references: self.references,
                in_reply_to: self.in_reply_to,
                subject: self.subject,
                class: self.signals.class(),
                seal: self.seal,
                new_text,
            },
            notes: self.notes,
            conversation: self.conversation,
        })
    }

    fn sent(&mut self, as_of: Timestamp) -> Option<Sent> {
        let notes = &mut self.notes;
        let (mut at, offset) = match (self.date, self.received) {
            (Some(date), received) => {
                if date.zoneless {
                    notes.push(Note::DateWithoutZone);
                }
                if date.short_year {
                    notes.push(Note::TwoDigitYear);
                }
                if received.is_some_and(|r| date.at.duration_since(r) > CLOCK_SLACK) {
                    notes.push(Note::DateAfterReceived);
                }
                (date.at, date.offset)
            }
            (None, Some(received)) => {
                notes.push(Note::DateFromReceived);
                (received, None)
            }
            (None, None) => {
                notes.push(Note::NoDate);
                return None;
            }
        };
        if at > as_of {
            notes.push(Note::FutureDate);
            at = as_of;
        }
        Some(Sent { at, offset })
    }

    /// The id of a mail without one: SHA-256 of date, sender, subject and body.
    fn fingerprint(&mut self, sent: Option<Sent>, body: &str) -> String {
        self.notes.push(Note::NoMessageId);
        let mut hash = Sha256::new();
        // The date as written: one clamped to as_of would change from run to run.
        let written = self.date.map(|d| d.at).or(sent.map(|s| s.at));
        hash.update(written.map_or(i64::MIN, Timestamp::as_second).to_be_bytes());
        for text in self
            .from
            .iter()
            .map(Address::as_str)
            .chain([self.subject.as_str(), body])
        {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        format!("sha256:{}", hexadecimal(&hash.finalize()))
    }
}

/// Text up to white space, a semicolon or a comment.
fn first_word(value: &str) -> &str {
    value
        .split([' ', '\t', '\r', '\n', ';', '('])
        .next()
        .unwrap_or_default()
}

/// White space collapsed to single spaces.
pub(super) fn collapsed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}
