//! Workers that die or freeze at every step of their way with a task (steps 6 to 8 of the nine).

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;
use zerogate_tests::api::{millis_between, task, text, with};
use zerogate_tests::fleet::{Fleet, Options};
use zerogate_tests::oracle::{Ending, Oracle, lost, started_once, starts};
use zerogate_tests::wait::{self, Look, SOON};
use zerogate_tests::workload;

const REACHED: &str = "fault point reached";

/// A worker stands still at the point and is killed there; healthy ones take over.
fn killed_at(point: &str, loses: bool) -> Result<()> {
    Fleet::run(Options::distributed().size(1, 0, 4), |fleet| {
        let api = fleet.api();
        let mut oracle = Oracle::new();
        let doomed = fleet.add_worker(&["--fault", point])?;
        oracle.submit_all(&api, &workload::dag(12, 60), Ending::Completed)?;
        let worker = &mut fleet.workers[doomed].process;
        worker.wait_line(&[REACHED, point], SOON)?;
        worker.kill()?;
        let fault_end = Instant::now();
        fleet.add_worker(&[])?;
        fleet.add_worker(&[])?;
        oracle.full_work(&api, 2 * fleet.concurrency(), fault_end)?;
        let records = oracle.settle(&api, SOON)?;
        if loses {
            ensure!(
                !lost(&records).is_empty(),
                "the killed run must be in a history"
            );
        } else {
            // The point lies before the first claim or after the last commit of that task; other slots may have run.
            let slots = fleet.concurrency();
            ensure!(
                lost(&records).len() < slots,
                "more lost than its other slots could hold"
            );
        }
        Ok(())
    })
}

#[test]
fn killed_with_a_message_in_hand() -> Result<()> {
    killed_at("worker.fetched", false)
}

#[test]
fn killed_between_claim_and_acknowledgement() -> Result<()> {
    killed_at("worker.claimed", true)
}

#[test]
fn killed_between_acknowledgement_and_run() -> Result<()> {
    killed_at("worker.acked", true)
}

#[test]
fn killed_between_run_and_report() -> Result<()> {
    killed_at("worker.ran", true)
}

#[test]
fn killed_after_the_report() -> Result<()> {
    killed_at("worker.finished", false)
}

/// A lost worker does not eat the caller's attempts: `max_attempts` is 1 here, and two workers die.
#[test]
fn killed_in_mid_task_twice() -> Result<()> {
    Fleet::run(Options::distributed().size(1, 1, 4), |fleet| {
        let api = fleet.api();
        let mut oracle = Oracle::new();
        let once = json!({"retry": {"max_attempts": 1}, "priority": "critical"});
        let long = with(task("diagnostic.sleep", &json!({"ms": 1_500})), &once);
        let id = oracle.submit(&api, &long, Ending::Completed)?;
        oracle.submit_all(&api, &workload::dag(16, 200), Ending::Completed)?;
        for death in 1..=2 {
            wait::until("the long task to run", SOON, || {
                let record = api.status(&id)?;
                let runs = record["status"] == "running" && record["attempt"] == json!(death);
                Ok(Look::when(runs, record.to_string()))
            })?;
            let worker = fleet.workers.last_mut().map(|member| member.process.kill());
            worker.unwrap_or(Ok(()))?;
            fleet.add_worker(&[])?;
        }
        oracle.full_work(&api, fleet.concurrency(), Instant::now())?;
        let records = oracle.settle(&api, SOON)?;
        let record = &records[&id];
        ensure!(starts(record) == 3, "two losses and a success: {record:#}");
        for attempt in 0..2 {
            ensure!(
                record["attempts"][attempt]["code"] == "worker_lost",
                "{record:#}"
            );
        }
        Ok(())
    })
}

/// The frozen worker's tasks run elsewhere; thawed, it reports late, while the second run is still on its way.
#[test]
fn frozen_past_its_lease_and_thawed() -> Result<()> {
    Fleet::run(Options::distributed().size(1, 1, 2), |fleet| {
        let api = fleet.api();
        let mut oracle = Oracle::new();
        let slow = workload::sleeps(1, 6_000);
        let quick = workload::sleeps(1, 1_200);
        let slow = oracle.submit_all(&api, &slow, Ending::Completed)?.remove(0);
        let quick = oracle
            .submit_all(&api, &quick, Ending::Completed)?
            .remove(0);
        let child = with(
            task("diagnostic.noop", &json!({})),
            &json!({"depends_on": [slow, quick]}),
        );
        oracle.submit(&api, &child, Ending::Completed)?;
        api.reaches(&slow, "running", SOON)?;
        api.reaches(&quick, "running", SOON)?;
        let frozen_worker = text(&api.status(&slow)?, "worker_id");
        fleet.workers[0].process.freeze()?;
        fleet.add_worker(&[])?;

        let done = api.reaches(&quick, "completed", SOON)?;
        ensure!(
            text(&done, "worker_id") != frozen_worker,
            "someone else did it: {done:#}"
        );
        wait::until("the slow task to run elsewhere", SOON, || {
            let record = api.status(&slow)?;
            let moved =
                record["status"] == "running" && text(&record, "worker_id") != frozen_worker;
            Ok(Look::when(moved, record.to_string()))
        })?;
        fleet.workers[0].process.thaw()?;
        let fault_end = Instant::now();
        let records = oracle.settle(&api, SOON)?;
        ensure!(
            records[&quick] == done,
            "the late report changed a record: {:#}",
            records[&quick]
        );
        let record = &records[&slow];
        ensure!(
            starts(record) == 2 && text(record, "worker_id") != frozen_worker,
            "{record:#}"
        );
        let second = &record["attempts"][1];
        let ran = millis_between(&text(second, "started_at"), &text(second, "finished_at"))?;
        ensure!(
            ran >= 5_900,
            "cut short after {ran} ms by the late report: {record:#}"
        );
        oracle.full_work(&api, 2 * fleet.concurrency(), fault_end)?;
        oracle.settle(&api, SOON)?;
        Ok(())
    })
}

/// A worker that nobody kills, beside one that dies, does every task once.
#[test]
fn a_death_is_no_business_of_its_neighbours() -> Result<()> {
    Fleet::run(Options::distributed().size(1, 2, 2), |fleet| {
        let api = fleet.api();
        let mut oracle = Oracle::new();
        oracle.submit_all(&api, &workload::sleeps(24, 250), Ending::Completed)?;
        wait::until("both workers to be full", SOON, || {
            let queue = api.queue()?;
            Ok(Look::when(queue["running"] == 4, queue.to_string()))
        })?;
        fleet.workers[0].process.kill()?;
        let records = oracle.settle(&api, SOON)?;
        let losses = lost(&records);
        ensure!(
            !losses.is_empty() && losses.len() <= 2,
            "{} tasks lost a worker of two slots",
            losses.len()
        );
        let mut others = records.clone();
        let ids: Vec<String> = losses
            .iter()
            .map(|record| text(record, "task_id"))
            .collect();
        others.retain(|id, _| !ids.contains(id));
        started_once(&others)?;
        wait::until(
            "the dead worker to be known as lost",
            Duration::from_secs(30),
            || {
                let workers = api.workers()?;
                let states: Vec<String> =
                    workers.iter().map(|worker| text(worker, "state")).collect();
                let known = !workers.is_empty()
                    && states.iter().filter(|state| *state == "ready").count() == 1;
                Ok(Look::when(known, format!("{states:?}")))
            },
        )
    })
}
