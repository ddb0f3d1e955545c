//! From a found mail to its record: parse, date, classify, strip.
//!
//! The two forms of a mail, bytes and Graph JSON, meet in [`envelope::Envelope`]; everything after it is shared, so
//! that the form cannot matter. Deliberately absent: decryption, attachments, nested messages, anything remote.

pub(super) mod dates;
mod envelope;
mod graph;
mod html;
pub(super) mod ids;
mod mime;
mod quotes;
mod scan;

use jiff::Timestamp;
use mail_parser::MessageParser;

use super::message::Message;
use super::source::{Failure, graph::Item};

/// Something about one mail that a reader of the result should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Note {
    NoDate,
    DateWithoutZone,
    TwoDigitYear,
    FutureDate,
    DateFromReceived,
    DateAfterReceived,
    NoMessageId,
    NoSender,
    BadAddress,
    UndecodedText,
    TruncatedText,
    Smime,
    Pgp,
    DuplicateDiffers,
}

impl Note {
    /// All notes with their names in results and what they mean, in order.
    pub(super) const ALL: [(Self, &'static str, &'static str); 14] = [
        (
            Self::NoDate,
            "no_date",
            "neither Date nor Received can be read",
        ),
        (
            Self::DateWithoutZone,
            "date_without_zone",
            "the date has no time zone and is taken for UTC",
        ),
        (
            Self::TwoDigitYear,
            "two_digit_year",
            "the year has fewer than four digits (RFC 5322 4.3 applied)",
        ),
        (
            Self::FutureDate,
            "future_date",
            "the date is after as_of and is taken for as_of",
        ),
        (
            Self::DateFromReceived,
            "date_from_received",
            "Date is missing or unreadable, so the last Received counts",
        ),
        (
            Self::DateAfterReceived,
            "date_after_received",
            "sent more than a day after it was received: a wrong clock",
        ),
        (
            Self::NoMessageId,
            "no_message_id",
            "the id is a hash of date, sender, subject and body",
        ),
        (Self::NoSender, "no_sender", "no author can be read"),
        (
            Self::BadAddress,
            "unreadable_address",
            "at least one address cannot be read and is left out",
        ),
        (
            Self::UndecodedText,
            "undecoded_text",
            "bytes of the text do not fit its character set",
        ),
        (
            Self::TruncatedText,
            "truncated_text",
            "the text was cut at its limit",
        ),
        (
            Self::Smime,
            "encrypted_smime",
            "sealed by S/MIME; not opened",
        ),
        (Self::Pgp, "encrypted_pgp", "sealed by PGP; not opened"),
        (
            Self::DuplicateDiffers,
            "duplicate_differs",
            "another mail with the same id says something else; the earliest is kept",
        ),
    ];
}

/// A mail that was read.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) message: Message,
    pub(super) notes: Vec<Note>,
    /// Conversation of a Graph mail that came without any header.
    pub(super) conversation: Option<String>,
}

/// Reads mails as of one instant.
pub(super) struct Reader {
    parser: MessageParser,
    as_of: Timestamp,
}

impl Reader {
    pub(super) fn new(as_of: Timestamp) -> Self {
        Self {
            parser: mime::parser(),
            as_of,
        }
    }

    /// A mail as it travels (RFC 5322).
    pub(super) fn raw(&self, bytes: &[u8]) -> Result<Entry, Failure> {
        mime::envelope(&self.parser, bytes)?.finish(self.as_of)
    }

    /// The first plain text of a mail in its normal form, quotes included: for the comparison with another parser.
    #[cfg(test)]
    pub(super) fn plain(&self, bytes: &[u8]) -> Option<String> {
        let text = mime::first_plain(&self.parser, bytes)?;
        Some(quotes::normal(&text).0)
    }

    /// A mail as Graph lists it.
    pub(super) fn graph(&self, item: Item) -> Result<Entry, Failure> {
        graph::envelope(item)?.finish(self.as_of)
    }
}
