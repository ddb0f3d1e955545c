//! What one task costs the server, verb by verb. Measured by hand:
//!
//! `cargo test -p zerogate-shared --lib redis::tests::cost -- --ignored --nocapture`

use std::time::Duration;

use super::{Fleet, Server, server::HOUR};
use crate::{
    model::Json,
    store::{
        Store,
        redis::RedisStore,
        verbs::{Claimed, Finish, Finished, Outcome, PublishedSlip, Report, RunRef},
    },
};

const ROUNDS: usize = 10;
const TASKS: usize = 10_000;

/// Processor time of the server's process so far, in microseconds.
async fn cpu(store: &RedisStore) -> f64 {
    let info = store
        .link
        .command(redis::cmd("INFO").arg("cpu"))
        .await
        .unwrap();
    let text = match info {
        redis::Value::VerbatimString { text, .. } => text,
        other => panic!("{other:?}"),
    };
    let seconds = text.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        ["used_cpu_sys_main_thread", "used_cpu_user_main_thread"]
            .contains(&name)
            .then(|| value.trim().parse::<f64>().unwrap())
    });
    seconds.sum::<f64>() * 1e6
}

/// Time inside commands since the last question, per task, the dearest first.
async fn inside(store: &RedisStore) -> String {
    let info = store
        .link
        .command(redis::cmd("INFO").arg("commandstats"))
        .await;
    let redis::Value::VerbatimString { text, .. } = info.unwrap() else {
        panic!("no statistics");
    };
    let mut reset = redis::cmd("CONFIG");
    store.link.command(reset.arg("RESETSTAT")).await.unwrap();
    let mut found: Vec<(f64, String)> = text
        .lines()
        .filter_map(|line| {
            let (name, figures) = line.strip_prefix("cmdstat_")?.split_once(':')?;
            let micros = figures.split_once("usec=")?.1.split_once(',')?.0;
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let each = micros.parse::<f64>().ok()? / TASKS as f64;
            (each >= 0.05).then(|| (each, format!("{name} {each:.2}")))
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let found: Vec<_> = found.into_iter().map(|(_, text)| text).collect();
    found.join(", ")
}

/// Sums up what each verb cost, over all rounds.
struct Meter {
    last: f64,
    verbs: Vec<(&'static str, f64)>,
}

impl Meter {
    async fn lap(&mut self, store: &RedisStore, verb: &'static str) {
        let now = cpu(store).await;
        let spent = now - self.last;
        self.last = now;
        match self.verbs.iter_mut().find(|(name, _)| *name == verb) {
            Some((_, sum)) => *sum += spent,
            None => self.verbs.push((verb, spent)),
        }
        println!("{verb:20} {}", inside(store).await);
    }

    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    fn report(&self) {
        let tasks = (ROUNDS * TASKS) as f64;
        let mut life = 0.0;
        for (verb, sum) in &self.verbs {
            let each = sum / tasks;
            if *verb != REAP {
                life += each;
            }
            println!("{verb:20} {each:6.2} us of the server per task");
        }
        println!("{:20} {life:6.2} us, without reaping", "a life");
    }
}

const REAP: &str = "reap (500)";

#[tokio::test]
#[ignore = "measures for some seconds and asserts nothing"]
async fn one_task_costs_the_server() {
    let Some(server) = Server::start_with("everysec") else {
        return;
    };
    let store = server.store().await;
    let mut fleet = Fleet::new(store.clone());
    let mut meter = Meter {
        last: cpu(&store).await,
        verbs: Vec::new(),
    };
    for _ in 0..ROUNDS {
        submit(&mut fleet, &mut meter).await;
        let slips = take(&mut fleet, &mut meter).await;
        for slips in slips.chunks(512) {
            store.published(slips.to_vec()).await.unwrap();
        }
        meter.lap(&store, "published (512)").await;
        let runs = claim(&mut fleet, &slips).await;
        meter.lap(&store, "claim (32)").await;
        finish(&store, &runs).await;
        meter.lap(&store, "finish (32)").await;
    }
    while fleet
        .sweep(|sweep| {
            sweep.retention = Duration::ZERO;
            sweep.limit = 500;
        })
        .await
        .more
    {}
    meter.lap(&store, REAP).await;
    meter.report();
}

async fn submit(fleet: &mut Fleet, meter: &mut Meter) {
    for _ in 0..TASKS / 1000 {
        let batch = (0..1000).map(|_| fleet.task(|_| {})).collect();
        fleet.submit(batch).await;
    }
    meter.lap(&fleet.store, "submit (1000)").await;
}

async fn take(fleet: &mut Fleet, meter: &mut Meter) -> Vec<PublishedSlip> {
    let mut slips = Vec::new();
    while slips.len() < TASKS {
        let nonce = fleet.nonce();
        let taken = fleet.take_as(nonce, 512, u32::MAX).await;
        slips.extend(taken.tasks.into_iter().map(|task| PublishedSlip {
            tickets: vec![(task.id, task.attempt)],
            republish_after: HOUR,
        }));
    }
    meter.lap(&fleet.store, "take_ready (512)").await;
    slips
}

async fn claim(fleet: &mut Fleet, slips: &[PublishedSlip]) -> Vec<RunRef> {
    let mut runs = Vec::new();
    for slips in slips.chunks(32) {
        let tickets = slips.iter().map(|slip| slip.tickets[0]);
        let tickets: Vec<_> = tickets.collect();
        let claimed = fleet.claim(&tickets).await;
        assert!(
            claimed
                .iter()
                .all(|(_, outcome)| matches!(outcome, Claimed::Granted(_)))
        );
        runs.extend(claimed.into_iter().map(|(run, _)| run));
    }
    runs
}

async fn finish(store: &RedisStore, runs: &[RunRef]) {
    for runs in runs.chunks(32) {
        let reports = runs.iter().map(|run| Report {
            run: run.clone(),
            tenant: crate::model::TenantId::default(),
            outcome: Outcome::Completed(Json::from_text("{\"ok\":true}".into())),
            ran_for: Duration::from_micros(300),
            files: Vec::new(),
        });
        let finish = Finish {
            reports: reports.collect(),
        };
        let reply = store.finish(finish).await.unwrap();
        assert!(reply.outcomes.iter().all(|o| *o != Finished::Stale));
    }
}
