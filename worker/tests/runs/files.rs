//! Files of runs: read by the path, made and stored with the result, or not there.

use std::{io::Write, sync::atomic::Ordering, time::Duration};

use async_trait::async_trait;
use serde_json::{Value, json};
use shared::{
    blobs::Blobs,
    model::{ErrorCode, FileId, Json, TaskState, TaskView, TenantId},
    store::{
        Store,
        files::{FileRecord, NewFile},
        large::Mark,
        query::TypeInfo,
    },
};
use worker::{Handler, HandlerError, Registry, Run, describe};

use crate::stand::{FailingBlobs, Job, Stand, until};

/// Reads a file and makes one of its bytes in upper case, and of its own path.
struct Shout;

#[async_trait]
impl Handler for Shout {
    fn describe(&self) -> TypeInfo {
        describe("test.shout").build()
    }

    async fn run(&self, run: Run) -> Result<Value, HandlerError> {
        let id = run.input["from"]["file"].as_str().unwrap().to_owned();
        let path = run.file(&id).await?;
        assert_eq!(run.file(&id).await?, path, "fetched once");
        let mut made = run.create_file("loud.txt", "text/plain")?;
        run.create_file("never ended", "text/plain")?;
        if run.input["fails"] == true {
            made.write_all(b"not to be stored").unwrap();
            made.finish()?;
            return Err(HandlerError::failed("on purpose"));
        }
        let link = run
            .blocking(move |_| {
                let text = std::fs::read(&path).unwrap().to_ascii_uppercase();
                made.write_all(&text).unwrap();
                Ok(made.finish()?)
            })
            .await?;
        Ok(json!({"made": link}))
    }
}

fn registry() -> Registry {
    Registry::with_builtin().with_diagnostics().with(Shout)
}

fn id_of(content: &[u8]) -> FileId {
    workflows::id_of(&workflows::sha256_of(content))
        .parse()
        .unwrap()
}

/// Puts a file as an upload would; its key.
async fn given(stand: &Stand, id: FileId, content: &'static [u8]) -> String {
    let key = format!("default/files/{}", id.hex());
    stand.blobs.put(&key, content.into()).await.unwrap();
    let file = NewFile {
        tenant: TenantId::default(),
        id,
        key: key.clone(),
        bytes: content.len() as u64,
        content_type: "text/plain".into(),
        name: "given.txt".into(),
        keep: Duration::from_hours(1),
        replaces: None,
    };
    stand.store.put_file(file).await.unwrap();
    key
}

async fn record(stand: &Stand, id: FileId) -> Option<FileRecord> {
    let found = stand.store.file(&TenantId::default(), id).await;
    found.unwrap()
}

fn error(view: &TaskView) -> (ErrorCode, &str) {
    let error = view.error.as_ref().unwrap();
    (error.code, &error.message)
}

#[tokio::test]
async fn a_run_reads_its_files_and_its_own_are_stored_with_the_result() {
    let stand = Stand::new(1);
    stand.worker_with(Stand::options(), registry()).await;
    let id = id_of(b"hello");
    given(&stand, id, b"hello").await;
    let input = json!({"from": {"file": id}});
    let task = stand
        .submit_one(Job::new("test.shout", input.clone()))
        .await;
    let view = stand.ended(task).await;
    let result: Value = view.result.unwrap().parse().unwrap();
    let made = id_of(b"HELLO");
    let link = json!({"file": made, "sha256": made.hex(), "bytes": 5, "name": "loud.txt", "content_type": "text/plain"});
    assert_eq!(result["made"], link);
    let found = record(&stand, made).await.unwrap();
    assert_eq!(
        (found.uses, found.bytes, found.name.as_str()),
        (1, 5, "loud.txt")
    );
    let blob = stand.blobs.get(&found.key).await.unwrap().unwrap();
    assert_eq!(blob.read().await.unwrap(), b"HELLO");
    // The same again is the same file, with the same single blob.
    let again = stand.submit_one(Job::new("test.shout", input)).await;
    stand.ended(again).await;
    let both = FileRecord { uses: 2, ..found };
    assert_eq!(record(&stand, made).await, Some(both));
    assert_eq!(stand.blob_count().await, 2);
    stand.end().await;
}

