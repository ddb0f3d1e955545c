//! How good a connection is: of a tie, and of a path of ties.
//!
//! Tie: Q = 0.5 strength + 0.3 * 2^(-age/half-life) + 0.2 * Jaccard of the neighbourhoods, over the parts that are
//! known. Path: geometric mean of Q times 0.9^(hops - 1). The weights are policy defaults, not measurements.

use jiff::civil::Date;

use super::graph::{Graph, Link};

const STRENGTH: f64 = 0.5;
const RECENCY: f64 = 0.3;
const OVERLAP: f64 = 0.2;
const PER_FURTHER_HOP: f64 = 0.9;

/// The formulae above, for outputs.
pub(super) const METHOD: &str = "tie: 0.5 strength + 0.3 recency + 0.2 shared neighbours, or (0.5 strength + 0.2 shared neighbours) / 0.7 where recency is unknown; path: geometric mean times 0.9^(hops - 1)";
/// Why the recency of a tie is null, and what follows.
pub(super) const UNDATED: &str = "the tie has no last_contact, or params.as_of is missing: its quality rests on strength and shared neighbours alone";

/// The day against which contacts age, and how fast.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aging {
    pub(super) as_of: Option<Date>,
    pub(super) half_life_days: f64,
}

impl Aging {
    /// 2^(-age/half-life); `None` when a date is missing. A contact after `as_of` counts as today's.
    pub(super) fn recency(self, link: &Link) -> Option<f64> {
        let (as_of, last) = (self.as_of?, link.last_contact?);
        let age = f64::from((as_of - last).get_days()).max(0.0);
        Some((-age / self.half_life_days).exp2())
    }
}

/// Quality of one tie, in (0, 1].
pub(super) fn of_link(graph: &Graph, link: &Link, aging: Aging) -> f64 {
    let known = STRENGTH * link.strength + OVERLAP * jaccard(graph, link.a, link.b);
    match aging.recency(link) {
        Some(recency) => known + RECENCY * recency,
        None => known / (STRENGTH + OVERLAP),
    }
}

/// Quality of a path of ties.
pub(super) fn of_path(qualities: &[f64]) -> f64 {
    let hops = qualities.len() as f64;
    let mean = (qualities.iter().map(|q| q.ln()).sum::<f64>() / hops).exp();
    mean * PER_FURTHER_HOP.powf(hops - 1.0)
}

/// Shared neighbours over all neighbours, direction ignored.
fn jaccard(graph: &Graph, one: u32, other: u32) -> f64 {
    let (x, y) = (graph.mutual.of(one), graph.mutual.of(other));
    let (mut i, mut j, mut shared) = (0, 0, 0_usize);
    while i < x.len() && j < y.len() {
        match x[i].cmp(&y[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                shared += 1;
                i += 1;
                j += 1;
            }
        }
    }
    shared as f64 / (x.len() + y.len() - shared) as f64
}
