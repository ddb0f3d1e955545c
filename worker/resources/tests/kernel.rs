//! The sources against the kernel itself, in control groups made for the test.
//!
//! Needs to be allowed to make groups below the test's own (root on a machine
//! with version 1, or a delegated version 2 group); elsewhere each test says
//! why it does nothing. Only processes that the test has started are moved, and
//! they stay below the group they came from; what is made is removed.

#![cfg(target_os = "linux")]

#[path = "kernel/groups.rs"]
mod groups;
#[path = "kernel/helper.rs"]
mod helper;

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use groups::Groups;
use helper::{Helper, MIB};
use zerogate_resources::{
    capacity::{Capacity, unreclaimable},
    meter::Meter,
    sample::RawSample,
    source::{Cgroups, Kind, Root, SampleSource, Subject},
};

const DEADLINE: Duration = Duration::from_secs(60);

/// A helper in groups of its own, and a source that watches it.
struct Stand {
    source: Cgroups,
    start: Instant,
    // Dropped in this order: a group can only be removed when it is empty.
    helper: Helper,
    groups: Groups,
}

/// The stand, or `None` with a printed reason.
fn stand(test: &str, limit: u64) -> Option<Stand> {
    let made = Groups::make(limit).and_then(|groups| {
        let helper = Helper::start();
        groups.take_in(helper.id())?;
        Ok((groups, helper))
    });
    match made {
        Ok((groups, helper)) => Some(Stand {
            source: Cgroups::open(&Root::real(), &Subject::Process(helper.id())),
            start: Instant::now(),
            helper,
            groups,
        }),
        Err(why) => {
            // Past the harness, which would swallow it.
            writeln!(io::stderr(), "{test}: not tested here: {why}").unwrap();
            None
        }
    }
}

impl Stand {
    fn sample(&mut self) -> RawSample {
        let at = self.start.elapsed();
        self.source.sample(at).unwrap()
    }

    fn unreclaimable(&mut self) -> u64 {
        unreclaimable(&self.sample().groups[0])
    }

