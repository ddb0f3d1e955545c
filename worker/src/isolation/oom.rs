//! Whether the kernel ended something for want of memory.
//!
//! Invariant: a reading is the sum of every counter that this machine has: those of our control group (both
//! versions) and of the machine. It only grows; what matters is whether it grew while a child died.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The counters of this process's surroundings.
#[derive(Clone, Debug)]
pub(super) struct Kills {
    files: Vec<PathBuf>,
}

impl Kills {
    /// Finds the counters once; control groups of a running process seldom change.
    pub(super) fn find() -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mut files = vec![PathBuf::from("/proc/vmstat")];
        files.extend(counters(&own));
        Self { files }
    }

    /// The sum now.
    pub(super) fn count(&self) -> u64 {
        let of = |path: &PathBuf| fs::read_to_string(path).map_or(0, |text| oom_kill(&text));
        self.files.iter().map(of).sum()
    }
}

/// The counter files of the groups that `/proc/self/cgroup` lists. In a container the path is the host's while the
/// mount begins at our own group, so the root of the mount is looked at, too.
fn counters(own: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let (mount, file) = if controllers.is_empty() {
            ("/sys/fs/cgroup", "memory.events")
        } else if controllers.split(',').any(|name| name == "memory") {
            ("/sys/fs/cgroup/memory", "memory.oom_control")
        } else {
            continue;
        };
        let inside = Path::new(mount)
            .join(path.trim_start_matches('/'))
            .join(file);
        let root = Path::new(mount).join(file);
        found.extend([inside, root]);
    }
    found.dedup();
    found
}

/// The counter `oom_kill` of a file in the kernel's "name value" form.
fn oom_kill(text: &str) -> u64 {
    let value = |line: &str| line.strip_prefix("oom_kill ")?.trim().parse().ok();
    text.lines().find_map(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_counter_is_read() {
        let v2 = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n";
        let v1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n";
        assert_eq!(
            (oom_kill(v2), oom_kill(v1), oom_kill("nr_free 1")),
            (2, 5, 0)
        );
        let both = counters("4:memory:/api/x\n2:cpu,cpuacct:/\n0::/api\n");
        let both: Vec<_> = both.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(
            both,
            [
                "/sys/fs/cgroup/memory/api/x/memory.oom_control",
                "/sys/fs/cgroup/memory/memory.oom_control",
                "/sys/fs/cgroup/api/memory.events",
                "/sys/fs/cgroup/memory.events",
            ]
        );
        assert_eq!(Kills::find().count(), Kills::find().count());
    }
}
