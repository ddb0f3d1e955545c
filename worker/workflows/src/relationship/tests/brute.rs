//! Small random networks against exhaustive enumeration.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{network, run};

#[derive(Debug, Clone)]
struct Small {
    n: usize,
    directed: bool,
    edges: Vec<(usize, usize, f64)>,
}

fn id(v: usize) -> String {
    format!("n{v}")
}

impl Small {
    fn input(&self) -> Value {
        let ids: Vec<String> = (0..self.n).map(id).collect();
        let edges: Vec<_> = self
            .edges
            .iter()
            .map(|&(a, b, s)| (id(a), id(b), s))
            .collect();
        let mut input = network(&ids, &edges);
        input["directed"] = self.directed.into();
        input
    }

    /// Strength of the arc from a to b; the generator makes no parallel edges.
    fn strength(&self, a: usize, b: usize) -> Option<f64> {
        let fits = |e: &&(usize, usize, f64)| {
            (e.0, e.1) == (a, b) || (!self.directed && (e.1, e.0) == (a, b))
        };
        self.edges.iter().find(fits).map(|e| e.2)
    }

    /// Every simple path from `path`'s end to `target` within `hops` more edges.
    fn simple(
        &self,
        path: &mut Vec<usize>,
        target: usize,
        hops: usize,
        found: &mut Vec<Vec<usize>>,
    ) {
        let at = path[path.len() - 1];
        if at == target {
            found.push(path.clone());
            return;
        }
        if hops == 0 {
            return;
        }
        for next in 0..self.n {
            if !path.contains(&next) && self.strength(at, next).is_some() {
                path.push(next);
                self.simple(path, target, hops - 1, found);
                path.pop();
            }
        }
    }

    fn product(&self, path: &[usize]) -> f64 {
        path.windows(2)
            .map(|w| self.strength(w[0], w[1]).unwrap())
            .product()
    }
}

fn graphs(directed: bool) -> impl Strategy<Value = Small> {
    (2_usize..=9).prop_flat_map(move |n| {
        let pairs: Vec<(usize, usize)> = (0..n)
            .flat_map(|a| (0..n).map(move |b| (a, b)))
            .filter(|&(a, b)| if directed { a != b } else { a < b })
            .collect();
        let most = pairs.len();
        let strengths = prop::collection::vec(
            prop::sample::select(vec![0.1, 0.25, 0.5, 0.5, 0.9, 1.0, 0.333]),
            most,
        );
        (prop::sample::subsequence(pairs, 0..=most), strengths).prop_map(
            move |(pairs, strengths)| Small {
                n,
                directed,
                edges: pairs
                    .into_iter()
                    .zip(strengths)
                    .map(|((a, b), s)| (a, b, s))
                    .collect(),
            },
        )
    })
}

fn any_graph() -> impl Strategy<Value = Small> {
    any::<bool>().prop_flat_map(graphs)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn paths_are_the_best_of_all_simple_ones(graph in any_graph(), hops in 1_usize..=7, k in 1_usize..=12) {
        let (source, target) = (0, graph.n - 1);
        let mut all = Vec::new();
        graph.simple(&mut vec![source], target, hops, &mut all);
        let mut input = graph.input();
        input["query"] = json!({"source": id(source), "targets": [id(target)], "max_hops": hops, "k_paths": k});
        input["metrics"] = json!([]);
        let output = run(&input);
        prop_assert_eq!(&output["targets"][0]["simple_paths"]["value"], &json!(all.len()));
        let shortest = all.iter().map(|p| p.len() - 1).min();
        prop_assert_eq!(&output["targets"][0]["shortest_hops"], &json!(shortest));

        // The documented order: strength product (to the fixed-point precision of 1e-9), hops, ids.
        let cost = |p: &[usize]| p.windows(2).map(|w| (-graph.strength(w[0], w[1]).unwrap().ln() * 1e9).round()).sum::<f64>();
        all.sort_by(|x, y| cost(x).total_cmp(&cost(y)).then(x.len().cmp(&y.len())).then(x.cmp(y)));
        let listed = output["paths"].as_array().unwrap();
        prop_assert_eq!(listed.len(), all.len().min(k));
        for (line, path) in listed.iter().zip(&all) {
            prop_assert_eq!(&line["nodes"], &json!(path.iter().map(|&v| id(v)).collect::<Vec<_>>()));
            let product = line["strength_product"].as_f64().unwrap();
            prop_assert!((product - graph.product(path)).abs() < 1e-11);
        }
    }

    #[test]
    fn influence_is_the_sum_of_the_best_products_within_seven_hops(graph in any_graph(), hops in 1_usize..=7, least in 0.0..1.0) {
        let best = |target: usize| {
            let mut all = Vec::new();
            graph.simple(&mut vec![0], target, 7, &mut all);
            all.iter().map(|p| graph.product(p)).fold(0.0, f64::max)
        };
        let expected: f64 = (1..graph.n).map(best).sum();
        let mut input = graph.input();
        input["query"] = json!({"source": id(0), "max_hops": hops, "min_strength": least});
        input["metrics"] = json!([]);
        let actual = run(&input)["influence"]["expected"].as_f64().unwrap();
        prop_assert!((actual - expected).abs() < 1e-11 * expected.max(1.0), "{actual} {expected}");
    }

    #[test]
    fn betweenness_is_the_share_of_shortest_paths(graph in any_graph()) {
        let output = run(&graph.input());
        let n = graph.n;
        for v in 0..n {
            let mut sum = 0.0;
            for (s, t) in (0..n).flat_map(|s| (0..n).map(move |t| (s, t))).filter(|&(s, t)| s != t && s != v && t != v) {
                let mut shortest = Vec::new();
                for hops in 1..n {
                    if shortest.is_empty() {
                        graph.simple(&mut vec![s], t, hops, &mut shortest);
                    }
                }
                if !shortest.is_empty() {
                    sum += shortest.iter().filter(|p| p.contains(&v)).count() as f64 / shortest.len() as f64;
                }
            }
            let expected = if n > 2 { sum / ((n - 1) * (n - 2)) as f64 } else { sum };
            let actual = output["nodes"][v]["betweenness"].as_f64().unwrap();
            prop_assert!((actual - expected).abs() < 1e-9, "{v}: {actual} {expected}");
        }
    }
}