    /// Statistics of groups are gathered from the processors now and then:
    /// waits until they say this.
    #[track_caller]
    fn until(&mut self, what: &str, holds: impl Fn(&RawSample) -> bool) -> RawSample {
        loop {
            let raw = self.sample();
            if holds(&raw) {
                return raw;
            }
            assert!(self.start.elapsed() < DEADLINE, "never {what}: {raw:?}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

#[test]
fn the_limit_is_the_one_that_was_set_and_halving_it_is_seen() {
    let Some(mut stand) = stand("limit", 256 * MIB) else {
        return;
    };
    let raw = stand.sample();
    assert!(!raw.unreadable);
    let capacity = Capacity::of(&raw);
    assert_eq!(capacity.limit, 256 * MIB);
    assert!(raw.groups.len() >= 2, "the ancestors are there, too");
    // A tighter parent wins.
    stand.groups.set_parent_limit(192 * MIB);
    stand.groups.set_limit(128 * MIB);
    let raw = stand.source.sample(Duration::from_secs(10)).unwrap();
    assert_eq!(Capacity::of(&raw).limit, 128 * MIB);
    stand.groups.set_parent_limit(128 * MIB);
    stand.groups.set_limit(128 * MIB);
    assert_eq!(raw.groups[1].limit, Some(192 * MIB));
    let raw = stand.source.sample(Duration::from_secs(20)).unwrap();
    assert_eq!(raw.groups[1].limit, Some(128 * MIB));
}

#[test]
fn anonymous_memory_is_measured_within_five_percent() {
    let Some(mut stand) = stand("hog", 256 * MIB) else {
        return;
    };
    const HOG: u64 = 128 * MIB;
    stand.helper.ask(&format!("hog {}", HOG / MIB));
    let raw = stand.until("within 5 %", |raw| {
        unreclaimable(&raw.groups[0]).abs_diff(HOG) <= HOG / 20
    });
    let capacity = Capacity::of(&raw);
    assert!((0.47..0.53).contains(&capacity.memory), "{capacity:?}");
    // The parent group holds the same.
    assert!(unreclaimable(&raw.groups[1]).abs_diff(HOG) <= HOG / 20);
    stand.helper.ask("free");
    stand.until("free again", |raw| unreclaimable(&raw.groups[0]) < HOG / 20);
}

#[test]
fn written_page_cache_is_free() {
    let Some(mut stand) = stand("page cache", 256 * MIB) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cache");
    stand.helper.ask(&format!("write 128 {}", file.display()));
    let raw = stand.until("cached and written", |raw| {
        let group = &raw.groups[0];
        group.current >= 120 * MIB && unreclaimable(group) < 16 * MIB
    });
    let group = raw.groups[0];
    assert!(group.active_file + group.inactive_file >= 120 * MIB);
}

#[test]
fn tmpfs_is_not_free() {
    let Some(mut stand) = stand("tmpfs", 256 * MIB) else {
        return;
    };
    stand.helper.ask("tmpfs 96");
    stand.until("counted", |raw| {
        let group = &raw.groups[0];
        group.shmem >= 95 * MIB && unreclaimable(group).abs_diff(96 * MIB) <= 5 * MIB
    });
    assert!(stand.unreclaimable() >= 91 * MIB);
}

#[test]
fn a_kill_for_want_of_memory_is_seen() {
    let Some(mut stand) = stand("out of memory", 48 * MIB) else {
        return;
    };
    let mut meter = Meter::new();
    let before = stand.sample();
    let _ = meter.measure(&before);
    let kernel = stand.groups.oom_kills();
    stand.helper.say("hog 256");
    assert!(stand.helper.is_killed(), "the kernel ended it");
    assert_eq!(stand.groups.oom_kills(), kernel + 1);
    let after = stand.until("counted", |raw| raw.oom_kills > before.oom_kills);
    assert_eq!(after.oom_kills, Some(kernel + 1));
    assert_eq!(meter.measure(&after).oom_kills, 1);
}

#[test]
fn thrashing_shows_as_pressure_of_the_group() {
    let Some(mut stand) = stand("pressure", 32 * MIB) else {
        return;
    };
    let found = stand.source.describe();
    let in_group = found
        .pressure
        .as_ref()
        .is_some_and(|path| stand.groups.has_pressure(path));
    if !in_group {
        let why = "the kernel keeps no pressure of groups";
        return writeln!(io::stderr(), "pressure: not tested here: {why}").unwrap();
    }
    let before = stand.sample().memory_pressure.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    stand.helper.ask(&format!("write 96 {}", file.display()));
    stand.helper.ask(&format!("read 4 {}", file.display()));
    stand.until("stalled", |raw| {
        raw.memory_pressure.unwrap().some_total > before.some_total
    });
}

#[test]
fn a_quota_is_seen_and_so_is_what_it_holds_back() {
    let Some(mut stand) = stand("quota", 64 * MIB) else {
        return;
    };
    if !stand.groups.set_quota(20_000, 100_000) {
        let why = "there is no processor controller";
        return writeln!(io::stderr(), "quota: not tested here: {why}").unwrap();
    }
    let mut meter = Meter::new();
    let before = stand.sample();
    assert_eq!(before.cpu.quotas, [0.2]);
    let _ = meter.measure(&before);
    stand.helper.ask("spin 2000");
    let after = stand.sample();
    let measured = meter.measure(&after);
    assert!((measured.cores - 0.2).abs() < 1e-9);
    let cpu = measured.cpu.unwrap();
    assert!(
        (0.5..1.3).contains(&cpu),
        "a fifth of a core, all used: {cpu}"
    );
    // The counters themselves are asked every five seconds only.
    let later = stand.source.sample(Duration::from_secs(100)).unwrap();
    let throttle = later.throttle.unwrap();
    assert!(throttle.throttled >= 5, "{throttle:?}");
    assert_eq!(throttle.throttled, stand.groups.throttled());
    assert_ne!(stand.source.describe().kind, Kind::Host);
}
