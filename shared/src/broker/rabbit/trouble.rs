//! What lapin's errors mean to us.
//!
//! Invariant: only what will be answered the same again is unsuitable; all
//! else is worth another try.

use lapin::{
    ErrorKind,
    protocol::{AMQPErrorKind, AMQPSoftError},
};

use crate::broker::Error;

/// The class of an error, with what to do where that is known.
pub(super) fn classify(error: &lapin::Error, about: &str) -> Error {
    match soft(error) {
        Some(AMQPSoftError::PRECONDITIONFAILED) => Error::Unsuitable(format!(
            "{about} exists with other properties ({error}): delete it once it is empty, or set the queue type it has"
        )),
        Some(AMQPSoftError::ACCESSREFUSED) => Error::Unsuitable(format!(
            "the broker's user may not use {about} ({error}): grant configure, write and read on zerogate.*"
        )),
        _ => Error::Unavailable(error.to_string()),
    }
}

/// Whether the broker said that there is no such queue or exchange.
pub(super) fn is_not_found(error: &lapin::Error) -> bool {
    soft(error) == Some(AMQPSoftError::NOTFOUND)
}

/// The error of a channel, if it is one: the connection lives on.
fn soft(error: &lapin::Error) -> Option<AMQPSoftError> {
    match error.kind() {
        ErrorKind::ProtocolError(protocol) => match protocol.kind() {
            AMQPErrorKind::Soft(soft) => Some(soft.clone()),
            AMQPErrorKind::Hard(_) => None,
        },
        _ => None,
    }
}
