//! The limits of an e-mail analysis, listed in every output. None depends on the input.
//!
//! A message beyond a limit is listed in `corpus.failed` and the others go on; a source beyond one is refused.

use serde_json::{Value, json};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Bytes of one message: what large hosts refuse to carry.
pub(super) const MAX_MESSAGE_BYTES: u64 = 50 * MIB;
/// Bytes of one mbox, read as a stream.
pub(super) const MAX_MBOX_BYTES: u64 = 2_048 * MIB;
/// Bytes of one Maildir archive: its directory is read from the end, so it is not streamed.
pub(super) const MAX_ARCHIVE_BYTES: u64 = 1_024 * MIB;
/// Bytes of all messages of an archive, counted while inflating: declared sizes lie.
pub(super) const MAX_INFLATED_BYTES: u64 = 2_048 * MIB;
/// Entries of an archive: a directory entry costs a few hundred bytes of memory.
pub(super) const MAX_ARCHIVE_ENTRIES: u64 = 250_000;
/// Inflated over deflated bytes of one entry above [`RATIO_GRACE_BYTES`]; text seldom passes 20.
pub(super) const MAX_ENTRY_RATIO: u64 = 100;
/// Entries up to this size may have any ratio.
pub(super) const RATIO_GRACE_BYTES: u64 = 100 * KIB;
/// Bytes of a Graph document, which is held in memory whole.
pub(super) const MAX_GRAPH_BYTES: u64 = 256 * MIB;
/// Messages of one corpus: about 300 bytes each are kept beside their text.
pub(super) const MAX_MESSAGES: u64 = 500_000;
/// Bytes of the header of one message.
pub(super) const MAX_HEADER_BYTES: u64 = 256 * KIB;
/// Nested multiparts and messages.
pub(super) const MAX_MIME_DEPTH: u64 = 50;
/// MIME parts of one message.
pub(super) const MAX_MIME_PARTS: u64 = 2_000;
/// Declared multiparts times bytes, and bytes of their boundaries times pairs of dashes: each may be searched to its end
/// and compared at every pair, at about a nanosecond a byte.
pub(super) const MAX_MIME_WORK: u64 = 4_000_000_000;
/// Addresses of one message.
pub(super) const MAX_ADDRESSES: u64 = 2_000;
/// Ids in References and In-Reply-To of one message.
pub(super) const MAX_REFERENCES: u64 = 500;
/// Bytes of a body in which quotes are looked for; soft, the rest is cut.
pub(super) const MAX_BODY_BYTES: usize = 1 << 20;
/// Bytes of HTML turned into text; soft, the rest is cut.
pub(super) const MAX_HTML_BYTES: usize = 4 << 20;
/// Bytes of new text that are scored; soft, the rest is cut.
pub(super) const MAX_TEXT_BYTES: usize = 200 << 10;
/// Bytes of new text of all messages together; soft, later texts are left out.
pub(super) const MAX_CORPUS_TEXT_BYTES: usize = 256 << 20;
/// Steps that looks for cycles among references take; soft, later links that would need one are left out. An honest
/// corpus needs a few for each mail.
pub(super) const MAX_CYCLE_STEPS: u64 = 50_000_000;
/// Failed messages that are listed; all are counted.
pub(super) const MAX_FAILED_LISTED: usize = 1_000;
/// Contacts that are listed; soft, the newest stay. About 1.5 KB each, so that the result stays under its cap.
pub(super) const MAX_CONTACTS: usize = 20_000;
/// Mails with sponsors that are listed as interactions; soft, the newest stay. About 250 bytes each.
pub(super) const MAX_INTERACTIONS: usize = 50_000;
/// Message-IDs that all updates together list as new; soft, the newest stay. About 80 bytes each.
pub(super) const MAX_EVENT_IDS: usize = 100_000;
/// Threads that are listed; soft, the newest stay.
pub(super) const MAX_LISTED: usize = 50_000;
/// Addresses of the owner and of aliases.
pub(super) const MAX_KNOWN_ADDRESSES: u64 = 100_000;
/// Message-IDs that are known already.
pub(super) const MAX_KNOWN_IDS: u64 = 1_000_000;

pub(super) fn listed() -> Value {
    json!({
        "max_message_bytes": MAX_MESSAGE_BYTES,
        "max_mbox_bytes": MAX_MBOX_BYTES,
        "max_archive_bytes": MAX_ARCHIVE_BYTES,
        "max_inflated_bytes": MAX_INFLATED_BYTES,
        "max_archive_entries": MAX_ARCHIVE_ENTRIES,
        "max_entry_ratio": MAX_ENTRY_RATIO,
        "max_graph_bytes": MAX_GRAPH_BYTES,
        "max_messages": MAX_MESSAGES,
        "max_header_bytes": MAX_HEADER_BYTES,
        "max_mime_depth": MAX_MIME_DEPTH,
        "max_mime_parts": MAX_MIME_PARTS,
        "max_mime_work": MAX_MIME_WORK,
        "max_addresses": MAX_ADDRESSES,
        "max_references": MAX_REFERENCES,
        "max_body_bytes": MAX_BODY_BYTES,
        "max_html_bytes": MAX_HTML_BYTES,
        "max_text_bytes": MAX_TEXT_BYTES,
        "max_corpus_text_bytes": MAX_CORPUS_TEXT_BYTES,
        "max_cycle_steps": MAX_CYCLE_STEPS,
        "max_failed_listed": MAX_FAILED_LISTED,
        "max_contacts": MAX_CONTACTS,
        "max_interactions": MAX_INTERACTIONS,
        "max_event_ids": MAX_EVENT_IDS,
        "max_listed": MAX_LISTED,
        "max_known_addresses": MAX_KNOWN_ADDRESSES,
        "max_known_ids": MAX_KNOWN_IDS,
    })
}
