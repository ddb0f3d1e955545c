//! Memory groups of the kernel: made with a limit, asked for their counters, removed when dropped. Version 1 and 2.
//!
//! Invariant: a group is named after this process and a number, holds only children of the bench, and is gone when it is
//! dropped; what an interrupted bench left is removed by the next one.
//! Deliberately absent: any other controller; the experiment limits memory alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;

const V1: &str = "/sys/fs/cgroup/memory";
const V2: &str = "/sys/fs/cgroup";
const PREFIX: &str = "zerogate-bench-";
/// The kernel takes a moment to clear a group whose last process was just reaped.
const EMPTY_WITHIN: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Why no groups can be made here, if so.
pub(crate) fn obstacle() -> Option<String> {
    match Group::new(64 << 20) {
        Ok(group) => {
            drop(group);
            None
        }
        Err(error) => Some(format!("{error:#}")),
    }
}

/// Removes the groups of benches that no longer run.
pub(crate) fn sweep_leftovers() {
    let Ok(root) = root() else { return };
    let Ok(entries) = fs::read_dir(root) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // Refused while something still lives in it: then it is not ours to remove.
            drop(fs::remove_dir(entry.path()));
        }
    }
}

/// A group with a limit; dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Group {
    gauge: Gauge,
}

impl Group {
    /// A new group with this limit.
    pub(crate) fn new(limit: u64) -> Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = root()?.join(format!("{PREFIX}{}-{number}", std::process::id()));
        fs::create_dir(&folder)
            .with_context(|| format!("cannot make the memory group {}", folder.display()))?;
        let group = Self {
            gauge: Gauge { folder },
        };
        let name = if group.gauge.is_v1() {
            "memory.limit_in_bytes"
        } else {
            "memory.max"
        };
        let path = group.gauge.folder.join(name);
        fs::write(&path, limit.to_string())
            .with_context(|| format!("cannot limit {}", path.display()))?;
        Ok(group)
    }

    /// What the kernel says of it.
    pub(crate) fn gauge(&self) -> &Gauge {
        &self.gauge
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // What stays behind is removed by the next bench.
        drop(process::wait_until(
            "the end of a memory group",
            EMPTY_WITHIN,
            POLL,
            || Ok(fs::remove_dir(&self.gauge.folder).is_ok()),
        ));
    }
}

/// The counters of a group, also for a process inside it.
#[derive(Clone, Debug)]
pub(crate) struct Gauge {
    folder: PathBuf,
}

impl Gauge {
    /// The group at this folder.
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where it is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that takes processes in.
    pub(crate) fn door(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// Bytes in use, page cache included.
    pub(crate) fn usage(&self) -> Result<u64> {
        let name = if self.is_v1() {
            "memory.usage_in_bytes"
        } else {
            "memory.current"
        };
        let text = self.read(name)?;
        text.trim().parse().with_context(|| format!("read {name}"))
    }

    /// Anonymous bytes: what processes took and touched.
    pub(crate) fn anonymous(&self) -> Result<u64> {
        let name = if self.is_v1() { "total_rss" } else { "anon" };
        self.member("memory.stat", name)
    }

    /// Processes that the kernel killed in it for want of memory.
    pub(crate) fn oom_kills(&self) -> Result<u32> {
        let file = if self.is_v1() {
            "memory.oom_control"
        } else {
            "memory.events"
        };
        Ok(u32::try_from(self.member(file, "oom_kill")?)?)
    }

    fn is_v1(&self) -> bool {
        self.folder.starts_with(V1)
    }

    fn member(&self, file: &str, name: &str) -> Result<u64> {
        member(&self.read(file)?, name).with_context(|| format!("{file} without {name}"))
    }

    fn read(&self, name: &str) -> Result<String> {
        let path = self.folder.join(name);
        fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
    }
}

/// Where groups with a memory limit are made.
fn root() -> Result<PathBuf> {
    if Path::new(V1).join("memory.limit_in_bytes").exists() {
        return Ok(V1.into());
    }
    let handed_down = fs::read_to_string(Path::new(V2).join("cgroup.subtree_control"));
    match handed_down {
        Ok(names) if names.split_whitespace().any(|name| name == "memory") => Ok(V2.into()),
        Ok(_) => bail!("{V2} does not hand the memory controller down to its groups"),
        Err(_) => bail!("there is neither {V1} nor a version 2 tree at {V2}"),
    }
}

/// The number behind a name in lines of `name number`.
fn member(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(key, _)| *key == name)?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_found_by_its_whole_name() {
        let text = "oom_kill_disable 1\nunder_oom 0\noom_kill 3\n";
        assert_eq!(member(text, "oom_kill"), Some(3));
        assert_eq!(member(text, "oom"), None);
    }

    #[test]
    fn a_group_counts_what_its_process_takes_and_is_gone_when_dropped() {
        if let Some(obstacle) = obstacle() {
            eprintln!("skipped: {obstacle}");
            return;
        }
        let group = Group::new(64 << 20).unwrap();
        let folder = group.gauge().folder().to_owned();
        let mut shell = zerogate_tests::nursery::command("sh");
        // A shell that fills a variable beyond the limit is killed by the kernel, and nothing else is.
        shell
            .args([
                "-c",
                "echo $$ > \"$1\"; exec head -c 200000000 /dev/zero | tail",
                "sh",
            ])
            .arg(group.gauge().door());
        process::output(shell).ok();
        assert!(group.gauge().oom_kills().unwrap() >= 1);
        drop(group);
        assert!(!folder.exists());
    }
}
