//! The limits of a relationship mapping, listed in every output.
//!
//! Hard ones refuse the input, soft ones (budgets) end a search early with `truncated: true`. All are counts of
//! steps, never seconds: a time limit would make the result depend on the machine.

use serde_json::{Value, json};

/// Nodes of one network: a result of this many node records is about 100 MB of JSON, the most that a store should hold.
pub(super) const MAX_NODES: u64 = 200_000;
/// Edges of one network: 2 M edges are about 100 MB in memory.
pub(super) const MAX_EDGES: u64 = 2_000_000;
/// Targets of one query: more than anyone reads.
pub(super) const MAX_TARGETS: u64 = 1_000;
/// Simple paths counted for one target before the count is called truncated.
pub(super) const MAX_COUNTED_PATHS: u64 = 10_000;
/// Steps of the count for one target: about 50 ms.
pub(super) const MAX_COUNT_STEPS: u64 = 5_000_000;
/// Steps of the count over all targets: about a second.
pub(super) const MAX_COUNT_STEPS_ALL: u64 = 100_000_000;
/// Edge relaxations and filled layer entries of the search for paths over all targets: about ten seconds.
pub(super) const MAX_RELAXATIONS: u64 = 2_000_000_000;

pub(super) fn listed() -> Value {
    json!({
        "max_nodes": MAX_NODES,
        "max_edges": MAX_EDGES,
        "max_targets": MAX_TARGETS,
        "max_hops": 7,
        "max_counted_paths": MAX_COUNTED_PATHS,
        "max_count_steps": MAX_COUNT_STEPS,
        "max_count_steps_all": MAX_COUNT_STEPS_ALL,
        "max_relaxations": MAX_RELAXATIONS,
    })
}
