//! What a run may use from outside its input: a stop request, a place for progress, one decision.
//!
//! Nothing here changes a result's bytes except `advanced`, which the output records, the contents of files, and the
//! tenant's contact key. Deliberately absent: deadlines and clocks; whoever calls decides when to stop.

use std::num::NonZeroUsize;

use crate::{Error, Files, files::NoFiles};

/// The surroundings of one run.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// Answers true once the run should end early; asked every few thousand steps.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// Takes the finished fraction in `[0, 1]` and what is being done.
    pub progress: &'a (dyn Fn(f64, &str) + Sync),
    /// Whether the expensive optional parts (feature `advanced_analytics`) are computed.
    pub advanced: bool,
    /// How many threads it may compute on at once, the calling one included; whoever grants cores sets it.
    pub threads: NonZeroUsize,
    /// Where the files of the input are, and those of the result go.
    pub files: &'a dyn Files,
    /// The tenant's secret by which people are named in results: HMAC-SHA-256 of an address under this key.
    pub contact_key: &'a [u8; 32],
}

impl Run<'_> {
    /// A run that nobody stops or watches, with all optional parts, all cores of the machine, no files and an open
    /// contact key: for a person's single run, and for tests.
    #[must_use]
    pub fn unattended() -> Run<'static> {
        Run {
            stop: &never,
            progress: &ignore,
            advanced: true,
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            files: &NoFiles,
            contact_key: &[0; 32],
        }
    }

    /// `Err(Error::Stopped)` once the run should end.
    pub fn check(&self) -> Result<(), Error> {
        if (self.stop)() {
            Err(Error::Stopped)
        } else {
            Ok(())
        }
    }

    /// Reports progress, and ends the run if asked to.
    pub(crate) fn step(&self, fraction: f64, doing: &str) -> Result<(), Error> {
        (self.progress)(fraction, doing);
        self.check()
    }
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("advanced", &self.advanced)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

fn never() -> bool {
    false
}

fn ignore(_: f64, _: &str) {}
