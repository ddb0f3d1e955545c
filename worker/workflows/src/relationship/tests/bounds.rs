//! What bounds the work: hubs cost no more than their ties, and every part of a search counts against its budget.

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::Run;
use crate::relationship::demand::{Query, Size};
use crate::relationship::graph::Graph;
use crate::relationship::input::Input;
use crate::relationship::{local, reach};
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

/// `edges` ties between random ones of `nodes`, of random strengths.
fn random(nodes: u32, edges: u32, seed: u64) -> Graph {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let id = |v: u32| format!("n{v:06}");
    let people: Vec<_> = (0..nodes).map(|v| json!({"id": id(v)})).collect();
    let ties: Vec<_> = (0..edges)
        .map(|_| {
            let (a, b) = (rng.random_range(0..nodes), rng.random_range(0..nodes));
            json!({"a": id(a), "b": id(b), "strength": rng.random_range(0.1..1.0)})
        })
        .collect();
    let input: Input = serde_json::from_value(json!({"nodes": people, "edges": ties})).unwrap();
    Graph::new(&input)
}

/// The estimate of a run's duration rests on these steps; their time is the machine's.
#[test]
fn a_search_takes_about_the_steps_that_it_is_said_to_need() {
    for (nodes, edges) in [(100, 300), (500, 2_000), (2_000, 20_000), (5_000, 10_000)] {
        for (max_hops, k) in [(7, 5), (7, 50), (4, 10), (2, 10)] {
            let graph = random(nodes, edges, 7);
            let mut search = Search::new(&graph, 0.0, max_hops);
            let mut listed = 0;
            let mut counted = 0;
            for target in 1..=20 {
                let found = search.best(0, target, k, &Run::unattended()).unwrap();
                listed += found.paths.len() as u64;
                let left = reach::distances(&search.back, target, search.max_hops);
                counted += reach::count_simple(&search.out, 0, &left, search.max_hops, u64::MAX).steps;
            }
            let query = Query {
                targets: 20,
                paths: k as u64,
                max_hops: max_hops.into(),
            };
            let size = Size {
                nodes: nodes.into(),
                edges: edges.into(),
            };
            let (paths, steps) = query.search(size);
            let ratio = steps as f64 / search.spent as f64;
            println!("{nodes} {edges} {max_hops} {k}: paths {paths} {listed}; {steps} {} {ratio:.2}; count {} {counted}", search.spent, query.count(size));
        }
    }
}
