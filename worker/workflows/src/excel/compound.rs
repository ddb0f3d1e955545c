//! Finds the workbook in an OLE compound file ([MS-CFB]), the container of xls and of encrypted workbooks.
//!
//! An own reader, because a general one follows chains of sectors that run in circles until memory ends. Invariant: a
//! chain is never longer than the file. Deliberately absent: every stream but the workbook's.

use super::guard::refused;
use crate::Error;

const END: u32 = 0xFFFF_FFFA;
/// Streams below this length lie in the stream of small sectors.
const SMALL: usize = 4_096;
/// Length of a small sector.
const SMALL_SECTOR: usize = 64;
const ENTRY: usize = 128;

/// The stream `Workbook` (or `Book`, before 1997).
pub(crate) fn workbook_stream(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let file = File::open(bytes).ok_or_else(damaged)?;
    let entries = file.entries().ok_or_else(damaged)?;
    let find = |name: &str| entries.iter().find(|e| e.name.eq_ignore_ascii_case(name));
    if find("EncryptedPackage").is_some() || find("EncryptionInfo").is_some() {
        return Err(refused(
            "the workbook is encrypted; remove the password and send it again",
        ));
    }
    let Some(entry) = find("Workbook").or_else(|| find("Book")) else {
        return Err(refused(
            "the compound file holds no workbook; expected xlsx, xls, xlsb, ods or csv",
        ));
    };
    let stream = if entry.length < SMALL {
        file.small(entries.first(), entry)
    } else {
        file.chain(entry.start, entry.length)
    };
    stream
        .filter(|s| s.len() == entry.length)
        .ok_or_else(damaged)
}

fn damaged() -> Error {
    refused("the compound file is damaged or truncated: its chains of sectors are broken")
}

struct Entry {
    name: String,
    start: u32,
    length: usize,
}

struct File<'a> {
    bytes: &'a [u8],
    sector: usize,
    fat: Vec<u32>,
    directory: u32,
    small_fat: u32,
}

impl<'a> File<'a> {
    fn open(bytes: &'a [u8]) -> Option<Self> {
        let sector = match u16_at(bytes, 30)? {
            9 => 512,
            12 => 4_096,
            _ => return None,
        };
        let mut file = Self {
            bytes,
            sector,
            fat: Vec::new(),
            directory: u32_at(bytes, 48)?,
            small_fat: u32_at(bytes, 60)?,
        };
        file.fat = file.table()?;
        Some(file)
    }

    /// The content of a sector; the last one may be cut off.
    fn sector(&self, id: u32) -> Option<&'a [u8]> {
        let start = (id as usize).checked_add(1)?.checked_mul(self.sector)?;
        let end = (start + self.sector).min(self.bytes.len());
        self.bytes.get(start..end).filter(|s| !s.is_empty())
    }

    fn sectors(&self) -> usize {
        self.bytes.len() / self.sector + 1
    }

    /// The table of chains. Its sectors are listed in the header and in a chain of their own.
    fn table(&self) -> Option<Vec<u32>> {
        let mut list: Vec<u32> = words(self.bytes.get(76..512)?);
        let mut next = u32_at(self.bytes, 68)?;
        let mut steps = 0;
        while next < END {
            steps += 1;
            if steps > self.sectors() {
                return None;
            }
            let mut more = words(self.sector(next)?);
            next = more.pop()?;
            list.extend(more);
        }
        let mut table = Vec::new();
        for id in list.into_iter().filter(|id| *id < END) {
            if table.len() > self.bytes.len() {
                return None;
            }
            table.extend(words(self.sector(id)?));
        }
        Some(table)
    }

    /// The sectors of a chain one after the other, up to a length.
    fn chain(&self, start: u32, length: usize) -> Option<Vec<u8>> {
        let mut stream = Vec::new();
        let mut next = start;
        let mut steps = 0;
        while next < END && stream.len() < length {
            steps += 1;
            if steps > self.sectors() {
                return None;
            }
            stream.extend_from_slice(self.sector(next)?);
            next = *self.fat.get(next as usize)?;
        }
        stream.truncate(length);
        Some(stream)
    }

    fn entries(&self) -> Option<Vec<Entry>> {
        let directory = self.chain(self.directory, usize::MAX)?;
        let entries = directory.chunks_exact(ENTRY).map(|entry| {
            let name: Vec<u16> = entry[..64]
                .chunks_exact(2)
                .map(|b| u16::from_le_bytes([b[0], b[1]]))
                .collect();
            let end = name
                .iter()
                .position(|&unit| unit == 0)
                .unwrap_or(name.len());
            Some(Entry {
                name: String::from_utf16_lossy(&name[..end]),
                start: u32_at(entry, 116)?,
                length: u32_at(entry, 120)? as usize,
            })
        });
        entries.collect()
    }

    /// A stream of small sectors, which lie in the stream of the root entry.
    fn small(&self, root: Option<&Entry>, entry: &Entry) -> Option<Vec<u8>> {
        let root = root?;
        let sectors = self.chain(root.start, root.length)?;
        let table = words(&self.chain(self.small_fat, usize::MAX)?);
        let mut stream = Vec::new();
        let mut next = entry.start;
        while next < END && stream.len() < entry.length {
            let start = (next as usize).checked_mul(SMALL_SECTOR)?;
            let end = (start + SMALL_SECTOR).min(sectors.len());
            let part = sectors.get(start..end).filter(|part| !part.is_empty())?;
            stream.extend_from_slice(part);
            next = *table.get(next as usize)?;
        }
        stream.truncate(entry.length);
        Some(stream)
    }
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes
        .chunks_exact(4)
        .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let b = bytes.get(at..at + 2)?;
    Some(u16::from_le_bytes([b[0], b[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    words(bytes.get(at..at + 4)?).first().copied()
}
