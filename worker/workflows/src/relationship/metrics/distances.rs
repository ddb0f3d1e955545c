//! The metrics that rest on shortest paths: exact below `params.exact_limit`, from pivots above it.

use serde_json::json;

use super::{Metrics, Scene};
use crate::Error;
use crate::number::{float, small};
use crate::relationship::input::Metric;
use crate::relationship::{lengths, sweep};

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
                "method": "uniform pivots without replacement, rescaled n/k"}),
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
        let evidence = json!({"method": "Brandes 2001, endpoints excluded, normalised by (n-1)(n-2)", "method_version": 1,
            "n": scene.graph.n(), "sources": sources, "length": length(scene)});
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
            return self.absent("closeness", "nodes x edges is above params.exact_limit");
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
