//! How a run fails, and what a caller reads about bad input.
//!
//! Invariant: messages carry places, lengths and limits, never names, ids or values of the input, for inputs are
//! personal data and messages are logged.

use serde::Serialize;

/// One thing wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// RFC 6901 pointer into the input; a key of a map is data, so it is named by its place among the sorted keys, from
    /// 0: `/aliases (key 2)`.
    pub pointer: String,
    /// What is wrong there and what is expected.
    pub detail: String,
}

impl Problem {
    pub(crate) fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            detail: detail.into(),
        }
    }
}

/// Why a run gave no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The input is wrong; permanent. Holds every problem found, sorted by pointer.
    #[error("invalid input: {}", listed(.0))]
    InvalidInput(Vec<Problem>),
    /// The input asks for more than a documented cap; permanent.
    #[error("limit exceeded at {pointer}: {limit} is {value}, at most {cap} is allowed")]
    LimitExceeded {
        /// Name of the limit, as under `limits` in an output.
        limit: String,
        /// What the input asks for.
        value: u64,
        /// What is allowed.
        cap: u64,
        /// Where in the input.
        pointer: String,
    },
    /// The run was asked to stop.
    #[error("stopped before the end")]
    Stopped,
    /// Not the input's fault; retryable.
    #[error("internal: {0}")]
    Internal(String),
}

impl Error {
    /// `Err` when `value` is above `cap`.
    pub(crate) fn cap(limit: &str, value: u64, cap: u64, pointer: &str) -> Result<(), Self> {
        if value <= cap {
            return Ok(());
        }
        Err(Self::LimitExceeded {
            limit: limit.into(),
            value,
            cap,
            pointer: pointer.into(),
        })
    }
}

/// `Ok` without problems, else all of them in a fixed order.
pub(crate) fn accept(mut problems: Vec<Problem>) -> Result<(), Error> {
    if problems.is_empty() {
        return Ok(());
    }
    problems.sort();
    problems.dedup();
    Err(Error::InvalidInput(problems))
}

/// The first problems in one line: an input of a million bad items must not make a message of a gigabyte.
fn listed(problems: &[Problem]) -> String {
    const SHOWN: usize = 5;
    let place = |p: &Problem| match p.pointer.as_str() {
        "" => "(whole input)".to_owned(),
        pointer => pointer.to_owned(),
    };
    let mut parts: Vec<String> = problems
        .iter()
        .take(SHOWN)
        .map(|p| format!("{}: {}", place(p), p.detail))
        .collect();
    if problems.len() > SHOWN {
        parts.push(format!("and {} more", problems.len() - SHOWN));
    }
    parts.join("; ")
}
