//! What happens to the connection and to the server while a task is on its
//! way: nothing that a caller would have to know.

use std::time::Duration;

use super::{Fleet, Server};
use crate::{
    model::{Json, TaskState, TenantId},
    store::{
        Error, Store,
        redis::{Options, RedisStore},
        signal::{Signal, Signals},
        verbs::Finished,
    },
};

async fn command(fleet: &Fleet, words: &[&str]) {
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(*word);
    }
    fleet.store.link.command(&command).await.unwrap();
}

#[tokio::test]
async fn a_task_survives_a_restart_of_the_server_between_any_two_verbs() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let mut fleet = Fleet::new(server.store().await);
    let task = fleet.task(|_| {});
    let input = task.input.clone();
    let id = fleet.submit(vec![task]).await[0];
    assert!(!fleet.sweep(|_| {}).await.outage, "the first sweep ever");

    server.restart();
    fleet.store = server.store().await;
    let runs = fleet.start().await;
    assert_eq!(runs.len(), 1);

    server.restart();
    fleet.store = server.store().await;
    let swept = fleet.sweep(|_| {}).await;
    assert!(swept.outage, "another boot of the server");
    assert!(!fleet.sweep(|_| {}).await.outage);
    let done = Finished::Committed(TaskState::Completed);
    assert_eq!(fleet.succeed(&runs[0]).await, done);

    server.restart();
    fleet.store = server.store().await;
    assert_eq!(fleet.succeed(&runs[0]).await, done, "the same answer again");
    let view = fleet.view(id).await;
    assert_eq!(view.state, TaskState::Completed);
    assert_eq!(view.result, Some(Json::from_text("{\"ok\":true}".into())));
    assert_eq!((view.attempts.len(), input.is_empty()), (1, false));
}

#[tokio::test]
async fn a_broken_connection_is_not_noticed_by_verbs_that_may_be_asked_again() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut fleet = Fleet::new(server.store().await);
    let task = fleet.task(|_| {});
    fleet.submit(vec![task]).await;
    let other = Fleet::new(server.store().await);
    for _ in 0..5 {
        command(
            &other,
            &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"],
        )
        .await;
        fleet.store.mode().await.unwrap();
        assert_eq!(fleet.sweep(|_| {}).await.reaped, 0);
    }
    assert_eq!(fleet.start().await.len(), 1);
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_loaded_again() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut fleet = Fleet::new(server.store().await);
    let task = fleet.task(|_| {});
    fleet.submit(vec![task]).await;
    command(&fleet, &["SCRIPT", "FLUSH"]).await;
    let task = fleet.task(|_| {});
    fleet.submit(vec![task]).await;
    command(&fleet, &["SCRIPT", "FLUSH"]).await;
    assert_eq!(fleet.start().await.len(), 2);
}

async fn wait_for(news: &mut dyn Signals, wanted: Signal) {
    let found = async { while news.next().await != wanted {} };
    let patience = Duration::from_secs(20);
    let heard = tokio::time::timeout(patience, found).await;
    assert!(heard.is_ok(), "{wanted:?} did not come");
}

#[tokio::test]
async fn a_listener_outlives_its_connection_and_says_that_it_missed_something() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let mut fleet = Fleet::new(server.store().await);
    let mut news = fleet.store.signals().await.unwrap();
    let task = fleet.task(|_| {});
    fleet.submit(vec![task]).await;
    wait_for(&mut *news, Signal::Ready).await;
    command(&fleet, &["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    wait_for(&mut *news, Signal::Missed).await;
    let task = fleet.task(|_| {});
    fleet.submit(vec![task]).await;
    wait_for(&mut *news, Signal::Ready).await;
    server.restart();
    wait_for(&mut *news, Signal::Missed).await;
}

#[tokio::test]
async fn an_absent_server_is_unavailable_and_no_password_is_told() {
    let Some(server) = Server::start() else {
        return;
    };
    let fleet = Fleet::new(server.store().await);
    command(&fleet, &["CONFIG", "SET", "requirepass", "right-one"]).await;
    let url = server.url().replace("//", "//:hunter2@");
    let error = RedisStore::connect(Options::new(url)).await.unwrap_err();
    assert!(matches!(error, Error::Unsuitable(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("hunter2"));

    let url = server.url().replace("//", "//:right-one@");
    let options = Options::new(url);
    assert!(!format!("{options:?}").contains("right-one"));
    let store = RedisStore::connect(options).await.unwrap();
    assert!(!format!("{store:?}").contains("right-one"));
    store.ping().await.unwrap();
    drop(server);
    let started = tokio::time::Instant::now();
    let error = store.counts(&TenantId::default()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("right-one"));
    assert!(started.elapsed() < Duration::from_secs(10));
}
