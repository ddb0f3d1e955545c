//! Exit codes, and the last words of a command that failed.
//!
//! 0 done; 1 a watched task failed or was cancelled, or a replay decided
//! otherwise than was recorded; 2 wrong usage or
//! configuration; 3 the coordinator refused the request; 4 the coordinator (or
//! a service that a role needs) could not be reached or failed; 75 a worker
//! that wants to be restarted by its supervisor.

use std::process::ExitCode;

/// A watched task did not complete, or a replay decided otherwise.
pub(crate) const TASK_FAILED: u8 = 1;
/// The command line, the environment or the file says something impossible.
pub(crate) const USAGE: u8 = 2;
/// The coordinator understood and refused.
pub(crate) const REFUSED: u8 = 3;
/// Nobody answered, or the answer was a failure of the service.
pub(crate) const UNAVAILABLE: u8 = 4;

/// An error that knows its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The process ends with it.
    pub(crate) code: u8,
    /// What to tell the user.
    pub(crate) message: String,
}

impl Failure {
    /// A failure with this code and message.
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Writes the error to standard error and chooses the exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let code = error
        .downcast_ref::<Failure>()
        .map_or(UNAVAILABLE, |failure| failure.code);
    eprintln!("zerogate: {error:#}");
    ExitCode::from(code)
}
