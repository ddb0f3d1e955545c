//! The conformance suite of the store on Redis, and what only Redis can suffer: a full memory.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use shared::{
    model::{Json, ProfileName, TaskId, TaskState},
    store::{
        Error, Store,
        redis::{Options, RedisStore},
        verbs::{AlertRecord, CancelOutcome, Finished, Note, Order, Outcome, SeriesRow},
    },
};
use zerogate_tests::{
    conformance::store::{
        Backend,
        lab::{Ask, LONG, Lab, calm, now},
    },
    redis::{Redis, RedisOptions},
    store_suite,
};

/// A private server; each store on it has a prefix of its own.
struct Server {
    redis: Redis,
    stores: AtomicU32,
}

impl Server {
    fn start(options: RedisOptions) -> Self {
        let redis = Redis::start(options).expect("a private Redis");
        Self {
            redis,
            stores: AtomicU32::new(0),
        }
    }
}

#[async_trait]
impl Backend for Server {
    async fn fresh(&self) -> Arc<dyn Store> {
        let number = self.stores.fetch_add(1, Ordering::Relaxed);
        let mut options = Options::new(self.redis.url());
        options.prefix = format!("test{number}");
        RedisStore::connect(options).await.expect("connect")
    }
}

store_suite!(Server::start(RedisOptions::default()));

/// At `maxmemory` new work is refused, with a word on what to do; work that was accepted goes through its whole life.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_memory_refuses_new_work_and_finishes_the_old() {
    let server = Server::start(RedisOptions {
        max_memory: Some(16 << 20),
        ..RedisOptions::default()
    });
    let lab = Lab::new(&server).await;
    let running = lab.submit(Ask::of("t.a")).await;
    let run = lab.start(running).await;
    let failing = lab.submit(Ask::of("t.a").attempts(1)).await;
    let child = lab.submit(Ask::of("t.a").after(&[running])).await;
    let mut ask = Ask::of("t.a");
    ask.input = Json::from_text(format!("{:?}", "x".repeat(60_000)));
    let full = loop {
        let plan = lab.plan(vec![lab.task(ask.clone())]);
        if let Err(error) = lab.store.submit(plan).await {
            break error;
        }
    };
    assert!(matches!(full, Error::Full(_)), "{full:?}");
    let large = Json::from_text(format!("{:?}", "y".repeat(50_000)));
    let done = lab.finish(&run, Outcome::Completed(large)).await;
    assert_eq!(done, Finished::Committed(TaskState::Completed));
    lab.ruin(failing).await;
    lab.run(child).await;
    assert!(!lab.dispatch(LONG).await.is_empty());
    let page = lab.store.tasks(lab.everything()).await.expect("tasks");
    let waiting = page.items[0].id;
    fleet_goes_on(&lab, waiting).await;
    assert_eq!(lab.cancel(waiting).await, CancelOutcome::Cancelled);
    lab.sweep(calm()).await;
    let plan = lab.plan(vec![lab.task(ask)]);
    let still = lab.store.submit(plan).await;
    assert!(matches!(still, Err(Error::Full(_))), "{still:?}");
}

/// Orders, alerts and what was learned are small and bounded; history is not, and is worth no task.
async fn fleet_goes_on(lab: &Lab, queued: TaskId) {
    let alert = AlertRecord {
        id: "full".into(),
        ..AlertRecord::default()
    };
    lab.store.raise(vec![alert]).await.expect("raise");
    let order = Order::Profile {
        worker: None,
        profile: Some(ProfileName::Emergency),
        by: "someone".into(),
        reason: "the memory is full".into(),
    };
    lab.store.order(order).await.expect("order");
    let note = Note {
        name: "n".into(),
        text: "x".into(),
        lasts: LONG,
    };
    lab.store.keep(note).await.expect("keep");
    assert!(lab.set_aside(queued, 1, LONG).await);
    let row = SeriesRow {
        scope: "fleet".into(),
        at: now(),
        figures: Json::from_text("{}".into()),
    };
    let refused = lab.store.append(vec![row]).await;
    assert!(matches!(refused, Err(Error::Full(_))), "{refused:?}");
}
