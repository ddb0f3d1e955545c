//! Lays the task lines out: places, floats, dates and what the simulation says of each task.

use serde_json::{Value, json};

use super::analysis::Analysis;
use super::cpm::Slot;
use super::output::text;
use super::plan::{Job, Plan};
use crate::document::Document;
use crate::number::{float, maybe};

pub(super) fn fill(analysis: &Analysis<'_>, doc: &mut Document) {
    let plan = analysis.plan;
    let mut lines = Vec::new();
    for (v, (job, slot)) in plan.jobs.iter().zip(&analysis.schedule.slots).enumerate() {
        let mut line = about(job);
        if job.done {
            // The names stay, so that readers need no second shape.
            doc.because(
                format!("/schedule/{v}"),
                "a finished task has no dates, floats or chances left to compute",
            );
        }
        for (name, value) in place(plan, slot).into_iter().chain(chances(analysis, v)) {
            line[name] = if job.done { Value::Null } else { value };
        }
        line["critical"] = (!job.done && slot.total_float() <= 0).into();
        lines.push(line);
    }
    match (&analysis.sensitivity, plan.jobs.is_empty()) {
        (None, false) => doc.because("/schedule/*/sensitivity", analysis.no_sensitivity),
        (Some(all), _) if all.iter().any(Option::is_none) => {
            let why = "null where the duration or the finish does not vary";
            doc.because("/schedule/*/sensitivity", why);
        }
        _ => {}
    }
    let id = |v: &u32| plan.jobs[*v as usize].task.id.as_str();
    let path: Vec<&str> = analysis.schedule.critical_path.iter().map(id).collect();
    doc.set("schedule", lines);
    doc.set("critical_path", path);
    doc.set("critical_path_days", analysis.schedule.length);
}

fn about(job: &Job<'_>) -> Value {
    let task = job.task;
    let begun = task.actual_start.is_some() || task.percent_complete > 0.0;
    let state = match (job.done, begun) {
        (true, _) => "done",
        (false, true) => "in_progress",
        (false, false) => "not_started",
    };
    json!({
        "id": task.id,
        "name": task.name,
        "owner": task.owner,
        "state": state,
        "actual_start": task.actual_start,
        "actual_finish": task.actual_finish,
        "remaining": {"days": job.days(), "mean": float(job.mean()), "variance": float(job.variance())},
        "pert": {"mean": float(task.duration.mean()), "variance": float(task.duration.variance())},
    })
}

fn place(plan: &Plan<'_>, slot: &Slot) -> [(&'static str, Value); 10] {
    // A task without duration ends on the day on which it starts.
    let finish = |start: i64, end: i64| text(plan.finish_date(end.max(start + 1)));
    [
        ("es", slot.es.into()),
        ("ef", slot.ef.into()),
        ("ls", slot.ls.into()),
        ("lf", slot.lf.into()),
        ("total_float", slot.total_float().into()),
        ("free_float", slot.free_float.into()),
        ("early_start_date", text(plan.ordinals.date(slot.es))),
        ("early_finish_date", finish(slot.es, slot.ef)),
        ("latest_start_date", text(plan.ordinals.date(slot.ls))),
        ("latest_finish_date", finish(slot.ls, slot.lf)),
    ]
}

fn chances(analysis: &Analysis<'_>, v: usize) -> [(&'static str, Value); 3] {
    let share = |count: u64| count as f64 / analysis.runs();
    let outcome = analysis.outcome.as_ref();
    let sensitivity = analysis.sensitivity.as_ref().and_then(|all| all[v]);
    [
        (
            "criticality_index",
            maybe(outcome.map(|o| share(o.critical[v]))),
        ),
        ("p_late", maybe(outcome.map(|o| share(o.late[v])))),
        ("sensitivity", maybe(sensitivity)),
    ]
}
