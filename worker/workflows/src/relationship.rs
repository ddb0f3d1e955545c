//! Relationship mapping: introduction paths within seven hops, reach and influence, and who matters in a network.
//!
//! The way of a run: `input` (read and validate) -> `graph` -> `query` (paths, reach) -> `metrics` -> `output`.
//! Conventions are NetworkX's wherever it has one; the output's `evidence` says so number by number.
//! Deliberately absent: threads (sums are blocked so that they can come), clocks, any weight we made up silently.

mod communities;
mod demand;
mod graph;
mod input;
mod lengths;
mod limits;
mod local;
mod metrics;
mod network;
mod output;
mod paths;
mod quality;
mod query;
mod reach;
mod spans;
mod spectral;
mod summary;
mod sweep;
mod tables;
mod triads;

#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::document::Document;
use crate::{Error, Run, schema};

pub(crate) use demand::demand;

/// JSON Schema of the input.
pub(crate) fn input_schema() -> Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(schema::of::<input::Input>).clone()
}

/// What absent optional fields are taken to be.
pub(crate) fn defaults() -> Value {
    json!({"directed": false, "nodes": [], "edges": [], "imports": [], "query": null, "metrics": input::Metric::ALL, "params": input::Params::default(),
        "seed": 1, "advanced": "auto"})
}

/// Five people, one of them out of reach.
pub(crate) fn example() -> Value {
    json!({
        "directed": false,
        "nodes": [
            {"id": "p1", "type": "person", "name": "Ada"}, {"id": "p2", "type": "person", "name": "Ben"},
            {"id": "p3", "type": "person", "name": "Cleo"}, {"id": "o1", "type": "org", "name": "Harbour Trust"},
            {"id": "p4", "type": "person", "name": "Dan"}],
        "edges": [
            {"a": "p1", "b": "p2", "strength": 0.9, "last_contact": "2026-11-01", "kind": "knows"},
            {"a": "p2", "b": "o1", "strength": 0.6, "last_contact": "2026-09-01", "kind": "board"},
            {"a": "p1", "b": "p3", "strength": 0.5, "last_contact": "2026-05-20", "kind": "email"},
            {"a": "p3", "b": "o1", "strength": 0.8, "last_contact": "2026-10-10", "kind": "funded"}],
        "query": {"source": "p1", "targets": ["o1"], "max_hops": 7, "k_paths": 5, "min_strength": 0.05},
        "params": {"as_of": "2026-11-23", "half_life_days": 180, "decay": 0.5},
        "seed": 1,
    })
}

/// Zachary's karate club with strength = shared contexts / 7, asking for introductions from member 16.
///
/// Source and licence: `data/make_karate.py` and the NOTICE file of the repository.
///
/// # Panics
/// Never: the data are part of the program and tested.
#[must_use]
pub fn karate_club() -> Value {
    serde_json::from_str(include_str!("../data/karate.json"))
        .expect("the shipped file is valid JSON")
}

/// Maps a network.
pub(crate) fn run(input: &Value, run: &Run<'_>) -> Result<Value, Error> {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    let schema = SCHEMA.get_or_init(input_schema);
    let mut input: input::Input = schema::read(schema, input)?;
    let imports = tables::add(&mut input, schema, run)?;
    input::validate(&input)?;
    input.advanced.permitted(run)?;
    let graph = graph::Graph::new(&input);
    let mut doc = Document::default();
    warn(&graph, &input, &mut doc);
    let evidence = query::answer(&graph, &input, run, &mut doc)?;
    let components = network::components(&graph.mutual);
    let scene = metrics::Scene::new(&graph, &input, &components, run);
    let metrics = metrics::Metrics::compute(&scene)?;
    output::fill(&graph, &components, metrics, evidence, &mut doc);
    doc.set("advanced", run.advanced);
    doc.set("seed", input.seed);
    doc.set("imports", imports);
    doc.set(
        "conventions",
        "NetworkX 3.6; in a directed network communities, constraint and effective size ignore direction",
    );
    Ok(doc.finish())
}

/// What a reader should know before trusting the numbers.
fn warn(graph: &graph::Graph, input: &input::Input, doc: &mut Document) {
    if graph.loops > 0 {
        doc.warn(format!("{} self-loop(s) dropped", graph.loops));
    }
    if graph.combined > 0 {
        doc.warn(format!(
            "{} parallel edge(s) combined as 1 - prod(1 - strength)",
            graph.combined
        ));
    }
    let as_of = input.params.as_of.map(|d| d.0);
    let dated = || graph.links.iter().filter_map(|l| l.last_contact);
    match as_of {
        None if dated().next().is_some() => {
            doc.warn("params.as_of is missing, so path quality leaves out how recent contacts are");
        }
        Some(day) if dated().any(|last| last > day) => {
            doc.warn("contacts after params.as_of count as that day's");
        }
        _ => {}
    }
}

/// A finished output in words.
pub(crate) fn summary(output: &Value) -> String {
    summary::text(output)
}
