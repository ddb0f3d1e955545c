//! Rows of tables as nodes and edges of a network.
//!
//! Invariant: nodes and edges that the input itself holds stay as they are. Whoever an imported edge names and no node
//! describes becomes a node. Rows of one node are one node; rows of one edge stay parallel edges.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::input::{Edge, Input, Node};
use crate::imports::{Field, Kind};
use crate::{Error, Run, schema};

/// A list that rows can be read into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum List {
    Nodes,
    Edges,
}

const NODE: [Field; 3] = [
    field("id", Kind::Text, true),
    field("name", Kind::Text, false),
    field("type", Kind::Text, false),
];
const EDGE: [Field; 5] = [
    field("a", Kind::Text, true),
    field("b", Kind::Text, true),
    field("strength", Kind::Number, false),
    field("last_contact", Kind::Day, false),
    field("kind", Kind::Text, false),
];

const fn field(name: &'static str, kind: Kind, required: bool) -> Field {
    Field {
        name,
        kind,
        required,
    }
}

impl List {
    fn name(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Edges => "edges",
        }
    }

    fn fields(self) -> &'static [Field] {
        match self {
            Self::Nodes => &NODE,
            Self::Edges => &EDGE,
        }
    }
}

/// Adds what the imports hold; what became of their rows, in the order of the imports.
pub(super) fn add(input: &mut Input, schema: &Value, run: &Run<'_>) -> Result<Vec<Value>, Error> {
    let imports = std::mem::take(&mut input.imports);
    let mut order: Vec<usize> = (0..imports.len()).collect();
    order.sort_by_key(|&i| imports[i].into);
    let mut told = vec![Value::Null; imports.len()];
    let mut known: HashMap<String, usize> = HashMap::new();
    for (place, node) in input.nodes.iter().enumerate() {
        known.entry(node.id.clone()).or_insert(place);
    }
    for i in order {
        let list = imports[i].into;
        let at = format!("/imports/{i}");
        let (entries, mut tally) = imports[i].entries(list.fields(), run, &at)?;
        let schema = &schema["properties"][list.name()]["items"];
        let before = input.nodes.len();
        for entry in entries {
            let added = match list {
                List::Nodes => {
                    read(schema, entry.fields).map(|node| add_node(node, &mut known, input))
                }
                List::Edges => {
                    read(schema, entry.fields).map(|edge| add_edge(edge, &mut known, input))
                }
            };
            if let Err(reason) = added {
                tally.refuse(reason, &entry.place);
            }
        }
        tally.accept(&at)?;
        told[i] = tally.told(list.name());
        told[i]["nodes_added"] = (input.nodes.len() - before).into();
    }
    Ok(told)
}

fn add_node(node: Node, known: &mut HashMap<String, usize>, input: &mut Input) {
    if let Some(&place) = known.get(&node.id) {
        let there = &mut input.nodes[place];
        there.name = there.name.take().or(node.name);
        there.kind = there.kind.or(node.kind);
        return;
    }
    known.insert(node.id.clone(), input.nodes.len());
    input.nodes.push(node);
}

fn add_edge(edge: Edge, known: &mut HashMap<String, usize>, input: &mut Input) {
    for id in [&edge.a, &edge.b] {
        let node = Node {
            id: id.clone(),
            kind: None,
            name: None,
        };
        add_node(node, known, input);
    }
    input.edges.push(edge);
}

/// The entry as what the schema says it must be; words of closed sets may be written in capitals.
fn read<T: DeserializeOwned>(schema: &Value, mut fields: Map<String, Value>) -> Result<T, String> {
    for word in ["type", "kind"] {
        if let Some(Value::String(text)) = fields.get_mut(word) {
            *text = text.to_lowercase();
        }
    }
    schema::read_entry(schema, fields)
}
