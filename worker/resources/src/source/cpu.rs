//! Processor time and quotas of control groups, either version.
//!
//! Invariant: throttling is read where the tightest quota is; an ancestor's
//! quota holds this process back as much as its own would.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Every,
    file::{Buffer, Watched, fields},
    place::Place,
};
use crate::sample::Throttle;

/// Counters of a quota move every 100 ms: every five seconds says enough.
const THROTTLE_EVERY: Duration = Duration::from_secs(5);

/// The files of processor time and quotas.
#[derive(Debug)]
pub(super) struct Cpu {
    usage: Option<Usage>,
    levels: Vec<Quota>,
    /// The quotas in cores, as last read.
    quotas: Vec<f64>,
    tightest: usize,
    throttle: Option<Throttle>,
    throttle_due: Every,
}

#[derive(Debug)]
enum Usage {
    /// `cpuacct.usage`, nanoseconds.
    V1(Watched),
    /// `cpu.stat`, `usage_usec`.
    V2(Watched),
}

/// The quota of one group.
#[derive(Debug)]
struct Quota {
    folder: PathBuf,
    quota: Watched,
    /// Version 1 keeps the period in a file of its own.
    period: Option<Watched>,
    stat: Option<Watched>,
}

impl Cpu {
    pub(super) fn open(place: &Place) -> Self {
        let own = |folders: &[PathBuf], name: &str| {
            let path = folders.first()?.join(name);
            Watched::open(path).ok()
        };
        let usage = own(place.cpuacct.folders(), "cpuacct.usage")
            .map(Usage::V1)
            .or_else(|| own(place.unified.folders(), "cpu.stat").map(Usage::V2));
        let v1 = place
            .cpu
            .folders()
            .iter()
            .filter_map(|level| Quota::v1(level));
        let v2 = place
            .unified
            .folders()
            .iter()
            .filter_map(|level| Quota::v2(level));
        Self {
            usage,
            levels: v1.chain(v2).collect(),
            quotas: Vec::new(),
            tightest: 0,
            throttle: None,
            throttle_due: Every::new(THROTTLE_EVERY),
        }
    }

    pub(super) fn folders(&self) -> Vec<PathBuf> {
        self.levels
            .iter()
            .map(|level| level.folder.clone())
            .collect()
    }

    /// Processor time of the group and those below it.
    pub(super) fn used(&self, buffer: &mut Buffer) -> Option<Duration> {
        match self.usage.as_ref()? {
            Usage::V1(file) => file.number(buffer).ok().map(Duration::from_nanos),
            Usage::V2(file) => fields(file.read(buffer).ok()?)
                .find(|(key, _)| *key == "usage_usec")
                .map(|(_, micros)| Duration::from_micros(micros)),
        }
    }

    /// The quotas in cores. A quota that cannot be read is left out: without
    /// it, work is measured against more cores than there are, and the
    /// heartbeat's lateness still tells the truth.
    pub(super) fn quotas(&mut self, refresh: bool, buffer: &mut Buffer) -> &[f64] {
        if refresh {
            self.quotas.clear();
            let mut least = f64::INFINITY;
            self.tightest = 0;
            for (index, level) in self.levels.iter().enumerate() {
                let Ok(Some(cores)) = level.cores(buffer) else {
                    continue;
                };
                if cores < least {
                    (least, self.tightest) = (cores, index);
                }
                self.quotas.push(cores);
            }
        }
        &self.quotas
    }

    /// The counters of the tightest quota; `None` where there is none.
    pub(super) fn throttle(&mut self, at: Duration, buffer: &mut Buffer) -> Option<Throttle> {
        if self.throttle_due.is_due(at) {
            self.throttle = self.read_throttle(buffer);
        }
        self.throttle
    }

    fn read_throttle(&self, buffer: &mut Buffer) -> Option<Throttle> {
        let stat = self.levels.get(self.tightest)?.stat.as_ref()?;
        let mut throttle = Throttle::default();
        let mut seen = false;
        for (key, value) in fields(stat.read(buffer).ok()?) {
            match key {
                "nr_periods" => (throttle.periods, seen) = (value, true),
                "nr_throttled" => throttle.throttled = value,
                "throttled_time" => throttle.throttled_for = Duration::from_nanos(value),
                "throttled_usec" => throttle.throttled_for = Duration::from_micros(value),
                _ => {}
            }
        }
        seen.then_some(throttle)
    }
}

impl Quota {
    fn v1(folder: &Path) -> Option<Self> {
        let file = |name: &str| Watched::open(folder.join(name)).ok();
        Some(Self {
            folder: folder.to_owned(),
            quota: file("cpu.cfs_quota_us")?,
            period: Some(file("cpu.cfs_period_us")?),
            stat: file("cpu.stat"),
        })
    }

    fn v2(folder: &Path) -> Option<Self> {
        let file = |name: &str| Watched::open(folder.join(name)).ok();
        Some(Self {
            folder: folder.to_owned(),
            quota: file("cpu.max")?,
            period: None,
            stat: file("cpu.stat"),
        })
    }

    /// `None` without a quota: `-1` or `max`.
    fn cores(&self, buffer: &mut Buffer) -> io::Result<Option<f64>> {
        let mut parts = self.quota.read(buffer)?.split_whitespace();
        let micros = |text: Option<&str>| text.and_then(|text| text.parse::<f64>().ok());
        let (quota, period) = (micros(parts.next()), micros(parts.next()));
        let period = match &self.period {
            Some(file) => micros(Some(file.read(buffer)?.trim())),
            None => period,
        };
        Ok(quota
            .zip(period)
            .filter(|(quota, period)| *quota > 0.0 && *period > 0.0)
            .map(|(quota, period)| quota / period))
    }
}
