//! All texts of a workbook, each kept once in one buffer.
//!
//! Invariant: ids are given in order of first sight, so they do not depend on hashes; equal texts have equal ids.
//! Deliberately absent: removal.

use std::hash::{BuildHasher, RandomState};

use crate::Error;

/// Bytes of distinct text in one workbook. WORKFLOWS 8.1.
pub(crate) const MAX_TEXT_BYTES: u64 = 128 << 20;

/// One distinct text of a workbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TextId(u32);

impl TextId {
    /// The place in order of first sight, to index tables by text.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The texts.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    buffer: String,
    /// Where each text ends; it begins where the one before ends.
    ends: Vec<u32>,
    /// Open addressing: id + 1, or 0 for a free slot. A power of two long, at most half full.
    slots: Vec<u32>,
    /// Keyed, for texts are chosen by whoever sends the file.
    hasher: RandomState,
}

impl Texts {
    /// Number of distinct texts.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// All ids, in order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = TextId> + use<> {
        (0..crate::number::small(self.ends.len())).map(TextId)
    }

    /// The text of that id.
    pub(crate) fn get(&self, id: TextId) -> &str {
        let at = id.index();
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.buffer[start as usize..self.ends[at] as usize]
    }

    /// The id of a text, known or new. Fails above [`MAX_TEXT_BYTES`].
    pub(crate) fn intern(&mut self, text: &str) -> Result<TextId, Error> {
        if (self.ends.len() + 1) * 2 > self.slots.len() {
            self.grow();
        }
        let slot = self.slot(text);
        if let Some(id) = self.slots[slot].checked_sub(1) {
            return Ok(TextId(id));
        }
        let length = (self.buffer.len() + text.len()) as u64;
        Error::cap("text_bytes", length, MAX_TEXT_BYTES, "/workbook")?;
        self.buffer.push_str(text);
        let id = crate::number::small(self.ends.len());
        self.ends.push(crate::number::small(self.buffer.len()));
        self.slots[slot] = id + 1;
        Ok(TextId(id))
    }

    /// Where the text is, or the free slot where it belongs.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low bits of a hash are all that is wanted"
    )]
    fn slot(&self, text: &str) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = self.hasher.hash_one(text) as usize & mask;
        while let Some(id) = self.slots[slot].checked_sub(1) {
            if self.get(TextId(id)) == text {
                break;
            }
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        let length = (self.slots.len() * 2).max(64);
        self.slots = vec![0; length];
        for at in 0..self.ends.len() {
            let id = TextId(crate::number::small(at));
            let slot = self.slot(self.get(id));
            self.slots[slot] = id.0 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_an_id_in_order_of_first_sight() {
        let mut texts = Texts::default();
        for round in 0..2 {
            for i in 0..5_000 {
                let id = texts.intern(&format!("text {i}")).unwrap();
                assert_eq!(id.index(), i, "round {round}");
                assert_eq!(texts.get(id), format!("text {i}"));
            }
        }
        assert_eq!(texts.len(), 5_000);
        let empty = texts.intern("").unwrap();
        assert_eq!(texts.get(empty), "");
        assert_eq!(texts.get(TextId(4_999)), "text 4999");
    }
}
