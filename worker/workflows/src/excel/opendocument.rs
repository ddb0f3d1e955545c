//! Reads ods from its `content.xml`, one element at a time.
//!
//! An own reader, because a general one expands what `number-columns-repeated` and `number-rows-repeated` claim, and
//! does not end at the end of a truncated part. Invariant: only cells that hold something are repeated, and each
//! repetition is counted. Deliberately absent: styles other than whether a table is shown.

use std::collections::BTreeSet;
use std::io::{BufReader, Cursor, Read};

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use super::cell::{Cell, CellError};
use super::gather::{Filling, Gather, number};
use super::guard::{AT, refused};
use super::limits;
use super::read::Wanted;
use super::table::{Sheet, Used};
use super::{dates, duration};
use crate::Error;

/// Reads the wanted sheets of a container that passed its pre-flight.
pub(crate) fn read(
    bytes: &[u8],
    wanted: &Wanted<'_>,
    gather: &mut Gather<'_>,
) -> Result<Vec<Sheet>, Error> {
    let damaged = || refused("the content of the document cannot be opened");
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|_| damaged())?;
    let file = archive.by_name("content.xml").map_err(|_| damaged())?;
    let mut content = Content::new(BufReader::new(file));
    let mut sheets = Vec::new();
    let mut names = Vec::new();
    let mut style = String::new();
    while let Some(element) = content.next()? {
        match element {
            Element::Start(e) if e.local_name().as_ref() == "style" => {
                style = attribute(&e, "style:name").unwrap_or_default();
            }
            Element::Start(e)
                if e.local_name().as_ref() == "table-properties"
                    && attribute(&e, "table:display").as_deref() == Some("false") =>
            {
                content.hidden.insert(std::mem::take(&mut style));
            }
            Element::Start(e) if e.name().as_ref() == "table:table" => {
                let name = attribute(&e, "table:name").unwrap_or_default();
                let shown = attribute(&e, "table:style-name");
                let hidden = shown.is_some_and(|style| content.hidden.contains(&style));
                names.push(name.clone());
                Error::cap("sheets", names.len() as u64, limits::SHEETS, AT)?;
                gather.run.step(0.1, "reading cells")?;
                let mut filling = Filling::new(name.clone(), hidden);
                let keep = wanted.has(&name);
                content.table(keep.then_some(&mut filling), gather)?;
                if keep {
                    sheets.push(filling.finish());
                }
            }
            _ => {}
        }
    }
    wanted.check(names.iter().map(String::as_str))?;
    Ok(sheets)
}

/// What the reader sees, owned, so that it can go on reading.
enum Element {
    Start(BytesStart<'static>),
    End(String),
    Text(String),
}

struct Content<R: Read> {
    xml: quick_xml::Reader<BufReader<R>>,
    buffer: Vec<u8>,
    /// Styles of tables that are not shown.
    hidden: BTreeSet<String>,
}

/// A row while it is read: the cells that hold something, each with its first column and how often it stands there.
#[derive(Default)]
struct Line {
    cells: Vec<(u64, u64, Cell)>,
    column: u64,
}

impl<R: Read> Content<R> {
    fn new(reader: BufReader<R>) -> Self {
        let mut xml = quick_xml::Reader::from_reader(reader);
        xml.config_mut().expand_empty_elements = true;
        Self {
            xml,
            buffer: Vec::new(),
            hidden: BTreeSet::new(),
        }
    }

    fn next(&mut self) -> Result<Option<Element>, Error> {
        loop {
            self.buffer.clear();
            let event = self.xml.read_event_into(&mut self.buffer);
            return Ok(Some(match event {
                Ok(Event::Start(e)) => Element::Start(e.into_owned()),
                Ok(Event::End(e)) => Element::End(e.name().as_ref().to_owned()),
                Ok(Event::Text(t)) => Element::Text(t.xml10_content().into_owned()),
                Ok(Event::CData(t)) => Element::Text(t.xml10_content().into_owned()),
                Ok(Event::GeneralRef(r)) => Element::Text(resolved(&r).ok_or_else(|| {
                    refused("the content of the document uses an entity that XML does not define")
                })?),
                Ok(Event::Eof) => return Ok(None),
                Ok(_) => continue,
                Err(_) => {
                    return Err(refused(
                        "the content of the document is not well-formed XML",
                    ));
                }
            }));
        }
    }

