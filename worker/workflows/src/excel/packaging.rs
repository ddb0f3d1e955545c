//! Parts of an open package (ECMA-376 part 2): members by path, and what a part's relations point at.
//!
//! Invariant: paths are compared in lower case, as the standard has it. Deliberately absent: content types.

use std::collections::BTreeMap;
use std::io::Read;

use quick_xml::events::Event;

use super::container::Archive;

/// The member at a path in lower case.
pub(crate) fn member<'a>(archive: &'a mut Archive<'_>, path: &str) -> Option<impl Read + 'a> {
    let at = (0..archive.len()).find(|&at| {
        archive.name_for_index(at).is_some_and(|name| {
            name.is_ok_and(|name| name.replace('\\', "/").to_lowercase() == path)
        })
    })?;
    archive.by_index(at).ok()
}

/// The parts that a part's relations point at, by their ids; paths in lower case.
pub(crate) fn targets(archive: &mut Archive<'_>, part: &str) -> BTreeMap<String, String> {
    let (folder, name) = part.split_at(part.rfind('/').map_or(0, |at| at + 1));
    let relations = format!("{folder}_rels/{name}.rels");
    pairs(archive, &relations, "Relationship", ("Id", "Target"))
        .into_iter()
        .map(|(id, target)| {
            let target = target.to_lowercase();
            let path = match target.strip_prefix('/') {
                Some(absolute) => absolute.to_owned(),
                None => format!("{folder}{target}"),
            };
            (id, path)
        })
        .collect()
}

/// Two attributes of every element of that name in a member, by their local names.
pub(crate) fn pairs(
    archive: &mut Archive<'_>,
    path: &str,
    element: &str,
    names: (&str, &str),
) -> Vec<(String, String)> {
    let Some(file) = member(archive, path) else {
        return Vec::new();
    };
    let mut xml = quick_xml::Reader::from_reader(std::io::BufReader::new(file));
    let mut found = Vec::new();
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match xml.read_event_into(&mut buffer) {
            Ok(Event::Start(e) | Event::Empty(e)) if e.local_name().as_ref() == element => {
                let value = |wanted: &str| {
                    e.attributes()
                        .with_checks(false)
                        .flatten()
                        .find(|a| a.key.local_name().as_ref() == wanted)
                        .and_then(|a| {
                            a.normalized_value(quick_xml::XmlVersion::Implicit1_0)
                                .ok()
                                .map(std::borrow::Cow::into_owned)
                        })
                };
                if let (Some(first), Some(second)) = (value(names.0), value(names.1)) {
                    found.push((first, second));
                }
            }
            Ok(Event::Eof) | Err(_) => return found,
            Ok(_) => {}
        }
    }
}
