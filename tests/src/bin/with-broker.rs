//! Runs a command beside a RabbitMQ node that its tests share: `with-broker cargo nextest run`.
//!
//! The node and its data are gone when the command ends, and the exit code is the command's own. It starts nothing
//! else: Redis is up in 20 ms, so every test has its own.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use tempfile::TempDir;
use zerogate_tests::broker::SharedBroker;
use zerogate_tests::rabbit::Rabbit;
use zerogate_tests::settings;

/// More than there are tests with a fleet; each costs the node some 20 ms at boot.
const VHOSTS: usize = 120;

fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments
        .next()
        .context("usage: with-broker COMMAND [ARGUMENT]...")?;
    let folder = TempDir::with_prefix("zerogate-broker-").context("make a folder")?;
    let rabbit = Rabbit::start(VHOSTS)?;
    let description = folder.path().join("broker.json");
    let shared = SharedBroker {
        port: rabbit.port(),
        vhosts: VHOSTS,
        taken: folder.path().to_owned(),
    };
    let text = serde_json::to_string(&shared).context("describe the broker")?;
    std::fs::write(&description, text).context("describe the broker")?;
    let status = Command::new(&program)
        .args(arguments)
        .env(settings::SHARED_BROKER, &description)
        .status()
        .with_context(|| format!("run {}", program.display()))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
