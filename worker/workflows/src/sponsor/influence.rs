//! Who matters in the network of acquaintances: the mean percentile rank of four measures.
//!
//! Sum of tie strengths, betweenness, PageRank, and 1 - Burt's constraint (R. S. Burt, Structural Holes, 1992), as
//! `relationship_mapping` computes them: either in an earlier task whose `nodes` are given, or here from the ties. A
//! sponsor with several people counts its most influential one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::book::{Record, count};
use super::input::{Input, Node};
use crate::number::ranks;
use crate::{Error, Problem, Run, relationship};

/// Every person and sponsor in the network, with their standing.
#[derive(Debug, Default)]
pub(super) struct Influence {
    of: BTreeMap<String, Standing>,
    /// Why there is none at all.
    pub(super) absent: Option<&'static str>,
    /// Where the measures come from.
    pub(super) source: &'static str,
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
        if let Some(nodes) = &input.influence {
            return Self::of_nodes(nodes.clone(), "influence of the input", "/influence");
        }
        if input.ties.is_empty() {
            return Ok(Self {
                absent: Some("neither ties nor influence were given"),
                ..Self::default()
            });
        }
        let mut output = relationship::run(&network(input), run).map_err(at_ties)?;
        let nodes = serde_json::from_value(output["nodes"].take())
            .map_err(|_| Error::Internal("a relationship mapping has unreadable nodes".into()))?;
        Self::of_nodes(nodes, "ties of the input", "/ties")
    }

    fn of_nodes(mut nodes: Vec<Node>, source: &'static str, at: &str) -> Result<Self, Error> {
        nodes.sort_by(|a, b| a.id.cmp(&b.id));
        if nodes.windows(2).any(|pair| pair[0].id == pair[1].id) {
            return Err(Error::InvalidInput(vec![Problem::new(
                at,
                "two nodes have the same id",
            )]));
        }
        let column = |of: fn(&Node) -> Option<f64>| -> Vec<Option<f64>> {
            percentiles(&nodes.iter().map(of).collect::<Vec<_>>())
        };
        let columns = [
            column(|n| n.strength),
            column(|n| n.betweenness),
            column(|n| n.pagerank),
            column(|n| n.constraint.map(|c| -c)),
        ];
        let standing = |(i, node): (usize, &Node)| {
            let known: Vec<f64> = columns.iter().filter_map(|c| c[i]).collect();
            let standing = Standing {
                score: 100.0 * known.iter().sum::<f64>() / known.len() as f64,
                measures: count(&known),
                broker: node.broker.unwrap_or(false),
            };
            (!known.is_empty()).then(|| (node.id.clone(), standing))
        };
        let of: BTreeMap<_, _> = nodes.iter().enumerate().filter_map(standing).collect();
        let absent = of.is_empty().then_some("no node has any of the measures");
        Ok(Self { of, absent, source })
    }

    /// Nodes with a standing.
    pub(super) fn nodes(&self) -> usize {
        self.of.len()
    }

    /// The standing of a sponsor: of itself or the most influential of its people; `None` if none is in the network.
    pub(super) fn of(&self, record: &Record<'_>) -> Option<Standing> {
        record
            .ids()
            .filter_map(|id| self.of.get(id))
            .copied()
            .max_by(|a, b| a.score.total_cmp(&b.score))
    }
}

fn network(input: &Input) -> Value {
    let ids: std::collections::BTreeSet<&str> = input
        .ties
        .iter()
        .flat_map(|t| [t.a.as_str(), t.b.as_str()])
        .collect();
    let nodes: Vec<_> = ids.iter().map(|id| json!({"id": id})).collect();
    let edges: Vec<_> = input
        .ties
        .iter()
        .map(|t| json!({"a": t.a, "b": t.b, "strength": t.strength}))
        .collect();
    json!({"nodes": nodes, "edges": edges, "metrics": ["degree", "betweenness", "pagerank", "constraint"],
        "seed": input.seed})
}

/// A limit of relationship mapping is met by the ties of this input.
fn at_ties(error: Error) -> Error {
    match error {
        Error::LimitExceeded {
            limit, value, cap, ..
        } => Error::LimitExceeded {
            limit,
            value,
            cap,
            pointer: "/ties".into(),
        },
        other => other,
    }
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
