//! Reading what scripts answer.
//!
//! Invariant: an answer of the wrong shape is [`Error::Corrupt`], never a
//! panic.

use redis::Value;

use crate::{
    model::{Route, Stamp, TaskId, TaskState},
    store::{Error, Result},
};

use super::keys;

/// The parts of an answer, taken one by one from the front.
pub(super) struct Items(std::vec::IntoIter<Value>);

fn wrong(what: &str) -> Error {
    Error::Corrupt(format!("an answer without {what} where one was due"))
}

/// A text, if the value is one.
pub(super) fn text(value: Value) -> Result<String> {
    match value {
        Value::BulkString(bytes) => {
            String::from_utf8(bytes).map_err(|_| Error::Corrupt("text that is not UTF-8".into()))
        }
        Value::SimpleString(text) => Ok(text),
        _ => Err(wrong("a text")),
    }
}

fn is_nothing(value: &Value) -> bool {
    matches!(value, Value::Nil | Value::Boolean(false))
}

impl Items {
    /// The parts of a list.
    pub(super) fn of(value: Value) -> Result<Self> {
        match value {
            Value::Array(items) => Ok(Self(items.into_iter())),
            _ => Err(wrong("a list")),
        }
    }

    /// The parts of a list, or `None` where the script said nothing.
    pub(super) fn maybe(value: Value) -> Result<Option<Self>> {
        if is_nothing(&value) {
            Ok(None)
        } else {
            Self::of(value).map(Some)
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.as_slice().is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn value(&mut self) -> Result<Value> {
        self.0.next().ok_or_else(|| wrong("another part"))
    }

    /// The next `n` parts.
    pub(super) fn take(&mut self, n: usize) -> Result<Self> {
        if n > self.len() {
            return Err(wrong("so many parts"));
        }
        let parts: Vec<_> = self.0.by_ref().take(n).collect();
        Ok(Self(parts.into_iter()))
    }

    pub(super) fn items(&mut self) -> Result<Self> {
        Self::of(self.value()?)
    }

    pub(super) fn text(&mut self) -> Result<String> {
        text(self.value()?)
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>> {
        match self.value()? {
            Value::BulkString(bytes) => Ok(bytes),
            _ => Err(wrong("bytes")),
        }
    }

    pub(super) fn maybe_text(&mut self) -> Result<Option<String>> {
        let value = self.value()?;
        if is_nothing(&value) {
            Ok(None)
        } else {
            text(value).map(Some)
        }
    }

    pub(super) fn int(&mut self) -> Result<i64> {
        match self.value()? {
            Value::Int(number) => Ok(number),
            _ => Err(wrong("a number")),
        }
    }

    pub(super) fn small(&mut self) -> Result<u32> {
        u32::try_from(self.int()?).map_err(|_| wrong("a small number"))
    }

    pub(super) fn id(&mut self) -> Result<TaskId> {
        id(&self.bytes()?)
    }
}

/// A task's id, by its bytes.
pub(super) fn id(bytes: &[u8]) -> Result<TaskId> {
    let bytes = bytes.try_into().map_err(|_| wrong("a task id"))?;
    Ok(TaskId::from_bytes(bytes))
}

/// A number written as text.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| wrong("a number as text"))
}

/// A time written as text.
pub(super) fn stamp(text: &str) -> Result<Stamp> {
    number(text).map(Stamp::from_micros)
}

/// A state by its letter.
pub(super) fn state(letter: char) -> Result<TaskState> {
    TaskState::from_letter(letter).ok_or_else(|| wrong("a state"))
}

/// The routes of a hint, the most urgent first.
pub(super) fn hint(items: Items) -> Result<Vec<Route>> {
    let mut routes = items
        .0
        .map(|value| keys::parse_route(&text(value)?))
        .collect::<Result<Vec<_>>>()?;
    routes.sort_unstable();
    Ok(routes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_shape_is_an_error() {
        let mut items = Items::of(Value::Array(vec![Value::Int(1), Value::Nil])).unwrap();
        assert!(items.text().is_err());
        assert_eq!(items.maybe_text().unwrap(), None);
        assert!(items.int().is_err(), "nothing is left");
        assert!(Items::of(Value::Int(1)).is_err());
        assert!(id(b"x").is_err() && state('?').is_err() && stamp("soon").is_err());
    }

    #[test]
    fn a_hint_is_sorted_by_urgency() {
        let value = Value::Array(
            ["2:a", "0:b", "2:A"]
                .map(|t| Value::BulkString(t.into()))
                .into(),
        );
        assert!(hint(Items::of(value).unwrap()).is_err(), "a bad route");
        let value = Value::Array(["2:a", "0:b"].map(|t| Value::BulkString(t.into())).into());
        let routes = hint(Items::of(value).unwrap()).unwrap();
        assert_eq!(routes[0].to_string(), "b.critical");
    }
}
