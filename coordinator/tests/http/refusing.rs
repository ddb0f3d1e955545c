//! Every error as a problem document: requests that cannot be read, are too
//! large, too slow, or ask for what nobody knows.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::json;

use crate::{BULK, NOWHERE, SUBMIT, echo, stage::Stage, with};

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

/// Sends a request whose body begins and never ends; the answer.
fn trickle(address: std::net::SocketAddr, path: &str, announced: usize) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: stage\r\ncontent-type: application/json\r\n\
         content-length: {announced}\r\nconnection: close\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let patience = Duration::from_millis(100);
    let stage = Stage::with(|options| {
        options.body_patience = patience;
        options.file_patience = patience;
        options.file_limit = 1 << 20;
    })
    .await;
    let address = stage.address();
    for (path, announced, status) in [
        (SUBMIT, 1000, "408"),
        (SUBMIT, 2 << 20, "413"),
        ("/api/files", 1000, "408"),
        ("/api/files", 2 << 20, "413"),
    ] {
        let answer = tokio::task::spawn_blocking(move || trickle(address, path, announced));
        let answer = answer.await.unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert!(answer.contains("application/problem+json"), "{answer}");
    }
    assert!(stage.blobs().is_empty(), "{:?}", stage.blobs());
    assert_eq!(stage.post(SUBMIT, &echo(json!({}))).await.status, 202);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_route_of_the_api_overlooks_a_parameter() {
    let stage = Stage::new().await;
    let task = format!("/api/workflows/tasks/{NOWHERE}");
    for (method, path) in [
        ("GET", "/api/workflows/status".to_owned()),
        ("GET", format!("/api/workflows/status/{NOWHERE}")),
        ("GET", "/api/workflows/tasks".to_owned()),
        ("GET", format!("{task}/why")),
        ("POST", format!("{task}/cancel")),
        ("POST", format!("{task}/retry")),
        ("POST", "/api/workflows/tasks/cancel".to_owned()),
        ("POST", "/api/workflows/tasks/retry".to_owned()),
        ("GET", "/api/workflows/queue".to_owned()),
        ("GET", "/api/workflows/metrics".to_owned()),
        ("GET", "/api/workflows/templates".to_owned()),
        ("POST", "/api/workflows/emergency/pause".to_owned()),
        ("GET", "/api/workers".to_owned()),
        ("GET", "/api/workers/nobody".to_owned()),
        ("POST", "/api/files".to_owned()),
        ("GET", format!("/api/files/f-{}", "0".repeat(64))),
        ("POST", SUBMIT.to_owned()),
        ("POST", BULK.to_owned()),
    ] {
        let path = format!("{path}?surprise=1");
        let reply = stage.send(method, &path, &[], None).await;
        assert_eq!(reply.problem(422), ["/surprise"], "{method} {path}");
    }
    let mode = stage.get("/api/workflows/status").await;
    assert_eq!(mode.body["mode"], "running", "nothing was done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_escape_in_a_pointer_is_named_with_its_place() {
    let stage = Stage::new().await;
    let parent = stage.post(SUBMIT, &echo(json!({}))).await.text("task_id");
    let read = |pointer: &str| json!({"$result": parent, "pointer": pointer});
    let task = echo(json!({"good": read("/~0~1"), "bad": [read("/~2")]}));
    assert_eq!(
        stage.post(SUBMIT, &task).await.problem(422),
        ["/input/bad/0"]
    );
    let late = with(
        echo(json!({})),
        json!({"expires_at": "9999-12-31T23:59:59Z"}),
    );
    assert_eq!(stage.post(SUBMIT, &late).await.status, 202);
}
