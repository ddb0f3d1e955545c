//! A Maildir in a zip archive: the entries of `cur` and `new` folders at any depth. An archive without such entries is
//! a folder of mails: its `*.eml` files, or where it has none, all its files.
//!
//! Names decide only whether an entry is a mail; nothing is ever written under them, so a name that leads outside is
//! harmless and merely reported. Sizes are counted while inflating, for declared ones lie.

use std::io::{Read, Seek, SeekFrom};

use zip::ZipArchive;

use super::super::limits;
use super::{Failure, Found, Place, Taker, broken, unreadable};
use crate::{Error, Run};

/// Every mail of an archive.
pub(super) fn read(
    mut source: impl Read + Seek,
    run: &Run<'_>,
    take: &mut Taker<'_>,
) -> Result<(), Error> {
    let length = source.seek(SeekFrom::End(0)).map_err(|e| broken(&e))?;
    Error::cap(
        "max_archive_bytes",
        length,
        limits::MAX_ARCHIVE_BYTES,
        super::DATA,
    )?;
    let entries = declared_entries(&mut source, length)?;
    Error::cap(
        "max_archive_entries",
        entries,
        limits::MAX_ARCHIVE_ENTRIES,
        super::DATA,
    )?;
    source.seek(SeekFrom::Start(0)).map_err(|e| broken(&e))?;
    let mut archive =
        ZipArchive::new(source).map_err(|_| unreadable("is not a readable zip archive"))?;
    Error::cap(
        "max_archive_entries",
        archive.len() as u64,
        limits::MAX_ARCHIVE_ENTRIES,
        super::DATA,
    )?;
    let layout = Layout::of(&archive);
    let mut inflated = 0;
    let mut mail = Vec::new();
    for index in 0..archive.len() {
        if index % 64 == 0 {
            run.check()?;
        }
        let place = Place {
            index: index as u64,
            offset: None,
        };
        entry((&mut archive, layout), place, &mut mail, take)?;
        inflated += mail.len() as u64;
        Error::cap(
            "max_inflated_bytes",
            inflated,
            limits::MAX_INFLATED_BYTES,
            super::DATA,
        )?;
    }
    Ok(())
}

/// What the name of an entry says about it.
enum Named {
    Mail,
    Draft,
    Other,
}

/// Which entries of an archive are mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layout {
    /// All files, hidden ones left out.
    Files,
    /// Files whose name ends with `.eml`.
    Eml,
    /// Files in `cur` and `new`.
    Maildir,
}

impl Layout {
    /// The strictest that leaves an entry.
    fn of<R: Read + Seek>(archive: &ZipArchive<R>) -> Self {
        archive
            .file_names_raw()
            .filter_map(Self::fitting)
            .max()
            .unwrap_or(Self::Maildir)
    }

    /// The strictest in which a file of this name is a mail.
    fn fitting(name: &[u8]) -> Option<Self> {
        let mut parts = name.rsplit(|b| is_separator(*b));
        let file = parts.next().unwrap_or_default();
        let folder = parts.next().unwrap_or_default();
        if file.is_empty() || file.starts_with(b".") {
            return None;
        }
        if matches!(folder, b"cur" | b"new") {
            return Some(Self::Maildir);
        }
        // Where macOS keeps what its own file system knows of the files.
        if name
            .split(|b| is_separator(*b))
            .any(|part| part == b"__MACOSX")
        {
            return None;
        }
        let ending = file.len().checked_sub(4).map(|at| &file[at..]);
        let is_eml = ending.is_some_and(|e| e.eq_ignore_ascii_case(b".eml"));
        Some(if is_eml { Self::Eml } else { Self::Files })
    }
}

fn entry<R: Read + Seek>(
    (archive, layout): (&mut ZipArchive<R>, Layout),
    place: Place,
    mail: &mut Vec<u8>,
    take: &mut Taker<'_>,
) -> Result<(), Error> {
    mail.clear();
    let index = usize::try_from(place.index).unwrap_or(usize::MAX);
    let Ok(raw) = archive.by_index_raw(index) else {
        let failure = Failure::new("archive_entry", "the entry's own header cannot be read");
        return take(place, Found::Failed(failure));
    };
    let escapes = raw.enclosed_name().is_none();
    let named = if raw.is_dir() {
        Named::Other
    } else {
        named(raw.name_raw(), layout)
    };
    drop(raw);
    if escapes {
        take(place, Found::Escaping)?;
    }
    match named {
        Named::Other => Ok(()),
        Named::Draft => take(place, Found::Draft),
        Named::Mail => match inflate(archive, index, mail) {
            Ok(()) => take(place, Found::Raw(mail)),
            Err(failure) => take(place, Found::Failed(failure)),
        },
    }
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\')
}

