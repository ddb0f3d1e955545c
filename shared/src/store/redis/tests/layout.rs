//! Tasks in another layout are left alone, and the one who asks is told what to
//! do.

use std::time::Duration;

use super::{Fleet, Server};
use crate::{
    model::TenantId,
    store::{
        Error, Store,
        redis::{Options, RedisStore},
        verbs::Submission,
    },
};

async fn command(fleet: &Fleet, words: &[&str]) -> redis::Value {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    fleet.store.link.command(&command).await.unwrap()
}

async fn refusal(server: &Server) -> String {
    match RedisStore::connect(Options::new(server.url())).await {
        Err(Error::Unsuitable(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn tasks_of_another_layout_are_refused_until_they_are_gone() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut fleet = Fleet::new(server.store().await);
    let task = fleet.task(|_| {});
    fleet.submit(vec![task]).await;
    drop(server.store().await);

    command(&fleet, &["SET", "zg:{00}:layout", "99"]).await;
    let text = refusal(&server).await;
    assert!(text.contains("tasks in layout 99"), "{text}");
    assert!(text.contains("database of its own"), "{text}");
    let submission = Submission {
        tenant: TenantId::default(),
        tasks: vec![fleet.task(|_| {})],
        idempotency: None,
    };
    let refused = fleet.store.submit(submission).await;
    let Err(Error::Unsuitable(text)) = refused else {
        panic!("{refused:?}");
    };
    assert!(text.contains("tasks in layout 99"), "{text}");

    // From ready on, in whatever state the task is.
    let tickets = fleet.publish().await;
    refusal(&server).await;
    let claimed = fleet.claim(&tickets).await;
    refusal(&server).await;
    fleet.succeed(&claimed[0].0).await;
    refusal(&server).await;
    let swept = fleet.sweep(|sweep| sweep.retention = Duration::ZERO).await;
    assert_eq!(swept.reaped, 1);
    drop(server.store().await);
    let layout = command(&fleet, &["GET", "zg:{00}:layout"]).await;
    let theirs = redis::Value::BulkString("99".into());
    assert_eq!(layout, theirs, "to connect claims nothing");
    let task = fleet.task(|_| {});
    fleet.submit(vec![task]).await;
    let layout = command(&fleet, &["GET", "zg:{00}:layout"]).await;
    assert_ne!(layout, theirs);
    drop(server.store().await);
}

#[tokio::test]
async fn an_idle_store_is_whose_task_comes_first() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut fleet = Fleet::new(server.store().await);
    let keys = command(&fleet, &["KEYS", "*"]).await;
    assert_eq!(keys, redis::Value::Array(Vec::new()), "claimed by asking");
    command(&fleet, &["SET", "zg:{00}:layout", "99"]).await;
    command(&fleet, &["HSET", "zg:{00}:queued.n", "0:a", "1"]).await;
    let submission = Submission {
        tenant: TenantId::default(),
        tasks: vec![fleet.task(|_| {})],
        idempotency: None,
    };
    let refused = fleet.store.submit(submission).await;
    assert!(matches!(refused, Err(Error::Unsuitable(_))), "{refused:?}");
}

#[tokio::test]
async fn tasks_of_the_first_layout_which_had_no_number_are_refused() {
    let Some(server) = Server::start() else {
        return;
    };
    let fleet = Fleet::new(server.store().await);
    for set in ["due", "taken", "leases", "final"] {
        command(&fleet, &["FLUSHALL"]).await;
        let key = format!("zg:{{00}}:{set}");
        command(&fleet, &["ZADD", &key, "1", "0-0"]).await;
        let text = refusal(&server).await;
        assert!(text.contains("layout of an earlier version"), "{text}");
    }
    for rank in 0..4 {
        command(&fleet, &["FLUSHALL"]).await;
        let key = format!("zg:{{00}}:ready.index:{rank}");
        command(&fleet, &["SADD", &key, "a:default"]).await;
        refusal(&server).await;
    }
    command(&fleet, &["FLUSHALL"]).await;
    command(&fleet, &["HSET", "zg:{00}:queued.n", "0:a", "1"]).await;
    refusal(&server).await;
    command(&fleet, &["DEL", "zg:{00}:queued.n"]).await;
    drop(server.store().await);
}

#[tokio::test]
async fn a_server_that_lost_its_data_is_of_this_layout_again_with_its_next_task() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut fleet = Fleet::new(server.store().await);
    command(&fleet, &["FLUSHALL"]).await;
    let task = fleet.task(|_| {});
    fleet.submit(vec![task]).await;
    fleet.store = server.store().await;
    assert_eq!(fleet.start().await.len(), 1);
}
