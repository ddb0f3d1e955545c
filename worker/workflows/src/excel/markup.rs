//! One pass over an inflated member: counts bytes and elements, refuses what would harm a reader, and notes hidden
//! rows and merged cells.
//!
//! Invariant: memory is one buffer of at most [`limits::MARKUP_RUN`] bytes; markup is recognised the way an XML reader
//! does it (quotes, comments, CDATA), so that nothing hides from it. Deliberately absent: well-formedness.

use std::io::Read;

use super::guard::{AT, refused};
use super::limits;
use super::table::Used;
use crate::Error;

/// What kind of member is scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Cells.
    Sheet,
    /// The table of shared strings.
    Strings,
    /// Workbook, styles, relations: parts that a reader keeps as a whole.
    Description,
    /// Records of xlsb.
    Binary,
}

/// What a scan saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Bytes after inflating.
    pub(crate) bytes: u64,
    /// Elements that begin.
    elements: u64,
    /// Shared strings.
    strings: u64,
    /// Rows marked as hidden.
    pub(crate) hidden_rows: u64,
    /// The first merged rectangles.
    pub(crate) merged: Vec<Used>,
    /// How many there are.
    pub(crate) merged_total: u64,
}

/// Inflates a member to its end. `count` is told the bytes so far and may refuse.
pub(crate) fn scan(
    mut file: impl Read,
    part: Part,
    member: usize,
    count: &mut dyn FnMut(u64) -> Result<(), Error>,
) -> Result<Seen, Error> {
    let mut scanner = Scanner {
        part,
        member,
        seen: Seen::default(),
        cell: None,
        run: 0,
        offset: 0,
    };
    let mut buffer = vec![0; 64 << 10];
    let mut filled = 0;
    loop {
        if filled == buffer.len() {
            if buffer.len() as u64 >= 2 * limits::MARKUP_RUN {
                return Err(scanner.too_long());
            }
            buffer.resize(buffer.len() * 2, 0);
        }
        let read = file.read(&mut buffer[filled..]).map_err(|_| {
            refused(format!(
                "member {member} of the zip container cannot be inflated: it is damaged or truncated"
            ))
        })?;
        if read == 0 {
            break;
        }
        scanner.seen.bytes += read as u64;
        count(scanner.seen.bytes)?;
        filled += read;
        let done = if part == Part::Binary {
            filled
        } else {
            scanner.consume(&buffer[..filled])?
        };
        scanner.offset += done as u64;
        buffer.copy_within(done..filled, 0);
        filled -= done;
    }
    Ok(scanner.seen)
}

struct Scanner {
    part: Part,
    member: usize,
    seen: Seen,
    /// Where the open cell or string began.
    cell: Option<u64>,
    /// Bytes since the last element's markup: text, comments, CDATA.
    run: u64,
    /// Bytes before the buffer.
    offset: u64,
}

impl Scanner {
    /// Takes whole tokens off the front and answers how many bytes they were.
    fn consume(&mut self, buffer: &[u8]) -> Result<usize, Error> {
        let mut at = 0;
        loop {
            let rest = &buffer[at..];
            let Some(text) = rest.iter().position(|&b| b == b'<') else {
                self.grow(rest.len())?;
                return Ok(buffer.len());
            };
            self.grow(text)?;
            at += text;
            let rest = &buffer[at..];
            let Some(length) = token(rest) else {
                // Not the whole token: more is needed, up to the cap on the buffer.
                return Ok(at);
            };
            self.markup(&rest[..length], at)?;
            at += length;
        }
    }

    fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        self.run += bytes as u64;
        if self.run > limits::MARKUP_RUN {
            return Err(self.too_long());
        }
        Ok(())
    }

    /// One piece of markup, from `<` to `>`.
    fn markup(&mut self, token: &[u8], at: usize) -> Result<(), Error> {
        match token.get(1) {
            Some(b'!') => {
                if token.len() > 8 && token[2..9].eq_ignore_ascii_case(b"DOCTYPE") {
                    return Err(refused(format!(
                        "member {} of the zip container declares a document type, which workbooks never do",
                        self.member
                    )));
                }
                return self.grow(token.len());
            }
            Some(b'?') => return self.grow(token.len()),
            _ => {}
        }
        if token.len() as u64 > limits::MARKUP_RUN {
            return Err(self.too_long());
        }
        self.run = 0;
        let position = self.offset + at as u64;
        let (name, closes) = name_of(token);
        let is_cell = matches!(name, b"c" | b"si" | b"table-cell");
        if let Some(start) = self.cell {
            let length = position - start;
            Error::cap("cell_markup_bytes", length, limits::CELL_MARKUP, AT)?;
            if closes && is_cell {
                self.cell = None;
            }
        }
        if closes {
            return Ok(());
        }
        self.seen.elements += 1;
        if is_cell {
            self.cell = (token[token.len() - 2] != b'/').then_some(position);
        }
        match (self.part, name) {
            (Part::Strings, b"si") => {
                self.seen.strings += 1;
                Error::cap(
                    "shared_strings",
                    self.seen.strings,
                    limits::SHARED_STRINGS,
                    AT,
                )
            }
            (Part::Description, _) => Error::cap(
                "description_elements",
                self.seen.elements,
                limits::DESCRIPTION_ELEMENTS,
                AT,
            ),
            (Part::Sheet, b"row") => {
                let hidden = attribute(token, b"hidden");
                self.seen.hidden_rows += u64::from(matches!(hidden, Some(b"1" | b"true")));
                Ok(())
            }
            (Part::Sheet, b"mergeCell") => {
                self.merged(token);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn merged(&mut self, token: &[u8]) {
        self.seen.merged_total += 1;
        if self.seen.merged.len() < limits::NOTES_SHOWN
            && let Some(area) = attribute(token, b"ref").and_then(rectangle)
        {
            self.seen.merged.push(area);
        }
    }

    fn too_long(&self) -> Error {
        Error::LimitExceeded {
            limit: "markup_run_bytes".into(),
            value: self.run.max(limits::MARKUP_RUN + 1),
            cap: limits::MARKUP_RUN,
            pointer: AT.into(),
        }
    }
}

/// The length of the markup at the front, which begins with `<`; `None` when its end is not there yet.
fn token(rest: &[u8]) -> Option<usize> {
    let until = |end: &[u8], from: usize| {
        rest.get(from..)?
            .windows(end.len())
            .position(|window| window == end)
            .map(|at| from + at + end.len())
    };
    if rest.starts_with(b"<!--") {
        return until(b"-->", 4);
    }
    if rest.starts_with(b"<![CDATA[") {
        return until(b"]]>", 9);
    }
    if rest.starts_with(b"<?") {
        return until(b"?>", 2);
    }
    if rest.len() < 9 && (b"<![CDATA[".starts_with(rest) || b"<!--".starts_with(rest)) {
        return None;
    }
    let mut quote = None;
    for (at, &byte) in rest.iter().enumerate().skip(1) {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// The local name of an element, and whether this is its end.
fn name_of(token: &[u8]) -> (&[u8], bool) {
    let closes = token.get(1) == Some(&b'/');
    let start = if closes { 2 } else { 1 };
    let rest = &token[start..];
    let end = rest
        .iter()
        .position(|b| b.is_ascii_whitespace() || matches!(b, b'>' | b'/'))
        .unwrap_or(rest.len());
    let name = &rest[..end];
    let local = name
        .iter()
        .position(|&b| b == b':')
        .map_or(name, |at| &name[at + 1..]);
    (local, closes)
}

/// The raw value of an attribute.
fn attribute<'a>(token: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let mut rest = token;
    while let Some(equals) = rest.iter().position(|&b| b == b'=') {
        let name = rest[..equals].trim_ascii_end();
        let value = rest[equals + 1..].trim_ascii_start();
        let quote = *value.first()?;
        let length = value[1..].iter().position(|&b| b == quote)?;
        let is_it = name.ends_with(wanted)
            && name[..name.len() - wanted.len()]
                .last()
                .is_some_and(u8::is_ascii_whitespace);
        if is_it {
            return Some(&value[1..=length]);
        }
        rest = &value[length + 2..];
    }
    None
}

/// `A1:C3` as a rectangle.
fn rectangle(text: &[u8]) -> Option<Used> {
    let text = std::str::from_utf8(text).ok()?;
    let (from, to) = text.split_once(':')?;
    let ((first_row, first_column), (last_row, last_column)) = (corner(from)?, corner(to)?);
    Some(Used {
        first_row,
        last_row,
        first_column,
        last_column,
    })
}

/// `C5` as (row, column).
pub(crate) fn corner(text: &str) -> Option<(u32, u32)> {
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let column = text[..letters].bytes().try_fold(0_u32, |sum, b| {
        let digit = u32::from(b.to_ascii_uppercase() - b'A') + 1;
        sum.checked_mul(26)?.checked_add(digit)
    })?;
    let row: u32 = text[letters..].parse().ok()?;
    (row > 0 && column > 0).then_some((row, column))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str, part: Part) -> Result<Seen, Error> {
        scan(text.as_bytes(), part, 0, &mut |_| Ok(()))
    }

    #[test]
    fn markup_is_counted_as_a_reader_would() {
        let sheet = r#"<?xml version="1.0"?><x:sheetData><x:row r="1" hidden="1"><c r="A1" t='a>b'><v>1</v></c></x:row>
            <!-- <row hidden="1"> --><row r="2" xhidden="1"/><![CDATA[<row hidden="1">]]></x:sheetData>
            <mergeCells><mergeCell ref="A1:C3"/></mergeCells>"#;
        let seen = seen(sheet, Part::Sheet).unwrap();
        assert_eq!(
            (seen.hidden_rows, seen.merged_total, seen.elements),
            (1, 1, 7)
        );
        assert_eq!(
            (seen.merged[0].last_row, seen.merged[0].last_column),
            (3, 3)
        );
    }

    #[test]
    fn document_types_and_endless_texts_are_refused() {
        assert!(
            seen(
                "<?xml version='1.0'?> <!doctype x [<!ENTITY a 'b'>]><x/>",
                Part::Sheet
            )
            .is_err()
        );
        let long = format!("<t>{}</t>", "x".repeat(2 << 20));
        assert!(matches!(
            seen(&long, Part::Strings),
            Err(Error::LimitExceeded { .. })
        ));
        let comments = "<t>".to_owned() + &"<!-- x -->".repeat(200_000);
        assert!(matches!(
            seen(&comments, Part::Strings),
            Err(Error::LimitExceeded { .. })
        ));
        let runs = "<si>".to_owned() + &"<r><t>aaaaaaaaaaaaaa</t></r>".repeat(400_000) + "</si>";
        assert!(matches!(
            seen(&runs, Part::Strings),
            Err(Error::LimitExceeded { .. })
        ));
        let many = "<a/>".repeat(600_000);
        assert!(matches!(
            seen(&many, Part::Description),
            Err(Error::LimitExceeded { .. })
        ));
        let tag = format!("<t {}>", "x".repeat(3 << 20));
        assert!(matches!(
            seen(&tag, Part::Sheet),
            Err(Error::LimitExceeded { .. })
        ));
    }
}
