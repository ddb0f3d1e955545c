//! The network: who is how far, and who opens which way.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{list, number, str_of, text};
use crate::demo::book::US;

/// The people and the best way to each.
#[derive(Debug)]
pub(in crate::demo) struct Network {
    /// By distance, then id; we are the first.
    pub(in crate::demo) nodes: Vec<Node>,
    /// Pairs of places in `nodes`, with the strength of the tie.
    pub(in crate::demo) ties: Vec<(usize, usize, f64)>,
    ways: BTreeMap<String, Way>,
}

/// A person of the network.
#[derive(Debug)]
pub(in crate::demo) struct Node {
    pub(in crate::demo) id: String,
    pub(in crate::demo) name: String,
    /// Introductions needed plus one; `None` if there is no way.
    pub(in crate::demo) hops: Option<u64>,
    /// Whether the person bridges groups.
    pub(in crate::demo) broker: bool,
}

/// The best way to a person.
#[derive(Debug, Clone)]
pub(in crate::demo) struct Way {
    /// Names of those between us and the person, the first whom we know.
    pub(in crate::demo) through: Vec<String>,
    /// Product of the strengths of its ties.
    pub(in crate::demo) strength: Option<f64>,
}

/// Somebody who opens ways.
#[derive(Debug)]
pub(in crate::demo) struct Door {
    pub(in crate::demo) name: String,
    /// The names of the donors whose best way begins here.
    pub(in crate::demo) to: Vec<String>,
}

impl Network {
    pub(super) fn of(result: &Value, ties: &[Value]) -> Self {
        let targets = list(&result["targets"]);
        let hops: BTreeMap<&str, Option<u64>> = targets
            .iter()
            .map(|target| (str_of(&target["id"]), target["shortest_hops"].as_u64()))
            .collect();
        let mut nodes: Vec<Node> = list(&result["nodes"])
            .iter()
            .map(|node| Node {
                id: text(&node["id"]),
                name: text(&node["name"]),
                hops: match str_of(&node["id"]) {
                    US => Some(0),
                    id => hops.get(id).copied().flatten(),
                },
                broker: node["broker"] == true,
            })
            .collect();
        nodes.sort_by(|a, b| {
            let key = |node: &Node| node.hops.unwrap_or(u64::MAX);
            key(a).cmp(&key(b)).then_with(|| a.id.cmp(&b.id))
        });
        let (ties, ways) = (places(&nodes, ties), ways(result, &nodes));
        Self { nodes, ties, ways }
    }

    /// The best way to this person.
    pub(in crate::demo) fn way(&self, id: &str) -> Option<&Way> {
        self.ways.get(id)
    }

    /// Those who open the ways to these people, who opens most first.
    pub(super) fn doors<'a>(&self, wanted: impl Iterator<Item = &'a str>) -> Vec<Door> {
        let mut doors: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for id in wanted {
            let first = self.way(id).and_then(|way| way.through.first());
            if let (Some(first), Some(node)) = (first, self.nodes.iter().find(|n| n.id == id)) {
                doors.entry(first).or_default().push(node.name.clone());
            }
        }
        let named = |(name, to): (&str, Vec<String>)| Door {
            name: name.to_owned(),
            to,
        };
        let mut doors: Vec<Door> = doors.into_iter().map(named).collect();
        doors.sort_by(|a, b| {
            b.to.len()
                .cmp(&a.to.len())
                .then_with(|| a.name.cmp(&b.name))
        });
        doors
    }
}

/// The rows of ties whose ends are both in the network.
fn places(nodes: &[Node], ties: &[Value]) -> Vec<(usize, usize, f64)> {
    let place = |id: &Value| nodes.iter().position(|node| *id == *node.id);
    let tie = |record: &Value| {
        let values = &record["values"];
        let ends = place(&values["Person A"]).zip(place(&values["Person B"]));
        ends.map(|(a, b)| (a, b, number(&values["Strength"]).unwrap_or(1.0)))
    };
    ties.iter().filter_map(tie).collect()
}

fn ways(result: &Value, nodes: &[Node]) -> BTreeMap<String, Way> {
    let name = |id: &Value| {
        let node = nodes.iter().find(|node| *id == *node.id);
        node.map_or_else(|| text(id), |node| node.name.clone())
    };
    let best = list(&result["paths"])
        .iter()
        .filter(|path| path["rank"] == 1);
    best.map(|path| {
        let along = list(&path["nodes"]);
        let between = along.get(1..along.len().saturating_sub(1)).unwrap_or(&[]);
        let way = Way {
            through: between.iter().map(name).collect(),
            strength: number(&path["strength_product"]),
        };
        (text(&path["target"]), way)
    })
    .collect()
}
