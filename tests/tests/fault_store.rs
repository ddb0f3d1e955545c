//! Redis restarted, killed, gone for a minute, frozen, robbed of its last second.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zerogate_tests::api::{self, Api, later, task, text, with};
use zerogate_tests::fleet::{Fleet, Options};
use zerogate_tests::oracle::{Ending, Oracle, started_once};
use zerogate_tests::redis::{Fsync, RedisOptions};
use zerogate_tests::wait::{self, Look, SOON, outage};
use zerogate_tests::workload;

fn durable(fsync: Fsync) -> RedisOptions {
    RedisOptions {
        fsync,
        ..RedisOptions::default()
    }
}

/// Puts tasks into every state there is: waiting, scheduled, ready and queued, running, and the three final ones.
fn every_state(api: &Api, oracle: &mut Oracle) -> Result<()> {
    let once = json!({"retry": {"max_attempts": 1}});
    let noop = task("diagnostic.noop", &json!({}));
    let done = oracle.submit(api, &noop, Ending::Completed)?;
    let failed = with(task("diagnostic.fail", &json!({})), &once);
    let failed = oracle.submit(api, &failed, Ending::Failed("handler_error"))?;
    let far = with(
        noop.clone(),
        &json!({"run_at": "2099-01-01T00:00:00.000000Z"}),
    );
    let cancelled = oracle.submit(api, &far, Ending::Cancelled)?;
    api.cancel(&cancelled)?.expect(202)?;
    api.reaches(&done, "completed", SOON)?;
    api.reaches(&failed, "failed", SOON)?;
    let soon = later(&text(&api.status(&failed)?, "finished_at"), 5_000)?;
    oracle.submit(
        api,
        &with(noop, &json!({"run_at": soon})),
        Ending::Completed,
    )?;
    oracle.submit_all(api, &workload::dag(30, 400), Ending::Completed)?;
    wait::until("work to run", SOON, || {
        let queue = api.queue()?;
        Ok(Look::when(queue["running"] == 4, queue.to_string()))
    })
}

/// Every answer was on the disk: SIGKILL loses nothing, and nothing runs twice because of it.
#[test]
fn killed_with_tasks_in_every_state_under_fsync_always() -> Result<()> {
    let options = Options::distributed()
        .size(1, 2, 2)
        .redis(durable(Fsync::Always));
    Fleet::run(options, |fleet| {
        let api = fleet.api();
        let mut oracle = Oracle::new();
        every_state(&api, &mut oracle)?;
        fleet.redis()?.kill()?;
        fleet.redis()?.start_again()?;
        oracle.full_work(&api, 2 * fleet.concurrency(), Instant::now())?;
        let records = oracle.settle(&api, SOON)?;
        started_once(&records)
    })
}

#[test]
fn stopped_and_started_with_tasks_in_every_state() -> Result<()> {
    Fleet::run(Options::distributed().size(1, 2, 2), |fleet| {
        let api = fleet.api();
        let mut oracle = Oracle::new();
        every_state(&api, &mut oracle)?;
        fleet.redis()?.stop()?;
        outage(Duration::from_secs(1));
        fleet.redis()?.start_again()?;
        oracle.full_work(&api, 2 * fleet.concurrency(), Instant::now())?;
        let records = oracle.settle(&api, SOON)?;
        started_once(&records)
    })
}

/// A crash of the machine takes what the disk did not have yet. Here that is the last second of everything: what was
/// accepted before it is still known, and every task that Redis knows reaches a final state.
#[test]
fn crashed_under_fsync_every_second() -> Result<()> {
    let options = Options::distributed()
        .size(1, 2, 2)
        .redis(durable(Fsync::EverySecond));
    Fleet::run(options, |fleet| {
        let api = fleet.api();
        let mut kept = Vec::new();
        for _ in 0..5 {
            kept.extend(api.accept_all(&workload::dag(6, 60))?);
        }
        wait::until("some to be done and some to run", SOON, || {
            let queue = api.queue()?;
            let mixed =
                queue["completed"].as_u64() >= Some(4) && queue["running"].as_u64() >= Some(1);
            Ok(Look::when(mixed, queue.to_string()))
        })?;
        let on_disk = fleet.redis()?.written()?;
        let mut at_risk = Vec::new();
        let last_second = Instant::now();
        while last_second.elapsed() < Duration::from_secs(1) {
            at_risk.extend(api.accept_all(&workload::dag(3, 20))?);
        }
        fleet.redis()?.kill()?;
        fleet.redis()?.lose_after(on_disk)?;
        fleet.redis()?.start_again()?;
        let fault_end = Instant::now();
        full_work_again(&api, 2 * fleet.concurrency(), fault_end)?;
        for id in &kept {
            let record = api.finished(id, SOON)?;
            ensure!(record["status"] == "completed", "{record:#}");
        }
        let mut forgotten = 0;
        for id in &at_risk {
            let reply = api.get(&format!("/api/workflows/status/{id}"))?;
            if reply.status == 404 {
                forgotten += 1;
            } else {
                let record = api.finished(id, SOON)?;
                ensure!(record["status"] == "completed", "{record:#}");
            }
        }
        ensure!(forgotten > 0, "nothing was lost: the crash proved nothing");
        wait::until("nothing to be stuck", SOON, || {
            let queue = api.queue()?;
            let idle = queue["pending"] == 0 && queue["running"] == 0;
            Ok(Look::when(idle, queue.to_string()))
        })
    })
}

