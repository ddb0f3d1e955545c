//! What an input is likely to need, from the lengths of its lists and its settings alone.
//!
//! Invariant: no estimate exceeds what the budgets of `limits` let a run spend. Deliberately absent: the shape of the
//! network; how far a search spreads is that of networks whose ties lie at random (`tests/bounds.rs` counts).

use std::time::Duration;

use serde_json::Value;

use super::input::{Metric, Params};
use super::limits::{MAX_COUNT_STEPS_ALL, MAX_COUNTED_PATHS, MAX_RELAXATIONS};
use crate::Demand;
use crate::demand::imported_into;

/// Bytes per node, mostly its part of the result, and per edge.
const NODE_BYTES: u64 = 4_096;
const EDGE_BYTES: u64 = 1_024;
/// Bytes of a listed path of three or four ties: each tie is told with its ends and five numbers.
const PATH_BYTES: u64 = 10_000;
/// Bytes that the smallest run takes.
const BASE_BYTES: u64 = 128 << 10;
/// Nanoseconds to read and lay out a node or edge, with the metrics that look at neighbours alone.
const ENTRY_NANOS: u64 = 20_000;
/// Nanoseconds of a step of a sweep by hops: one source and one edge.
const HOP_NANOS: u64 = 20;
/// Nanoseconds of a step of a sweep by strength, which keeps its nodes in a heap.
const LENGTH_NANOS: u64 = 100;
/// Nanoseconds of an edge relaxation or a filled layer entry of the search for paths.
const RELAXATION_NANOS: u64 = 5;
/// Nanoseconds of a step of the count of simple paths.
const COUNT_NANOS: u64 = 10;
/// Imported edges for each node that they make: people in such tables have some ten ties each, and a tie has two ends.
const EDGES_PER_NODE: u64 = 5;
/// Ties that the first of the best paths have; a search starts anew from each node of a path but the last.
const USUAL_HOPS: u64 = 4;
/// Times that a search relaxes each arc: a better way of more hops opens its end anew.
const ROUNDS: u64 = 2;

/// How large the network is, imported rows included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) nodes: u64,
    pub(super) edges: u64,
}

impl Size {
    fn of(input: &Value, file_bytes: u64) -> Self {
        let length = |name: &str| input[name].as_array().map_or(0, Vec::len) as u64;
        let rows = |list: &str| imported_into(input, file_bytes, |into| into == list);
        let edges = rows("edges");
        Self {
            nodes: length("nodes") + rows("nodes") + edges / EDGES_PER_NODE,
            edges: length("edges") + edges,
        }
    }
}

/// What an input is likely to need: all-pairs metrics cost nodes x edges up to `params.exact_limit`, paths a few searches
/// of the network each.
pub(crate) fn demand(input: &Value, file_bytes: u64) -> Demand {
    let size = Size::of(input, file_bytes);
    let query = Query::of(&input["query"]);
    let (paths, relaxations) = query.search(size);
    let nanos = sweeps(input, size)
        + RELAXATION_NANOS * relaxations
        + COUNT_NANOS * query.count(size)
        + ENTRY_NANOS * (size.nodes + size.edges);
    Demand {
        memory_bytes: BASE_BYTES
            + NODE_BYTES * size.nodes
            + EDGE_BYTES * size.edges
            + PATH_BYTES * paths,
        cores: 1,
        duration: Duration::from_millis(5) + Duration::from_nanos(nanos),
    }
}

/// Nanoseconds of the traversals from every node, or from the pivots that the limit pays for; see `metrics::distances`.
fn sweeps(input: &Value, size: Size) -> u64 {
    let params = &input["params"];
    let limit = params["exact_limit"].as_u64();
    let limit = limit.unwrap_or_else(|| Params::default().exact_limit);
    let weighted = params["weighted"].as_bool().unwrap_or(false);
    let wants = |metric: Metric| {
        let name = serde_json::to_value(metric).unwrap_or_default();
        input["metrics"].as_array().is_none_or(|m| m.contains(&name))
    };
    let all = size.nodes.saturating_mul(size.edges);
    let exact = all <= limit;
    let between = wants(Metric::Betweenness);
    let hops = exact || (between && !weighted);
    let lengths = weighted && (between || (exact && wants(Metric::Closeness)));
    // One pivot is always paid for.
    let steps = all.min(limit.max(size.edges));
    let nanos = if hops { HOP_NANOS } else { 0 } + if lengths { LENGTH_NANOS } else { 0 };
    steps * nanos
}

/// What is asked about paths.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query {
    pub(super) targets: u64,
    /// Paths wanted to each.
    pub(super) paths: u64,
    pub(super) max_hops: u64,
}

impl Query {
    /// Without a query it asks about no target. What is above the caps is refused before it costs anything.
    fn of(query: &Value) -> Self {
        let number = |name: &str, usual: u64, most: u64| {
            query[name].as_u64().unwrap_or(usual).clamp(1, most)
        };
        Self {
            targets: query["targets"].as_array().map_or(0, Vec::len) as u64,
            paths: number("k_paths", 5, 100),
            max_hops: number("max_hops", 7, 7),
        }
    }

    /// Paths that are likely to be listed, and steps of the search for them, as [`super::paths::Search`] counts them.
    pub(super) fn search(self, size: Size) -> (u64, u64) {
        // From the i-th node of a path on, one hop less is left each time, and one layer is for no hop.
        let spurs = self.max_hops.min(USUAL_HOPS);
        let layers: u64 = (0..spurs).map(|i| self.max_hops - i).sum();
        let relaxed = spurs * ROUNDS * 2 * size.edges;
        let one = (layers * size.nodes + relaxed).max(1);
        let paths = (self.targets * self.paths).min(MAX_RELAXATIONS / one + self.targets.min(1));
        (paths, (paths * one).min(MAX_RELAXATIONS))
    }

    /// Steps of the count of simple paths.
    pub(super) fn count(self, size: Size) -> u64 {
        // Whoever lies on a counted path is left by all of its ties.
        let ties = 2 * size.edges / size.nodes.max(1);
        (self.targets * MAX_COUNTED_PATHS * ties).min(MAX_COUNT_STEPS_ALL)
    }
}
