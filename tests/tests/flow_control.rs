//! Steering: cancel, retry, pause, resume, stop, and the polite end of every process.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use zerogate_tests::api::{task, text, with};
use zerogate_tests::fleet::{Fleet, Options};
use zerogate_tests::on_both;
use zerogate_tests::oracle::{Ending, Oracle, starts};
use zerogate_tests::wait::{self, Look, SOON};

/// The grace time of a running task is 5 s.
const GRACE: Duration = Duration::from_secs(20);

on_both!(
    a_pending_task_is_cancelled_at_once_and_a_running_one_soon,
    a_retry_gives_a_finished_failure_another_life,
    a_pause_holds_everything_new_and_nothing_running,
    a_stop_refuses_submissions_and_loses_nothing,
);

fn a_pending_task_is_cancelled_at_once_and_a_running_one_soon(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let long = task("diagnostic.sleep", &json!({"ms": 120_000}));
    let running = oracle.submit(&api, &long, Ending::Cancelled)?;
    let child = with(
        task("diagnostic.noop", &json!({})),
        &json!({"depends_on": [running]}),
    );
    let child = oracle.submit(&api, &child, Ending::Cancelled)?;
    let grandchild = with(
        task("diagnostic.noop", &json!({})),
        &json!({"depends_on": [child]}),
    );
    oracle.submit(&api, &grandchild, Ending::Cancelled)?;
    ensure!(api.status(&child)?["waiting_on"] == "dependencies");
    api.reaches(&running, "running", SOON)?;

    let reply = api.cancel(&child)?.expect(202)?;
    ensure!(
        reply.body["status"] == "cancelled",
        "pending: at once: {}",
        reply.text
    );
    let again = api.cancel(&child)?;
    again.problem(409)?;
    ensure!(
        text(&again.body, "type").ends_with("wrong_state"),
        "{}",
        again.text
    );

    let reply = api.cancel(&running)?.expect(202)?;
    ensure!(reply.body["cancel_requested"] == true, "{}", reply.text);
    let record = api.reaches(&running, "cancelled", GRACE)?;
    ensure!(
        record["error"]["code"] == "cancelled" && starts(&record) == 1,
        "{record:#}"
    );

    // What ignores the request is cancelled all the same when the grace time ends.
    let deaf = oracle.submit(
        &api,
        &task("diagnostic.hang", &json!({})),
        Ending::Cancelled,
    )?;
    api.reaches(&deaf, "running", SOON)?;
    api.cancel(&deaf)?.expect(202)?;
    oracle.settle(&api, GRACE)?;
    Ok(())
}

fn a_retry_gives_a_finished_failure_another_life(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let once = json!({"ref": "p", "retry": {"max_attempts": 1}});
    let tasks = [
        with(task("diagnostic.fail", &json!({"times": 1})), &once),
        with(
            task("diagnostic.noop", &json!({})),
            &json!({"depends_on": ["p"]}),
        ),
    ];
    let ids = oracle.submit_all(&api, &tasks, Ending::Completed)?;
    api.reaches(&ids[0], "failed", SOON)?;
    api.reaches(&ids[1], "cancelled", SOON)?;
    api.retry(&ids[1])?.problem(409)?;
    let reply = api.retry(&ids[0])?.expect(202)?;
    ensure!(reply.body["status"] == "pending", "{}", reply.text);
    // Counters count commits: the failure and the cascade before, both successes after.
    oracle.retried();
    oracle.retried();
    let records = oracle.settle(&api, SOON)?;
    let parent = &records[&ids[0]];
    ensure!(
        parent["attempt"] == 2 && starts(parent) == 2,
        "attempts go on counting: {parent:#}"
    );
    let queue = api.queue()?;
    ensure!(
        queue["failed"] == 1 && queue["cancelled"] == 1 && queue["completed"] == 2,
        "{queue}"
    );
    api.retry(&ids[0])?.problem(409)?;
    Ok(())
}

