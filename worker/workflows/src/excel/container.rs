//! The pre-flight of a zip container: nothing is parsed before every member that will be read was inflated once and
//! counted.
//!
//! Invariant: sizes are those that came out of the inflater, never those that the directory declares. What the scan
//! sees on its way and no cell reader tells (hidden rows, merged cells) is kept. Deliberately absent: cells.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use quick_xml::events::Event;
use zip::ZipArchive;

use super::guard::{AT, refused};
use super::limits;
use super::markup::{self, Part, Seen};
use super::table::Format;
use crate::{Error, Run};

/// The bytes as a zip archive.
pub(crate) type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// A container that passed, and what the scan saw.
#[derive(Debug)]
pub(crate) struct Container {
    /// What the container holds.
    pub(crate) format: Format,
    /// By the path of each member that was scanned, in lower case.
    pub(crate) seen: BTreeMap<String, Seen>,
}

/// Checks a container in the order of WORKFLOWS 8.1.
pub(crate) fn check(bytes: &[u8], run: &Run<'_>) -> Result<Container, Error> {
    let mut archive = open(bytes)?;
    let members = directory(&mut archive)?;
    let format = format_of(&members)?;
    let mut seen = BTreeMap::new();
    let mut total = 0_u64;
    for (at, member) in members.iter().enumerate() {
        let Some(part) = part_of(&member.name, format) else {
            continue;
        };
        run.check()?;
        let file = archive
            .by_index(at)
            .map_err(|_| refused(format!("member {at} of the zip container cannot be opened")))?;
        let found = markup::scan(file, part, at, &mut |inflated| {
            Error::cap(
                "inflated_bytes",
                total.saturating_add(inflated),
                limits::INFLATED_BYTES,
                AT,
            )?;
            let allowed = member
                .deflated
                .saturating_mul(limits::INFLATE_RATIO)
                .max(limits::RATIO_GRACE);
            Error::cap(
                "inflate_ratio",
                inflated / member.deflated.max(1),
                if inflated > allowed {
                    limits::INFLATE_RATIO
                } else {
                    u64::MAX
                },
                AT,
            )
        })?;
        total += found.bytes;
        if part == Part::Strings {
            declared_strings(&mut archive, at)?;
        }
        seen.insert(member.name.clone(), found);
    }
    Ok(Container { format, seen })
}

/// Opens the archive, once its directory is known to be small.
fn open(bytes: &[u8]) -> Result<Archive<'_>, Error> {
    // The end record stands in the last 64 KiB. Its count is what the zip reader will believe.
    let tail = &bytes[bytes.len().saturating_sub(65_557)..];
    let end = tail
        .windows(4)
        .rposition(|window| window == b"PK\x05\x06")
        .filter(|at| at + 22 <= tail.len())
        .ok_or_else(|| {
            refused("the zip container has no end: the file is truncated or not a workbook")
        })?;
    let entries = u16::from_le_bytes([tail[end + 10], tail[end + 11]]);
    Error::cap("zip_entries", u64::from(entries), limits::ZIP_ENTRIES, AT)?;
    ZipArchive::new(Cursor::new(bytes))
        .map_err(|_| refused("the directory of the zip container is damaged"))
}

struct Member {
    /// In lower case, with `/`.
    name: String,
    deflated: u64,
}

/// The directory, if it is in order: few entries, no name twice, no ranges that overlap, sizes in bounds.
fn directory(archive: &mut Archive<'_>) -> Result<Vec<Member>, Error> {
    Error::cap("zip_entries", archive.len() as u64, limits::ZIP_ENTRIES, AT)?;
    if archive.has_duplicate_names() {
        return Err(refused(
            "the zip container holds two members of the same name",
        ));
    }
    let mut names = BTreeSet::new();
    let mut members = Vec::with_capacity(archive.len());
    let mut declared = 0_u64;
    for at in 0..archive.len() {
        let bad = || refused(format!("entry {at} of the zip directory is damaged"));
        let file = archive.by_index_raw(at).map_err(|_| bad())?;
        let name = file
            .name()
            .map_err(|_| bad())?
            .replace('\\', "/")
            .to_lowercase();
        if file.encrypted() {
            return Err(refused(format!(
                "member {at} of the zip container is encrypted; remove the password and send it again"
            )));
        }
        declared = declared.saturating_add(file.size());
        Error::cap("inflated_bytes", declared, limits::INFLATED_BYTES, AT)?;
        if !names.insert(name.clone()) {
            return Err(refused(format!(
                "the zip container holds two members whose names differ in case only (the second is entry {at})"
            )));
        }
        let deflated = file.compressed_size();
        members.push(Member { name, deflated });
    }
    match archive.has_overlapping_entries() {
        Ok(false) => Ok(members),
        Ok(true) => Err(refused("members of the zip container overlap")),
        Err(_) => Err(refused(
            "the members of the zip container do not fit its directory",
        )),
    }
}

