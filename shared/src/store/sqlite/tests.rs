//! What ends by time alone, with a clock that moves when it is told to; and what
//! outlives a restart.

use std::{path::Path, sync::Arc, time::Duration};

use crate::{
    clock::{Clock, ManualClock},
    model::{AlertState, HealthState, Json, Level, Nonce, ProfileName, Stamp, WorkerId},
    store::{
        Store,
        query::{Readiness, Slots, WorkerState},
        verbs::{AlertRecord, Beat, FirstOf, Note, Order, SeriesQuery, SeriesRow, Sweep},
    },
};

use super::{Options, SqliteStore};

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

fn open(folder: &Path, clock: &Arc<ManualClock>) -> Arc<SqliteStore> {
    SqliteStore::open(Options {
        data_dir: folder.to_owned(),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
    })
    .unwrap()
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Stamp::from_millis(1_763_866_862_000)))
}

async fn beat(store: &SqliteStore, worker: &str) {
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
        profile: ProfileName::default(),
        level: Level::default(),
        health: 0.0,
        health_state: HealthState::default(),
        detail: serde_json::Value::Null,
    };
    let worker = worker.parse().unwrap();
    store.heartbeat(Beat { worker, state }).await.unwrap();
}

async fn order(store: &SqliteStore, worker: &str) {
    let order = Order::Profile {
        worker: Some(worker.parse().unwrap()),
        profile: Some(ProfileName::Emergency),
        by: "someone".into(),
        reason: String::new(),
    };
    store.order(order).await.unwrap();
}

async fn ordered(store: &SqliteStore) -> Vec<WorkerId> {
    let sweep = Sweep {
        outage_after: HOUR * 1000,
        lease: HOUR,
        lapse_cap: 5,
        retention: HOUR,
        limit: 100,
    };
    store.sweep(sweep).await.unwrap();
    store.orders().await.unwrap().workers.into_keys().collect()
}

#[tokio::test]
async fn orders_go_with_workers_that_are_silent_for_an_hour() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let store = open(folder.path(), &clock);
    let names = |names: &[&str]| -> Vec<WorkerId> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    };
    for worker in ["w1", "w2"] {
        beat(&store, worker).await;
        order(&store, worker).await;
    }
    order(&store, "w3").await;
    clock.advance(MINUTE * 59);
    beat(&store, "w2").await;
    order(&store, "w1").await;
    assert_eq!(ordered(&store).await, names(&["w1", "w2", "w3"]));
    clock.advance(MINUTE);
    assert_eq!(ordered(&store).await, names(&["w2"]));

    // After a restart everybody has an hour to come back.
    drop(store);
    clock.advance(HOUR * 5);
    let store = open(folder.path(), &clock);
    assert_eq!(ordered(&store).await, names(&["w2"]));
    clock.advance(MINUTE * 59);
    assert_eq!(ordered(&store).await, names(&["w2"]));
    clock.advance(MINUTE);
    assert_eq!(ordered(&store).await, []);
}

async fn fill(store: &SqliteStore, at: Stamp) {
    let feature = Order::Feature {
        feature: "f".into(),
        state: Some(false),
        by: "someone".into(),
        reason: "because".into(),
        lasts: HOUR * 2,
    };
    store.order(feature).await.unwrap();
    let note = Note {
        name: "n".into(),
        text: "text".into(),
        lasts: HOUR * 2,
    };
    store.keep(note).await.unwrap();
    let row = |scope: &str| SeriesRow {
        scope: scope.into(),
        at,
        figures: Json::from_text("{}".into()),
    };
    let rows = vec![row("fleet"), row("worker:w1")];
    store.append(rows).await.unwrap();
    let alert = |id: &str, state| AlertRecord {
        id: id.into(),
        state,
        updated_at: at,
        ..AlertRecord::default()
    };
    let records = vec![
        alert("a", AlertState::Firing),
        alert("b", AlertState::Resolved),
    ];
    store.raise(records).await.unwrap();
    assert_eq!(store.first_of(first(1)).await.unwrap(), Some(0));
}

fn first(by: u128) -> FirstOf {
    FirstOf {
        key: "k".into(),
        by: Nonce::from_bits(by),
        lasts: HOUR * 2,
    }
}

/// Whether there are: the feature's order, the note, the row of the fleet, the
/// row of the worker, the firing alert, the resolved one.
async fn there(store: &SqliteStore) -> [bool; 6] {
    let series = async |scope: &str| {
        let query = SeriesQuery {
            scope: scope.into(),
            from: Stamp::default(),
            to: Stamp::MAX,
            limit: 9,
        };
        !store.series(query).await.unwrap().is_empty()
    };
    let alerts = store.alerts(9).await.unwrap();
    let alert = |id: &str| alerts.iter().any(|alert| alert.id == id);
    [
        !store.orders().await.unwrap().features.is_empty(),
        store.kept(&["n".into()]).await.unwrap() != [None],
        series("fleet").await,
        series("worker:w1").await,
        alert("a"),
        alert("b"),
    ]
}

#[tokio::test]
async fn what_is_kept_about_the_fleet_outlives_a_restart_and_ends_with_its_time() {
    const ALL: [bool; 6] = [true; 6];
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let store = open(folder.path(), &clock);
    fill(&store, clock.now()).await;
    assert_eq!(there(&store).await, ALL);
    drop(store);
    clock.advance(MINUTE * 119);
    let store = open(folder.path(), &clock);
    assert_eq!(there(&store).await, ALL);
    let orders = store.orders().await.unwrap();
    assert_eq!(orders.features[0].remaining_ms, 60_000);
    assert_eq!(store.first_of(first(2)).await.unwrap(), None);
    clock.advance(MINUTE);
    let left = there(&store).await;
    assert_eq!(left, [false, false, true, true, true, true]);
    assert_eq!(store.first_of(first(3)).await.unwrap(), Some(1));
    clock.advance(HOUR * 22);
    let left = there(&store).await;
    assert_eq!(left, [false, false, true, false, true, false]);
    assert_eq!(store.first_of(first(4)).await.unwrap(), Some(0));
    // Eight days after the row, but a minute.
    clock.advance(MINUTE * (7 * 24 * 60 - 1));
    assert!(there(&store).await[2]);
    clock.advance(MINUTE);
    let left = there(&store).await;
    assert_eq!(left, [false, false, false, false, true, false]);
}

#[tokio::test]
async fn what_is_over_does_not_stay_in_the_file() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let store = open(folder.path(), &clock);
    fill(&store, clock.now()).await;
    clock.advance(HOUR * 24 * 30);
    fill(&store, clock.now()).await;
    let db = rusqlite::Connection::open(folder.path().join("zerogate.sqlite")).unwrap();
    for (table, rows) in [("note", 1), ("series", 2), ("alert", 2), ("first_of", 1)] {
        let count = format!("SELECT count(*) FROM {table}");
        assert_eq!(
            db.query_row(&count, [], |row| row.get(0)),
            Ok(rows),
            "{table}"
        );
    }
}
