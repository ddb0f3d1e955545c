//! Lines of a table made into samples.
//!
//! Invariant: counters only grow: a share of the time since the line before is
//! added to its counter.

use std::time::Duration;

use super::Error;
use crate::{
    capacity::portion,
    sample::{CpuReading, Disk, HostMemory, MemoryGroup, Pressure, RawSample, Throttle},
};

const GIB: u64 = 1 << 30;

/// The group that `memory` is a share of.
const SHORT_LIMIT: u64 = GIB;

/// The machine without columns of its own: never what binds.
const HOST_TOTAL: u64 = 1 << 40;

/// The file system that `disk` is a share of.
const DISK_TOTAL: u64 = 100 * GIB;

/// Quota periods are 100 ms: ten a second.
const PERIODS_A_SECOND: f64 = 10.0;

/// Counters count in small units, so that shares of short times are exact.
const PERIOD_UNITS: u64 = 1000;

/// The columns of a group that is described in full.
const GROUP: [&str; 10] = [
    "limit",
    "high",
    "current",
    "anon",
    "shmem",
    "active_file",
    "inactive_file",
    "file_dirty",
    "file_writeback",
    "slab_reclaimable",
];

const OTHERS: [&str; 16] = [
    "at",
    "host_total",
    "host_available",
    "memory",
    "cores",
    "quota",
    "cpu",
    "host_cpu",
    "throttled",
    "memory_some",
    "memory_full",
    "io_full",
    "lateness_ms",
    "oom_kills",
    "disk",
    "unreadable",
];

pub(super) struct Table {
    columns: Vec<String>,
    last: f64,
    used: Duration,
    busy: Duration,
    total: Duration,
    throttle: Throttle,
    memory: Pressure,
    io: Pressure,
}

/// The fields of one line.
struct Fields<'t> {
    line: usize,
    columns: &'t [String],
    texts: Vec<&'t str>,
}

impl Table {
    pub(super) fn new(line: usize, header: &str) -> Result<Self, Error> {
        let columns: Vec<String> = header
            .split(',')
            .map(|name| name.trim().to_owned())
            .collect();
        let refuse = |why: String| Err(Error::Trace { line, why });
        for (index, name) in columns.iter().enumerate() {
            if !GROUP.contains(&name.as_str()) && !OTHERS.contains(&name.as_str()) {
                return refuse(format!("no column `{name}` is known"));
            }
            if columns[..index].contains(name) {
                return refuse(format!("the column `{name}` is there twice"));
            }
        }
        let has = |name: &str| columns.iter().any(|column| column == name);
        if !has("at") {
            return refuse("the column `at` is missing: seconds since the start".to_owned());
        }
        if has("memory") && GROUP.iter().any(|name| has(name)) {
            return refuse(
                "the column `memory` stands for a whole group: leave out those of a group"
                    .to_owned(),
            );
        }
        Ok(Self {
            columns,
            last: 0.0,
            used: Duration::ZERO,
            busy: Duration::ZERO,
            total: Duration::ZERO,
            throttle: Throttle::default(),
            memory: Pressure::default(),
            io: Pressure::default(),
        })
    }

    pub(super) fn sample(&mut self, line: usize, text: &str) -> Result<RawSample, Error> {
        let columns = std::mem::take(&mut self.columns);
        let sample = Fields::new(line, &columns, text).and_then(|fields| self.read(&fields));
        self.columns = columns;
        sample
    }

    fn read(&mut self, fields: &Fields<'_>) -> Result<RawSample, Error> {
        let seconds = fields.get("at")?.unwrap_or_default();
        let passed = (seconds - self.last).max(0.0);
        self.last = seconds;
        let host_total = fields.bytes("host_total")?.unwrap_or(HOST_TOTAL);
        let disk = fields.get("disk")?.map(|share| Disk {
            bytes_total: DISK_TOTAL,
            bytes_free: DISK_TOTAL.saturating_sub(portion(share, DISK_TOTAL)),
            ..Disk::default()
        });
        Ok(RawSample {
            at: Duration::try_from_secs_f64(seconds).map_err(|_| fields.bad("at"))?,
            host: Some(HostMemory {
                total: host_total,
                available: fields.bytes("host_available")?.unwrap_or(host_total),
            }),
            groups: fields.group()?.into_iter().collect(),
            unreadable: fields.get("unreadable")?.is_some_and(|flag| flag > 0.0),
            cpu: self.cpu(fields, passed)?,
            throttle: self.throttle(fields, passed)?,
            memory_pressure: self.memory_pressure(fields, passed)?,
            io_pressure: self.io_pressure(fields, passed)?,
            lateness_p99: fields
                .get("lateness_ms")?
                .map(|millis| Duration::from_secs_f64(millis / 1000.0)),
            disk,
            oom_kills: fields.bytes("oom_kills")?,
        })
    }

