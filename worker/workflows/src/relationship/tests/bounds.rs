//! What bounds the work: hubs cost no more than their ties, and every part of a search counts against its budget.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::Run;
use crate::relationship::graph::Graph;
use crate::relationship::input::Input;
use crate::relationship::local;
use crate::relationship::paths::Search;
use crate::relationship::triads::Triads;

/// `leaves` of a hub and `loners` beside them.
fn star(leaves: usize, loners: usize) -> Graph {
    let nodes = (0..leaves + loners).map(|i| json!({"id": format!("n{i:06}")}));
    let nodes: Vec<_> = nodes.chain([json!({"id": "hub"})]).collect();
    let edges: Vec<_> = (0..leaves)
        .map(|i| json!({"a": "hub", "b": format!("n{i:06}"), "strength": 0.5}))
        .collect();
    let input: Input = serde_json::from_value(json!({"nodes": nodes, "edges": edges})).unwrap();
    Graph::new(&input)
}

/// Reading the hub's row once per leaf would be 4e10 steps, hundreds of seconds on any machine.
#[test]
fn a_hub_is_not_read_once_per_leaf() {
    let leaves = 199_999;
    let graph = star(leaves, 0);
    let started = Instant::now();
    let run = Run {
        stop: &|| started.elapsed() > Duration::from_mins(1),
        ..Run::unattended()
    };
    let triads = Triads::new(&graph, &graph.out, &graph.back, &run).unwrap();
    assert_eq!((triads.closed, triads.triples), (0, 199_999 * 199_998 / 2));
    let holes = local::holes(&graph.mutual, &run).unwrap();
    let hub = graph.position("hub").unwrap() as usize;
    assert_eq!(holes.effective_size[hub], Some(leaves as f64));
    assert_eq!(holes.constraint[graph.n() - 1], Some(1.0));
}

#[test]
fn filled_layers_count_against_the_budget_of_a_search() {
    let graph = star(3, 1_000);
    let [source, target] = ["n000000", "n000001"].map(|id| graph.position(id).unwrap());
    let mut search = Search::new(&graph, 0.0, 7);
    search.budget = 5_000;
    // Seven layers of 1,004 nodes are above the budget; a search that has begun still lists its best path.
    let first = search.best(source, target, 5, &Run::unattended()).unwrap();
    assert_eq!((first.paths.len(), first.truncated), (1, true));
    let second = search.best(source, target, 5, &Run::unattended()).unwrap();
    assert_eq!((second.paths.len(), second.truncated), (0, true));
}
