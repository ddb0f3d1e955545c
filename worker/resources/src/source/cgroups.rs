//! The kernel's control groups and `/proc`, put together.
//!
//! One source for version 2, version 1 and both at once: each controller is
//! read where it is. The kind only names what was found.

use std::{path::PathBuf, time::Duration};

use super::{
    Aides, Description, Error, Every, Kind, SampleSource,
    cpu::Cpu,
    file::{Buffer, Watched, fields},
    machine::Machine,
    place::{Levels, Place, Root, Subject},
    pressure::PressureFile,
    v1, v2,
};
use crate::sample::{CpuReading, MemoryGroup, RawSample};

/// Limits change when somebody resizes the container in place, which must be
/// seen within ten seconds; a second less, because samples are a second or two
/// apart.
const LIMITS_EVERY: Duration = Duration::from_secs(9);

/// Reads the groups of one process.
#[derive(Debug)]
pub struct Cgroups {
    kind: Kind,
    levels: Vec<Level>,
    folders: Vec<PathBuf>,
    /// Some level could not be found or opened.
    hidden: bool,
    kills: Option<Watched>,
    cpu: Cpu,
    memory_pressure: Option<PressureFile>,
    io_pressure: Option<PressureFile>,
    machine: Machine,
    affinity: u32,
    aides: Aides,
    limits_due: Every,
    /// The own process, whose clock stands in for a missing group.
    own: bool,
    buffer: Buffer,
}

/// The memory files of one group.
#[derive(Debug)]
enum Level {
    V1(v1::Memory),
    V2(v2::Memory),
}

impl Level {
    fn read(&mut self, refresh: bool, buffer: &mut Buffer) -> std::io::Result<MemoryGroup> {
        match self {
            Self::V1(memory) => memory.read(refresh, buffer),
            Self::V2(memory) => memory.read(refresh, buffer),
        }
    }
}

/// The memory levels that could be opened.
#[derive(Debug, Default)]
struct Memory {
    levels: Vec<Level>,
    folders: Vec<PathBuf>,
    hidden: bool,
}

impl Cgroups {
    /// Opens the files of the subject's groups and of the machine. Never fails:
    /// what cannot be opened is reported as such in every sample.
    #[must_use]
    pub fn open(root: &Root, subject: &Subject) -> Self {
        let place = Place::find(root, subject);
        let memory = Memory::open(&place);
        let mut buffer = Buffer::new();
        let mut pressure =
            |resource| PressureFile::open(root, place.unified.folders(), resource, &mut buffer);
        let kills = memory.folders.first().and_then(|folder| {
            let open = |name: &str| Watched::open(folder.join(name)).ok();
            open("memory.events").or_else(|| open("memory.oom_control"))
        });
        Self {
            kind: kind(&place),
            kills,
            cpu: Cpu::open(&place),
            memory_pressure: pressure("memory"),
            io_pressure: pressure("io"),
            machine: Machine::open(root, subject),
            levels: memory.levels,
            folders: memory.folders,
            hidden: memory.hidden,
            affinity: 0,
            aides: Aides::default(),
            limits_due: Every::new(LIMITS_EVERY),
            own: *subject == Subject::Own,
            buffer,
        }
    }

    /// Adds what is watched on threads.
    #[must_use]
    pub fn with_aides(mut self, aides: Aides) -> Self {
        self.aides = aides;
        self
    }

    /// Whether there is anything of control groups to read; otherwise the
    /// portable source does as well.
    #[must_use]
    pub fn is_any(&self) -> bool {
        !self.levels.is_empty() || self.kind != Kind::Host
    }

    fn groups(&mut self, refresh: bool) -> (Vec<MemoryGroup>, bool) {
        let mut groups = Vec::with_capacity(self.levels.len());
        let mut unreadable = self.hidden;
        for level in &mut self.levels {
            match level.read(refresh, &mut self.buffer) {
                Ok(group) => groups.push(group),
                Err(_) => unreadable = true,
            }
        }
        (groups, unreadable)
    }

