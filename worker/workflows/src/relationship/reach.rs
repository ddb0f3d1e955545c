//! How far a node's word carries, over all ties and within seven hops: layers by hops, decay centrality, expected influence, and counting simple paths.

use super::graph::Rows;
use super::limits::{MAX_COUNT_STEPS, MAX_COUNTED_PATHS};

const UNSEEN: u32 = u32::MAX;
/// How far reach and influence look, whatever the longest path that a query asks for: the seven degrees.
pub(super) const DEPTH: usize = 7;

/// Distance in hops from `source` to every node, `u32::MAX` where it is more than `depth`.
pub(super) fn distances(rows: &Rows, source: u32, depth: usize) -> Vec<u32> {
    let mut dist = vec![UNSEEN; rows.nodes()];
    dist[source as usize] = 0;
    let mut queue = vec![source];
    let mut next = 0;
    while let Some(&u) = queue.get(next) {
        next += 1;
        let beyond = dist[u as usize] + 1;
        if beyond as usize > depth {
            break;
        }
        for &v in rows.of(u) {
            if dist[v as usize] == UNSEEN {
                dist[v as usize] = beyond;
                queue.push(v);
            }
        }
    }
    dist
}

/// Nodes at each distance, the source first; ends with the last layer that has any.
pub(super) fn layers(dist: &[u32]) -> Vec<u64> {
    let mut counts = Vec::new();
    for &d in dist.iter().filter(|&&d| d != UNSEEN) {
        let d = d as usize;
        if counts.len() <= d {
            counts.resize(d + 1, 0);
        }
        counts[d] += 1;
    }
    counts
}

/// Other nodes within 1, 2, ... `hops` hops.
pub(super) fn cumulative(layers: &[u64], hops: usize) -> Vec<u64> {
    let mut sum = 0;
    (1..=hops)
        .map(|k| {
            sum += layers.get(k).copied().unwrap_or(0);
            sum
        })
        .collect()
}

/// Decay centrality: sum over distances d of decay^d times the nodes there.
pub(super) fn decay(layers: &[u64], factor: f64) -> f64 {
    let mut weight = 1.0;
    layers
        .iter()
        .skip(1)
        .map(|&count| {
            weight *= factor;
            weight * count as f64
        })
        .sum()
}

/// The best product of strengths from `source` to every node, per hop limit 0..=hops; 0 where unreachable.
///
/// No way round a cycle is better, for no strength is above 1, so that walks need not be kept simple. Rounding keeps
/// the order of products: the result is that of the best path, multiplied from the source on.
pub(super) fn best_products(rows: &Rows, source: u32, hops: usize) -> Vec<Vec<f64>> {
    let mut first = vec![0.0; rows.nodes()];
    first[source as usize] = 1.0;
    let mut layers = vec![first];
    let mut changed = vec![source];
    for _ in 0..hops {
        let before = &layers[layers.len() - 1];
        let mut after = before.clone();
        let mut next = Vec::new();
        for &u in &changed {
            for (v, strength) in rows.row(u) {
                let reached = before[u as usize] * strength;
                if reached > after[v as usize] {
                    if after[v as usize].to_bits() == before[v as usize].to_bits() {
                        next.push(v);
                    }
                    after[v as usize] = reached;
                }
            }
        }
        layers.push(after);
        changed = next;
    }
    layers
}

/// Expected influence within k = 0..=hops hops: the sum over the other nodes of the best product of strengths.
pub(super) fn expected(products: &[Vec<f64>], source: u32) -> Vec<f64> {
    let others = |layer: &Vec<f64>| {
        layer
            .iter()
            .enumerate()
            .filter(|(v, _)| *v != source as usize)
            .map(|(_, p)| p)
            .sum::<f64>()
    };
    products.iter().map(others).collect()
}

/// The least number of hops that holds 90 % of the expected influence; `None` without influence.
pub(super) fn radius90(expected: &[f64]) -> Option<usize> {
    let all = *expected.last()?;
    // A relative 1e-12 absorbs the rounding of sums that are equal on paper.
    (all > 0.0).then(|| {
        expected
            .iter()
            .position(|&e| e >= 0.9 * all * (1.0 - 1e-12))
    })?
}

/// How many simple paths lead to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) paths: u64,
    pub(super) steps: u64,
    pub(super) truncated: bool,
}

/// Counts simple paths of at most `hops` edges, up to a cap on paths and on steps.
///
/// `left` holds each node's distance to the target: a branch that can no longer arrive in time is not entered.
pub(super) fn count_simple(
    rows: &Rows,
    source: u32,
    left: &[u32],
    hops: usize,
    steps: u64,
) -> Count {
    let mut walk = Walk {
        rows,
        left,
        on_path: vec![false; rows.nodes()],
        count: Count {
            paths: 0,
            steps: 0,
            truncated: false,
        },
        most: steps.min(MAX_COUNT_STEPS),
    };
    walk.from(source, crate::number::small(hops));
    walk.count
}

struct Walk<'a> {
    rows: &'a Rows,
    left: &'a [u32],
    on_path: Vec<bool>,
    count: Count,
    most: u64,
}

impl Walk<'_> {
    /// Recurses at most seven deep.
    fn from(&mut self, v: u32, hops: u32) {
        let rows = self.rows;
        self.on_path[v as usize] = true;
        for &u in rows.of(v) {
            if self.count.truncated {
                break;
            }
            if self.on_path[u as usize] || self.left[u as usize] >= hops {
                continue;
            }
            if self.count.steps == self.most {
                self.count.truncated = true;
                break;
            }
            self.count.steps += 1;
            if self.left[u as usize] > 0 {
                self.from(u, hops - 1);
            } else if self.count.paths == MAX_COUNTED_PATHS {
                self.count.truncated = true;
            } else {
                self.count.paths += 1;
            }
        }
        self.on_path[v as usize] = false;
    }
}
