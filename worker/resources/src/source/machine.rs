//! The machine as `/proc` shows it.

use std::time::Duration;

use super::{
    file::{Buffer, Watched},
    place::{Root, Subject},
};
use crate::sample::HostMemory;

/// `/proc/stat` counts in hundredths of a second on every architecture that is
/// still built (`USER_HZ`); ratios do not depend on it.
const TICK_MILLIS: u64 = 10;

/// The files of the machine; each may be absent.
#[derive(Debug)]
pub(super) struct Machine {
    meminfo: Option<Watched>,
    stat: Option<Watched>,
    status: Option<Watched>,
}

impl Machine {
    pub(super) fn open(root: &Root, subject: &Subject) -> Self {
        let file = |path: &str| Watched::open(root.join(path)).ok();
        Self {
            meminfo: file("/proc/meminfo"),
            stat: file("/proc/stat"),
            status: file(&format!("{}/status", subject.proc())),
        }
    }

    pub(super) fn memory(&self, buffer: &mut Buffer) -> Option<HostMemory> {
        let text = self.meminfo.as_ref()?.read(buffer).ok()?;
        let (mut total, mut available) = (None, None);
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            match key {
                "MemTotal" => total = kib(value),
                "MemAvailable" => available = kib(value),
                _ => {}
            }
            if total.is_some() && available.is_some() {
                break;
            }
        }
        Some(HostMemory {
            total: total?,
            available: available?,
        })
    }

    /// Busy and all time of the processors together.
    pub(super) fn cpu(&self, buffer: &mut Buffer) -> Option<(Duration, Duration)> {
        let text = self.stat.as_ref()?.read(buffer).ok()?;
        let line = text.lines().next()?.strip_prefix("cpu ")?;
        // user nice system idle iowait irq softirq steal; what follows is part
        // of user and nice.
        let mut ticks = [0_u64; 8];
        for (tick, word) in ticks.iter_mut().zip(line.split_whitespace()) {
            *tick = word.parse().ok()?;
        }
        let [user, nice, system, _, _, irq, softirq, _] = ticks;
        let sum = |parts: &[u64]| {
            let ticks = parts
                .iter()
                .fold(0_u64, |sum, part| sum.saturating_add(*part));
            Duration::from_millis(ticks.saturating_mul(TICK_MILLIS))
        };
        Some((sum(&[user, nice, system, irq, softirq]), sum(&ticks)))
    }

    /// How many processors the process may run on.
    pub(super) fn affinity(&self, buffer: &mut Buffer) -> Option<u32> {
        let text = self.status.as_ref()?.read(buffer).ok()?;
        let list = text
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        list.trim().split(',').map(range).sum()
    }
}

/// `3` or `0-7`.
fn range(text: &str) -> Option<u32> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
    last.checked_sub(first)?.checked_add(1)
}

/// `  24684084 kB`, in bytes.
fn kib(text: &str) -> Option<u64> {
    let number: u64 = text.trim().strip_suffix(" kB")?.parse().ok()?;
    number.checked_mul(1024)
}
