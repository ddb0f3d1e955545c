//! Child processes in groups of their own, what they use, and bounded waits. The harness's processes are single ones; a
//! peer's worker is a family that must end and be counted together.
//!
//! Invariant: a [`Group`] and everything it started is gone when it is dropped, and also when the bench is interrupted
//! (then only its temporary folder stays).
//! The waits here poll by sleeping: the bench is a blocking program without an executor to block.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use zerogate_tests::nursery;

/// The process groups that must not outlive the bench.
static GROUPS: LazyLock<Mutex<HashSet<u32>>> = LazyLock::new(Mutex::default);

/// A child and all its descendants that stay in its process group.
pub(crate) struct Group {
    child: Child,
    log: PathBuf,
}

impl Group {
    /// Starts the command (made by [`nursery::command`]) as the leader of a new group; its output goes to `<logs>/<name>.log`.
    pub(crate) fn spawn(mut command: Command, logs: &Path, name: &str) -> Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let out = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0);
        let child = nursery::spawn(command).with_context(|| format!("start {name}"))?;
        groups().insert(child.id());
        Ok(Self { child, log })
    }

    /// Resident memory of the whole group in MiB (VmRSS of each process; shared pages count once each).
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        let kib: f64 = self
            .members()?
            .iter()
            .filter_map(|member| resident_kib(&fs::read_to_string(member.join("status")).ok()?))
            .sum();
        Ok(kib / 1024.0)
    }

    /// Processor time that the members have used so far, seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        Ok(self
            .members()?
            .iter()
            .filter_map(|member| cpu_of(member))
            .sum())
    }

    /// The folders in /proc of the group's processes. One that ends while we look at it uses nothing any more.
    fn members(&self) -> Result<Vec<PathBuf>> {
        let mut members = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let path = entry?.path();
            let stat = fs::read_to_string(path.join("stat")).unwrap_or_default();
            if field(&stat, GROUP_FIELD) == Some(self.child.id()) {
                members.push(path);
            }
        }
        Ok(members)
    }

    /// How the leader ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// An error with the last lines of the log if the leader has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        let Some(status) = self.ended()? else {
            return Ok(());
        };
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(20).collect();
        let tail: Vec<&str> = lines.into_iter().rev().collect();
        bail!(
            "ended with {status}: {}\n{}",
            self.log.display(),
            tail.join("\n")
        )
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        end_group(self.child.id());
        // Only a child already reaped gives an error here.
        drop(self.child.wait());
        groups().remove(&self.child.id());
    }
}

/// Ends all groups and exits when the bench is interrupted or terminated.
pub(crate) fn end_groups_on_signal() {
    thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        // Without the runtime the bench still works; only an interruption would leave children behind.
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let Ok(mut terminate) = signal(SignalKind::terminate()) else {
                return;
            };
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            for group in groups().drain() {
                end_group(group);
            }
            std::process::exit(130);
        });
    });
}

fn groups() -> std::sync::MutexGuard<'static, HashSet<u32>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everything here is scratch: nothing needs a graceful end.
fn end_group(leader: u32) {
    // Fails only when nothing of the group is left.
    drop(
        Command::new("kill")
            .args(["-KILL", "--", &format!("-{leader}")])
            .stderr(Stdio::null())
            .status(),
    );
}

/// Processor time of this program so far, seconds.
pub(crate) fn own_cpu_seconds() -> Result<f64> {
    cpu_seconds(std::process::id())
}

/// Processor time of a process so far, seconds, without that of its children.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    cpu_of(&folder).with_context(|| format!("process {pid} is gone"))
}

/// Fields of `/proc/PID/stat`, counted from the one after the name: proc(5).
const GROUP_FIELD: usize = 2;
const USER_TIME_FIELD: usize = 11;
const SYSTEM_TIME_FIELD: usize = 12;
/// USER_HZ, the unit of times in /proc: 100 on every Linux of today.
const TICKS_A_SECOND: f64 = 100.0;

fn cpu_of(process: &Path) -> Option<f64> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let ticks = field(&stat, USER_TIME_FIELD)? + field(&stat, SYSTEM_TIME_FIELD)?;
    Some(f64::from(ticks) / TICKS_A_SECOND)
}

/// The name of a process stands in parentheses and may hold anything, also parentheses.
fn field(stat: &str, index: usize) -> Option<u32> {
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(index)?.parse().ok()
}

fn resident_kib(status: &str) -> Option<f64> {
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Looks every `every` until the condition holds (the pace is part of some figures, so each caller chooses it); an error names what was waited for.
pub(crate) fn wait_until(
    what: &str,
    within: Duration,
    every: Duration,
    mut holds: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let deadline = Instant::now() + within;
    while !holds().with_context(|| format!("while waiting for {what}"))? {
        if Instant::now() > deadline {
            bail!("{what} did not happen within {} s", within.as_secs());
        }
        pause(every);
    }
    Ok(())
}

/// Lets time pass: between two looks of a poll, or for a system to settle before its memory is read.
#[expect(
    clippy::disallowed_methods,
    reason = "blocking threads only; there is no executor here to block"
)]
pub(crate) fn pause(length: Duration) {
    thread::sleep(length);
}

/// Runs a program with a short answer, and gives it without the spaces around it.
pub(crate) fn ask(program: impl Into<OsString>, arguments: &[&str]) -> Result<String> {
    let mut command = nursery::command(program);
    command.args(arguments);
    Ok(output(command)?.trim().to_owned())
}

/// Runs a command (made by [`nursery::command`]) to its end and gives its standard output; an error carries its
/// standard error.
pub(crate) fn output(mut command: Command) -> Result<String> {
    let shown = format!("{command:?}");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = nursery::spawn(command)?.wait_with_output()?;
    if !output.status.success() {
        let problem = String::from_utf8_lossy(&output.stderr);
        bail!("{shown} ended with {}: {}", output.status, problem.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_found_behind_any_name() {
        assert_eq!(field("12 (a) b) S 1 77 77 0", GROUP_FIELD), Some(77));
        assert_eq!(field("nonsense", GROUP_FIELD), None);
    }

    #[test]
    fn own_time_grows_with_work() {
        let before = own_cpu_seconds().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while own_cpu_seconds().unwrap() <= before {
            assert!(Instant::now() < deadline);
        }
    }

    #[test]
    fn resident_memory_is_read_from_its_line() {
        assert_eq!(
            resident_kib("VmHWM:\t9 kB\nVmRSS:\t  2048 kB\n"),
            Some(2048.0)
        );
    }

    #[test]
    fn a_dropped_group_takes_its_descendants_along() {
        let logs = tempfile::tempdir().unwrap();
        let mut shell = nursery::command("sh");
        shell.args(["-c", "sleep 600 & echo $!; wait"]);
        let group = Group::spawn(shell, logs.path(), "shell").unwrap();
        let log = logs.path().join("shell.log");
        let mut inner = String::new();
        wait_until(
            "the inner pid",
            Duration::from_secs(10),
            Duration::from_millis(10),
            || {
                inner = fs::read_to_string(&log)?.trim().to_owned();
                Ok(!inner.is_empty())
            },
        )
        .unwrap();
        assert!(group.resident_mib().unwrap() > 0.0);
        drop(group);
        wait_until(
            "the inner end",
            Duration::from_secs(10),
            Duration::from_millis(10),
            || {
                let stat = fs::read_to_string(format!("/proc/{inner}/stat")).unwrap_or_default();
                Ok(stat.is_empty() || stat.contains(") Z "))
            },
        )
        .unwrap();
    }
}
