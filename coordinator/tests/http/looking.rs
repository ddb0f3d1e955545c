//! Lists, the system, and long polls.

use serde_json::{Value, json};

use crate::{BULK, SUBMIT, echo, stage::Stage, with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_page_through_everything() {
    let stage = Stage::new().await;
    let tasks: Vec<Value> = (0..25).map(|n| echo(json!(n))).collect();
    let reply = stage.post(BULK, &json!({"tasks": tasks})).await;
    let mut expect: Vec<&Value> = reply.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["task_id"])
        .collect();
    expect.reverse();
    let mut path = "/api/workflows/tasks?limit=10&status=pending".to_owned();
    let mut found = Vec::new();
    let mut sizes = Vec::new();
    loop {
        let page = stage.get(&path).await;
        let items = page.body["items"].as_array().unwrap().clone();
        assert!(items.iter().all(|item| item.get("result").is_none()));
        sizes.push(items.len());
        found.extend(items.into_iter().map(|item| item["task_id"].clone()));
        let link = page.header("link").to_owned();
        assert_eq!(link.is_empty(), page.body["next_cursor"].is_null());
        let Some(next) = link.strip_prefix('<') else {
            break;
        };
        path = next.split('>').next().unwrap().to_owned();
    }
    assert_eq!(sizes, [10, 10, 5]);
    assert_eq!(found.iter().collect::<Vec<_>>(), expect);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_system_shows_itself() {
    let stage = Stage::new().await;
    for path in ["/livez", "/readyz", "/startupz"] {
        assert_eq!(stage.get(path).await.status, 200, "{path}");
    }
    stage.beat().await;
    let system = stage.get("/api/workflows/status").await.body;
    assert_eq!(
        system["dependencies"],
        json!({"broker": "ok", "store": "ok"})
    );
    assert_eq!(system["health"], json!({"score": 100, "status": "healthy"}));
    assert_eq!(system["workers"][0]["state"], "ready");
    assert_eq!(
        stage.get("/api/workers/stage-1").await.body["slots"],
        json!({"used": 0, "limit": 2, "cap": 2})
    );
    stage.get("/api/workers/nobody").await.problem(404);
    let text = stage
        .send(
            "GET",
            "/api/workflows/metrics",
            &[("accept", "text/plain")],
            None,
        )
        .await;
    assert_eq!(text.raw, "# stage\n");
    assert!(stage.get("/api/workflows/metrics").await.body["queue"].is_object());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_polls_answer_when_the_coordinator_stops() {
    let stage = Stage::new().await;
    let later = with(echo(json!({})), json!({"run_at": "2099-01-01T00:00:00Z"}));
    let id = stage.post(SUBMIT, &later).await.text("task_id");
    let client = stage.client();
    let began = std::time::Instant::now();
    let poll = tokio::task::spawn_blocking(move || {
        client.send(
            "GET",
            &format!("/api/workflows/status/{id}"),
            &[("prefer", "wait=50")],
            None,
        )
    });
    // The poll is under way once the coordinator has looked for its task; a
    // stop that came before it would be answered as well.
    stage.get("/livez").await;
    assert!(stage.stop().await, "every loop ends");
    let reply = poll.await.unwrap();
    assert!(reply.status == 200 || reply.status == 0, "{reply:?}");
    assert!(began.elapsed() < std::time::Duration::from_secs(20));
}
