//! The Python peer: installed from PyPI into a virtual environment below the build's output, run per measurement.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::Outcome;

const REQUIREMENTS: &str = include_str!("../../../../tests/peers/mail/requirements.txt");
const DRIVER: &str = include_str!("../../../../tests/peers/mail/drive.py");

/// An installed peer.
pub(crate) struct Peer {
    folder: PathBuf,
}

impl Peer {
    /// Installs it unless the same list is installed already.
    pub(crate) fn install(folder: &Path) -> Outcome<Self> {
        let peer = Self {
            folder: folder.to_owned(),
        };
        fs::write(folder.join("drive.py"), DRIVER)?;
        let stamp = folder.join("installed");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == REQUIREMENTS) {
            return Ok(peer);
        }
        let list = folder.join("requirements.txt");
        fs::write(&list, REQUIREMENTS)?;
        let mut venv = Command::new("python3");
        output(
            venv.args(["-m", "venv", "--clear"])
                .arg(folder.join("venv")),
        )?;
        let mut pip = Command::new(folder.join("venv/bin/pip"));
        output(
            pip.args(["install", "--quiet", "--disable-pip-version-check", "-r"])
                .arg(list),
        )?;
        fs::write(stamp, REQUIREMENTS)?;
        Ok(peer)
    }

    /// One measurement of a file.
    pub(crate) fn drive(&self, measure: &str, path: &Path) -> Outcome<Value> {
        let mut python = Command::new(self.folder.join("venv/bin/python"));
        let printed = output(
            python
                .arg(self.folder.join("drive.py"))
                .arg(measure)
                .arg(path),
        )?;
        let last = printed.lines().last().ok_or("the driver printed nothing")?;
        Ok(serde_json::from_str(last)?)
    }
}

fn output(command: &mut Command) -> Outcome<String> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?} failed: {said}").into())
}