    /// The next element; the end of the file is an error here.
    fn inside(&mut self) -> Result<Element, Error> {
        self.next()?
            .ok_or_else(|| refused("the content of the document ends within a sheet"))
    }

    fn table(
        &mut self,
        mut filling: Option<&mut Filling>,
        gather: &mut Gather<'_>,
    ) -> Result<(), Error> {
        let mut row = 1_u64;
        loop {
            match self.inside()? {
                Element::End(name) if name == "table:table" => return Ok(()),
                Element::Start(e) if e.name().as_ref() == "table:table-row" => {
                    let times = repeated(&e, "table:number-rows-repeated");
                    let hidden = attribute(&e, "table:visibility").is_some_and(|v| v != "visible");
                    let line = self.line(row, filling.as_deref_mut(), gather)?;
                    if let Some(filling) = filling.as_deref_mut() {
                        if hidden && !line.cells.is_empty() {
                            filling.notes().hidden_rows += times;
                        }
                        put(&line, (row, times), filling, gather)?;
                    }
                    row = row.saturating_add(times);
                }
                _ => {}
            }
        }
    }

    fn line(
        &mut self,
        row: u64,
        mut filling: Option<&mut Filling>,
        gather: &mut Gather<'_>,
    ) -> Result<Line, Error> {
        let mut line = Line {
            column: 1,
            ..Line::default()
        };
        loop {
            match self.inside()? {
                Element::End(name) if name == "table:table-row" => return Ok(line),
                Element::Start(e) if is_cell(e.name().as_ref()) => {
                    let times = repeated(&e, "table:number-columns-repeated");
                    let at = (row, line.column);
                    let text = self.text(e.name().as_ref())?;
                    if let Some(filling) = filling.as_deref_mut() {
                        note(&e, at, filling);
                        let cell = value(&e, &text, gather)?;
                        if attribute(&e, "table:formula").is_some() {
                            filling.formula(at.0, at.1, cell != Cell::Empty);
                        }
                        if cell != Cell::Empty {
                            line.cells.push((line.column, times, cell));
                        }
                    }
                    line.column = line.column.saturating_add(times);
                }
                _ => {}
            }
        }
    }

