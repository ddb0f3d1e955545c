//! Handlers that panic, never end, or fail before they succeed; embedded and distributed.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::json;
use zerogate_tests::api::{millis_between, task, text, with};
use zerogate_tests::fleet::Fleet;
use zerogate_tests::on_both;
use zerogate_tests::oracle::{Ending, Oracle, starts};
use zerogate_tests::wait::SOON;
use zerogate_tests::workload;

on_both!(
    a_panic_harms_nobody_else,
    what_never_ends_is_timed_out_and_frees_its_slot,
    two_failures_then_success_with_growing_delays,
);

fn a_panic_harms_nobody_else(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    oracle.submit_all(&api, &workload::sleeps(8, 500), Ending::Completed)?;
    let retry = json!({"retry": {"max_attempts": 3, "initial_delay_ms": 50}, "priority": "high"});
    let panic = with(task("diagnostic.panic", &json!({})), &retry);
    let ids = oracle.submit_all(&api, &vec![panic; 5], Ending::Failed("panic"))?;
    let child = json!({"depends_on": [ids[0]], "on_dependency_failure": "run"});
    oracle.submit(
        &api,
        &with(task("diagnostic.noop", &json!({})), &child),
        Ending::Completed,
    )?;
    oracle.full_work(&api, fleet.concurrency(), Instant::now())?;
    let records = oracle.settle(&api, SOON)?;
    for (id, record) in &records {
        let expected = if ids.contains(id) { 3 } else { 1 };
        ensure!(
            starts(record) == expected,
            "{expected} starts expected: {record:#}"
        );
    }
    Ok(())
}

fn what_never_ends_is_timed_out_and_frees_its_slot(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let limits = json!({"timeout_ms": 500, "retry": {"max_attempts": 1}, "priority": "critical"});
    let hang = with(task("diagnostic.hang", &json!({})), &limits);
    oracle.submit(&api, &hang, Ending::Failed("timeout"))?;
    let slow = with(task("diagnostic.sleep", &json!({"ms": 60_000})), &limits);
    let slow = oracle.submit(&api, &slow, Ending::Failed("timeout"))?;
    oracle.submit_all(&api, &workload::sleeps(12, 50), Ending::Completed)?;
    let records = oracle.settle(&api, SOON)?;
    let attempt = &records[&slow]["attempts"][0];
    let ran = millis_between(&text(attempt, "started_at"), &text(attempt, "finished_at"))?;
    ensure!(
        (450..5_000).contains(&ran),
        "timed out after {ran} ms instead of 500"
    );
    oracle.full_work(&api, fleet.concurrency(), Instant::now())?;
    oracle.settle(&api, SOON)?;
    Ok(())
}

fn two_failures_then_success_with_growing_delays(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let fail = task("diagnostic.fail", &json!({"times": 2}));
    let exact = json!({"retry": {"max_attempts": 3, "initial_delay_ms": 400, "multiplier": 3.0, "jitter": false}});
    let jittered = json!({"retry": {"max_attempts": 3, "initial_delay_ms": 400, "multiplier": 3.0, "jitter": true}});
    let exact = oracle.submit(&api, &with(fail.clone(), &exact), Ending::Completed)?;
    let mut ids = vec![(exact, 1.0)];
    for _ in 0..5 {
        let id = oracle.submit(&api, &with(fail.clone(), &jittered), Ending::Completed)?;
        ids.push((id, 0.5));
    }
    let never = json!({"retry": {"max_attempts": 2, "initial_delay_ms": 10}});
    let never = oracle.submit(&api, &with(fail, &never), Ending::Failed("handler_error"))?;
    let records = oracle.settle(&api, SOON)?;
    ensure!(
        starts(&records[&never]) == 2,
        "max_attempts counts runs: {:#}",
        records[&never]
    );
    for (id, least) in ids {
        let record = &records[&id];
        ensure!(starts(record) == 3 && record["attempt"] == 3, "{record:#}");
        let gap = |n: usize| {
            let ended = text(&record["attempts"][n], "finished_at");
            millis_between(&ended, &text(&record["attempts"][n + 1], "started_at"))
        };
        // Jitter is uniform in [d/2, d]: the lower bound is exact, above it comes the dispatch.
        for (n, delay) in [(0, 400.0), (1, 1_200.0)] {
            let waited = f64::from(i32::try_from(gap(n)?)?);
            ensure!(
                waited >= least * delay - 2.0,
                "waited {waited} ms, {delay} were due: {record:#}"
            );
            ensure!(
                waited <= delay + 3_000.0,
                "waited {waited} ms, {delay} were due: {record:#}"
            );
        }
        ensure!(
            gap(1)? > gap(0)? || least < 1.0,
            "delays must grow: {record:#}"
        );
    }
    Ok(())
}
