//! Lays a timeline out: milestones, completion, latest safe start (the task lines are in `schedule`).

use jiff::civil::Date;
use serde_json::{Value, json};

use super::analysis::Analysis;
use super::plan::whole;
use super::statistics::{moments, quantile};
use crate::document::Document;
use crate::number::{float, maybe, wilson95};

/// Below this probability a milestone is red.
const RED_BELOW: f64 = 0.5;
/// Below this probability a milestone is amber.
const AMBER_BELOW: f64 = 0.8;

pub(super) fn fill(analysis: &Analysis<'_>, doc: &mut Document) {
    milestones(analysis, doc);
    super::schedule::fill(analysis, doc);
    completion(analysis, doc);
    latest_safe_start(analysis, doc);
    infeasible(analysis, doc);
}

/// Written as a date.
pub(super) fn text(date: Date) -> Value {
    date.to_string().into()
}

fn milestones(analysis: &Analysis<'_>, doc: &mut Document) {
    let plan = analysis.plan;
    let as_of = plan.input.as_of.0;
    let mut lines = Vec::new();
    for (i, m) in plan.milestones.iter().enumerate() {
        let due: Vec<&str> = plan
            .jobs
            .iter()
            .zip(&analysis.due)
            .filter(|(_, d)| **d == Some(i))
            .map(|(j, _)| j.task.id.as_str())
            .collect();
        let met = analysis
            .outcome
            .as_ref()
            .filter(|_| !due.is_empty())
            .map(|o| o.met[i]);
        let p = met.map(|met| met as f64 / analysis.runs());
        let status = match p {
            Some(p) if p < RED_BELOW => "red",
            Some(p) if p < AMBER_BELOW => "amber",
            Some(_) => "green",
            None => "no_tasks",
        };
        if p.is_none() {
            for field in ["p_met", "ci95/0", "ci95/1"] {
                doc.because(
                    format!("/milestones/{i}/{field}"),
                    "no task is due at this milestone",
                );
            }
        }
        let (low, high) = met.map_or((None, None), |met| {
            let (low, high) = wilson95(met, plan.input.simulation.runs);
            (Some(low), Some(high))
        });
        lines.push(json!({
            "offset": m.offset,
            "nominal": text(m.nominal),
            "date": text(m.date),
            "rolled": m.nominal != m.date,
            "working_days_left": plan.calendar.count(as_of, m.date),
            "past": m.date < as_of,
            "tasks_due": due,
            "p_met": maybe(p),
            "ci95": [maybe(low), maybe(high)],
            "status": status,
        }));
    }
    doc.set("milestones", lines);
}

fn completion(analysis: &Analysis<'_>, doc: &mut Document) {
    let plan = analysis.plan;
    let simulation = plan.input.simulation;
    let names = ["p10_date", "p50_date", "p80_date", "p95_date"];
    let Some(outcome) = &analysis.outcome else {
        let mut fields = json!({"p_on_time": null, "ci95": null, "runs": 0, "seed": simulation.seed, "on_time": null, "duration": null});
        for name in names {
            fields[name] = Value::Null;
        }
        doc.set("completion", fields);
        for field in ["p_on_time", "ci95", "on_time", "duration"]
            .into_iter()
            .chain(names)
        {
            doc.because(format!("/completion/{field}"), "the input has no tasks");
        }
        return;
    };
    let (low, high) = wilson95(outcome.on_time, simulation.runs);
    let (mean, variance) = moments(&outcome.total);
    let at = |q: f64| quantile(&analysis.sorted, q);
    let mut fields = json!({
        "p_on_time": float(outcome.on_time as f64 / analysis.runs()),
        "ci95": [float(low), float(high)],
        "on_time": outcome.on_time,
        "runs": simulation.runs,
        "seed": simulation.seed,
        "method": "Monte Carlo, beta-PERT, ChaCha8 with one stream per run; Wilson 95 % interval",
        "method_version": 3,
        "working_days_available": plan.available,
        "duration": {"mean": float(mean), "variance": maybe(variance), "sd": maybe(variance.map(f64::sqrt)),
            "p10": float(at(0.1)), "p50": float(at(0.5)), "p80": float(at(0.8)), "p95": float(at(0.95)),
            "unit": "working_days", "n": outcome.total.len()},
    });
    for (name, q) in names.into_iter().zip([0.1, 0.5, 0.8, 0.95]) {
        fields[name] = if plan.open() {
            text(plan.finish_date(whole(at(q)).max(1)))
        } else {
            Value::Null
        };
        if !plan.open() {
            doc.because(format!("/completion/{name}"), "no work remains");
        }
    }
    doc.set("completion", fields);
}

/// The last day from which P(on time) is at least the target. Durations do not depend on the day of the start, so
/// this is a quantile of the same futures: the later start uses up working days, nothing else changes.
fn latest_safe_start(analysis: &Analysis<'_>, doc: &mut Document) {
    let plan = analysis.plan;
    let target = plan.input.simulation.target;
    if analysis.outcome.is_none() || !plan.open() {
        doc.set("latest_safe_start", Value::Null);
        doc.set("latest_safe_start_detail", Value::Null);
        for field in ["latest_safe_start", "latest_safe_start_detail"] {
            doc.because(format!("/{field}"), "no work remains");
        }
        return;
    }
    let ordinal = plan.available - whole(quantile(&analysis.sorted, target));
    let date = plan.ordinals.date(ordinal);
    doc.set("latest_safe_start", text(date));
    doc.set(
        "latest_safe_start_detail",
        json!({"target": float(target), "working_days_from_as_of": ordinal, "past": ordinal < 0,
            "method": "quantile of the simulated durations (common random numbers)", "method_version": 3}),
    );
}

fn infeasible(analysis: &Analysis<'_>, doc: &mut Document) {
    let plan = analysis.plan;
    let mut reasons = Vec::new();
    if plan.input.opportunity.closeDate.date < plan.input.as_of {
        reasons.push("the deadline lies before as_of".to_owned());
    } else if plan.target < plan.input.as_of.0 {
        reasons.push(
            "the submission target, the deadline less the buffer, lies before as_of".to_owned(),
        );
    } else if plan.open() && super::cpm::shortest(plan) > plan.available as f64 + super::plan::SLACK
    {
        reasons.push("even the optimistic durations end after the submission target".to_owned());
    }
    doc.set("infeasible", !reasons.is_empty());
    doc.set("infeasible_reasons", reasons);
}
