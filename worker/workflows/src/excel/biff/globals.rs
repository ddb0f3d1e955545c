//! The part of an xls stream that all sheets share: sheets, shared texts, formats, the epoch.

use std::collections::BTreeMap;

use encoding_rs::{self as enc, Encoding};

use super::super::cell::Cell;
use super::super::gather::Gather;
use super::super::guard::{AT, refused};
use super::super::limits;
use super::super::texts::TextId;
use super::records::{self, Record, Records};
use super::strings::Segments;
use crate::Error;

/// How a format shows a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Number,
    Date,
    Duration,
}

/// One sheet of the list.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) hidden: bool,
    pub(super) offset: usize,
}

/// What all sheets share.
#[derive(Debug)]
pub(super) struct Globals {
    pub(super) sheets: Vec<Listed>,
    /// Each shared text and its length in bytes.
    pub(super) strings: Vec<(TextId, usize)>,
    /// By the index of a cell format.
    shown: Vec<Shown>,
    is_1904: bool,
    /// BIFF8, whose texts are Unicode.
    unicode: bool,
    encoding: &'static Encoding,
}

impl Globals {
    pub(super) fn read(stream: &[u8], gather: &mut Gather<'_>) -> Result<Self, Error> {
        let mut globals = Self {
            sheets: Vec::new(),
            strings: Vec::new(),
            shown: Vec::new(),
            is_1904: false,
            unicode: true,
            encoding: enc::WINDOWS_1252,
        };
        let mut formats = BTreeMap::new();
        let mut indices = Vec::new();
        for (nth, record) in Records::new(stream).enumerate() {
            let record = record.map_err(|_| refused("the workbook stream is truncated"))?;
            if nth == 0 {
                globals.begin(&record)?;
                continue;
            }
            let data = record.data;
            let read = match record.kind {
                records::EOF => {
                    globals.shown = indices.iter().map(|id| shown(*id, &formats)).collect();
                    return Ok(globals);
                }
                // FILEPASS
                0x002F => {
                    return Err(refused(
                        "the workbook is encrypted; remove the password and send it again",
                    ));
                }
                0x0042 => super::half(data, 0).map(|page| globals.encoding = encoding(page)),
                0x0022 => super::half(data, 0).map(|mode| globals.is_1904 = mode == 1),
                0x041E => globals.format(&record).map(|(id, code)| {
                    formats.insert(id, code);
                }),
                0x00E0 => super::half(data, 2).map(|id| indices.push(id)),
                0x0085 => globals.sheet(&record),
                0x00FC => globals.shared(&record, gather)?,
                _ => Some(()),
            };
            let kind = record.kind;
            read.ok_or_else(|| {
                refused(format!(
                    "the workbook is damaged: a record of type {kind:#06x} is cut off or wrong"
                ))
            })?;
            Error::cap("sheets", globals.sheets.len() as u64, limits::SHEETS, AT)?;
        }
        Err(refused("the workbook stream is truncated"))
    }

    fn begin(&mut self, record: &Record<'_>) -> Result<(), Error> {
        match (record.kind, super::half(record.data, 0)) {
            (records::BOF, Some(0x0600)) => Ok(()),
            (records::BOF, Some(0x0500)) => {
                self.unicode = false;
                Ok(())
            }
            _ => Err(refused(
                "the workbook is of a version of Excel before 5, which is not read",
            )),
        }
    }

    fn sheet(&mut self, record: &Record<'_>) -> Option<()> {
        let offset = super::word(record.data, 0)? as usize;
        let (state, kind) = (record.data.get(4)?, record.data.get(5)?);
        let mut rest = Segments::new(record).skipping(6);
        let length = usize::from(rest.byte()?);
        let name = self.short(&mut rest, length)?;
        // Charts and macros have no cells.
        if *kind == 0 {
            self.sheets.push(Listed {
                name,
                hidden: state & 3 != 0,
                offset,
            });
        }
        Some(())
    }

    fn format(&self, record: &Record<'_>) -> Option<(u16, String)> {
        let mut rest = Segments::new(record);
        let id = rest.half()?;
        let length = if self.unicode {
            usize::from(rest.half()?)
        } else {
            usize::from(rest.byte()?)
        };
        Some((id, self.short(&mut rest, length)?))
    }

    /// A text whose length was read.
    fn short(&self, rest: &mut Segments<'_>, length: usize) -> Option<String> {
        if self.unicode {
            let flags = if length > 0 { rest.byte()? } else { 0 };
            rest.characters(length, flags & 1 != 0)
        } else {
            let bytes = rest.bytes(length)?;
            Some(
                self.encoding
                    .decode_without_bom_handling(bytes)
                    .0
                    .into_owned(),
            )
        }
    }

