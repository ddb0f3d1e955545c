//! Decides what the bytes are, and whether they are safe to open. First of all steps.
//!
//! The order is that of WORKFLOWS 8.1: size, magic bytes, encryption; then [`super::container`] looks into zip files.
//! Invariant: the format follows from the bytes alone; a name or a field of the input can only contradict it.

use std::io::Read;

use super::limits;
use super::table::Format;
use crate::files::Source;
use crate::{Error, Problem};

/// Where the bytes stand in the input.
pub(crate) const AT: &str = "/workbook";

/// An `invalid_input` about the workbook itself.
pub(crate) fn refused(detail: impl Into<String>) -> Error {
    Error::InvalidInput(vec![Problem::new(AT, detail)])
}

/// All bytes of a source, up to the cap on files.
pub(crate) fn bytes_of(source: Box<dyn Source>) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    source
        .take(limits::FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::Internal(format!("cannot read the workbook: {:?}", e.kind())))?;
    Error::cap("file_bytes", bytes.len() as u64, limits::FILE_BYTES, AT)?;
    if bytes.is_empty() {
        return Err(refused("the file is empty"));
    }
    Ok(bytes)
}

/// What the bytes look like from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A zip container: xlsx, xlsb or ods.
    Zip,
    /// An OLE compound file: xls, or an encrypted workbook.
    Compound,
    /// Something that may be text.
    Text,
}

/// Formats that are easily taken for a workbook, by their first bytes.
const OTHERS: &[(&[u8], &str)] = &[
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"{\\rtf", "an RTF document"),
    (
        b"\x09\x00\x04\x00",
        "a workbook of Excel 2, which is not read",
    ),
    (
        b"\x09\x02\x06\x00",
        "a workbook of Excel 3, which is not read",
    ),
    (
        b"\x09\x04\x06\x00",
        "a workbook of Excel 4, which is not read",
    ),
    (b"ID;P", "a SYLK file, which is not read"),
    (b"PK\x05\x06", "an empty zip archive"),
];

/// Tells the shape by the magic bytes.
pub(crate) fn shape_of(bytes: &[u8]) -> Result<Shape, Error> {
    if bytes.starts_with(b"PK\x03\x04") {
        return Ok(Shape::Zip);
    }
    if bytes.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return Ok(Shape::Compound);
    }
    match OTHERS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        Some((_, what)) => Err(refused(format!(
            "the bytes are {what}; expected xlsx, xls, xlsb, ods or csv"
        ))),
        None => Ok(Shape::Text),
    }
}

/// Refuses text that is no table: markup, and binary data.
pub(crate) fn check_text(bytes: &[u8], asked_for: bool) -> Result<(), Error> {
    let wide = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first = body.iter().find(|b| !b.is_ascii_whitespace());
    match first {
        None => return Err(refused("the file holds nothing but white space")),
        Some(b'<') if !asked_for => {
            return Err(refused(
                "the bytes begin with \"<\": this is markup (HTML or XML), not a workbook; save it as xlsx, or set \"format\" to \"csv\" if it is one",
            ));
        }
        Some(_) => {}
    }
    let control =
        |b: &u8| *b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0c | 0x1a | 0x1f | 0x1e);
    if !wide && let Some(at) = bytes.iter().position(control) {
        // UTF-16 without a mark has a NUL in every other byte of its first line.
        let without_mark = at < 2 && bytes.len() > 3 && bytes[at] == 0 && bytes[at + 2] == 0;
        if !without_mark {
            return Err(refused(format!(
                "the bytes are neither a workbook nor text: a control character stands at byte {at}"
            )));
        }
    }
    Ok(())
}

/// Refuses a workbook whose input says that it is something else.
pub(crate) fn agree(asked: Option<Format>, found: Format) -> Result<Format, Error> {
    match asked {
        Some(asked) if asked != found => Err(Error::InvalidInput(vec![Problem::new(
            "/format",
            format!(
                "says {}, but the bytes are {}; leave it out, or set it to \"auto\"",
                asked.as_str(),
                found.as_str()
            ),
        )])),
        _ => Ok(found),
    }
}

/// Runs a parser of foreign code. Its panic is the file's fault: the sentence says which part was being read.
///
/// Aborts (memory, stack) are not caught; those of known files are prevented before, and the rest is why the type
/// runs in a child process.
pub(crate) fn contained<T>(
    part: &str,
    parse: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(parse))
        .unwrap_or_else(|_| Err(refused(format!("{part} is damaged: its reader gave up"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_markup_and_binary() {
        assert!(check_text(b"a,b\n1,2\n", false).is_ok());
        assert!(check_text(b"\xff\xfea\0,\0b\0", false).is_ok());
        assert!(check_text(b"a\0,\0b\0\n\0", false).is_ok());
        assert!(check_text(b"  <html>", false).is_err());
        assert!(check_text(b"\xef\xbb\xbf<?xml", false).is_err());
        assert!(check_text(b"<tag>,b\n", true).is_ok());
        assert!(check_text(b" \n\t", true).is_err());
        assert!(check_text(b"abc\0\x01\x02", true).is_err());
        assert!(shape_of(b"%PDF-1.7").is_err());
        assert!(agree(Some(Format::Xls), Format::Xlsx).is_err());
    }
}
