//! Lays entities out: names, identifiers, rows, and the evidence of every join and every doubt.
//!
//! Invariant: each probability stands beside the levels of agreement and the weight it comes from. Names and
//! identifiers are given as they are written in the rows, for the result belongs to whoever sent them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::model::{ITERATIONS, Model, Pattern};
use super::resolve::{Judged, MERGE_AT, REVIEW_AT, Reason, Resolution};
use super::settings::{Kind, Plan};
use crate::document::Document;
use crate::number::float;

/// Entities listed in a result; the count is exact.
pub(in crate::excel) const MAX_ENTITIES: usize = 10_000;
/// Rows, names, joins and doubts listed of one entity; counts are exact.
const MAX_LISTED: usize = 200;
/// Joins and doubts listed of all entities together: some 10 MiB with a handful of columns. Counts are exact.
pub(in crate::excel) const MAX_PAIRS_LISTED: usize = 20_000;
/// Bytes of all entities as JSON, so that with everything else a result stays below the 64 MiB that it may have.
pub(in crate::excel) const MAX_BYTES: usize = 16 << 20;
/// Bytes of the names, and of the ids, listed of one entity; the first is always listed.
const MAX_WRITTEN_BYTES: usize = 64 << 10;

/// What the output must know of a row: where it stands, and its texts as written.
pub(in crate::excel) trait Rows {
    /// The coordinate of a row, by its place in what was resolved.
    fn source(&self, row: u32) -> String;
    /// The text of a row in a column of the plan.
    fn text(&self, row: u32, column: usize) -> String;
}

/// What may still be listed, in all entities together.
struct Budget {
    pairs: usize,
    bytes: usize,
    /// Joins and doubts that were not listed.
    omitted: usize,
}

impl Budget {
    /// As many of these pairs as there is room for.
    fn pairs<T>(
        &mut self,
        all: &[T],
        mut layout: impl FnMut(&T) -> Map<String, Value>,
    ) -> Vec<Value> {
        let mut listed = Vec::new();
        for pair in all.iter().take(MAX_LISTED.min(self.pairs)) {
            let pair = Value::Object(layout(pair));
            if !self.charge(&pair) {
                break;
            }
            listed.push(pair);
        }
        self.pairs -= listed.len();
        self.omitted += all.len() - listed.len();
        listed
    }

    /// Takes the bytes of a value; `false` when there are not as many.
    fn charge(&mut self, value: &Value) -> bool {
        let left = self.bytes.checked_sub(value.to_string().len());
        self.bytes = left.unwrap_or(self.bytes);
        left.is_some()
    }
}

/// Writes `entities` and `entity_resolution`. Whether something was left out.
pub(in crate::excel) fn fill(resolution: &Resolution, rows: &dyn Rows, doc: &mut Document) -> bool {
    let layout = Layout {
        of: resolution,
        rows,
        doubts: resolution.doubts(),
    };
    let mut budget = Budget {
        pairs: MAX_PAIRS_LISTED,
        bytes: MAX_BYTES,
        omitted: 0,
    };
    let most = resolution.groups.len().min(MAX_ENTITIES);
    let entities: Vec<Value> = (0..most)
        .map_while(|number| layout.entity(number, &mut budget))
        .collect();
    let listed = entities.len();
    if budget.omitted > 0 {
        doc.warn(format!(
            "{} pieces of evidence and reviews are not listed; evidence_total and review_total are exact",
            budget.omitted
        ));
    }
    let truncated = budget.omitted > 0 || listed < resolution.groups.len();
    if entities.iter().any(|e| e["confidence"].is_null()) {
        doc.because(
            "/entities/*/confidence",
            "null where all rows of the entity are equal in the compared columns: nothing was judged",
        );
    }
    if listed < resolution.groups.len() {
        doc.warn(format!(
            "entities lists the first {listed} of {}",
            resolution.groups.len()
        ));
    }
    let reports = resolution.reports.iter();
    let skipped: u64 = reports.map(|r| r.skipped_large + r.skipped_budget).sum();
    if skipped > 0 {
        doc.warn(format!("{skipped} blocks of entity resolution were skipped as too large; duplicates in them may be missed"));
    }
    for part in ["evidence", "review"] {
        doc.because(
            format!("/entities/*/{part}/*/agreement/*"),
            "null where one of the two values is missing: it weighs nothing",
        );
    }
    doc.set("entities", entities);
    let mut how = resolution.evidence(listed);
    how["truncated"] = truncated.into();
    doc.set("entity_resolution", how);
    truncated
}