    /// A text with its length in two bytes.
    pub(super) fn text(&self, rest: &mut Segments<'_>) -> Option<String> {
        let length = usize::from(rest.half()?);
        self.short(rest, length)
    }

    /// SST: the shared texts. The stated count is not believed.
    fn shared(
        &mut self,
        record: &Record<'_>,
        gather: &mut Gather<'_>,
    ) -> Result<Option<()>, Error> {
        let mut rest = Segments::new(record);
        let (Some(_), Some(unique)) = (rest.word(), rest.word()) else {
            return Ok(None);
        };
        Error::cap(
            "shared_strings",
            u64::from(unique),
            limits::SHARED_STRINGS,
            AT,
        )?;
        for _ in 0..unique {
            if rest.is_done() {
                break;
            }
            let Some(text) = rest.rich() else {
                return Ok(None);
            };
            let characters = text.chars().count() as u64;
            Error::cap("cell_characters", characters, limits::CELL_CHARS, AT)?;
            self.strings.push((gather.texts.intern(&text)?, text.len()));
        }
        Ok(Some(()))
    }

    /// A number in the format that its cell record names.
    pub(super) fn shown(&self, data: &[u8], x: f64) -> Cell {
        self.formatted(super::half(data, 4).unwrap_or(0), x)
    }

    /// A number in the cell format of that index.
    pub(super) fn formatted(&self, format: u16, x: f64) -> Cell {
        let format = self.shown.get(usize::from(format)).copied();
        super::shown(x, format.unwrap_or(Shown::Number), self.is_1904)
    }
}

/// What a number format shows; built-in ones by their number (ECMA-376 18.8.30).
fn shown(id: u16, formats: &BTreeMap<u16, String>) -> Shown {
    match formats.get(&id) {
        Some(code) => of_code(code),
        None => match id {
            46 => Shown::Duration,
            14..=22 | 27..=36 | 45 | 47 | 50..=58 => Shown::Date,
            _ => Shown::Number,
        },
    }
}

/// What a format code shows: a date when letters of dates stand outside of quotes, escapes and brackets.
fn of_code(code: &str) -> Shown {
    let mut characters = code.chars();
    let mut bracket: Option<String> = None;
    let mut is_date = false;
    while let Some(c) = characters.next() {
        match (&mut bracket, c) {
            (Some(inside), ']') => {
                let elapsed = inside.to_ascii_lowercase();
                if !elapsed.is_empty()
                    && ["h", "m", "s"]
                        .iter()
                        .any(|unit| elapsed.replace(unit, "").is_empty())
                {
                    return Shown::Duration;
                }
                bracket = None;
            }
            (Some(inside), _) => inside.push(c),
            (None, '[') => bracket = Some(String::new()),
            (None, '"') => {
                let _ = characters.by_ref().find(|c| *c == '"');
            }
            (None, '\\' | '_' | '*') => {
                let _ = characters.next();
            }
            (None, ';') => break,
            (None, 'd' | 'D' | 'm' | 'M' | 'y' | 'Y' | 'h' | 'H' | 's' | 'S') => is_date = true,
            _ => {}
        }
    }
    if is_date && !code.eq_ignore_ascii_case("standard") {
        Shown::Date
    } else {
        Shown::Number
    }
}

/// The encoding of a code page; Windows-1252 for those that are not known.
fn encoding(page: u16) -> &'static Encoding {
    match page {
        874 => enc::WINDOWS_874,
        866 => enc::IBM866,
        932 => enc::SHIFT_JIS,
        936 => enc::GBK,
        949 => enc::EUC_KR,
        950 => enc::BIG5,
        1250 => enc::WINDOWS_1250,
        1251 => enc::WINDOWS_1251,
        1253 => enc::WINDOWS_1253,
        1254 => enc::WINDOWS_1254,
        1255 => enc::WINDOWS_1255,
        1256 => enc::WINDOWS_1256,
        1257 => enc::WINDOWS_1257,
        1258 => enc::WINDOWS_1258,
        10000 => enc::MACINTOSH,
        10007 => enc::X_MAC_CYRILLIC,
        _ => enc::WINDOWS_1252,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_codes_show_dates_or_not() {
        for code in [
            "yyyy-mm-dd",
            "d/m/yy",
            "[$-809]dd mmmm yyyy;@",
            "hh:mm",
            "[Red]h:mm",
        ] {
            assert_eq!(of_code(code), Shown::Date, "{code}");
        }
        for code in [
            "General",
            "0.00E+00",
            "#,##0 \"days\"",
            "[Red]0",
            "0\\d",
            "0_d",
            "Standard",
            "@",
            "0;\"d\";d",
        ] {
            assert_eq!(of_code(code), Shown::Number, "{code}");
        }
        for code in ["[h]:mm:ss", "[mm]:ss"] {
            assert_eq!(of_code(code), Shown::Duration, "{code}");
        }
    }
}
