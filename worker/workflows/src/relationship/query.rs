//! Answers a query: who can be reached, how far the source's influence carries, and through whom to ask.

use serde_json::{Map, Value, json};

use super::graph::Graph;
use super::input::{Input, Query};
use super::limits::MAX_COUNT_STEPS_ALL;
use super::paths::{Ranked, Search};
use super::quality::{self, Aging};
use super::reach::{self, Count};
use crate::document::Document;
use crate::number::{float, maybe};
use crate::{Error, Run};

/// Fills `paths`, `targets`, `layers`, `reach`, `influence` and `truncated`; returns their evidence.
pub(super) fn answer(
    graph: &Graph,
    input: &Input,
    run: &Run<'_>,
    doc: &mut Document,
) -> Result<Map<String, Value>, Error> {
    let Some(query) = &input.query else {
        unasked(doc);
        return Ok(Map::new());
    };
    let source = position(graph, &query.source);
    let mut search = Search::new(graph, query.min_strength, query.max_hops);
    run.step(0.0, "reach")?;
    spread(graph, source, input.params.decay, doc);

    let aging = Aging {
        as_of: input.params.as_of.map(|d| d.0),
        half_life_days: input.params.half_life_days,
    };
    let story = Story {
        graph,
        query,
        aging,
    };
    let (mut targets, mut lines) = (Vec::new(), Vec::new());
    let mut truncated = false;
    let mut steps_left = MAX_COUNT_STEPS_ALL;
    let mut names: Vec<&String> = query.targets.iter().collect();
    names.sort();
    for (i, name) in names.iter().enumerate() {
        run.step(i as f64 / names.len() as f64, "paths")?;
        let target = position(graph, name);
        let left = reach::distances(&search.back, target, search.max_hops);
        let count = reach::count_simple(&search.out, source, &left, search.max_hops, steps_left);
        steps_left -= count.steps;
        let found = search.best(source, target, query.k_paths as usize, run)?;
        truncated |= count.truncated || found.truncated;
        let hops = Some(left[source as usize]).filter(|&hops| hops != u32::MAX);
        if hops.is_none() {
            let why = format!(
                "no way within {} hops at this min_strength",
                search.max_hops
            );
            doc.because(format!("/targets/{i}/shortest_hops"), why);
        }
        targets.push(
            json!({"id": name, "reachable": hops.is_some(), "shortest_hops": hops,
            "paths_listed": found.paths.len(), "paths_truncated": found.truncated,
            "simple_paths": counted(count, search.max_hops)}),
        );
        let ranked = found.paths.iter().enumerate();
        lines.extend(ranked.map(|(rank, path)| story.path(rank + 1, path)));
    }
    let evidence = evidence(&lines, doc);
    doc.set("targets", targets);
    doc.set("paths", lines);
    doc.set("truncated", truncated);
    Ok(evidence)
}

/// How reach, influence and quality came about, and how many of the listed ties the recency of contact is known for.
fn evidence(paths: &[Value], doc: &mut Document) -> Map<String, Value> {
    let ties = || paths.iter().filter_map(|p| p["edges"].as_array()).flatten();
    let (dated, all) = (
        ties().filter(|t| t["recency"].is_number()).count(),
        ties().count(),
    );
    if dated < all {
        doc.because("/paths/*/edges/*/recency", quality::UNDATED);
    }
    let mut evidence = Map::new();
    evidence.insert(
        "quality".into(),
        json!({"method": quality::METHOD, "method_version": 1, "num": dated, "den": all,
            "coverage": maybe((all > 0).then(|| dated as f64 / all as f64)), "of": "ties of listed paths whose recency is known"}),
    );
    evidence.insert(
        "reach".into(),
        json!({"method": "breadth first over all ties, whatever min_strength and max_hops", "method_version": 2,
            "max_hops": reach::DEPTH}),
    );
    evidence.insert(
        "influence".into(),
        json!({"method": "sum over others of the best product of strengths within 7 hops, over all ties, whatever min_strength and max_hops",
            "method_version": 2, "max_hops": reach::DEPTH}),
    );
    evidence
}

fn unasked(doc: &mut Document) {
    for field in ["layers", "reach", "influence"] {
        doc.set(field, Value::Null);
        doc.because(format!("/{field}"), "the input has no query");
    }
    doc.set("paths", Value::Array(Vec::new()));
    doc.set("targets", Value::Array(Vec::new()));
    doc.set("truncated", false);
}

