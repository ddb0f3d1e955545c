//! A part as records: a type of one or two bytes, a length of one to four, data.
//!
//! Invariant: a buffer grows with what was read, never with what a length claims.

use std::io::{BufReader, Read};

use super::super::biff::word;
use super::super::guard::{AT, refused};
use super::super::limits;
use crate::Error;

/// All records of a part.
pub(super) struct Records<R: Read> {
    part: BufReader<R>,
    data: Vec<u8>,
    /// The part, as errors name it.
    what: String,
}

impl<R: Read> Records<R> {
    pub(super) fn new(part: R, what: String) -> Self {
        Self {
            part: BufReader::with_capacity(64 << 10, part),
            data: Vec::new(),
            what,
        }
    }

    /// The data of the record that was read last.
    pub(super) fn data(&self) -> &[u8] {
        &self.data
    }

    /// Reads a record and answers its type; `None` at the end of the part.
    pub(super) fn next(&mut self) -> Result<Option<u32>, Error> {
        let Some(first) = self.byte()? else {
            return Ok(None);
        };
        // [MS-XLSB] 2.1.4: seven bits a byte, the eighth tells that another follows.
        let mut kind = u32::from(first & 0x7F);
        if first & 0x80 != 0 {
            let second = self.byte()?.ok_or_else(|| self.truncated())?;
            kind |= u32::from(second & 0x7F) << 7;
        }
        let mut length = 0_u64;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?.ok_or_else(|| self.truncated())?;
            length |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        Error::cap("cell_markup_bytes", length, limits::CELL_MARKUP, AT)?;
        self.data.clear();
        let read = (&mut self.part)
            .take(length)
            .read_to_end(&mut self.data)
            .map_err(|_| self.truncated())?;
        if read as u64 == length {
            Ok(Some(kind))
        } else {
            Err(self.truncated())
        }
    }

    fn byte(&mut self) -> Result<Option<u8>, Error> {
        let mut byte = [0];
        match self.part.read(&mut byte) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(byte[0])),
            Err(_) => Err(self.truncated()),
        }
    }

    fn truncated(&self) -> Error {
        refused(format!("{} is damaged or truncated", self.what))
    }

    /// A record that is not as its type says.
    pub(super) fn damaged(&self, kind: u32) -> Error {
        refused(format!(
            "{} is damaged: a record of type {kind:#06x} is cut off or wrong",
            self.what
        ))
    }

    /// A part that ends too soon.
    pub(super) fn endless(&self) -> Error {
        refused(format!("{} has no end: the file is truncated", self.what))
    }
}

/// A text with its length in units of UTF-16 before it, and where it ends. The length `0xFFFF_FFFF` is no text.
pub(super) fn wide(data: &[u8], at: usize) -> Option<(String, usize)> {
    let length = word(data, at)?;
    let start = at + 4;
    if length == u32::MAX {
        return Some((String::new(), start));
    }
    let end = start.checked_add(usize::try_from(length).ok()?.checked_mul(2)?)?;
    let units = data
        .get(start..end)?
        .chunks_exact(2)
        .map(|b| u16::from_le_bytes([b[0], b[1]]));
    let text = char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    Some((text, end))
}
