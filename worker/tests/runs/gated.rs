//! What a worker with a gate takes, on measurements that the test feeds it:
//! nothing when short, what matters first, everything again when calm.

use std::{
    io::BufReader,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use resources::{
    admission::Resource,
    estimate::{Declared, Estimates, Usage},
    record::{WhatIf, replay},
    report::{Feature, Report},
};
use serde_json::{Value, json};
use shared::{
    broker::Broker,
    model::{Level, Priority, ProfileName, Route, TaskId, TaskState, TenantId},
    store::{
        Store,
        query::{Readiness, TypeInfo},
        verbs::{Cancel, Note, Order},
    },
};
use worker::{Handle, Handler, HandlerError, Options, Registry, Run, describe, gate::Choice};

use crate::{
    dial::{CALM, CRITICAL, Dial, FULL, LIMIT},
    stand::{Job, Stand, until, within},
    watched::Watched,
};

/// A type of the test's own category; the name says which.
const STANDARD: &str = "test.standard";
const ESSENTIAL: &str = "test.essential";

/// Runs for `ms`, or until it is told to stop.
struct Timed(&'static str);

#[async_trait]
impl Handler for Timed {
    fn describe(&self) -> TypeInfo {
        let (_, category) = self.0.split_once('.').unwrap();
        describe(self.0).category(category).build()
    }

    async fn run(&self, run: Run) -> Result<Value, HandlerError> {
        let ms = run.input["ms"].as_u64().unwrap();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(ms)) => Ok(json!({})),
            () = run.cancelled() => Err(HandlerError::stopped()),
        }
    }
}

fn registry() -> Registry {
    Registry::new()
        .with_diagnostics()
        .with(Timed(STANDARD))
        .with(Timed(ESSENTIAL))
}

fn job(name: &str, ms: u64) -> Job {
    Job::new(name, json!({"ms": ms}))
}

fn urgent(job: Job) -> Job {
    job.with(|spec| spec.priority = Priority::Critical)
}

/// Something that runs until the test cancels it or ends.
async fn something_runs(stand: &Stand, name: &str) -> TaskId {
    let endless = job(name, 3_600_000).with(|spec| spec.timeout_ms = 3_600_000);
    let id = stand.submit_one(endless).await;
    stand.in_state(id, TaskState::Running).await;
    id
}

async fn cancel(stand: &Stand, ids: Vec<TaskId>) {
    let cancel = Cancel {
        tenant: TenantId::default(),
        ids,
        reason: "enough".into(),
    };
    stand.store.cancel(cancel).await.unwrap();
}

/// What keeps tasks of this type and priority from starting.
fn shortage(report: &Report, name: &str, priority: Priority) -> Option<(String, f64)> {
    let mut all = report.shortages.iter();
    let found = all.find(|it| it.workflow_type.as_str() == name && it.priority == priority)?;
    Some((found.resource.clone(), found.limit))
}

fn lacks(report: &Report, name: &str, priority: Priority, resource: Resource) -> bool {
    shortage(report, name, priority).is_some_and(|(short, _)| short == resource.as_str())
}

fn feature<'a>(report: &'a Report, name: &str) -> Option<&'a Feature> {
    report.features.iter().find(|feature| feature.name == name)
}

/// The monitor has read what is shown so often since that whatever follows
/// from it has happened.
async fn looked_at(dial: &Dial, times: u64) {
    assert!(until(async || dial.looks() >= times).await);
}

async fn order(stand: &Stand, order: Order) {
    stand.store.order(order).await.unwrap();
}

fn switch(name: &str, state: Option<bool>, lasts: Duration) -> Order {
    Order::Feature {
        feature: name.into(),
        state,
        by: "ann".into(),
        reason: "a test".into(),
        lasts,
    }
}

async fn started(stand: &Stand, ids: &[TaskId]) -> usize {
    let mut started = 0;
    for id in ids {
        started += usize::from(stand.view(*id).await.attempt > 0);
    }
    started
}