/// Full work is asked for by a book of its own: the counters of this fleet forgot some commits.
fn full_work_again(api: &Api, slots: usize, fault_end: Instant) -> Result<()> {
    Oracle::new().full_work(api, slots, fault_end)
}

/// The default lease is 20 s. A minute without the store must not make anything run twice.
#[test]
fn away_for_a_minute() -> Result<()> {
    let options = Options::distributed()
        .size(1, 2, 2)
        .timing(20_000, 5_000, 60_000);
    Fleet::run(options, |fleet| {
        let api = fleet.api();
        let mut oracle = Oracle::new();
        // Some end during the outage, some after it; their reports have to wait, and hold. Every slot has one of them,
        // so none of the long ones begins only when the store is back.
        let mut held = oracle.submit_all(&api, &workload::sleeps(2, 10_000), Ending::Completed)?;
        held.extend(oracle.submit_all(&api, &workload::sleeps(2, 75_000), Ending::Completed)?);
        for id in &held {
            api.reaches(id, "running", SOON)?;
        }
        oracle.submit_all(&api, &workload::dag(10, 100), Ending::Completed)?;
        fleet.redis()?.stop()?;
        wait::until("a submission to be refused with 503", SOON, || {
            let reply = api.submit(&task("diagnostic.noop", &json!({})))?;
            let told = reply.status == 503 && !reply.header("retry-after").is_empty();
            Ok(Look::when(told, reply.text))
        })?;
        ensure!(
            api.get("/livez")?.status == 200,
            "alive has nothing to do with the store"
        );
        wait::until("the coordinator to say that it is not ready", SOON, || {
            let status = api.get("/readyz")?.status;
            Ok(Look::when(status == 503, status.to_string()))
        })?;
        outage(Duration::from_mins(1));
        fleet.redis()?.start_again()?;
        let fault_end = Instant::now();
        oracle.full_work(&api, 2 * fleet.concurrency(), fault_end)?;
        wait::until("the coordinator to be ready again", SOON, || {
            Ok(Look::when(api.is_ready(), "not yet"))
        })?;
        let records = oracle.settle(&api, SOON)?;
        started_once(&records)
    })
}

/// Connections stay open and nothing answers: a time-out means "unknown", and asking again is safe.
#[test]
fn frozen_past_every_lease() -> Result<()> {
    Fleet::run(Options::distributed().size(1, 2, 2), |fleet| {
        let api = fleet.api();
        let mut oracle = Oracle::new();
        oracle.submit_all(&api, &workload::dag(30, 200), Ending::Completed)?;
        wait::until("every slot to run", SOON, || {
            let queue = api.queue()?;
            Ok(Look::when(queue["running"] == 4, queue.to_string()))
        })?;
        fleet.redis()?.freeze()?;
        outage(Duration::from_secs(8));
        fleet.redis()?.thaw()?;
        oracle.full_work(&api, 2 * fleet.concurrency(), Instant::now())?;
        let records = oracle.settle(&api, SOON)?;
        started_once(&records)
    })
}

/// Memory runs full under load: submissions are refused in words, accepted work finishes.
#[test]
fn out_of_memory() -> Result<()> {
    let redis = RedisOptions {
        max_memory: Some(12 << 20),
        ..RedisOptions::default()
    };
    Fleet::run(Options::distributed().redis(redis), |fleet| {
        let api = fleet.api();
        let mut oracle = Oracle::new();
        let ballast = task("diagnostic.echo", &json!({"ballast": "x".repeat(30_000)}));
        let batch: Vec<Value> = vec![ballast; 40];
        api.emergency("pause")?.expect(202)?;
        let refused = (0..40).try_fold(None, |refused, _| {
            if refused.is_some() {
                return Ok(refused);
            }
            let reply = api.bulk(&batch, true)?;
            if reply.status != 202 {
                return Ok(Some(reply));
            }
            for item in reply.body["items"].as_array().into_iter().flatten() {
                oracle.track(&api::text(item, "task_id"), Ending::Completed);
            }
            anyhow::Ok(None)
        })?;
        let refused = refused.context("Redis never ran full")?;
        refused.problem(503)?;
        ensure!(!oracle.is_empty(), "nothing was accepted");
        api.emergency("resume")?.expect(202)?;
        let records = oracle.settle(&api, SOON)?;
        started_once(&records)
    })
}
