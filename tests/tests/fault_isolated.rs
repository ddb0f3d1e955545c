//! Inputs that crash, hang, eat memory or reach out in the child processes of a worker; embedded and distributed.
//! Each ends once, with a reason; the worker lives, neighbours do not notice, nothing is left behind.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zerogate_tests::api::{Api, task, text, with};
use zerogate_tests::command::zerogate;
use zerogate_tests::fleet::Fleet;
use zerogate_tests::on_both;
use zerogate_tests::oracle::{Ending, Oracle, started_once, starts};
use zerogate_tests::wait::{self, Look, SOON};
use zerogate_tests::workload;

on_both!(
    hostile_inputs_end_once_and_harm_nobody,
    a_cancelled_and_a_late_run_end_with_their_children,
    children_end_with_their_killed_worker_and_leave_nothing,
    a_run_in_a_child_is_counted_and_says_nothing_of_its_input,
);

fn child(input: &Value) -> Value {
    task("diagnostic.child", input)
}

fn hostile_inputs_end_once_and_harm_nobody(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    oracle.submit_all(&api, &workload::sleeps(8, 500), Ending::Completed)?;
    let mut limits = Vec::new();
    for input in [
        json!({"do": "alloc", "mib": 4_000}),
        json!({"do": "spin", "ms": 60_000}),
        json!({"do": "hang"}),
        json!({"do": "overflow"}),
        json!({"do": "write", "bytes": 32 << 20}),
        json!({"do": "big", "bytes": 32 << 20}),
    ] {
        limits.push(oracle.submit(&api, &child(&input), Ending::Failed("limit_exceeded"))?);
    }
    for input in [
        json!({"do": "abort"}),
        json!({"do": "exit", "code": 9}),
        json!({"do": "alloc"}),
    ] {
        oracle.submit(&api, &child(&input), Ending::Failed("invalid_input"))?;
    }
    let once = json!({"retry": {"max_attempts": 1}});
    let panic = with(child(&json!({"do": "panic"})), &once);
    oracle.submit(&api, &panic, Ending::Failed("panic"))?;
    let good = vec![child(&json!({"do": "echo", "n": [1, 2.5, "x"]})); 10];
    let good = oracle.submit_all(&api, &good, Ending::Completed)?;
    oracle.full_work(&api, fleet.concurrency(), Instant::now())?;
    let records = oracle.settle(&api, SOON)?;
    started_once(&records)?;
    for id in good {
        let result = &records[&id]["result"];
        ensure!(result["n"] == json!([1, 2.5, "x"]), "{result:#}");
    }
    for (id, limit) in limits
        .iter()
        .zip(["memory_bytes", "cpu_seconds", "wall_seconds", "nesting"])
    {
        let message = text(&records[id]["error"], "message");
        ensure!(message.contains(limit), "{limit}: {message}");
    }
    Ok(())
}

fn a_cancelled_and_a_late_run_end_with_their_children(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let hang = child(&json!({"do": "hang"}));
    let late = json!({"timeout_ms": 400, "retry": {"max_attempts": 1}});
    let late = api.accept(&with(hang.clone(), &late))?;
    let cancelled = api.accept(&hang)?;
    api.reaches(&cancelled, "running", SOON)?;
    api.cancel(&cancelled)?.expect(202)?;
    api.reaches(&cancelled, "cancelled", SOON)?;
    let late = api.reaches(&late, "failed", SOON)?;
    ensure!(text(&late["error"], "code") == "timeout", "{late:#}");
    let worker = worker_pid(fleet);
    wait::until("the end of both children", SOON, || {
        let left = children_of(worker)?;
        Ok(Look::when(
            left.is_empty(),
            format!("still there: {left:?}"),
        ))
    })
}

fn children_end_with_their_killed_worker_and_leave_nothing(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let busy = vec![child(&json!({"do": "spin", "ms": 1_500})); 2];
    let busy = oracle.submit_all(&api, &busy, Ending::Completed)?;
    for id in &busy {
        api.reaches(id, "running", SOON)?;
    }
    let worker = worker_pid(fleet);
    let children = wait::until("two children", SOON, || {
        let found = children_of(worker)?;
        let both = (found.len() == 2).then_some(found);
        Ok(Look::from_option(both, "not two yet"))
    })?;
    let embedded = fleet.workers.is_empty();
    if embedded {
        fleet.coordinators[0].process.kill()?;
    } else {
        fleet.workers[0].process.kill()?;
    }
    wait::until("the children's end", SOON, || {
        let alive: Vec<_> = children.iter().filter(|pid| is_alive(**pid)).collect();
        Ok(Look::when(alive.is_empty(), format!("alive: {alive:?}")))
    })?;
    let next = if embedded {
        fleet.restart_coordinator(0, &[])?;
        &mut fleet.coordinators[0]
    } else {
        let index = fleet.add_worker(&[])?;
        &mut fleet.workers[index]
    };
    next.process
        .wait_line(&["removing what a dead worker left"], SOON)?;
    let records = oracle.settle(&api, SOON)?;
    ensure!(
        records.values().any(|record| starts(record) > 1),
        "a run was lost and began again"
    );
    Ok(())
}

