//! Times one run of a type on an input, for benchmarks: `time_run TYPE INPUT.json`.
//!
//! Prints one JSON object: seconds to read the JSON, to run, to write the result, the bytes of the result, the peak of
//! resident memory in KiB. `bgbb` as the type fits rung 1 of sponsor analysis to rows `[x, t_x, n, number]`.
//! Deliberately absent: repeats; whoever compares programs interleaves them.

#![expect(
    clippy::print_stdout,
    reason = "a program whose only product is this line"
)]

use std::time::Instant;

use serde_json::{Value, json};
use zerogate_workflows::{Run, find, fit_bgbb};

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
    let begin = Instant::now();
    let output = run(kind, &input)?;
    let ran = begin.elapsed();
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
            "peak_kib": peak, "result": if kind == "bgbb" { output } else { Value::Null }})
    );
    Ok(())
}

fn run(kind: &str, input: &Value) -> Result<Value, Failure> {
    if kind == "bgbb" {
        let rows: Vec<(u32, u32, u32, f64)> = serde_json::from_value(input.clone())?;
        return Ok(json!(fit_bgbb(&rows)));
    }
    let kind = find(kind).ok_or("no such type")?;
    Ok((kind.run)(input, &Run::unattended())?)
}