fn format_of(members: &[Member]) -> Result<Format, Error> {
    let has = |wanted: &dyn Fn(&str) -> bool| members.iter().any(|m| wanted(&m.name));
    let open_packaging = has(&|name| name == "[content_types].xml");
    if open_packaging && has(&|name| name.ends_with("workbook.bin")) {
        Ok(Format::Xlsb)
    } else if open_packaging && has(&|name| name.ends_with("workbook.xml")) {
        Ok(Format::Xlsx)
    } else if has(&|name| name == "content.xml")
        && has(&|name| name == "mimetype" || name == "meta-inf/manifest.xml")
    {
        Ok(Format::Ods)
    } else if has(&|name| name.starts_with("word/") || name.starts_with("ppt/")) {
        Err(refused(
            "the bytes are a document or a presentation, not a workbook",
        ))
    } else if open_packaging {
        Err(refused("the container holds no workbook part"))
    } else {
        Err(refused(
            "the bytes are a zip archive, not a workbook; send the workbook inside it",
        ))
    }
}

/// How a member is read later, `None` for those that never are (pictures, macros, themes, drawings).
fn part_of(name: &str, format: Format) -> Option<Part> {
    let extension = name.rsplit('.').next().unwrap_or_default();
    match format {
        Format::Ods => (name == "content.xml").then_some(Part::Sheet),
        Format::Xlsb if extension == "bin" => (!name.contains("vba")).then_some(Part::Binary),
        _ if name.ends_with("sharedstrings.xml") => Some(Part::Strings),
        _ if extension == "rels" => Some(Part::Description),
        _ if extension != "xml" => None,
        _ if name.contains("worksheets/") => Some(Part::Sheet),
        _ if [
            "theme/",
            "drawings/",
            "charts/",
            "media/",
            "docprops/",
            "customxml/",
        ]
        .iter()
        .any(|folder| name.contains(folder)) =>
        {
            None
        }
        _ => Some(Part::Description),
    }
}

/// Refuses a table of shared strings that claims more of them than are allowed: its reader reserves what is claimed.
fn declared_strings(archive: &mut Archive<'_>, at: usize) -> Result<(), Error> {
    let file = archive
        .by_index(at)
        .map_err(|_| refused("the shared strings cannot be opened"))?;
    let mut xml = quick_xml::Reader::from_reader(std::io::BufReader::new(file));
    xml.config_mut().check_end_names = false;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match xml.read_event_into(&mut buffer) {
            Ok(Event::Start(e) | Event::Empty(e)) if e.local_name().as_ref() == "sst" => {
                for attribute in e.attributes().with_checks(false).flatten() {
                    if attribute.key.as_ref() == "uniqueCount" {
                        let count = number_at(attribute.value.as_ref());
                        Error::cap("shared_strings", count, limits::SHARED_STRINGS, AT)?;
                    }
                }
                return Ok(());
            }
            Ok(Event::Eof) => return Ok(()),
            Err(_) => return Err(refused("the shared strings are not well-formed XML")),
            Ok(_) => {}
        }
    }
}

/// The number that a text begins with; what is too long to be a number is as large as can be.
fn number_at(text: &str) -> u64 {
    let text = text.trim().trim_start_matches('+');
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return 0;
    }
    text[..digits].parse().unwrap_or(u64::MAX)
}
