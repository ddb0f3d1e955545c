//! What a team implements: a [`Handler`] for each of its workflow types.
//!
//! Invariant: a handler sees one run's input and a few means to watch and be
//! watched. It never sees the store, the broker or another task.
//!
//! Deliberately absent: retries, timeouts, dependencies. They are the
//! worker's; a handler only says what came out.

mod description;
mod run;

use std::fmt;

use async_trait::async_trait;
use serde_json::Value;
use shared::{model::ErrorCode, store::query::TypeInfo};

pub use description::{Description, describe};
pub use run::{Control, Run};
pub(crate) use run::{Tether, Why};

/// Runs the tasks of one workflow type.
///
/// The work should be a pure function of its input: the same task may run
/// again after a lost worker. Work that burns CPU for more than a millisecond
/// belongs in [`Run::blocking`].
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// The type: its name, schema and defaults. Asked once, when the handler
    /// is registered. [`describe`] makes one with sane defaults.
    fn describe(&self) -> TypeInfo;

    /// What is wrong with an input after its references were replaced; the
    /// run does not start unless this is empty. By default nothing is: `run`
    /// validates for itself.
    fn validate(&self, _input: &Value) -> Vec<Problem> {
        Vec::new()
    }

    /// Does the work. Dropped where it waits if it exceeds its timeout, or if
    /// it goes on for longer than the grace after it was asked to stop.
    async fn run(&self, run: Run) -> Result<Value, HandlerError>;
}

/// One thing wrong with an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// JSON pointer (RFC 6901) into the input; empty for the whole.
    pub pointer: String,
    /// What is wrong there and what to write instead. No payload.
    pub detail: String,
}

/// Why a run gave no result. The code alone decides whether another attempt
/// may help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerError {
    code: ErrorCode,
    message: String,
}

impl HandlerError {
    /// Longer messages are cut: an input with a million faults must not make a
    /// record of a gigabyte.
    pub const MESSAGE_MAX: usize = 2000;

    /// The input is wrong at this JSON pointer. Never tried again.
    pub fn invalid_input(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid_inputs(&[Problem {
            pointer: pointer.into(),
            detail: detail.into(),
        }])
    }

    /// The input is wrong in all these places. Never tried again.
    #[must_use]
    pub fn invalid_inputs(problems: &[Problem]) -> Self {
        Self::new(ErrorCode::InvalidInput, listed(problems))
    }

    /// The input asks for more than a documented bound. Never tried again.
    pub fn limit_exceeded(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::LimitExceeded, message.into())
    }

    /// The work failed for a reason of its own; tried again while attempts
    /// last.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::HandlerError, message.into())
    }

    /// A bug, or a fault of the platform; tried again while attempts last.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Internal, message.into())
    }

    /// The run ended early because it was asked to. What becomes of the task
    /// is decided by whoever asked.
    #[must_use]
    pub fn stopped() -> Self {
        Self::internal("the run stopped before its end")
    }

    /// An error of the worker's own finding.
    pub(crate) fn of(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::new(code, message.into())
    }

    /// The reason, from the closed set.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// One sentence for a person.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    fn new(code: ErrorCode, mut message: String) -> Self {
        shorten(&mut message, Self::MESSAGE_MAX);
        Self { code, message }
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for HandlerError {}

/// Every problem with its place, as many as fit into a message.
fn listed(problems: &[Problem]) -> String {
    /// Room for "; and 1000000 more" and the cut.
    const ROOM: usize = HandlerError::MESSAGE_MAX - 40;
    let mut text = String::new();
    for (shown, problem) in problems.iter().enumerate() {
        let place = match problem.pointer.as_str() {
            "" => "the input",
            pointer => pointer,
        };
        let line = format!("{place}: {}", problem.detail);
        if shown > 0 && text.len() + line.len() + 2 > ROOM {
            let more = format!("; and {} more", problems.len() - shown);
            text.push_str(&more);
            break;
        }
        if shown > 0 {
            text.push_str("; ");
        }
        text.push_str(&line);
        shorten(&mut text, ROOM);
    }
    text
}

/// Cuts a text to at most `max` bytes, at a character's edge.
pub(crate) fn shorten(text: &mut String, max: usize) {
    if text.len() > max {
        let mut end = max.saturating_sub('…'.len_utf8());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_listed_with_its_place_while_there_is_room() {
        let problem = |i: usize| Problem {
            pointer: format!("/items/{i}"),
            detail: "must be a number".into(),
        };
        let few: Vec<_> = (0..3).map(problem).collect();
        assert_eq!(
            HandlerError::invalid_inputs(&few).message(),
            "/items/0: must be a number; /items/1: must be a number; /items/2: must be a number"
        );
        let many: Vec<_> = (0..100_000).map(problem).collect();
        let error = HandlerError::invalid_inputs(&many);
        assert!(error.message().len() <= HandlerError::MESSAGE_MAX);
        assert!(error.message().ends_with(" more"), "{}", error.message());
    }

    #[test]
    fn a_long_message_is_cut_at_the_edge_of_a_character() {
        let error = HandlerError::failed("ä".repeat(5000));
        assert!(error.message().len() <= HandlerError::MESSAGE_MAX);
        assert!(error.message().ends_with('…'));
    }
}
