//! Numbers about the network as a whole.

use super::graph::{Graph, Rows};
use crate::number::{correlation, small};

/// Components without regard to direction.
#[derive(Debug)]
pub(super) struct Components {
    /// Component of each node, numbered by first member.
    pub(super) of: Vec<u32>,
    pub(super) sizes: Vec<u32>,
    /// The largest; the first of equally large ones.
    pub(super) giant: u32,
}

pub(super) fn components(mutual: &Rows) -> Components {
    let mut of = vec![u32::MAX; mutual.nodes()];
    let mut sizes = Vec::new();
    let mut stack = Vec::new();
    for start in 0..small(mutual.nodes()) {
        if of[start as usize] != u32::MAX {
            continue;
        }
        let name = small(sizes.len());
        let mut size = 0;
        of[start as usize] = name;
        stack.push(start);
        while let Some(v) = stack.pop() {
            size += 1;
            for &u in mutual.of(v) {
                if of[u as usize] == u32::MAX {
                    of[u as usize] = name;
                    stack.push(u);
                }
            }
        }
        sizes.push(size);
    }
    let largest = sizes.iter().copied().max().unwrap_or(0);
    let giant = small(sizes.iter().position(|&s| s == largest).unwrap_or(0));
    Components { of, sizes, giant }
}

/// Ties over possible ties, as (numerator, denominator).
pub(super) fn density(graph: &Graph) -> (u64, u64) {
    let n = graph.n() as u64;
    let ties = graph.m() as u64;
    (if graph.directed { ties } else { 2 * ties }, n * (n - 1))
}

/// Degree assortativity: the correlation of degrees at the two ends of the ties (out- and in-degree when directed).
pub(super) fn assortativity(graph: &Graph) -> Option<f64> {
    let mut ends = (
        Vec::with_capacity(graph.out.arcs()),
        Vec::with_capacity(graph.out.arcs()),
    );
    for v in 0..small(graph.n()) {
        for &u in graph.out.of(v) {
            ends.0.push(graph.out.degree(v) as f64);
            ends.1.push(graph.back.degree(u) as f64);
        }
    }
    if ends.0.is_empty() {
        None
    } else {
        correlation(&ends.0, &ends.1)
    }
}
