//! A Maildir in a zip archive: the entries of `cur` and `new` folders at any depth.
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
        entry(&mut archive, place, &mut mail, take)?;
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

fn entry<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
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
        named(raw.name_raw())
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

/// A file directly in a folder `cur` or `new` is a mail; `D` among its flags makes it a draft.
fn named(name: &[u8]) -> Named {
    let mut parts = name.rsplit(|b| matches!(b, b'/' | b'\\'));
    let file = parts.next().unwrap_or_default();
    let folder = parts.next().unwrap_or_default();
    if !matches!(folder, b"cur" | b"new") || file.is_empty() || file.starts_with(b".") {
        return Named::Other;
    }
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
    let cap = limits::MAX_MESSAGE_BYTES
        .min((packed * limits::MAX_ENTRY_RATIO).max(limits::RATIO_GRACE_BYTES));
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