    fn cpu(&mut self, fields: &Fields<'_>, passed: f64) -> Result<CpuReading, Error> {
        let cores = fields.bytes("cores")?.unwrap_or(1);
        let affinity = u32::try_from(cores).map_err(|_| fields.bad("cores"))?;
        let quota = fields.get("quota")?;
        let processors = f64::from(affinity);
        let own = fields.get("cpu")?;
        self.used += time(own, passed * quota.unwrap_or(processors));
        let host = fields.get("host_cpu")?;
        self.busy += time(host, passed * processors);
        self.total += time(Some(1.0), passed * processors);
        Ok(CpuReading {
            used: own.map(|_| self.used),
            host_busy: host.map(|_| self.busy),
            host_total: host.map(|_| self.total),
            affinity,
            quotas: quota.into_iter().collect(),
        })
    }

    fn throttle(&mut self, fields: &Fields<'_>, passed: f64) -> Result<Option<Throttle>, Error> {
        let share = fields.get("throttled")?;
        let periods = portion(passed * PERIODS_A_SECOND, PERIOD_UNITS);
        self.throttle.periods += periods;
        self.throttle.throttled += portion(share.unwrap_or_default(), periods);
        Ok(share.map(|_| self.throttle))
    }

    fn memory_pressure(
        &mut self,
        fields: &Fields<'_>,
        passed: f64,
    ) -> Result<Option<Pressure>, Error> {
        let (some, full) = (fields.get("memory_some")?, fields.get("memory_full")?);
        self.memory.some_total += time(some, passed);
        self.memory.full_total += time(full, passed);
        Ok(some.or(full).map(|_| self.memory))
    }

    fn io_pressure(&mut self, fields: &Fields<'_>, passed: f64) -> Result<Option<Pressure>, Error> {
        let full = fields.get("io_full")?;
        self.io.some_total += time(full, passed);
        self.io.full_total += time(full, passed);
        Ok(full.map(|_| self.io))
    }
}

/// A share of some seconds.
fn time(share: Option<f64>, seconds: f64) -> Duration {
    Duration::try_from_secs_f64(share.unwrap_or_default() * seconds).unwrap_or(Duration::ZERO)
}

impl<'t> Fields<'t> {
    fn new(line: usize, columns: &'t [String], text: &'t str) -> Result<Self, Error> {
        let texts: Vec<&str> = text.split(',').map(str::trim).collect();
        if texts.len() != columns.len() {
            let (given, wanted) = (texts.len(), columns.len());
            let why = format!("{given} fields where the table has {wanted} columns");
            return Err(Error::Trace { line, why });
        }
        Ok(Self {
            line,
            columns,
            texts,
        })
    }

    fn get(&self, name: &str) -> Result<Option<f64>, Error> {
        let Some(index) = self.columns.iter().position(|column| column == name) else {
            return Ok(None);
        };
        match self.texts[index] {
            "" if name == "at" => Err(self.bad(name)),
            "" => Ok(None),
            text => match text.parse::<f64>() {
                Ok(number) if number.is_finite() && number >= 0.0 => Ok(Some(number)),
                _ => Err(self.bad(name)),
            },
        }
    }

    fn bytes(&self, name: &str) -> Result<Option<u64>, Error> {
        // Read as written: a limit near 2^63 is no round `f64`.
        let index = self.columns.iter().position(|column| column == name);
        match index.map(|index| self.texts[index]) {
            None | Some("") => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| self.bad(name)),
        }
    }

    fn group(&self) -> Result<Option<MemoryGroup>, Error> {
        if let Some(share) = self.get("memory")? {
            let anon = portion(share, SHORT_LIMIT);
            return Ok(Some(MemoryGroup {
                limit: Some(SHORT_LIMIT),
                current: anon,
                anon,
                ..MemoryGroup::default()
            }));
        }
        if !GROUP
            .iter()
            .any(|name| self.columns.iter().any(|column| column == name))
        {
            return Ok(None);
        }
        let number = |name| Ok::<_, Error>(self.bytes(name)?.unwrap_or_default());
        Ok(Some(MemoryGroup {
            limit: self.bytes("limit")?,
            high: self.bytes("high")?,
            current: number("current")?,
            anon: number("anon")?,
            shmem: number("shmem")?,
            active_file: number("active_file")?,
            inactive_file: number("inactive_file")?,
            file_dirty: number("file_dirty")?,
            file_writeback: number("file_writeback")?,
            slab_reclaimable: number("slab_reclaimable")?,
        }))
    }

    fn bad(&self, name: &str) -> Error {
        Error::Trace {
            line: self.line,
            why: format!("`{name}` is not a number from 0 (bytes and counts: a whole one)"),
        }
    }
}
