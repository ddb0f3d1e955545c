//! What bounds the work: hubs cost no more than their ties, and every part of a search counts against its budget.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::Run;
use crate::relationship::demand::{Query, Size};
use crate::relationship::graph::Graph;
use crate::relationship::input::Input;
use crate::relationship::paths::Search;
use crate::relationship::triads::Triads;
use crate::relationship::{local, reach};

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
    let mut wrong = Vec::new();
    for (nodes, edges) in [(100, 300), (500, 2_000), (1_000, 10_000), (5_000, 10_000)] {
        let graph = random(nodes, edges, 7);
        let (nodes, edges) = (nodes.into(), edges.into());
        for (max_hops, paths) in [(7, 5), (7, 30), (4, 10), (2, 10)] {
            let query = Query {
                targets: 20,
                paths,
                max_hops,
            };
            let (searched, counted, listed) = taken(&graph, query);
            let (said_listed, said) = query.search(Size { nodes, edges });
            let said_counted = query.count(Size { nodes, edges });
            let line = format!(
                "{nodes} nodes, {edges} edges, {query:?}: {said} said, {searched} taken; of the count {said_counted}, \
                {counted}; paths {said_listed}, {listed}"
            );
            println!("{line}");
            // What costs less than laying out the network may be off by any factor.
            let near = |a: u64, b: u64| a <= 3 * b + nodes && b <= 3 * a + nodes;
            if !near(said, searched) || !near(said_counted, counted) || !near(said_listed, listed) {
                wrong.push(line);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Steps of the search and of the count from the first node to those that follow, and how many paths are found.
fn taken(graph: &Graph, query: Query) -> (u64, u64, u64) {
    let mut search = Search::new(graph, 0.0, u8::try_from(query.max_hops).unwrap());
    let (mut counted, mut listed) = (0, 0);
    for target in 1..=u32::try_from(query.targets).unwrap() {
        let paths = usize::try_from(query.paths).unwrap();
        let found = search.best(0, target, paths, &Run::unattended()).unwrap();
        listed += found.paths.len() as u64;
        let left = reach::distances(&search.back, target, search.max_hops);
        let count = reach::count_simple(&search.out, 0, &left, search.max_hops, u64::MAX);
        counted += count.steps;
    }
    (search.spent, counted, listed)
}

#[test]
fn the_sweeps_of_a_run_are_those_it_is_said_to_need() {
    let nodes: Vec<_> = (0..40).map(|v| json!({"id": format!("n{v:06}")})).collect();
    let edges: Vec<_> = (0..120)
        .map(|e| json!({"a": nodes[e % 40]["id"], "b": nodes[(e * 7 + 1 + e / 40) % 40]["id"], "strength": 0.5}))
        .collect();
    let mut input = json!({"nodes": nodes, "edges": edges});
    let nanos = |input: &Value| {
        let need = crate::demand("relationship_mapping", input, 0).unwrap();
        u64::try_from(need.duration.as_nanos()).unwrap()
    };
    let metrics = [
        json!([]),
        json!(["closeness"]),
        json!(["betweenness", "degree"]),
    ];
    // A limit of 1 pays for one pivot all the same.
    for (weighted, limit, steps) in [
        (false, 10_000, 4_800),
        (true, 10_000, 4_800),
        (false, 1, 120),
        (true, 1, 120),
    ] {
        for wanted in &metrics {
            input["metrics"] = json!([]);
            input["params"] = json!({"weighted": false, "exact_limit": 1});
            let none = nanos(&input);
            input["metrics"] = wanted.clone();
            input["params"] = json!({"weighted": weighted, "exact_limit": limit});
            let ran = sweeps(&input);
            let cost = |what: &str, nanos: u64| if ran.contains(what) { nanos } else { 0 };
            let expected = cost("shortest paths", 20) + cost("shortest paths by strength", 100);
            assert_eq!(
                nanos(&input) - none,
                steps * expected,
                "{weighted} {limit} {wanted} {ran:?}"
            );
        }
    }
}

/// What a run says that it is doing.
fn sweeps(input: &Value) -> BTreeSet<String> {
    let told = Mutex::new(BTreeSet::new());
    let run = Run {
        progress: &|_, doing| {
            told.lock().unwrap().insert(doing.to_owned());
        },
        ..Run::unattended()
    };
    (crate::find("relationship_mapping").unwrap().run)(input, &run).unwrap();
    told.into_inner().unwrap()
}