    /// The text of a cell up to its end: paragraphs as lines, without annotations.
    fn text(&mut self, cell: &str) -> Result<String, Error> {
        let mut text = String::new();
        let mut paragraphs = 0;
        let mut skipped = 0_u32;
        loop {
            match self.inside()? {
                Element::End(name) if name == cell => return Ok(text),
                Element::Start(e) if skipped > 0 || e.name().as_ref() == "office:annotation" => {
                    skipped += 1;
                }
                Element::End(_) if skipped > 0 => skipped -= 1,
                Element::Start(e) => match e.name().as_ref() {
                    "text:p" => {
                        if paragraphs > 0 {
                            text.push('\n');
                        }
                        paragraphs += 1;
                    }
                    "text:s" => {
                        let blanks = repeated(&e, "text:c");
                        Error::cap("cell_characters", blanks, limits::CELL_CHARS, AT)?;
                        text.extend(std::iter::repeat_n(
                            ' ',
                            usize::try_from(blanks).unwrap_or(0),
                        ));
                    }
                    "text:tab" => text.push('\t'),
                    "text:line-break" => text.push('\n'),
                    _ => {}
                },
                Element::Text(piece) if skipped == 0 && paragraphs > 0 => text.push_str(&piece),
                _ => {}
            }
            // Four bytes a character at most.
            Error::cap(
                "cell_characters",
                text.len() as u64 / 4,
                limits::CELL_CHARS,
                AT,
            )?;
        }
    }
}

fn is_cell(name: &str) -> bool {
    matches!(name, "table:table-cell" | "table:covered-table-cell")
}

fn put(
    line: &Line,
    (row, times): (u64, u64),
    filling: &mut Filling,
    gather: &mut Gather<'_>,
) -> Result<(), Error> {
    if line.cells.is_empty() {
        return Ok(());
    }
    // What is repeated beyond the last row or column is refused by the first cell there.
    for down in 0..times {
        for &(column, across, cell) in &line.cells {
            for right in 0..across {
                if down > 0 || right > 0 {
                    gather.again(cell)?;
                }
                filling.put(
                    gather,
                    (row.saturating_add(down), column.saturating_add(right)),
                    cell,
                )?;
            }
        }
    }
    Ok(())
}

/// Merged cells.
fn note(e: &BytesStart<'_>, (row, column): (u64, u64), filling: &mut Filling) {
    let spanned = |name| {
        attribute(e, name)
            .and_then(|n| n.parse::<u32>().ok())
            .unwrap_or(1)
    };
    let (rows, columns) = (
        spanned("table:number-rows-spanned"),
        spanned("table:number-columns-spanned"),
    );
    if rows <= 1 && columns <= 1 {
        return;
    }
    let notes = filling.notes();
    notes.merged_total += 1;
    if let (Ok(row), Ok(column)) = (u32::try_from(row), u32::try_from(column))
        && notes.merged.len() < limits::NOTES_SHOWN
    {
        notes.merged.push(Used {
            first_row: row,
            last_row: row.saturating_add(rows.max(1) - 1),
            first_column: column,
            last_column: column.saturating_add(columns.max(1) - 1),
        });
    }
}

fn value(e: &BytesStart<'_>, text: &str, gather: &mut Gather<'_>) -> Result<Cell, Error> {
    let of = |name| attribute(e, name).unwrap_or_default();
    if of("calcext:value-type") == "error" {
        return Ok(Cell::Error(CellError::named(text.trim())));
    }
    let damaged = |what: &str| refused(format!("a cell of type {what} holds none"));
    match of("office:value-type").as_str() {
        "float" | "percentage" | "currency" => {
            let x = of("office:value")
                .trim()
                .parse()
                .map_err(|_| damaged("number"))?;
            Ok(number(x))
        }
        "boolean" => Ok(Cell::Bool(
            of("office:boolean-value").eq_ignore_ascii_case("true"),
        )),
        "date" => {
            let written = of("office:date-value");
            match dates::of_text(&written, None) {
                Some(moment) => Ok(Cell::Moment(moment.native())),
                None => gather.text(&written),
            }
        }
        "time" => {
            let written = of("office:time-value");
            duration::millis(&written)
                .map_or_else(|| gather.text(&written), |ms| Ok(Cell::Time(ms)))
        }
        "string" => match attribute(e, "office:string-value") {
            Some(string) if !string.is_empty() => gather.text(&string),
            _ => gather.text(text),
        },
        _ => gather.text(text),
    }
}

/// How often something is repeated: at least once.
fn repeated(e: &BytesStart<'_>, name: &str) -> u64 {
    attribute(e, name).map_or(1, |n| n.trim().parse().unwrap_or(u64::MAX).max(1))
}

fn attribute(e: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = e
        .attributes()
        .with_checks(false)
        .flatten()
        .find(|a| a.key.as_ref() == name)?;
    let value = found.normalized_value(XmlVersion::Implicit1_0).ok()?;
    Some(value.into_owned())
}

/// The text of `&amp;` or `&#38;`; declared entities are refused.
fn resolved(reference: &quick_xml::events::BytesRef<'_>) -> Option<String> {
    if let Some(character) = reference.resolve_char_ref().ok()? {
        return Some(character.to_string());
    }
    let name = reference.xml10_content();
    quick_xml::escape::resolve_predefined_entity(&name).map(str::to_owned)
}
