//! Who matters in the network of acquaintances: the mean percentile rank of four measures.
//!
//! Sum of tie strengths, betweenness, PageRank, and 1 - Burt's constraint (R. S. Burt, Structural Holes, 1992), the
//! last three as `relationship_mapping` computes them. A sponsor with several people counts its most influential one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::book::Record;
use super::input::Input;
use crate::number::ranks;
use crate::{Error, Run, relationship};

/// Every person and sponsor in the ties, with their standing.
#[derive(Debug, Default)]
pub(super) struct Influence {
    of: BTreeMap<String, Standing>,
    /// Why there is none at all.
    pub(super) absent: Option<&'static str>,
}

/// One node's standing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Standing {
    /// Mean percentile rank, 0 to 100.
    pub(super) score: f64,
    /// How many of the four measures it is a mean of.
    pub(super) measures: u32,
    pub(super) broker: bool,
}

impl Influence {
    pub(super) fn new(input: &Input, run: &Run<'_>) -> Result<Self, Error> {
        if input.ties.is_empty() {
            return Ok(Self {
                absent: Some("no ties were given"),
                ..Self::default()
            });
        }
        let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
        for tie in &input.ties {
            if tie.a != tie.b {
                *sums.entry(&tie.a).or_default() += tie.strength;
                *sums.entry(&tie.b).or_default() += tie.strength;
            }
        }
        if sums.is_empty() {
            return Ok(Self {
                absent: Some("every tie is of a node with itself"),
                ..Self::default()
            });
        }
        let map = relationship::run(&network(input, &sums), run)?;
        let nodes = map["nodes"].as_array().map_or(&[][..], Vec::as_slice);
        let column = |name: &str, sign: f64| -> Vec<Option<f64>> {
            percentiles(
                &nodes
                    .iter()
                    .map(|n| n[name].as_f64().map(|x| sign * x))
                    .collect::<Vec<_>>(),
            )
        };
        let columns = [
            percentiles(&sums.values().map(|s| Some(*s)).collect::<Vec<_>>()),
            column("betweenness", 1.0),
            column("pagerank", 1.0),
            column("constraint", -1.0),
        ];
        let standing = |i: usize| {
            let known: Vec<f64> = columns.iter().filter_map(|c| c[i]).collect();
            Standing {
                score: 100.0 * known.iter().sum::<f64>() / known.len() as f64,
                measures: super::book::count(&known),
                broker: nodes[i]["broker"] == true,
            }
        };
        // Both are sorted by id.
        let of = sums
            .keys()
            .enumerate()
            .map(|(i, id)| ((*id).to_owned(), standing(i)))
            .collect();
        Ok(Self { of, absent: None })
    }

    /// The standing of a sponsor: of itself or the most influential of its people; `None` if none is in the ties.
    pub(super) fn of(&self, record: &Record<'_>) -> Option<Standing> {
        let ids = std::iter::once(&record.sponsor.id).chain(&record.sponsor.person_ids);
        ids.filter_map(|id| self.of.get(id))
            .copied()
            .max_by(|a, b| a.score.total_cmp(&b.score))
    }
}

fn network(input: &Input, sums: &BTreeMap<&str, f64>) -> Value {
    let nodes: Vec<_> = sums.keys().map(|id| json!({"id": id})).collect();
    let edges: Vec<_> = input
        .ties
        .iter()
        .map(|t| json!({"a": t.a, "b": t.b, "strength": t.strength}))
        .collect();
    json!({"nodes": nodes, "edges": edges, "metrics": ["betweenness", "pagerank", "constraint"], "seed": input.seed})
}

/// Share of the known values that are lower, ties counting half of their peers: 0.5 in the middle, below 1 at the top.
fn percentiles(values: &[Option<f64>]) -> Vec<Option<f64>> {
    let known: Vec<f64> = values.iter().flatten().copied().collect();
    let n = known.len() as f64;
    let mut ranked = ranks(&known).into_iter();
    values
        .iter()
        .map(|v| v.and_then(|_| ranked.next()).map(|rank| (rank - 0.5) / n))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_mid_ranks_of_what_is_known() {
        let got = percentiles(&[Some(3.0), None, Some(1.0), Some(2.0), Some(2.0)]);
        assert_eq!(got, [Some(0.875), None, Some(0.125), Some(0.5), Some(0.5)]);
    }
}
