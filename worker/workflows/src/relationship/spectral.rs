//! Fixed points of flows on the network: eigenvector centrality and PageRank.
//!
//! Both follow incoming ties, as NetworkX does. The eigenvector iterates A + I, which also converges on bipartite
//! networks; what has not converged after [`MAX_ROUNDS`] is reported as such, never given out.

use super::graph::Rows;
use crate::{Error, Run};

/// Rounds of either iteration: 10,000 is twice what the slowest of our test networks takes.
pub(super) const MAX_ROUNDS: usize = 10_000;
/// Largest length of the last step that counts as converged: about fifty units in the last place.
const TOLERANCE: f64 = 1e-14;
const DAMPING: f64 = 0.85;

/// Eigenvector centrality over the nodes of `within`, L2-normalised; 0 elsewhere. `None` if it does not converge.
pub(super) fn eigenvector(
    back: &Rows,
    within: &[bool],
    run: &Run<'_>,
) -> Result<Option<Vec<f64>>, Error> {
    let size = within.iter().filter(|&&inside| inside).count();
    let start = 1.0 / (size as f64).sqrt();
    let mut x: Vec<f64> = within
        .iter()
        .map(|&inside| if inside { start } else { 0.0 })
        .collect();
    let mut next = vec![0.0; x.len()];
    for round in 0..MAX_ROUNDS {
        if round % 64 == 0 {
            run.check()?;
        }
        for (v, slot) in next.iter_mut().enumerate() {
            *slot = x[v];
            if within[v] {
                *slot += back
                    .row(crate::number::small(v))
                    .map(|(u, w)| w * x[u as usize])
                    .sum::<f64>();
            }
        }
        let norm = next.iter().map(|y| y * y).sum::<f64>().sqrt();
        let mut step = 0.0;
        for (old, new) in x.iter_mut().zip(&mut next) {
            *new /= norm;
            step += (*new - *old).powi(2);
            *old = *new;
        }
        if step.sqrt() < TOLERANCE {
            return Ok(Some(x));
        }
    }
    Ok(None)
}

/// PageRank with damping 0.85 and uniform dangling mass. `None` if it does not converge.
pub(super) fn pagerank(out: &Rows, back: &Rows, run: &Run<'_>) -> Result<Option<Vec<f64>>, Error> {
    let n = out.nodes();
    let total: Vec<f64> = (0..crate::number::small(n))
        .map(|v| out.weights(v).iter().sum())
        .collect();
    let mut x = vec![1.0 / n as f64; n];
    let mut flow = vec![0.0; n];
    for round in 0..MAX_ROUNDS {
        if round % 64 == 0 {
            run.check()?;
        }
        let mut dangling = 0.0;
        for v in 0..n {
            flow[v] = if total[v] > 0.0 { x[v] / total[v] } else { 0.0 };
            if total[v] <= 0.0 {
                dangling += x[v];
            }
        }
        let base = (1.0 - DAMPING + DAMPING * dangling) / n as f64;
        let mut step = 0.0;
        for (v, old) in x.iter_mut().enumerate() {
            let inward: f64 = back
                .row(crate::number::small(v))
                .map(|(u, w)| w * flow[u as usize])
                .sum();
            let new = base + DAMPING * inward;
            step += (new - *old).abs();
            *old = new;
        }
        if step < TOLERANCE {
            return Ok(Some(x));
        }
    }
    Ok(None)
}
