//! What a run on a thread of this process costs: memory at its peak, and
//! processor time.
//!
//! A program that wants peaks of its in-process runs names the counting
//! allocator once, in its `main.rs`:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: zerogate_worker::account::Counting = zerogate_worker::account::Counting;
//! ```
//!
//! Without it such runs have processor time only, and the gate goes by what
//! the whole process measures.
//!
//! Invariant: counting never allocates, never locks and never fails; it costs
//! two additions on the thread's own data.
//!
//! Deliberately absent: memory that a run's own further threads take, and
//! memory that is given back by another thread than the one that took it. The
//! measured use of the whole process covers both.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    hint::black_box,
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// The system's allocator, which counts what each thread holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counting;

/// Bytes that a thread took and did not give back, now and at most.
#[derive(Clone, Copy)]
struct Balance {
    now: i64,
    peak: i64,
}

thread_local! {
    static BALANCE: Cell<Balance> = const { Cell::new(Balance { now: 0, peak: 0 }) };
}

fn took(bytes: usize) {
    add(i64::try_from(bytes).unwrap_or(i64::MAX));
}

fn gave_back(bytes: usize) {
    add(i64::try_from(bytes).map_or(i64::MIN, |bytes| -bytes));
}

fn add(bytes: i64) {
    // A thread that is ending may still free: its balance interests nobody.
    BALANCE
        .try_with(|balance| {
            let Balance { now, peak } = balance.get();
            let now = now.saturating_add(bytes);
            let peak = peak.max(now);
            balance.set(Balance { now, peak });
        })
        .ok();
}

#[expect(
    unsafe_code,
    reason = "an allocator cannot be written without; every call goes to the system's allocator unchanged"
)]
// SAFETY: the blocks are the system allocator's own, with the layouts given;
// counting touches a thread-local cell that needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        gave_back(layout.size());
        took(size);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        gave_back(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

/// What work on one thread cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Bytes at the peak, above what the thread held before; `None` if the
    /// program does not count.
    pub(crate) peak_bytes: Option<u64>,
    /// Processor time of the thread.
    pub(crate) cpu: Duration,
}

/// Runs `work` on this thread and says what it cost, also if it panics.
pub(crate) fn measured<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let counts = counts();
    let before = BALANCE.get().now;
    BALANCE.set(Balance {
        now: before,
        peak: before,
    });
    let cpu = thread_cpu();
    let outcome = work();
    let peak = BALANCE.get().peak.saturating_sub(before);
    let cost = Cost {
        peak_bytes: counts.then(|| u64::try_from(peak).unwrap_or(0)),
        cpu: thread_cpu().saturating_sub(cpu),
    };
    (outcome, cost)
}

/// What the async part of a run holds, over all its polls.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    now: i64,
    peak: i64,
}

impl Held {
    /// Polls once and adds what that took.
    pub(crate) fn polled<T>(&mut self, poll: impl FnOnce() -> T) -> T {
        let before = BALANCE.get().now;
        BALANCE.set(Balance {
            now: before,
            peak: before,
        });
        let outcome = poll();
        let after = BALANCE.get();
        self.peak = self.peak.max(self.now + (after.peak - before));
        self.now += after.now - before;
        outcome
    }

    /// The peak so far in bytes; `None` if the program does not count.
    pub(crate) fn peak(&self) -> Option<u64> {
        counts().then(|| u64::try_from(self.peak).unwrap_or(0))
    }
}

/// Whether this program's allocator counts.
fn counts() -> bool {
    let before = BALANCE.get().now;
    let probe = black_box(Box::new(0u8));
    let counted = BALANCE.get().now != before;
    drop(probe);
    counted
}

fn thread_cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_counts_what_was_held_at_once_and_not_what_was_taken_in_all() {
        // This test program names no allocator: the counting is asked directly.
        let ((), cost) = measured(|| {
            for _ in 0..10 {
                took(1000);
                took(500);
                gave_back(1000);
                gave_back(500);
            }
            took(200);
        });
        assert_eq!(cost.peak_bytes, None, "nobody counts here");
        let before = BALANCE.get();
        assert!((before.peak - before.now) >= 1300, "1500 at once, 200 left");
    }

    #[test]
    fn processor_time_is_that_of_this_thread() {
        let (_, cost) = measured(|| (0..3_000_000u64).fold(0, |a, b| black_box(a ^ b)));
        assert!(cost.cpu > Duration::ZERO && cost.cpu < Duration::from_secs(20));
    }
}
