//! The HTTP contract on the real embedded store and broker.
//!
//! Every test starts a coordinator of its own on a free port and speaks HTTP
//! to it; where work must be done, [`stage::Stage::work`] does what a worker
//! does, through the broker and the store.

#![expect(clippy::unwrap_used, reason = "a test may")]
#![expect(
    clippy::needless_pass_by_value,
    reason = "reads better where it is called"
)]

mod contract;
mod files;
mod stage;

use serde_json::{Value, json};
use shared::store::verbs::Outcome;
use stage::{Stage, done, fails};

const SUBMIT: &str = "/api/workflows/submit";
const BULK: &str = "/api/workflows/submit/bulk";
const NOWHERE: &str = "00000000-0000-7000-8000-000000000000";

fn echo(input: Value) -> Value {
    json!({"workflow_type": "diagnostic.echo", "input": input})
}

fn with(mut task: Value, members: Value) -> Value {
    let members = members.as_object().unwrap().clone();
    task.as_object_mut().unwrap().extend(members);
    task
}

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
async fn every_error_is_a_problem_document() {
    let stage = Stage::new().await;
    let json_type = [("content-type", "application/json")];
    let broken = stage
        .send(
            "POST",
            SUBMIT,
            &json_type,
            Some(b"{\"workflow_type\":\n  }".to_vec()),
        )
        .await;
    broken.problem(400);
    assert!(
        broken.text("detail").starts_with("line 2, column "),
        "{broken:?}"
    );
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200)).into_bytes();
    stage
        .send("POST", SUBMIT, &json_type, Some(deep))
        .await
        .problem(422);
    stage.get("/no/such/path").await.problem(404);
    stage
        .get("/api/workflows/status/nonsense")
        .await
        .problem(404);
    stage
        .get(&format!("/api/workflows/status/{NOWHERE}"))
        .await
        .problem(404);
    let wrong_method = stage.send("DELETE", SUBMIT, &[], None).await;
    wrong_method.problem(405);
    assert_eq!(wrong_method.header("allow"), "POST");
    let text = [("content-type", "text/plain")];
    stage
        .send("POST", SUBMIT, &text, Some(b"hello".to_vec()))
        .await
        .problem(415);
    stage
        .send("POST", SUBMIT, &json_type, Some(vec![b' '; 2 << 20]))
        .await
        .problem(413);
    stage
        .send("GET", "/livez", &[("x-tenant-id", "other")], None)
        .await
        .problem(400);
    assert_eq!(
        stage
            .get("/api/workflows/tasks?limit=0&cursor=x&what=1")
            .await
            .problem(422),
        ["/limit", "/cursor", "/what"]
    );
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let named = [("x-request-id", "mine-1"), ("traceparent", trace)];
    let reply = stage.send("GET", "/no/such/path", &named, None).await;
    assert_eq!(
        (reply.header("x-request-id"), reply.header("traceparent")),
        ("mine-1", trace)
    );
    assert_eq!(reply.body["request_id"], "mine-1");
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
