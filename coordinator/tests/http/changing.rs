//! Cancel, retry, filters, and the modes of the fleet.

use serde_json::{Value, json};

use crate::{
    BULK, NOWHERE, SUBMIT, echo,
    stage::{Stage, done, fails},
    with,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_and_retry_follow_the_states() {
    let stage = Stage::new().await;
    let tasks = json!([
        with(
            echo(json!({})),
            json!({"ref": "p", "retry": {"max_attempts": 1}})
        ),
        with(echo(json!({})), json!({"depends_on": ["p"]})),
    ]);
    let reply = stage.post(BULK, &json!({"tasks": tasks})).await;
    let id = |at: usize| {
        reply.body["items"][at]["task_id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (parent, child) = (id(0), id(1));
    let why = stage
        .get(&format!("/api/workflows/tasks/{child}/why"))
        .await;
    assert_eq!(why.body["reason"], "dependencies");
    assert_eq!(
        why.body["blocking"],
        json!([{"task_id": parent, "status": "pending"}])
    );
    stage.work(fails()).await;
    assert_eq!(
        stage.status(&parent).await["error"]["code"],
        "handler_error"
    );
    assert_eq!(
        stage.status(&child).await["error"]["code"],
        "dependency_failed"
    );
    let act = |id: &str, action: &str| format!("/api/workflows/tasks/{id}/{action}");
    let refused = stage.post(&act(&child, "retry"), &json!({})).await;
    refused.problem(409);
    assert!(refused.text("detail").contains(&parent), "{refused:?}");
    stage
        .post(&act(&parent, "cancel"), &json!({}))
        .await
        .problem(409);
    let retried = stage.send("POST", &act(&parent, "retry"), &[], None).await;
    assert_eq!(
        (retried.status, &retried.body["attempt"]),
        (202, &json!(1)),
        "{retried:?}"
    );
    let cancelled = stage
        .post(&act(&child, "cancel"), &json!({"reason": "enough"}))
        .await;
    assert_eq!(
        cancelled.body,
        json!({"task_id": child, "status": "cancelled", "cancel_requested": true})
    );
    stage
        .post(&act(&child, "cancel"), &json!({"why": 1}))
        .await
        .problem(422);
    stage
        .post(&act(NOWHERE, "cancel"), &json!({}))
        .await
        .problem(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_change_many() {
    let stage = Stage::new().await;
    let later = json!({"run_at": "2099-01-01T00:00:00Z", "labels": {"set": "one"}});
    let mut tasks = vec![with(echo(json!({})), later); 7];
    tasks.push(with(
        echo(json!({})),
        json!({"run_at": "2099-01-01T00:00:00Z"}),
    ));
    stage.post(BULK, &json!({"tasks": tasks})).await;
    let filter = json!({"filter": {"labels": {"set": "one"}}, "dry_run": true});
    let path = "/api/workflows/tasks/cancel";
    let numbers = |n: u64| json!({"matched": 7, "affected": n, "skipped": 7 - n});
    assert_eq!(stage.post(path, &filter).await.body, numbers(7));
    let filter = with(filter, json!({"dry_run": false, "reason": "test"}));
    assert_eq!(stage.post(path, &filter).await.body, numbers(7));
    assert_eq!(stage.post(path, &filter).await.body, numbers(0));
    let retry = json!({"filter": {"status": "cancelled", "type": "diagnostic.echo"}});
    assert_eq!(
        stage.post("/api/workflows/tasks/retry", &retry).await.body,
        numbers(7)
    );
    let queue = stage.get("/api/workflows/queue").await.body;
    assert_eq!(
        (&queue["pending"], &queue["cancelled"]),
        (&json!(8), &json!(7)),
        "{queue:#}"
    );
    stage
        .post(path, &json!({"filter": {"colour": 1}}))
        .await
        .problem(422);
    stage.post(path, &json!({})).await.problem(422);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn modes_hold_and_refuse() {
    let stage = Stage::new().await;
    let act = |action: &str| format!("/api/workflows/emergency/{action}");
    let paused = stage.post(&act("pause"), &json!({"reason": "lunch"})).await;
    assert_eq!(
        (paused.status, &paused.body["mode"], &paused.body["changed"]),
        (202, &json!("paused"), &json!(true))
    );
    assert_eq!(
        stage.post(&act("pause"), &json!({})).await.body["changed"],
        false
    );
    let held = stage.post(SUBMIT, &echo(json!({}))).await;
    assert_eq!(
        stage.status(&held.text("task_id")).await["waiting_on"],
        "paused"
    );
    stage.post(&act("stop"), &json!({})).await;
    let refused = stage.post(SUBMIT, &echo(json!({}))).await;
    refused.problem(503);
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(
        stage.post(&act("resume"), &json!({})).await.body["mode"],
        "running"
    );
    stage.work(done(&Value::Null)).await;
    stage.post(&act("explode"), &json!({})).await.problem(404);
}