struct Layout<'a> {
    of: &'a Resolution,
    rows: &'a dyn Rows,
    /// Of each entity the numbers of its reviews.
    doubts: BTreeMap<u32, Vec<usize>>,
}

impl Layout<'_> {
    /// An entity, its pairs as far as there is room; `None` when there is none for the entity itself.
    fn entity(&self, number: usize, budget: &mut Budget) -> Option<Value> {
        let group = &self.of.groups[number];
        let weakest = group
            .joins
            .last()
            .map_or(Value::Null, |join| float(join.link.p));
        let doubts = self.doubts.get(&crate::number::small(number));
        let doubts = doubts.map_or(&[][..], Vec::as_slice);
        let mut entity = json!({
            "id": name_of(number),
            "names": self.names(&group.rows),
            "ids": self.written(&group.rows, Kind::Id),
            "records": group.rows.iter().take(MAX_LISTED).map(|&r| self.rows.source(r)).collect::<Vec<_>>(),
            "records_total": group.rows.len(),
            "confidence": weakest,
            "evidence_total": group.joins.len(),
            "review_total": doubts.len(),
        });
        if !budget.charge(&entity) {
            return None;
        }
        entity["evidence"] = budget.pairs(&group.joins, |join| self.pair(*join)).into();
        entity["review"] = budget.pairs(doubts, |&at| self.review(at, number)).into();
        Some(entity)
    }

    /// Organisations by the names they are written with, people by the parts of their names together.
    fn names(&self, rows: &[u32]) -> Vec<String> {
        let is = |kind| {
            self.of.plan.columns[..self.of.plan.fields]
                .iter()
                .any(|c| c.kind == kind)
        };
        if is(Kind::Name) {
            return self.written(rows, Kind::Name);
        }
        let kind = if is(Kind::Person) {
            Kind::Person
        } else {
            Kind::Text
        };
        let joined = rows.iter().map(|&row| {
            let parts: Vec<String> = self
                .columns(kind)
                .map(|c| tidy(&self.rows.text(row, c)))
                .collect();
            tidy(&parts.join(" "))
        });
        distinct(joined)
    }

    /// The distinct writings in all compared columns of a kind.
    fn written(&self, rows: &[u32], kind: Kind) -> Vec<String> {
        distinct(rows.iter().flat_map(|&row| {
            self.columns(kind)
                .map(move |c| tidy(&self.rows.text(row, c)))
        }))
    }

    fn columns(&self, kind: Kind) -> impl Iterator<Item = usize> + '_ {
        let fields = &self.of.plan.columns[..self.of.plan.fields];
        fields
            .iter()
            .enumerate()
            .filter(move |(_, c)| c.kind == kind)
            .map(|(at, _)| at)
    }

    fn review(&self, at: usize, number: usize) -> Map<String, Value> {
        let review = self.of.reviews[at];
        let mut fields = self.pair(review.judged);
        let (a, b) = (review.judged.link.a, review.judged.link.b);
        let groups = [a, b].map(|profile| self.of.group_of[profile as usize]);
        let other = if groups[0] as usize == number {
            groups[1]
        } else {
            groups[0]
        };
        fields.insert("entity".into(), name_of(other as usize).into());
        fields.insert("reason".into(), review.reason.as_str().into());
        if review.reason == Reason::DifferentIds {
            let ids: Vec<usize> = self.columns(Kind::Id).collect();
            let p = self
                .of
                .model
                .probability(review.judged.pattern.without(&ids));
            fields.insert("p_without_ids".into(), float(p));
        }
        fields
    }

    /// A compared pair: a row of each side, the levels of agreement, their weight and the probability.
    fn pair(&self, judged: Judged) -> Map<String, Value> {
        let first = |profile: u32| {
            let rows = &self.of.profiles[profile as usize].rows;
            rows.first()
                .map_or(Value::Null, |&row| self.rows.source(row).into())
        };
        let mut fields = Map::new();
        fields.insert("a".into(), first(judged.link.a));
        fields.insert("b".into(), first(judged.link.b));
        fields.insert("p".into(), float(judged.link.p));
        fields.insert(
            "weight_bits".into(),
            float(self.of.model.total_weight(judged.pattern)),
        );
        fields.insert("agreement".into(), agreement(&self.of.plan, judged.pattern));
        fields
    }
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::DifferentIds => "different_ids",
            Self::SameId => "same_id",
            Self::Probability => "probability",
        }
    }
}

