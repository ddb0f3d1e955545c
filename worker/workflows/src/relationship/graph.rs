//! The network in compressed rows: for each node its neighbours, as `u32` positions in id order.
//!
//! Invariant: nodes and links are sorted by id and rows by neighbour, so that every traversal, sum and tie-break is
//! independent of the order of the input. Parallel edges are combined and self-loops dropped before anything counts.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::input::{Input, NodeKind};
use crate::number::small;

/// One row per node.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    starts: Vec<u32>,
    targets: Vec<u32>,
    weights: Vec<f64>,
}

impl Rows {
    /// Rows from arcs; within a row arcs keep the order in which they come.
    pub(super) fn new(n: usize, arcs: &[(u32, u32, f64)]) -> Self {
        let mut starts = vec![0_u32; n + 1];
        for (from, _, _) in arcs {
            starts[*from as usize + 1] += 1;
        }
        for i in 0..n {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        let (mut targets, mut weights) = (vec![0; arcs.len()], vec![0.0; arcs.len()]);
        for &(from, to, weight) in arcs {
            let slot = next[from as usize] as usize;
            next[from as usize] += 1;
            targets[slot] = to;
            weights[slot] = weight;
        }
        Self {
            starts,
            targets,
            weights,
        }
    }

    pub(super) fn nodes(&self) -> usize {
        self.starts.len() - 1
    }

    pub(super) fn arcs(&self) -> usize {
        self.targets.len()
    }

    fn range(&self, v: u32) -> std::ops::Range<usize> {
        self.starts[v as usize] as usize..self.starts[v as usize + 1] as usize
    }

    /// Neighbours of `v`, ascending.
    pub(super) fn of(&self, v: u32) -> &[u32] {
        &self.targets[self.range(v)]
    }

    /// Weights beside [`Rows::of`].
    pub(super) fn weights(&self, v: u32) -> &[f64] {
        &self.weights[self.range(v)]
    }

    /// Neighbours of `v` with their weights.
    pub(super) fn row(&self, v: u32) -> impl Iterator<Item = (u32, f64)> + '_ {
        self.of(v)
            .iter()
            .copied()
            .zip(self.weights(v).iter().copied())
    }

    pub(super) fn degree(&self, v: u32) -> usize {
        self.range(v).len()
    }

    /// The weight of the arc from `v` to `to`.
    pub(super) fn weight(&self, v: u32, to: u32) -> Option<f64> {
        self.of(v)
            .binary_search(&to)
            .ok()
            .map(|i| self.weights(v)[i])
    }

    /// The same rows with each weight replaced.
    pub(super) fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        Self {
            weights: self.weights.iter().map(|&w| change(w)).collect(),
            ..self.clone()
        }
    }
}

/// One tie after parallel edges are combined.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) a: u32,
    pub(super) b: u32,
    pub(super) strength: f64,
    pub(super) last_contact: Option<Date>,
}

/// The network.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) directed: bool,
    /// Ascending.
    pub(super) ids: Vec<String>,
    pub(super) names: Vec<Option<String>>,
    pub(super) kinds: Vec<Option<NodeKind>>,
    /// Ascending by (a, b); undirected links have a < b.
    pub(super) links: Vec<Link>,
    /// Arcs forward, weight = strength.
    pub(super) out: Rows,
    /// Arcs backward; the same as `out` when undirected.
    pub(super) back: Rows,
    /// Ties without direction, weight = a_ij + a_ji (Burt's mutual weight).
    pub(super) mutual: Rows,
    /// Self-loops dropped.
    pub(super) loops: usize,
    /// Edges that were combined into another one.
    pub(super) combined: usize,
}

impl Graph {
    /// The network of a validated input.
    pub(super) fn new(input: &Input) -> Self {
        let mut nodes: Vec<_> = input.nodes.iter().collect();
        nodes.sort_by(|x, y| x.id.cmp(&y.id));
        let ids: Vec<String> = nodes.iter().map(|n| n.id.clone()).collect();
        let (links, loops, combined) = combine(input, &ids);
        let (out, back, mutual) = rows(ids.len(), &links, input.directed);
        Self {
            directed: input.directed,
            names: nodes.iter().map(|n| n.name.clone()).collect(),
            kinds: nodes.iter().map(|n| n.kind).collect(),
            ids,
            links,
            out,
            back,
            mutual,
            loops,
            combined,
        }
    }

