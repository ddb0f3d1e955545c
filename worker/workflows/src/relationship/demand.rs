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
/// Bytes of a listed path: 5 KB with three ties, 10 KB with seven, for each is told with its ends and its numbers.
const PATH_BYTES: u64 = 7_000;
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
/// Ties that the best paths of most networks have; a search starts anew from each node of a path but the last.
const USUAL_HOPS: u64 = 4;

/// How large the network is, imported rows included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) nodes: u64,
    pub(super) edges: u64,
}

impl Size {
    /// Walks of so many hops from a node, by the mean number of ties.
    fn walks(self, hops: u64) -> u64 {
        let ties = (2 * self.edges).div_ceil(self.nodes.max(1));
        (0..hops).fold(1, |walks: u64, _| walks.saturating_mul(ties))
    }

    /// Those of them that end at one given node.
    fn meetings(self, targets: u64, hops: u64) -> u64 {
        targets.saturating_mul(self.walks(hops)) / self.nodes.max(1)
    }

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
        input["metrics"]
            .as_array()
            .is_none_or(|m| m.contains(&name))
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
        // Layers are filled for each number of hops that are left, and every arc within that reach is relaxed about once.
        let from = |hops: u64| {
            let arcs = size.walks(hops).saturating_mul(2).min(2 * size.edges);
            (hops + 1) * size.nodes + arcs
        };
        let first = from(self.max_hops - 1);
        let spurs = self.max_hops.min(USUAL_HOPS);
        let next: u64 = (1..=spurs).map(|i| from(self.max_hops - i)).sum();
        let met = size.meetings(self.targets, self.max_hops);
        let paths = met.clamp(self.targets, self.targets * self.paths);
        // A search that has begun when the budget is spent still ends.
        let afforded = MAX_RELAXATIONS / next.max(1) + self.targets.min(1);
        let steps = self.targets * first + (paths - self.targets) * next;
        (paths.min(afforded), steps.min(MAX_RELAXATIONS))
    }

    /// Steps of the count of simple paths.
    pub(super) fn count(self, size: Size) -> u64 {
        let met = size.meetings(self.targets, self.max_hops);
        let counted = met.min(self.targets * MAX_COUNTED_PATHS);
        (counted * USUAL_HOPS).min(MAX_COUNT_STEPS_ALL)
    }
}