impl Resolution {
    fn doubts(&self) -> BTreeMap<u32, Vec<usize>> {
        let mut of: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (at, review) in self.reviews.iter().enumerate() {
            for profile in [review.judged.link.a, review.judged.link.b] {
                of.entry(self.group_of[profile as usize])
                    .or_default()
                    .push(at);
            }
        }
        of
    }

    /// How the entities were found.
    fn evidence(&self, listed: usize) -> Value {
        let rows: usize = self.profiles.iter().map(|p| p.rows.len()).sum();
        let blocks: Vec<Value> = self
            .plan
            .rules
            .iter()
            .zip(&self.reports)
            .map(|(rule, report)| {
                let parts: Vec<Value> = rule
                    .iter()
                    .map(|part| json!({"column": self.plan.columns[part.column].label, "by": part.piece}))
                    .collect();
                json!({"rule": parts, "blocks": report.blocks, "largest": report.largest,
                    "skipped_large": report.skipped_large, "skipped_budget": report.skipped_budget})
            })
            .collect();
        json!({
            "method": "Fellegi-Sunter, m and u by expectation maximisation from a fixed start that counts as a prior; union-find",
            "method_version": 1,
            "entities": self.groups.len(),
            "listed": listed,
            "records": rows,
            "profiles": self.profiles.len(),
            "pairs_compared": self.pairs,
            "reviews": self.reviews.len(),
            "merge_at": MERGE_AT,
            "review_at": REVIEW_AT,
            "blocks": blocks,
            "model": model(&self.plan, &self.model),
        })
    }
}

fn model(plan: &Plan, model: &Model) -> Value {
    let fields: Vec<Value> = plan.columns[..plan.fields]
        .iter()
        .zip(&model.fields)
        .enumerate()
        .map(|(at, (column, field))| {
            let levels: Vec<Value> = column
                .kind
                .levels()
                .iter()
                .enumerate()
                .map(|(level, name)| {
                    json!({"level": name, "m": float(field.m[level]), "u": float(field.u[level]),
                        "weight_bits": float(model.weight(at, level))})
                })
                .collect();
            json!({"column": column.label, "kind": column.kind, "levels": levels})
        })
        .collect();
    json!({"lambda": float(model.lambda), "iterations": ITERATIONS, "fields": fields,
        "log_posterior": model.trace.last().map_or(Value::Null, |&x| float(x))})
}

/// The level in each compared column; null where a value is missing.
fn agreement(plan: &Plan, pattern: Pattern) -> Value {
    let levels = plan.columns[..plan.fields]
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let level = pattern.level(at).map(|level| column.kind.levels()[level]);
            (column.label.clone(), Value::from(level))
        });
    Value::Object(levels.collect())
}

fn name_of(number: usize) -> String {
    format!("e{}", number + 1)
}

fn tidy(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The distinct non-empty texts in order, as many as are listed.
fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    let set: std::collections::BTreeSet<String> = texts.filter(|t| !t.is_empty()).collect();
    let mut bytes = 0;
    let fits = |text: &String| {
        let first = bytes == 0;
        bytes += text.len();
        first || bytes <= MAX_WRITTEN_BYTES
    };
    set.into_iter().take(MAX_LISTED).take_while(fits).collect()
}
