//! One child process with its log: signals, waiting for a log line or the exit, and a guard that ends it.
//!
//! Invariant: when a [`Process`] is dropped its child is dead and reaped, also when it was frozen.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::nursery;
use crate::wait::{self, Look};

/// A running (or ended) child and the part of the log file that is its own.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    log_start: u64,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts a command (made by [`nursery::command`]) with both output streams appended to `log` and no input.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("open the log {}", log.display()))?;
        let log_start = file.seek(SeekFrom::End(0)).context("find the log's end")?;
        let again = file.try_clone().context("share the log")?;
        command.stdin(Stdio::null()).stdout(file).stderr(again);
        Ok(Self {
            name: name.to_owned(),
            child: nursery::spawn(command)?,
            log: log.to_owned(),
            log_start,
            ended: None,
        })
    }

    /// What the harness calls this process in messages and log names.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// True while the child has not ended (a frozen child runs).
    pub fn is_running(&mut self) -> Result<bool> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().context("look at a child")?;
        }
        Ok(self.ended.is_none())
    }

    /// SIGKILL, and wait until it is gone. Fine on a process that has already ended.
    pub fn kill(&mut self) -> Result<()> {
        if self.is_running()? {
            self.child.kill().context("kill a child")?;
            self.ended = Some(self.child.wait().context("reap a child")?);
        }
        Ok(())
    }

    /// SIGTERM: the polite request to end.
    pub fn terminate(&mut self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// SIGSTOP: the process stands still, its connections stay open.
    pub fn freeze(&mut self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT: it goes on as if nothing had happened.
    pub fn thaw(&mut self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&mut self, signal: Signal) -> Result<()> {
        if !self.is_running()? {
            bail!("{} has already ended: {}", self.name, self.exit_text());
        }
        let pid = i32::try_from(self.child.id()).context("read a pid")?;
        let pid = Pid::from_raw(pid).context("a child has pid 0")?;
        kill_process(pid, signal).with_context(|| format!("signal {}", self.name))
    }

    /// Waits for the child to end by itself.
    pub fn wait_exit(&mut self, within: Duration) -> Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        wait::until(&what, within, || {
            self.is_running()?;
            Ok(Look::from_option(self.ended, "still running"))
        })
    }

    /// Waits for a log line that contains all of the given pieces, and returns it. Fails at once if the child ends.
    pub fn wait_line(&mut self, pieces: &[&str], within: Duration) -> Result<String> {
        let what = format!("a line with {pieces:?} in the log of {}", self.name);
        wait::until_strict(&what, within, || {
            let running = self.is_running()?;
            let found = self
                .lines()?
                .into_iter()
                .find(|line| contains(line, pieces));
            if found.is_none() && !running {
                bail!("{} ended first: {}", self.name, self.exit_text());
            }
            Ok(Look::from_option(found, "no such line yet"))
        })
    }

    /// The lines that contain all of the given pieces, so far.
    pub fn lines_with(&self, pieces: &[&str]) -> Result<Vec<String>> {
        let mut lines = self.lines()?;
        lines.retain(|line| contains(line, pieces));
        Ok(lines)
    }

    /// Every line this process has written so far; a line still being written is left out.
    pub fn lines(&self) -> Result<Vec<String>> {
        let mut file = File::open(&self.log).context("open a log")?;
        file.seek(SeekFrom::Start(self.log_start))
            .context("find a log's part")?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).context("read a log")?;
        let text = String::from_utf8_lossy(&bytes);
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        Ok(whole.lines().map(ToOwned::to_owned).collect())
    }

    fn exit_text(&self) -> String {
        let status = self
            .ended
            .map_or("running".to_owned(), |end| end.to_string());
        format!("{status}; the end of its log:\n{}", tail(&self.log, 15))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!(
                "could not end {} (pid {}): {error:#}",
                self.name,
                self.pid()
            );
        }
    }
}

fn contains(line: &str, pieces: &[&str]) -> bool {
    pieces.iter().all(|piece| line.contains(piece))
}

/// The last lines of a file, for messages.
#[must_use]
pub fn tail(path: &Path, lines: usize) -> String {
    let Ok(bytes) = std::fs::read(path) else {
        return format!("(no log at {})", path.display());
    };
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
