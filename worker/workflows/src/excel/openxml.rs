//! Reads xlsx through calamine's stream of cells.
//!
//! Invariant: never a whole range, whose size the file chooses; every call of the foreign reader is contained.
//! Deliberately absent: the checks of the container, which came before.

use std::collections::BTreeMap;
use std::io::Cursor;

use calamine::{CellErrorType, DataRef, Reader, SheetType, SheetVisible, Xlsx};

use super::cell::{Cell, CellError};
use super::container::Container;
use super::dates;
use super::gather::{Filling, Gather, number};
use super::guard::{contained, refused};
use super::limits;
use super::markup::Seen;
use super::packaging;
use super::read::Wanted;
use super::table::Sheet;
use super::texts::TextId;
use crate::Error;

type Bytes<'a> = Cursor<&'a [u8]>;

/// Reads the wanted sheets of a container that passed its pre-flight.
pub(crate) fn read(
    bytes: &[u8],
    container: &Container,
    wanted: &Wanted<'_>,
    gather: &mut Gather<'_>,
) -> Result<Vec<Sheet>, Error> {
    let mut book: Xlsx<Bytes<'_>> = opened(bytes)?;
    let is_1904 = book.has_1904_epoch();
    let paths = paths(bytes, container);
    let mut known = BTreeMap::new();
    sheets(&list(&book)?, wanted, gather, |name, filling, gather| {
        if let Some(seen) = paths.get(name).and_then(|path| container.seen.get(path)) {
            note(seen, filling);
        }
        markup(&mut book, is_1904, &mut known, name, (filling, gather))
    })
}

fn opened<'a, R: Reader<Bytes<'a>>>(bytes: &'a [u8]) -> Result<R, Error> {
    contained("the workbook", || {
        R::new(Cursor::new(bytes)).map_err(|_| {
            refused("the workbook's own parts (sheets, styles, shared strings) are damaged")
        })
    })
}

/// Name and visibility of each worksheet; charts and macros have no cells.
struct Listed {
    name: String,
    hidden: bool,
}

fn list<'a>(book: &impl Reader<Bytes<'a>>) -> Result<Vec<Listed>, Error> {
    let all = book.sheets_metadata();
    Error::cap("sheets", all.len() as u64, limits::SHEETS, super::guard::AT)?;
    let worksheets = all.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
    Ok(worksheets
        .map(|sheet| Listed {
            name: sheet.name.clone(),
            hidden: sheet.visible != SheetVisible::Visible,
        })
        .collect())
}

fn sheets(
    listed: &[Listed],
    wanted: &Wanted<'_>,
    gather: &mut Gather<'_>,
    mut read: impl FnMut(&str, &mut Filling, &mut Gather<'_>) -> Result<(), Error>,
) -> Result<Vec<Sheet>, Error> {
    wanted.check(listed.iter().map(|sheet| sheet.name.as_str()))?;
    let mut done = Vec::new();
    for (at, sheet) in listed.iter().enumerate() {
        if wanted.has(&sheet.name) {
            gather.run.step(0.1, "reading cells")?;
            let mut filling = Filling::new(sheet.name.clone(), sheet.hidden);
            contained(&format!("sheet {}", at + 1), || {
                read(&sheet.name, &mut filling, gather)
            })?;
            done.push(filling.finish());
        }
    }
    Ok(done)
}

fn note(seen: &Seen, filling: &mut Filling) {
    let notes = filling.notes();
    notes.hidden_rows = seen.hidden_rows;
    notes.merged.clone_from(&seen.merged);
    notes.merged_total = seen.merged_total;
}

/// Cells of xlsx. `known` remembers where each shared string went, by its address: most cells then cost no hashing.
fn markup(
    book: &mut Xlsx<Bytes<'_>>,
    is_1904: bool,
    known: &mut BTreeMap<usize, TextId>,
    name: &str,
    (filling, gather): (&mut Filling, &mut Gather<'_>),
) -> Result<(), Error> {
    let mut reader = match book.worksheet_cells_reader(name) {
        Ok(reader) => reader,
        // A chart sheet among the worksheets: no cells.
        Err(calamine::XlsxError::NotAWorksheet(_)) => return Ok(()),
        Err(_) => return Err(refused("a sheet's part is missing or damaged")),
    };
    let mut before = (0, 0);
    loop {
        let Ok(next) = reader.next_cell_with_formula_metadata() else {
            return Err(unreadable(before));
        };
        let Some(found) = next else { return Ok(()) };
        let at = (u64::from(found.pos.0) + 1, u64::from(found.pos.1) + 1);
        before = at;
        let cell = match found.value {
            DataRef::SharedString("") => Cell::Empty,
            DataRef::SharedString(text) => {
                let address = text.as_ptr() as usize;
                if let Some(&id) = known.get(&address) {
                    gather.known(id, text.len())?
                } else {
                    let cell = gather.text(text)?;
                    if let Cell::Text(id) = cell {
                        known.insert(address, id);
                    }
                    cell
                }
            }
            other => plain(other, is_1904, gather)?,
        };
        if found.formula.is_some() {
            filling.formula(at.0, at.1, cell != Cell::Empty);
        }
        filling.put(gather, at, cell)?;
    }
}

fn unreadable((row, column): (u64, u64)) -> Error {
    if row == 0 {
        return refused("a sheet is damaged before its first cell");
    }
    refused(format!(
        "a sheet is damaged behind the cell at R{row}C{column}"
    ))
}

/// A value of calamine as a cell.
fn plain(value: DataRef<'_>, is_1904: bool, gather: &mut Gather<'_>) -> Result<Cell, Error> {
    Ok(match value {
        DataRef::Empty => Cell::Empty,
        #[expect(clippy::cast_precision_loss, reason = "spreadsheets hold 15 digits")]
        DataRef::Int(x) => Cell::Number(x as f64),
        DataRef::Float(x) => number(x),
        DataRef::String(text) => gather.text(&text)?,
        DataRef::SharedString(text) => gather.text(text)?,
        DataRef::Bool(x) => Cell::Bool(x),
        DataRef::DateTime(x) if x.is_duration() => dates::of_duration(x.as_f64()),
        DataRef::DateTime(x) => dates::of_serial(x.as_f64(), is_1904),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            match dates::of_text(&text, None) {
                Some(moment) => Cell::Moment(moment.native()),
                None => gather.text(&text)?,
            }
        }
        DataRef::Error(error) => Cell::Error(match error {
            CellErrorType::Div0 => CellError::Div0,
            CellErrorType::NA => CellError::NA,
            CellErrorType::Name => CellError::Name,
            CellErrorType::Null => CellError::Null,
            CellErrorType::Num => CellError::Num,
            CellErrorType::Ref => CellError::Ref,
            CellErrorType::Value => CellError::Value,
            CellErrorType::GettingData => CellError::GettingData,
        }),
    })
}

/// The member of each sheet, as the keys of [`Container::seen`]. Only notes hang on it: what cannot be told is absent.
fn paths(bytes: &[u8], container: &Container) -> BTreeMap<String, String> {
    let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(bytes)) else {
        return BTreeMap::new();
    };
    let main = container
        .seen
        .keys()
        .find(|name| name.ends_with("workbook.xml"));
    let Some(main) = main.cloned() else {
        return BTreeMap::new();
    };
    let targets = packaging::targets(&mut archive, &main);
    packaging::pairs(&mut archive, &main, "sheet", ("name", "id"))
        .into_iter()
        .filter_map(|(name, id)| Some((name, targets.get(&id)?.clone())))
        .collect()
}
