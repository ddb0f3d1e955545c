//! Series, history, plans, bottlenecks, alerts and metrics.

use std::time::Duration;

use resources::{bottleneck::Evidence, report::Report};
use serde_json::{Value, json};
use shared::{
    clock::{Clock, SystemClock},
    model::{AlertLevel, AlertState, Json, Priority, Stamp},
    store::{
        Store,
        query::WorkerState,
        verbs::{AlertRecord, SeriesQuery, SeriesRow},
    },
};

use crate::{
    SUBMIT,
    crew::{SHEETS, beats, report, short, stage, state},
    echo,
    stage::{Stage, done},
};

const MINUTE: i64 = 60_000_000;
/// Far longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until the answer is as it should be.
async fn until(stage: &Stage, path: &str, good: impl Fn(&Value) -> bool) -> Value {
    let asking = async {
        loop {
            let reply = stage.get(path).await;
            if good(&reply.body) {
                return reply.body;
            }
            tokio::task::yield_now().await;
        }
    };
    let answer = tokio::time::timeout(PATIENCE, asking).await;
    answer.unwrap_or_else(|_| panic!("{path} becomes as it should be"))
}

async fn rows(stage: &Stage, scope: &str) -> Vec<SeriesRow> {
    let query = SeriesQuery {
        scope: scope.into(),
        from: Stamp::default(),
        to: Stamp::MAX,
        limit: 100,
    };
    stage.store().series(query).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_minute_has_one_row_of_the_fleet_and_of_each_worker() {
    let stage = Stage::with(|options| options.series_every = Duration::from_millis(100)).await;
    let running = WorkerState {
        health: 77.5,
        ..state()
    };
    beats(&stage, "w-1", running, &report()).await;
    stage.post(SUBMIT, &echo(json!({}))).await;
    stage.work(done(&Value::Null)).await;
    let worker = until(&stage, "/api/workers/w-1", |body| {
        body["history"]
            .as_array()
            .is_some_and(|rows| !rows.is_empty())
    })
    .await;
    let row = &worker["history"][0];
    assert!(
        row["at"].as_str().unwrap().ends_with(":00.000000Z"),
        "{row}"
    );
    let figures = &row["figures"];
    assert_eq!(
        (
            &figures["memory"],
            &figures["health"],
            &figures["slots_limit"],
            &figures["level"]
        ),
        (&json!(0.25), &json!(77.5), &json!(4), &json!(0))
    );
    let fleet = until(&stage, "/api/history", |body| {
        body["history"][0]["figures"]["workers"] == 1
    })
    .await;
    assert_eq!(fleet["history"][0]["figures"]["slots_cap"], 8);
    // Many were written, and all of a minute lie in one row.
    let kept = rows(&stage, "fleet").await;
    assert!(kept.len() <= 2, "{kept:?}");
    assert!(kept.iter().all(|row| row.at.micros() % MINUTE == 0));
    let later = "/api/workers/w-1?from=2099-01-01T00:00:00Z&to=2099-01-02T00:00:00Z";
    assert_eq!(stage.get(later).await.body["history"], json!([]));
    let wrong = stage
        .get("/api/workers/w-1?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z&x=1")
        .await;
    assert_eq!(wrong.problem(422), ["/from", "/x"]);
    stage
        .get("/api/workers/w-1?from=yesterday")
        .await
        .problem(422);
}

/// Rows of an hour: so many arrivals a minute, each running for two seconds.
async fn an_hour(stage: &Stage, arrivals: u64) {
    let now = SystemClock.now().micros().div_euclid(MINUTE);
    let kind = json!({
        "arrivals": arrivals, "finished": arrivals, "seconds": 2.0, "cores": 1.0, "bytes": 1_u64 << 28
    });
    let figures = json!({"over_s": 60.0, "arrivals": arrivals, "types": {SHEETS: kind}});
    let rows = (0..90).map(|ago| SeriesRow {
        scope: "fleet".into(),
        at: Stamp::from_micros((now - ago) * MINUTE),
        figures: Json::from_value(&figures),
    });
    stage.store().append(rows.collect()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn capacity_follows_from_the_series_and_says_so_when_nothing_is_known() {
    let stage = stage().await;
    let nothing = stage.get("/api/capacity").await.body;
    assert_eq!(
        (
            &nothing["confidence"],
            &nothing["desired_workers"],
            &nothing["utilisation"]
        ),
        (&json!("none"), &json!(0), &Value::Null)
    );
    beats(&stage, "w-1", state(), &report()).await;
    an_hour(&stage, 210).await;
    // 3.5 a second for 2 s on a core each: 7 cores, of 0.7 x 2 a worker.
    let plan = stage.get("/api/capacity").await.body;
    assert_eq!(
        (
            &plan["desired_workers"],
            &plan["binding"],
            &plan["confidence"]
        ),
        (&json!(5), &json!("cpu"), &json!("medium")),
        "{plan:#}"
    );
    let share = plan["utilisation"].as_f64().unwrap();
    assert!((share - 5.0).abs() < 1e-6, "{share}");
    assert_eq!(plan["forecast"].as_array().unwrap().len(), 24);
    assert_eq!(plan["forecast"][0]["confidence"], "none");
    assert_eq!(plan["room"]["workers"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bottleneck_is_what_the_workers_show() {
    let stage = stage().await;
    let nobody = stage.get("/api/bottleneck").await.body;
    assert_eq!(nobody["bottleneck"], "no_workers");
    let evidence = Evidence {
        throttled: Some(0.4),
        slots_cap: 8.0,
        ..Evidence::default()
    };
    let throttled = Report {
        evidence: serde_json::to_value(evidence).unwrap(),
        ..report()
    };
    beats(&stage, "w-1", state(), &throttled).await;
    let found = stage.get("/api/bottleneck").await.body;
    assert_eq!(found["bottleneck"], "throttled");
    assert_eq!(found["evidence"][0]["name"], "throttled");
    assert!(
        found["advice"].as_str().unwrap().contains("quota"),
        "{found}"
    );
    assert_eq!(found["workers"], json!({"throttled": ["w-1"]}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_are_listed_newest_first_and_filtered() {
    let stage = stage().await;
    assert_eq!(stage.get("/api/alerts").await.body, json!({"alerts": []}));
    let alert = |id: &str, level, state, at| AlertRecord {
        id: id.into(),
        key: "w-1/memory/high".into(),
        level,
        state,
        worker_id: Some("w-1".parse().unwrap()),
        message: "memory is at 85 %".into(),
        value: 0.85,
        threshold: 0.8,
        since: Stamp::from_millis(at),
        updated_at: Stamp::from_millis(at),
        count: 1,
    };
    let records = vec![
        alert("a", AlertLevel::Medium, AlertState::Firing, 1000),
        alert("b", AlertLevel::High, AlertState::Firing, 3000),
        alert("c", AlertLevel::High, AlertState::Firing, 2000),
    ];
    stage.store().raise(records).await.unwrap();
    let ids = async |path: &str| {
        let reply = stage.get(path).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let alerts = reply.body["alerts"].as_array().unwrap().clone();
        let ids = alerts
            .iter()
            .map(|it| it["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids("/api/alerts").await, ["b", "c", "a"]);
    assert_eq!(ids("/api/alerts?level=high&state=firing").await, ["b", "c"]);
    assert_eq!(ids("/api/alerts?level=high&limit=1").await, ["b"]);
    assert!(ids("/api/alerts?state=resolved").await.is_empty());
    let shown = &stage.get("/api/alerts?limit=1").await.body["alerts"][0];
    let expected = json!({
        "id": "b", "key": "w-1/memory/high", "level": "high", "state": "firing", "worker_id": "w-1",
        "message": "memory is at 85 %", "value": 0.85, "threshold": 0.8,
        "since": "1970-01-01T00:00:03.000000Z", "updated_at": "1970-01-01T00:00:03.000000Z", "count": 1,
    });
    assert_eq!(shown, &expected);
    let wrong = stage.get("/api/alerts?level=loud&limit=0&what=1").await;
    assert_eq!(wrong.problem(422), ["/level", "/limit", "/what"]);
    let pressed = Report {
        shortages: vec![short(SHEETS, Priority::Low, "memory")],
        ..report()
    };
    let workers = beats(&stage, "w-1", state(), &pressed).await.body;
    assert_eq!(workers["workers"][0]["shortages"][0]["resource"], "memory");
}
