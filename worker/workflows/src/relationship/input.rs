//! What a relationship mapping takes, and the rules between its fields.
//!
//! Single fields are checked by the schema made from these structs; [`validate`] adds what needs two fields.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;
use super::tables::List;
use crate::advanced::Advanced;
use crate::imports::Import;
use crate::problem::accept;
use crate::schema::Day;
use crate::{Error, Problem};

/// A network of people and organisations, and what to find out about it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// Whether an edge leads from `a` to `b` only.
    #[serde(default)]
    pub(super) directed: bool,
    /// People and organisations; at least one, here or by `imports`.
    #[serde(default)]
    pub(super) nodes: Vec<Node>,
    /// Ties. Parallel ones combine to 1 - prod(1 - strength); self-loops are dropped with a warning.
    #[serde(default)]
    pub(super) edges: Vec<Edge>,
    /// Rows of tables, such as `records` of an Excel processing result, as further entries. `mapping` gives the column
    /// of each field. Nodes: id, name, type; edges: a, b, strength, `last_contact`, kind. Whoever an edge names becomes
    /// a node; a row that cannot be used is left out and counted.
    #[serde(default)]
    pub(super) imports: Vec<Import<List>>,
    /// Whose paths and reach to find; without it only metrics are computed.
    #[serde(default)]
    pub(super) query: Option<Query>,
    /// Which node metrics to compute.
    #[serde(default = "all_metrics")]
    pub(super) metrics: Vec<Metric>,
    /// Settings.
    #[serde(default)]
    pub(super) params: Params,
    /// Seed of every random choice (pivots, order of community moves).
    #[serde(default = "one")]
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub(super) seed: u64,
    /// `require` asks for the expensive optional parts even when they are switched off for the moment.
    #[serde(default)]
    pub(super) advanced: Advanced,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Node {
    /// Unique id.
    #[schemars(length(min = 1, max = 256))]
    pub(super) id: String,
    /// What the node is.
    #[serde(rename = "type", default)]
    pub(super) kind: Option<NodeKind>,
    /// Name for people; used in explanations.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub(super) name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum NodeKind {
    Person,
    Org,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Edge {
    /// Id of a node.
    #[schemars(length(min = 1, max = 256))]
    pub(super) a: String,
    /// Id of a node.
    #[schemars(length(min = 1, max = 256))]
    pub(super) b: String,
    /// Tie strength in (0, 1].
    #[serde(default = "certain")]
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub(super) strength: f64,
    /// Day of the last contact.
    #[serde(default)]
    pub(super) last_contact: Option<Day>,
    /// What the tie is.
    #[serde(default, rename = "kind")]
    pub(super) _kind: Option<EdgeKind>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum EdgeKind {
    Knows,
    Board,
    Funded,
    Email,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// Id of the node that asks.
    #[schemars(length(min = 1, max = 256))]
    pub(super) source: String,
    /// Ids of the nodes to reach.
    #[serde(default)]
    #[schemars(inner(length(min = 1, max = 256)))]
    pub(super) targets: Vec<String>,
    /// Longest listed or counted path in hops; reach and influence always look seven hops far.
    #[serde(default = "seven")]
    #[schemars(range(min = 1, max = 7))]
    pub(super) max_hops: u8,
    /// How many paths to list for each target.
    #[serde(default = "five")]
    #[schemars(range(min = 1, max = 100))]
    pub(super) k_paths: u32,
    /// Ties below this strength are left out of the search for paths, not of reach and influence; never whole paths.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) min_strength: f64,
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub(super) enum Metric {
    Degree,
    Betweenness,
    Closeness,
    Eigenvector,
    Pagerank,
    Constraint,
    Core,
    Clustering,
    Communities,
}

impl Metric {
    pub(super) const ALL: [Self; 9] = [
        Self::Degree,
        Self::Betweenness,
        Self::Closeness,
        Self::Eigenvector,
        Self::Pagerank,
        Self::Constraint,
        Self::Core,
        Self::Clustering,
        Self::Communities,
    ];
}

#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Params {
    /// The day against which `last_contact` ages; without it recency is unknown.
    pub(super) as_of: Option<Day>,
    /// Days in which a contact loses half of its weight.
    #[schemars(range(max = 100_000.0), extend("exclusiveMinimum" = 0.0))]
    pub(super) half_life_days: f64,
    /// Factor per hop of decay centrality.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) decay: f64,
    /// All-pairs metrics are exact up to this nodes x edges; above it betweenness is estimated from pivots.
    #[schemars(range(max = 100_000_000_000_u64))]
    pub(super) exact_limit: u64,
    /// Whether metrics use strengths (lengths 1/strength in shortest paths).
    pub(super) weighted: bool,
    /// Relative difference within which two lengths 1/strength are equal; 0 compares floats, as NetworkX does.
    #[schemars(range(min = 0.0, max = 0.000_001))]
    pub(super) tie_tolerance: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            as_of: None,
            half_life_days: 180.0,
            decay: 0.5,
            exact_limit: 500_000_000,
            weighted: false,
            tie_tolerance: 0.0,
        }
    }
}

fn all_metrics() -> Vec<Metric> {
    Metric::ALL.to_vec()
}

fn one() -> u64 {
    1
}

fn certain() -> f64 {
    1.0
}

fn seven() -> u8 {
    7
}

fn five() -> u32 {
    5
}

/// The caps, then every rule that needs more than one field.
pub(super) fn validate(input: &Input) -> Result<(), Error> {
    Error::cap(
        "max_nodes",
        input.nodes.len() as u64,
        limits::MAX_NODES,
        "/nodes",
    )?;
    Error::cap(
        "max_edges",
        input.edges.len() as u64,
        limits::MAX_EDGES,
        "/edges",
    )?;
    let targets = input.query.as_ref().map_or(0, |q| q.targets.len());
    Error::cap(
        "max_targets",
        targets as u64,
        limits::MAX_TARGETS,
        "/query/targets",
    )?;

    let mut problems = Vec::new();
    if input.nodes.is_empty() {
        problems.push(Problem::new("/nodes", "no node is given, nor imported"));
    }
    let mut known = BTreeMap::new();
    for (i, node) in input.nodes.iter().enumerate() {
        if let Some(first) = known.insert(node.id.as_str(), i) {
            problems.push(Problem::new(
                format!("/nodes/{i}/id"),
                format!("the same id as /nodes/{first}/id"),
            ));
            known.insert(node.id.as_str(), first);
        }
    }
    let unknown = |id: &str| !known.contains_key(id);
    for (i, edge) in input.edges.iter().enumerate() {
        for (end, id) in [("a", &edge.a), ("b", &edge.b)] {
            if unknown(id) {
                problems.push(Problem::new(
                    format!("/edges/{i}/{end}"),
                    "no node has this id",
                ));
            }
        }
    }
    if let Some(query) = &input.query {
        check_query(query, unknown, &mut problems);
    }
    accept(problems)
}

fn check_query(query: &Query, unknown: impl Fn(&str) -> bool, problems: &mut Vec<Problem>) {
    if unknown(&query.source) {
        problems.push(Problem::new("/query/source", "no node has this id"));
    }
    let mut seen = BTreeMap::new();
    for (i, target) in query.targets.iter().enumerate() {
        let at = format!("/query/targets/{i}");
        if unknown(target) {
            problems.push(Problem::new(at, "no node has this id"));
        } else if *target == query.source {
            problems.push(Problem::new(at, "the source cannot be its own target"));
        } else if let Some(first) = seen.insert(target, i) {
            problems.push(Problem::new(
                at,
                format!("the same target as /query/targets/{first}"),
            ));
        }
    }
}
