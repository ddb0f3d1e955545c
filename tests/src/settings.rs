//! What the harness takes from its surroundings: the program under test, and a broker that is shared by a whole run.
//!
//! The only file that reads environment variables. A missing piece is an error that says what to do; nothing is
//! skipped in silence.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// Names the `zerogate` binary to test; unset means the one built beside the test executable.
pub const PROGRAM: &str = "ZEROGATE_BIN";

/// Names the file that describes the broker shared by this run; set by the `with-broker` program.
pub const SHARED_BROKER: &str = "ZEROGATE_TEST_BROKER";

/// The real `zerogate` binary: `ZEROGATE_BIN`, else `target/<profile>/zerogate` beside the test executable.
pub fn program() -> Result<PathBuf> {
    built("zerogate", PROGRAM)
}

/// A binary that lies in the same profile directory as the running test, or where the variable points.
pub fn built(name: &str, variable: &str) -> Result<PathBuf> {
    if let Some(path) = variable_of(variable) {
        let path = PathBuf::from(path);
        if path.is_file() {
            return Ok(path);
        }
        bail!("{variable} names {}, which is not a file", path.display());
    }
    let test = std::env::current_exe().context("find the running test executable")?;
    // target/<profile>/deps/<test> or target/<profile>/<program>: the binary is one or two folders up.
    for folder in test.ancestors().skip(1).take(2) {
        let candidate = folder.join(name);
        if candidate.is_file() {
            return Ok(candidate);
        }
    }
    bail!(
        "no {name} binary beside {}: run `cargo build --bins --examples` first (tests/run does), or set {variable}",
        test.display()
    )
}

/// The description of the broker shared by this run, if there is one.
#[must_use]
pub fn shared_broker() -> Option<PathBuf> {
    variable_of(SHARED_BROKER).map(PathBuf::from)
}

/// The search path for programs, handed on to children whose environment is otherwise empty.
#[must_use]
pub fn search_path() -> OsString {
    variable_of("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".into())
}

/// Finds an executable on the search path, and then in the places where distributions hide servers.
#[must_use]
pub fn executable(name: &str, also: &[PathBuf]) -> Option<PathBuf> {
    let path = search_path();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .chain(also.iter().cloned())
        .find(|candidate| candidate.is_file())
}

fn variable_of(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