fn counted(count: Count, max_hops: usize) -> Value {
    json!({"value": count.paths, "steps": count.steps, "truncated": count.truncated, "max_hops": max_hops,
        "method": "depth-first count with distance pruning", "method_version": 1})
}

fn position(graph: &Graph, id: &str) -> u32 {
    graph
        .position(id)
        .expect("validate() has refused unknown ids")
}

/// Layers, reach and influence of the source, over the whole network: `min_strength` and `max_hops` are about paths.
fn spread(graph: &Graph, source: u32, decay: f64, doc: &mut Document) {
    let layers = reach::layers(&reach::distances(&graph.out, source, reach::DEPTH));
    let within = reach::cumulative(&layers, reach::DEPTH);
    let products = reach::best_products(&graph.out, source, reach::DEPTH);
    let expected = reach::expected(&products, source);
    let radius = reach::radius90(&expected);
    if radius.is_none() {
        doc.because("/influence/radius90", "nobody is in reach");
    }
    let by_hop = expected
        .iter()
        .enumerate()
        .skip(1)
        .map(|(k, &e)| (k.to_string(), float(e)))
        .collect::<Map<_, _>>();
    doc.set(
        "reach",
        within
            .iter()
            .enumerate()
            .map(|(i, &r)| ((i + 1).to_string(), r.into()))
            .collect::<Map<_, _>>(),
    );
    let all = expected.last().copied();
    doc.set(
        "influence",
        json!({"radius90": radius, "decay": float(reach::decay(&layers, decay)), "expected": maybe(all),
            "expected_by_hops": by_hop}),
    );
    doc.set("layers", layers);
}

/// Tells of one path.
struct Story<'a> {
    graph: &'a Graph,
    query: &'a Query,
    aging: Aging,
}

impl Story<'_> {
    fn path(&self, rank: usize, (_, nodes): &Ranked) -> Value {
        let graph = self.graph;
        let ids: Vec<&str> = nodes
            .iter()
            .map(|&v| graph.ids[v as usize].as_str())
            .collect();
        let links: Vec<_> = nodes
            .windows(2)
            .map(|w| &graph.links[graph.link(w[0], w[1]).expect("a path walks along links")])
            .collect();
        let product: f64 = links.iter().map(|l| l.strength).product();
        // The first of equally weak ties.
        let weakest = (0..links.len()).rev().min_by(|&i, &j| {
            links[i]
                .strength
                .total_cmp(&links[j].strength)
                .then(i.cmp(&j))
        });
        let weakest = weakest.expect("a path has at least one tie");
        let qualities: Vec<f64> = links
            .iter()
            .map(|l| quality::of_link(graph, l, self.aging))
            .collect();
        let recency: Vec<_> = links.iter().map(|l| self.aging.recency(l)).collect();
        let dated = recency.iter().flatten().count();
        let edges: Vec<Value> = (0..links.len())
            .map(|i| json!({"a": ids[i], "b": ids[i + 1], "strength": float(links[i].strength), "quality": float(qualities[i]),
                "recency": maybe(recency[i])}))
            .collect();
        json!({
            "source": self.query.source,
            "target": ids[ids.len() - 1],
            "rank": rank,
            "nodes": ids,
            "hops": links.len(),
            "strength_product": float(product),
            "bottleneck": {"edge": [ids[weakest], ids[weakest + 1]], "strength": float(links[weakest].strength)},
            "quality": float(quality::of_path(&qualities)),
            "quality_coverage": float(dated as f64 / links.len() as f64),
            "edges": edges,
            "explanation": self.explain(nodes, product, weakest, links[weakest].strength),
        })
    }

    fn name(&self, v: u32) -> &str {
        self.graph.names[v as usize]
            .as_ref()
            .unwrap_or(&self.graph.ids[v as usize])
    }

    fn explain(&self, nodes: &[u32], product: f64, weakest: usize, strength: f64) -> String {
        let through: Vec<&str> = nodes[1..nodes.len() - 1]
            .iter()
            .map(|&v| self.name(v))
            .collect();
        let (first, last) = (self.name(nodes[0]), self.name(nodes[nodes.len() - 1]));
        let way = match through.as_slice() {
            [] => format!("{first} knows {last} directly"),
            [one] => format!("{first} reaches {last} through {one}"),
            many => format!(
                "{first} reaches {last} in {} hops through {}",
                nodes.len() - 1,
                many.join(", then ")
            ),
        };
        let (a, b) = (self.name(nodes[weakest]), self.name(nodes[weakest + 1]));
        format!(
            "{way}; the strengths multiply to {product:.3}, and the weakest tie is {a} to {b} ({strength:.2})."
        )
    }
}
