//! Sponsor analysis: how strong a relationship is, how likely and how large the next gift, and what to do next.
//!
//! The way of a run: `input` (and `tables`, rows of sheets as further input) -> `book` (checked, filed by sponsor, one
//! currency) -> `bonds` (relationship strength), `rfm`, `influence` -> `funding` (the ladder of models) -> `amount` ->
//! `advice` -> `output`. Each record is judged by its own figures and by models fitted to all; nothing depends on ids
//! or on the order of the input.
//! Deliberately absent: hand-set probabilities, clocks, rates of exchange.

mod advice;
mod amount;
mod analysis;
mod bonds;
mod book;
mod demand;
mod funding;
mod gaps;
mod influence;
mod input;
mod limits;
mod model;
mod models;
mod output;
mod periods;
mod rfm;
mod sample;
mod summary;
mod tables;

#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::advanced::SWITCHED_OFF;
use crate::document::Document;
use crate::{Error, Run, schema};

pub(crate) use demand::demand;
pub use sample::sample_sponsors;

/// JSON Schema of the input.
pub(crate) fn input_schema() -> Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(schema::of::<input::Input>).clone()
}

/// What absent optional fields are taken to be.
pub(crate) fn defaults() -> Value {
    json!({"fx": {}, "sponsors": [], "gifts": [], "asks": [], "interactions": [], "ties": [], "influence": null,
        "imports": [], "params": input::Params::default(), "seed": 1, "advanced": "auto"})
}

pub(crate) fn example() -> Value {
    sample::example()
}

/// BG/BB by maximum likelihood, as rung 1 fits it: alpha, beta, gamma, delta and the logarithm of the likelihood.
///
/// A history is gifts, opportunity of the last one, opportunities, number of such donors. `None` without any
/// opportunity. P. S. Fader, B. G. S. Hardie, J. Shang, Marketing Science 29(6), 2010.
#[must_use]
pub fn fit_bgbb(histories: &[(u32, u32, u32, f64)]) -> Option<([f64; 4], f64)> {
    let histories: Vec<_> = histories
        .iter()
        .map(|&(x, t_x, n, number)| (model::bgbb::History { x, t_x, n }, number))
        .collect();
    let fit = model::bgbb::fit(&histories, &Run::unattended()).ok()??;
    let p = fit.parameters;
    Some(([p.alpha, p.beta, p.gamma, p.delta], fit.ln_likelihood))
}

/// Analyses the sponsors of an organisation.
pub(crate) fn run(input: &Value, run: &Run<'_>) -> Result<Value, Error> {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    let schema = SCHEMA.get_or_init(input_schema);
    let mut input: input::Input = schema::read(schema, input)?;
    input.advanced.permitted(run)?;
    run.step(0.0, "reading tables")?;
    let imports = tables::add(&mut input, schema, run)?;
    let analysis = analysis::Analysis::new(&input, run)?;
    let mut doc = Document::default();
    output::fill(&analysis, &mut doc, run)?;
    doc.set("imports", imports);
    doc.set("advanced", run.advanced);
    doc.set("left_out", left_out(run));
    Ok(doc.finish())
}

/// What was left out to save time, and why.
fn left_out(run: &Run<'_>) -> Value {
    if run.advanced {
        return json!([]);
    }
    let parts = [
        "sponsors[].amount.p10 and p90",
        "sponsors[].potential_interval",
        "model.second_opinion",
        "betweenness and PageRank where relationship mapping leaves them out; see influence.measures",
    ];
    json!(parts.map(|part| json!({"part": part, "reason": SWITCHED_OFF})))
}

/// A finished output in words.
pub(crate) fn summary(output: &Value) -> String {
    summary::text(output)
}
