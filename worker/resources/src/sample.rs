//! What a source reads at one moment, and what two readings measure.
//!
//! Invariant: plain data. [`RawSample`] holds counters as the system gives
//! them; what cannot be read is `None`, never zero. [`Measured`] holds ratios
//! (0 to 1, sometimes above) and bytes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One reading of everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawSample {
    /// When, since the worker's start, by a monotonic clock.
    pub at: Duration,
    /// The machine's memory; `None` where the system does not tell.
    pub host: Option<HostMemory>,
    /// The memory control groups of this process: its own first, then each
    /// ancestor up to the root of the hierarchy that holds the memory
    /// controller. Empty where there are none.
    pub groups: Vec<MemoryGroup>,
    /// Some level of the hierarchy exists and could not be read: no limit is
    /// known for sure.
    pub unreadable: bool,
    /// Processor time and what there is of it.
    pub cpu: CpuReading,
    /// How often the group was held back by its quota.
    pub throttle: Option<Throttle>,
    /// Stalls for want of memory, of the group or else of the machine.
    pub memory_pressure: Option<Pressure>,
    /// Stalls for want of input and output.
    pub io_pressure: Option<Pressure>,
    /// How late a heartbeat of 20 ms came, 99th percentile of the last second.
    pub lateness_p99: Option<Duration>,
    /// The file system of the work folder.
    pub disk: Option<Disk>,
    /// Processes of the group that the kernel ended for want of memory, since
    /// the group exists.
    pub oom_kills: Option<u64>,
}

/// The machine's memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostMemory {
    /// All of it.
    pub total: u64,
    /// What could be had without swapping, as the kernel estimates it.
    pub available: u64,
}

/// One memory control group, in bytes. Figures that a version of control
/// groups does not have are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryGroup {
    /// `memory.max` or `memory.limit_in_bytes`, as read; `None` for `max`.
    pub limit: Option<u64>,
    /// `memory.high`; `None` for `max`, and on version 1.
    pub high: Option<u64>,
    /// Everything charged to the group: `memory.current`; on version 1 the sum
    /// of `total_rss`, `total_cache` and kernel memory (its usage counter is
    /// fuzzy).
    pub current: u64,
    /// Anonymous memory without tmpfs (`anon`; version 1 `total_rss`).
    pub anon: u64,
    /// tmpfs and shared memory.
    pub shmem: u64,
    /// Page cache that was used lately.
    pub active_file: u64,
    /// Page cache that was not.
    pub inactive_file: u64,
    /// Page cache to be written back before it is free.
    pub file_dirty: u64,
    /// Page cache that is being written back.
    pub file_writeback: u64,
    /// Kernel caches that can be given up.
    pub slab_reclaimable: u64,
}

/// Processor time, as counters, and what there is of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuReading {
    /// Used by the group (or, without one, by this process), since whenever.
    pub used: Option<Duration>,
    /// The machine's processors, not idle (steal excluded), summed over them.
    pub host_busy: Option<Duration>,
    /// All time of the machine's processors, summed over them.
    pub host_total: Option<Duration>,
    /// Processors that this process may run on; 0 where unknown.
    pub affinity: u32,
    /// Quotas in cores, the own group's and each ancestor's that has one.
    pub quotas: Vec<f64>,
}

/// Counters of the processor quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Throttle {
    /// Periods in which the group wanted to run.
    pub periods: u64,
    /// Of those, the ones in which it was held back.
    pub throttled: u64,
    /// For how long.
    pub throttled_for: Duration,
}

/// One pressure file (PSI).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pressure {
    /// Time in which some task stalled, a counter.
    pub some_total: Duration,
    /// Time in which all tasks stalled at once, a counter.
    pub full_total: Duration,
    /// Share of the last 10 s in which some task stalled, 0 to 1.
    pub some_avg10: f64,
    /// The same of the last 60 s.
    pub some_avg60: f64,
    /// Share of the last 10 s in which all tasks stalled, 0 to 1.
    pub full_avg10: f64,
}

/// A file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Disk {
    /// Its size in bytes, without what is reserved for the superuser and free.
    pub bytes_total: u64,
    /// Bytes that an ordinary user may still take.
    pub bytes_free: u64,
    /// Its inodes; 0 where it does not count them.
    pub inodes_total: u64,
    /// Inodes that are free.
    pub inodes_free: u64,
}

/// What two consecutive samples say: the input of every decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measured {
    /// When the later sample was taken.
    pub at: Duration,
    /// The effective memory limit in bytes: the least of the machine's memory
    /// and every usable limit of an own or ancestor group.
    pub limit: u64,
    /// Unreclaimable memory in bytes, scaled to `limit`: `memory * limit`.
    pub used: u64,
    /// Use of memory as a share of the tightest limit (own, ancestor or
    /// machine), 0 to 1.
    pub memory: f64,
    /// Effective processors, fractional under a quota.
    pub cores: f64,
    /// Use of processors as a share of `cores`, over at least one second;
    /// `None` before there are two readings.
    pub cpu: Option<f64>,
    /// Share of the last two seconds in which some task stalled for memory.
    pub memory_some: Option<f64>,
    /// The same for all tasks at once.
    pub memory_full: Option<f64>,
    /// The kernel's own averages of `memory_some` over 10 s and 60 s.
    pub memory_some_avg: Option<(f64, f64)>,
    /// Share of the last two seconds in which all tasks stalled for input and
    /// output.
    pub io_full: Option<f64>,
    /// Share of quota periods in which the group was held back, over 5 s.
    pub throttled: Option<f64>,
    /// 99th percentile of the heartbeat's lateness in the last second.
    pub lateness_p99: Option<Duration>,
    /// Use of the disk: the worse of bytes and inodes, 0 to 1.
    pub disk: Option<f64>,
    /// Bytes that are free on it, and its size.
    pub disk_bytes: Option<(u64, u64)>,
    /// Kills for want of memory since the sample before.
    pub oom_kills: u64,
    /// The limits are known. If not, `limit` is the tightest that could be read,
    /// at most the machine's, and only cautious decisions may be taken on it.
    pub known: bool,
}
