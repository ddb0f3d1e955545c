//! Reads the records of an xlsb workbook ([MS-XLSB]).
//!
//! An own reader, because calamine passes over short cell records, which some writers prefer, without a word: cells
//! would be missing. Invariant: memory follows the cells that are there; a part is streamed, one record at a time.
//! Deliberately absent: formulas, formats other than dates.

mod page;
mod records;

use std::collections::BTreeMap;
use std::io::Cursor;

use super::biff::{half, word};
use super::container::Archive;
use super::gather::{Filling, Gather};
use super::guard::{AT, refused};
use super::limits;
use super::number_format::Shown;
use super::packaging;
use super::read::Wanted;
use super::table::Sheet;
use super::texts::TextId;
use crate::Error;
use records::{Records, wide};

/// What all sheets share.
#[derive(Debug, Default)]
struct Globals {
    sheets: Vec<Listed>,
    /// Each shared text and its length in bytes.
    strings: Vec<(TextId, usize)>,
    /// By the index of a cell format.
    shown: Vec<Shown>,
    is_1904: bool,
}

/// One sheet of the list, with the path of its part.
#[derive(Debug)]
struct Listed {
    name: String,
    hidden: bool,
    path: String,
}

/// Reads the wanted sheets of a container that passed its pre-flight.
pub(crate) fn read(
    bytes: &[u8],
    wanted: &Wanted<'_>,
    gather: &mut Gather<'_>,
) -> Result<Vec<Sheet>, Error> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes))
        .map_err(|_| refused("the directory of the zip container is damaged"))?;
    let globals = Globals::read(&mut archive, gather)?;
    wanted.check(globals.sheets.iter().map(|s| s.name.as_str()))?;
    let mut done = Vec::new();
    for (at, listed) in globals.sheets.iter().enumerate() {
        if !wanted.has(&listed.name) {
            continue;
        }
        gather.run.step(0.1, "reading cells")?;
        let what = format!("sheet {}", at + 1);
        let part = packaging::member(&mut archive, &listed.path)
            .ok_or_else(|| refused(format!("the part of {what} is missing")))?;
        let mut filling = Filling::new(listed.name.clone(), listed.hidden);
        page::fill(
            Records::new(part, what),
            &globals,
            &mut (&mut filling, gather),
        )?;
        done.push(filling.finish());
    }
    Ok(done)
}

impl Globals {
    fn read(archive: &mut Archive<'_>, gather: &mut Gather<'_>) -> Result<Self, Error> {
        let main = archive
            .file_names()
            .flatten()
            .map(|name| name.replace('\\', "/").to_lowercase())
            .find(|name| name.ends_with("workbook.bin"))
            .ok_or_else(|| refused("the container holds no workbook part"))?;
        let targets = packaging::targets(archive, &main);
        let folder = &main[..main.rfind('/').map_or(0, |at| at + 1)];
        let beside = |name: &str| {
            let found = targets.values().find(|path| path.ends_with(name));
            found.cloned().unwrap_or_else(|| format!("{folder}{name}"))
        };
        let mut globals = Self::default();
        globals.workbook(archive, &main, &targets)?;
        globals.styles(archive, &beside("styles.bin"))?;
        globals.shared(archive, &beside("sharedstrings.bin"), gather)?;
        Ok(globals)
    }

    fn workbook(
        &mut self,
        archive: &mut Archive<'_>,
        path: &str,
        targets: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let part = packaging::member(archive, path)
            .ok_or_else(|| refused("the workbook part cannot be opened"))?;
        let mut records = Records::new(part, "the workbook part".into());
        while let Some(kind) = records.next()? {
            let data = records.data();
            let read = match kind {
                // BrtWbProp
                0x99 => word(data, 0).map(|flags| self.is_1904 = flags & 1 != 0),
                // BrtBundleSh
                0x9C => self.sheet(data, targets),
                _ => Some(()),
            };
            read.ok_or_else(|| records.damaged(kind))?;
            Error::cap("sheets", self.sheets.len() as u64, limits::SHEETS, AT)?;
        }
        Ok(())
    }

    fn sheet(&mut self, data: &[u8], targets: &BTreeMap<String, String>) -> Option<()> {
        let hidden = word(data, 0)? != 0;
        let (relation, after) = wide(data, 8)?;
        let (name, _) = wide(data, after)?;
        // Charts, dialogues and macros have no cells. A sheet without a part has none either.
        if let Some(path) = targets.get(&relation)
            && path.contains("worksheets/")
        {
            self.sheets.push(Listed {
                name,
                hidden,
                path: path.clone(),
            });
        }
        Some(())
    }

    fn styles(&mut self, archive: &mut Archive<'_>, path: &str) -> Result<(), Error> {
        let Some(part) = packaging::member(archive, path) else {
            return Ok(());
        };
        let mut records = Records::new(part, "the part of styles".into());
        let mut formats = BTreeMap::new();
        let (mut in_cells, mut count) = (false, 0);
        while let Some(kind) = records.next()? {
            count += 1;
            Error::cap(
                "description_elements",
                count,
                limits::DESCRIPTION_ELEMENTS,
                AT,
            )?;
            let data = records.data();
            let read = match kind {
                // BrtFmt
                0x2C => half(data, 0).zip(wide(data, 2)).map(|(id, (code, _))| {
                    formats.insert(id, code);
                }),
                // BrtBeginCellXFs, BrtEndCellXFs
                0x0269 | 0x026A => {
                    in_cells = kind == 0x0269;
                    Some(())
                }
                // BrtXF
                0x2F if in_cells => {
                    half(data, 2).map(|id| self.shown.push(Shown::of(id, &formats)))
                }
                _ => Some(()),
            };
            read.ok_or_else(|| records.damaged(kind))?;
        }
        Ok(())
    }

    /// The shared texts. The stated count is refused where it is out of bounds, and believed nowhere.
    fn shared(
        &mut self,
        archive: &mut Archive<'_>,
        path: &str,
        gather: &mut Gather<'_>,
    ) -> Result<(), Error> {
        let Some(part) = packaging::member(archive, path) else {
            return Ok(());
        };
        let mut records = Records::new(part, "the part of shared strings".into());
        while let Some(kind) = records.next()? {
            let data = records.data();
            let claimed = match kind {
                // BrtBeginSst
                0x9F => word(data, 4).ok_or_else(|| records.damaged(kind))?.into(),
                // BrtSSTItem
                0x13 => {
                    let (text, _) = wide(data, 1).ok_or_else(|| records.damaged(kind))?;
                    let characters = text.chars().count() as u64;
                    Error::cap("cell_characters", characters, limits::CELL_CHARS, AT)?;
                    self.strings.push((gather.texts.intern(&text)?, text.len()));
                    self.strings.len() as u64
                }
                _ => 0,
            };
            Error::cap("shared_strings", claimed, limits::SHARED_STRINGS, AT)?;
        }
        Ok(())
    }
}