#[tokio::test]
async fn what_a_failed_run_made_is_not_stored() {
    let stand = Stand::new(1);
    stand.worker_with(Stand::options(), registry()).await;
    let id = id_of(b"hello");
    given(&stand, id, b"hello").await;
    let input = json!({"from": {"file": id}, "fails": true});
    let task = stand.submit_one(Job::new("test.shout", input)).await;
    assert_eq!(error(&stand.ended(task).await).0, ErrorCode::HandlerError);
    assert_eq!(record(&stand, id_of(b"not to be stored")).await, None);
    assert_eq!(stand.blob_count().await, 1);
    stand.end().await;
}

#[tokio::test]
async fn files_that_are_gone_or_damaged_end_the_run_with_a_reason() {
    let stand = Stand::new(1);
    stand.worker_with(Stand::options(), registry()).await;
    let (lost, damaged, unknown) = (id_of(b"lost"), id_of(b"whole"), id_of(b"unknown"));
    let key = given(&stand, lost, b"lost").await;
    stand.blobs.delete(&key).await.unwrap();
    given(&stand, damaged, b"other").await;
    for (id, code, says) in [
        (unknown, ErrorCode::InvalidInput, "there is no file"),
        (lost, ErrorCode::Internal, "not in the blob store"),
        (damaged, ErrorCode::Internal, "other bytes"),
    ] {
        let input = json!({"from": {"file": id}});
        let task = stand.submit_one(Job::new("test.shout", input)).await;
        let view = stand.ended(task).await;
        assert_eq!(error(&view).0, code);
        assert!(error(&view).1.contains(says), "{}", error(&view).1);
    }
    stand.end().await;
}

#[tokio::test]
async fn a_run_waits_for_a_blob_store_that_is_away() {
    let stand = Stand::new(1);
    let blobs = FailingBlobs::over(&stand.blobs);
    blobs.away.store(true, Ordering::SeqCst);
    stand
        .worker_on_blobs(blobs.clone(), Stand::options(), registry())
        .await;
    let id = id_of(b"hello");
    given(&stand, id, b"hello").await;
    let input = json!({"from": {"file": id}});
    let task = stand.submit_one(Job::new("test.shout", input)).await;
    assert!(until(async || blobs.refused.load(Ordering::SeqCst) >= 3).await);
    assert_eq!(stand.view(task).await.state, TaskState::Running);
    blobs.away.store(false, Ordering::SeqCst);
    assert_eq!(stand.ended(task).await.state, TaskState::Completed);
    stand.end().await;
}

#[tokio::test]
async fn a_large_text_that_is_lost_names_the_blob_store() {
    let stand = Stand::new(1);
    stand.worker_with(Stand::options(), registry()).await;
    let mark = Mark {
        bytes: 70_000,
        sha256: "a".repeat(64),
    };
    let job = Job::new("diagnostic.echo", Value::Null);
    let task = stand.submit_text(job, mark.text()).await;
    let view = stand.ended(task).await;
    assert_eq!(error(&view).0, ErrorCode::Internal);
    assert!(error(&view).1.contains("blob store"), "{}", error(&view).1);
    let parent = stand
        .submit_one(Job::new("diagnostic.echo", json!({"n": 1})))
        .await;
    stand.ended(parent).await;
    let reads = json!({"n": {"$result": parent.to_string(), "pointer": "/n"}});
    let child = Job::new("diagnostic.echo", Value::Null).reads(parent);
    let child = stand.submit_text(child, Json::from_value(&reads)).await;
    let result = stand.ended(child).await.result.unwrap();
    assert_eq!(result, Json::from_text(r#"{"n":1}"#.into()));
    stand.end().await;
}
