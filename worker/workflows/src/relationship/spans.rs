//! Distances in hops over the whole network and over its largest component.

use super::graph::Graph;
use super::network::Components;
use super::sweep::Sweep;

/// `None` where some pair is not connected; the mean distance of a single node is 0, as in NetworkX.
#[derive(Debug, Default)]
pub(super) struct Spans {
    pub(super) diameter: Option<u32>,
    pub(super) radius: Option<u32>,
    pub(super) avg_path: Option<f64>,
    pub(super) giant_diameter: Option<u32>,
    pub(super) giant_avg_path: Option<f64>,
}

impl Spans {
    pub(super) fn new(graph: &Graph, components: &Components, sweep: &Sweep) -> Self {
        let n = graph.n() as u64;
        let connected = sweep.pairs == n * (n - 1);
        let inside = || (0..graph.n()).filter(|&v| components.of[v] == components.giant);
        let sum: f64 = inside().map(|v| sweep.inward[v]).sum();
        let pairs: u64 = inside().map(|v| u64::from(sweep.reached_by[v]) - 1).sum();
        let size = u64::from(components.sizes[components.giant as usize]);
        // Nothing outside a weak component reaches into it, so these pairs all lie inside.
        let giant_connected = pairs == size * (size - 1);
        let widest = inside().map(|v| sweep.eccentricity[v]).max();
        let all = sweep.eccentricity.iter().copied();
        Self {
            diameter: all.clone().max().filter(|_| connected),
            radius: all.min().filter(|_| connected),
            avg_path: connected.then(|| mean(sweep.distance as f64, sweep.pairs)),
            giant_diameter: widest.filter(|_| giant_connected),
            giant_avg_path: giant_connected.then(|| mean(sum, pairs)),
        }
    }
}

fn mean(sum: f64, pairs: u64) -> f64 {
    if pairs == 0 { 0.0 } else { sum / pairs as f64 }
}
