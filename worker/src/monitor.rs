//! Looks at the machine, on a thread of its own: a busy executor must not
//! freeze the one that watches it.
//!
//! Each look goes to the governor; what it decided is logged, counted and, if
//! people or the process are concerned, passed on as [`News`].
//!
//! Invariant: the thread ends when its [`Monitor`] is dropped. It never waits
//! for anybody: news that find no room are counted and dropped (the alerts
//! themselves fire again).

use std::{
    io,
    path::Path,
    sync::{Arc, Condvar, Mutex, PoisonError, atomic::AtomicU32, atomic::Ordering},
    thread::{self, JoinHandle},
    time::Duration,
};

use metrics::{counter, gauge};
use resources::{
    alert::Note,
    feature::Change,
    governor::{Escape, Tick, Ticked},
    pattern::Hour,
    sample::RawSample,
    source::{self, SampleSource},
};
use shared::clock::Clock;
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use crate::{gate::ResourceGate, options::SourceOf, tally::Tally};

/// News that wait for the rest of the worker: alerts come at most ten a
/// minute, so this is hours of them.
const NEWS: usize = 256;
/// Without a source the machine is looked for again this often.
const AGAIN: Duration = Duration::from_secs(30);

/// What a look means for others.
#[derive(Debug)]
pub(crate) enum News {
    /// People are to be told.
    Notes(Vec<Note>),
    /// The gate does not open: only a fresh process helps.
    Recycle,
}

/// A running monitor.
#[derive(Debug)]
pub(crate) struct Monitor {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

/// What the monitor looks with.
pub(crate) struct Means {
    pub(crate) gate: ResourceGate,
    pub(crate) tally: Arc<Tally>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Live workers of the fleet, as last heard.
    pub(crate) workers: Arc<AtomicU32>,
    /// Metrics of this process are this worker's.
    pub(crate) tells: bool,
    /// Looks elsewhere than at this machine.
    pub(crate) source: Option<SourceOf>,
}

#[derive(Debug, Default)]
struct Stop {
    asked: Mutex<bool>,
    bell: Condvar,
}

impl Stop {
    /// Waits so long, or until asked to stop; whether that was asked.
    fn wait(&self, time: Duration) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.bell.wait_timeout_while(asked, time, |asked| !*asked);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Monitor {
    /// Starts the thread. `work_dir` is where the disk is looked at.
    pub(crate) fn start(means: Means, work_dir: &Path) -> io::Result<(Self, mpsc::Receiver<News>)> {
        let stop = Arc::new(Stop::default());
        let (send, receive) = mpsc::channel(NEWS);
        let work_dir = work_dir.to_owned();
        let asked = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("zg-monitor".to_owned())
            .spawn(move || {
                let mut eye = Eye::new(means, send);
                eye.watch(&work_dir, &asked);
            })?;
        let monitor = Self {
            stop,
            thread: Some(thread),
        };
        Ok((monitor, receive))
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        *self
            .stop
            .asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.bell.notify_all();
        if let Some(thread) = self.thread.take() {
            // A monitor that panicked has said so.
            thread.join().ok();
        }
    }
}

struct Eye {
    means: Means,
    news: mpsc::Sender<News>,
    /// What went wrong last, so that it is said once.
    trouble: Option<String>,
}

impl Eye {
    fn new(means: Means, news: mpsc::Sender<News>) -> Self {
        Self {
            means,
            news,
            trouble: None,
        }
    }

    fn watch(&mut self, work_dir: &Path, stop: &Stop) {
        let mut source: Option<Box<dyn SampleSource>> = None;
        let mut sought: Option<Duration> = None;
        loop {
            let at = self.means.gate.now();
            let due = sought.is_none_or(|sought| at.saturating_sub(sought) >= AGAIN);
            if source.is_none() && due {
                sought = Some(at);
                source = self.find(work_dir);
            }
            let sample = source.as_mut().and_then(|source| self.read(source, at));
            let next = self.look(at, sample);
            if self.wait(at + next, stop) {
                self.means.gate.flush();
                return;
            }
        }
    }

    fn find(&mut self, work_dir: &Path) -> Option<Box<dyn SampleSource>> {
        let found = match &self.means.source {
            Some(other) => other.make(),
            None => source::detect(work_dir),
        };
        match found {
            Ok(source) => {
                info!(source = ?source.describe().kind, "the monitor watches");
                Some(source)
            }
            Err(error) => {
                self.troubled(error.to_string());
                None
            }
        }
    }

    fn read(&mut self, source: &mut Box<dyn SampleSource>, at: Duration) -> Option<RawSample> {
        match source.sample(at) {
            Ok(sample) => {
                self.trouble = None;
                Some(sample)
            }
            Err(error) => {
                self.troubled(error.to_string());
                None
            }
        }
    }

