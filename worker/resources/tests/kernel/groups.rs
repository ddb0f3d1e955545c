//! Control groups of the test's own: a parent and a child for memory, and a
//! child for each other controller.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use zerogate_resources::source::{Cgroups, Root, SampleSource, Subject};

/// For unique names within this process.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A folder of control groups that goes when this goes.
struct Group(PathBuf);

impl Group {
    fn make(parent: &Path, name: &str) -> Result<Self, String> {
        let folder = parent.join(name);
        fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self(folder))
    }

    fn set(&self, file: &str, value: &str) -> Result<(), String> {
        let path = self.0.join(file);
        fs::write(&path, value).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn has(&self, file: &str) -> bool {
        self.0.join(file).exists()
    }

    fn field(&self, file: &str, key: &str) -> u64 {
        let text = fs::read_to_string(self.0.join(file)).unwrap();
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let (_, value) = lines.find(|(name, _)| *name == key).unwrap();
        value.parse().unwrap()
    }
}

impl Drop for Group {
    /// A process that has just ended may still be on its way out.
    fn drop(&mut self) {
        let end = Instant::now() + Duration::from_secs(10);
        while fs::remove_dir(&self.0).is_err() && self.0.exists() {
            if Instant::now() > end {
                return eprintln!("{} is left behind", self.0.display());
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

/// The groups of one stand. Fields are dropped from the top: the child first.
pub(crate) struct Groups {
    memory: Group,
    parent: Group,
    cpu: Option<Group>,
    others: Vec<Group>,
}

impl Groups {
    /// Groups below the test's own with this limit of memory, or why not.
    pub(crate) fn make(limit: u64) -> Result<Self, String> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("zerogate-test-{}-{number}", process::id());
        let own = Cgroups::open(&Root::real(), &Subject::Own).describe();
        let memory = own.memory.first().ok_or("there is no memory controller")?;
        let parent = Group::make(memory, &name)?;
        if !parent.has("memory.limit_in_bytes") && !parent.has("memory.max") {
            return Err("the memory controller is not delegated to the test's group".into());
        }
        if parent.has("cgroup.subtree_control") {
            parent.set("cgroup.subtree_control", "+memory")?;
        }
        let memory = Group::make(&parent.0, "worker")?;
        let mut groups = Self {
            memory,
            parent,
            cpu: None,
            others: Vec::new(),
        };
        groups.set_limit(limit);
        if groups.memory.has("memory.limit_in_bytes") {
            groups.add_others(&name, &own.cpu)?;
        }
        Ok(groups)
    }

    /// Version 1: each controller has a tree of its own, and pressure is in the
    /// tree of version 2.
    fn add_others(&mut self, name: &str, cpu: &[PathBuf]) -> Result<(), String> {
        let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let path = |controller: &str| {
            text.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':').skip(1);
                (parts.next()? == controller).then(|| parts.next())?
            })
        };
        if let Some(folder) = cpu
            .iter()
            .find(|folder| folder.join("cpu.cfs_quota_us").exists())
        {
            self.cpu = Some(Group::make(folder, name)?);
        }
        for (controller, mount) in [("cpuacct", "cpuacct"), ("", "unified")] {
            let mount = Path::new("/sys/fs/cgroup").join(mount);
            if let Some(path) = path(controller).filter(|_| mount.is_dir()) {
                let folder = mount.join(path.trim_start_matches('/'));
                self.others.push(Group::make(&folder, name)?);
            }
        }
        Ok(())
    }

    /// Moves a process into all of them.
    pub(crate) fn take_in(&self, process: u32) -> Result<(), String> {
        let groups = [&self.memory]
            .into_iter()
            .chain(&self.cpu)
            .chain(&self.others);
        groups
            .map(|group| group.set("cgroup.procs", &process.to_string()))
            .collect()
    }

    pub(crate) fn set_limit(&self, bytes: u64) {
        set_limit(&self.memory, bytes);
    }

    pub(crate) fn set_parent_limit(&self, bytes: u64) {
        set_limit(&self.parent, bytes);
    }

    /// A quota in microseconds of a period; false where there is no controller.
    pub(crate) fn set_quota(&self, quota: u32, period: u32) -> bool {
        let Some(cpu) = &self.cpu else { return false };
        cpu.set("cpu.cfs_period_us", &period.to_string()).unwrap();
        cpu.set("cpu.cfs_quota_us", &quota.to_string()).unwrap();
        true
    }

    pub(crate) fn throttled(&self) -> u64 {
        self.cpu.as_ref().unwrap().field("cpu.stat", "nr_throttled")
    }

    pub(crate) fn oom_kills(&self) -> u64 {
        let v1 = self.memory.has("memory.oom_control");
        let file = if v1 {
            "memory.oom_control"
        } else {
            "memory.events"
        };
        self.memory.field(file, "oom_kill")
    }

    /// Whether a file of pressure is of one of these groups.
    pub(crate) fn has_pressure(&self, path: &Path) -> bool {
        let mut groups = [&self.memory].into_iter().chain(&self.others);
        groups.any(|group| path.starts_with(&group.0))
    }
}

fn set_limit(group: &Group, bytes: u64) {
    let v1 = group.has("memory.limit_in_bytes");
    let file = if v1 {
        "memory.limit_in_bytes"
    } else {
        "memory.max"
    };
    group.set(file, &bytes.to_string()).unwrap();
}
