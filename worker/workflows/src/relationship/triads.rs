//! Triangles: clustering of each node and transitivity of the network, by NetworkX's conventions.
//!
//! Clustering by strength is the geometric mean of Saramäki et al. (2007) over strengths divided by the greatest one;
//! by direction it is Fagiolo's (2007), which counts each of the eight ways round a triangle. Both are one formula
//! here: a side weighs cbrt(there) + cbrt(back) when directed and cbrt(strength) when not, and a triangle the product of its
//! sides. Without strengths every factor is 1 or 2 and the sums are exact integers.

use super::graph::{Graph, Rows};
use crate::number::small;
use crate::{Error, Run};

/// A neighbour of higher rank, seen from the lower one.
#[derive(Debug, Clone, Copy)]
struct Side {
    to: u32,
    weight: f64,
    there: bool,
    back: bool,
}

/// What the triangles of a network add up to.
#[derive(Debug)]
pub(super) struct Triads {
    /// Local clustering of each node; 0 where nothing could close, as in NetworkX.
    pub(super) clustering: Vec<f64>,
    /// Closed ones among `triples`.
    pub(super) closed: u64,
    /// Pairs of neighbours over all nodes; ordered pairs of successors when directed.
    pub(super) triples: u64,
}

impl Triads {
    /// Over rows whose weights are strengths, or 1 where strengths are left out.
    pub(super) fn new(
        graph: &Graph,
        out: &Rows,
        back: &Rows,
        run: &Run<'_>,
    ) -> Result<Self, Error> {
        let n = out.nodes();
        let sides = higher(graph, out, back);
        let mut through = vec![0.0; n];
        let mut closed = 0;
        let mut slot = vec![usize::MAX; n];
        for v in 0..n {
            if v % 64 == 0 {
                run.check()?;
            }
            for (i, side) in sides[v].iter().enumerate() {
                slot[side.to as usize] = i;
            }
            for near in &sides[v] {
                for opposite in &sides[near.to as usize] {
                    let Some(far) = sides[v].get(slot[opposite.to as usize]) else {
                        continue;
                    };
                    let product = near.weight * opposite.weight * far.weight;
                    for corner in [v, near.to as usize, opposite.to as usize] {
                        through[corner] += product;
                    }
                    closed += transitive(near, far, opposite);
                }
            }
            for side in &sides[v] {
                slot[side.to as usize] = usize::MAX;
            }
        }
        let each = if graph.directed { 1 } else { 2 };
        let triples = (0..small(n)).map(|v| ordered_pairs(out.degree(v)));
        Ok(Self {
            clustering: clustering(graph, &through),
            closed: closed / each,
            triples: triples.sum::<u64>() / each,
        })
    }

    /// Closed over all connected triples; 0 where there is none, as in NetworkX.
    pub(super) fn transitivity(&self) -> f64 {
        if self.triples == 0 {
            0.0
        } else {
            self.closed as f64 / self.triples as f64
        }
    }

    /// Mean clustering of all nodes.
    pub(super) fn average(&self) -> f64 {
        self.clustering.iter().sum::<f64>() / self.clustering.len() as f64
    }
}

/// For each node its neighbours of higher (degree, position). A row of them is at most sqrt(2m) long, so that looking
/// at one row per tie finds each triangle once in m * sqrt(m) steps, whatever hubs there are.
fn higher(graph: &Graph, out: &Rows, back: &Rows) -> Vec<Vec<Side>> {
    let near = &graph.mutual;
    let rank = |v: u32| (near.degree(v), v);
    let most = (0..small(out.nodes()))
        .flat_map(|v| out.weights(v))
        .fold(0.0, |a: f64, &b| a.max(b));
    let part = |weight: Option<f64>| weight.map_or(0.0, |w| (w / most).cbrt());
    let side = |v: u32, to: u32| {
        let (there, behind) = (out.weight(v, to), back.weight(v, to));
        let backward = if graph.directed { part(behind) } else { 0.0 };
        Side {
            to,
            weight: part(there) + backward,
            there: there.is_some(),
            back: behind.is_some(),
        }
    };
    let row = |v: u32| {
        let above = near.of(v).iter().filter(|&&u| rank(u) > rank(v));
        above.map(|&u| side(v, u)).collect()
    };
    (0..small(out.nodes())).map(row).collect()
}

/// Ordered pairs of a corner's successors that an arc joins, over the corners v, u, w of a triangle, given its sides
/// v-u, v-w and u-w.
fn transitive(vu: &Side, vw: &Side, uw: &Side) -> u64 {
    let arcs = |side: &Side| u64::from(side.there) + u64::from(side.back);
    u64::from(vu.there && vw.there) * arcs(uw)
        + u64::from(vu.back && uw.there) * arcs(vw)
        + u64::from(vw.back && uw.back) * arcs(vu)
}

fn ordered_pairs(degree: usize) -> u64 {
    let d = degree as u64;
    d * d.saturating_sub(1)
}

/// Sums over triangles divided by what they could be.
fn clustering(graph: &Graph, through: &[f64]) -> Vec<f64> {
    let value = |(v, &sum): (usize, &f64)| {
        let v = small(v);
        let possible = if graph.directed {
            let mutual = graph.degree(v) - graph.mutual.degree(v);
            ordered_pairs(graph.degree(v)) - 2 * mutual as u64
        } else {
            ordered_pairs(graph.degree(v)) / 2
        };
        if sum > 0.0 {
            sum / possible as f64
        } else {
            0.0
        }
    };
    through.iter().enumerate().map(value).collect()
}
