//! The small print of the HTTP contract: the order of members, what counts as
//! the same body, where a problem points, and the forms that are accepted.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::{Value, json};

use crate::{BULK, SUBMIT, echo, stage::Stage, with};

/// The names of the members of an object, in the order in which they stand in
/// the text. Enough for these answers: no value of theirs holds a quoted name
/// before a colon.
fn order<'a>(raw: &'a str, names: &[&'a str]) -> Vec<&'a str> {
    let mut found: Vec<(usize, &str)> = names
        .iter()
        .map(|name| (raw.find(&format!("\"{name}\":")), *name))
        .map(|(at, name)| (at.unwrap_or_else(|| panic!("{name} in {raw}")), name))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, name)| name).collect()
}

macro_rules! assert_order {
    ($reply:expr, $names:expr) => {
        assert_eq!(order(&$reply.raw, &$names), $names, "{:?}", $reply)
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_stand_in_the_order_of_the_contract() {
    let stage = Stage::new().await;
    stage.beat().await;
    let task = with(echo(json!({})), json!({"run_at": "2099-01-01T00:00:00Z"}));
    let accepted = stage.post(SUBMIT, &task).await;
    assert_order!(accepted, ["task_id", "status", "links"]);
    let id = accepted.text("task_id");
    let act = |action: &str| format!("/api/workflows/tasks/{id}/{action}");
    let cancelled = stage.post(&act("cancel"), &json!({})).await;
    assert_order!(cancelled, ["task_id", "status", "cancel_requested"]);
    let revived = stage.post(&act("retry"), &json!({})).await;
    assert_order!(revived, ["task_id", "status", "attempt"]);
    let filter = json!({"filter": {}, "dry_run": true});
    let counted = stage.post("/api/workflows/tasks/cancel", &filter).await;
    assert_order!(counted, ["matched", "affected", "skipped"]);
    let paused = stage
        .post("/api/workflows/emergency/pause", &json!({"reason": "r"}))
        .await;
    assert_order!(paused, ["mode", "changed", "by", "reason", "at"]);
    let workers = stage.get("/api/workers").await;
    assert_order!(workers, ["worker_id", "host", "version", "state", "slots"]);
    let metrics = stage.get("/api/workflows/metrics").await;
    assert_order!(metrics, ["mode", "queue", "by_priority", "by_type"]);

    let two = json!({"tasks": [task, {"surprise": 1}], "atomic": false});
    for path in [BULK.to_owned(), format!("{BULK}?dry_run=true")] {
        let bulk = stage.post(&path, &two).await;
        assert_order!(
            bulk,
            [
                "batch_id", "accepted", "rejected", "items", "index", "ref", "task_id", "problem"
            ]
        );
        let problem = &bulk.raw[bulk.raw.find("\"problem\"").unwrap()..];
        let names = ["type", "title", "status", "detail", "errors", "pointer"];
        assert_eq!(order(problem, &names), names, "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_body_under_the_same_key_is_refused_whatever_differs() {
    let stage = Stage::new().await;
    let key = [
        ("content-type", "application/json"),
        ("idempotency-key", "k-2"),
    ];
    let send = |body: Value| stage.send("POST", BULK, &key, Some(body.to_string().into_bytes()));
    let tasks = json!([echo(json!({}))]);
    let first = send(json!({"tasks": tasks})).await;
    assert_eq!(first.status, 202, "{first:?}");
    let again = send(json!({"tasks": tasks})).await;
    assert_eq!(again.header("idempotent-replayed"), "true", "{again:?}");
    send(json!({"tasks": tasks, "atomic": false}))
        .await
        .problem(422);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_problem_of_an_input_points_at_the_member() {
    let stage = Stage::new().await;
    let wrong =
        json!({"workflow_type": "diagnostic.sleep", "input": {"ms": "x", "a/b": 1, "c": 2}});
    let reply = stage.post(SUBMIT, &wrong).await;
    let mut pointers = reply.problem(422);
    pointers.sort_unstable();
    assert_eq!(pointers, ["/input/a~1b", "/input/c", "/input/ms"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_body_is_called_empty() {
    let stage = Stage::new().await;
    let json = [("content-type", "application/json")];
    let reply = stage.send("POST", SUBMIT, &json, Some(Vec::new())).await;
    reply.problem(400);
    assert!(reply.text("detail").contains("empty"), "{reply:?}");
    let cut = stage.send("POST", SUBMIT, &json, Some(b"{\"a\":".to_vec()));
    let cut = cut.await;
    cut.problem(400);
    assert!(
        cut.text("detail").starts_with("line 1, column 5"),
        "{cut:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_names_labels_as_a_list_does() {
    let stage = Stage::new().await;
    let later = json!({"run_at": "2099-01-01T00:00:00Z", "labels": {"set": "one", "n": "1"}});
    let tasks = json!([with(echo(json!({})), later), echo(json!({}))]);
    stage.post(BULK, &json!({"tasks": tasks})).await;
    let path = "/api/workflows/tasks/cancel";
    for filter in [
        json!({"label.set": "one"}),
        json!({"labels": {"set": "one"}}),
        json!({"labels": {"set": "one"}, "label.n": "1"}),
    ] {
        let reply = stage
            .post(path, &json!({"filter": filter, "dry_run": true}))
            .await;
        assert_eq!(reply.body["matched"], 1, "{filter} {reply:?}");
    }
    let wrong = json!({"filter": {"label.set": 1}});
    assert_eq!(
        stage.post(path, &wrong).await.problem(422),
        ["/filter/label.set"]
    );
    let twice = stage
        .get("/api/workflows/tasks?status=failed&status=cancelled")
        .await;
    assert_eq!(twice.problem(422), ["/status"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_unknown_length_is_read_to_its_end_before_it_is_refused() {
    let stage = Stage::new().await;
    let address = stage.address();
    let told = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = "POST /api/workflows/submit HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                    Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        // The stage takes 1 MiB; this is half as much again.
        for _ in 0..24 {
            stream.write_all(chunk.as_bytes()).unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
        let mut told = String::new();
        stream.read_to_string(&mut told).unwrap();
        told
    })
    .await
    .unwrap();
    assert!(told.starts_with("HTTP/1.1 413"), "{told}");
    assert!(told.contains("urn:zerogate:problem:too_large"), "{told}");
}
