//! The sources on the machine that runs the tests: what they say is what the
//! kernel's files and another library say, and asking costs next to nothing.

use std::{fs, path::Path, time::Duration};

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};
use zerogate_resources::{
    capacity::Capacity,
    sample::RawSample,
    source::{Cgroups, Root, SampleSource, Subject, detect, thread_cpu},
};

/// What a sample may cost: 0.1 % of a core at one a second.
const BUDGET: Duration = Duration::from_millis(1);

fn kernel_limit(folder: &Path) -> Option<u64> {
    let number = |name: &str| -> Option<u64> {
        let text = fs::read_to_string(folder.join(name)).ok()?;
        text.trim().parse().ok()
    };
    ["memory.max", "memory.high", "memory.limit_in_bytes"]
        .into_iter()
        .filter_map(number)
        .min()
}

fn machine_total() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find(|line| line.starts_with("MemTotal:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() * 1024
}

#[test]
#[cfg(target_os = "linux")]
fn the_limit_is_what_the_kernel_and_another_library_say() {
    let mut source = Cgroups::open(&Root::real(), &Subject::Own);
    let found = source.describe();
    let raw = source.sample(Duration::ZERO).unwrap();
    let capacity = Capacity::of(&raw);
    println!("{found:?}\n{capacity:?}");
    assert_eq!(found.memory.len(), raw.groups.len());
    let limits = found
        .memory
        .iter()
        .filter_map(|folder| kernel_limit(folder));
    let total = machine_total();
    // Independent of the rule in `capacity`: a limit above the machine is none.
    let expected = limits.fold(total, u64::min);
    assert_eq!(capacity.limit, expected);
    if raw.groups.iter().any(|group| group.high.is_some()) {
        return println!("the other library does not know `memory.high`");
    }
    let mut system = System::new().unwrap();
    system.refresh_memory();
    let own = sysinfo::get_current_pid().unwrap();
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[own]),
        false,
        ProcessRefreshKind::nothing(),
    );
    match system
        .process(own)
        .and_then(sysinfo::Process::cgroup_limits)
    {
        Some(limits) => assert_eq!(capacity.limit, limits.total_memory),
        None => println!("the other library sees no control groups"),
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_sample_costs_less_than_its_budget() {
    const SAMPLES: u32 = 50;
    let work = tempfile::tempdir().unwrap();
    let mut source = detect(work.path()).unwrap();
    // The first opens nothing more, but fills caches.
    let first = source.sample(Duration::ZERO).unwrap();
    let start = thread_cpu().unwrap();
    let samples: Vec<RawSample> = (1..=SAMPLES)
        .map(|second| source.sample(Duration::from_secs(second.into())).unwrap())
        .collect();
    let each = (thread_cpu().unwrap() - start) / SAMPLES;
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    println!("{each:?} of processor time a sample ({build} build)");
    assert!(each < BUDGET, "{each:?}");
    for raw in &samples {
        assert_eq!(raw.groups.len(), first.groups.len());
        assert_eq!(Capacity::of(raw).limit, Capacity::of(&first).limit);
        assert!(raw.cpu.used >= first.cpu.used);
        assert!(raw.cpu.host_total >= first.cpu.host_total);
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    assert!(Capacity::of(&first).cores <= f64::from(first.cpu.affinity));
    assert!(usize::try_from(first.cpu.affinity).unwrap() >= cores);
}
