//! One run, as its handler sees it, and the tether by which the worker holds
//! it.
//!
//! Invariant: a run that was asked to stop for one reason keeps that reason;
//! its threads are counted until they end, whatever becomes of the run.
//!
//! A thread cannot be killed. [`Control::blocking`] therefore uses threads of its
//! own instead of the runtime's: one that never ends holds up neither the
//! runtime's shutdown nor the end of the process.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
};

use serde_json::Value;
use shared::model::{FileId, Progress, TaskId};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{HandlerError, shorten};
use crate::{
    account::{Cost, Held, measured},
    builtin::Means,
    files::RunFiles,
    gate::Permit,
    isolation::Usage,
};

/// A recursive handler on a deep document needs more than the 2 MiB default;
/// only touched pages cost memory.
const STACK_BYTES: usize = 8 << 20;
/// Progress is shown in one line.
const PROGRESS_MAX: usize = 200;

/// One run of one task.
#[derive(Debug)]
pub struct Run {
    /// The input, its references replaced by the parents' results.
    pub input: Value,
    /// Which task.
    pub task: TaskId,
    /// The number of this run, from 1.
    pub attempt: u32,
    /// Follows the task through all logs.
    pub correlation_id: String,
    /// When the timeout ends the run.
    pub deadline: Instant,
    /// Whether the expensive optional parts of the work are wished for now:
    /// the feature `advanced_analytics`, decided once for this run. Without
    /// them the result should say what it lacks.
    pub advanced: bool,
    pub(crate) control: Control,
    /// What built-in types have beside that.
    pub(crate) means: Option<Means>,
    pub(crate) files: Option<Arc<RunFiles>>,
}

impl Run {
    /// Says how far the run is: a fraction from 0 to 1, and one short sentence
    /// without payload. Costs next to nothing; shown about once a second.
    pub fn progress(&self, fraction: f64, message: &str) {
        self.control.progress(fraction, message);
    }

    /// Waits until the run is asked to stop. It then has a few seconds to end.
    pub async fn cancelled(&self) {
        self.control.tether.stopped().await;
    }

    /// Where a file lies that the input names by `{"file": id}`: its path, for
    /// as long as the run goes on. Fetched once; waits while the blob store is
    /// away.
    pub async fn file(&self, id: &str) -> Result<PathBuf, HandlerError> {
        self.files()?.file(id).await
    }

    /// Begins a file that belongs to the result: a name to show and a media
    /// type. Its [`finish`](workflows::Sink::finish) gives the link for the
    /// result; it is stored when the run succeeds.
    pub fn create_file(
        &self,
        name: &str,
        media_type: &str,
    ) -> Result<Box<dyn workflows::Sink>, HandlerError> {
        self.files()?.create(name, media_type)
    }

    fn files(&self) -> Result<&RunFiles, HandlerError> {
        let files = self.files.as_deref();
        files.ok_or_else(|| HandlerError::internal("this run has no files"))
    }

    /// The means to watch for a stop and to tell progress, for code that does
    /// not have the run itself.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Like [`Control::blocking`].
    pub async fn blocking<T, F>(&self, work: F) -> Result<T, HandlerError>
    where
        T: Send + 'static,
        F: FnOnce(&Control) -> Result<T, HandlerError> + Send + 'static,
    {
        self.control.blocking(work).await
    }
}

/// What code inside a run may use: watch for a stop, tell progress.
#[derive(Clone)]
pub struct Control {
    tether: Arc<Tether>,
}

impl Control {
    pub(crate) fn new(tether: Arc<Tether>) -> Self {
        Self { tether }
    }

    /// Whether the run is to stop.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.tether.stop.is_cancelled()
    }

    /// Runs work that burns CPU, or blocks, on a thread of its own. The work
    /// should ask [`Control::cancelled`] every few milliseconds: a thread that
    /// goes on after it was told to stop cannot be killed, and too many of
    /// those end the worker.
    pub async fn blocking<T, F>(&self, work: F) -> Result<T, HandlerError>
    where
        T: Send + 'static,
        F: FnOnce(&Control) -> Result<T, HandlerError> + Send + 'static,
    {
        let control = self.clone();
        let counted = Counted::new(&self.tether);
        let (send, receive) = oneshot::channel();
        let span = tracing::Span::current();
        std::thread::Builder::new()
            .name("zg-run".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let asked = AssertUnwindSafe(|| work(&control));
                let (outcome, cost) = measured(|| span.in_scope(|| catch_unwind(asked)));
                control.tether.add_cost(cost);
                drop(counted);
                // Nobody waits any more if the run was given up meanwhile.
                send.send(outcome).ok();
            })
            .map_err(|_| HandlerError::internal("the machine has no thread left for this run"))?;
        match receive.await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(HandlerError::internal("the run's thread vanished")),
        }
    }

    /// Like [`Run::progress`].
    pub fn progress(&self, fraction: f64, message: &str) {
        let mut message = message.to_owned();
        shorten(&mut message, PROGRESS_MAX);
        let fraction = if fraction.is_finite() {
            fraction.clamp(0.0, 1.0)
        } else {
            0.0
        };
        *locked(&self.tether.progress) = Some(Progress { fraction, message });
    }

    /// Says what the run cost, where that is known exactly.
    pub(crate) fn used(&self, usage: Usage) {
        *locked(&self.tether.usage) = Some(usage);
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("cancelled", &self.cancelled())
            .finish_non_exhaustive()
    }
}

