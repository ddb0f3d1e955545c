//! What people are told when a resource is short, and what of it survives a
//! receiver, a callback or a neighbour that does not behave.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
    mpsc::sync_channel,
};

use shared::{
    clock::{Clock, SystemClock},
    model::{AlertLevel, AlertState, WorkerId},
    store::{Store, verbs::AlertRecord},
};
use worker::{
    Options, Registry,
    alerts::{Callbacks, Note, NoteState, webhook::Webhook},
};

use crate::{
    dial::{CALM, CRITICAL, Dial},
    receiver::{Post, Receiver, SECRET},
    stand::{Stand, until},
    unsteady::Unsteady,
};

fn with_webhook(dial: &Arc<Dial>, receiver: &Receiver) -> Options {
    Options {
        webhook: Some(receiver.webhook()),
        ..dial.options()
    }
}

async fn recorded(stand: &Stand, about: &str) -> Option<AlertRecord> {
    let all = stand.store.alerts(100).await.unwrap();
    all.into_iter()
        .find(|record| record.key.ends_with(&format!("/{about}")))
}

async fn kept(stand: &Stand, post: &Post) -> Option<String> {
    kept_as(stand, post.id()).await
}

async fn kept_as(stand: &Stand, id: &str) -> Option<String> {
    let name = format!("undelivered:{id}");
    stand.store.kept(&[name]).await.unwrap().remove(0)
}

#[tokio::test]
async fn a_message_is_signed_and_says_what_happened_where() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let receiver = Receiver::kind(&stand).await;
    let worker = stand.worker(with_webhook(&dial, &receiver)).await;
    dial.turn(CRITICAL);
    let post = receiver.heard("memory/critical", 1).await.remove(0);
    assert!(post.is_signed(), "{post:?}");
    let mut forged = post.clone();
    forged.text = post.text.replace("critical", "harmless");
    assert!(!forged.is_signed(), "another text would have been as good");
    let sent_at: i64 = post.header("webhook-timestamp").parse().unwrap();
    let now = SystemClock.now().micros() / 1_000_000;
    assert!((now - 60..=now).contains(&sent_at), "{sent_at}, now {now}");
    let body = post.body();
    assert_eq!(post.header("content-type"), "application/json");
    assert_eq!(post.header("idempotency-key"), post.id());
    assert_eq!(post.id(), format!("{}:1", body["id"].as_str().unwrap()));
    assert_eq!(body["version"], 1);
    assert_eq!(body["worker_id"], worker.id().as_str());
    assert_eq!(
        (&body["state"], &body["level"]),
        (&"firing".into(), &"high".into())
    );
    assert!(body["value"].as_f64().unwrap() > 0.94, "{body}");
    stand.end().await;
}

/// Without mercy for slow ends: half a minute of calm has to pass.
#[tokio::test]
async fn the_store_and_the_webhook_have_the_alert_begin_and_end() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let receiver = Receiver::kind(&stand).await;
    let worker = stand.worker(with_webhook(&dial, &receiver)).await;
    // Only a kill after the first look is news.
    assert!(until(async || dial.looks() > 0).await);
    dial.kill();
    let about = "memory/oom_kill";
    let first = receiver.heard(about, 1).await.remove(0);
    let held = until(async || recorded(&stand, about).await.is_some()).await;
    assert!(held);
    let fires = recorded(&stand, about).await.unwrap();
    assert_eq!(fires.state, AlertState::Firing);
    assert_eq!(fires.level, AlertLevel::Critical);
    assert_eq!(fires.worker_id.as_ref(), Some(worker.id()));
    let over = async || recorded(&stand, about).await.unwrap().state == AlertState::Resolved;
    // It clears for half a minute, as long as the usual patience.
    assert!(until(over).await || until(over).await, "it never resolved");
    let resolved = recorded(&stand, about).await.unwrap();
    assert_eq!((&resolved.id, resolved.since), (&fires.id, fires.since));
    assert!(resolved.updated_at > fires.updated_at);
    let posts = receiver.heard(about, 2).await;
    let [before, after] = [first.body(), posts[1].body()];
    assert_eq!((&after["id"], &after["seq"]), (&before["id"], &2.into()));
    assert_eq!(after["state"], "resolved");
    stand.end().await;
}

