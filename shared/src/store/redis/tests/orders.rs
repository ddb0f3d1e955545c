//! What is ordered of a worker goes when nobody has heard of it for an hour, and
//! all that is kept about the fleet outlives the server's end.

use std::time::Duration;

use super::{Fleet, Server, server::HOUR};
use crate::{
    clock::{Clock, SystemClock},
    model::{Json, Nonce, Stamp, WorkerId},
    store::{
        Store,
        query::{Readiness, Slots, WorkerState},
        verbs::{AlertRecord, Beat, FirstOf, Note, Order, SeriesQuery, SeriesRow},
    },
};

async fn command(fleet: &Fleet, words: &[&str]) -> redis::Value {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    fleet.store.link.command(&command).await.unwrap()
}

async fn drain(fleet: &Fleet, worker: &str) {
    let order = Order::Drain {
        worker: worker.parse().unwrap(),
        drain: true,
        by: "someone".into(),
        reason: String::new(),
    };
    fleet.store.order(order).await.unwrap();
}

async fn beat(fleet: &Fleet, worker: &str) {
    let state = WorkerState {
        host: "here".into(),
        version: "1".into(),
        started_at: Stamp::from_millis(1),
        readiness: Readiness::Ready,
        slots: Slots::default(),
        types: Vec::new(),
        running: Vec::new(),
        memory_bytes: 1,
        memory_total_bytes: 2,
        cpu_cores: 0.0,
        profile: crate::model::ProfileName::default(),
        level: crate::model::Level::default(),
        health: 0.0,
        health_state: crate::model::HealthState::default(),
        detail: serde_json::Value::Null,
    };
    let worker = worker.parse().unwrap();
    fleet.store.heartbeat(Beat { worker, state }).await.unwrap();
}

async fn ordered(fleet: &Fleet) -> Vec<WorkerId> {
    let orders = fleet.store.orders().await.unwrap();
    orders.workers.into_keys().collect()
}

#[tokio::test]
async fn orders_go_with_workers_that_are_silent_for_an_hour() {
    let Some(server) = Server::start() else {
        return;
    };
    let fleet = Fleet::new(server.store().await);
    for worker in ["w1", "w2"] {
        beat(&fleet, worker).await;
    }
    for worker in ["w1", "w2", "w3", "w4"] {
        drain(&fleet, worker).await;
    }
    let hour_ago = SystemClock.now().micros() - 3_600_000_001;
    // One was last heard of then, and an order was given then of one that never was.
    let long_ago = hour_ago.to_string();
    command(&fleet, &["ZADD", "zg:{00}:workers", &long_ago, "w1"]).await;
    let given = format!("0|{hour_ago}|{{\"what\":true}}");
    command(&fleet, &["HSET", "zg:{00}:orders", "wd:w3", &given]).await;
    command(&fleet, &["HSET", "zg:{00}:orders", "wd:w2", &given]).await;
    let before = fleet.store.orders().await.unwrap().version;
    fleet.sweep(|_| {}).await;
    let left: Vec<WorkerId> = ["w2", "w4"].map(|worker| worker.parse().unwrap()).into();
    assert_eq!(ordered(&fleet).await, left);
    assert!(fleet.store.orders().await.unwrap().version > before);
}

#[tokio::test]
async fn what_is_kept_about_the_fleet_outlives_a_restart() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let mut fleet = Fleet::new(server.store().await);
    let at = SystemClock.now();
    drain(&fleet, "w1").await;
    let note = Note {
        name: "n".into(),
        text: "text".into(),
        lasts: HOUR,
    };
    fleet.store.keep(note).await.unwrap();
    let row = SeriesRow {
        scope: "worker:w1".into(),
        at,
        figures: Json::from_text("{}".into()),
    };
    fleet.store.append(vec![row.clone()]).await.unwrap();
    let alert = AlertRecord {
        id: "a".into(),
        updated_at: at,
        ..AlertRecord::default()
    };
    fleet.store.raise(vec![alert.clone()]).await.unwrap();
    let first = |by| FirstOf {
        key: "k".into(),
        by: Nonce::from_bits(by),
        lasts: HOUR,
    };
    assert_eq!(fleet.store.first_of(first(1)).await.unwrap(), Some(0));

    server.restart();
    fleet.store = server.store().await;
    assert_eq!(ordered(&fleet).await.len(), 1);
    let kept = fleet.store.kept(&["n".into()]).await.unwrap();
    assert_eq!(kept, [Some("text".into())]);
    let query = SeriesQuery {
        scope: "worker:w1".into(),
        from: at,
        to: at.after(Duration::from_secs(1)),
        limit: 9,
    };
    assert_eq!(fleet.store.series(query).await.unwrap(), [row]);
    assert_eq!(fleet.store.alerts(9).await.unwrap(), [alert]);
    assert_eq!(fleet.store.first_of(first(2)).await.unwrap(), None);
    // And ends by itself: every key of it but these has a time to live.
    let bounded = ["alert.text", "alerts", "layout", "orders"];
    let redis::Value::Array(keys) = command(&fleet, &["KEYS", "*"]).await else {
        panic!("keys")
    };
    for key in keys {
        let redis::Value::BulkString(key) = key else {
            panic!("a key")
        };
        let key = String::from_utf8(key).unwrap();
        let name = key.strip_prefix("zg:{00}:").unwrap();
        let redis::Value::Int(left) = command(&fleet, &["PTTL", &key]).await else {
            panic!("a time")
        };
        assert_eq!(left > 0, !bounded.contains(&name), "{name}");
    }
}
