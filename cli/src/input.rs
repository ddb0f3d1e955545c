//! The input of a workflow as the command line gives it: a JSON document, single members, files.
//!
//! Invariant: files are named in an input as `{"file": <id>}`; who makes ids of paths (an upload, a hash) is the
//! caller's business. Places are members divided by dots.

use std::{
    fs,
    io::{IsTerminal, Read},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

use crate::{
    arguments::Given,
    exit::{Failure, USAGE},
};

/// An input whose files are still paths.
#[derive(Debug)]
pub(crate) struct Drafted {
    /// The input without the files of `--file`.
    pub(crate) value: Value,
    /// Places and paths.
    pub(crate) files: Vec<(String, PathBuf)>,
}

/// Where a type's bytes stand in its input.
fn usual_place(workflow_type: &str) -> Option<&'static str> {
    match workflow_type {
        "excel_processing" => Some("workbook"),
        "email_analysis" => Some("source.data"),
        "diagnostic.child" => Some("data"),
        _ => None,
    }
}

/// Reads what the arguments say of a type's input; `base` stands where they name no document.
pub(crate) fn read(
    given: &Given,
    workflow_type: &str,
    base: Option<Value>,
) -> Result<Drafted, Failure> {
    let alone = !given.file.is_empty() || !given.param.is_empty() || base.is_some();
    let mut value = match &given.input {
        Some(path) => parsed(&text_of(path)?, path)?,
        None if alone => base.unwrap_or_else(|| json!({})),
        None if std::io::stdin().is_terminal() => json!({}),
        None => parsed(&text_of(Path::new("-"))?, Path::new("-"))?,
    };
    for text in &given.param {
        let wrong = || usage(format!("--param {text}: write FIELD=VALUE"));
        let (place, given) = text.split_once('=').ok_or_else(wrong)?;
        let given = serde_json::from_str(given).unwrap_or_else(|_| given.into());
        put(&mut value, place, given)?;
    }
    let files = given.file.iter().map(|text| file(text, workflow_type));
    Ok(Drafted {
        value,
        files: files.collect::<Result<_, _>>()?,
    })
}

/// `PATH`, or `FIELD=PATH`; a file whose very name has a `=` is a path.
fn file(text: &str, workflow_type: &str) -> Result<(String, PathBuf), Failure> {
    let is_place = |place: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        !place.is_empty() && place.chars().all(plain)
    };
    if let Some((place, path)) = text.split_once('=')
        && is_place(place)
        && !Path::new(text).exists()
    {
        return Ok((place.to_owned(), path.into()));
    }
    let place = usual_place(workflow_type).ok_or_else(|| {
        usage(format!(
            "--file {text}: {workflow_type} has no usual place for a file; write FIELD=PATH"
        ))
    })?;
    Ok((place.to_owned(), text.into()))
}

/// Puts a value at a place, making the objects on the way.
pub(crate) fn put(input: &mut Value, place: &str, value: Value) -> Result<(), Failure> {
    let mut at = input;
    for member in place.split('.') {
        if at.is_null() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(members) = at else {
            return Err(usage(format!("{place}: there is no object to put it into")));
        };
        at = members.entry(member).or_insert(Value::Null);
    }
    *at = value;
    Ok(())
}

fn parsed(text: &str, path: &Path) -> Result<Value, Failure> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    serde_json::from_str(text)
        .map_err(|error| usage(format!("{} is not JSON: {error}", name_of(path))))
}

/// A path as a person reads it.
pub(crate) fn name_of(path: &Path) -> String {
    if path.as_os_str() == "-" {
        "standard input".into()
    } else {
        path.display().to_string()
    }
}

/// The text of a file; `-` is standard input.
pub(crate) fn text_of(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().read_to_string(&mut text).map(drop)
    } else {
        fs::read_to_string(path).map(|content| text = content)
    };
    read.map_err(|error| usage(format!("{}: {error}", name_of(path))))?;
    Ok(text)
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::new(USAGE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_files_find_their_places() {
        let given = Given {
            input: None,
            file: vec!["book.xlsx".into(), "extra.list=a=b.csv".into()],
            param: vec!["header=2".into(), "source.kind=mbox".into()],
        };
        let drafted = read(&given, "excel_processing", None).unwrap();
        assert_eq!(
            drafted.value,
            json!({"header": 2, "source": {"kind": "mbox"}})
        );
        let files = [("workbook", "book.xlsx"), ("extra.list", "a=b.csv")];
        let files = files.map(|(place, path)| (place.to_owned(), PathBuf::from(path)));
        assert_eq!(drafted.files, files);
        let mut value = json!({"a": 1});
        assert!(put(&mut value, "a.b", json!(2)).is_err());
        assert!(read(&given, "grant_timeline", None).is_err());
    }
}
