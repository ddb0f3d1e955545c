//! What a run of an input is likely to need, by the name of its type: for whoever admits runs.
//!
//! Each type estimates by counting (entries, rows, bytes), never by reading, so that asking is cheap. Invariant: the
//! estimates lie within a factor of 2.5 of what was measured (`tests/demand.rs`).

use std::time::Duration;

use serde_json::Value;

use crate::find;

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

/// The rows that an input imports: those in it are counted, those in files estimated.
pub(crate) fn imported(input: &Value, file_bytes: u64) -> u64 {
    let imports = input["imports"].as_array().into_iter().flatten();
    let inline = |import: &Value| {
        import["file"]["content_base64"]
            .as_str()
            .map_or(0, str::len) as u64
    };
    let rows = |import: &Value| import["records"].as_array().map_or(0, Vec::len) as u64;
    imports
        .map(|i| rows(i) + inline(i) / 4 * 3 / ROW_BYTES)
        .sum::<u64>()
        + file_bytes / ROW_BYTES
}
