//! Files: what a tenant uploads, and what a run makes.
//!
//! A file is named by its content, so that a result that names one is the same
//! on every repeat. Invariant: pure. Deliberately absent: where the bytes lie
//! (`blobs`) and how long a file lives (the store).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{id::BadId, reference::escape};

/// The key that makes an object a reference to a file.
pub const KEY: &str = "file";

/// Names a file by its content: `f-` and its SHA-256 in lower-case
/// hexadecimal. The same content of two tenants is two files.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileId([u8; 32]);

impl FileId {
    /// The id of the content with this SHA-256.
    #[must_use]
    pub const fn of_sha256(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The content's SHA-256.
    #[must_use]
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.0
    }

    /// The content's SHA-256 in lower-case hexadecimal.
    #[must_use]
    pub fn hex(&self) -> String {
        use fmt::Write as _;
        self.0
            .iter()
            .fold(String::with_capacity(64), |mut text, b| {
                write!(text, "{b:02x}").expect("a string never refuses text");
                text
            })
    }

    /// The id whose [`hex`](Self::hex) this is.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digit = |b: u8| match b {
            b'0'..=b'9' => Some(b - b'0'),
            b'a'..=b'f' => Some(b - b'a' + 10),
            _ => None,
        };
        let bytes: &[u8; 64] = text.as_bytes().try_into().ok()?;
        let mut digest = [0; 32];
        for (to, pair) in digest.iter_mut().zip(bytes.chunks_exact(2)) {
            *to = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(digest))
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "f-{}", self.hex())
    }
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for FileId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let found = text.strip_prefix("f-").and_then(Self::from_hex);
        found.ok_or_else(|| {
            BadId::new(
                "file id",
                text,
                "it is `f-` and 64 lower-case hexadecimal digits",
            )
        })
    }
}

impl TryFrom<String> for FileId {
    type Error = BadId;

    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<FileId> for String {
    fn from(id: FileId) -> Self {
        id.to_string()
    }
}

/// Every reference to a file in an input, in document order: its JSON pointer
/// and the file. A reference is an object with exactly the member `file`,
/// whose value is a well-formed id; everything else is the type's own data.
#[must_use]
pub fn references(input: &Value) -> Vec<(String, FileId)> {
    let mut found = Vec::new();
    walk(input, &mut String::new(), &mut found);
    found
}

fn walk(value: &Value, at: &mut String, found: &mut Vec<(String, FileId)>) {
    let length = at.len();
    match value {
        Value::Object(object) => {
            if object.len() == 1
                && let Some(Value::String(text)) = object.get(KEY)
                && let Ok(id) = text.parse()
            {
                found.push((at.clone(), id));
                return;
            }
            for (key, child) in object {
                if child.is_object() || child.is_array() {
                    at.push('/');
                    at.push_str(&escape(key));
                    walk(child, at, found);
                    at.truncate(length);
                }
            }
        }
        Value::Array(items) => {
            for (index, child) in items.iter().enumerate() {
                if child.is_object() || child.is_array() {
                    at.push('/');
                    at.push_str(&index.to_string());
                    walk(child, at, found);
                    at.truncate(length);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_id_is_the_hash_and_nothing_else() {
        let id = FileId::of_sha256([0xa7; 32]);
        let text = id.to_string();
        assert_eq!(text, format!("f-{}", "a7".repeat(32)));
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(FileId::from_hex(&id.hex()), Some(id));
        let upper = text.to_uppercase();
        let long = format!("{text}0");
        for bad in ["", "f-", "f-a7", &text[2..], &text[..65], &upper, &long] {
            assert!(bad.parse::<FileId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_an_object_with_that_one_member_is_a_reference() {
        let id = FileId::of_sha256([1; 32]);
        let file = json!({"file": id});
        let input = json!({"a/b": [0, file], "c": {"d": file}, "e": {"file": id, "name": "x"},
            "f": {"file": "f-1"}, "g": id, "h": {"file": {"file": id}}});
        let mut found = references(&input);
        found.sort();
        assert_eq!(
            found,
            [("/a~1b/1", id), ("/c/d", id), ("/h/file", id)].map(|(at, id)| (at.to_owned(), id))
        );
        assert_eq!(references(&file), [(String::new(), id)]);
    }
}
