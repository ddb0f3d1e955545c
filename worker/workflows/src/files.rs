//! The bytes that an input refers to, and the files that a run makes.
//!
//! An input holds bytes as [`Bytes`]: inline, or by the id of an uploaded file. A file's id is made from its content
//! ([`id_of`]), so that a result that names a file is the same on every repeat. Invariant: a run reaches bytes only
//! through [`Files`]; where they lie is its caller's business. Deliberately absent: paths, the network, caches.

use std::fmt;
use std::io::{Cursor, Read, Seek, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, Problem, Run};

/// Bytes to be read, from any place.
pub trait Source: Read + Seek + Send {}
impl<T: Read + Seek + Send> Source for T {}

/// A file under construction. What is dropped unfinished is gone.
pub trait Sink: Write + Seek + Send {
    /// Ends the file and gives it its id. Fails with [`Error::LimitExceeded`] above the run's cap on its output.
    fn finish(self: Box<Self>) -> Result<FileLink, Error>;
}

/// Where the files of a run are.
pub trait Files: Sync {
    /// Opens the file of that id. An unknown one is [`Error::Internal`]: references were checked at submission.
    fn open(&self, id: &str) -> Result<Box<dyn Source>, Error>;

    /// Begins a file that belongs to the result: a name to show and a media type.
    fn create(&self, name: &str, media_type: &str) -> Result<Box<dyn Sink>, Error>;
}

/// A file as a result names it. `{"file": ...}` is also what an input takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLink {
    /// The id, for `GET /api/files/{id}` and for inputs.
    pub file: String,
    /// SHA-256 of the content, lower-case hexadecimal.
    pub sha256: String,
    /// Length in bytes.
    pub bytes: u64,
    /// A name to show; not a path.
    pub name: String,
    /// Media type.
    pub content_type: String,
}

/// The id of a file with this SHA-256 (lower-case hexadecimal): `f-` and the hash.
#[must_use]
pub fn id_of(sha256: &str) -> String {
    format!("f-{sha256}")
}

/// Whether a text has the form of a file's id.
fn is_id(text: &str) -> bool {
    let hash = text.strip_prefix("f-").unwrap_or_default();
    hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The SHA-256 of bytes as lower-case hexadecimal.
#[must_use]
pub fn sha256_of(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Bytes as lower-case hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// Bytes in an input: an uploaded file, or inline.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bytes {
    /// Id of a file uploaded with `POST /api/files`, or of a file in a parent's result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// The bytes themselves, in Base64 (RFC 4648, padded).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_base64: Option<String>,
}

/// Neither the bytes nor what stands in place of an id: their lengths.
impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bytes")
            .field("file_length", &self.file.as_ref().map(String::len))
            .field(
                "content_base64_length",
                &self.content_base64.as_ref().map(String::len),
            )
            .finish()
    }
}

impl Bytes {
    /// The bytes, opened. `pointer` is where they stand in the input; inline ones above `cap` bytes are refused.
    pub(crate) fn open(
        &self,
        run: &Run<'_>,
        pointer: &str,
        cap: u64,
    ) -> Result<Box<dyn Source>, Error> {
        match (&self.file, &self.content_base64) {
            (Some(id), None) if is_id(id) => run.files.open(id),
            (Some(_), None) => Err(invalid(
                format!("{pointer}/file"),
                "is not the id of a file: `f-` and 64 lower-case hexadecimal digits, as POST /api/files gives it",
            )),
            (None, Some(text)) => {
                Error::cap("inline_bytes", text.len() as u64 / 4 * 3, cap, pointer)?;
                let bytes = STANDARD.decode(text).map_err(|e| {
                    invalid(
                        format!("{pointer}/content_base64"),
                        format!("is not Base64 (RFC 4648, with padding): {}", place(&e)),
                    )
                })?;
                Ok(Box::new(Cursor::new(bytes)))
            }
            _ => Err(invalid(
                pointer,
                "must have exactly one of \"file\" (the id of an uploaded file) and \"content_base64\"",
            )),
        }
    }
}

/// Where the text stops being Base64; never the text itself.
fn place(error: &base64::DecodeError) -> String {
    match error {
        base64::DecodeError::InvalidByte(at, _)
        | base64::DecodeError::InvalidLastSymbol { offset: at, .. } => {
            format!("wrong character at {at}")
        }
        base64::DecodeError::InvalidLength(length) => {
            format!("{length} characters are not a whole number of groups")
        }
        base64::DecodeError::InvalidPadding => "wrong padding".to_owned(),
    }
}

fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Error {
    Error::InvalidInput(vec![Problem::new(pointer, detail)])
}

/// No files at all: nothing can be opened; what is made is counted, hashed and forgotten.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn open(&self, _: &str) -> Result<Box<dyn Source>, Error> {
        Err(Error::Internal("this run has no files".into()))
    }

    fn create(&self, name: &str, media_type: &str) -> Result<Box<dyn Sink>, Error> {
        Ok(Box::new(Forgotten {
            content: Cursor::default(),
            name: name.to_owned(),
            content_type: media_type.to_owned(),
        }))
    }
}

struct Forgotten {
    content: Cursor<Vec<u8>>,
    name: String,
    content_type: String,
}

impl Write for Forgotten {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.content.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Seek for Forgotten {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.content.seek(to)
    }
}

impl Sink for Forgotten {
    fn finish(self: Box<Self>) -> Result<FileLink, Error> {
        let content = self.content.into_inner();
        let sha256 = sha256_of(&content);
        Ok(FileLink {
            file: id_of(&sha256),
            sha256,
            bytes: content.len() as u64,
            name: self.name,
            content_type: self.content_type,
        })
    }
}

impl fmt::Debug for dyn Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_lengths_alone() {
        let bytes = Bytes {
            file: Some("f-secret".into()),
            content_base64: Some("Y2FuYXJ5".into()),
        };
        assert_eq!(
            format!("{bytes:?}"),
            "Bytes { file_length: Some(8), content_base64_length: Some(8) }"
        );
    }

    #[test]
    fn a_malformed_id_is_the_inputs_fault() {
        let open = |file: &str| {
            let bytes = Bytes {
                file: Some(file.to_owned()),
                content_base64: None,
            };
            bytes.open(&Run::unattended(), "/book", 10).unwrap_err()
        };
        for bad in ["", "f-1", "a.xlsx", &id_of(&"A".repeat(64))] {
            let Error::InvalidInput(problems) = open(bad) else {
                panic!("{bad}")
            };
            assert_eq!(problems[0].pointer, "/book/file");
        }
        assert!(matches!(open(&id_of(&"a".repeat(64))), Error::Internal(_)));
    }
}
