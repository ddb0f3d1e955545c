//! Files of runs in children: read where they lie, made in the run's folder, for their owner alone.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::json;
use shared::model::ErrorCode;
use worker::workroom::Workroom;

use crate::stand::{bounded, failure, job, pool, run};

#[test]
fn an_input_is_read_by_its_id_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in-0");
    fs::write(&path, vec![7; 100_000]).unwrap();
    let pool = pool();
    let mut read = job(json!({"do": "read", "data": {"file": "f-1"}}));
    read.inputs.insert("f-1".to_owned(), path);
    let result = run(&pool, &read).result.unwrap();
    assert_eq!(result["bytes"], 100_000);
    assert_eq!(result["sha256"], workflows::sha256_of(&vec![7; 100_000]));
    let other = job(json!({"do": "read", "data": {"file": "/etc/hostname"}}));
    assert_eq!(failure(run(&pool, &other)).0, ErrorCode::Internal);
}

#[test]
fn a_made_file_is_there_named_by_its_content_for_its_owner_alone() {
    let base = tempfile::tempdir().unwrap();
    let room = Workroom::open(base.path(), "w").unwrap();
    let folder = room.folder().unwrap();
    let pool = pool();
    let mut write = job(json!({"do": "write", "bytes": 70_000}));
    write.folder = Some(folder.path().to_owned());
    let outcome = run(&pool, &write);
    let result = outcome.result.unwrap();
    let [made] = &outcome.made[..] else {
        panic!("one file: {:?}", outcome.made)
    };
    let content = fs::read(&made.path).unwrap();
    assert!(content.len() >= 70_000 && made.path.starts_with(folder.path()));
    assert_eq!(
        made.link.file,
        workflows::id_of(&workflows::sha256_of(&content))
    );
    assert_eq!(result["file"], made.link.file);
    assert_eq!(
        fs::metadata(&made.path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    drop((folder, room));
    assert!(!made.path.exists());
}

#[test]
fn what_a_failed_run_began_is_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let mut write = bounded(json!({"do": "write", "bytes": 5 << 20}), |bounds| {
        bounds.output_bytes = 1 << 16;
    });
    write.folder = Some(folder.path().to_owned());
    let outcome = run(&pool(), &write);
    assert!(outcome.made.is_empty());
    assert_eq!(failure(outcome).0, ErrorCode::LimitExceeded);
}
