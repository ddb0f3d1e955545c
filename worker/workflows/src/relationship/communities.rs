//! Communities: Louvain (Blondel et al. 2008), never worse in modularity than label propagation.
//!
//! The order of moves is a seeded shuffle, so a seed gives one answer. Communities are numbered by their first
//! member. Labels are a heuristic's choice: the modularity is the claim, not the labels.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::graph::Rows;
use crate::number::small;
use crate::{Error, Run};

/// A gain below this is noise of summation.
const LEAST_GAIN: f64 = 1e-12;
/// Passes over all nodes at one level; Louvain settles in a handful.
const MAX_PASSES: usize = 100;

/// A partition and its modularity.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) of: Vec<u32>,
    pub(super) count: u32,
    /// `None` without ties.
    pub(super) modularity: Option<f64>,
    /// Modularity of label propagation on the same network.
    pub(super) label_propagation: Option<f64>,
}

/// A weighted network whose nodes may hold ties to themselves (twice the weight inside a merged community).
struct Level {
    rows: Rows,
    inside: Vec<f64>,
    degree: Vec<f64>,
}

impl Level {
    fn new(rows: Rows, inside: Vec<f64>) -> Self {
        let degree = (0..small(rows.nodes()))
            .map(|v| rows.weights(v).iter().sum::<f64>() + inside[v as usize]);
        Self {
            degree: degree.collect(),
            rows,
            inside,
        }
    }

    /// Moves nodes while modularity grows. Returns the community of each node and whether anything moved.
    fn settle(&self, rng: &mut ChaCha8Rng, run: &Run<'_>) -> Result<(Vec<u32>, bool), Error> {
        let n = self.rows.nodes();
        let mut of: Vec<u32> = (0..small(n)).collect();
        let mut total = self.degree.clone();
        let twice: f64 = self.degree.iter().sum();
        let mut order: Vec<u32> = (0..small(n)).collect();
        order.shuffle(rng);
        let (mut to, mut near) = (vec![0.0; n], Vec::new());
        let mut moved = false;
        for _ in 0..MAX_PASSES {
            let mut changed = false;
            for (i, &v) in order.iter().enumerate() {
                if i % 4096 == 0 {
                    run.check()?;
                }
                let home = of[v as usize];
                near.push(home);
                for (u, w) in self.rows.row(v) {
                    let c = of[u as usize];
                    if c != home && to[c as usize] == 0.0 {
                        near.push(c);
                    }
                    to[c as usize] += w;
                }
                let k = self.degree[v as usize];
                total[home as usize] -= k;
                let gain = |c: u32| to[c as usize] - k * total[c as usize] / twice;
                let mut best = (gain(home), home);
                for &c in &near[1..] {
                    let g = gain(c);
                    if g > best.0 + LEAST_GAIN * twice
                        || (c < best.1 && best.1 != home && g >= best.0)
                    {
                        best = (g, c);
                    }
                }
                total[best.1 as usize] += k;
                changed |= best.1 != home;
                of[v as usize] = best.1;
                near.drain(..).for_each(|c| to[c as usize] = 0.0);
            }
            moved |= changed;
            if !changed {
                break;
            }
        }
        Ok((of, moved))
    }

    /// The network of the communities.
    fn merge(&self, of: &[u32], count: usize) -> Self {
        let mut inside = vec![0.0; count];
        let mut arcs: Vec<(u32, u32, f64)> = Vec::new();
        for v in 0..small(self.rows.nodes()) {
            let c = of[v as usize];
            inside[c as usize] += self.inside[v as usize];
            for (u, w) in self.rows.row(v) {
                let d = of[u as usize];
                if c == d {
                    inside[c as usize] += w;
                } else {
                    arcs.push((c, d, w));
                }
            }
        }
        arcs.sort_by_key(|x| (x.0, x.1));
        arcs.dedup_by(|later, first| {
            let same = (later.0, later.1) == (first.0, first.1);
            if same {
                first.2 += later.2;
            }
            same
        });
        Self::new(Rows::new(count, &arcs), inside)
    }
}

/// Numbers labels by first appearance.
fn number(of: &[u32]) -> (Vec<u32>, u32) {
    let mut names = vec![u32::MAX; of.len()];
    let mut count = 0;
    let numbered = of.iter().map(|&c| {
        let name = &mut names[c as usize];
        if *name == u32::MAX {
            *name = count;
            count += 1;
        }
        *name
    });
    (numbered.collect(), count)
}

/// Modularity at resolution 1: sum over communities of inside/2m - (degree/2m)^2. `None` without ties.
pub(super) fn modularity(rows: &Rows, of: &[u32]) -> Option<f64> {
    let mut inside = vec![0.0; of.len()];
    let mut degree = vec![0.0; of.len()];
    for v in 0..small(rows.nodes()) {
        let c = of[v as usize];
        for (u, w) in rows.row(v) {
            degree[c as usize] += w;
            if of[u as usize] == c {
                inside[c as usize] += w;
            }
        }
    }
    let twice: f64 = degree.iter().sum();
    (twice > 0.0).then(|| {
        inside
            .iter()
            .zip(&degree)
            .map(|(i, d)| i / twice - (d / twice).powi(2))
            .sum()
    })
}

/// Label propagation with ties to the smallest label; a baseline that Louvain must not fall below.
fn propagate(rows: &Rows, rng: &mut ChaCha8Rng, run: &Run<'_>) -> Result<Vec<u32>, Error> {
    let n = rows.nodes();
    let mut of: Vec<u32> = (0..small(n)).collect();
    let mut order = of.clone();
    order.shuffle(rng);
    let mut votes = vec![0.0; n];
    for _ in 0..MAX_PASSES {
        run.check()?;
        let mut changed = false;
        for &v in &order {
            for (u, w) in rows.row(v) {
                votes[of[u as usize] as usize] += w;
            }
            let mut best = (votes[of[v as usize] as usize], of[v as usize]);
            for &u in rows.of(v) {
                let c = of[u as usize];
                if votes[c as usize] > best.0 || (votes[c as usize] >= best.0 && c < best.1) {
                    best = (votes[c as usize], c);
                }
            }
            for &u in rows.of(v) {
                votes[of[u as usize] as usize] = 0.0;
            }
            changed |= best.1 != of[v as usize];
            of[v as usize] = best.1;
        }
        if !changed {
            break;
        }
    }
    Ok(of)
}

/// The communities of a network of mutual weights.
pub(super) fn find(rows: &Rows, seed: u64, run: &Run<'_>) -> Result<Partition, Error> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut level = Level::new(rows.clone(), vec![0.0; rows.nodes()]);
    let mut louvain: Vec<u32> = (0..small(rows.nodes())).collect();
    loop {
        let (of, moved) = level.settle(&mut rng, run)?;
        if !moved {
            break;
        }
        let (of, count) = number(&of);
        for c in &mut louvain {
            *c = of[*c as usize];
        }
        level = level.merge(&of, count as usize);
    }
    let baseline = propagate(rows, &mut rng, run)?;
    let (ours, theirs) = (modularity(rows, &louvain), modularity(rows, &baseline));
    let best = if theirs > ours { baseline } else { louvain };
    let (of, count) = number(&best);
    Ok(Partition {
        modularity: modularity(rows, &of),
        of,
        count,
        label_propagation: theirs,
    })
}
