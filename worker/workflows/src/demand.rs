//! What a run of an input is likely to need, by the name of its type: for whoever admits runs.
//!
//! Each type estimates by counting (entries, rows, bytes), never by reading, so that asking is cheap. Invariant: the
//! estimates of memory lie within a factor of 2.5 of what was measured (`tests/demand.rs`). Those of durations are counts
//! of steps, times what a step took on the machine at hand: of the right order of magnitude, and not tested against a clock.

use std::time::Duration;

use serde_json::Value;

use crate::find;
use crate::imports::MAX_ROWS;

/// What a run of one input is likely to need: for planning, not a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Bytes on the heap at the peak, the input and the result as JSON values included; not the program itself.
    pub memory_bytes: u64,
    /// Threads that it can make use of, at least 1; see [`crate::Run::threads`].
    pub cores: u32,
    /// How long it takes on one core of 2020 or later.
    pub duration: Duration,
}

/// What a run of this input is likely to need. `file_bytes` is the length of all uploaded files that it names, 0 for
/// none; bytes that stand in the input itself are counted there. `None` for an unknown type, or one that cannot tell.
#[must_use]
pub fn demand(workflow_type: &str, input: &Value, file_bytes: u64) -> Option<Demand> {
    find(workflow_type).and_then(|kind| (kind.demand)(input, file_bytes))
}

/// Usual length of a row in a file of JSON lines.
const ROW_BYTES: u64 = 300;

/// The rows that an input imports: those in it are counted, those in files estimated. More than are allowed are refused
/// before they cost anything.
pub(crate) fn imported(input: &Value, file_bytes: u64) -> u64 {
    imported_into(input, file_bytes, |_| true)
}

/// The rows that an input imports into lists of some names. Uploaded files are taken to be of one size.
pub(crate) fn imported_into(input: &Value, file_bytes: u64, of: impl Fn(&str) -> bool) -> u64 {
    let imports = || input["imports"].as_array().into_iter().flatten();
    let inline = |import: &Value| import["file"]["content_base64"].as_str().map(str::len);
    let uploaded = |import: &Value| import["file"].is_object() && inline(import).is_none();
    let files = imports().filter(|i| uploaded(i)).count().max(1) as u64;
    let rows = |import: &Value| {
        let here = import["records"].as_array().map_or(0, Vec::len) as u64;
        let coded = inline(import).unwrap_or(0) as u64 / 4 * 3;
        let there = if uploaded(import) {
            file_bytes / files
        } else {
            0
        };
        here + (coded + there) / ROW_BYTES
    };
    let wanted = |import: &&Value| import["into"].as_str().is_some_and(&of);
    let all: u64 = imports().filter(wanted).map(rows).sum();
    all.min(MAX_ROWS)
}
