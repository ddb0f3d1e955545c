//! Metrics that look at a node's neighbourhood: cores and Burt's structural holes.
//!
//! Direction matters to neither beyond counting: a core's degree is ties in plus ties out, and constraint and
//! effective size use the mutual weights a_ij + a_ji.

use super::graph::Rows;
use crate::{Error, Run};

/// Core numbers in O(m): Batagelj and Zaversnik (2003). A neighbour may stand in a row twice and then counts twice.
pub(super) fn cores(rows: &Rows) -> Vec<u32> {
    let n = rows.nodes();
    let mut core: Vec<u32> = (0..n)
        .map(|v| crate::number::small(rows.degree(crate::number::small(v))))
        .collect();
    let most = core.iter().copied().max().unwrap_or(0) as usize;
    let mut starts = vec![0_usize; most + 2];
    for &d in &core {
        starts[d as usize + 1] += 1;
    }
    for d in 0..=most {
        starts[d + 1] += starts[d];
    }
    // `order` is sorted by current degree; `starts[d]` is where degree d begins in it.
    let (mut order, mut place) = (vec![0_u32; n], vec![0_usize; n]);
    let mut next = starts.clone();
    for v in 0..n {
        place[v] = next[core[v] as usize];
        order[place[v]] = crate::number::small(v);
        next[core[v] as usize] += 1;
    }
    for i in 0..n {
        let v = order[i];
        for &u in rows.of(v) {
            let degree = core[u as usize];
            if degree <= core[v as usize] {
                continue;
            }
            // Swap u with the first of its degree, which then belongs to the degree below.
            let (at, front) = (place[u as usize], starts[degree as usize].max(i + 1));
            let other = order[front];
            order.swap(at, front);
            place[u as usize] = front;
            place[other as usize] = at;
            starts[degree as usize] = front + 1;
            core[u as usize] -= 1;
        }
    }
    core
}

/// Burt's constraint and effective size of every node; `None` for isolated ones.
#[derive(Debug)]
pub(super) struct Holes {
    pub(super) constraint: Vec<Option<f64>>,
    pub(super) effective_size: Vec<Option<f64>>,
}

/// c_i = sum_j (p_ij + sum_q p_iq p_qj)^2 with p_ij = w_ij / sum_k w_ik, and effective size
/// sum_j (1 - sum_q p_iq m_jq) with m_jq = w_jq / max_k w_jk (Burt 1992), over mutual weights w.
pub(super) fn holes(rows: &Rows, run: &Run<'_>) -> Result<Holes, Error> {
    let n = rows.nodes();
    let each = |fold: fn(f64, f64) -> f64| -> Vec<f64> {
        (0..crate::number::small(n))
            .map(|v| rows.weights(v).iter().copied().fold(0.0, fold))
            .collect()
    };
    let (sum, most) = (each(|a, b| a + b), each(f64::max));
    let (mut p, mut is_near) = (vec![0.0; n], vec![false; n]);
    let mut indirect = vec![0.0; n];
    let mut holes = Holes {
        constraint: vec![None; n],
        effective_size: vec![None; n],
    };
    for i in 0..crate::number::small(n) {
        if i % 256 == 0 {
            run.check()?;
        }
        if rows.degree(i) == 0 {
            continue;
        }
        for (j, w) in rows.row(i) {
            p[j as usize] = w / sum[i as usize];
            is_near[j as usize] = true;
        }
        let mut redundancy = 0.0;
        for &q in rows.of(i) {
            let to_q = p[q as usize];
            let mut shared = |j: u32, w: f64| {
                indirect[j as usize] += to_q * (w / sum[q as usize]);
                redundancy += p[j as usize] * (w / most[q as usize]);
            };
            // The shorter row is walked and the other one asked: a hub is not read once per leaf. Both ways meet the
            // common neighbours in the same order, so that the sums do not depend on the choice.
            if rows.degree(i) < rows.degree(q) {
                let both = rows.of(i).iter();
                both.filter_map(|&j| rows.weight(q, j).map(|w| (j, w)))
                    .for_each(|(j, w)| shared(j, w));
            } else {
                rows.row(q)
                    .filter(|&(j, _)| is_near[j as usize])
                    .for_each(|(j, w)| shared(j, w));
            }
        }
        let squares = rows
            .of(i)
            .iter()
            .map(|&j| (p[j as usize] + indirect[j as usize]).powi(2));
        holes.constraint[i as usize] = Some(squares.sum());
        holes.effective_size[i as usize] = Some(rows.degree(i) as f64 - redundancy);
        for &j in rows.of(i) {
            (p[j as usize], indirect[j as usize], is_near[j as usize]) = (0.0, 0.0, false);
        }
    }
    Ok(holes)
}
