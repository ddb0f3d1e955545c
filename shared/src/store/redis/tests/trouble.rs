//! What happens to the connection and to the server while a task is on its
//! way: nothing that a caller would have to know.

use std::time::Duration;

use super::{Fleet, Server};
use crate::{
    model::{ErrorCode, Json, Priority, Route, TaskError, TaskId, TaskState, TenantId},
    store::{
        Error, Store,
        redis::{Options, RedisStore, signals::BACKLOG},
        signal::{Signal, Signals},
        verbs::{Cancel, Claimed, Finished, Mode, ModeAsked, Outcome, Release, Requeue, Retry},
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
    for turn in 0..5 {
        let mode = if turn % 2 == 0 {
            Mode::Paused
        } else {
            Mode::Running
        };
        command(
            &other,
            &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"],
        )
        .await;
        match turn {
            0 => drop(fleet.store.set_mode(asked(mode)).await.unwrap()),
            1 => drop(fleet.store.cancel(cancel()).await.unwrap()),
            2 => drop(fleet.store.retry(retry()).await.unwrap()),
            3 => drop(fleet.store.requeue(requeue()).await.unwrap()),
            _ => drop(fleet.store.release(Release { runs: vec![] }).await.unwrap()),
        }
    }
    fleet.store.set_mode(asked(Mode::Running)).await.unwrap();
    assert_eq!(fleet.start().await.len(), 1);
}

#[tokio::test]
async fn a_submission_whose_connection_broke_is_stored_once() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut fleet = Fleet::new(server.store().await);
    let other = Fleet::new(server.store().await);
    for _ in 0..10 {
        command(
            &other,
            &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"],
        )
        .await;
        let task = fleet.task(|_| {});
        fleet.submit(vec![task]).await;
    }
    assert_eq!(fleet.start().await.len(), 10);
}

fn asked(mode: Mode) -> ModeAsked {
    ModeAsked {
        mode,
        by: "a test".into(),
        reason: "because".into(),
    }
}

fn cancel() -> Cancel {
    Cancel {
        tenant: TenantId::default(),
        ids: vec![],
        reason: String::new(),
    }
}

fn retry() -> Retry {
    Retry {
        tenant: TenantId::default(),
        ids: vec![],
    }
}

fn requeue() -> Requeue {
    Requeue {
        route: Route::new("diagnostic.noop".parse().unwrap(), Priority::Low),
        limit: 1,
        overdue_by: None,
    }
}

#[tokio::test]
async fn a_password_that_rotates_is_waited_for() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut fleet = Fleet::new(server.store().await);
    let task = fleet.task(|_| {});
    fleet.submit(vec![task]).await;
    let run = fleet.start().await.remove(0);
    let other = Fleet::new(server.store().await);
    command(&other, &["CONFIG", "SET", "requirepass", "a-new-one"]).await;
    command(
        &other,
        &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"],
    )
    .await;
    for _ in 0..3 {
        let error = fleet.store.mode().await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        let error = fleet.store.ping().await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    }
    command(&other, &["CONFIG", "SET", "requirepass", ""]).await;
    // A reconnection that was refused before may still be what answers.
    let patience = tokio::time::Instant::now() + Duration::from_secs(20);
    while let Err(error) = fleet.store.mode().await {
        assert!(error.is_transient(), "{error:?}");
        assert!(tokio::time::Instant::now() < patience, "{error:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let done = Finished::Committed(TaskState::Completed);
    assert_eq!(fleet.succeed(&run).await, done);
}

/// Writes something else over what is kept of a task in one of the hashes.
async fn damage(fleet: &Fleet, hash: &str, id: TaskId, text: &str) {
    let mut command = redis::cmd("HSET");
    command.arg(format!("zg:{{00}}:{hash}"));
    command.arg(id.as_bytes().as_slice()).arg(text);
    fleet.store.link.command(&command).await.unwrap();
}

#[tokio::test]
async fn one_record_that_cannot_be_read_stops_no_other() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut fleet = Fleet::new(server.store().await);
    let tasks = (0..4).map(|_| fleet.task(|_| {})).collect();
    let ids = fleet.submit(tasks).await;
    damage(&fleet, "t", ids[0], "\u{1}damaged").await;
    let tickets = fleet.publish().await;
    let taken: Vec<_> = tickets.iter().map(|(id, _)| *id).collect();
    assert_eq!(taken, ids[1..]);
    let kept = fleet.store.payloads(&TenantId::default(), &ids[..1]).await;
    let kept = kept
        .unwrap()
        .remove(0)
        .expect("nobody knows that it is gone");
    assert!(!kept.is_final, "its blobs stay");
    damage(&fleet, "p", ids[1], "{\"of a\":\"newer version\"}\n{}").await;
    damage(&fleet, "t", ids[2], "damaged").await;
    let claimed = fleet.claim(&tickets).await;
    let [
        (run, Claimed::Unreadable(_)),
        (_, Claimed::Unknown),
        (_, Claimed::Granted(_)),
    ] = &claimed[..]
    else {
        panic!("{claimed:?}")
    };
    let fatal = Outcome::Failed {
        error: TaskError::new(ErrorCode::InvalidInput, "unreadable"),
        retry_in: Duration::ZERO,
    };
    let failed = Finished::Committed(TaskState::Failed);
    assert_eq!(fleet.end(run, fatal).await, failed);
    damage(&fleet, "t", ids[1], "damaged").await;
    let swept = fleet.sweep(|sweep| sweep.retention = Duration::ZERO).await;
    assert_eq!(swept.reaped, 1, "nobody could reap it later");
}

#[tokio::test]
async fn a_listener_that_falls_behind_is_told_so_and_holds_no_more() {
    let Some(server) = Server::start() else {
        return;
    };
    let fleet = Fleet::new(server.store().await);
    let mut news = fleet.store.signals().await.unwrap();
    for _ in 0..3 * BACKLOG {
        command(&fleet, &["PUBLISH", "zg:{00}:news", "R"]).await;
    }
    assert_eq!(news.next().await, Signal::Missed);
    let mut kept = 0;
    let next = Duration::from_millis(500);
    while tokio::time::timeout(next, news.next()).await.is_ok() {
        kept += 1;
    }
    assert!((1..=2 * BACKLOG).contains(&kept), "{kept}");
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
