//! How late things run: a thread that sleeps 20 ms and looks at the clock.
//!
//! The one figure that tells the truth about processor time whatever quotas,
//! neighbours and hypervisors there are: work that is ready waits this long.
//!
//! Invariant: reading never waits. A beat that is overdue right now counts
//! already, or a frozen process would look calm. The thread ends with it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{JoinHandle, park_timeout},
    time::{Duration, Instant},
};

use super::Error;

/// Often enough for fifty beats a second, seldom enough to cost nothing.
const BEAT: Duration = Duration::from_millis(20);

/// Over how long the percentile is taken.
const WINDOW: Duration = Duration::from_secs(1);

/// Beats in a window without any lateness.
const BEATS: usize = 50;

/// No percentile yet.
const UNKNOWN: u64 = u64::MAX;

/// Beats until it is dropped.
#[derive(Debug)]
pub struct Heartbeat {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    start: Instant,
    stop: AtomicBool,
    /// Nanoseconds, of the last complete window.
    p99: AtomicU64,
    /// When the next beat should be, in nanoseconds since the start.
    due: AtomicU64,
}

impl Heartbeat {
    /// Starts to beat.
    pub fn start() -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            start: Instant::now(),
            stop: AtomicBool::new(false),
            p99: AtomicU64::new(UNKNOWN),
            due: AtomicU64::new(nanos(BEAT)),
        });
        let its = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("heartbeat".to_owned())
            .spawn(move || run(&its))
            .map_err(|error| Error::Thread {
                what: "processor",
                error,
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// The 99th percentile of the last second's lateness, or how late the next
    /// beat is already, if that is more. `None` in the first second.
    #[must_use]
    pub fn lateness_p99(&self) -> Option<Duration> {
        // Independent numbers: no order between them is needed.
        let p99 = self.shared.p99.load(Ordering::Relaxed);
        let due = Duration::from_nanos(self.shared.due.load(Ordering::Relaxed));
        let overdue = self.shared.start.elapsed().saturating_sub(due);
        (p99 != UNKNOWN).then(|| Duration::from_nanos(p99).max(overdue))
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It cannot panic, and there is nothing to be done if it did.
            drop(thread.join());
        }
    }
}

fn run(shared: &Shared) {
    let mut latenesses = Vec::with_capacity(BEATS);
    let mut window = Duration::ZERO;
    loop {
        let due = shared.start.elapsed() + BEAT;
        shared.due.store(nanos(due), Ordering::Relaxed);
        // May wake early, by an unpark or for no reason.
        loop {
            let now = shared.start.elapsed();
            if shared.stop.load(Ordering::Relaxed) {
                return;
            }
            if now >= due {
                latenesses.push(now - due);
                break;
            }
            park_timeout(due - now);
        }
        let now = shared.start.elapsed();
        if now - window >= WINDOW {
            let p99 = p99(&mut latenesses).map_or(UNKNOWN, nanos);
            shared.p99.store(p99, Ordering::Relaxed);
            latenesses.clear();
            window = now;
        }
    }
}

/// The nearest rank.
fn p99(latenesses: &mut [Duration]) -> Option<Duration> {
    let rank = (latenesses.len() * 99).div_ceil(100).checked_sub(1)?;
    let (_, lateness, _) = latenesses.select_nth_unstable(rank);
    Some(*lateness)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(UNKNOWN - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentile_is_the_nearest_rank() {
        let mut none: [Duration; 0] = [];
        assert_eq!(p99(&mut none), None);
        let mut beats: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(p99(&mut beats), Some(Duration::from_millis(198)));
        assert_eq!(p99(&mut beats[..50]), beats[..50].iter().max().copied());
    }

    #[test]
    fn it_beats_and_stops() {
        let heart = Heartbeat::start().unwrap();
        assert_eq!(heart.lateness_p99(), None);
        let end = Instant::now() + Duration::from_secs(30);
        while heart.lateness_p99().is_none() {
            assert!(Instant::now() < end, "no second passed");
            park_timeout(BEAT);
        }
        let shared = Arc::clone(&heart.shared);
        drop(heart);
        // The thread's share is gone with the thread.
        assert_eq!(Arc::strong_count(&shared), 1);
    }

    #[test]
    fn a_beat_that_is_overdue_counts_already() {
        let heart = Heartbeat {
            shared: Arc::new(Shared {
                start: Instant::now()
                    .checked_sub(Duration::from_secs(5))
                    .expect("this machine has been up for five seconds"),
                stop: AtomicBool::new(false),
                p99: AtomicU64::new(7),
                due: AtomicU64::new(nanos(Duration::from_secs(2))),
            }),
            thread: None,
        };
        assert!(heart.lateness_p99().unwrap() >= Duration::from_secs(3));
    }
}
