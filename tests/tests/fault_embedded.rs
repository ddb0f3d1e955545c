//! The embedded program killed in mid-work, again and again, on the same data directory.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::json;
use zerogate_tests::api::{later, task, text, with};
use zerogate_tests::fleet::{Fleet, Options};
use zerogate_tests::oracle::{Ending, Oracle, lost, starts};
use zerogate_tests::wait::{self, Look, SOON};
use zerogate_tests::workload;

#[test]
fn killed_with_tasks_in_every_state() -> Result<()> {
    Fleet::run(Options::embedded(), |fleet| {
        let api = fleet.api();
        let mut oracle = Oracle::new();
        let noop = task("diagnostic.noop", &json!({}));
        let once = json!({"retry": {"max_attempts": 1}});
        let done = oracle.submit(&api, &noop, Ending::Completed)?;
        let failed = with(task("diagnostic.fail", &json!({})), &once);
        let failed = oracle.submit(&api, &failed, Ending::Failed("handler_error"))?;
        api.reaches(&done, "completed", SOON)?;
        api.reaches(&failed, "failed", SOON)?;
        let before = (api.status(&done)?, api.status(&failed)?);
        let soon = later(&text(&before.1, "finished_at"), 4_000)?;
        let scheduled = with(noop.clone(), &json!({"run_at": soon}));
        oracle.submit(&api, &scheduled, Ending::Completed)?;
        let retried = json!({"retry": {"max_attempts": 2, "initial_delay_ms": 1_500}});
        let retried = with(task("diagnostic.fail", &json!({"times": 1})), &retried);
        oracle.submit(&api, &retried, Ending::Completed)?;
        oracle.submit_all(&api, &workload::dag(30, 300), Ending::Completed)?;
        wait::until("work to run", SOON, || {
            let queue = api.queue()?;
            Ok(Look::when(queue["running"] == 4, queue.to_string()))
        })?;
        fleet.coordinators[0].process.kill()?;
        fleet.restart_coordinator(0, &[])?;
        oracle.full_work(&api, fleet.concurrency(), Instant::now())?;
        let records = oracle.settle(&api, SOON)?;
        ensure!(
            (&records[&done], &records[&failed]) == (&before.0, &before.1),
            "a final record changed"
        );
        let losses = lost(&records).len();
        ensure!(
            (1..=4).contains(&losses),
            "{losses} tasks lost a run, four were running"
        );
        Ok(())
    })
}

/// Too many runs that cannot be stopped: the process asks its supervisor for a fresh one, instead of accepting work that
/// nobody runs.
#[test]
fn ends_when_its_worker_does() -> Result<()> {
    Fleet::run(Options::embedded(), |fleet| {
        let api = fleet.api();
        let limits = json!({"timeout_ms": 300, "retry": {"max_attempts": 1}});
        for _ in 0..8 {
            let hang = with(task("diagnostic.hang", &json!({})), &limits);
            api.accept(&hang)?;
        }
        let ended = fleet.coordinators[0].process.wait_exit(SOON)?;
        ensure!(ended.code() == Some(75), "{ended}");
        Ok(())
    })
}

/// Each life is killed as soon as it has done something; accepted work survives all of them.
#[test]
fn killed_five_times_in_a_row() -> Result<()> {
    Fleet::run(Options::embedded(), |fleet| {
        let api = fleet.api();
        let mut oracle = Oracle::new();
        oracle.submit_all(&api, &workload::dag(60, 60), Ending::Completed)?;
        for _ in 0..5 {
            let before = api.queue()?["completed"].as_u64();
            oracle.submit_all(&api, &workload::sleeps(3, 30), Ending::Completed)?;
            wait::until("some progress", SOON, || {
                let queue = api.queue()?;
                Ok(Look::when(
                    queue["completed"].as_u64() > before,
                    queue.to_string(),
                ))
            })?;
            fleet.coordinators[0].process.kill()?;
            fleet.restart_coordinator(0, &[])?;
        }
        oracle.full_work(&api, fleet.concurrency(), Instant::now())?;
        let records = oracle.settle(&api, SOON)?;
        ensure!(
            records.values().all(|record| starts(record) <= 6),
            "no more starts than lives"
        );
        Ok(())
    })
}

/// Killed between the steps of a task's way, as in the fleet.
fn killed_at(point: &str) -> Result<()> {
    let mut options = Options::embedded();
    options.coordinators = 0;
    Fleet::run(options, |fleet| {
        fleet.add_coordinator(&["--fault", point])?;
        let api = fleet.api();
        let mut oracle = Oracle::new();
        oracle.submit_all(&api, &workload::dag(12, 40), Ending::Completed)?;
        let process = &mut fleet.coordinators[0].process;
        process.wait_line(&["fault point reached", point], SOON)?;
        process.kill()?;
        fleet.restart_coordinator(0, &[])?;
        oracle.full_work(&api, fleet.concurrency(), Instant::now())?;
        oracle.settle(&api, SOON)?;
        Ok(())
    })
}

#[test]
fn killed_between_take_ready_and_publish() -> Result<()> {
    killed_at("dispatch.taken")
}

#[test]
fn killed_between_claim_and_run() -> Result<()> {
    killed_at("worker.acked")
}

#[test]
fn killed_between_run_and_report() -> Result<()> {
    killed_at("worker.ran")
}

/// A second process on the same data directory would be two masters of one store.
#[test]
fn a_second_process_on_the_same_data_is_refused() -> Result<()> {
    Fleet::run(Options::embedded(), |fleet| {
        let refused = fleet.add_coordinator(&[]);
        ensure!(refused.is_err(), "two processes share a data directory");
        let api = fleet.api();
        let mut oracle = Oracle::new();
        oracle.submit(
            &api,
            &task("diagnostic.noop", &json!({})),
            Ending::Completed,
        )?;
        oracle.settle(&api, SOON)?;
        Ok(())
    })
}
