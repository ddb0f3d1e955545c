//! One run of the `zerogate` program to its end, as a person would type it.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::wait::{self, Look};
use crate::{nursery, settings};

/// No command of the tests takes longer, `demo` included.
const PATIENCE: Duration = Duration::from_mins(2);

/// What a finished command left.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ended {
    /// Insists on an exit code; the error shows both streams.
    pub fn expect(self, code: i32) -> Result<Self> {
        ensure!(
            self.code == Some(code),
            "expected exit code {code}, got {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.code,
            self.stdout,
            self.stderr
        );
        Ok(self)
    }

    /// Standard output as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("not JSON: {}", self.stdout))
    }
}

/// Runs `zerogate` with these arguments, this standard input, and `ZEROGATE_URL` if there is one.
pub fn zerogate(url: Option<&str>, arguments: &[&str], input: &str) -> Result<Ended> {
    run(&settings::program()?, url, arguments, input)
}

/// Runs any program to its end in the same way.
pub fn run(program: &Path, url: Option<&str>, arguments: &[&str], input: &str) -> Result<Ended> {
    let folder = TempDir::with_prefix("zerogate-command-").context("make a folder")?;
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("in"), input).context("write the input")?;
    let mut command = nursery::command(program);
    command
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", settings::search_path())
        .env("HOME", folder.path())
        .envs(url.map(|url| ("ZEROGATE_URL", url)))
        .stdin(Stdio::from(
            File::open(file("in")).context("open the input")?,
        ))
        .stdout(File::create(file("out")).context("open the output")?)
        .stderr(File::create(file("err")).context("open the errors")?);
    let mut child = nursery::spawn(command)?;
    let ended = wait::until(
        &format!("`zerogate {}` to end", arguments.join(" ")),
        PATIENCE,
        || {
            let status = child.try_wait().context("look at a command")?;
            Ok(Look::from_option(status, "still running"))
        },
    );
    if ended.is_err() {
        child.kill().context("end a command")?;
        child.wait().context("reap a command")?;
    }
    let read = |name: &str| -> Result<String> {
        let bytes = std::fs::read(file(name)).context("read a command's output")?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let (stdout, stderr) = (read("out")?, read("err")?);
    let status = ended.with_context(|| format!("so far it said: {stdout}{stderr}"))?;
    Ok(Ended {
        code: status.code(),
        stdout,
        stderr,
    })
}