/// Why a run was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Why {
    /// Someone cancelled the task.
    Cancelled = 1,
    /// The lease is gone: whatever the run says changes nothing.
    Refused = 2,
    /// The fleet stopped, or the worker drains: the task goes back.
    GivenBack = 3,
    /// The run exceeded its timeout.
    TimedOut = 4,
}

impl Why {
    fn read(raw: u8) -> Option<Self> {
        [
            Self::Cancelled,
            Self::Refused,
            Self::GivenBack,
            Self::TimedOut,
        ]
        .into_iter()
        .find(|why| *why as u8 == raw)
    }
}

/// What worker and run share.
#[derive(Debug, Default)]
pub(crate) struct Tether {
    stop: CancellationToken,
    why: AtomicU8,
    progress: Mutex<Option<Progress>>,
    made: Mutex<Vec<FileId>>,
    usage: Mutex<Option<Usage>>,
    cost: Mutex<Cost>,
    held: Mutex<Held>,
    threads: Mutex<Threads>,
    threads_ended: Notify,
}

#[derive(Debug, Default)]
struct Threads {
    live: usize,
    /// Where the live threads are counted after the run was given up.
    given_up: Option<Arc<AtomicUsize>>,
    /// What goes when the last of them ends.
    kept: Option<Permit>,
}

impl Tether {
    /// Asks the run to stop. The first reason stands.
    pub(crate) fn ask_to_stop(&self, why: Why) {
        let first = self
            .why
            .compare_exchange(0, why as u8, Ordering::AcqRel, Ordering::Acquire);
        if first.is_ok() {
            self.stop.cancel();
        }
    }

    /// Why the run was asked to stop, if it was.
    pub(crate) fn why(&self) -> Option<Why> {
        Why::read(self.why.load(Ordering::Acquire))
    }

    /// Waits until the run is asked to stop.
    pub(crate) async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Notes a file that the run made and that is stored.
    pub(crate) fn note_made(&self, file: FileId) {
        locked(&self.made).push(file);
    }

    /// The stored files that the run made.
    pub(crate) fn made(&self) -> Vec<FileId> {
        locked(&self.made).clone()
    }

    /// What the run cost, once it ended, where that is known exactly: for figures and estimates.
    pub(crate) fn usage(&self) -> Option<Usage> {
        *locked(&self.usage)
    }

    /// A thread of the run ended and cost so much.
    fn add_cost(&self, cost: Cost) {
        let mut sum = locked(&self.cost);
        sum.peak_bytes = sum.peak_bytes.max(cost.peak_bytes);
        sum.cpu += cost.cpu;
    }

    /// What the run cost in this process so far: the highest peak of one of its
    /// threads or of its async part, and the processor time of its threads.
    pub(crate) fn cost(&self) -> Cost {
        let threads = *locked(&self.cost);
        Cost {
            peak_bytes: threads.peak_bytes.max(locked(&self.held).peak()),
            ..threads
        }
    }

    /// Polls the async part of the run.
    pub(crate) fn polled<T>(&self, poll: impl FnOnce() -> T) -> T {
        // Taken out meanwhile: the part may ask what it cost so far.
        let mut held = *locked(&self.held);
        let outcome = held.polled(poll);
        *locked(&self.held) = held;
        outcome
    }

    /// Keeps the room of a run that was given up until its threads end.
    pub(crate) fn keep(&self, permit: Permit) {
        let mut threads = locked(&self.threads);
        if threads.live > 0 {
            threads.kept = permit.abandon();
        }
    }

    /// The progress told since the last question.
    pub(crate) fn take_progress(&self) -> Option<Progress> {
        locked(&self.progress).take()
    }

