//! What the loops behind the API do: retries, lost slips, bundles.

use serde_json::{Value, json};
use shared::store::verbs::Outcome;

use crate::{
    BULK, SUBMIT, echo,
    stage::{Stage, done, fails},
    with,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_attempt_is_tried_again_when_its_delay_is_over() {
    let stage = Stage::new().await;
    let retry = json!({"retry": {"max_attempts": 2, "initial_delay_ms": 50, "jitter": false}});
    let id = stage
        .post(SUBMIT, &with(echo(json!({})), retry))
        .await
        .text("task_id");
    stage.work(fails()).await;
    let granted = stage
        .work(Outcome::Completed(shared::model::Json::from_text(
            "7".into(),
        )))
        .await;
    assert_eq!(granted.attempt, 2);
    let task = stage.status(&id).await;
    assert_eq!(
        (&task["status"], &task["result"]),
        (&json!("completed"), &json!(7))
    );
    assert_eq!(task["attempts"][0]["code"], "handler_error");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_slip_is_published_again() {
    let soon = std::time::Duration::from_millis(100);
    let stage = Stage::with(|options| options.republish_after = soon).await;
    let id = stage.post(SUBMIT, &echo(json!({}))).await.text("task_id");
    assert_eq!(stage.lose_slip().await, 1);
    let granted = stage.work(done(&Value::Null)).await;
    assert_eq!((granted.task.to_string(), granted.attempt), (id.clone(), 1));
    assert_eq!(stage.status(&id).await["status"], "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tiny_tasks_share_a_slip_once_their_run_time_is_known() {
    let stage = Stage::new().await;
    stage.post(SUBMIT, &echo(json!({}))).await;
    stage.work(done(&Value::Null)).await;
    let tasks = vec![echo(json!({})); 12];
    stage.post(BULK, &json!({"tasks": tasks})).await;
    let first = stage.lose_slip().await;
    assert!(first > 1, "{first} ticket on the slip");
}
