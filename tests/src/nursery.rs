//! Starts children that the kernel ends when the test process dies, however it dies.
//!
//! `setpriv --pdeathsig KILL` (util-linux) sets the parent-death signal and then becomes the child, so the pid stays
//! the child's own. The signal is tied to the *thread* that started the child, and test threads end with their test:
//! therefore one thread, which lives as long as the process, starts them all. Where setpriv is missing the guards'
//! `Drop` is the only safety.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::LazyLock;
use std::sync::mpsc::{SyncSender, sync_channel};

use anyhow::{Context, Result};

use crate::settings;

struct Birth {
    command: Command,
    answer: SyncSender<std::io::Result<Child>>,
}

/// The bound is the number of test threads that could ask at once; a full channel only makes them wait.
const WAITING_BIRTHS: usize = 64;

static NURSERY: LazyLock<SyncSender<Birth>> = LazyLock::new(|| {
    let (births, due) = sync_channel::<Birth>(WAITING_BIRTHS);
    std::thread::spawn(move || {
        for Birth {
            mut command,
            answer,
        } in due
        {
            // The asker waits for this answer; if it is gone, dropping the child handle is all that is left.
            drop(answer.send(command.spawn()));
        }
    });
    births
});

static SETPRIV: LazyLock<Option<PathBuf>> = LazyLock::new(|| settings::executable("setpriv", &[]));

/// A command for `program` that dies with this process. Add arguments, environment and streams as usual.
#[must_use]
pub fn command(program: impl Into<OsString>) -> Command {
    let program = program.into();
    match SETPRIV.as_ref() {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// Starts a command made by [`command`] on the thread that never ends.
pub fn spawn(command: Command) -> Result<Child> {
    let name = format!("{command:?}");
    let (answer, child) = sync_channel(1);
    NURSERY
        .send(Birth { command, answer })
        .ok()
        .context("the thread that starts children is gone")?;
    child
        .recv()
        .context("the thread that starts children gave no answer")?
        .with_context(|| format!("start {name}"))
}
