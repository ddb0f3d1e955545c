//! What can be set about child processes, and why the defaults are what they are.

use std::{
    ffi::OsString,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use super::ARGUMENT;

/// The settings of a pool of children.
#[derive(Clone, Debug)]
pub struct Options {
    /// What to start.
    pub program: Program,
    /// Children that wait for work at most; as many as the worker has slots.
    pub idle_max: usize,
    /// A child ends after so many runs: what a reader leaks does not grow for ever, and a start every 200 runs is
    /// lost in the noise.
    pub runs_max: u64,
    /// A child ends when it holds so many bytes more at rest than at its first rest.
    pub growth_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            program: Program::own(),
            idle_max: 10,
            runs_max: 200,
            growth_max: 128 << 20,
        }
    }
}

/// A program that serves as a child when its first argument is [`ARGUMENT`](super::ARGUMENT).
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    name: OsString,
}

impl Program {
    /// The program of this process: the very file that it was started from, also if another lies at its path by now.
    #[must_use]
    pub fn own() -> Self {
        let name = std::env::args_os().next();
        Self {
            path: PathBuf::from("/proc/self/exe"),
            name: name.unwrap_or_else(|| "zerogate".into()),
        }
    }

    /// The program at this path.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            name: path.clone().into_os_string(),
            path,
        }
    }

    /// Starts a child. It inherits nothing but its pipes: not the environment, which holds the fleet's passwords,
    /// not the working directory.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command
            .arg0(&self.name)
            .arg(ARGUMENT)
            .env_clear()
            // One arena, and large blocks mapped each alone: what a run frees goes back to the system at once, so
            // that the next run's peak is its own. (The C library stops to adapt these once they are given.)
            .env("MALLOC_ARENA_MAX", "1")
            .env("MALLOC_MMAP_THRESHOLD_", "1048576")
            .env("MALLOC_TRIM_THRESHOLD_", "1048576")
            .env("MALLOC_TOP_PAD_", "131072")
            .current_dir("/")
            // Ctrl-C at a terminal is for the worker, which then drains; it ends its children itself.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}
