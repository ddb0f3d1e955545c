//! What is submitted, in every form, and what is wrong with it.

use serde_json::{Value, json};

use crate::{
    BULK, NOWHERE, SUBMIT, echo,
    stage::{Stage, done},
    with,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_accepted_dispatched_run_and_shown() {
    let stage = Stage::new().await;
    let reply = stage
        .post(
            SUBMIT,
            &with(echo(json!({"a": 1})), json!({"labels": {"k": "v"}})),
        )
        .await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let id = reply.text("task_id");
    assert_eq!(reply.body["status"], "pending");
    let link = format!("/api/workflows/status/{id}");
    assert_eq!(reply.body["links"]["self"], link.as_str());
    assert_eq!(reply.header("location"), link);

    let poll = {
        let stage = stage.client();
        let link = link.clone();
        tokio::task::spawn_blocking(move || {
            stage.send("GET", &link, &[("prefer", "wait=20")], None)
        })
    };
    stage.work(done(&json!({"b": 2}))).await;
    let reply = poll.await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("preference-applied"), "wait=20");
    let task = &reply.body;
    assert_eq!(task["status"], "completed", "{task:#}");
    assert_eq!(task["result"], json!({"b": 2}));
    assert_eq!(
        (&task["attempt"], &task["max_attempts"]),
        (&json!(1), &json!(3))
    );
    assert_eq!(task["waiting_on"], Value::Null);
    assert_eq!(task["correlation_id"], id);
    assert_eq!(task["labels"], json!({"k": "v"}));
    assert_eq!(task["attempts"][0]["code"], Value::Null);
    let known = [("if-none-match", reply.header("etag"))];
    assert_eq!(stage.send("GET", &link, &known, None).await.status, 304);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_problem_of_a_task_is_reported_with_its_place() {
    let stage = Stage::new().await;
    let wrong = json!({
        "workflow_type": "diagnostic.sleep", "input": {"ms": "long"}, "priority": "urgent", "surprise": 1,
        "depends_on": [NOWHERE, 7], "retry": {"max_attempts": 0, "what": 1}, "timeout_ms": 0,
        "labels": {"a b": "c"}, "run_at": "soon", "correlation_id": "",
    });
    let reply = stage.post(SUBMIT, &wrong).await;
    let mut pointers = reply.problem(422);
    pointers.sort_unstable();
    let expect = [
        "/correlation_id",
        "/depends_on/0",
        "/depends_on/1",
        "/input/ms",
        "/labels/a b",
        "/priority",
        "/retry/max_attempts",
        "/retry/what",
        "/run_at",
        "/surprise",
        "/timeout_ms",
    ];
    assert_eq!(pointers, expect, "{:#}", reply.body);
    let missing = stage.post(SUBMIT, &json!({})).await;
    assert_eq!(missing.problem(422), ["/workflow_type", "/input"]);
    let unknown = stage
        .post(SUBMIT, &json!({"workflow_type": "no.such", "input": {}}))
        .await;
    assert_eq!(unknown.problem(422), ["/workflow_type"]);
    let both = json!({"template": "diagnostic.echo", "input": {}});
    assert_eq!(stage.post(SUBMIT, &both).await.problem(422), ["/input"]);
    assert_eq!(stage.get("/api/workflows/queue").await.body["pending"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_is_atomic_unless_asked_otherwise() {
    let stage = Stage::new().await;
    let item = |members| with(echo(json!({})), members);
    let tasks = json!([
        item(json!({"ref": "a"})),
        item(json!({"ref": "b", "priority": "urgent"})),
        item(json!({"ref": "c", "depends_on": ["b"]})),
        item(json!({"ref": "d", "depends_on": ["a"]})),
        item(json!({"ref": "e", "depends_on": [NOWHERE]})),
        item(json!({"ref": "f", "input": {"x": {"$result": "e"}}})),
    ]);
    let refused = stage.post(BULK, &json!({"tasks": tasks})).await;
    assert_eq!(
        refused.problem(422),
        ["/tasks/1/priority", "/tasks/4/depends_on/0"]
    );

    let reply = stage
        .post(BULK, &json!({"tasks": tasks, "atomic": false}))
        .await;
    assert_eq!(reply.status, 202, "{reply:?}");
    assert_eq!(
        (&reply.body["accepted"], &reply.body["rejected"]),
        (&json!(2), &json!(4))
    );
    let items = reply.body["items"].as_array().unwrap();
    let accepted: Vec<bool> = items
        .iter()
        .map(|item| item["task_id"].is_string())
        .collect();
    assert_eq!(accepted, [true, false, false, true, false, false]);
    assert_eq!(items[2]["problem"]["errors"][0]["pointer"], "/depends_on/0");
    assert_eq!(
        items[5]["problem"]["errors"][0]["pointer"],
        "/input/x/$result"
    );
    let child = stage.status(items[3]["task_id"].as_str().unwrap()).await;
    assert_eq!(child["waiting_on"], "dependencies");
    assert_eq!(child["depends_on"], json!([items[0]["task_id"]]));

    let cycle = json!([
        item(json!({"ref": "x", "depends_on": ["y"]})),
        item(json!({"ref": "y", "depends_on": ["x"]}))
    ]);
    let refused = stage.post(BULK, &json!({"tasks": cycle})).await;
    refused.problem(422);
    let detail = refused.body["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("x -> y -> x"), "{detail}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_are_a_bulk_too() {
    let stage = Stage::new().await;
    let lines = [("content-type", "application/x-ndjson")];
    let text = format!("{}\n\n{}\n", echo(json!(1)), json!({"surprise": 1}));
    let path = format!("{BULK}?atomic=false");
    let reply = stage
        .send("POST", &path, &lines, Some(text.clone().into_bytes()))
        .await;
    assert_eq!(
        (reply.status, &reply.body["accepted"]),
        (202, &json!(1)),
        "{reply:?}"
    );
    let reply = stage
        .send("POST", BULK, &lines, Some(text.into_bytes()))
        .await;
    assert_eq!(
        reply.problem(422),
        ["/1/workflow_type", "/1/input", "/1/surprise"]
    );
    let broken = format!("{}\n{{\n", echo(json!(1))).into_bytes();
    let reply = stage.send("POST", BULK, &lines, Some(broken)).await;
    reply.problem(400);
    assert_eq!(reply.body["errors"][0]["pointer"], "/1");
    stage.post(BULK, &json!({"tasks": []})).await.problem(422);
    stage.post(BULK, &json!({"task": []})).await.problem(422);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_answered_once() {
    let stage = Stage::new().await;
    let key = [
        ("content-type", "application/json"),
        ("idempotency-key", "k-1"),
    ];
    let send = |body: &str| stage.send("POST", SUBMIT, &key, Some(body.as_bytes().to_vec()));
    let first = send(r#"{"workflow_type":"diagnostic.echo","input":{"a":1,"b":2}}"#).await;
    assert_eq!(
        (first.status, first.header("idempotent-replayed")),
        (202, "")
    );
    let again = send(r#"{ "input":{"b":2.0,"a":1}, "workflow_type":"diagnostic.echo" }"#).await;
    assert_eq!(
        (again.status, again.header("idempotent-replayed")),
        (202, "true")
    );
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("location"), first.header("location"));
    send(r#"{"workflow_type":"diagnostic.echo","input":{"a":2}}"#)
        .await
        .problem(422);
    let bad = [
        ("content-type", "application/json"),
        ("idempotency-key", "a b"),
    ];
    stage
        .send("POST", SUBMIT, &bad, Some(b"{}".to_vec()))
        .await
        .problem(400);
    assert_eq!(stage.get("/api/workflows/queue").await.body["pending"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_stores_nothing() {
    let stage = Stage::new().await;
    let dry = format!("{SUBMIT}?dry_run=true");
    assert_eq!(stage.post(&dry, &echo(json!({}))).await.status, 200);
    let orphan = with(echo(json!({})), json!({"depends_on": [NOWHERE]}));
    assert_eq!(
        stage.post(&dry, &orphan).await.problem(422),
        ["/depends_on/0"]
    );
    let bulk = format!("{BULK}?dry_run=true");
    let reply = stage
        .post(
            &bulk,
            &json!({"tasks": [echo(json!({})), orphan], "atomic": false}),
        )
        .await;
    assert_eq!(
        (
            reply.status,
            &reply.body["accepted"],
            &reply.body["rejected"]
        ),
        (200, &json!(1), &json!(1))
    );
    assert_eq!(stage.get("/api/workflows/queue").await.body["pending"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn defaults_and_templates_fill_in() {
    let stage = Stage::new().await;
    let templates = stage.get("/api/workflows/templates").await;
    let sleep = templates
        .body
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["id"] == "diagnostic.sleep")
        .unwrap();
    assert_eq!(sleep["defaults"], json!({"ms": 5}));
    let named = [
        ("content-type", "application/json"),
        ("x-request-id", "req-7"),
    ];
    let body = json!({"template": "diagnostic.sleep"})
        .to_string()
        .into_bytes();
    let reply = stage.send("POST", SUBMIT, &named, Some(body)).await;
    let task = stage.status(&reply.text("task_id")).await;
    assert_eq!(task["correlation_id"], "req-7");
    assert_eq!(task["workflow_type"], "diagnostic.sleep");
    let granted = stage.work(done(&Value::Null)).await;
    assert_eq!(granted.input.as_str(), r#"{"ms":5}"#);
    let wrong = json!({"template": "diagnostic.sleep", "parameters": {"ms": -1}});
    assert_eq!(
        stage.post(SUBMIT, &wrong).await.problem(422),
        ["/parameters/ms"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_tasks_are_one_request() {
    let stage = Stage::new().await;
    let tasks: Vec<Value> = (0..10_000)
        .map(|n| with(echo(json!({"n": n})), json!({"ref": format!("t{n}")})))
        .collect();
    let began = std::time::Instant::now();
    let reply = stage.post(BULK, &json!({"tasks": tasks})).await;
    println!("accepted in {:?}", began.elapsed());
    assert_eq!(
        (reply.status, &reply.body["accepted"]),
        (202, &json!(10_000))
    );
    assert_eq!(
        stage.get("/api/workflows/queue").await.body["pending"],
        10_000
    );
}
