//! Computes the requested node metrics and lays them out as columns.
//!
//! Invariant: a column is either complete or absent with a reason; within a column a node may still be null with the
//! reason of its own.

mod distances;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::graph::{Graph, Rows};
use super::input::{Input, Metric};
use super::network::Components;
use super::sweep::Sweep;
use super::triads::Triads;
use super::{communities, local, spectral};
use crate::advanced::SWITCHED_OFF;
use crate::number::{float, maybe, small};
use crate::{Error, Run};

const SHORTCUT: &str = "the formula as published, which networkx.effective_size(g, nodes=list(g)) computes; its default call takes a sparse shortcut that deviates from it with weights or directions";
const SINKS: &str = "nodes without outgoing ties have a value here and none in NetworkX";

/// Everything that was computed about the nodes.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// One value per node, by output field.
    pub(super) columns: BTreeMap<&'static str, Vec<Value>>,
    /// Why a field, or one node's field, is null; keys are pointers below `/nodes`.
    pub(super) reasons: BTreeMap<String, String>,
    /// How each field was computed.
    pub(super) evidence: BTreeMap<&'static str, Value>,
    /// Hop distances between all pairs, when they were affordable.
    pub(super) all_pairs: Option<Sweep>,
    /// Triangles, when clustering was asked for.
    pub(super) triads: Option<Triads>,
    pub(super) partition: Option<communities::Partition>,
    /// Pivots, seed and error bound when betweenness is an estimate.
    pub(super) approx: Option<Value>,
    /// Ways by strength that rounding alone told apart.
    pub(super) near_ties: u64,
}

/// What every metric reads.
pub(super) struct Scene<'a> {
    pub(super) graph: &'a Graph,
    pub(super) input: &'a Input,
    pub(super) components: &'a Components,
    pub(super) run: &'a Run<'a>,
    /// Rows with the weights that metrics use: strengths, or 1 when unweighted.
    out: Rows,
    back: Rows,
    mutual: Rows,
}

impl<'a> Scene<'a> {
    pub(super) fn new(
        graph: &'a Graph,
        input: &'a Input,
        components: &'a Components,
        run: &'a Run<'a>,
    ) -> Self {
        let (out, back, mutual) = if input.params.weighted {
            (graph.out.clone(), graph.back.clone(), graph.mutual.clone())
        } else {
            (
                graph.out.map(|_| 1.0),
                graph.back.map(|_| 1.0),
                unit_mutual(graph),
            )
        };
        Self {
            graph,
            input,
            components,
            run,
            out,
            back,
            mutual,
        }
    }

    fn wants(&self, metric: Metric) -> bool {
        self.input.metrics.contains(&metric)
    }

    fn weights(&self) -> &'static str {
        if self.input.params.weighted {
            "strength"
        } else {
            "none"
        }
    }
}

/// The mutual rows with a_ij = 1 for every tie.
fn unit_mutual(graph: &Graph) -> Rows {
    let arcs: Vec<_> = (0..small(graph.n()))
        .flat_map(|v| graph.mutual.of(v).iter().map(move |&u| (v, u)))
        .map(|(v, u)| {
            let both = !graph.directed
                || (graph.out.weight(v, u).is_some() && graph.back.weight(v, u).is_some());
            (v, u, if both { 2.0 } else { 1.0 })
        })
        .collect();
    Rows::new(graph.n(), &arcs)
}

/// Ties out and in of every node, unweighted; who is tied both ways stands there twice.
fn every_arc(graph: &Graph) -> Rows {
    if !graph.directed {
        return graph.out.clone();
    }
    let arcs: Vec<_> = (0..small(graph.n()))
        .flat_map(|v| [graph.out.of(v), graph.back.of(v)].map(|row| (v, row)))
        .flat_map(|(v, row)| row.iter().map(move |&u| (v, u, 1.0)))
        .collect();
    Rows::new(graph.n(), &arcs)
}

impl Metrics {
    /// All requested metrics.
    pub(super) fn compute(scene: &Scene<'_>) -> Result<Self, Error> {
        let mut metrics = Self::default();
        metrics.degrees(scene);
        metrics.distances(scene)?;
        metrics.spectral(scene)?;
        metrics.neighbourhoods(scene)?;
        metrics.partition(scene)?;
        metrics.brokers();
        Ok(metrics)
    }

    fn column(&mut self, name: &'static str, values: Vec<Value>, evidence: Value) {
        self.columns.insert(name, values);
        self.evidence.insert(name, evidence);
    }