#[tokio::test]
async fn a_gate_that_shuts_pulls_no_more_and_holds_nothing_until_it_is_calm() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let broker = Watched::over(&stand.broker);
    let worker = stand
        .worker_through(broker.clone(), dial.options(), registry())
        .await;
    let running = something_runs(&stand, STANDARD).await;
    let ids = stand
        .submit((0..400).map(|_| job(STANDARD, 10)).collect())
        .await;
    assert!(until(async || started(&stand, &ids).await >= 20).await);

    dial.turn(CRITICAL);
    looked_at(&dial, 10).await;
    let decided = dial.read().unwrap();
    let route = Route::new(STANDARD.parse().unwrap(), Priority::Medium);
    let last = broker.last_pull(&route).unwrap();
    let late = last.saturating_duration_since(decided);
    assert!(
        late <= Duration::from_millis(250),
        "{late:?} after the sample"
    );
    stand
        .said(&worker, |state, report| {
            state.level == Level::Critical
                && lacks(report, STANDARD, Priority::Medium, Resource::Feature)
        })
        .await;
    assert_eq!(broker.in_hand(), 0);
    let left = ids.len() - started(&stand, &ids).await;
    assert!(left > 100, "the test was too slow to see anything: {left}");
    let ready = async || stand.broker.depth(&route).await.unwrap();
    assert_eq!(ready().await, left as u64, "every other message is ready");
    let seen = dial.looks();
    looked_at(&dial, seen + 20).await;
    assert_eq!(
        broker.last_pull(&route),
        Some(last),
        "a closed gate pulls nothing"
    );
    assert_eq!(ready().await, left as u64);
    assert_eq!(stand.view(running).await.state, TaskState::Running);

    dial.turn(CALM);
    for id in ids {
        assert_eq!(stand.ended(id).await.state, TaskState::Completed);
    }
    cancel(&stand, vec![running]).await;
    stand.end().await;
}

#[tokio::test]
async fn a_gate_that_opens_wakes_those_who_wait_for_it() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    // Nobody looks again for any other reason.
    let options = Options {
        heartbeat: Duration::from_hours(1),
        scan: Duration::from_hours(1),
        ..dial.options()
    };
    stand.worker_with(options, registry()).await;
    let running = something_runs(&stand, ESSENTIAL).await;
    dial.turn(CRITICAL);
    looked_at(&dial, 5).await;
    let waits = stand.submit_one(job(ESSENTIAL, 1)).await;
    stand.in_state(waits, TaskState::Queued).await;
    let seen = dial.looks();
    looked_at(&dial, seen + 20).await;
    assert_eq!(stand.view(waits).await.attempt, 0);
    dial.turn(CALM);
    assert_eq!(stand.ended(waits).await.state, TaskState::Completed);
    cancel(&stand, vec![running]).await;
    stand.end().await;
}

#[tokio::test]
async fn critical_work_passes_a_critical_level_but_not_the_hard_limit() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let worker = stand.worker_with(dial.options(), registry()).await;
    let running = something_runs(&stand, ESSENTIAL).await;
    dial.turn(CRITICAL);
    stand
        .said(&worker, |_, report| {
            lacks(report, ESSENTIAL, Priority::Medium, Resource::Memory)
                && shortage(report, ESSENTIAL, Priority::Critical).is_none()
        })
        .await;
    let ordinary = stand.submit_one(job(ESSENTIAL, 1)).await;
    let passes = stand.submit_one(urgent(job(ESSENTIAL, 1))).await;
    assert_eq!(stand.ended(passes).await.state, TaskState::Completed);
    assert_eq!(stand.view(ordinary).await.attempt, 0);

    dial.turn(FULL);
    let (_, report) = stand
        .said(&worker, |_, report| {
            lacks(report, ESSENTIAL, Priority::Critical, Resource::Memory)
        })
        .await;
    let (_, limit) = shortage(&report, ESSENTIAL, Priority::Critical).unwrap();
    #[expect(clippy::cast_precision_loss, reason = "bytes are far below 2^53")]
    let hard = report.memory.hard as f64;
    assert!((limit - hard).abs() < 1.0, "{limit} is not {hard}");
    let stopped = stand.submit_one(urgent(job(ESSENTIAL, 1))).await;
    stand.in_state(stopped, TaskState::Queued).await;
    let seen = dial.looks();
    looked_at(&dial, seen + 10).await;
    assert_eq!(stand.view(stopped).await.attempt, 0);

    dial.turn(CALM);
    stand
        .said(&worker, |state, report| {
            state.level < Level::High && report.shortages.is_empty()
        })
        .await;
    for id in [stopped, ordinary] {
        assert_eq!(stand.ended(id).await.state, TaskState::Completed);
    }
    cancel(&stand, vec![running]).await;
    stand.end().await;
}

