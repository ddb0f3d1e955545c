//! A look at the MIME structure before the parser sees it, which has no limits of its own.
//!
//! Counts are upper bounds: the parser finds delimiters anywhere, so every occurrence of a declared boundary counts,
//! even in text. Nested messages are renamed to an unknown type of the same length: they are never read, and a parser
//! that descended into them would nest its values as deep as the sender likes. Invariant: one pass over the bytes for
//! the fields, one for the delimiters; no recursion.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};

use super::super::limits;
use super::super::source::Failure;

/// `message/rfc822` and `message/global` become this, padded: an attachment. The `digest` of `multipart/digest`, whose
/// parts are messages by default, becomes a word without meaning: its parts are text then.
const SEALED: [u8; 13] = *b"application/x";
/// Boundaries up to this number are compared one by one; more are compiled into one automaton.
const FEW: usize = 4;

struct Declared<'a> {
    boundaries: BTreeSet<&'a [u8]>,
    multiparts: u64,
    nested: Vec<std::ops::Range<usize>>,
}

/// Refuses structures beyond the limits; else the bytes, with nested messages hidden.
pub(super) fn scan(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Failure> {
    let header = header_length(bytes) as u64;
    Failure::cap("header_bytes", header, limits::MAX_HEADER_BYTES)?;
    let declared = declared(bytes)?;
    Failure::cap(
        "mime_work",
        declared.multiparts.saturating_mul(bytes.len() as u64),
        limits::MAX_MIME_WORK,
    )?;
    if !declared.boundaries.is_empty() {
        structure(bytes, &declared)?;
    }
    if declared.nested.is_empty() {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut hidden = bytes.to_vec();
    for range in declared.nested {
        let place = &mut hidden[range];
        place.fill(b'x');
        if let Some(kind) = place.first_chunk_mut::<{ SEALED.len() }>() {
            kind.copy_from_slice(&SEALED);
        }
    }
    Ok(Cow::Owned(hidden))
}

/// Bytes before the first empty line.
fn header_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        if matches!(line, b"\n" | b"\r\n") {
            break;
        }
        at += line.len();
    }
    at
}

/// Every Content-Type field, wherever it stands: a body line that looks like one counts too.
fn declared(bytes: &[u8]) -> Result<Declared<'_>, Failure> {
    static FIELD: OnceLock<Regex> = OnceLock::new();
    static BOUNDARY: OnceLock<Regex> = OnceLock::new();
    static NESTED: OnceLock<Regex> = OnceLock::new();
    let field = FIELD.get_or_init(|| compiled(r"(?m)^[ \t]*content[ \t]*-[ \t]*type[ \t]*:"));
    let boundary = BOUNDARY.get_or_init(|| {
        compiled(r#"boundary[^=;\r\n]{0,8}=[ \t\r\n]*(?:"((?:[^"\\\r\n]|\\.)*)"?|([^;\s"]+))"#)
    });
    let nested = NESTED
        .get_or_init(|| compiled(r"(message\s*/\s*(?:rfc822|global))|multipart\s*/\s*(digest)"));
    let mut found = Declared {
        boundaries: BTreeSet::new(),
        multiparts: 0,
        nested: Vec::new(),
    };
    for at in field.find_iter(bytes) {
        let value = at.end()..at.end() + logical_line(&bytes[at.end()..]);
        let line = &bytes[value.clone()];
        for name in boundary.captures_iter(line) {
            found.multiparts += 1;
            let text = name
                .get(1)
                .or_else(|| name.get(2))
                .map_or(&b""[..], |m| m.as_bytes());
            if !text.is_empty() {
                found.boundaries.insert(text);
            }
        }
        if let Some(kind) = nested
            .captures(line)
            .and_then(|c| c.get(1).or_else(|| c.get(2)))
        {
            found
                .nested
                .push(value.start + kind.start()..value.start + kind.end());
        }
        Failure::cap("mime_parts", found.multiparts, limits::MAX_MIME_PARTS)?;
    }
    Ok(found)
}

fn compiled(pattern: &str) -> Regex {
    RegexBuilder::new(pattern)
        .case_insensitive(true)
        .unicode(false)
        .build()
        .expect("the pattern is a constant and tested")
}

/// Bytes up to the end of a field: lines that begin with white space go on.
fn logical_line(bytes: &[u8]) -> usize {
    let mut at = 0;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        if at > 0 && !matches!(line.first(), Some(b' ' | b'\t')) {
            break;
        }
        at += line.len();
        if at as u64 > limits::MAX_HEADER_BYTES {
            break;
        }
    }
    at
}

/// Counts delimiters, and follows how deep they nest.
fn structure(bytes: &[u8], declared: &Declared<'_>) -> Result<(), Failure> {
    let boundaries: Vec<&[u8]> = declared.boundaries.iter().copied().collect();
    let many = (boundaries.len() > FEW)
        .then(|| alternation(&boundaries))
        .transpose()?;
    let mut parts = 1_u64;
    let mut open: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(dashes) = find_dashes(bytes, at) {
        at = dashes + 1;
        let rest = &bytes[dashes + 2..];
        let found = match &many {
            // Longest first, so that a boundary that begins another is not taken for it.
            None => boundaries.iter().rposition(|b| rest.starts_with(b)),
            Some(any) => any
                .find(rest)
                .and_then(|m| boundaries.binary_search(&&rest[..m.end()]).ok()),
        };
        let Some(which) = found else { continue };
        parts += 1;
        Failure::cap("mime_parts", parts, limits::MAX_MIME_PARTS)?;
        match open.iter().position(|o| *o == which) {
            Some(level) => open.truncate(level + 1),
            None => open.push(which),
        }
        if rest[boundaries[which].len()..].starts_with(b"--") {
            open.pop();
        }
        Failure::cap("mime_depth", open.len() as u64, limits::MAX_MIME_DEPTH)?;
    }
    Ok(())
}

fn find_dashes(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.windows(2).position(|w| w == b"--").map(|p| from + p)
}

fn alternation(boundaries: &[&[u8]]) -> Result<Regex, Failure> {
    let mut pattern = String::from(r"\A(?:");
    for (i, boundary) in boundaries.iter().rev().enumerate() {
        if i > 0 {
            pattern.push('|');
        }
        for byte in *boundary {
            use std::fmt::Write;
            write!(pattern, r"\x{byte:02x}").expect("writing to a string cannot fail");
        }
    }
    pattern.push(')');
    RegexBuilder::new(&pattern)
        .unicode(false)
        .size_limit(8 << 20)
        .build()
        .map_err(|_| {
            Failure::new(
                "mime_parts",
                format!("{} boundaries are too long together", boundaries.len()),
            )
        })
}
