//! What the process and the machine use: for heartbeats.
//!
//! Invariant: looks at this process alone; a look costs a few file reads.

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Reads the figures of this process.
pub(crate) struct Vitals {
    /// `None` where the system does not tell.
    system: Option<System>,
    own: Option<Pid>,
}

/// One reading.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    pub(crate) memory_bytes: u64,
    pub(crate) memory_total_bytes: u64,
    /// Since the reading before.
    pub(crate) cpu_cores: f64,
}

impl Vitals {
    pub(crate) fn new() -> Self {
        let mut system = System::new().ok();
        if let Some(system) = &mut system {
            system.refresh_memory();
        }
        Self {
            system,
            own: sysinfo::get_current_pid().ok(),
        }
    }

    pub(crate) fn read(&mut self) -> Reading {
        let (Some(system), Some(own)) = (&mut self.system, self.own) else {
            return Reading::default();
        };
        let what = ProcessRefreshKind::nothing().with_memory().with_cpu();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), true, what);
        let process = system.process(own);
        Reading {
            memory_bytes: process.map_or(0, sysinfo::Process::memory),
            memory_total_bytes: system.total_memory(),
            cpu_cores: process.map_or(0.0, |p| f64::from(p.cpu_usage()) / 100.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory() {
        let reading = Vitals::new().read();
        assert!(reading.memory_bytes > 0);
        assert!(reading.memory_total_bytes > reading.memory_bytes);
    }
}
