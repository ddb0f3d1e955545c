//! What the reaper meets when something was taken away by hand, or is of another
//! kind than it left it: it takes the rest away, and undoes nothing.

use std::time::Duration;

use super::{Fleet, Server};
use crate::{
    model::{FileId, TaskId, TaskState, TenantId},
    store::{
        Store,
        files::NewFile,
        verbs::{Cancel, ClaimTicket},
    },
};

async fn command(fleet: &Fleet, words: &[&[u8]]) -> redis::Value {
    let mut command = redis::cmd(std::str::from_utf8(words[0]).unwrap());
    command.arg(&words[1..]);
    fleet.store.link.command(&command).await.unwrap()
}

/// A key of the store.
fn key(name: &str, rest: &[u8]) -> Vec<u8> {
    [b"zg:{00}:", name.as_bytes(), rest].concat()
}

/// Uploads a file that is not kept while nobody uses it; the name of its record.
async fn put_file(fleet: &Fleet, id: FileId) -> Vec<u8> {
    let tenant = TenantId::default();
    let file = NewFile {
        key: format!("{tenant}/files/1"),
        bytes: 7,
        content_type: "text/csv".into(),
        name: "1.csv".into(),
        keep: Duration::ZERO,
        replaces: None,
        id,
        tenant: tenant.clone(),
    };
    fleet.store.put_file(file).await.unwrap();
    key("f:", format!("{tenant}:{}", id.hex()).as_bytes())
}

/// A cancelled task that refers to this file.
async fn ended_task(fleet: &mut Fleet, id: FileId) -> TaskId {
    let mut task = fleet.task(|_| {});
    task.files = vec![id];
    let task = fleet.submit(vec![task]).await[0];
    let cancel = Cancel {
        tenant: TenantId::default(),
        ids: vec![task],
        reason: String::new(),
    };
    fleet.store.cancel(cancel).await.unwrap();
    task
}

#[tokio::test]
async fn a_file_whose_record_is_gone_stops_no_sweep() {
    let Some(server) = Server::start() else {
        return;
    };
    let fleet = Fleet::new(server.store().await);
    let record = put_file(&fleet, FileId::of_sha256([1; 32])).await;
    command(&fleet, &[b"DEL", &record]).await;
    assert_eq!(fleet.sweep(|_| {}).await.files_expired, 1);
    assert_eq!(fleet.sweep(|_| {}).await.files_expired, 0);
}

#[tokio::test]
async fn a_task_is_reaped_although_the_record_of_its_file_is_gone() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut fleet = Fleet::new(server.store().await);
    let file = FileId::of_sha256([1; 32]);
    let record = put_file(&fleet, file).await;
    ended_task(&mut fleet, file).await;
    command(&fleet, &[b"DEL", &record]).await;
    let swept = fleet.sweep(|sweep| sweep.retention = Duration::ZERO).await;
    assert_eq!(swept.reaped, 1);
    let left = command(&fleet, &[b"EXISTS", &record]).await;
    assert_eq!(left, redis::Value::Int(0), "half a record");
}

#[tokio::test]
async fn a_fault_of_the_reaper_undoes_no_lapse_and_loses_no_task() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut fleet = Fleet::new(server.store().await);
    let file = FileId::of_sha256([1; 32]);
    put_file(&fleet, file).await;
    let ended = ended_task(&mut fleet, file).await;
    let refers = key("fr:", ended.as_bytes());
    command(&fleet, &[b"SET", &refers, b"not a set"]).await;
    let task = fleet.task(|_| {});
    let running = fleet.submit(vec![task]).await[0];
    let ticket = ClaimTicket {
        task: running,
        attempt: 1,
        token: fleet.nonce(),
    };
    fleet.take(1).await;
    let claim = fleet.claim_of(vec![ticket], Duration::ZERO);
    fleet.store.claim(claim).await.unwrap();

    let sweep = crate::store::verbs::Sweep {
        outage_after: super::server::HOUR,
        lease: super::server::HOUR,
        lapse_cap: 2,
        retention: Duration::ZERO,
        limit: 100,
    };
    let fault = fleet.store.sweep(sweep).await;
    assert!(fault.is_err(), "{fault:?}");
    assert_eq!(fleet.view(running).await.state, TaskState::Ready);
    command(&fleet, &[b"DEL", &refers]).await;
    let swept = fleet.sweep(|sweep| sweep.retention = Duration::ZERO).await;
    assert_eq!((swept.leases_lapsed, swept.reaped), (0, 1));
}
