//! Large inputs and results beside a store on Redis: they lie in the blob store, and nobody who reads a task sees that.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{TryStreamExt, stream::BoxStream};
use shared::{
    blobs::{self, Blob, Blobs, Listed, Upload, objects::Objects},
    model::{Json, Stamp, TaskId, TaskState},
    store::{
        Error,
        large::{LARGE, LargePayloads, Mark, is_mark},
        redis::{Options, RedisStore},
        verbs::{Finished, Granted, Outcome, RunRef},
    },
};
use tempfile::TempDir;
use zerogate_tests::{
    conformance::store::lab::{Ask, LONG, Lab},
    redis::{Redis, RedisOptions},
};

/// A blob store that is away when told to.
#[derive(Debug)]
struct Unsteady {
    real: Arc<Objects>,
    away: AtomicBool,
}

impl Unsteady {
    fn reach(&self) -> blobs::Result<&Objects> {
        if self.away.load(Ordering::SeqCst) {
            return Err(blobs::Error::Unavailable("it was told to be away".into()));
        }
        Ok(&self.real)
    }
}

#[async_trait]
impl Blobs for Unsteady {
    async fn put(&self, key: &str, content: Bytes) -> blobs::Result<()> {
        self.reach()?.put(key, content).await
    }

    async fn upload(&self, key: &str) -> blobs::Result<Box<dyn Upload>> {
        self.reach()?.upload(key).await
    }

    async fn get(&self, key: &str) -> blobs::Result<Option<Blob>> {
        self.reach()?.get(key).await
    }

    async fn delete(&self, key: &str) -> blobs::Result<()> {
        self.reach()?.delete(key).await
    }

    fn list(&self, folder: &str) -> BoxStream<'static, blobs::Result<Listed>> {
        self.real.list(folder)
    }

    async fn tidy(&self, before: Stamp) -> blobs::Result<u64> {
        self.reach()?.tidy(before).await
    }
}

/// A store with a blob store, and the store alone.
struct Bench {
    lab: Lab,
    bare: Lab,
    blobs: Arc<Unsteady>,
    _redis: Redis,
    _folder: TempDir,
}

impl Bench {
    async fn new() -> Self {
        let redis = Redis::start(RedisOptions::default()).expect("a private Redis");
        let folder = TempDir::with_prefix("zerogate-large-").expect("a folder");
        let store = RedisStore::connect(Options::new(redis.url())).await;
        let store = store.expect("connect");
        let blobs = Arc::new(Unsteady {
            real: objects(folder.path()),
            away: AtomicBool::new(false),
        });
        let large = LargePayloads::over(store.clone(), blobs.clone());
        Self {
            lab: Lab::on(large),
            bare: Lab::on(store),
            blobs,
            _redis: redis,
            _folder: folder,
        }
    }

    async fn keys(&self) -> Vec<String> {
        let all: Vec<Listed> = self.blobs.list("").try_collect().await.expect("list");
        all.into_iter().map(|blob| blob.key).collect()
    }

    /// Submits a task with this input.
    async fn submit(&self, input: &Json, parents: &[TaskId]) -> TaskId {
        let mut ask = Ask::of("t.a").after(parents);
        ask.input = input.clone();
        self.lab.submit(ask).await
    }

    /// What a worker is given in the end.
    async fn recalled(&self, run: &RunRef) -> Granted {
        let granted = Box::new(self.lab.grant(run).await);
        *self.lab.store.recall(granted).await.expect("recall")
    }
}

fn objects(folder: &Path) -> Arc<Objects> {
    Objects::in_folder(folder).expect("a folder of blobs")
}

/// A text of so many bytes, and of this letter.
fn text(letter: &str, bytes: usize) -> Json {
    Json::from_text(format!("\"{}\"", letter.repeat(bytes - 2)))
}

/// What is large goes to the blob store and comes back everywhere; what is not stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_texts_lie_beside_the_store_and_come_back_everywhere() {
    let bench = Bench::new().await;
    let lab = &bench.lab;
    let (input, result) = (text("i", 300_000), text("r", 400_000));
    let parent = bench.submit(&input, &[]).await;
    let child = bench.submit(&text("c", LARGE), &[parent]).await;
    assert_eq!(bench.keys().await.len(), 1, "64 KiB is not large");
    let taken = lab.take(10).await.tasks;
    assert_eq!(taken[0].input_bytes, 300_000, "the true length");
    let run = lab.start(parent).await;
    assert!(
        is_mark(&lab.grant(&run).await.input),
        "not on the claim's time"
    );
    assert_eq!(bench.recalled(&run).await.input, input);
    for _ in 0..2 {
        let answer = lab.finish(&run, Outcome::Completed(result.clone())).await;
        assert_eq!(answer, Finished::Committed(TaskState::Completed));
    }
    assert_eq!(bench.keys().await.len(), 2);
    assert_eq!(lab.view(parent).await.result, Some(result.clone()));
    let stored = bench.bare.view(parent).await.result.expect("a mark");
    assert!(is_mark(&stored) && stored.len() < 100);
    let run = lab.start(child).await;
    let granted = bench.recalled(&run).await;
    assert_eq!(granted.input, text("c", LARGE));
    assert_eq!(granted.parents[0].result, Some(result));
}