fn a_pause_holds_everything_new_and_nothing_running(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let sleep = task("diagnostic.sleep", &json!({"ms": 800}));
    let running = oracle.submit(&api, &sleep, Ending::Completed)?;
    api.reaches(&running, "running", SOON)?;
    let reply = api.emergency("pause")?.expect(202)?;
    ensure!(
        reply.body["mode"] == "paused" && reply.body["changed"] == true,
        "{}",
        reply.text
    );
    let again = api.emergency("pause")?.expect(202)?;
    ensure!(again.body["changed"] == false, "idempotent: {}", again.text);
    let held = oracle.submit(
        &api,
        &task("diagnostic.noop", &json!({})),
        Ending::Completed,
    )?;
    ensure!(
        api.status(&held)?["waiting_on"] == "paused",
        "{:#}",
        api.status(&held)?
    );
    api.reaches(&running, "completed", SOON)?;
    wait::never("a paused task starts", Duration::from_millis(1_500), || {
        Ok(starts(&api.status(&held)?) > 0)
    })?;
    ensure!(api.get("/api/workflows/status")?.expect(200)?.body["mode"] == "paused");
    api.emergency("resume")?.expect(202)?;
    api.emergency("explode")?.problem(404)?;
    oracle.settle(&api, SOON)?;
    Ok(())
}

fn a_stop_refuses_submissions_and_loses_nothing(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let sleep = task("diagnostic.sleep", &json!({"ms": 2_000}));
    let ids = oracle.submit_all(&api, &vec![sleep.clone(); 6], Ending::Completed)?;
    wait::until("work to run", SOON, || {
        Ok(Look::when(
            api.queue()?["running"].as_u64() >= Some(2),
            "not yet",
        ))
    })?;
    api.emergency("stop")?.expect(202)?;
    let refused = api.submit(&sleep)?;
    refused.problem(503)?;
    ensure!(
        !refused.header("retry-after").is_empty(),
        "503 says when to come again"
    );
    wait::until("running work to be released or finished", GRACE, || {
        let queue = api.queue()?;
        Ok(Look::when(queue["running"] == 0, queue.to_string()))
    })?;
    api.emergency("resume")?.expect(202)?;
    let records = oracle.settle(&api, SOON)?;
    ensure!(records.len() == ids.len());
    Ok(())
}

/// SIGTERM everywhere, one process after the other, in mid-work: exit 0, and what was released runs elsewhere.
#[test]
fn every_role_drains_on_sigterm_and_nothing_is_lost() -> Result<()> {
    Fleet::run(Options::distributed().flag("--drain-ms", "1000"), |fleet| {
        let api = fleet.api();
        let mut oracle = Oracle::new();
        let sleep = task("diagnostic.sleep", &json!({"ms": 400}));
        oracle.submit_all(&api, &vec![sleep; 20], Ending::Completed)?;
        let long = task("diagnostic.sleep", &json!({"ms": 4_000}));
        let released = oracle.submit(
            &api,
            &with(long, &json!({"priority": "critical"})),
            Ending::Completed,
        )?;
        api.reaches(&released, "running", SOON)?;
        let worker = &mut fleet.workers[0].process;
        worker.terminate()?;
        let status = worker.wait_exit(Duration::from_secs(15))?;
        ensure!(status.success(), "a drained worker exits 0, not {status}");
        fleet.add_worker(&[])?;
        let coordinator = &mut fleet.coordinators[0].process;
        coordinator.terminate()?;
        let status = coordinator.wait_exit(Duration::from_secs(15))?;
        ensure!(
            status.success(),
            "a stopped coordinator exits 0, not {status}"
        );
        fleet.restart_coordinator(0, &[])?;
        let records = oracle.settle(&api, SOON)?;
        for record in records.values() {
            ensure!(
                !record.to_string().contains("worker_lost"),
                "a drain is no loss: {record:#}"
            );
        }
        Ok(())
    })
}

#[test]
fn the_embedded_program_drains_on_sigterm_and_goes_on_where_it_was() -> Result<()> {
    Fleet::run(Options::embedded().flag("--drain-ms", "1000"), |fleet| {
        let api = fleet.api();
        let mut oracle = Oracle::new();
        let sleep = task("diagnostic.sleep", &json!({"ms": 400}));
        let ids = oracle.submit_all(&api, &vec![sleep; 20], Ending::Completed)?;
        api.reaches(&ids[0], "running", SOON)?;
        let process = &mut fleet.coordinators[0].process;
        process.terminate()?;
        let status = process.wait_exit(Duration::from_secs(15))?;
        ensure!(status.success(), "a drained program exits 0, not {status}");
        fleet.restart_coordinator(0, &[])?;
        oracle.settle(&api, SOON)?;
        Ok(())
    })
}
