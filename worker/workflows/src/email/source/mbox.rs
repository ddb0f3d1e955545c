//! Mbox as a stream: mails between "From " lines, with `>From` unquoted as mboxrd says.
//!
//! Old writers (mboxo) leave "From " at the start of body lines. Such a line separates here when it ends in a date as
//! separators do, or stands between an empty line and something like a header field; else it is text. Every line that
//! fulfils only a part of that is reported as suspicious.

use std::io::{BufRead, BufReader, Read};

use super::super::limits;
use super::{Failure, Found, Place, Taker, broken, unreadable};
use crate::{Error, Run};

/// Longer lines are handled in pieces of this size, so that a line of gigabytes needs no memory.
const LINE_BYTES: u64 = 64 << 10;
/// Mails between two looks at the stop request.
const CHECK_EVERY: u64 = 64;

/// One line, or a piece of a very long one.
#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    offset: u64,
    begins: bool,
}

impl Line {
    fn separates(&self) -> bool {
        self.begins && self.bytes.starts_with(b"From ")
    }

    fn empty(&self) -> bool {
        self.bytes.iter().all(|b| matches!(b, b'\r' | b'\n'))
    }
}

/// The lines of a source, with one line of lookahead.
struct Lines<R> {
    reader: BufReader<R>,
    offset: u64,
    ended: bool,
    next: Option<Line>,
}

impl<R: Read> Lines<R> {
    fn new(source: R) -> Self {
        Self {
            reader: BufReader::with_capacity(1 << 16, source),
            offset: 0,
            ended: true,
            next: None,
        }
    }

    fn fetch(&mut self, mut spare: Vec<u8>) -> Result<Option<Line>, Error> {
        spare.clear();
        let read = (&mut self.reader)
            .take(LINE_BYTES)
            .read_until(b'\n', &mut spare)
            .map_err(|e| broken(&e))? as u64;
        if read == 0 {
            return Ok(None);
        }
        let line = Line {
            begins: self.ended,
            offset: self.offset,
            bytes: spare,
        };
        self.ended = line.bytes.ends_with(b"\n");
        self.offset += read;
        Error::cap(
            "max_mbox_bytes",
            self.offset,
            limits::MAX_MBOX_BYTES,
            super::DATA,
        )?;
        Ok(Some(line))
    }

    /// The next line; the buffer of the last one is used again.
    fn advance(&mut self, used: Line) -> Result<Option<Line>, Error> {
        match self.next.take() {
            Some(line) => Ok(Some(line)),
            None => self.fetch(used.bytes),
        }
    }

    fn peek(&mut self) -> Result<Option<&Line>, Error> {
        if self.next.is_none() {
            self.next = self.fetch(Vec::new())?;
        }
        Ok(self.next.as_ref())
    }
}

/// The mail that is being gathered.
#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    place: Place,
    open: bool,
    length: u64,
}

impl Gathered {
    fn add(&mut self, line: &[u8]) {
        self.length += line.len() as u64;
        if self.length <= limits::MAX_MESSAGE_BYTES {
            self.bytes.extend_from_slice(line);
        }
    }

    fn hand_over(&mut self, take: &mut Taker<'_>) -> Result<(), Error> {
        if !self.open {
            return Ok(());
        }
        let found = match Failure::cap("message_bytes", self.length, limits::MAX_MESSAGE_BYTES) {
            Ok(()) => Found::Raw(&self.bytes),
            Err(failure) => Found::Failed(failure),
        };
        take(self.place, found)?;
        self.bytes.clear();
        self.length = 0;
        self.place.index += 1;
        Ok(())
    }
}

/// Every mail of an mbox.
pub(super) fn read(source: impl Read, run: &Run<'_>, take: &mut Taker<'_>) -> Result<(), Error> {
    let mut lines = Lines::new(source);
    let mut mail = Gathered::default();
    let mut line = Line::default();
    let mut after_empty = true;
    while let Some(current) = lines.advance(std::mem::take(&mut line))? {
        line = current;
        let mut splits = false;
        if line.separates() {
            let dated = ends_like_a_separator(&line.bytes);
            let framed = after_empty && lines.peek()?.is_none_or(|next| is_field(&next.bytes));
            splits = dated || framed || !mail.open;
            if dated != framed && mail.open {
                take(place(&mail, &line), Found::Suspicious)?;
            }
        }
        if splits {
            mail.hand_over(take)?;
            mail.open = true;
            mail.place.offset = Some(line.offset);
            if mail.place.index % CHECK_EVERY == 0 {
                run.check()?;
            }
        } else if mail.open {
            mail.add(unquoted(&line));
        } else if !line.empty() {
            return Err(unreadable(
                "is not an mbox: its first line does not begin with \"From \"",
            ));
        }
        after_empty = line.empty();
    }
    if !mail.open {
        return Err(unreadable("has no mails"));
    }
    mail.hand_over(take)
}

fn place(mail: &Gathered, line: &Line) -> Place {
    Place {
        index: mail.place.index,
        offset: Some(line.offset),
    }
}

/// `>From` loses one `>`, as do `>>From` and so on.
fn unquoted(line: &Line) -> &[u8] {
    let bytes = line.bytes.as_slice();
    if line.begins && bytes.first() == Some(&b'>') {
        let arrows = bytes.iter().take_while(|&&b| b == b'>').count();
        if bytes[arrows..].starts_with(b"From ") {
            return &bytes[1..];
        }
    }
    bytes
}

/// Whether the line has a time of day (`hh:mm`) and a year, as asctime writes them.
fn ends_like_a_separator(line: &[u8]) -> bool {
    let words = || {
        line.split(u8::is_ascii_whitespace)
            .filter(|w| !w.is_empty())
    };
    let time = |w: &[u8]| {
        let digits = w.iter().take_while(|b| b.is_ascii_digit()).count();
        (1..=2).contains(&digits)
            && w.len() >= digits + 3
            && w[digits] == b':'
            && w[digits + 1..digits + 3].iter().all(u8::is_ascii_digit)
    };
    let year =
        |w: &[u8]| w.len() == 4 && w.iter().all(u8::is_ascii_digit) && matches!(w[0], b'1' | b'2');
    words().any(time) && words().any(year)
}

/// Whether the line looks like a header field: a name of printable characters, then a colon.
fn is_field(line: &[u8]) -> bool {
    let name = line
        .iter()
        .take_while(|b| b.is_ascii_graphic() && **b != b':')
        .count();
    name > 0 && line.get(name) == Some(&b':')
}
