//! RabbitMQ stopped, killed, wiped, with a queue deleted, a bell lost, a slip doubled, and with slips that must wait.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;
use zerogate_tests::amqp;
use zerogate_tests::api::{Api, task, with};
use zerogate_tests::fleet::{Fleet, Options};
use zerogate_tests::oracle::{Ending, Oracle, started_once, starts};
use zerogate_tests::wait::{self, Look, SOON, outage};
use zerogate_tests::workload;

/// What the tests queue up behind a busy worker.
const TYPE: &str = "diagnostic.noop";

/// What happens to the node, and whether its data comes back.
#[derive(Clone, Copy, PartialEq)]
enum Node {
    Stopped,
    Killed,
    Wiped,
}

/// The node goes away under full load and comes back; submissions are accepted all the time.
fn node_away(fate: Node) -> Result<()> {
    Fleet::run(Options::distributed().size(1, 2, 2).own_broker(), |fleet| {
        let api = fleet.api();
        let mut oracle = Oracle::new();
        oracle.submit_all(&api, &workload::dag(40, 150), Ending::Completed)?;
        wait::until("the fleet to be busy", SOON, || {
            Ok(Look::when(api.queue()?["running"] == 4, "not yet"))
        })?;
        let node = fleet.broker()?.node()?;
        if fate == Node::Killed {
            node.kill()?;
        } else {
            node.stop()?;
        }
        if fate == Node::Wiped {
            node.wipe()?;
        }
        oracle.submit_all(&api, &workload::dag(5, 20), Ending::Completed)?;
        wait::until("health to name the broker", SOON, || {
            let system = api.get("/api/workflows/status")?.expect(200)?.body;
            let broker = system["dependencies"]["broker"].clone();
            Ok(Look::when(broker != json!("ok"), broker.to_string()))
        })?;
        ensure!(
            api.get("/livez")?.status == 200,
            "alive has nothing to do with the broker"
        );
        outage(Duration::from_secs(2));
        fleet.broker()?.node()?.start_again()?;
        oracle.full_work(&api, 2 * fleet.concurrency(), Instant::now())?;
        let records = oracle.settle(&api, SOON)?;
        started_once(&records)
    })
}

#[test]
fn stopped_and_started() -> Result<()> {
    node_away(Node::Stopped)
}

#[test]
fn killed_and_started() -> Result<()> {
    node_away(Node::Killed)
}

#[test]
fn wiped_clean_with_tasks_queued() -> Result<()> {
    node_away(Node::Wiped)
}

/// One slot that is busy for a while, and slips in RabbitMQ behind it.
fn with_slips_waiting(
    busy_ms: u64,
    scenario: impl FnOnce(&mut Fleet, &Api, &mut Oracle, &str) -> Result<()>,
) -> Result<()> {
    Fleet::run(Options::distributed().size(1, 1, 1), |fleet| {
        let api = fleet.api();
        let mut oracle = Oracle::new();
        let busy = oracle.submit_all(&api, &workload::sleeps(1, busy_ms), Ending::Completed)?;
        api.reaches(&busy[0], "running", SOON)?;
        oracle.submit_all(&api, &vec![task(TYPE, &json!({})); 20], Ending::Completed)?;
        let url = fleet.amqp()?;
        let queue = amqp::task_queue(TYPE, "medium");
        wait::until("slips to wait in RabbitMQ", SOON, || {
            let depth = amqp::depth(&url, &queue)?;
            Ok(Look::when(depth > Some(0), format!("{depth:?}")))
        })?;
        scenario(fleet, &api, &mut oracle, &url)?;
        oracle.full_work(&api, fleet.concurrency(), Instant::now())?;
        let records = oracle.settle(&api, SOON)?;
        started_once(&records)
    })
}

#[test]
fn a_task_queue_deleted_while_its_bell_remains() -> Result<()> {
    with_slips_waiting(2_000, |_, api, oracle, url| {
        let lost = amqp::delete(url, &amqp::task_queue(TYPE, "medium"))?;
        ensure!(
            lost > 0,
            "slips must have been lost for this to prove anything"
        );
        oracle.submit_all(api, &vec![task(TYPE, &json!({})); 5], Ending::Completed)?;
        Ok(())
    })
}

#[test]
fn slips_lost_while_queue_and_bell_remain() -> Result<()> {
    with_slips_waiting(2_000, |_, _, _, url| {
        ensure!(amqp::steal(url, &amqp::task_queue(TYPE, "medium"))? > 0);
        Ok(())
    })
}

