//! What the figures were taken on: processors, memory, kernel, load, date. Reads /proc and asks `uname` and `date`.

use std::fs;
use std::thread;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::process;

/// The machine and the moment.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    /// UTC.
    pub(crate) date: String,
    /// Threads that can run at once.
    pub(crate) cores: usize,
    /// The processor's own name.
    pub(crate) processor: String,
    /// Installed memory, GiB.
    pub(crate) memory_gib: f64,
    /// Release of the kernel.
    pub(crate) kernel: String,
    /// Runnable threads over the minute before the first measurement: a busy neighbour shows here.
    pub(crate) load_average: String,
    /// How the bench itself was built; a debug build is a slow client.
    pub(crate) bench_build: &'static str,
}

impl Machine {
    /// This machine, now; to be asked before the bench makes load of its own.
    pub(crate) fn here() -> Result<Self> {
        let memory = fs::read_to_string("/proc/meminfo")?;
        let kib: f64 = value(&memory, "MemTotal")
            .and_then(|text| text.split_whitespace().next()?.parse().ok())
            .context("/proc/meminfo without MemTotal")?;
        let processors = fs::read_to_string("/proc/cpuinfo")?;
        let load = fs::read_to_string("/proc/loadavg")?;
        Ok(Self {
            date: process::ask("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"])?,
            cores: thread::available_parallelism()?.get(),
            processor: value(&processors, "model name").unwrap_or_default(),
            memory_gib: kib / f64::from(1 << 20),
            kernel: process::ask("uname", &["-r"])?,
            load_average: load
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned(),
            bench_build: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
        })
    }
}

/// The value of the first `name : value` line.
fn value(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_can_be_described() {
        let machine = Machine::here().unwrap();
        assert!(machine.cores > 0 && machine.memory_gib > 0.0);
        assert!(!machine.kernel.is_empty() && machine.date.ends_with('Z'));
    }
}
