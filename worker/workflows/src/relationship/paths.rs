//! Introduction paths: the best one within a number of hops, and the next best (Yen 1971 with the hop bound inside).
//!
//! The cheapest path under a hop limit is not a prefix of the cheapest path, so the inner search is a dynamic
//! programme over hops: best[h][v] = min over neighbours u of cost(v, u) + best[h-1][u], towards the target.
//! A cost is -ln(strength) in fixed point with the number of hops in its low bits, so that one integer orders by
//! strength product, then hops, exactly. Remaining ties go to the path whose ids come first. Invariant: an optimum is
//! simple, for dropping a cycle never costs more and always takes fewer hops.

use std::collections::BTreeSet;

use super::graph::{Graph, Rows};
use super::limits::MAX_RELAXATIONS;
use crate::{Error, Run};

/// Low bits that hold the hops of a key; a path has at most 7.
const HOP_BITS: u32 = 4;
const HOP_MASK: u64 = (1 << HOP_BITS) - 1;
const NONE: u64 = u64::MAX;

/// Cost and hops of one tie: round(-ln(s) * 1e9) and 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "-ln of a positive float is at most 745"
)]
fn key(strength: f64) -> u64 {
    ((((-strength.ln()).max(0.0) * 1e9).round() as u64) << HOP_BITS) | 1
}

/// The network that a query walks: ties of at least `min_strength`, with their keys.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) out: Rows,
    pub(super) back: Rows,
    keys_out: Vec<Vec<u64>>,
    keys_back: Vec<Vec<u64>>,
    pub(super) max_hops: usize,
    /// Edge relaxations and filled layer entries so far, against the budget.
    pub(super) spent: u64,
    /// Where the search ends, [`MAX_RELAXATIONS`].
    pub(super) budget: u64,
}

/// A path and its place in the order.
pub(super) type Ranked = (u64, Vec<u32>);

impl Search {
    pub(super) fn new(graph: &Graph, min_strength: f64, max_hops: u8) -> Self {
        let strong = |rows: &Rows| {
            let arcs: Vec<_> = (0..crate::number::small(graph.n()))
                .flat_map(|v| rows.row(v).map(move |(to, s)| (v, to, s)))
                .filter(|arc| arc.2 >= min_strength)
                .collect();
            Rows::new(graph.n(), &arcs)
        };
        let (out, back) = (strong(&graph.out), strong(&graph.back));
        let keys = |rows: &Rows| {
            (0..crate::number::small(rows.nodes()))
                .map(|v| rows.weights(v).iter().map(|&s| key(s)).collect())
                .collect()
        };
        let (keys_out, keys_back) = (keys(&out), keys(&back));
        Self {
            out,
            back,
            keys_out,
            keys_back,
            max_hops: usize::from(max_hops),
            spent: 0,
            budget: MAX_RELAXATIONS,
        }
    }

    /// Best keys of paths of at most h hops from every node to `target`, for h = 0..=hops. Banned nodes are not entered.
    fn layers(&mut self, target: u32, hops: usize, banned: &[bool]) -> Vec<Vec<u64>> {
        let (rows, keys) = (&self.back, &self.keys_back);
        // Filling a layer is work too, and most of it where spurs start in a large sparse network.
        let fill = rows.nodes() as u64;
        self.spent += fill;
        let mut first = vec![NONE; rows.nodes()];
        first[target as usize] = 0;
        let mut layers = vec![first];
        let mut changed = vec![target];
        for _ in 0..hops {
            let before = &layers[layers.len() - 1];
            let mut after = before.clone();
            self.spent += fill;
            let mut next = Vec::new();
            for &u in &changed {
                self.spent += rows.degree(u) as u64;
                for (&v, &cost) in rows.of(u).iter().zip(&keys[u as usize]) {
                    let reached = before[u as usize] + cost;
                    if reached < after[v as usize] && !banned[v as usize] {
                        if after[v as usize] == before[v as usize] {
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

    /// The best way from the last node of `prefix` to `target` that avoids the prefix and the `closed` first steps.
    fn suffix(&mut self, prefix: &[u32], closed: &BTreeSet<u32>, target: u32) -> Option<Ranked> {
        let spur = *prefix.last()?;
        let budget = self.max_hops.checked_sub(prefix.len())?;
        let mut banned = vec![false; self.out.nodes()];
        for &v in prefix {
            banned[v as usize] = true;
        }
        let layers = self.layers(target, budget, &banned);
        let step = |v: u32, left: usize, open: &dyn Fn(u32) -> bool| {
            let ways = self.out.of(v).iter().zip(&self.keys_out[v as usize]);
            let ends = ways.filter(|&(&u, _)| open(u) && layers[left][u as usize] != NONE);
            // Neighbours ascend, and the first of equal keys wins: the smallest ids.
            ends.map(|(&u, &cost)| (cost + layers[left][u as usize], u))
                .min()
        };
        let (total, mut at) = step(spur, budget, &|u| {
            !banned[u as usize] && !closed.contains(&u)
        })?;
        let mut nodes = vec![at];
        // The optimum has exactly this many hops left, and each suffix of it is itself optimal.
        for left in (0..(total & HOP_MASK) - 1).rev() {
            let left = usize::try_from(left).ok()?;
            at = step(at, left, &|u| !banned[u as usize])?.1;
            nodes.push(at);
        }
        Some((total, nodes))
    }

    fn cost(&self, a: u32, b: u32) -> u64 {
        self.out
            .of(a)
            .binary_search(&b)
            .map_or(NONE, |i| self.keys_out[a as usize][i])
    }

    /// Up to `k` simple paths in order, and whether the budget ended the search early.
    pub(super) fn best(
        &mut self,
        source: u32,
        target: u32,
        k: usize,
        run: &Run<'_>,
    ) -> Result<Found, Error> {
        let mut found: Vec<Ranked> = Vec::new();
        if self.spent > self.budget {
            return Ok(Found {
                paths: found,
                truncated: true,
            });
        }
        let mut candidates: BTreeSet<Ranked> = BTreeSet::new();
        if let Some((total, rest)) = self.suffix(&[source], &BTreeSet::new(), target) {
            candidates.insert((total, [vec![source], rest].concat()));
        }
        while let Some(best) = candidates.pop_first() {
            run.check()?;
            found.push(best);
            if found.len() == k {
                break;
            }
            if self.spent > self.budget {
                return Ok(Found {
                    paths: found,
                    truncated: true,
                });
            }
            self.deviate(&found, target, &mut candidates);
        }
        Ok(Found {
            paths: found,
            truncated: false,
        })
    }

    /// Adds, for every node of the latest path, the best way that leaves all found paths there.
    fn deviate(&mut self, found: &[Ranked], target: u32, candidates: &mut BTreeSet<Ranked>) {
        let latest = &found[found.len() - 1].1;
        let mut spent = 0;
        for i in 0..latest.len() - 1 {
            let prefix = &latest[..=i];
            let closed: BTreeSet<u32> = found
                .iter()
                .filter(|(_, p)| p.len() > i + 1 && p.starts_with(prefix))
                .map(|(_, p)| p[i + 1])
                .collect();
            if let Some((rest, nodes)) = self.suffix(prefix, &closed, target) {
                candidates.insert((spent + rest, [prefix, &nodes].concat()));
            }
            spent += self.cost(latest[i], latest[i + 1]);
        }
    }
}

/// The paths to one target.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) paths: Vec<Ranked>,
    pub(super) truncated: bool,
}