#[tokio::test]
async fn an_emergency_leaves_essential_types() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let worker = stand.worker_with(dial.options(), registry()).await;
    stand.said(&worker, |_, report| report.known).await;
    dial.kill();
    let (_, report) = stand
        .said(&worker, |state, report| {
            state.level == Level::Emergency
                && lacks(report, STANDARD, Priority::Critical, Resource::Feature)
        })
        .await;
    assert_eq!(feature(&report, STANDARD).unwrap().rule, "emergency");
    assert!(feature(&report, ESSENTIAL).unwrap().enabled);
    let waits = stand
        .submit(vec![job(STANDARD, 1), urgent(job(STANDARD, 1))])
        .await;
    for _ in 0..3 {
        let runs = stand.submit_one(job(ESSENTIAL, 1)).await;
        assert_eq!(stand.ended(runs).await.state, TaskState::Completed);
    }
    assert_eq!(started(&stand, &waits).await, 0);
    stand.end().await;
}

#[tokio::test]
async fn orders_about_features_reach_a_worker_that_runs_and_end_with_their_time() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let worker = stand.worker_with(dial.options(), registry()).await;
    let off = |_: &_, report: &Report| {
        feature(report, STANDARD).is_some_and(|it| it.rule == "manual" && !it.enabled)
    };
    order(
        &stand,
        switch(STANDARD, Some(false), Duration::from_mins(5)),
    )
    .await;
    let (_, report) = stand.said(&worker, off).await;
    let why = &feature(&report, STANDARD).unwrap().reason;
    assert!(why.contains("ann") && why.contains("a test"), "{why}");
    let waits = stand
        .submit(vec![job(STANDARD, 1), urgent(job(STANDARD, 1))])
        .await;
    let runs = stand.submit_one(job(ESSENTIAL, 1)).await;
    stand.ended(runs).await;
    assert_eq!(started(&stand, &waits).await, 0, "an order binds all");
    order(&stand, switch(STANDARD, None, Duration::ZERO)).await;
    for id in waits {
        assert_eq!(stand.ended(id).await.state, TaskState::Completed);
    }

    let begun = Instant::now();
    let lasts = Duration::from_secs(2);
    order(&stand, switch(STANDARD, Some(false), lasts)).await;
    stand.said(&worker, off).await;
    let waits = stand.submit_one(job(STANDARD, 1)).await;
    stand.ended(waits).await;
    assert!(begun.elapsed() >= lasts, "its time was not over");
    stand.end().await;
}

#[tokio::test]
async fn a_profile_reaches_a_worker_that_runs_and_is_taken_back() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let worker = stand.worker_with(dial.options(), registry()).await;
    let profile = |profile| Order::Profile {
        worker: Some(worker.id().clone()),
        profile,
        by: "ann".into(),
        reason: "a test".into(),
    };
    order(&stand, profile(Some(ProfileName::Emergency))).await;
    stand
        .said(&worker, |state, report| {
            state.profile == ProfileName::Emergency
                && lacks(report, STANDARD, Priority::Critical, Resource::Feature)
                // Its own thresholds: 70 % instead of 80.
                && report.memory.high < LIMIT / 100 * 71
        })
        .await;
    let waits = stand.submit_one(job(STANDARD, 1)).await;
    let runs = stand.submit_one(job(ESSENTIAL, 1)).await;
    stand.ended(runs).await;
    assert_eq!(stand.view(waits).await.attempt, 0);
    order(&stand, profile(None)).await;
    assert_eq!(stand.ended(waits).await.state, TaskState::Completed);
    stand
        .said(&worker, |state, _| state.profile == ProfileName::Balanced)
        .await;
    stand.end().await;
}

#[tokio::test]
async fn a_worker_is_set_aside_by_an_order_and_called_back() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let worker = stand.worker_with(dial.options(), registry()).await;
    let running = stand.submit_one(job(STANDARD, 1_500)).await;
    stand.in_state(running, TaskState::Running).await;
    let drain = |drain| Order::Drain {
        worker: worker.id().clone(),
        drain,
        by: "ann".into(),
        reason: "a test".into(),
    };
    order(&stand, drain(true)).await;
    stand
        .said(&worker, |state, _| state.readiness == Readiness::Draining)
        .await;
    let waits = stand.submit_one(urgent(job(ESSENTIAL, 1))).await;
    let ended = stand.ended(running).await;
    assert_eq!((ended.state, ended.attempt), (TaskState::Completed, 1));
    assert_eq!(stand.view(waits).await.attempt, 0);
    order(&stand, drain(false)).await;
    assert_eq!(stand.ended(waits).await.state, TaskState::Completed);
    stand
        .said(&worker, |state, _| state.readiness == Readiness::Ready)
        .await;
    stand.end().await;
}

fn all_returned(report: &Report, used: u32) -> bool {
    used == 0 && report.memory.reserved == 0 && report.types.iter().all(|it| it.in_flight == 0)
}