#[test]
fn slips_delivered_twice() -> Result<()> {
    with_slips_waiting(2_000, |_, _, _, url| {
        ensure!(amqp::duplicate(url, &amqp::task_queue(TYPE, "medium"))? > 0);
        Ok(())
    })
}

/// A message that is no slip at all must neither stop the worker nor stay for ever.
#[test]
fn a_message_that_is_no_slip() -> Result<()> {
    with_slips_waiting(2_000, |_, api, oracle, url| {
        let queue = amqp::task_queue(TYPE, "medium");
        amqp::inject(url, &queue, &[b"", b"not a slip", &[0xff; 300]])?;
        oracle.submit_all(api, &vec![task(TYPE, &json!({})); 5], Ending::Completed)?;
        wait::until("the queue to be empty", SOON, || {
            let depth = amqp::depth(url, &queue)?;
            Ok(Look::when(depth == Some(0), format!("{depth:?}")))
        })
    })
}

#[test]
fn a_pause_with_slips_already_in_rabbitmq() -> Result<()> {
    with_slips_waiting(1_500, |_, api, _, _| {
        api.emergency("pause")?.expect(202)?;
        wait::until("the running task to end", SOON, || {
            let queue = api.queue()?;
            Ok(Look::when(queue["running"] == 0, queue.to_string()))
        })?;
        let before = api.queue()?["completed"].clone();
        wait::never(
            "a slip runs during the pause",
            Duration::from_secs(3),
            || {
                let queue = api.queue()?;
                Ok(queue["running"] != 0 || queue["completed"] != before)
            },
        )?;
        api.emergency("resume")?.expect(202)?;
        Ok(())
    })
}

#[test]
fn every_slip_is_published_twice() -> Result<()> {
    Fleet::run(Options::distributed().size(0, 2, 4), |fleet| {
        fleet.add_coordinator(&["--fault", "dispatch.duplicate"])?;
        let api = fleet.api();
        let mut oracle = Oracle::new();
        oracle.submit_all(&api, &workload::dag(60, 10), Ending::Completed)?;
        let flaky = with(
            task("diagnostic.fail", &json!({"times": 2})),
            &json!({"retry": {"max_attempts": 3, "initial_delay_ms": 50, "jitter": false}}),
        );
        let flaky = oracle.submit_all(&api, &vec![flaky; 10], Ending::Completed)?;
        oracle.full_work(&api, 2 * fleet.concurrency(), Instant::now())?;
        let mut records = oracle.settle(&api, SOON)?;
        for id in &flaky {
            let record = records.remove(id);
            ensure!(
                record.as_ref().map(starts) == Some(3),
                "three attempts: {record:#?}"
            );
        }
        started_once(&records)
    })
}

#[test]
fn no_bell_ever_rings() -> Result<()> {
    Fleet::run(Options::distributed().size(0, 1, 4), |fleet| {
        fleet.add_coordinator(&["--fault", "dispatch.no_bell"])?;
        let api = fleet.api();
        let mut oracle = Oracle::new();
        for priority in ["low", "critical"] {
            let one = with(
                task("diagnostic.noop", &json!({})),
                &json!({"priority": priority}),
            );
            oracle.submit(&api, &one, Ending::Completed)?;
        }
        oracle.submit_all(&api, &workload::dag(8, 20), Ending::Completed)?;
        oracle.full_work(&api, fleet.concurrency(), Instant::now())?;
        let records = oracle.settle(&api, SOON)?;
        started_once(&records)
    })
}

/// The same way on quorum queues, with a worker killed on it.
#[test]
fn quorum_queues_and_a_killed_worker() -> Result<()> {
    let options = Options::distributed()
        .size(1, 2, 2)
        .flag("--queue-type", "quorum");
    Fleet::run(options, |fleet| {
        let api = fleet.api();
        let mut oracle = Oracle::new();
        oracle.submit_all(&api, &workload::dag(20, 150), Ending::Completed)?;
        wait::until("the fleet to be busy", SOON, || {
            Ok(Look::when(api.queue()?["running"] == 4, "not yet"))
        })?;
        fleet.workers[0].process.kill()?;
        fleet.add_worker(&[])?;
        oracle.full_work(&api, 2 * fleet.concurrency(), Instant::now())?;
        oracle.settle(&api, SOON)?;
        Ok(())
    })
}
