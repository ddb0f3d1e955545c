//! One mail as all later steps see it, from whatever form it came: `.eml`, mbox, Maildir or Graph JSON.
//!
//! Invariant: the same mail gives the same record in every form, and a list of records is sorted by instant, then id
//! ([`Message::order`]). Deliberately absent: names, raw bytes, attachments, anything that a result could leak by
//! printing the record: `Debug` shows counts and lengths alone.

use std::cmp::Ordering;
use std::fmt;

use jiff::Timestamp;

use super::contact::Address;

/// When a mail was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Sent {
    /// The instant, to the second, never after `as_of` (later ones are clamped and reported).
    pub(super) at: Timestamp,
    /// Offset of the sender's clock in seconds east of UTC; `None` where the mail does not tell (no zone, `-0000`).
    pub(super) offset: Option<i32>,
}

/// What kind of mail it is (WORKFLOWS 5.3). Only [`Class::Human`] feeds engagement and tone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Class {
    /// Written by a person.
    Human,
    /// An automatic answer: out of office and the like.
    AutoReply,
    /// Mailing lists and bulk mail.
    Bulk,
    /// A delivery report.
    Bounce,
    /// An invitation or an answer to one.
    Calendar,
}

impl Class {
    /// All classes, in the order of results.
    pub(super) const ALL: [Self; 5] = [
        Self::Human,
        Self::AutoReply,
        Self::Bulk,
        Self::Bounce,
        Self::Calendar,
    ];

    /// The name in results.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::AutoReply => "auto_reply",
            Self::Bulk => "bulk",
            Self::Bounce => "bounce",
            Self::Calendar => "calendar",
        }
    }
}

/// How a body is sealed. Sealed bodies are counted, never opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Seal {
    /// `application/pkcs7-mime` (S/MIME).
    Smime,
    /// `multipart/encrypted` or an inline PGP block.
    Pgp,
}

/// What the writer of a mail added: the body without quotes and signature.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct NewText {
    /// The text, lines ended by `\n`, at most the documented cap in bytes.
    pub(super) text: String,
    /// Characters of the whole body, white space left out.
    pub(super) body_chars: u32,
    /// Of those, characters taken away as quotes, headers of quotes or signature.
    pub(super) stripped_chars: u32,
    /// The text was cut at the cap.
    pub(super) truncated: bool,
}

/// One mail.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// Message-ID without angle brackets, or `sha256:` and the hash of date, sender, subject and body.
    pub(super) id: String,
    /// `None` where neither a date nor a trace of transport can be read.
    pub(super) sent: Option<Sent>,
    /// Authors, mostly one.
    pub(super) from: Vec<Address>,
    /// Recipients.
    pub(super) to: Vec<Address>,
    /// Recipients of copies.
    pub(super) cc: Vec<Address>,
    /// Where answers should go.
    pub(super) reply_to: Vec<Address>,
    /// Ids of ancestors, oldest first, without angle brackets.
    pub(super) references: Vec<String>,
    /// Ids that this mail answers.
    pub(super) in_reply_to: Vec<String>,
    /// Subject, decoded, white space collapsed.
    pub(super) subject: String,
    /// What kind of mail it is.
    pub(super) class: Class,
    /// Whether and how the body is sealed; `new_text` is empty then.
    pub(super) seal: Option<Seal>,
    /// What the writer added.
    pub(super) new_text: NewText,
}

impl Message {
    /// The order of every list of messages: by instant (unknown last), then by id. Total among messages of one corpus,
    /// whose ids are unique.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let key = |m: &Self| (m.sent.is_none(), m.sent.map(|s| s.at));
        key(self)
            .cmp(&key(other))
            .then_with(|| self.id.cmp(&other.id))
    }

    /// Everyone it went to: `to`, then `cc`.
    pub(super) fn recipients(&self) -> impl Iterator<Item = &Address> {
        self.to.iter().chain(&self.cc)
    }
}

impl fmt::Debug for NewText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewText")
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("sent", &self.sent)
            .field("class", &self.class)
            .field("new_text", &self.new_text)
            .finish_non_exhaustive()
    }
}