#[tokio::test]
async fn permits_come_back_from_panics_and_cancels() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let worker = stand.worker_with(dial.options(), registry()).await;
    let panics = stand
        .submit(
            (0..40)
                .map(|_| Job::new("diagnostic.panic", json!({})))
                .collect(),
        )
        .await;
    for id in panics {
        assert_eq!(stand.ended(id).await.state, TaskState::Failed);
    }
    let mut long = Vec::new();
    for _ in 0..3 {
        long.push(something_runs(&stand, STANDARD).await);
    }
    let light = 8 << 20;
    let (state, report) = stand
        .said(&worker, |state, report| {
            state.slots.used == 3 && report.memory.reserved >= 3
        })
        .await;
    assert!(report.memory.reserved <= 3 * light, "{state:?}");
    cancel(&stand, long.clone()).await;
    for id in long {
        assert_eq!(stand.ended(id).await.state, TaskState::Cancelled);
    }
    stand
        .said(&worker, |state, report| {
            all_returned(report, state.slots.used)
        })
        .await;
    stand.end().await;
}

/// What the fleet knows of a type whose tasks are small but for those of 1 KiB.
fn lesson(name: &str, bytes: u64) -> String {
    let mut estimates = Estimates::new([(name, Declared::default())]);
    let usage = |input, peak| Usage {
        input,
        peak: Some(peak),
        cpu: Duration::from_millis(1),
        wall: Duration::from_millis(1),
    };
    for _ in 0..60 {
        estimates.learn(0, &usage(16, 1 << 20));
    }
    for _ in 0..8 {
        estimates.learn(0, &usage(1 << 10, bytes));
    }
    serde_json::to_string(&estimates.take_fresh()).unwrap()
}

/// A worker that has heard that the large tasks of a type need twice what it
/// has.
async fn taught_worker(stand: &Stand, options: Options) -> Handle {
    let note = Note {
        name: "learned".into(),
        text: lesson(STANDARD, 2 * LIMIT),
        lasts: Duration::from_hours(1),
    };
    stand.store.keep(note).await.unwrap();
    let worker = stand.worker_with(options, registry()).await;
    let learned = |report: &Report| {
        let mut types = report.types.iter();
        types.any(|it| it.workflow_type.as_str() == STANDARD && it.learned)
    };
    stand
        .said(&worker, |_, report| report.known && learned(report))
        .await;
    worker
}

/// One of them.
fn large() -> Job {
    Job::new(STANDARD, json!({"ms": 1, "padding": "x".repeat(1 << 9)}))
}

#[tokio::test]
async fn what_can_never_run_here_is_set_aside_and_the_rest_goes_on() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let worker = taught_worker(&stand, dial.options()).await;
    let large = stand.submit_one(large()).await;
    let aside = stand.when(large, |view| view.too_large.is_some()).await;
    assert!(aside.too_large.unwrap() >= 2 * LIMIT, "{aside:?}");
    assert_eq!((aside.attempt, aside.failures), (0, 0));
    assert_eq!(aside.state, TaskState::Scheduled);
    let small = stand
        .submit((0..20).map(|_| job(STANDARD, 1)).collect())
        .await;
    for id in small {
        assert_eq!(stand.ended(id).await.state, TaskState::Completed);
    }
    assert_eq!(stand.view(large).await.attempt, 0);
    stand
        .said(&worker, |state, report| {
            all_returned(report, state.slots.used)
        })
        .await;
    stand.end().await;
}

/// Goes on until the test lets it go, whatever it is told.
struct Stubborn(Arc<Mutex<Receiver<()>>>);

const STUBBORN: &str = "test.stubborn";

#[async_trait]
impl Handler for Stubborn {
    fn describe(&self) -> TypeInfo {
        describe(STUBBORN)
            .category("essential")
            .needs(Duration::from_secs(1), "cpu")
            .build()
    }

    async fn run(&self, run: Run) -> Result<Value, HandlerError> {
        let held = Arc::clone(&self.0);
        run.blocking(move |_| {
            held.lock().unwrap().recv().ok();
            Ok(json!({}))
        })
        .await
    }
}

