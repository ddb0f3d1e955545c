//! Lays the metrics out: `nodes`, `network`, `evidence`, `approx`, `limits`.

use serde_json::{Map, Value, json};

use super::graph::Graph;
use super::limits;
use super::metrics::Metrics;
use super::network::{self, Components};
use super::spans::Spans;
use super::triads::Triads;
use crate::document::Document;
use crate::number::maybe;

const NODE_FIELDS: [&str; 14] = [
    "degree",
    "strength",
    "in_degree",
    "out_degree",
    "betweenness",
    "closeness",
    "eigenvector",
    "pagerank",
    "constraint",
    "effective_size",
    "core",
    "clustering",
    "community",
    "broker",
];

/// Fills everything that is about the whole network; `evidence` is that of the query.
pub(super) fn fill(
    graph: &Graph,
    components: &Components,
    metrics: Metrics,
    mut evidence: Map<String, Value>,
    doc: &mut Document,
) {
    let nodes: Vec<Value> = (0..graph.n()).map(|v| node(graph, &metrics, v)).collect();
    doc.set("nodes", nodes);
    whole(graph, components, &metrics, &mut evidence, doc);
    for (name, value) in metrics.evidence {
        evidence.insert(name.into(), value);
    }
    if metrics.near_ties > 0 {
        doc.warn(format!(
            "{} comparisons of lengths 1/strength were decided by rounding; params.tie_tolerance = 1e-10 takes them as ties",
            metrics.near_ties
        ));
    }
    for (pointer, reason) in metrics.reasons {
        doc.because(format!("/nodes/{pointer}"), reason);
    }
    doc.set("evidence", evidence);
    doc.set("approx", metrics.approx.unwrap_or(Value::Null));
    doc.set("limits", limits::listed());
}

fn node(graph: &Graph, metrics: &Metrics, v: usize) -> Value {
    let mut fields = Map::new();
    fields.insert("id".into(), graph.ids[v].as_str().into());
    fields.insert("name".into(), graph.names[v].clone().into());
    fields.insert("type".into(), json!(graph.kinds[v]));
    for name in NODE_FIELDS {
        let value = metrics
            .columns
            .get(name)
            .map_or(Value::Null, |column| column[v].clone());
        fields.insert(name.into(), value);
    }
    Value::Object(fields)
}

fn whole(
    graph: &Graph,
    components: &Components,
    metrics: &Metrics,
    evidence: &mut Map<String, Value>,
    doc: &mut Document,
) {
    let n = graph.n();
    let mut fields = Map::new();
    fields.insert("n".into(), n.into());
    fields.insert("m".into(), graph.m().into());
    fields.insert("directed".into(), graph.directed.into());
    fields.insert("components".into(), components.sizes.len().into());
    fields.insert(
        "giant".into(),
        components.sizes[components.giant as usize].into(),
    );
    let (num, den) = network::density(graph);
    let density = (den > 0).then(|| num as f64 / den as f64);
    put(
        &mut fields,
        doc,
        "density",
        density,
        "one node has no possible ties",
    );
    evidence.insert(
        "density".into(),
        json!({"value": maybe(density), "num": num, "den": den, "method": "ties / possible ties"}),
    );
    triangles(metrics, &mut fields, evidence, doc);
    let assortativity = network::assortativity(graph);
    put(
        &mut fields,
        doc,
        "assortativity",
        assortativity,
        "the degrees at the ends of ties do not vary",
    );
    distances(graph, components, metrics, &mut fields, doc);
    partition(metrics, &mut fields, doc);
    doc.set("network", fields);
}

fn partition(metrics: &Metrics, fields: &mut Map<String, Value>, doc: &mut Document) {
    let modularity = metrics.partition.as_ref().and_then(|p| p.modularity);
    let why = if metrics.partition.is_some() {
        "the network has no ties"
    } else {
        "communities were not computed"
    };
    put(fields, doc, "modularity", modularity, why);
    fields.insert(
        "communities".into(),
        metrics.partition.as_ref().map(|p| p.count).into(),
    );
    if metrics.partition.is_none() {
        doc.because("/network/communities", why);
    }
}

fn put(
    fields: &mut Map<String, Value>,
    doc: &mut Document,
    name: &str,
    value: Option<f64>,
    why: &str,
) {
    if value.is_none() {
        doc.because(format!("/network/{name}"), why);
    }
    fields.insert(name.into(), maybe(value));
}

/// Transitivity and average clustering; both 0 where nobody has two neighbours, as in NetworkX.
fn triangles(
    metrics: &Metrics,
    fields: &mut Map<String, Value>,
    evidence: &mut Map<String, Value>,
    doc: &mut Document,
) {
    let triads = metrics.triads.as_ref();
    let transitivity = triads.map(Triads::transitivity);
    let average = triads.map(Triads::average);
    let why = "the network was not measured";
    put(fields, doc, "transitivity", transitivity, why);
    put(fields, doc, "avg_clustering", average, why);
    let Some(triads) = triads else { return };
    evidence.insert(
        "transitivity".into(),
        json!({"value": maybe(transitivity), "num": triads.closed, "den": triads.triples,
            "method": "closed over all connected triples, along the arcs when directed", "method_version": 2}),
    );
    evidence.insert(
        "avg_clustering".into(),
        json!({"value": maybe(average), "n": triads.clustering.len(), "method": "mean of clustering over all nodes", "method_version": 2}),
    );
}

/// Diameter, radius and mean distance, of the network where it is connected and of its largest component.
fn distances(
    graph: &Graph,
    components: &Components,
    metrics: &Metrics,
    fields: &mut Map<String, Value>,
    doc: &mut Document,
) {
    let spans = metrics
        .all_pairs
        .as_ref()
        .map(|sweep| Spans::new(graph, components, sweep));
    let why = if spans.is_some() {
        "the network is not connected in both directions; see the giant component"
    } else {
        "nodes x edges is above params.exact_limit"
    };
    let spans = spans.unwrap_or_default();
    for (name, hops) in [
        ("diameter", spans.diameter),
        ("radius", spans.radius),
        ("giant_diameter", spans.giant_diameter),
    ] {
        fields.insert(name.into(), hops.into());
        if hops.is_none() {
            doc.because(format!("/network/{name}"), why);
        }
    }
    put(fields, doc, "avg_path", spans.avg_path, why);
    put(fields, doc, "giant_avg_path", spans.giant_avg_path, why);
}