    /// Puts back progress that could not be passed on, unless there is newer.
    pub(crate) fn keep_progress(&self, progress: Progress) {
        locked(&self.progress).get_or_insert(progress);
    }

    /// Whether there is progress that nobody asked for yet.
    pub(crate) fn has_progress(&self) -> bool {
        locked(&self.progress).is_some()
    }

    /// Whether threads of the run are still going.
    pub(crate) fn has_threads(&self) -> bool {
        locked(&self.threads).live > 0
    }

    /// Waits until no thread of the run is going.
    pub(crate) async fn threads_ended(&self) {
        loop {
            let ended = self.threads_ended.notified();
            if !self.has_threads() {
                return;
            }
            ended.await;
        }
    }

    /// Counts the run as abandoned in `tally` for as long as a thread of it
    /// goes on. `false` if none does.
    pub(crate) fn abandon(&self, tally: &Arc<AtomicUsize>) -> bool {
        let mut threads = locked(&self.threads);
        if threads.live == 0 {
            return false;
        }
        tally.fetch_add(1, Ordering::AcqRel);
        threads.given_up = Some(Arc::clone(tally));
        true
    }
}

/// Counts one thread until it is dropped.
struct Counted(Arc<Tether>);

impl Counted {
    fn new(tether: &Arc<Tether>) -> Self {
        locked(&tether.threads).live += 1;
        Self(Arc::clone(tether))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut threads = locked(&self.0.threads);
        threads.live -= 1;
        if threads.live > 0 {
            return;
        }
        if let Some(tally) = threads.given_up.take() {
            tally.fetch_sub(1, Ordering::AcqRel);
        }
        let kept = threads.kept.take();
        self.0.threads_ended.notify_waiters();
        drop(threads);
        drop(kept);
    }
}

/// The data behind a lock that a panicking thread may have poisoned: every
/// value here is written whole, so it is sound.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run() -> (Run, Arc<Tether>) {
        let tether = Arc::new(Tether::default());
        let run = Run {
            input: json!({}),
            task: TaskId::from_bytes([7; 16]),
            attempt: 1,
            correlation_id: "c-1".into(),
            deadline: Instant::now(),
            advanced: true,
            control: Control::new(Arc::clone(&tether)),
            means: None,
            files: None,
        };
        (run, tether)
    }

    #[tokio::test]
    async fn blocking_work_gives_its_result_and_its_panic() {
        let (run, tether) = run();
        assert_eq!(run.blocking(|_| Ok(7)).await.unwrap(), 7);
        let panicking = AssertUnwindSafe(run.blocking::<(), _>(|_| panic!("on purpose")));
        let panic = futures_util::FutureExt::catch_unwind(panicking).await;
        assert!(panic.is_err());
        tether.threads_ended().await;
        assert!(!tether.has_threads());
    }

    #[tokio::test]
    async fn an_abandoned_thread_is_counted_until_it_ends() {
        let (run, tether) = run();
        let tally = Arc::new(AtomicUsize::new(0));
        let (release, held) = std::sync::mpsc::sync_channel::<()>(0);
        let work = run.blocking(move |_| {
            held.recv().ok();
            Ok(())
        });
        let given_up = tokio::time::timeout(std::time::Duration::from_millis(20), work).await;
        assert!(given_up.is_err() && tether.abandon(&tally));
        assert_eq!(tally.load(Ordering::Acquire), 1);
        drop(release);
        tether.threads_ended().await;
        assert_eq!(tally.load(Ordering::Acquire), 0);
        assert!(!tether.abandon(&tally), "nothing is left to abandon");
    }

    #[tokio::test]
    async fn the_first_reason_to_stop_stands() {
        let (run, tether) = run();
        tether.ask_to_stop(Why::Cancelled);
        tether.ask_to_stop(Why::GivenBack);
        run.cancelled().await;
        assert_eq!(tether.why(), Some(Why::Cancelled));
    }

    #[test]
    fn progress_is_kept_in_range_and_taken_once() {
        let (run, tether) = run();
        run.progress(f64::NAN, &"x".repeat(1000));
        let told = tether.take_progress().unwrap();
        assert!(told.fraction.abs() < f64::EPSILON && told.message.len() <= PROGRESS_MAX);
        assert!(tether.take_progress().is_none());
        tether.keep_progress(told.clone());
        assert!(
            tether.has_progress(),
            "what was not passed on is told again"
        );
        run.progress(1.0, "newer");
        tether.keep_progress(told);
        assert_eq!(tether.take_progress().unwrap().message, "newer");
    }
}