fn a_run_in_a_child_is_counted_and_says_nothing_of_its_input(fleet: &mut Fleet) -> Result<()> {
    const CANARY: &str = "canary-7f3a@example.org";
    let api = fleet.api();
    let mut oracle = Oracle::new();
    for (input, ending) in [
        (json!({"do": "echo", "name": CANARY}), Ending::Completed),
        (
            json!({"do": "abort", "name": CANARY}),
            Ending::Failed("invalid_input"),
        ),
        (
            json!({"do": "alloc", "mib": 9_000, "name": CANARY}),
            Ending::Failed("limit_exceeded"),
        ),
    ] {
        oracle.submit(&api, &child(&input), ending)?;
    }
    let records = oracle.settle(&api, SOON)?;
    for record in records.values() {
        ensure!(!record["error"].to_string().contains(CANARY), "{record:#}");
    }
    let member = fleet.workers.first().unwrap_or(&fleet.coordinators[0]);
    for line in member.process.lines()? {
        ensure!(!line.contains(CANARY), "{line}");
    }
    let told = member
        .process
        .lines_with(&["the run failed", "peak_bytes", "cpu"])?;
    ensure!(told.len() == 2, "{told:?}");
    metrics(&member.api())
}

fn metrics(api: &Api) -> Result<()> {
    let text = api.get("/metrics")?.expect(200)?.text;
    for name in ["zerogate_child_peak_bytes", "zerogate_child_cpu_seconds"] {
        let count = format!("{name}_count{{workflow_type=\"diagnostic.child\"}} 3");
        ensure!(text.contains(&count), "{count} is missing in\n{text}");
    }
    Ok(())
}

/// `zerogate run`: the same types, here.
#[test]
fn one_input_is_run_without_a_fleet() -> Result<()> {
    let summary = zerogate(None, &["run", "grant_timeline", "--example"], "")?.expect(0)?;
    ensure!(summary.stdout.contains("deadline"), "{}", summary.stdout);
    let example = ["run", "relationship_mapping", "--example", "-o", "json"];
    let result = zerogate(None, &example, "")?.expect(0)?.json()?;
    ensure!(result.is_object(), "{result}");
    zerogate(None, &["run", "no_such_type", "--example"], "")?.expect(2)?;
    zerogate(None, &["run", "grant_timeline", "--file", "a"], "")?.expect(2)?;
    zerogate(None, &["run", "grant_timeline"], "[]")?.expect(1)?;
    Ok(())
}

/// Files go in by their paths and come out by their names; what is hostile ends the child and is a sentence.
#[test]
fn files_of_a_local_run_and_its_hostile_inputs() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let given = path("in.bin");
    fs::write(&given, [5; 4_000])?;
    let child = ["run", "diagnostic.child", "--param"];
    let read = [&child[..], &["do=read", "--file", &given, "-o", "json"]].concat();
    let result = zerogate(None, &read, "")?.expect(0)?.json()?;
    ensure!(result["bytes"] == 4_000, "{result}");
    let named = json!({"do": "read", "data": {"file": given}}).to_string();
    let same = zerogate(None, &["run", "diagnostic.child", "-o", "json"], &named)?;
    ensure!(
        same.expect(0)?.json()? == result,
        "by its path in the input, too"
    );
    let out = path("out");
    let write = [
        &child[..],
        &["do=write", "--param", "bytes=70000", "--output-dir", &out],
    ]
    .concat();
    zerogate(None, &write, "")?.expect(0)?;
    let made = fs::metadata(folder.path().join("out/made.bin"))?.len();
    ensure!(made == 70_000, "{made} bytes were made");
    for (deed, why) in [
        ("do=overflow", "nesting"),
        ("do=abort", "crash"),
        ("do=hang", "wall_seconds"),
    ] {
        let ended = zerogate(None, &[&child[..], &[deed]].concat(), "")?.expect(1)?;
        ensure!(ended.stderr.contains(why), "{deed}: {}", ended.stderr);
    }
    let gone = [&child[..], &["do=read", "--file", "no-such-file"]].concat();
    zerogate(None, &gone, "")?.expect(2)?;
    Ok(())
}

/// The process that runs tasks.
fn worker_pid(fleet: &Fleet) -> u32 {
    let member = fleet.workers.first().unwrap_or(&fleet.coordinators[0]);
    member.process.pid()
}

/// Living processes that this one has started.
fn children_of(parent: u32) -> Result<Vec<u32>> {
    let entries = fs::read_dir("/proc").context("list processes")?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let line = format!("PPid:\t{parent}\n");
    Ok(pids
        .filter(|pid| is_alive(*pid) && status(*pid).contains(&line))
        .collect())
}

fn is_alive(pid: u32) -> bool {
    let status = status(pid);
    !status.is_empty() && !status.contains("\nState:\tZ")
}

fn status(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default()
}
