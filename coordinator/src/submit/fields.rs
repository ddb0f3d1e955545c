//! Takes a JSON object apart, member by member, and remembers every problem.
//!
//! Invariant: a member that is `null` counts as absent; a member that nobody
//! asked for is a problem. No problem repeats a value: payloads do not belong
//! in messages.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use shared::{
    model::{Stamp, reference::escape},
    schema::Complaint,
};

/// One problem of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// JSON pointer of the place.
    pub(crate) pointer: String,
    /// What is wrong and what to write instead.
    pub(crate) detail: String,
}

impl Finding {
    pub(crate) fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            detail: detail.into(),
        }
    }

    /// The same problem, seen from a document in which this one stands at `at`.
    pub(crate) fn inside(mut self, at: &str) -> Self {
        self.pointer.insert_str(0, at);
        self
    }
}

impl From<Complaint> for Finding {
    fn from(complaint: Complaint) -> Self {
        Self::new(complaint.pointer, complaint.detail)
    }
}

/// An object that is being taken apart.
#[derive(Debug)]
pub(crate) struct Fields {
    members: Map<String, Value>,
    at: String,
    findings: Vec<Finding>,
}

impl Fields {
    /// Takes an object apart that stands at `at`. Anything else is a problem,
    /// and reads as an object without members.
    pub(crate) fn of(value: Value, at: &str) -> Self {
        let (members, findings) = match value {
            Value::Object(members) => (members, Vec::new()),
            other => {
                let detail = format!("must be an object, not {}", kind_of(&other));
                (Map::new(), vec![Finding::new(at, detail)])
            }
        };
        Self {
            members,
            at: at.to_owned(),
            findings,
        }
    }

    /// Remembers a problem with a member.
    pub(crate) fn flaw(&mut self, key: &str, detail: impl Into<String>) {
        let pointer = format!("{}/{}", self.at, escape(key));
        self.findings.push(Finding::new(pointer, detail));
    }

    /// Whether the member is there and not null.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.members.get(key).is_some_and(|value| !value.is_null())
    }

    /// A member of any kind; null counts as absent.
    pub(crate) fn any(&mut self, key: &str) -> Option<Value> {
        self.members.remove(key).filter(|value| !value.is_null())
    }

    /// A member of any kind, null included.
    pub(crate) fn raw(&mut self, key: &str) -> Option<Value> {
        self.members.remove(key)
    }

    /// A string.
    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        match self.any(key)? {
            Value::String(text) => Some(text),
            other => {
                self.wrong(key, "a string", &other);
                None
            }
        }
    }

    /// A string of 1 to `max` characters.
    pub(crate) fn short_text(&mut self, key: &str, max: usize) -> Option<String> {
        let text = self.text(key)?;
        if (1..=max).contains(&text.chars().count()) {
            return Some(text);
        }
        self.flaw(key, format!("must have 1 to {max} characters"));
        None
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, key: &str) -> Option<bool> {
        match self.any(key)? {
            Value::Bool(flag) => Some(flag),
            other => {
                self.wrong(key, "true or false", &other);
                None
            }
        }
    }

    /// A whole number within bounds, bounds included.
    pub(crate) fn whole(&mut self, key: &str, least: u64, most: u64) -> Option<u64> {
        let value = self.any(key)?;
        match value.as_u64() {
            Some(number) if (least..=most).contains(&number) => Some(number),
            _ => {
                self.flaw(
                    key,
                    format!("must be a whole number from {least} to {most}"),
                );
                None
            }
        }
    }

    /// A number.
    pub(crate) fn number(&mut self, key: &str) -> Option<f64> {
        let value = self.any(key)?;
        let number = value.as_f64();
        if number.is_none() {
            self.wrong(key, "a number", &value);
        }
        number
    }

    /// A point in time.
    pub(crate) fn time(&mut self, key: &str) -> Option<Stamp> {
        let value = self.any(key)?;
        let stamp = serde_json::from_value(value).ok();
        if stamp.is_none() {
            self.flaw(key, "must be an RFC 3339 time such as 2026-11-23T03:01:02Z");
        }
        stamp
    }

    /// One of a closed set of words.
    pub(crate) fn word<T: DeserializeOwned>(&mut self, key: &str, words: &str) -> Option<T> {
        let value = self.any(key)?;
        let word = serde_json::from_value(value).ok();
        if word.is_none() {
            self.flaw(key, format!("must be one of {words}"));
        }
        word
    }

    /// A list.
    pub(crate) fn list(&mut self, key: &str) -> Option<Vec<Value>> {
        match self.any(key)? {
            Value::Array(items) => Some(items),
            other => {
                self.wrong(key, "a list", &other);
                None
            }
        }
    }

    /// An object, to be taken apart on its own.
    pub(crate) fn object(&mut self, key: &str) -> Option<Fields> {
        let value = self.any(key)?;
        Some(Fields::of(value, &format!("{}/{}", self.at, escape(key))))
    }

    /// The names of members that begin with `prefix`.
    pub(crate) fn names(&self, prefix: &str) -> Vec<String> {
        let names = self.members.keys();
        names
            .filter(|key| key.starts_with(prefix))
            .cloned()
            .collect()
    }

    /// The members that nobody has asked for yet.
    pub(crate) fn rest(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.members)
    }

    /// Takes over the problems of a part.
    pub(crate) fn absorb(&mut self, part: Fields) {
        self.findings.extend(part.finish());
    }

    /// Takes over problems found elsewhere.
    pub(crate) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
    }

    /// All problems; whatever was not asked for is one.
    pub(crate) fn finish(mut self) -> Vec<Finding> {
        for key in std::mem::take(&mut self.members).keys() {
            self.flaw(key, "is not a known field");
        }
        self.findings
    }

    fn wrong(&mut self, key: &str, expected: &str, value: &Value) {
        self.flaw(key, format!("must be {expected}, not {}", kind_of(value)));
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