#[tokio::test]
async fn a_run_that_cannot_be_stopped_frees_its_slot_and_keeps_its_memory() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let (release, held) = sync_channel(0);
    let registry = registry().with(Stubborn(Arc::new(Mutex::new(held))));
    let options = Options {
        concurrency: 1,
        cancel_grace: Duration::from_millis(100),
        ..dial.options()
    };
    let worker = stand.worker_with(options, registry).await;
    let stuck = Job::new(STUBBORN, json!({})).with(|spec| spec.timeout_ms = 200);
    let stuck = stand.submit_one(stuck).await;
    let (_, booked) = stand
        .said(&worker, |state, report| {
            state.slots.used == 1 && report.memory.reserved > 0
        })
        .await;
    assert_eq!(stand.ended(stuck).await.state, TaskState::Failed);
    let (_, left) = stand.said(&worker, |state, _| state.slots.used == 0).await;
    assert_eq!(left.memory.reserved, booked.memory.reserved);
    assert!(left.types.iter().all(|it| it.in_flight == 0));
    // There is one slot: it is free.
    let next = stand.submit_one(job(STANDARD, 1)).await;
    assert_eq!(stand.ended(next).await.state, TaskState::Completed);
    drop(release);
    stand
        .said(&worker, |state, report| {
            all_returned(report, state.slots.used)
        })
        .await;
    stand.end().await;
}

#[tokio::test]
async fn the_log_of_such_a_life_replays_without_a_difference() {
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("decisions");
    let options = Options {
        decision_log: Some(path.clone()),
        ..dial.options()
    };
    let worker = stand.worker_with(options, registry()).await;
    let ids = stand
        .submit((0..50).map(|_| job(STANDARD, 3)).collect())
        .await;
    let panics = stand
        .submit_one(Job::new("diagnostic.panic", json!({})))
        .await;
    for id in ids.into_iter().chain([panics]) {
        stand.ended(id).await;
    }
    order(
        &stand,
        switch(STANDARD, Some(false), Duration::from_mins(5)),
    )
    .await;
    stand
        .said(&worker, |_, report| {
            lacks(report, STANDARD, Priority::Medium, Resource::Feature)
        })
        .await;
    order(&stand, switch(STANDARD, None, Duration::ZERO)).await;
    let running = something_runs(&stand, STANDARD).await;
    dial.turn(CRITICAL);
    stand
        .said(&worker, |state, report| {
            state.level == Level::Critical
                && lacks(report, ESSENTIAL, Priority::Medium, Resource::Memory)
        })
        .await;
    let passes = stand.submit_one(urgent(job(ESSENTIAL, 1))).await;
    stand.ended(passes).await;
    dial.kill();
    looked_at(&dial, 3).await;
    cancel(&stand, vec![running]).await;
    stand.ended(running).await;
    worker.drain();
    within(worker.drained()).await.unwrap();

    let log = || BufReader::new(std::fs::File::open(&path).unwrap());
    let replayed = replay(log(), &WhatIf::default()).unwrap();
    assert_eq!(replayed.different, 0, "{:?}", replayed.differences);
    assert_eq!(replayed.recorded, replayed.figures);
    assert!(replayed.events > 150, "{} events", replayed.events);
    let other = WhatIf {
        profile: Some(ProfileName::Development),
        ..WhatIf::default()
    };
    let other = replay(log(), &other).unwrap();
    assert!(other.other_thresholds && other.figures != other.recorded);
    stand.end().await;
}

/// Counts what a shadow gate would have refused.
#[derive(Default)]
struct Denials(Arc<AtomicU64>);

impl Recorder for Denials {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if key.name() == "zerogate_gate_shadow_denied_total" {
            return Counter::from_arc(Arc::clone(&self.0));
        }
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[tokio::test]
async fn a_shadow_gate_decides_nothing_and_counts_what_it_would_have_refused() {
    let denials = Denials::default();
    // Everything but the monitor runs on this thread.
    let _counts = metrics::set_default_local_recorder(&denials);
    let (stand, dial) = (Stand::new(1), Dial::at(CALM));
    let options = Options {
        gate: Choice::Shadow,
        ..dial.options()
    };
    let worker = taught_worker(&stand, options).await;
    let large = stand.submit_one(large()).await;
    assert_eq!(stand.ended(large).await.state, TaskState::Completed);
    let running = something_runs(&stand, STANDARD).await;
    dial.turn(CRITICAL);
    let (_, report) = stand
        .said(&worker, |state, _| state.level == Level::Critical)
        .await;
    assert_eq!(report.gate, "shadow");
    let before = denials.0.load(Ordering::SeqCst);
    let ids = stand
        .submit((0..20).map(|_| job(STANDARD, 1)).collect())
        .await;
    for id in ids {
        assert_eq!(stand.ended(id).await.state, TaskState::Completed);
    }
    let counted = denials.0.load(Ordering::SeqCst) - before;
    assert!(counted >= 20, "{counted} would have been refused");
    cancel(&stand, vec![running]).await;
    stand.ended(running).await;
    stand
        .said(&worker, |state, report| {
            all_returned(report, state.slots.used)
        })
        .await;
    stand.end().await;
}