/// `D` among the flags at the end of a mail's name makes it a draft.
fn named(name: &[u8], layout: Layout) -> Named {
    if Layout::fitting(name).is_none_or(|fitting| fitting < layout) {
        return Named::Other;
    }
    if layout == Layout::Eml {
        return Named::Mail;
    }
    let file = name.rsplit(|b| is_separator(*b)).next().unwrap_or_default();
    // Where ':' is not allowed in names, tools write other characters before "2,".
    let flags = file
        .windows(2)
        .rposition(|w| w == b"2,")
        .map(|at| &file[at + 2..]);
    match flags {
        Some(flags) if flags.len() < 16 && flags.contains(&b'D') => Named::Draft,
        _ => Named::Mail,
    }
}

/// Bytes that an entry of so many packed ones may inflate to. The packed size is the archive's word: it may be anything.
fn ratio_cap(packed: u64) -> u64 {
    packed
        .saturating_mul(limits::MAX_ENTRY_RATIO)
        .max(limits::RATIO_GRACE_BYTES)
}

fn inflate<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    index: usize,
    mail: &mut Vec<u8>,
) -> Result<(), Failure> {
    let unreadable = |_| {
        Failure::new(
            "archive_entry",
            "the entry is damaged, encrypted or packed in an unknown way",
        )
    };
    let entry = archive.by_index(index).map_err(unreadable)?;
    if entry.encrypted() {
        return Err(Failure::new("encrypted_entry", "the entry is encrypted"));
    }
    let packed = entry.compressed_size().max(1);
    let cap = limits::MAX_MESSAGE_BYTES.min(ratio_cap(packed));
    let read = entry.take(cap + 1).read_to_end(mail);
    let length = mail.len() as u64;
    if length > cap {
        mail.clear();
        if cap == limits::MAX_MESSAGE_BYTES {
            return Failure::cap("message_bytes", length, cap);
        }
        return Failure::cap(
            "entry_ratio",
            length.div_ceil(packed),
            limits::MAX_ENTRY_RATIO,
        );
    }
    read.map_err(|_| {
        mail.clear();
        Failure::new(
            "archive_entry",
            "the entry is damaged: its bytes do not inflate or do not match their checksum",
        )
    })?;
    Ok(())
}

/// The number of entries that the end of the archive declares: the reader takes memory for so many.
fn declared_entries(source: &mut (impl Read + Seek), length: u64) -> Result<u64, Error> {
    const END: &[u8] = b"PK\x05\x06";
    const END_64: &[u8] = b"PK\x06\x06";
    // 22 bytes and a comment of at most 64 KiB; before them, in large archives, the 64-bit form (76 bytes).
    let tail_length = length.min(22 + 65_535 + 76);
    source
        .seek(SeekFrom::Start(length - tail_length))
        .map_err(|e| broken(&e))?;
    let mut tail = Vec::new();
    source
        .take(tail_length)
        .read_to_end(&mut tail)
        .map_err(|e| broken(&e))?;
    let field = |at: usize, size: usize| -> u64 {
        tail.get(at..at + size).map_or(0, |bytes| {
            bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b))
        })
    };
    let last = |signature: &[u8]| tail.windows(4).rposition(|w| w == signature);
    let Some(end) = last(END) else {
        return Err(unreadable(
            "is not a zip archive: it has no central directory (truncated or another format)",
        ));
    };
    let short = field(end + 10, 2);
    let long = last(END_64).map_or(0, |at| field(at + 32, 8));
    Ok(short.max(long))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absurd_packed_size_bounds_nothing() {
        assert_eq!(ratio_cap(u64::MAX / 2), u64::MAX);
        assert_eq!(ratio_cap(1), limits::RATIO_GRACE_BYTES);
        assert_eq!(ratio_cap(10 << 20), (10 << 20) * limits::MAX_ENTRY_RATIO);
    }
}
