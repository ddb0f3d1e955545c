//! Large inputs and results lie in the blob store; the store of the fleet
//! holds a short mark in their place.
//!
//! For backends that keep everything in memory. SQLite needs none of it: it
//! keeps everything in its own file, in one transaction and without orphans.
//!
//! A mark is a text that no JSON document can be: U+0001, the version, the
//! length and the SHA-256 of what it stands for.
//!
//! Invariant: a text is written before the mark that stands for it, under a key
//! made of its own hash, so a mark never stands for other bytes than those it
//! was made for.

mod payloads;

pub use payloads::LargePayloads;

use crate::model::Json;

/// Longer texts go to the blob store: a Redis script copies what it stores.
pub const LARGE: usize = 64 * 1024;
/// Begins every mark; no JSON document begins with it.
const FIRST: char = '\u{1}';

/// What stands for a large text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The text's length in bytes.
    pub bytes: usize,
    /// Its SHA-256 in lower-case hexadecimal: the last part of its key.
    pub sha256: String,
}

impl Mark {
    /// The mark as the store holds it.
    #[must_use]
    pub fn text(&self) -> Json {
        Json::from_text(format!("{FIRST}1|{}|{}", self.bytes, self.sha256))
    }

    /// Reads a mark; `None` for every other text, and for marks of a version
    /// that this program does not know.
    #[must_use]
    pub fn read(text: &Json) -> Option<Self> {
        let rest = text.as_str().strip_prefix(FIRST)?.strip_prefix("1|")?;
        let (bytes, sha256) = rest.split_once('|')?;
        Some(Self {
            bytes: bytes.parse().ok()?,
            sha256: sha256.to_owned(),
        })
    }
}

/// Whether the text stands for another one.
#[must_use]
pub fn is_mark(text: &Json) -> bool {
    text.as_str().starts_with(FIRST)
}

/// The length of a text, or of the one that it stands for.
#[must_use]
pub fn length(text: &Json) -> usize {
    Mark::read(text).map_or(text.len(), |mark| mark.bytes)
}
