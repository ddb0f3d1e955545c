//! The file system of the work folder, asked on a thread of its own.
//!
//! A network disk that does not answer blocks whoever asks, for ever and in the
//! kernel. Here that is this thread, and the sampler sees "unknown" after two
//! seconds.
//!
//! Invariant: [`DiskWatch::latest`] never waits. Dropping the watch ends its
//! thread; only a thread that a hanging disk keeps in the kernel is left
//! behind, as nothing in the process can end it, and it goes by itself when the
//! disk answers.

use std::{
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::fs::statvfs;

use super::Error;
use crate::sample::Disk;

/// Disks of workers fill over minutes.
const PERIOD: Duration = Duration::from_secs(10);

/// A local file system answers within microseconds, a healthy remote one within
/// milliseconds: after two seconds it hangs.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Asks a file system how full it is; `None` when it does not say.
pub type Probe = Box<dyn FnMut() -> Option<Disk> + Send>;

/// Watches one file system until it is dropped.
#[derive(Debug)]
pub struct DiskWatch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    timeout: Duration,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    latest: Option<Disk>,
    /// When the question was asked that is not answered yet.
    asked: Option<Instant>,
    stop: bool,
    ended: bool,
}

impl Shared {
    /// The state is consistent between any two statements.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DiskWatch {
    /// Watches the file system on which this folder is.
    pub fn of(folder: &Path) -> Result<Self, Error> {
        let folder = folder.to_owned();
        Self::start(Box::new(move || ask(&folder)), PERIOD, TIMEOUT)
    }

    /// Asks with `probe` every `period`; an answer that takes longer than
    /// `timeout` is unknown until it comes.
    pub fn start(probe: Probe, period: Duration, timeout: Duration) -> Result<Self, Error> {
        let shared = Arc::new(Shared::default());
        let its = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("disk-watch".to_owned())
            .spawn(move || run(&its, probe, period))
            .map_err(|error| Error::Thread {
                what: "disk",
                error,
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
            timeout,
        })
    }

    /// What the file system said last; `None` before its first answer, after an
    /// error and while it hangs.
    #[must_use]
    pub fn latest(&self) -> Option<Disk> {
        let state = self.shared.state();
        let hangs = state
            .asked
            .is_some_and(|asked| asked.elapsed() >= self.timeout);
        state.latest.filter(|_| !hangs)
    }
}

impl Drop for DiskWatch {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.stop = true;
        self.shared.changed.notify_all();
        let (state, _) = self
            .shared
            .changed
            .wait_timeout_while(state, self.timeout, |state| !state.ended)
            .unwrap_or_else(PoisonError::into_inner);
        let ended = state.ended;
        drop(state);
        if let Some(thread) = self.thread.take().filter(|_| ended) {
            // A probe that panicked has been reported by its panic.
            drop(thread.join());
        }
    }
}

/// Says that the thread is at its end, however it ends.
struct Ending<'s>(&'s Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        (state.ended, state.latest) = (true, None);
        self.0.changed.notify_all();
    }
}

fn run(shared: &Shared, mut probe: Probe, period: Duration) {
    let _ending = Ending(shared);
    let mut state = shared.state();
    while !state.stop {
        state.asked = Some(Instant::now());
        drop(state);
        let answer = probe();
        state = shared.state();
        (state.latest, state.asked) = (answer, None);
        (state, _) = shared
            .changed
            .wait_timeout_while(state, period, |state| !state.stop)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

/// Sizes as `df` counts them: what is reserved for the superuser is neither
/// used nor there.
fn ask(folder: &Path) -> Option<Disk> {
    let answer = statvfs(folder).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(answer.f_frsize);
    let used = answer.f_blocks.saturating_sub(answer.f_bfree);
    Some(Disk {
        bytes_total: bytes(used.saturating_add(answer.f_bavail)),
        bytes_free: bytes(answer.f_bavail),
        inodes_total: answer.f_files,
        inodes_free: answer.f_favail,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    /// A disk that answers when the other end says so.
    fn slow() -> (SyncSender<Option<Disk>>, Receiver<()>, Probe) {
        let (answer, answers) = sync_channel(1);
        let (asked, questions) = sync_channel(8);
        let probe = Box::new(move || {
            asked.send(()).ok()?;
            answers.recv().ok()?
        });
        (answer, questions, probe)
    }

    #[track_caller]
    fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
        let end = Instant::now() + LONG;
        while !holds() {
            assert!(Instant::now() < end, "never: {what}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_hanging_disk_is_unknown_until_it_answers() {
        let (answer, questions, probe) = slow();
        let disk = Disk {
            bytes_total: 10,
            bytes_free: 5,
            ..Disk::default()
        };
        let watch = DiskWatch::start(probe, Duration::ZERO, Duration::from_millis(50)).unwrap();
        questions.recv_timeout(LONG).unwrap();
        assert_eq!(watch.latest(), None);
        answer.send(Some(disk)).unwrap();
        // It is asked again at once, and does not answer: at first the old
        // answer holds, then none.
        questions.recv_timeout(LONG).unwrap();
        eventually("hanging", || watch.latest().is_none());
        answer.send(Some(disk)).unwrap();
        questions.recv_timeout(LONG).unwrap();
        eventually("answered", || watch.latest() == Some(disk));
        answer.send(None).unwrap();
        questions.recv_timeout(LONG).unwrap();
        eventually("an error", || watch.latest().is_none());
        drop(answer);
    }

    #[test]
    fn dropping_it_ends_its_thread() {
        let (answer, questions, probe) = slow();
        let watch = DiskWatch::start(probe, LONG, LONG).unwrap();
        questions.recv_timeout(LONG).unwrap();
        answer.send(None).unwrap();
        drop(watch);
        // The probe, and with it its end of the channel, is gone.
        assert!(answer.send(None).is_err());
    }

    #[test]
    fn dropping_it_does_not_wait_for_a_hanging_disk() {
        let (answer, questions, probe) = slow();
        let watch = DiskWatch::start(probe, Duration::ZERO, Duration::from_millis(10)).unwrap();
        questions.recv_timeout(LONG).unwrap();
        let start = Instant::now();
        drop(watch);
        assert!(start.elapsed() < LONG / 2);
        // When the disk answers at last, the thread goes.
        answer.send(None).unwrap();
        eventually("the thread ends", || {
            answer
                .try_send(None)
                .is_err_and(|error| matches!(error, std::sync::mpsc::TrySendError::Disconnected(_)))
        });
    }

    #[test]
    fn a_real_folder_has_a_size() {
        let folder = tempfile::tempdir().unwrap();
        let disk = ask(folder.path()).unwrap();
        assert!(disk.bytes_total > 0 && disk.bytes_free <= disk.bytes_total);
        assert_eq!(ask(&folder.path().join("missing")), None);
    }
}