/// A writer whose lease is gone writes beside the result, never over it; so does one that writes the same task's
/// other result later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_writer_cannot_replace_anothers_result() {
    let bench = Bench::new().await;
    let lab = &bench.lab;
    let task = bench.submit(&text("i", 10), &[]).await;
    let late = lab.start(task).await;
    lab.release(&late).await;
    let run = lab.start(task).await;
    let (good, bad) = (text("g", 200_000), text("b", 200_000));
    let late_first = lab.finish(&late, Outcome::Completed(bad.clone())).await;
    assert_eq!(late_first, Finished::Stale);
    lab.finish(&run, Outcome::Completed(good.clone())).await;
    assert_eq!(lab.view(task).await.result, Some(good.clone()));
    let late_again = lab.finish(&late, Outcome::Completed(bad)).await;
    assert_eq!(late_again, Finished::Stale);
    assert_eq!(lab.view(task).await.result, Some(good));
    assert_eq!(bench.keys().await.len(), 2, "the orphan is collected later");
    let payloads = lab.store.payloads(&lab.tenant, &[task]).await;
    let payloads = payloads.expect("payloads").remove(0).expect("it");
    let mark = payloads.result.as_ref().and_then(Mark::read);
    assert!(payloads.is_final && payloads.input.is_none());
    assert_eq!(mark.expect("a mark").bytes, 200_000);
}

/// The blob store away: only what needs it fails, as unavailable, and goes on later; nothing is half there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_store_that_is_away_makes_the_verb_unavailable_and_no_other() {
    let bench = Bench::new().await;
    let lab = &bench.lab;
    let task = bench.submit(&text("i", 100_000), &[]).await;
    let run = lab.start(task).await;
    bench.blobs.away.store(true, Ordering::SeqCst);
    let small = bench.submit(&text("s", 100), &[]).await;
    lab.run(small).await;
    let mut ask = Ask::of("t.a");
    ask.input = text("l", 100_000);
    let plan = lab.plan(vec![lab.task(Ask::of("t.a")), lab.task(ask)]);
    let refused = lab.store.submit(plan.clone()).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    let page = lab.store.tasks(lab.everything()).await.expect("tasks");
    assert_eq!(page.items.len(), 2, "nothing of the plan");
    let granted = Box::new(lab.grant(&run).await);
    let refused = lab.store.recall(granted).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    bench.blobs.away.store(false, Ordering::SeqCst);
    lab.store.submit(plan).await.expect("submit");
    assert_eq!(bench.recalled(&run).await.input, text("i", 100_000));
    lab.finish(&run, Outcome::Completed(text("r", 100_000)))
        .await;
    bench.blobs.away.store(true, Ordering::SeqCst);
    let unseen = lab.store.task(&lab.tenant, task).await;
    assert!(matches!(unseen, Err(Error::Unavailable(_))), "{unseen:?}");
    let seen = lab.store.task(&lab.tenant, small).await.expect("task");
    assert_eq!(seen.expect("it").state, TaskState::Completed);
}

/// What the blob store has lost, or holds damaged, keeps its mark in a grant, and is said where it is looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_is_lost_or_damaged_keeps_its_mark() {
    let bench = Bench::new().await;
    let lab = &bench.lab;
    for damage in [false, true] {
        let task = bench.submit(&text("i", 100_000), &[]).await;
        let run = lab.start_for(task, LONG).await;
        for key in bench.keys().await {
            if damage {
                bench.blobs.put(&key, Bytes::from_static(b"\"x\"")).await
            } else {
                bench.blobs.delete(&key).await
            }
            .expect("spoil it");
        }
        let granted = bench.recalled(&run).await;
        assert!(is_mark(&granted.input) && Mark::read(&granted.input).is_some());
        lab.finish(&run, Outcome::Completed(text("r", 100_000)))
            .await;
        for key in bench.keys().await {
            bench.blobs.delete(&key).await.expect("delete");
        }
        let looked = lab.store.task(&lab.tenant, task).await;
        assert!(matches!(looked, Err(Error::Corrupt(_))), "{looked:?}");
    }
}
