//! Features, profiles and draining: what operators see and order.

use resources::report::Report;
use serde_json::{Value, json};
use shared::{
    model::{HealthState, Level, Priority},
    store::{
        Store,
        query::{Readiness, WorkerState},
    },
};

use crate::{
    crew::{LINKS, SHEETS, SPONSOR, beats, one, report, short, stage, state, without},
    stage::Stage,
};

async fn shown(stage: &Stage, name: &str) -> Value {
    let reply = stage.get("/api/features").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    one(&reply.body["features"], "name", name).clone()
}

fn order(name: &str) -> String {
    format!("/api/features/{name}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn features_are_known_and_ordered_while_no_worker_lives() {
    let stage = stage().await;
    let all = stage.get("/api/features").await.body;
    let all = all["features"].as_array().unwrap();
    let known: Vec<(&str, &str)> = all
        .iter()
        .map(|it| {
            (
                it["name"].as_str().unwrap(),
                it["category"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        known,
        [
            ("advanced_analytics", "advanced"),
            ("diagnostic.echo", "essential"),
            ("diagnostic.sleep", "essential"),
            (LINKS, "standard"),
            (SHEETS, "experimental"),
            (SPONSOR, "essential"),
        ]
    );
    assert!(all.iter().all(|it| it["state"] == "enabled"));
    let off = json!({"state": "disabled", "reason": "disk is short", "expires_in_s": 120});
    let reply = stage.put(&order(LINKS), &off).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(
        (
            &reply.body["state"],
            &reply.body["rule"],
            &reply.body["workers"]
        ),
        (&json!("disabled"), &json!("manual"), &json!({}))
    );
    assert_eq!(reply.body["order"]["by"], "anonymous");
    assert_eq!(reply.body["until"], reply.body["order"]["expires_at"]);
    assert!(reply.text("reason").contains("disk is short"), "{reply:?}");
    assert_eq!(shown(&stage, LINKS).await["state"], "disabled");
    let left = reply.body["order"]["remaining_ms"].as_u64().unwrap();
    assert!((100_000..=120_000).contains(&left), "{left}");
    let task = json!({"workflow_type": LINKS, "input": {}});
    let id = stage.post(crate::SUBMIT, &task).await.text("task_id");
    assert_eq!(stage.status(&id).await["waiting_on"], "feature_disabled");
    let auto = json!({"state": "auto", "reason": "enough room again"});
    let reply = stage.put(&order(LINKS), &auto).await;
    assert_eq!(
        (&reply.body["state"], &reply.body["order"]),
        (&json!("enabled"), &Value::Null)
    );
    assert_eq!(stage.status(&id).await["waiting_on"], "capacity");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_that_must_not_be_are_refused() {
    let stage = stage().await;
    let off = json!({"state": "disabled", "reason": "r"});
    let refused = stage.put(&order(SPONSOR), &off).await;
    assert_eq!(refused.problem(422), ["/state"]);
    assert!(
        refused.raw.contains("essential and is never switched off"),
        "{refused:?}"
    );
    let on = json!({"state": "enabled", "reason": "r"});
    assert_eq!(stage.put(&order(SPONSOR), &on).await.status, 200);
    stage.put(&order("nothing"), &off).await.problem(404);
    for (wrong, pointers) in [
        (json!({}), vec!["/reason", "/state"]),
        (
            json!({"state": "off", "reason": ""}),
            vec!["/reason", "/state"],
        ),
        (json!({"state": "disabled"}), vec!["/reason"]),
        (
            json!({"state": "disabled", "reason": "r", "expires_in_s": 0}),
            vec!["/expires_in_s"],
        ),
        (
            json!({"state": "disabled", "reason": "r", "expires_in_s": 86_401, "who": 1}),
            vec!["/expires_in_s", "/who"],
        ),
    ] {
        let reply = stage.put(&order(LINKS), &wrong).await;
        let mut found = reply.problem(422);
        found.sort_unstable();
        assert_eq!(found, pointers, "{wrong}");
    }
    stage.get(&order(LINKS)).await.problem(405);
    assert!(stage.store().orders().await.unwrap().features.len() == 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feature_is_as_its_workers_have_it() {
    let stage = stage().await;
    beats(&stage, "w-1", state(), &report()).await;
    beats(&stage, "w-2", state(), &without(SHEETS, "level")).await;
    let part = shown(&stage, SHEETS).await;
    assert_eq!(
        (&part["state"], &part["rule"], &part["workers"]),
        (
            &json!("partly"),
            &json!("level"),
            &json!({"w-1": "enabled", "w-2": "disabled"})
        )
    );
    assert_eq!(
        part["evidence"],
        json!({"worker_id": "w-2", "numbers": {"memory": 0.85}})
    );
    assert_eq!(part["effect"]["freed_bytes"], 200.0);
    assert_eq!(part["would_change"], "memory below 75 %");
    let worker = stage.get("/api/workers/w-2").await.body;
    let own = one(&worker["features"], "name", SHEETS);
    assert_eq!(own["until"], part["until"]);
    beats(&stage, "w-1", state(), &without(SHEETS, "emergency")).await;
    let off = shown(&stage, SHEETS).await;
    assert_eq!(
        (&off["state"], &off["rule"]),
        (&json!("disabled"), &json!("emergency"))
    );
    // Neither a worker that drains nor one that does not serve it counts.
    let drained = WorkerState {
        readiness: Readiness::Draining,
        ..state()
    };
    beats(&stage, "w-1", drained, &report()).await;
    let other = WorkerState {
        types: vec![SPONSOR.parse().unwrap()],
        ..state()
    };
    beats(&stage, "w-3", other, &report()).await;
    let off = shown(&stage, SHEETS).await;
    assert_eq!(off["workers"], json!({"w-2": "disabled"}));
    let optional = shown(&stage, "advanced_analytics").await;
    assert_eq!(
        optional["workers"],
        json!({"w-2": "enabled", "w-3": "enabled"})
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_shows_before_the_worker_has_answered_and_then_as_it_answers() {
    let stage = stage().await;
    beats(&stage, "w-1", state(), &report()).await;
    let off = json!({"state": "disabled", "reason": "r"});
    let ordered = stage.put(&order(SHEETS), &off).await.body;
    assert_eq!(
        (&ordered["state"], &ordered["rule"]),
        (&json!("disabled"), &json!("manual"))
    );
    // The worker answers: it obeys, and says for how long by its own clock.
    beats(&stage, "w-1", state(), &without(SHEETS, "manual")).await;
    let obeyed = shown(&stage, SHEETS).await;
    assert_eq!(obeyed["reason"], "memory is at 85 %");
    assert_eq!(obeyed["until"], ordered["until"]);
    // An older worker does not.
    beats(&stage, "w-1", state(), &report()).await;
    assert_eq!(shown(&stage, SHEETS).await["state"], "enabled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn profiles_are_set_for_one_worker_and_for_all() {
    let stage = stage().await;
    beats(&stage, "w-1", state(), &report()).await;
    beats(&stage, "w-2", state(), &report()).await;
    let reply = stage
        .put(
            "/api/workers/w-1/profile",
            &json!({"profile": "emergency", "reason": "r"}),
        )
        .await;
    assert_eq!(
        (
            reply.status,
            &reply.body["worker_id"],
            &reply.body["profile"],
            &reply.body["changed"]
        ),
        (200, &json!("w-1"), &json!("emergency"), &json!(true))
    );
    let orders = stage.store().orders().await.unwrap();
    assert_eq!(orders.profile, None);
    let part = shown(&stage, LINKS).await;
    assert_eq!(
        part["workers"],
        json!({"w-1": "disabled", "w-2": "enabled"})
    );
    assert_eq!(part["rule"], "emergency");
    let all = json!({"profile": "performance", "reason": "r"});
    let reply = stage.put("/api/profile", &all).await;
    assert_eq!(
        (reply.status, &reply.body["profile"]),
        (200, &json!("performance"))
    );
    assert_eq!(stage.put("/api/profile", &all).await.body["changed"], false);
    // The worker's own counts before the fleet's; essential work goes on.
    assert_eq!(shown(&stage, SHEETS).await["state"], "disabled");
    assert_eq!(shown(&stage, LINKS).await["workers"]["w-2"], "enabled");
    assert_eq!(shown(&stage, SPONSOR).await["state"], "enabled");
    let shown = stage.get("/api/workers/w-1").await.body;
    assert_eq!(shown["orders"]["profile"]["profile"], "emergency");
    stage.put("/api/profile", &json!({"profile": null})).await;
    assert_eq!(stage.store().orders().await.unwrap().profile, None);
    let wrong = stage
        .put("/api/profile", &json!({"profile": "turbo"}))
        .await;
    assert_eq!(wrong.problem(422), ["/profile"]);
    assert!(
        wrong
            .raw
            .contains("development, balanced, performance, emergency"),
        "{wrong:?}"
    );
    assert_eq!(
        stage.put("/api/profile", &json!({})).await.problem(422),
        ["/profile"]
    );
    stage
        .put("/api/workers/nobody/profile", &all)
        .await
        .problem(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_drains_and_takes_work_again() {
    let stage = stage().await;
    beats(&stage, "w-1", state(), &report()).await;
    let act = |action: &str| format!("/api/workers/w-1/{action}");
    let drained = stage
        .post(&act("drain"), &json!({"reason": "new disk"}))
        .await;
    assert_eq!(
        (
            drained.status,
            &drained.body["draining"],
            &drained.body["changed"]
        ),
        (202, &json!(true), &json!(true))
    );
    let again = stage.send("POST", &act("drain"), &[], None).await;
    assert_eq!((again.status, &again.body["changed"]), (202, &json!(false)));
    let worker = stage.get("/api/workers/w-1").await.body;
    assert_eq!(worker["state"], "draining");
    assert_eq!(worker["orders"]["drain"]["reason"], "new disk");
    let resumed = stage.post(&act("resume"), &json!({})).await;
    assert_eq!(
        (resumed.status, &resumed.body["draining"]),
        (200, &json!(false))
    );
    assert_eq!(
        stage.post(&act("resume"), &json!({})).await.body["changed"],
        false
    );
    assert_eq!(stage.get("/api/workers/w-1").await.body["state"], "ready");
    stage
        .post("/api/workers/nobody/drain", &json!({}))
        .await
        .problem(404);
    stage
        .post("/api/workers/nobody/resume", &json!({}))
        .await
        .problem(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_system_is_no_healthier_than_its_workers() {
    let stage = stage().await;
    beats(&stage, "w-1", state(), &report()).await;
    let health = async || stage.get("/api/workflows/status").await.body["health"].clone();
    assert_eq!(health().await, json!({"score": 90, "status": "healthy"}));
    let ill = WorkerState {
        health: 20.0,
        health_state: HealthState::Critical,
        level: Level::Critical,
        ..state()
    };
    beats(&stage, "w-2", ill, &report()).await;
    assert_eq!(health().await, json!({"score": 41, "status": "stressed"}));
    let blind = WorkerState {
        health: 90.0,
        health_state: HealthState::Unknown,
        ..state()
    };
    let unknown = Report {
        known: false,
        ..report()
    };
    beats(&stage, "w-2", blind, &unknown).await;
    assert_eq!(health().await, json!({"score": 62, "status": "degraded"}));
    let system = stage.get("/api/workflows/status").await.body;
    assert_eq!(system["features"].as_array().unwrap().len(), 6);
    let shown = one(&system["workers"], "worker_id", "w-2");
    assert_eq!(shown["memory"]["utilisation"], Value::Null);
    assert_eq!(
        (&shown["level"], &shown["health"]["status"]),
        (&json!("normal"), &json!("unknown"))
    );
    let told = one(&system["workers"], "worker_id", "w-1");
    assert_eq!(told["memory"]["room_bytes"], json!(3_u64 << 30));
    assert_eq!(
        (&told["profile"], &told["cpu"]["cores"]),
        (&json!("balanced"), &json!(2.0))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_of_another_version_is_read_as_far_as_it_goes() {
    let stage = stage().await;
    let mut detail = serde_json::to_value(report()).unwrap();
    detail["of_tomorrow"] = json!({"n": 1});
    let beat = |detail: Value| shared::store::verbs::Beat {
        worker: "w-1".parse().unwrap(),
        state: WorkerState { detail, ..state() },
    };
    stage.store().heartbeat(beat(detail)).await.unwrap();
    let worker = stage.get("/api/workers/w-1").await.body;
    assert_eq!(worker["memory"]["utilisation"], 0.25);
    let nonsense = json!({"features": 7});
    stage.store().heartbeat(beat(nonsense)).await.unwrap();
    let worker = stage.get("/api/workers/w-1").await;
    assert_eq!(
        (worker.status, &worker.body["state"]),
        (200, &json!("ready"))
    );
    assert_eq!(shown(&stage, SHEETS).await["state"], "enabled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_the_processor_switched_off_binds_where_the_worker_says_so() {
    let stage = stage().await;
    let mut idle = without(SHEETS, "level");
    beats(&stage, "w-1", state(), &idle).await;
    let task = json!({"workflow_type": SHEETS, "input": {}});
    let id = stage.post(crate::SUBMIT, &task).await.text("task_id");
    // The worker would admit it all the same: nothing runs there.
    assert_eq!(stage.status(&id).await["waiting_on"], "queue");
    idle.shortages = vec![short(SHEETS, Priority::Medium, "feature")];
    beats(&stage, "w-1", state(), &idle).await;
    assert_eq!(stage.status(&id).await["waiting_on"], "feature_disabled");
}
