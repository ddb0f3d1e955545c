//! The machine as a portable library sees it.
//!
//! Invariant: knows no limit below the machine's. Where control groups exist
//! and could not be found, it says that a level is unreadable. Counters of
//! processor time are made of the library's percentages, which are only true
//! over a time of its own choice.

use std::{num::NonZero, time::Duration};

use sysinfo::{MINIMUM_CPU_UPDATE_INTERVAL, MemoryRefreshKind, System};

use super::{Aides, Description, Error, Kind, SampleSource, cgroups::process_cpu};
use crate::sample::{CpuReading, HostMemory, RawSample};

/// Asks the portable library.
#[derive(Debug)]
pub struct SysinfoHost {
    system: System,
    hidden: bool,
    cores: u32,
    /// When processors were asked last. The first answer is meaningless.
    asked: Option<Duration>,
    /// Busy and all time so far, of all processors.
    counted: Option<(Duration, Duration)>,
    aides: Aides,
}

impl SysinfoHost {
    /// A source for this machine. `hidden` says that there may be limits which
    /// it cannot see.
    pub fn new(hidden: bool) -> Result<Self, Error> {
        let system = System::new().map_err(|error| Error::System(error.to_string()))?;
        let cores = std::thread::available_parallelism().map_or(0, NonZero::get);
        Ok(Self {
            system,
            hidden,
            cores: u32::try_from(cores).unwrap_or(u32::MAX),
            asked: None,
            counted: None,
            aides: Aides::default(),
        })
    }

    /// Adds what is watched on threads.
    #[must_use]
    pub fn with_aides(mut self, aides: Aides) -> Self {
        self.aides = aides;
        self
    }

    fn count(&mut self, at: Duration) {
        let Some(asked) = self.asked else {
            self.system.refresh_cpu_usage();
            self.asked = Some(at);
            return;
        };
        let passed = at.saturating_sub(asked);
        // Asked sooner, it repeats its last answer.
        if passed < MINIMUM_CPU_UPDATE_INTERVAL {
            return;
        }
        self.system.refresh_cpu_usage();
        self.asked = Some(at);
        let cores = u32::try_from(self.system.cpus().len()).unwrap_or(u32::MAX);
        let share = f64::from(self.system.global_cpu_usage() / 100.0);
        if share.is_finite() {
            let all = passed * cores;
            let (busy, total) = self.counted.unwrap_or_default();
            self.counted = Some((busy + all.mul_f64(share.clamp(0.0, 1.0)), total + all));
        }
    }
}

impl SampleSource for SysinfoHost {
    fn sample(&mut self, at: Duration) -> Result<RawSample, Error> {
        self.system
            .refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        self.count(at);
        let total = self.system.total_memory();
        let (host_busy, host_total) = self.counted.unzip();
        Ok(RawSample {
            at,
            host: (total > 0).then(|| HostMemory {
                total,
                available: self.system.available_memory(),
            }),
            unreadable: self.hidden,
            cpu: CpuReading {
                used: process_cpu(),
                host_busy,
                host_total,
                affinity: self.cores,
                quotas: Vec::new(),
            },
            lateness_p99: self.aides.lateness(),
            disk: self.aides.disk(),
            ..RawSample::default()
        })
    }

    fn describe(&self) -> Description {
        Description {
            kind: Kind::Host,
            memory: Vec::new(),
            cpu: Vec::new(),
            pressure: None,
            hidden: self.hidden,
        }
    }
}
