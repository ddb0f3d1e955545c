//! One traversal from every node: betweenness, closeness, eccentricities and distances in hops.
//!
//! Brandes (2001) without predecessor lists: on the way back, w is a successor of v where dist[v] + 1 == dist[w].
//! Contributions are summed per block of sources and blocks are added in order, so a later parallel version that
//! hands out blocks gives the same bytes. Conventions are NetworkX's: endpoints excluded, both directions of a pair
//! counted, normalised by (n-1)(n-2); closeness inward with the Wasserman-Faust factor.

use super::graph::Rows;
use crate::{Error, Run};

/// Sources whose contributions are summed before they join the total.
pub(super) const BLOCK: usize = 256;
const UNSEEN: u32 = u32::MAX;

/// What the traversals gave.
#[derive(Debug)]
pub(super) struct Sweep {
    /// Unscaled, both directions of each pair; `None` when path counts overflow a float.
    pub(super) betweenness: Option<Vec<f64>>,
    /// Sum of distances to each node from the sources that reach it.
    pub(super) inward: Vec<f64>,
    /// How many sources reach each node, itself included.
    pub(super) reached_by: Vec<u32>,
    /// Greatest distance from each source, in the order of the sources.
    pub(super) eccentricity: Vec<u32>,
    /// Ordered pairs that are connected.
    pub(super) pairs: u64,
    /// Sum of their distances.
    pub(super) distance: u64,
}

/// Buffers of one traversal, reused for every source.
struct Scratch {
    dist: Vec<u32>,
    sigma: Vec<f64>,
    /// (1 + delta) / sigma of the nodes already passed on the way back.
    share: Vec<f64>,
    order: Vec<u32>,
}

impl Scratch {
    fn new(n: usize) -> Self {
        Self {
            dist: vec![UNSEEN; n],
            sigma: vec![0.0; n],
            share: vec![0.0; n],
            order: Vec::with_capacity(n),
        }
    }

    /// Breadth first, counting shortest paths.
    fn forward(&mut self, rows: &Rows, source: u32) {
        let Self {
            dist, sigma, order, ..
        } = self;
        order.clear();
        order.push(source);
        dist[source as usize] = 0;
        sigma[source as usize] = 1.0;
        let mut next = 0;
        while let Some(&u) = order.get(next) {
            next += 1;
            let (beyond, paths) = (dist[u as usize] + 1, sigma[u as usize]);
            for &v in rows.of(u) {
                let seen = &mut dist[v as usize];
                if *seen == UNSEEN {
                    *seen = beyond;
                    sigma[v as usize] = paths;
                    order.push(v);
                } else if *seen == beyond {
                    sigma[v as usize] += paths;
                }
            }
        }
    }

    /// Adds each node's dependency to `sums`, farthest first.
    fn back(&mut self, rows: &Rows, sums: &mut [f64]) {
        let Self {
            dist,
            sigma,
            share,
            order,
        } = self;
        for &v in order[1..].iter().rev() {
            let beyond = dist[v as usize] + 1;
            let mut total = 0.0;
            for &w in rows.of(v) {
                if dist[w as usize] == beyond {
                    total += share[w as usize];
                }
            }
            let paths = sigma[v as usize];
            let delta = paths * total;
            share[v as usize] = (1.0 + delta) / paths;
            sums[v as usize] += delta;
        }
    }

    fn reset(&mut self) {
        for &v in &self.order {
            self.dist[v as usize] = UNSEEN;
        }
    }
}

/// Traverses from each of `sources`.
pub(super) fn by_hops(rows: &Rows, sources: &[u32], run: &Run<'_>) -> Result<Sweep, Error> {
    let n = rows.nodes();
    let mut scratch = Scratch::new(n);
    let mut total = vec![0.0; n];
    let mut block = vec![0.0; n];
    let mut inward = vec![0_u64; n];
    let mut sweep = Sweep {
        betweenness: None,
        inward: Vec::new(),
        reached_by: vec![0; n],
        eccentricity: Vec::with_capacity(sources.len()),
        pairs: 0,
        distance: 0,
    };
    for (done, chunk) in sources.chunks(BLOCK).enumerate() {
        run.step(
            (done * BLOCK) as f64 / sources.len() as f64,
            "shortest paths",
        )?;
        for (i, &source) in chunk.iter().enumerate() {
            if i % 16 == 0 {
                run.check()?;
            }
            scratch.forward(rows, source);
            scratch.back(rows, &mut block);
            for &v in &scratch.order {
                let d = u64::from(scratch.dist[v as usize]);
                inward[v as usize] += d;
                sweep.reached_by[v as usize] += 1;
                sweep.distance += d;
            }
            let last = scratch.order[scratch.order.len() - 1];
            sweep.eccentricity.push(scratch.dist[last as usize]);
            sweep.pairs += scratch.order.len() as u64 - 1;
            scratch.reset();
        }
        settle(&mut total, &mut block);
    }
    sweep.inward = inward.into_iter().map(|d| d as f64).collect();
    sweep.betweenness = finite(total);
    Ok(sweep)
}

/// Adds a block's sums to the total and empties it.
pub(super) fn settle(total: &mut [f64], block: &mut [f64]) {
    for (sum, part) in total.iter_mut().zip(block) {
        *sum += *part;
        *part = 0.0;
    }
}

/// The values, unless path counts beyond the range of a float spoiled one.
pub(super) fn finite(values: Vec<f64>) -> Option<Vec<f64>> {
    values.iter().all(|x| x.is_finite()).then_some(values)
}

/// Scales to NetworkX's normalised betweenness; `sources` of `n` nodes were traversed.
pub(super) fn normalise(sums: &mut [f64], sources: usize) {
    let n = sums.len();
    if n < 3 {
        return;
    }
    let scale = n as f64 / sources as f64 / ((n - 1) as f64 * (n - 2) as f64);
    for x in sums {
        *x *= scale;
    }
}

/// Closeness with the Wasserman-Faust factor: (r-1)/sum * (r-1)/(n-1), 0 for a node that nobody reaches.
pub(super) fn closeness(inward: &[f64], reached_by: &[u32]) -> Vec<f64> {
    let n = inward.len();
    let value = |(&sum, &reached): (&f64, &u32)| {
        let others = f64::from(reached) - 1.0;
        if sum > 0.0 {
            others / sum * (others / (n as f64 - 1.0))
        } else {
            0.0
        }
    };
    inward.iter().zip(reached_by).map(value).collect()
}
