//! Files over HTTP: taken in and given out piece by piece, referred to by
//! tasks, expired and collected.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::{
    blobs::key,
    model::{FileId, Nonce, TaskId, TenantId},
    store::Store,
};

use crate::{
    BULK, SUBMIT, echo,
    stage::{Reply, Stage, done},
    with,
};

const FILES: &str = "/api/files";
const PATIENCE: Duration = Duration::from_secs(30);

fn id_of(content: &[u8]) -> String {
    FileId::of_sha256(Sha256::digest(content).into()).to_string()
}

async fn upload(stage: &Stage, content: &[u8]) -> Reply {
    let headers = [
        ("content-type", "text/csv"),
        ("x-filename", "b%C3%BCch.csv"),
    ];
    stage
        .send("POST", FILES, &headers, Some(content.to_vec()))
        .await
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let held = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(held.is_ok(), "waited {PATIENCE:?} for {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_comes_back_as_it_was_and_never_runs_in_a_browser() {
    let stage = Stage::new().await;
    for content in [vec![], b"a,b\n1,2\n".to_vec(), vec![0xf5; 11 << 20]] {
        let reply = upload(&stage, &content).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let id = id_of(&content);
        assert_eq!(
            reply.body,
            json!({"file_id": id, "sha256": id[2..], "bytes": content.len()})
        );
        let place = format!("{FILES}/{id}");
        assert_eq!(reply.header("location"), place);
        let file = stage.get(&place).await;
        assert!(file.status == 200 && file.bytes == content);
        assert_eq!(file.header("content-type"), "text/csv");
        assert_eq!(file.header("content-length"), content.len().to_string());
        assert_eq!(
            file.header("content-disposition"),
            "attachment; filename*=UTF-8''b%C3%BCch.csv"
        );
        assert_eq!(file.header("x-content-type-options"), "nosniff");
        assert!(
            file.header("content-security-policy")
                .starts_with("sandbox")
        );
        let head = stage.send("HEAD", &place, &[], None).await;
        assert!(head.status == 200 && head.bytes.is_empty());
        assert_eq!(head.header("content-length"), content.len().to_string());
        let known = [("if-none-match", file.header("etag"))];
        assert_eq!(stage.send("GET", &place, &known, None).await.status, 304);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_bytes_are_one_file_whatever_they_are_called() {
    let stage = Stage::new().await;
    let first = upload(&stage, b"same").await;
    let bare = stage.send("POST", FILES, &[], Some(b"same".to_vec())).await;
    assert_eq!((bare.status, &bare.body), (201, &first.body));
    assert_eq!(stage.blobs().len(), 1, "{:?}", stage.blobs());
    let place = format!("{FILES}/{}", id_of(b"same"));
    let file = stage.get(&place).await;
    assert_eq!(file.header("content-type"), "application/octet-stream");
    assert_eq!(file.header("content-disposition"), "attachment");
    // A blob that was lost comes back with the next upload of its bytes.
    std::fs::remove_file(&stage.blobs()[0]).unwrap();
    stage.get(&place).await.problem(500);
    upload(&stage, b"same").await;
    assert_eq!(stage.get(&place).await.bytes, b"same");
    assert_eq!(stage.blobs().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_unknown_or_malformed_is_not_there() {
    let stage = Stage::new().await;
    for id in [id_of(b"nobody's"), "f-1".into(), "x".into()] {
        stage.get(&format!("{FILES}/{id}")).await.problem(404);
        let head = stage
            .send("HEAD", &format!("{FILES}/{id}"), &[], None)
            .await;
        assert_eq!(head.status, 404);
    }
    stage.get(FILES).await.problem(405);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_too_large_is_refused_and_leaves_nothing() {
    let stage = Stage::with(|options| options.file_limit = 6 << 20).await;
    assert_eq!(upload(&stage, &vec![1; 6 << 20]).await.status, 201);
    upload(&stage, &vec![1; (6 << 20) + 1]).await.problem(413);
    // Without a length in front the pieces are counted.
    let mut stream = TcpStream::connect(stage.address()).unwrap();
    write!(
        stream,
        "POST {FILES} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    .unwrap();
    let piece = vec![2; 1 << 20];
    for _ in 0..7 {
        write!(stream, "{:x}\r\n", piece.len()).unwrap();
        stream.write_all(&piece).unwrap();
        stream.write_all(b"\r\n").unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
    until("one blob", async || stage.blobs().len() == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let stage = Stage::new().await;
    let mut stream = TcpStream::connect(stage.address()).unwrap();
    let length = 40 << 20;
    write!(
        stream,
        "POST {FILES} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
    )
    .unwrap();
    stream.write_all(&vec![3; 12 << 20]).unwrap();
    until("its first pieces", async || stage.blobs().len() == 1).await;
    drop(stream);
    until("its end", async || stage.blobs().is_empty()).await;
    assert_eq!(upload(&stage, b"the next one").await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_input_refers_to_files_of_its_tenant_only() {
    let stage = Stage::new().await;
    upload(&stage, b"known").await;
    let (known, other) = (id_of(b"known"), id_of(b"other"));
    let input = json!({"good": {"file": known}, "bad": [{"file": other}, {"file": "f-1"}, {"file": other, "x": 1}]});
    let wrong = stage.post(SUBMIT, &echo(input.clone())).await;
    assert_eq!(wrong.problem(422), ["/input/bad/0"]);
    let refused = with(echo(input.clone()), json!({"priority": "none"}));
    let mut all = stage.post(SUBMIT, &refused).await.problem(422).join(" ");
    assert_eq!(all, "/priority /input/bad/0", "every problem at once");
    let tried = stage
        .post(&format!("{SUBMIT}?dry_run=true"), &echo(input.clone()))
        .await;
    assert_eq!(tried.problem(422), ["/input/bad/0"]);
    // The item, and what depends on it; not the others.
    let bulk = json!({"atomic": false, "tasks": [
        with(echo(json!({"file": other})), json!({"ref": "a"})),
        with(echo(json!({})), json!({"ref": "b", "depends_on": ["a"]})),
        echo(json!({"file": known})),
    ]});
    let reply = stage.post(BULK, &bulk).await;
    assert_eq!(
        (&reply.body["accepted"], &reply.body["rejected"]),
        (&json!(1), &json!(2))
    );
    let errors = &reply.body["items"][0]["problem"]["errors"];
    assert_eq!(errors[0]["pointer"], "/input", "{errors}");
    let atomic = with(bulk, json!({"atomic": true}));
    all = stage.post(BULK, &atomic).await.problem(422).join(" ");
    assert_eq!(all, "/tasks/0/input");

    // The file lives as long as a task that refers to it.
    let id: FileId = known.parse().unwrap();
    let tenant = TenantId::default();
    let uses = async || stage.store().file(&tenant, id).await.unwrap().unwrap().uses;
    assert_eq!(uses().await, 1);
    upload(&stage, b"other").await;
    let reply = stage.post(SUBMIT, &echo(input)).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    assert_eq!(uses().await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unused_files_expire_and_their_blobs_are_collected_used_ones_stay() {
    let stage = Stage::with(|options| {
        options.file_retention = Duration::from_millis(1500);
        options.retention = Duration::ZERO;
        options.collect_every = Duration::from_millis(50);
        options.blob_age = Duration::from_millis(200);
    })
    .await;
    upload(&stage, b"used").await;
    let used = json!({"file": id_of(b"used")});
    let task = stage.post(SUBMIT, &echo(used)).await.text("task_id");
    upload(&stage, b"unused").await;
    // What a late writer and a broken submission leave behind.
    let tenant = TenantId::default();
    let task_id: TaskId = task.parse().unwrap();
    let folder = stage.folder();
    let orphans = [
        key::upload(
            &tenant,
            shared::model::Stamp::from_millis(1),
            &mut rand::rng(),
        ),
        key::payload(&tenant, TaskId::from_bytes([7; 16]), &"a".repeat(64)),
    ];
    let living = key::payload(&tenant, task_id, &"b".repeat(64));
    let strange = "somebody/else's".to_owned();
    for key in orphans.iter().chain([&living, &strange]) {
        let path = folder.join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
    }
    let place = |content: &[u8]| format!("{FILES}/{}", id_of(content));
    until("the unused one to expire", async || {
        stage.get(&place(b"unused")).await.status == 404
    })
    .await;
    until("three blobs", async || stage.blobs().len() == 3).await;
    assert!(folder.join(&living).exists(), "its task goes on");
    assert!(folder.join(&strange).exists(), "it is somebody else's");
    assert_eq!(stage.get(&place(b"used")).await.bytes, b"used");
    // Its task ends and is reaped: the file expires, too.
    stage.work(done(&Value::Null)).await;
    until("the used one to expire", async || {
        stage.get(&place(b"used")).await.status == 404
    })
    .await;
    until("one blob", async || stage.blobs().len() == 1).await;
    assert!(folder.join(&strange).exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_store_is_collected_once_it_is_this_fleets_alone() {
    let stage = Stage::with(|options| {
        options.collect_every = Duration::from_millis(20);
        options.blob_age = Duration::ZERO;
    })
    .await;
    let folder = stage.folder();
    let marks = folder.join(key::MARKS);
    until("the fleet's own mark", async || marks.is_dir()).await;
    let other = folder.join(key::mark(Nonce::from_bits(1)));
    std::fs::write(&other, "").unwrap();
    let orphan = key::upload(
        &TenantId::default(),
        shared::model::Stamp::from_millis(1),
        &mut rand::rng(),
    );
    let orphan = folder.join(orphan);
    std::fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    std::fs::write(&orphan, "x").unwrap();
    std::fs::remove_file(other).unwrap();
    until("the orphan to go", async || !orphan.exists()).await;
}
