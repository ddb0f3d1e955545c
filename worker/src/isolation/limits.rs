//! What a child may use in one run, and what it used: limits and readings of its own process.
//!
//! Invariant: limits and counters of a process live as long as the process; here they are set and read against what
//! was used before, so that every run has its own. Only soft limits move: a hard one could not be raised again.

use std::{fs, time::Duration};

use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};

/// Standard streams, a run's inputs and outputs, and the files in `/proc`.
const FILES_MAX: u64 = 64;
/// A file may pass its cap by one write buffer before its writer notices; only then the kernel ends the process.
const FILE_SLACK: u64 = 1 << 20;

/// Set once, at the start of a child: few files, no core dumps (they would hold payload).
pub(super) fn for_life() {
    lower(Resource::Core, 0);
    lower(Resource::Nofile, FILES_MAX);
}

/// Limits for the run that begins: memory and processor time on top of what the process uses now.
pub(super) fn begin(memory_bytes: u64, cpu_seconds: u64, output_bytes: u64) {
    let size = memory().map_or(0, |memory| memory.size);
    lower(Resource::As, size.saturating_add(memory_bytes));
    let used = cpu();
    let used = used.as_secs() + u64::from(used.subsec_nanos() > 0);
    lower(Resource::Cpu, used.saturating_add(cpu_seconds));
    lower(Resource::Fsize, output_bytes.saturating_add(FILE_SLACK));
}

/// Takes the run's limits away, so that the child can receive the next order.
pub(super) fn end() {
    for resource in [Resource::As, Resource::Cpu, Resource::Fsize] {
        lower(resource, u64::MAX);
    }
}

/// Sets a soft limit, at most to the hard one. A system that refuses goes without: the worker's own bounds remain.
fn lower(resource: Resource, to: u64) {
    let Rlimit { maximum, .. } = getrlimit(resource);
    let current = maximum.map_or(to, |maximum| maximum.min(to));
    let current = (current < u64::MAX).then_some(current);
    setrlimit(resource, Rlimit { current, maximum }).ok();
}

/// Processor time of this process so far.
pub(super) fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

/// Lets the kernel forget the highest resident size so far.
pub(super) fn forget_peak() {
    // Where the system cannot (no procfs), a peak is that of the process and errs to the safe side.
    fs::write("/proc/self/clear_refs", "5").ok();
}

/// What a process has in memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// Address space.
    pub(super) size: u64,
    /// Resident.
    pub(super) resident: u64,
    /// Highest resident.
    pub(super) peak: u64,
}

/// The figures of this process.
pub(super) fn memory() -> Option<Memory> {
    fs::read_to_string("/proc/self/status")
        .ok()
        .map(|text| parse(&text))
}

/// The figures of another process; `None` when it is gone or the system does not tell.
pub(super) fn memory_of(pid: u32) -> Option<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(parse(&text))
}

/// Processor time of another process, also of one that died and was not waited for. Ticks of 10 ms.
pub(super) fn cpu_of(pid: u32) -> Option<Duration> {
    /// `USER_HZ`, the same on every Linux that Rust supports.
    const TICK_MS: u64 = 10;
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; the fields after it are counted from the third.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * TICK_MS))
}

fn parse(status: &str) -> Memory {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse::<u64>().ok())
            .map_or(0, |kib| kib * 1024)
    };
    Memory {
        size: field("VmSize:"),
        resident: field("VmRSS:"),
        peak: field("VmHWM:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_figures_are_read() {
        let text =
            "Name:\tVmRSS: 1 kB\nVmSize:\t    2048 kB\nVmHWM:\t      12 kB\nVmRSS:\t       8 kB\n";
        let expected = Memory {
            size: 2 << 20,
            resident: 8192,
            peak: 12 << 10,
        };
        assert_eq!(parse(text), expected);
        assert_eq!(parse(""), Memory::default());
        let own = std::process::id();
        assert!(memory_of(own).unwrap().peak >= memory_of(own).unwrap().resident / 2);
        assert!(cpu_of(own).is_some() && cpu() > Duration::ZERO);
    }
}