    fn absent(&mut self, name: &'static str, reason: impl Into<String>) {
        self.reasons.insert(format!("*/{name}"), reason.into());
    }

    /// Whether to go on with a metric; if not, its fields are null with the reason.
    fn go(
        &mut self,
        scene: &Scene<'_>,
        metric: Metric,
        fields: &[&'static str],
        advanced: bool,
    ) -> bool {
        let reason = match (scene.wants(metric), advanced && !scene.run.advanced) {
            (false, _) => "not among the requested metrics",
            (true, true) => SWITCHED_OFF,
            (true, false) => return true,
        };
        for field in fields {
            self.absent(field, reason);
        }
        false
    }

    fn degrees(&mut self, scene: &Scene<'_>) {
        if !self.go(
            scene,
            Metric::Degree,
            &["degree", "in_degree", "out_degree", "strength"],
            false,
        ) {
            return;
        }
        let graph = scene.graph;
        let of = |count: &dyn Fn(u32) -> usize| {
            (0..small(graph.n()))
                .map(|v| Value::from(count(v)))
                .collect()
        };
        let method = json!({"method": "ties after combining parallel ones", "method_version": 1, "n": graph.n()});
        self.column("degree", of(&|v| graph.degree(v)), method.clone());
        if graph.directed {
            self.column("in_degree", of(&|v| graph.back.degree(v)), method.clone());
            self.column("out_degree", of(&|v| graph.out.degree(v)), method);
        } else {
            self.absent("in_degree", "the network is undirected");
            self.absent("out_degree", "the network is undirected");
        }
        let mut sums = vec![0.0; graph.n()];
        for link in &graph.links {
            sums[link.a as usize] += link.strength;
            sums[link.b as usize] += link.strength;
        }
        self.column(
            "strength",
            sums.into_iter().map(float).collect(),
            json!({"method": "sum of the strengths of a node's ties", "method_version": 1, "n": graph.n()}),
        );
    }

    fn spectral(&mut self, scene: &Scene<'_>) -> Result<(), Error> {
        if self.go(scene, Metric::Eigenvector, &["eigenvector"], false) {
            self.eigenvector(scene)?;
        }
        if self.go(scene, Metric::Pagerank, &["pagerank"], false) {
            scene.run.step(1.0, "pagerank")?;
            let Some(values) = spectral::pagerank(&scene.out, &scene.back, scene.run)? else {
                self.absent("pagerank", "the iteration did not converge");
                return Ok(());
            };
            let evidence = json!({"method": "power iteration, damping 0.85, dangling mass uniform", "method_version": 1,
                "n": scene.graph.n(), "weights": scene.weights()});
            self.column(
                "pagerank",
                values.into_iter().map(float).collect(),
                evidence,
            );
        }
        Ok(())
    }

    fn eigenvector(&mut self, scene: &Scene<'_>) -> Result<(), Error> {
        let giant = scene.components.giant;
        let within: Vec<bool> = scene.components.of.iter().map(|&c| c == giant).collect();
        let size = scene.components.sizes[giant as usize];
        if size < 2 {
            self.absent("eigenvector", "no component has two nodes");
            return Ok(());
        }
        let Some(values) = spectral::eigenvector(&scene.back, &within, scene.run)? else {
            let rounds = spectral::MAX_ROUNDS;
            self.absent(
                "eigenvector",
                format!("the power iteration did not converge in {rounds} rounds"),
            );
            return Ok(());
        };
        if (size as usize) < within.len() {
            self.reasons.insert(
                "*/eigenvector".into(),
                "null outside the largest component".into(),
            );
        }
        let column = values
            .iter()
            .zip(&within)
            .map(|(&x, &inside)| if inside { float(x) } else { Value::Null });
        let evidence = json!({"method": "power iteration of A + I on the largest component, L2 norm 1", "method_version": 1,
            "n": size, "weights": scene.weights()});
        self.column("eigenvector", column.collect(), evidence);
        Ok(())
    }

    fn neighbourhoods(&mut self, scene: &Scene<'_>) -> Result<(), Error> {
        let n = scene.graph.n();
        scene.run.step(1.0, "neighbourhoods")?;
        // Always: the network's transitivity and average need them, at little cost.
        let triads = Triads::new(scene.graph, &scene.out, &scene.back, scene.run)?;
        if self.go(scene, Metric::Clustering, &["clustering"], false) {
            self.clustering(scene, &triads);
        }
        self.triads = Some(triads);
        if self.go(scene, Metric::Core, &["core"], false) {
            let values = local::cores(&every_arc(scene.graph))
                .into_iter()
                .map(Value::from)
                .collect();
            let evidence = json!({"method": "Batagelj-Zaversnik 2003; ties in and out both count", "method_version": 2, "n": n});
            self.column("core", values, evidence);
        }
        if self.go(
            scene,
            Metric::Constraint,
            &["constraint", "effective_size"],
            true,
        ) {
            let holes = local::holes(&scene.mutual, scene.run)?;
            if holes.constraint.iter().any(Option::is_none) {
                for field in ["constraint", "effective_size"] {
                    self.absent(field, "null for nodes without ties");
                }
            }
            let mut evidence = json!({"method": "Burt 1992, mutual weights", "method_version": 1, "n": n, "weights": scene.weights()});
            if scene.graph.directed {
                evidence["differs"] = SINKS.into();
            }
            self.column(
                "constraint",
                holes.constraint.into_iter().map(maybe).collect(),
                evidence.clone(),
            );
            if scene.graph.directed || scene.input.params.weighted {
                evidence["differs"] = match evidence["differs"].as_str() {
                    Some(sinks) => format!("{SHORTCUT}; {sinks}").into(),
                    None => SHORTCUT.into(),
                };
            }
            self.column(
                "effective_size",
                holes.effective_size.into_iter().map(maybe).collect(),
                evidence,
            );
        }
        Ok(())
    }

    fn clustering(&mut self, scene: &Scene<'_>, triads: &Triads) {
        let method = match (scene.graph.directed, scene.input.params.weighted) {
            (false, false) => "closed over all pairs of neighbours",
            (false, true) => {
                "geometric mean of the strengths of a triangle over the greatest strength (Saramäki 2007), over all pairs of neighbours"
            }
            (true, false) => "directed triangles over the possible ones (Fagiolo 2007)",
            (true, true) => {
                "geometric mean of the strengths of a directed triangle over the greatest strength (Fagiolo 2007), over the possible ones"
            }
        };
        self.column(
            "clustering",
            triads.clustering.iter().copied().map(float).collect(),
            json!({"method": method, "method_version": 2, "n": scene.graph.n(), "weights": scene.weights()}),
        );
    }

    fn partition(&mut self, scene: &Scene<'_>) -> Result<(), Error> {
        if !self.go(scene, Metric::Communities, &["community"], true) {
            return Ok(());
        }
        scene.run.step(1.0, "communities")?;
        let partition = communities::find(&scene.mutual, scene.input.seed, scene.run)?;
        let evidence = json!({"method": "Louvain, or label propagation where that is better; direction ignored",
            "method_version": 1, "n": scene.graph.n(), "communities": partition.count, "seed": scene.input.seed,
            "modularity": maybe(partition.modularity), "label_propagation_modularity": maybe(partition.label_propagation),
            "weights": scene.weights()});
        self.column(
            "community",
            partition.of.iter().map(|&c| Value::from(c)).collect(),
            evidence,
        );
        self.partition = Some(partition);
        Ok(())
    }

    /// A broker spans structural holes: constraint in the lowest quarter and betweenness in the highest, above 0.
    fn brokers(&mut self) {
        let (Some(constraint), Some(betweenness)) = (
            self.columns.get("constraint"),
            self.columns.get("betweenness"),
        ) else {
            return self.absent("broker", "needs both constraint and betweenness");
        };
        let low = quantile(constraint, 0.25);
        let high = quantile(betweenness, 0.75);
        let is_broker = |(c, b): (&Value, &Value)| -> Value {
            let (Some(c), Some(b), Some(low), Some(high)) = (c.as_f64(), b.as_f64(), low, high)
            else {
                return Value::Bool(false);
            };
            Value::Bool(c <= low && b >= high && b > 0.0)
        };
        let column = constraint.iter().zip(betweenness).map(is_broker).collect();
        let mut evidence = json!({"method": "constraint at or below its lower quartile and betweenness at or above its upper one",
            "method_version": 1, "constraint_at_most": maybe(low), "betweenness_at_least": maybe(high)});
        if let Some(approx) = &self.approx {
            evidence["betweenness_error_bound"] = approx["error_bound"].clone();
            evidence["confidence"] = approx["confidence"].clone();
        }
        self.column("broker", column, evidence);
    }
}

/// Nearest-rank quantile of the numbers in a column.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank within the column"
)]
fn quantile(column: &[Value], q: f64) -> Option<f64> {
    let mut values: Vec<f64> = column.iter().filter_map(Value::as_f64).collect();
    values.sort_by(f64::total_cmp);
    let rank = ((q * values.len() as f64).ceil() as usize).max(1);
    values.get(rank - 1).copied()
}