#[tokio::test]
async fn a_receiver_that_fails_twice_hears_the_same_message_three_times() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let receiver = Receiver::start(&stand, (500, 2), "").await;
    stand.worker(with_webhook(&dial, &receiver)).await;
    dial.turn(CRITICAL);
    let posts = receiver.heard("memory/critical", 3).await;
    for post in &posts {
        assert_eq!((post.id(), &post.text), (posts[0].id(), &posts[0].text));
        assert!(post.is_signed());
    }
    // The next message follows in its turn: the first one is done with.
    dial.kill();
    receiver.heard("memory/oom_kill", 1).await;
    assert_eq!(receiver.about("memory/critical").len(), 3);
    assert_eq!(kept(&stand, &posts[0]).await, None, "it was delivered");
    stand.end().await;
}

#[tokio::test]
async fn a_message_that_three_tries_did_not_deliver_is_kept() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let receiver = Receiver::start(&stand, (500, 3), "").await;
    stand.worker(with_webhook(&dial, &receiver)).await;
    dial.turn(CRITICAL);
    let posts = receiver.heard("memory/critical", 3).await;
    dial.kill();
    receiver.heard("memory/oom_kill", 1).await;
    assert_eq!(receiver.about("memory/critical").len(), 3, "no fourth try");
    assert_eq!(kept(&stand, &posts[0]).await, Some(posts[0].text.clone()));
    stand.end().await;
}

#[tokio::test]
async fn what_the_receiver_refuses_is_not_tried_again() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let receiver = Receiver::start(&stand, (400, 1), "").await;
    stand.worker(with_webhook(&dial, &receiver)).await;
    dial.turn(CRITICAL);
    let post = receiver.heard("memory/critical", 1).await.remove(0);
    dial.kill();
    receiver.heard("memory/oom_kill", 1).await;
    assert_eq!(receiver.about("memory/critical").len(), 1);
    assert_eq!(kept(&stand, &post).await, Some(post.text));
    stand.end().await;
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let elsewhere = Receiver::kind(&stand).await;
    let receiver = Receiver::start(&stand, (307, 1), &elsewhere.url()).await;
    stand.worker(with_webhook(&dial, &receiver)).await;
    dial.turn(CRITICAL);
    let post = receiver.heard("memory/critical", 1).await.remove(0);
    dial.kill();
    receiver.heard("memory/oom_kill", 1).await;
    assert_eq!(
        receiver.about("memory/critical").len(),
        1,
        "nor tried again"
    );
    assert!(elsewhere.posts().is_empty(), "{:?}", elsewhere.posts());
    assert_eq!(kept(&stand, &post).await, Some(post.text));
    stand.end().await;
}

#[tokio::test]
async fn a_private_address_is_not_reached_by_its_number_nor_by_its_name() {
    for host in ["127.0.0.1", "localhost"] {
        let (stand, dial) = (Stand::new(1), Dial::at(CALM));
        let receiver = Receiver::kind(&stand).await;
        let url = receiver.url().replace("127.0.0.1", host);
        let options = Options {
            webhook: Some(Webhook::new(&url, SECRET, false).unwrap()),
            ..dial.options()
        };
        stand.worker(options).await;
        dial.turn(CRITICAL);
        let about = "memory/critical";
        assert!(until(async || recorded(&stand, about).await.is_some()).await);
        let id = format!("{}:1", recorded(&stand, about).await.unwrap().id);
        let keeps = until(async || kept_as(&stand, &id).await.is_some()).await;
        assert!(keeps, "{host}: the message is lost");
        let text = kept_as(&stand, &id).await.unwrap();
        assert!(text.contains(about), "{text}");
        assert!(receiver.posts().is_empty(), "{host} was reached");
        stand.end().await;
    }
}

