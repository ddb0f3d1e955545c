//! The kernel's files, made up: both versions, both at once, containers,
//! ancestors, holes and broken files.

use std::{fs, path::Path};

use tempfile::TempDir;

use super::*;
use crate::{capacity::Capacity, sample::Throttle};

const MIB: u64 = 1 << 20;
const PSI: &str = "some avg10=1.50 avg60=0.25 avg300=0.00 total=1234\n\
    full avg10=0.50 avg60=0.00 avg300=0.00 total=567\n";

/// A folder that stands for `/`.
struct Fake(TempDir);

impl Fake {
    /// A machine of two processors and 1000 MiB, in these groups.
    fn new(cgroup: &str, mountinfo: &str) -> Self {
        let fake = Self(tempfile::tempdir().unwrap());
        fake.write("proc/self/cgroup", cgroup);
        fake.write("proc/self/mountinfo", mountinfo);
        fake.write("proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-1,5\n");
        fake.write(
            "proc/meminfo",
            "MemTotal:        1024000 kB\nMemFree:  1 kB\nMemAvailable:   512000 kB\n",
        );
        fake.write(
            "proc/stat",
            "cpu  100 10 20 1000 50 3 7 40 99 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n",
        );
        fake
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn root(&self) -> Root {
        Root::at(self.0.path())
    }

    fn open(&self) -> Cgroups {
        Cgroups::open(&self.root(), &Subject::Own)
    }

    fn v2_group(&self, folder: &str, max: &str, high: &str, anon: u64) {
        self.write(&format!("{folder}/memory.max"), max);
        self.write(&format!("{folder}/memory.high"), high);
        self.write(
            &format!("{folder}/memory.current"),
            &format!("{}\n", anon + 60),
        );
        let stat = format!(
            "anon {anon}\nfile 50\nkernel 10\nshmem 4\nfile_mapped 3\nfile_dirty 5\n\
             file_writeback 6\ninactive_file 20\nactive_file 30\nslab_reclaimable 7\n"
        );
        self.write(&format!("{folder}/memory.stat"), &stat);
        self.write(
            &format!("{folder}/memory.events"),
            "low 0\noom 3\noom_kill 2\n",
        );
        self.write(&format!("{folder}/memory.pressure"), PSI);
        self.write(&format!("{folder}/io.pressure"), PSI);
    }

    fn v1_group(&self, folder: &str, limit: u64, hierarchical: u64) {
        self.write(
            &format!("{folder}/memory.limit_in_bytes"),
            &format!("{limit}\n"),
        );
        self.write(&format!("{folder}/memory.kmem.usage_in_bytes"), "1000\n");
        let stat = format!(
            "cache 1\nrss 1\nshmem 1\nactive_file 1\ninactive_file 1\ndirty 1\nwriteback 1\n\
             hierarchical_memory_limit {hierarchical}\ntotal_cache 500\ntotal_rss 300\n\
             total_shmem 40\ntotal_dirty 5\ntotal_writeback 6\ntotal_inactive_file 200\n\
             total_active_file 100\n"
        );
        self.write(&format!("{folder}/memory.stat"), &stat);
        self.write(
            &format!("{folder}/memory.oom_control"),
            "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
        );
    }
}

fn sample(source: &mut Cgroups) -> RawSample {
    source.sample(Duration::ZERO).unwrap()
}

const V2_MOUNT: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";

fn v2() -> Fake {
    let fake = Fake::new("0::/app.slice/worker\n", V2_MOUNT);
    let own = "sys/fs/cgroup/app.slice/worker";
    fake.v2_group(own, "max\n", "max\n", 400);
    fake.v2_group("sys/fs/cgroup/app.slice", "104857600\n", "94371840\n", 900);
    // The root has processor time and pressure, but no memory files.
    fake.write("sys/fs/cgroup/cpu.stat", "usage_usec 9\n");
    let stat = "usage_usec 2500000\nnr_periods 40\nnr_throttled 10\nthrottled_usec 700\n";
    fake.write(&format!("{own}/cpu.stat"), stat);
    fake.write(&format!("{own}/cpu.max"), "max 100000\n");
    fake.write("sys/fs/cgroup/app.slice/cpu.max", "150000 100000\n");
    fake.write(
        "sys/fs/cgroup/app.slice/cpu.stat",
        "usage_usec 1\nnr_periods 8\nnr_throttled 2\nthrottled_usec 30\n",
    );
    fake
}

#[test]
fn version_2_is_read_with_its_ancestors() {
    let fake = v2();
    let mut source = fake.open();
    let raw = sample(&mut source);
    assert_eq!(source.describe().kind, Kind::CgroupV2);
    assert!(!raw.unreadable);
    assert_eq!(raw.groups.len(), 2);
    let own = raw.groups[0];
    assert_eq!((own.limit, own.high), (None, None));
    assert_eq!((own.current, own.anon, own.shmem), (460, 400, 4));
    assert_eq!((own.active_file, own.inactive_file), (30, 20));
    assert_eq!((own.file_dirty, own.file_writeback), (5, 6));
    assert_eq!(own.slab_reclaimable, 7);
    assert_eq!(raw.groups[1].limit, Some(100 * MIB));
    assert_eq!(raw.groups[1].high, Some(90 * MIB));
    assert_eq!(raw.oom_kills, Some(2));
    assert_eq!(raw.cpu.used, Some(Duration::from_millis(2500)));
    assert_eq!(raw.cpu.quotas, [1.5]);
    assert_eq!(Capacity::of(&raw).limit, 90 * MIB);
    // Throttling is the tightest quota's, the parent's.
    let throttle = Throttle {
        periods: 8,
        throttled: 2,
        throttled_for: Duration::from_micros(30),
    };
    assert_eq!(raw.throttle, Some(throttle));
}

#[test]
fn the_machine_and_its_pressure_are_read() {
    let fake = v2();
    let raw = sample(&mut fake.open());
    let host = raw.host.unwrap();
    assert_eq!((host.total, host.available), (1000 * MIB, 500 * MIB));
    assert_eq!(raw.cpu.affinity, 3);
    assert_eq!(raw.cpu.host_busy, Some(Duration::from_millis(1400)));
    assert_eq!(raw.cpu.host_total, Some(Duration::from_millis(12_300)));
    let psi = raw.memory_pressure.unwrap();
    assert_eq!(psi.some_total, Duration::from_micros(1234));
    assert_eq!(psi.full_total, Duration::from_micros(567));
    assert!((psi.some_avg10 - 0.015).abs() < 1e-12);
    assert!((psi.some_avg60 - 0.0025).abs() < 1e-12);
    assert!((psi.full_avg10 - 0.005).abs() < 1e-12);
    assert_eq!(raw.io_pressure, raw.memory_pressure);
}

const V1_MOUNTS: &str = "\
    40 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
    41 31 0:33 / /sys/fs/cgroup/cpu\\040set rw - cgroup cgroup rw,cpu,cpuacct\n";

fn v1() -> Fake {
    let fake = Fake::new(
        "4:memory:/a/b\n2:cpu,cpuacct:/a\n1:name=systemd:/x\n",
        V1_MOUNTS,
    );
    fake.v1_group(
        "sys/fs/cgroup/memory/a/b",
        9_223_372_036_854_771_712,
        64 * MIB,
    );
    fake.v1_group("sys/fs/cgroup/memory/a", 64 * MIB, 64 * MIB);
    fake.v1_group("sys/fs/cgroup/memory", u64::MAX >> 1, u64::MAX >> 1);
    let cpu = "sys/fs/cgroup/cpu set/a";
    fake.write(&format!("{cpu}/cpuacct.usage"), "1500000000\n");
    fake.write(&format!("{cpu}/cpu.cfs_quota_us"), "50000\n");
    fake.write(&format!("{cpu}/cpu.cfs_period_us"), "100000\n");
    fake.write(
        &format!("{cpu}/cpu.stat"),
        "nr_periods 5\nnr_throttled 3\nthrottled_time 900\n",
    );
    fake.write("sys/fs/cgroup/cpu set/cpu.cfs_quota_us", "-1\n");
    fake.write("sys/fs/cgroup/cpu set/cpu.cfs_period_us", "100000\n");
    fake
}

#[test]
fn version_1_is_read_from_the_sums_over_the_tree() {
    let fake = v1();
    fake.write("proc/pressure/memory", PSI);
    let mut source = fake.open();
    let raw = sample(&mut source);
    assert_eq!(source.describe().kind, Kind::CgroupV1);
    assert!(!raw.unreadable);
    assert_eq!(raw.groups.len(), 3);
    let own = raw.groups[0];
    // Raw, as read: what "unlimited" means is not decided here.
    assert_eq!(own.limit, Some(9_223_372_036_854_771_712));
    assert_eq!((own.current, own.anon, own.shmem), (1800, 300, 40));
    assert_eq!((own.active_file, own.inactive_file), (100, 200));
    assert_eq!((own.file_dirty, own.file_writeback), (5, 6));
    assert_eq!(raw.oom_kills, Some(4));
    assert_eq!(raw.cpu.used, Some(Duration::from_millis(1500)));
    assert_eq!(raw.cpu.quotas, [0.5]);
    assert_eq!(
        raw.throttle.unwrap().throttled_for,
        Duration::from_nanos(900)
    );
    assert!(raw.memory_pressure.is_some());
    assert_eq!(raw.io_pressure, None);
    let capacity = Capacity::of(&raw);
    assert_eq!(capacity.limit, 64 * MIB);
    assert_eq!(capacity.limited_by, crate::capacity::Binding::Group(1));
}

#[test]
fn controllers_of_one_version_and_pressure_of_the_other() {
    let fake = v1();
    fake.write(
        "proc/self/cgroup",
        "4:memory:/a/b\n2:cpu,cpuacct:/a\n0::/u\n",
    );
    let mount = "42 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    fake.write("proc/self/mountinfo", &format!("{V1_MOUNTS}{mount}"));
    fake.write("sys/fs/cgroup/unified/u/memory.pressure", PSI);
    let machine = PSI.replace("1234", "99");
    fake.write("proc/pressure/memory", &machine);
    fake.write("proc/pressure/io", &machine);
    let mut source = fake.open();
    let raw = sample(&mut source);
    assert_eq!(source.describe().kind, Kind::Hybrid);
    assert_eq!(raw.groups.len(), 3);
    assert_eq!(raw.memory_pressure.unwrap().some_total.as_micros(), 1234);
    // The group has no such file: the machine's.
    assert_eq!(raw.io_pressure.unwrap().some_total.as_micros(), 99);
    assert!(
        source
            .describe()
            .pressure
            .unwrap()
            .ends_with("u/memory.pressure")
    );
}

#[test]
fn a_container_sees_its_own_group_at_the_mount_point() {
    for (group, root) in [
        // Without a namespace the mount begins at the group that is named ...
        ("/docker/abc", "/docker/abc"),
        // ... with one both are the root ...
        ("/", "/"),
        // ... and some show the host's name and another beginning.
        ("/kubepods/pod1/c1", "/other"),
    ] {
        let mount = format!("1 2 0:3 {root} /sys/fs/cgroup ro master:1 - cgroup2 cgroup rw\n");
        let fake = Fake::new(&format!("0::{group}\n"), &mount);
        fake.v2_group("sys/fs/cgroup", "52428800", "max", 7);
        let raw = sample(&mut fake.open());
        assert_eq!(Capacity::of(&raw).limit, 50 * MIB, "{group}");
        assert!(!raw.unreadable, "{group}");
    }
}

#[test]
fn limits_above_what_a_container_sees_are_in_its_topmost_group() {
    let mount = "1 2 0:3 /docker/abc /sys/fs/cgroup/memory ro - cgroup c rw,memory\n";
    let fake = Fake::new("7:memory:/docker/abc\n", mount);
    fake.v1_group("sys/fs/cgroup/memory", 9_223_372_036_854_771_712, 32 * MIB);
    assert_eq!(Capacity::of(&sample(&mut fake.open())).limit, 32 * MIB);
}

#[test]
fn a_hierarchy_that_cannot_be_found_makes_the_capacity_unknown() {
    for (cgroup, mounts) in [
        ("0::/a\n", ""),
        ("3:memory:/a\n", V2_MOUNT),
        ("0::/../outside\n", V2_MOUNT),
    ] {
        let fake = Fake::new(cgroup, mounts);
        fs::create_dir_all(fake.0.path().join("sys/fs/cgroup")).unwrap();
        let mut source = fake.open();
        assert!(sample(&mut source).unreadable, "{cgroup}");
        assert!(source.describe().hidden, "{cgroup}");
    }
}

#[test]
fn a_machine_without_control_groups_is_known() {
    let fake = Fake::new("", "");
    fs::remove_file(fake.0.path().join("proc/self/cgroup")).unwrap();
    let mut source = fake.open();
    let raw = sample(&mut source);
    assert!(!raw.unreadable && !source.is_any());
    assert_eq!(Capacity::of(&raw).limit, 1000 * MIB);
    // Processor time is then this process's.
    assert!(raw.cpu.used.is_some());
}

#[test]
fn a_broken_level_hides_neither_the_others_nor_itself() {
    for (file, text) in [
        ("memory.stat", "nothing"),
        ("memory.max", "x"),
        ("memory.current", ""),
    ] {
        let fake = v2();
        let mut source = fake.open();
        fake.write(&format!("sys/fs/cgroup/app.slice/worker/{file}"), text);
        let raw = sample(&mut source);
        assert!(raw.unreadable, "{file}");
        assert_eq!(raw.groups.len(), 1, "{file}");
        assert_eq!(raw.groups[0].limit, Some(100 * MIB));
        assert!(raw.host.is_some() && raw.memory_pressure.is_some());
    }
}

#[test]
fn a_file_that_is_missing_makes_its_level_unreadable() {
    for file in ["memory.stat", "memory.max", "memory.current", "memory.high"] {
        let fake = v2();
        let path = fake.0.path().join("sys/fs/cgroup/app.slice").join(file);
        fs::remove_file(path).unwrap();
        assert!(sample(&mut fake.open()).unreadable, "{file}");
    }
    let fake = v1();
    fs::remove_file(fake.0.path().join("sys/fs/cgroup/memory/a/memory.stat")).unwrap();
    let raw = sample(&mut fake.open());
    assert!(raw.unreadable);
    assert_eq!(raw.groups.len(), 2);
}

#[test]
fn a_limit_that_cannot_be_read_is_not_the_old_one() {
    let fake = v2();
    let mut source = fake.open();
    assert!(!sample(&mut source).unreadable);
    fake.write("sys/fs/cgroup/app.slice/memory.max", "?");
    for second in [10, 11] {
        let raw = source.sample(Duration::from_secs(second)).unwrap();
        assert!(raw.unreadable, "{second}");
    }
    fake.write("sys/fs/cgroup/app.slice/memory.max", "52428800");
    let raw = source.sample(Duration::from_secs(12)).unwrap();
    assert_eq!(Capacity::of(&raw).limit, 50 * MIB);
}

#[test]
fn limits_are_read_again_within_ten_seconds_and_use_at_once() {
    let fake = v2();
    let mut source = fake.open();
    assert_eq!(Capacity::of(&sample(&mut source)).limit, 90 * MIB);
    let at = |second: u64| Duration::from_millis(second * 1000 + 3);
    fake.v2_group("sys/fs/cgroup/app.slice", "52428800\n", "max\n", 901);
    fake.write("sys/fs/cgroup/app.slice/cpu.max", "50000 100000\n");
    let raw = source.sample(at(1)).unwrap();
    assert_eq!(Capacity::of(&raw).limit, 90 * MIB);
    assert_eq!(raw.groups[1].anon, 901);
    let seen = (2..=10).find(|second| {
        let raw = source.sample(at(*second)).unwrap();
        Capacity::of(&raw).limit == 50 * MIB && raw.cpu.quotas == [0.5]
    });
    assert_eq!(seen, Some(9));
}

#[test]
fn missing_files_of_the_machine_are_absent_and_not_zero() {
    let fake = v2();
    for file in ["proc/meminfo", "proc/stat", "proc/self/status"] {
        fs::remove_file(fake.0.path().join(file)).unwrap();
    }
    let own = Path::new("sys/fs/cgroup/app.slice/worker");
    for file in ["memory.pressure", "memory.events", "cpu.stat"] {
        fs::remove_file(fake.0.path().join(own).join(file)).unwrap();
    }
    let source = Cgroups::open(
        &fake.root(),
        &Subject::Groups("0::/app.slice/worker".into()),
    );
    let raw = { source }.sample(Duration::ZERO).unwrap();
    assert_eq!(raw.host, None);
    assert_eq!(raw.memory_pressure, None);
    assert_eq!(raw.oom_kills, None);
    assert_eq!((raw.cpu.used, raw.cpu.host_busy), (None, None));
    assert_eq!(raw.cpu.affinity, 0);
    assert_eq!(raw.groups.len(), 2);
    assert_eq!(Capacity::of(&raw).limit, 90 * MIB);
}

#[test]
fn another_process_can_be_watched() {
    let fake = v2();
    fake.write("proc/42/cgroup", "0::/app.slice\n");
    fake.write("proc/42/mountinfo", V2_MOUNT);
    let mut source = Cgroups::open(&fake.root(), &Subject::Process(42));
    assert_eq!(sample(&mut source).groups.len(), 1);
    assert_eq!(sample(&mut source).groups[0].anon, 900);
}

#[test]
fn the_portable_source_knows_the_machine() {
    let mut source = SysinfoHost::new(true).unwrap();
    let first = source.sample(Duration::ZERO).unwrap();
    assert!(first.unreadable && first.groups.is_empty());
    assert_eq!(first.cpu.host_busy, None);
    let host = first.host.unwrap();
    assert!(host.total > 0 && host.available <= host.total);
    // Too soon for the library: no new figure is made up.
    let soon = source.sample(Duration::from_millis(100)).unwrap();
    assert_eq!(soon.cpu.host_total, None);
    let later = source.sample(Duration::from_secs(1)).unwrap();
    let (busy, total) = (later.cpu.host_busy.unwrap(), later.cpu.host_total.unwrap());
    assert!(busy <= total && total >= Duration::from_secs(1));
    assert!(!Capacity::of(&later).known);
}
