//! Times one run of a type on an input, for benchmarks: `time_run TYPE INPUT.json`.
//!
//! Prints one JSON object: seconds to read the JSON, to run, to write the result, the bytes of the result, the peak of
//! resident memory in KiB. `bgbb` as the type fits rung 1 of sponsor analysis to rows `[x, t_x, n, number]`;
//! `grant_simulation` runs the simulation of a grant timeline alone, its plan having been read before.
//! Deliberately absent: repeats; whoever compares programs interleaves them.

#![expect(
    clippy::print_stdout,
    reason = "a program whose only product is this line"
)]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use zerogate_workflows::{Run, find, fit_bgbb, with_grant_simulation};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().collect();
    let [_, kind, path] = words.as_slice() else {
        return Err("usage: time_run TYPE INPUT.json".into());
    };
    let text = std::fs::read_to_string(path)?;
    let begin = Instant::now();
    let input: Value = serde_json::from_str(&text)?;
    let read = begin.elapsed();
    let (output, ran) = if kind == "grant_simulation" {
        with_grant_simulation(&input, &Run::unattended(), |simulate| {
            timed(|| Ok(json!(simulate()?)))
        })??
    } else {
        timed(|| run(kind, &input))?
    };
    let begin = Instant::now();
    let bytes = serde_json::to_string(&output)?.len();
    let wrote = begin.elapsed();
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    println!(
        "{}",
        json!({"read": read.as_secs_f64(), "run": ran.as_secs_f64(), "write": wrote.as_secs_f64(), "bytes": bytes,
            "peak_kib": peak, "result": if ["bgbb", "grant_simulation"].contains(&kind.as_str()) { output } else { Value::Null }})
    );
    Ok(())
}

fn timed(work: impl FnOnce() -> Result<Value, Failure>) -> Result<(Value, Duration), Failure> {
    let begin = Instant::now();
    let output = work()?;
    Ok((output, begin.elapsed()))
}

fn run(kind: &str, input: &Value) -> Result<Value, Failure> {
    if kind == "bgbb" {
        let rows: Vec<(u32, u32, u32, f64)> = serde_json::from_value(input.clone())?;
        return Ok(json!(fit_bgbb(&rows)));
    }
    let kind = find(kind).ok_or("no such type")?;
    Ok((kind.run)(input, &Run::unattended())?)
}
