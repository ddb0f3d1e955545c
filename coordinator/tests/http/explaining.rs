//! Why a task is not running: the cause, and each worker's failing term.

use resources::report::Report;
use serde_json::{Value, json};
use shared::{
    model::Priority,
    store::{
        Store,
        query::{Readiness, Slots, WorkerState},
        verbs::Aside,
    },
};

use crate::{
    SUBMIT,
    crew::{LINKS, SHEETS, beats, one, report, short, stage, state, without},
    stage::Stage,
};

async fn submit(stage: &Stage, name: &str, priority: &str) -> String {
    let task = json!({"workflow_type": name, "input": {}, "priority": priority});
    let reply = stage.post(SUBMIT, &task).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    reply.text("task_id")
}

async fn why(stage: &Stage, id: &str) -> Value {
    let reply = stage.get(&format!("/api/workflows/tasks/{id}/why")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let waiting_on = &stage.status(id).await["waiting_on"];
    assert_eq!(&reply.body["reason"], waiting_on, "{reply:?}");
    reply.body
}

fn term<'a>(why: &'a Value, worker: &str) -> &'a Value {
    let worker = one(&why["workers"], "worker_id", worker);
    assert_eq!(worker["admits"], worker["shortage"].is_null(), "{worker}");
    &worker["shortage"]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_worker_names_its_failing_term() {
    let stage = stage().await;
    let id = submit(&stage, LINKS, "low").await;
    let nobody = why(&stage, &id).await;
    assert_eq!(nobody["reason"], "capacity");
    assert_eq!(nobody["detail"], "no live worker serves its type");
    let pressed = Report {
        shortages: vec![
            short(SHEETS, Priority::Low, "slots"),
            short(LINKS, Priority::Low, "memory"),
        ],
        ..report()
    };
    beats(&stage, "memory", state(), &pressed).await;
    let full = WorkerState {
        slots: Slots {
            used: 4,
            limit: 4,
            cap: 8,
        },
        ..state()
    };
    beats(&stage, "full", full, &report()).await;
    let leaving = WorkerState {
        readiness: Readiness::Draining,
        ..state()
    };
    beats(&stage, "leaving", leaving, &report()).await;
    let gated = WorkerState {
        readiness: Readiness::Gated,
        ..state()
    };
    beats(&stage, "gated", gated, &Report::default()).await;
    let told = why(&stage, &id).await;
    assert_eq!(told["reason"], "capacity");
    assert_eq!(
        term(&told, "memory"),
        &json!({"resource": "memory", "value": 5.5, "limit": 4, "detail": "there is too little of it"})
    );
    let slots = term(&told, "full");
    assert_eq!(
        (&slots["resource"], &slots["value"], &slots["limit"]),
        (&json!("slots"), &json!(4), &json!(4))
    );
    assert_eq!(term(&told, "leaving")["resource"], "draining");
    assert_eq!(term(&told, "gated")["resource"], "gate");
    let detail = told["detail"].as_str().unwrap();
    assert!(detail.contains("memory: memory 5.5 of 4"), "{detail}");
    beats(&stage, "free", state(), &report()).await;
    let told = why(&stage, &id).await;
    assert_eq!(
        (&told["reason"], term(&told, "free")),
        (&json!("queue"), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_that_only_watches_stands_in_nobodys_way() {
    let stage = stage().await;
    let id = submit(&stage, LINKS, "low").await;
    for gate in ["off", "shadow"] {
        let watching = Report {
            gate: gate.into(),
            shortages: vec![short(LINKS, Priority::Low, "memory")],
            ..without(LINKS, "level")
        };
        beats(&stage, "w-1", state(), &watching).await;
        assert_eq!(why(&stage, &id).await["reason"], "queue", "{gate}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_switched_off_binds_by_rule_and_priority() {
    let stage = stage().await;
    let low = submit(&stage, SHEETS, "low").await;
    let high = submit(&stage, SHEETS, "high").await;
    // A worker names what it would not admit; slots may lack for high ones.
    let shortages = vec![
        short(SHEETS, Priority::Low, "feature"),
        short(SHEETS, Priority::High, "bypass"),
    ];
    let shed = Report {
        shortages,
        ..without(SHEETS, "level")
    };
    beats(&stage, "w-1", state(), &shed).await;
    let told = why(&stage, &low).await;
    assert_eq!(told["reason"], "feature_disabled");
    let off = term(&told, "w-1");
    assert_eq!(
        (&off["resource"], &off["rule"], &off["detail"]),
        (
            &json!("feature"),
            &json!("level"),
            &json!("memory is at 85 %")
        )
    );
    assert!(off["until"].is_string(), "{off}");
    let told = why(&stage, &high).await;
    assert_eq!(told["reason"], "capacity");
    assert_eq!(term(&told, "w-1")["resource"], "bypass");
    // The profile binds everybody.
    let profile = Report {
        shortages: Vec::new(),
        ..without(SHEETS, "profile")
    };
    beats(&stage, "w-1", state(), &profile).await;
    assert_eq!(why(&stage, &high).await["reason"], "feature_disabled");
    // A second worker has it on, and is full: then it is capacity that lacks.
    let full = WorkerState {
        slots: Slots::default(),
        ..state()
    };
    beats(&stage, "w-2", full, &report()).await;
    let told = why(&stage, &low).await;
    assert_eq!(told["reason"], "capacity");
    assert_eq!(term(&told, "w-1")["rule"], "profile");
    assert_eq!(term(&told, "w-2")["resource"], "slots");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_was_set_aside_is_too_large_until_there_is_room() {
    let stage = stage().await;
    beats(&stage, "w-1", state(), &report()).await;
    let id = submit(&stage, LINKS, "medium").await;
    let aside = |needs| Aside {
        task: id.parse().unwrap(),
        attempt: 1,
        needs_bytes: needs,
        retry_in: std::time::Duration::from_mins(1),
    };
    let needs: u64 = 5 << 30;
    assert_eq!(
        stage.store().set_aside(vec![aside(needs)]).await.unwrap(),
        [true]
    );
    let told = why(&stage, &id).await;
    assert_eq!(told["reason"], "too_large");
    let detail = told["detail"].as_str().unwrap();
    assert!(
        detail.contains(&needs.to_string()) && detail.contains("due at"),
        "{detail}"
    );
    let room = term(&told, "w-1");
    assert_eq!(
        (&room["resource"], &room["value"], &room["limit"]),
        (&json!("too_large"), &json!(needs), &json!(3_u64 << 30))
    );
    let mut large = report();
    large.memory.room = 6 << 30;
    beats(&stage, "w-2", state(), &large).await;
    assert_eq!(term(&why(&stage, &id).await, "w-2"), &Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_and_a_failure_say_whose_and_what() {
    let stage = stage().await;
    let id = submit(&stage, LINKS, "low").await;
    stage
        .post(
            "/api/workflows/emergency/pause",
            &json!({"reason": "lunch"}),
        )
        .await;
    assert_eq!(
        why(&stage, &id).await["detail"],
        "the fleet is paused: lunch"
    );
    stage
        .post(&format!("/api/workflows/tasks/{id}/cancel"), &json!({}))
        .await;
    let told = stage
        .get(&format!("/api/workflows/tasks/{id}/why"))
        .await
        .body;
    assert_eq!(
        (&told["reason"], &told["detail"]),
        (
            &json!("cancelled"),
            &json!("the task is cancelled: cancelled")
        )
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_offered_again_is_too_large_only_where_no_worker_has_room() {
    let stage = stage().await;
    beats(&stage, "w-1", state(), &report()).await;
    let id = submit(&stage, LINKS, "medium").await;
    let aside = Aside {
        task: id.parse().unwrap(),
        attempt: 1,
        needs_bytes: 5 << 30,
        retry_in: std::time::Duration::from_millis(1),
    };
    assert_eq!(stage.store().set_aside(vec![aside]).await.unwrap(), [true]);
    // What it says changes while one looks, when its time comes.
    let path = format!("/api/workflows/tasks/{id}/why");
    let due = async {
        loop {
            let told = stage.get(&path).await.raw;
            if told.contains("no worker announces room") && !told.contains("due at") {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let due = tokio::time::timeout(std::time::Duration::from_secs(15), due).await;
    due.expect("it is due again and fits nowhere");
    assert_eq!(stage.get(&path).await.body["reason"], "too_large");
    let mut large = report();
    large.memory.room = 6 << 30;
    beats(&stage, "w-2", state(), &large).await;
    assert_eq!(stage.get(&path).await.body["reason"], "queue");
}