    pub(super) fn n(&self) -> usize {
        self.ids.len()
    }

    /// Ties after combining; directed ones count each direction.
    pub(super) fn m(&self) -> usize {
        self.links.len()
    }

    pub(super) fn position(&self, id: &str) -> Option<u32> {
        self.ids
            .binary_search_by(|probe| probe.as_str().cmp(id))
            .ok()
            .map(small)
    }

    /// Ties of `v` in both directions together, as NetworkX counts `degree`.
    pub(super) fn degree(&self, v: u32) -> usize {
        self.out.degree(v)
            + if self.directed {
                self.back.degree(v)
            } else {
                0
            }
    }

    /// The link between two neighbours on a path from `a` to `b`.
    pub(super) fn link(&self, a: u32, b: u32) -> Option<usize> {
        let key = if self.directed || a < b {
            (a, b)
        } else {
            (b, a)
        };
        self.links.binary_search_by(|l| (l.a, l.b).cmp(&key)).ok()
    }
}

/// Parallel edges as one: strengths by 1 - prod(1 - s), the latest contact.
fn combine(input: &Input, ids: &[String]) -> (Vec<Link>, usize, usize) {
    let find = |id: &String| {
        small(
            ids.binary_search(id)
                .expect("validate() has refused unknown ids"),
        )
    };
    let mut gathered: BTreeMap<(u32, u32), (Vec<f64>, Option<Date>)> = BTreeMap::new();
    let mut loops = 0;
    for edge in &input.edges {
        let (a, b) = (find(&edge.a), find(&edge.b));
        if a == b {
            loops += 1;
            continue;
        }
        let key = if input.directed || a < b {
            (a, b)
        } else {
            (b, a)
        };
        let (strengths, last) = gathered.entry(key).or_default();
        strengths.push(edge.strength);
        *last = (*last).max(edge.last_contact.map(|d| d.0));
    }
    let combined = input.edges.len() - loops - gathered.len();
    let links = gathered
        .into_iter()
        .map(|((a, b), (mut strengths, last_contact))| {
            strengths.sort_by(f64::total_cmp);
            let strength = match strengths.as_slice() {
                [one] => *one,
                // Tiny strengths vanish in 1 - s; a combined tie is never weaker than its strongest part.
                many => {
                    (1.0 - many.iter().map(|s| 1.0 - s).product::<f64>()).max(many[many.len() - 1])
                }
            };
            Link {
                a,
                b,
                strength,
                last_contact,
            }
        });
    (links.collect(), loops, combined)
}

fn rows(n: usize, links: &[Link], directed: bool) -> (Rows, Rows, Rows) {
    let mut both: Vec<(u32, u32, f64)> = links
        .iter()
        .flat_map(|l| [(l.a, l.b, l.strength), (l.b, l.a, l.strength)])
        .collect();
    both.sort_by_key(|x| (x.0, x.1));
    if !directed {
        let out = Rows::new(n, &both);
        let mutual = out.map(|s| 2.0 * s);
        return (out.clone(), out, mutual);
    }
    let forward: Vec<_> = links.iter().map(|l| (l.a, l.b, l.strength)).collect();
    let mut backward: Vec<_> = links.iter().map(|l| (l.b, l.a, l.strength)).collect();
    backward.sort_by_key(|x| (x.0, x.1));
    // Both directions of a pair stand side by side, in the order of `links`: the smaller id's arc first.
    both.dedup_by(|later, first| {
        let same = (later.0, later.1) == (first.0, first.1);
        if same {
            first.2 += later.2;
        }
        same
    });
    (
        Rows::new(n, &forward),
        Rows::new(n, &backward),
        Rows::new(n, &both),
    )
}