#[tokio::test]
async fn a_callback_that_panics_and_one_that_hangs_stop_nobody_else() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let receiver = Receiver::kind(&stand).await;
    let told: Arc<Mutex<Vec<(WorkerId, Note)>>> = Arc::default();
    let (release, hold) = sync_channel::<()>(0);
    let (teller, hold) = (Arc::clone(&told), Mutex::new(hold));
    let callbacks = Callbacks::default()
        .with(|_: &WorkerId, _: &Note| panic!("as a callback may"))
        .with(move |_: &WorkerId, _: &Note| {
            hold.lock().unwrap().recv().ok();
        })
        .with(move |worker: &WorkerId, note: &Note| {
            let told = (worker.clone(), note.clone());
            teller.lock().unwrap().push(told);
        });
    let options = Options {
        on_alert: callbacks,
        ..with_webhook(&dial, &receiver)
    };
    let worker = stand.worker(options).await;
    dial.turn(CRITICAL);
    let heard = |about: &str| {
        let told = told.lock().unwrap();
        told.iter()
            .any(|(of, note)| of == worker.id() && note.key.ends_with(about))
    };
    assert!(until(async || heard("memory/critical")).await);
    dial.kill();
    assert!(until(async || heard("memory/oom_kill")).await);
    receiver.heard("memory/oom_kill", 1).await;
    let both = async || {
        recorded(&stand, "memory/critical").await.is_some()
            && recorded(&stand, "memory/oom_kill").await.is_some()
    };
    assert!(until(both).await);
    let first = told.lock().unwrap()[0].1.clone();
    assert_eq!((first.state, first.seq), (NoteState::Firing, 1));
    // Lets those go on that hang.
    drop(release);
    stand.end().await;
}

#[tokio::test]
async fn workers_that_are_pressed_together_send_one_message() {
    let stand = Stand::new(1);
    let receiver = Receiver::kind(&stand).await;
    let (one, other) = (Dial::at(CALM), Dial::at(CALM));
    let first = stand.worker(with_webhook(&one, &receiver)).await;
    let second = stand.worker(with_webhook(&other, &receiver)).await;
    one.turn(CRITICAL);
    other.turn(CRITICAL);
    let both = async || {
        let all = stand.store.alerts(100).await.unwrap();
        let told = |of: &WorkerId| {
            let mut mine = all.iter().filter(|it| it.worker_id.as_ref() == Some(of));
            mine.any(|it| it.key.ends_with("memory/critical"))
        };
        told(first.id()) && told(second.id())
    };
    assert!(until(both).await);
    // What each says alone comes after what both said.
    one.kill();
    other.blind();
    let alone = [
        receiver.heard("memory/oom_kill", 1).await.remove(0),
        receiver.heard("monitor/monitor_blind", 1).await.remove(0),
    ];
    assert_eq!(alone[0].body()["worker_id"], first.id().as_str());
    assert_eq!(alone[1].body()["worker_id"], second.id().as_str());
    let together = receiver.about("memory/critical");
    assert_eq!(together.len(), 1, "{together:?}");
    stand.end().await;
}

#[tokio::test]
async fn another_resource_is_another_message() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let receiver = Receiver::kind(&stand).await;
    dial.disk(0.5);
    stand.worker(with_webhook(&dial, &receiver)).await;
    dial.turn(CRITICAL);
    receiver.heard("memory/critical", 1).await;
    dial.disk(0.97);
    let post = receiver.heard("disk/critical", 1).await.remove(0);
    assert!(post.is_signed());
    stand.end().await;
}

#[tokio::test]
async fn an_alert_waits_for_a_store_that_is_away() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let store = Unsteady::new(stand.store.clone());
    let told = Arc::new(AtomicBool::new(false));
    let teller = Arc::clone(&told);
    let options = Options {
        on_alert: Callbacks::default().with(move |_: &WorkerId, note: &Note| {
            teller.fetch_or(note.key.ends_with("memory/critical"), Ordering::SeqCst);
        }),
        ..dial.options()
    };
    let registry = Registry::new().with_diagnostics();
    stand.worker_on(store.clone(), options, registry).await;
    store.away(true);
    dial.turn(CRITICAL);
    assert!(until(async || told.load(Ordering::SeqCst)).await);
    assert!(recorded(&stand, "memory/critical").await.is_none());
    store.away(false);
    assert!(until(async || recorded(&stand, "memory/critical").await.is_some()).await);
    stand.end().await;
}
