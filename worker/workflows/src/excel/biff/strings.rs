//! Texts in records, which may run over into continuing records in the middle of a text.
//!
//! Invariant: lengths that the file states are only believed as far as there is data.

use super::records::Record;

/// The data of a record and its continuations, read in order.
#[derive(Debug)]
pub(super) struct Segments<'s> {
    parts: Vec<&'s [u8]>,
    part: usize,
    at: usize,
}

impl<'s> Segments<'s> {
    pub(super) fn new(record: &Record<'s>) -> Self {
        let mut parts = vec![record.data];
        parts.extend_from_slice(&record.rest);
        Self {
            parts,
            part: 0,
            at: 0,
        }
    }

    /// The same behind its first bytes.
    pub(super) fn skipping(mut self, bytes: usize) -> Self {
        self.at = bytes;
        self
    }

    /// Whether everything was read.
    pub(super) fn is_done(&self) -> bool {
        self.here().is_empty() && self.parts[self.part + 1..].iter().all(|p| p.is_empty())
    }

    fn here(&self) -> &'s [u8] {
        self.parts[self.part].get(self.at..).unwrap_or_default()
    }

    fn advance(&mut self) -> Option<()> {
        if self.part + 1 >= self.parts.len() {
            return None;
        }
        self.part += 1;
        self.at = 0;
        Some(())
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        while self.here().is_empty() {
            self.advance()?;
        }
        let byte = self.here()[0];
        self.at += 1;
        Some(byte)
    }

    pub(super) fn half(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes([self.byte()?, self.byte()?]))
    }

    pub(super) fn word(&mut self) -> Option<u32> {
        Some(u32::from(self.half()?) | u32::from(self.half()?) << 16)
    }

    /// Passes over bytes.
    fn skip(&mut self, mut bytes: usize) -> Option<()> {
        loop {
            let here = self.here().len();
            if bytes <= here {
                self.at += bytes;
                return Some(());
            }
            bytes -= here;
            self.advance()?;
        }
    }

    /// Bytes of one part; for texts that never run over.
    pub(super) fn bytes(&mut self, length: usize) -> Option<&'s [u8]> {
        let found = self.here().get(..length)?;
        self.at += length;
        Some(found)
    }

    /// Characters of a Unicode text whose flags were read: one or two bytes each. Where the text runs over, new flags
    /// stand at the front.
    pub(super) fn characters(&mut self, mut count: usize, mut wide: bool) -> Option<String> {
        let mut units: Vec<u16> = Vec::new();
        while count > 0 {
            if self.here().is_empty() {
                self.advance()?;
                wide = self.byte()? & 1 != 0;
            }
            let here = self.here();
            let size = if wide { 2 } else { 1 };
            let taken = (here.len() / size).min(count);
            if taken == 0 {
                return None;
            }
            let text = &here[..taken * size];
            if wide {
                units.extend(
                    text.chunks_exact(2)
                        .map(|b| u16::from_le_bytes([b[0], b[1]])),
                );
            } else {
                units.extend(text.iter().map(|&b| u16::from(b)));
            }
            self.at += taken * size;
            count -= taken;
        }
        Some(String::from_utf16_lossy(&units))
    }

    /// A text of the shared table, whose formatting and phonetics are passed over. [MS-XLS] 2.5.293.
    pub(super) fn rich(&mut self) -> Option<String> {
        let count = usize::from(self.half()?);
        let flags = self.byte()?;
        let runs = if flags & 8 != 0 { self.half()? } else { 0 };
        let extra = if flags & 4 != 0 { self.word()? } else { 0 };
        let text = self.characters(count, flags & 1 != 0)?;
        self.skip(usize::from(runs) * 4)?;
        self.skip(extra as usize)?;
        Some(text)
    }
}