    fn troubled(&mut self, trouble: String) {
        if self.trouble.as_deref() != Some(&*trouble) {
            warn!(trouble, "the monitor cannot see; the gate takes no risks");
            self.trouble = Some(trouble);
        }
    }

    /// One look; gives the time until the next.
    fn look(&mut self, at: Duration, sample: Option<RawSample>) -> Duration {
        let counted = self.means.tally.take();
        let now = self.means.clock.now();
        let tick = Tick {
            at,
            sample,
            hour: u64::try_from(now.micros() / 1_000_000)
                .ok()
                .map(Hour::of_unix),
            resident: resident(),
            ended: (counted.completed, counted.failed),
            waited_p95: counted.waited_p95,
            workers: self.means.workers.load(Ordering::Relaxed),
            backlog: 0,
        };
        let Some(ticked) = self.means.gate.tick(tick) else {
            return AGAIN;
        };
        tell(&ticked);
        if self.means.tells {
            measure(&ticked, &self.means.gate);
        }
        self.pass_on(&ticked);
        ticked.next
    }

    fn pass_on(&self, ticked: &Ticked) {
        let mut news = Vec::new();
        if !ticked.notes.is_empty() {
            news.push(News::Notes(ticked.notes.clone()));
        }
        match ticked.escape {
            Some(Escape::Purge) => purge(),
            Some(Escape::Recycle) => news.push(News::Recycle),
            None => {}
        }
        for item in news {
            if self.news.try_send(item).is_err() {
                counter!("zerogate_monitor_news_dropped_total").increment(1);
            }
        }
    }

    /// Waits until the time for the next look; in between, answers that change
    /// by the mere passing of time are looked at again. Whether to stop.
    fn wait(&self, until: Duration, stop: &Stop) -> bool {
        loop {
            let now = self.means.gate.now();
            let sooner = self.means.gate.changes_at().filter(|at| *at < until);
            let wake = sooner.unwrap_or(until);
            if stop.wait(wake.saturating_sub(now)) {
                return true;
            }
            if sooner.is_none() {
                return false;
            }
            self.means.gate.look_again();
        }
    }
}

/// Writes down what changed.
fn tell(ticked: &Ticked) {
    for transition in &ticked.transitions {
        let resource = transition.resource.map_or("overall", |it| it.as_str());
        let (from, to) = (transition.from, transition.to);
        info!(resource, %from, %to, "the level changed");
    }
    switched(&ticked.features);
    for effect in &ticked.effects {
        debug!(?effect, "what switching a feature off has freed");
    }
}

/// Writes down which features changed sides.
pub(crate) fn switched(changes: &[Change]) {
    for change in changes.iter().filter(|change| change.was != change.enabled) {
        let Change {
            feature,
            enabled,
            reason,
            ..
        } = change;
        info!(feature, enabled, reason, "a feature was switched");
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes stay below 2^53")]
fn measure(ticked: &Ticked, gate: &ResourceGate) {
    gauge!("zerogate_worker_level").set(f64::from(ticked.level.rank()));
    gauge!("zerogate_worker_health").set(ticked.health);
    let report = gate.report();
    gauge!("zerogate_memory_used_bytes").set(report.memory.used as f64);
    gauge!("zerogate_memory_limit_bytes").set(report.memory.limit as f64);
    gauge!("zerogate_memory_reserved_bytes").set(report.memory.reserved as f64);
    if let Some(cpu) = report.cpu.utilisation {
        gauge!("zerogate_cpu_utilisation_ratio").set(cpu);
    }
    for feature in &report.features {
        let enabled = f64::from(u8::from(feature.enabled));
        gauge!("zerogate_feature_enabled", "feature" => feature.name.clone()).set(enabled);
    }
    for effect in &ticked.effects {
        let freed = effect.bytes_before.saturating_sub(effect.bytes_after);
        gauge!("zerogate_feature_effect_bytes", "feature" => effect.feature.clone())
            .set(freed as f64);
    }
    if let Some(cpu) = source::thread_cpu() {
        gauge!("zerogate_monitor_cpu_seconds").set(cpu.as_secs_f64());
    }
}

/// Resident memory of this process in bytes; 0 where the system does not tell.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split_whitespace().nth(1);
    let pages: u64 = pages.and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * u64::try_from(rustix::param::page_size()).unwrap_or(4096)
}

/// Asks the allocator to give freed memory back to the system.
fn purge() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        info!("the gate is shut with nothing in flight; freed memory is given back");
        #[expect(
            unsafe_code,
            reason = "the C library's allocator has no safe interface"
        )]
        // SAFETY: takes and gives nothing but a number, at any time, from any thread.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}