    fn cpu(&mut self, refresh: bool) -> CpuReading {
        let buffer = &mut self.buffer;
        if refresh {
            // A list that cannot be read keeps what it said before.
            self.affinity = self.machine.affinity(buffer).unwrap_or(self.affinity);
        }
        let (host_busy, host_total) = self.machine.cpu(buffer).unzip();
        let process = || self.own.then(process_cpu).flatten();
        CpuReading {
            used: self.cpu.used(buffer).or_else(process),
            host_busy,
            host_total,
            affinity: self.affinity,
            quotas: self.cpu.quotas(refresh, buffer).to_vec(),
        }
    }

    fn kills(&mut self) -> Option<u64> {
        let text = self.kills.as_ref()?.read(&mut self.buffer).ok()?;
        fields(text)
            .find(|(key, _)| *key == "oom_kill")
            .map(|(_, kills)| kills)
    }
}

impl SampleSource for Cgroups {
    fn sample(&mut self, at: Duration) -> Result<RawSample, Error> {
        let refresh = self.limits_due.is_due(at);
        let (groups, unreadable) = self.groups(refresh);
        let cpu = self.cpu(refresh);
        let oom_kills = self.kills();
        let throttle = self.cpu.throttle(at, &mut self.buffer);
        let mut stalls = |file: &Option<PressureFile>| {
            file.as_ref().and_then(|file| file.read(&mut self.buffer))
        };
        Ok(RawSample {
            at,
            groups,
            unreadable,
            cpu,
            throttle,
            memory_pressure: stalls(&self.memory_pressure),
            // The table asks for it every two seconds; a fresh value costs one
            // read and keeps windows exact.
            io_pressure: stalls(&self.io_pressure),
            host: self.machine.memory(&mut self.buffer),
            lateness_p99: self.aides.lateness(),
            disk: self.aides.disk(),
            oom_kills,
        })
    }

    fn describe(&self) -> Description {
        Description {
            kind: self.kind,
            memory: self.folders.clone(),
            cpu: self.cpu.folders(),
            pressure: self
                .memory_pressure
                .as_ref()
                .map(|file| file.path().to_owned()),
            hidden: self.hidden,
        }
    }
}

impl Memory {
    fn open(place: &Place) -> Self {
        let mut memory = Self::default();
        // The memory controller is on one version only.
        if place.memory == Levels::None {
            memory.hidden = place.unified == Levels::Hidden;
            for folder in place.unified.folders() {
                match v2::Memory::open(folder) {
                    Ok(Some(level)) => memory.add(folder, Level::V2(level)),
                    Ok(None) => {}
                    Err(_) => memory.hidden = true,
                }
            }
        } else {
            memory.hidden = place.memory == Levels::Hidden;
            let folders = place.memory.folders();
            for (index, folder) in folders.iter().enumerate() {
                match v1::Memory::open(folder, index + 1 == folders.len()) {
                    Ok(level) => memory.add(folder, Level::V1(level)),
                    Err(_) => memory.hidden = true,
                }
            }
        }
        memory
    }

    fn add(&mut self, folder: &std::path::Path, level: Level) {
        self.levels.push(level);
        self.folders.push(folder.to_owned());
    }
}

fn kind(place: &Place) -> Kind {
    let found = |levels: &Levels| matches!(levels, Levels::Found(_));
    let v1 = [&place.memory, &place.cpu, &place.cpuacct]
        .into_iter()
        .any(found);
    match (v1, found(&place.unified)) {
        (true, true) => Kind::Hybrid,
        (true, false) => Kind::CgroupV1,
        (false, true) => Kind::CgroupV2,
        (false, false) => Kind::Host,
    }
}

/// Processor time of this process.
pub(super) fn process_cpu() -> Option<Duration> {
    super::clock(rustix::time::ClockId::ProcessCPUTime)
}
