//! Grant timeline: milestones on a working-day calendar, a backward plan, and the probability of submitting in time.
//!
//! The way of a run: `input` -> `validate` -> `calendar` -> `plan` (tasks, gates, target) -> `cpm` (floats) ->
//! `simulate` (futures) -> `analysis` -> `output` and `risks`. Time is counted in working days from `as_of`.
//! Deliberately absent: resource levelling (capacity stretches durations, nothing is moved), clocks, host time zones.

mod analysis;
mod calendar;
mod cpm;
mod deadline;
mod draw;
mod holidays;
mod ics;
mod input;
mod limits;
mod output;
mod plan;
mod risks;
mod sample;
mod schedule;
mod simulate;
mod statistics;
mod summary;
mod validate;

#[cfg(test)]
mod tests;

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

use crate::document::Document;
use crate::{Demand, Error, Run, schema};

pub(crate) use sample::example;
pub(crate) use summary::text as summary;

/// JSON Schema of the input.
pub(crate) fn input_schema() -> Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(schema::of::<input::Input>).clone()
}

/// What absent optional fields are taken to be.
pub(crate) fn defaults() -> Value {
    json!({"calendar": input::Calendar::default(), "milestone_offsets_days": input::usual_offsets(),
        "submit_buffer_working_days": 2, "tasks": [], "capacity": {}, "risks": [],
        "simulation": input::Simulation::default(), "advanced": "auto"})
}

/// A realistic federal application due in March 2027.
#[must_use]
pub fn sample_grant() -> Value {
    sample::federal()
}

/// What an input is likely to need: a table for each task and risk, and the runs of the simulation, each over all of them.
pub(crate) fn demand(input: &Value) -> Demand {
    let length = |name: &str| input[name].as_array().map_or(0, Vec::len) as u64;
    let (tasks, risks) = (length("tasks"), length("risks"));
    let runs = input["simulation"]["runs"].as_u64();
    let runs = runs.unwrap_or_else(|| input::Simulation::default().runs);
    // What is above the caps is refused before it costs anything.
    let runs = runs.min(limits::MAX_RUNS);
    let most = (limits::SENSITIVITY_VALUES as u64).checked_div(tasks);
    let kept = runs
        .min(limits::SENSITIVITY_RUNS as u64)
        .min(most.unwrap_or(0));
    let draws = runs.saturating_mul(tasks + risks).min(limits::MAX_DRAWS);
    // A draw with its steps through the network takes about 30 ns, ranking a kept duration as much again, the table that
    // a task or risk draws from 50 microseconds.
    let nanos = 30 * draws + 30 * kept * tasks + 50_000 * (tasks + risks);
    Demand {
        // The calendar; per task its table, its places in a batch and its lines in input and result; what is kept.
        memory_bytes: (64 << 10) + 17_000 * (tasks + risks) + 9 * kept * tasks + 24 * runs,
        cores: u32::try_from(simulate::threads(draws)).unwrap_or(1),
        duration: Duration::from_millis(5) + Duration::from_nanos(nanos),
    }
}

/// The simulation of a timeline alone, for benchmarks: `measure` gets a function that simulates the plan anew each
/// time and returns the 10th, 50th, 80th and 90th percentile of its working days.
pub fn with_grant_simulation<T>(
    input: &Value,
    run: &Run<'_>,
    measure: impl FnOnce(&dyn Fn() -> Result<[f64; 4], Error>) -> T,
) -> Result<T, Error> {
    let input = read(input)?;
    let calendar = calendar::Calendar::new(&input.calendar);
    let plan = plan::Plan::new(&input, &calendar)?;
    Ok(measure(&|| {
        analysis::finish(&plan, [0.1, 0.5, 0.8, 0.9], run)
    }))
}

/// A valid input without repeated entries.
fn read(input: &Value) -> Result<input::Input, Error> {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    let input: input::Input = schema::read(SCHEMA.get_or_init(input_schema), input)?;
    validate::validate(&input)?;
    Ok(input.without_repeats())
}

/// Plans a submission.
pub(crate) fn run(input: &Value, run: &Run<'_>) -> Result<Value, Error> {
    let input = read(input)?;
    input.advanced.permitted(run)?;
    let calendar = calendar::Calendar::new(&input.calendar);
    let plan = plan::Plan::new(&input, &calendar)?;
    let analysis = analysis::Analysis::new(&plan, run)?;
    let mut doc = Document::default();
    warn(&plan, &mut doc);
    output::fill(&analysis, &mut doc);
    doc.set("risks", risks::list(&analysis));
    doc.set("as_of", json!(input.as_of));
    doc.set("opportunity_id", input.opportunity.id.clone());
    doc.set("deadline", deadline::describe(&input.opportunity.closeDate));
    doc.set("submission_target", plan.target.to_string());
    doc.set(
        "working_days_left",
        calendar.count(input.as_of.0, input.opportunity.closeDate.date.0),
    );
    doc.set("ics", ics::file(&plan));
    doc.set("conventions", conventions());
    doc.set("limits", limits::listed());
    doc.set("advanced", run.advanced);
    Ok(doc.finish())
}

/// How the numbers are to be read.
fn conventions() -> Value {
    json!({
        "ordinals": "0 is the first working day on or after as_of; a task on es works es..ef-1",
        "schedule": "expected durations, PERT mean x remaining share / capacity, in whole days begun",
        "simulation": "continuous working days; only dates are rounded up",
        "variance": "exact beta-PERT variance (mean - a)(b - mean) / 7",
        "critical": "total float <= 0 against gates and submission target; critical_path is the longest chain",
    })
}

/// What a reader should know before trusting the dates.
fn warn(plan: &plan::Plan<'_>, doc: &mut Document) {
    let settings = &plan.input.calendar;
    if let Some(country) = &settings.country {
        let (first, last) = holidays::years(country);
        let days = plan
            .milestones
            .iter()
            .map(|m| m.date)
            .chain([plan.input.as_of.0, plan.input.opportunity.closeDate.date.0]);
        if days
            .into_iter()
            .any(|d| d.year() < first || d.year() > last)
        {
            doc.warn(format!("public holidays of {country} are known for {first} to {last} only; other years have those of the input alone"));
        }
        if !country.contains('-') && holidays::has_subdivisions(country) {
            doc.warn(format!(
                "{country} means nationwide holidays only; its subdivisions have further ones"
            ));
        }
    } else if settings.holidays.is_empty() {
        doc.warn("no country and no holidays are given: every weekday counts as a working day");
    }
    let idle: Vec<&String> = plan
        .input
        .capacity
        .keys()
        .filter(|o| !plan.input.tasks.iter().any(|t| t.owner.as_ref() == Some(o)))
        .collect();
    if !idle.is_empty() {
        doc.warn(format!(
            "{} entries of capacity name nobody who owns a task",
            idle.len()
        ));
    }
}
