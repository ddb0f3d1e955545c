//! Golden dates, numpy and Python's holidays as an oracle, exact distributions, and what must never happen.

mod dates;
mod futures;
mod plans;
mod rules;

use serde_json::{Value, json};

use crate::{Error, Run, find};

fn try_run(input: &Value) -> Result<Value, Error> {
    (find("grant_timeline").unwrap().run)(input, &Run::unattended())
}

fn run(input: &Value) -> Value {
    try_run(input).unwrap()
}

fn points(a: f64, m: f64, b: f64) -> Value {
    json!({"optimistic": a, "likely": m, "pessimistic": b})
}

fn task(id: &str, duration: &Value, before: &[&str]) -> Value {
    json!({"id": id, "duration": duration, "depends_on": before})
}

/// A plan from Monday 2026-11-23 without holidays, due on 2027-03-31, without buffer.
fn plan(tasks: &[Value]) -> Value {
    json!({
        "as_of": "2026-11-23",
        "opportunity": {"closeDate": {"date": "2027-03-31"}},
        "calendar": {"holidays": ["2020-01-01"]},
        "submit_buffer_working_days": 0,
        "tasks": tasks,
        "simulation": {"runs": 20_000, "seed": 7},
    })
}

/// The plan due after `days` working days.
fn due_in(days: i64, tasks: &[Value]) -> Value {
    use jiff::ToSpan;
    let mut input = plan(tasks);
    let start = jiff::civil::date(2026, 11, 23);
    let date = start + ((days - 1) / 5 * 7 + (days - 1) % 5).days();
    input["opportunity"]["closeDate"]["date"] = json!(date.to_string());
    input
}

fn p(output: &Value) -> f64 {
    output["completion"]["p_on_time"].as_f64().unwrap()
}

fn slot<'a>(output: &'a Value, id: &str) -> &'a Value {
    output["schedule"]
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["id"] == id)
        .unwrap()
}
