//! The metrics that rest on shortest paths: exact below `params.exact_limit`, from pivots above it.
//!
//! An estimate states its error. Betweenness of v is a mean over all n sources of n / ((n-1)(n-2)) times the dependency
//! of the source on v, which lies in [0, n-2], so each term lies in [0, n/(n-1)]. A mean over k of them drawn without
//! replacement is off by eps or more with a probability of at most 2 exp(-2 k eps^2 / (n/(n-1))^2): Hoeffding, J. Am.
//! Stat. Assoc. 58 (1963), theorems 2 and 4, as Brandes and Pich, Int. J. Bifurcation and Chaos 17 (2007), use it for
//! pivots. A union over the nodes makes one bound hold for all of them at once. Closeness is not estimated.

use serde_json::json;

use super::{Metrics, Scene};
use crate::Error;
use crate::number::{float, small};
use crate::relationship::input::Metric;
use crate::relationship::{lengths, sweep};

/// With what probability the stated bound of an estimate holds.
const CONFIDENCE: f64 = 0.95;

impl Metrics {
    pub(super) fn distances(&mut self, scene: &Scene<'_>) -> Result<(), Error> {
        let (n, m) = (scene.graph.n(), scene.graph.m());
        let limit = scene.input.params.exact_limit;
        let exact = (n as u64).saturating_mul(m as u64) <= limit;
        let wanted = scene.wants(Metric::Betweenness);
        let sources = if exact {
            (0..small(n)).collect()
        } else {
            pivots(n, m, limit, scene.input.seed)
        };
        let weighted = scene.input.params.weighted;
        let by_hops = (exact || (wanted && !weighted))
            .then(|| sweep::by_hops(&scene.out, &sources, scene.run));
        let by_hops = by_hops.transpose()?;
        let by_length = (weighted && (wanted || (exact && scene.wants(Metric::Closeness))))
            .then(|| {
                lengths::by_strength(
                    &scene.out,
                    &sources,
                    scene.input.params.tie_tolerance,
                    scene.run,
                )
            })
            .transpose()?;
        self.near_ties = by_length.as_ref().map_or(0, |w| w.near_ties);
        if wanted && !exact {
            self.approx = Some(
                json!({"pivots": sources.len(), "seed": scene.input.seed, "metric": "betweenness",
                "method": "uniform pivots without replacement, rescaled n/k",
                "error_bound": float(error_bound(n, sources.len(), n)), "error_bound_one_node": float(error_bound(n, sources.len(), 1)),
                "confidence": CONFIDENCE, "error_method": "Hoeffding 1963; error_bound holds for all nodes at once"}),
            );
        }
        let (sums, inward) = match (&by_length, &by_hops) {
            (Some(w), _) => (w.betweenness.clone(), Some((&w.inward, &w.reached_by))),
            (None, Some(h)) => (h.betweenness.clone(), Some((&h.inward, &h.reached_by))),
            (None, None) => (None, None),
        };
        self.betweenness(scene, sums, sources.len());
        let closeness = inward
            .filter(|_| exact)
            .map(|(sum, reached)| sweep::closeness(sum, reached));
        self.closeness(scene, closeness);
        self.all_pairs = by_hops.filter(|_| exact);
        Ok(())
    }

    fn betweenness(&mut self, scene: &Scene<'_>, sums: Option<Vec<f64>>, sources: usize) {
        if !self.go(scene, Metric::Betweenness, &["betweenness"], false) {
            return;
        }
        let Some(mut values) = sums else {
            return self.absent(
                "betweenness",
                "the number of shortest paths exceeds the range of a float",
            );
        };
        sweep::normalise(&mut values, sources);
        let mut evidence = json!({"method": "Brandes 2001, endpoints excluded, normalised by (n-1)(n-2)", "method_version": 1,
            "n": scene.graph.n(), "sources": sources, "length": length(scene)});
        if let Some(approx) = &self.approx {
            for name in ["error_bound", "confidence"] {
                evidence[name] = approx[name].clone();
            }
        }
        self.column(
            "betweenness",
            values.into_iter().map(float).collect(),
            evidence,
        );
    }

    fn closeness(&mut self, scene: &Scene<'_>, values: Option<Vec<f64>>) {
        if !self.go(scene, Metric::Closeness, &["closeness"], false) {
            return;
        }
        let Some(values) = values else {
            return self.absent(
                "closeness",
                "nodes x edges is above params.exact_limit, and closeness is not estimated",
            );
        };
        let evidence = json!({"method": "inward closeness with the Wasserman-Faust factor", "method_version": 1,
            "n": scene.graph.n(), "length": length(scene)});
        self.column(
            "closeness",
            values.into_iter().map(float).collect(),
            evidence,
        );
    }
}

/// What a shortest path adds up.
fn length(scene: &Scene<'_>) -> &'static str {
    if scene.input.params.weighted {
        "1/strength"
    } else {
        "hops"
    }
}

/// How far an estimate of betweenness from `pivots` of `n` sources may be off, with [`CONFIDENCE`], for `nodes` nodes at
/// once; see the head of the file. It is never above the range that both the value and its estimate lie in.
fn error_bound(n: usize, pivots: usize, nodes: usize) -> f64 {
    if n < 3 {
        return 0.0;
    }
    let range = n as f64 / (n as f64 - 1.0);
    let tails = 2.0 * nodes as f64 / (1.0 - CONFIDENCE);
    range * (tails.ln() / (2.0 * pivots as f64)).sqrt().min(1.0)
}

/// As many sources as the limit pays for, at least one, ascending.
fn pivots(n: usize, m: usize, limit: u64, seed: u64) -> Vec<u32> {
    use rand::SeedableRng;
    let affordable = usize::try_from(limit / (m as u64).max(1))
        .unwrap_or(n)
        .clamp(1, n);
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut chosen: Vec<u32> = rand::seq::index::sample(&mut rng, n, affordable)
        .into_iter()
        .map(small)
        .collect();
    chosen.sort_unstable();
    chosen
}
