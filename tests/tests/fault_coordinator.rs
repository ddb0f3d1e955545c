//! Coordinators that die between taking and publishing, and many at once (steps 1 to 5 of the nine).

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use zerogate_tests::fleet::{Fleet, Options};
use zerogate_tests::oracle::{Ending, Oracle, started_once};
use zerogate_tests::wait::SOON;
use zerogate_tests::workload;

const REACHED: &str = "fault point reached";

/// The only coordinator stands still at the point, is killed, and starts again.
fn killed_at(point: &str) -> Result<()> {
    Fleet::run(Options::distributed().size(0, 0, 4), |fleet| {
        fleet.add_coordinator(&["--fault", point])?;
        fleet.add_worker(&[])?;
        let api = fleet.api();
        let mut oracle = Oracle::new();
        oracle.submit_all(&api, &workload::dag(12, 40), Ending::Completed)?;
        let coordinator = &mut fleet.coordinators[0].process;
        coordinator.wait_line(&[REACHED, point], SOON)?;
        coordinator.kill()?;
        fleet.restart_coordinator(0, &[])?;
        oracle.full_work(&api, fleet.concurrency(), Instant::now())?;
        let records = oracle.settle(&api, SOON)?;
        started_once(&records)
    })
}

#[test]
fn killed_between_take_ready_and_publish() -> Result<()> {
    killed_at("dispatch.taken")
}

#[test]
fn killed_between_publish_and_published() -> Result<()> {
    killed_at("dispatch.published")
}

/// What a dead replica had taken is dispatched by the living one, without any restart.
#[test]
fn a_replica_takes_over_what_the_dead_one_had_taken() -> Result<()> {
    Fleet::run(Options::distributed().size(0, 0, 4), |fleet| {
        fleet.add_coordinator(&["--fault", "dispatch.taken"])?;
        let doomed = fleet.api();
        let mut oracle = Oracle::new();
        oracle.submit_all(&doomed, &workload::dag(12, 40), Ending::Completed)?;
        fleet.coordinators[0]
            .process
            .wait_line(&[REACHED, "dispatch.taken"], SOON)?;
        fleet.add_coordinator(&[])?;
        fleet.add_worker(&[])?;
        fleet.coordinators[0].process.kill()?;
        let api = fleet.coordinators[1].api();
        oracle.full_work(&api, fleet.concurrency(), Instant::now())?;
        let records = oracle.settle(&api, SOON)?;
        started_once(&records)
    })
}

/// Two coordinators take submissions at once, dispatch the same backlog, and one of them dies on the way.
#[test]
fn two_at_once_and_one_dies() -> Result<()> {
    Fleet::run(Options::distributed().size(2, 2, 4), |fleet| {
        let apis = [fleet.coordinators[0].api(), fleet.coordinators[1].api()];
        let mut oracle = Oracle::new();
        let accepted: Vec<Result<Vec<String>>> = std::thread::scope(|scope| {
            let clients: Vec<_> = apis
                .iter()
                .map(|api| {
                    scope.spawn(move || {
                        let mut ids = Vec::new();
                        for _ in 0..10 {
                            ids.extend(api.accept_all(&workload::dag(10, 20))?);
                        }
                        Ok(ids)
                    })
                })
                .collect();
            let joined = clients
                .into_iter()
                .map(|client| client.join().ok().context("a client died"));
            joined.map(|ids| ids.and_then(|ids| ids)).collect()
        });
        for ids in accepted {
            for id in ids? {
                oracle.track(&id, Ending::Completed);
            }
        }
        ensure!(oracle.len() == 280);
        fleet.coordinators[0].process.kill()?;
        oracle.full_work(&apis[1], 2 * fleet.concurrency(), Instant::now())?;
        let records = oracle.settle(&apis[1], SOON)?;
        started_once(&records)
    })
}
