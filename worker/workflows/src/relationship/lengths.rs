//! The same traversal with lengths 1/strength (Dijkstra instead of breadth first).
//!
//! Sums of 1/s that are equal on paper may differ in their last bits, and a tie that rounding hides moves a whole
//! path's worth of betweenness. By default equality is that of floats, which is NetworkX's convention and changes with
//! the scale of the strengths (karate: 0.3949 at weight/8, 0.3968 at weight/7, 0.3958 in exact fractions);
//! `params.tie_tolerance` makes it relative, and near ties are counted so that the output can warn.
//! Lengths are capped at 1e12, so that the weakest representable strength still has a finite one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::graph::Rows;
use super::sweep::{BLOCK, finite, settle};
use crate::{Error, Run};

const LONGEST: f64 = 1e12;
/// Lengths this close, and not equal, are probably equal on paper.
const NEAR: f64 = 1e-10;

/// Betweenness sums and inward distances by length.
#[derive(Debug)]
pub(super) struct Weighted {
    pub(super) betweenness: Option<Vec<f64>>,
    pub(super) inward: Vec<f64>,
    pub(super) reached_by: Vec<u32>,
    /// Pairs of ways whose lengths differ by rounding only and were taken as different.
    pub(super) near_ties: u64,
}

struct Scratch {
    dist: Vec<f64>,
    sigma: Vec<f64>,
    share: Vec<f64>,
    settled: Vec<bool>,
    order: Vec<u32>,
    heap: BinaryHeap<Reverse<(u64, u32)>>,
    tolerance: f64,
    near_ties: u64,
}

fn within(tolerance: f64, a: f64, b: f64) -> bool {
    (a - b).abs() <= tolerance * a.max(b)
}

impl Scratch {
    fn new(n: usize, tolerance: f64) -> Self {
        Self {
            dist: vec![f64::INFINITY; n],
            sigma: vec![0.0; n],
            share: vec![0.0; n],
            settled: vec![false; n],
            order: Vec::with_capacity(n),
            heap: BinaryHeap::new(),
            tolerance,
            near_ties: 0,
        }
    }

    fn forward(&mut self, rows: &Rows, source: u32) {
        self.dist[source as usize] = 0.0;
        self.sigma[source as usize] = 1.0;
        self.heap.push(Reverse((0, source)));
        while let Some(Reverse((_, u))) = self.heap.pop() {
            if std::mem::replace(&mut self.settled[u as usize], true) {
                continue;
            }
            self.order.push(u);
            for (v, length) in rows.row(u) {
                self.relax(u, v, self.dist[u as usize] + length);
            }
        }
    }

    fn relax(&mut self, u: u32, v: u32, reached: f64) {
        let (at, paths) = (v as usize, self.sigma[u as usize]);
        if self.settled[at] {
            return;
        }
        let seen = self.dist[at].is_finite();
        if seen && within(self.tolerance, reached, self.dist[at]) {
            self.sigma[at] += paths;
            return;
        }
        self.near_ties += u64::from(seen && within(NEAR, reached, self.dist[at]));
        if reached < self.dist[at] {
            self.dist[at] = reached;
            self.sigma[at] = paths;
            // Bits of non-negative floats sort as the floats do.
            self.heap.push(Reverse((reached.to_bits(), v)));
        }
    }

    /// As in the unweighted sweep; a successor also lies later in the settled order.
    fn back(&mut self, rows: &Rows, sums: &mut [f64]) {
        for &v in self.order.iter().rev() {
            self.settled[v as usize] = false;
            let here = self.dist[v as usize];
            let total: f64 = rows
                .row(v)
                .filter(|&(w, length)| {
                    !self.settled[w as usize]
                        && within(self.tolerance, here + length, self.dist[w as usize])
                })
                .map(|(w, _)| self.share[w as usize])
                .sum();
            let delta = self.sigma[v as usize] * total;
            self.share[v as usize] = (1.0 + delta) / self.sigma[v as usize];
            if v != self.order[0] {
                sums[v as usize] += delta;
            }
        }
    }

    fn reset(&mut self) {
        for &v in &self.order {
            self.dist[v as usize] = f64::INFINITY;
        }
        self.order.clear();
    }
}

/// Traverses from each of `sources` over rows whose weights are strengths.
pub(super) fn by_strength(
    rows: &Rows,
    sources: &[u32],
    tolerance: f64,
    run: &Run<'_>,
) -> Result<Weighted, Error> {
    let rows = rows.map(|strength| (1.0 / strength).min(LONGEST));
    let n = rows.nodes();
    let mut scratch = Scratch::new(n, tolerance);
    let (mut total, mut block) = (vec![0.0; n], vec![0.0; n]);
    let mut far = vec![0.0; n];
    let mut weighted = Weighted {
        betweenness: None,
        inward: vec![0.0; n],
        reached_by: vec![0; n],
        near_ties: 0,
    };
    for (done, chunk) in sources.chunks(BLOCK).enumerate() {
        run.step(
            (done * BLOCK) as f64 / sources.len() as f64,
            "shortest paths by strength",
        )?;
        for &source in chunk {
            run.check()?;
            scratch.forward(&rows, source);
            scratch.back(&rows, &mut block);
            for &v in &scratch.order {
                far[v as usize] += scratch.dist[v as usize];
                weighted.reached_by[v as usize] += 1;
            }
            scratch.reset();
        }
        settle(&mut total, &mut block);
        settle(&mut weighted.inward, &mut far);
    }
    weighted.near_ties = scratch.near_ties;
    weighted.betweenness = finite(total);
    Ok(weighted)
}
