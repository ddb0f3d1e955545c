//! The harness itself: nodes start, stop, keep and lose what they should, and nothing outlives a test.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use zerogate_tests::process::Process;
use zerogate_tests::rabbit::{Rabbit, vhost_name};
use zerogate_tests::wait::{self, Look};
use zerogate_tests::{amqp, nursery, settings};

const QUEUE: &str = "harness";

/// One node for all of it: a boot is 7 s of both cores.
#[test]
fn a_rabbitmq_node_keeps_its_data_until_it_is_wiped_and_leaves_nothing_behind() -> Result<()> {
    let mut rabbit = Rabbit::start(3)?;
    let url = rabbit.url(&vhost_name(0));
    let other = rabbit.url(&vhost_name(2));

    ensure!(
        amqp::depth(&url, QUEUE)?.is_none(),
        "a fresh host has no queue"
    );
    amqp::fill(&url, QUEUE, &[b"a", b"b"])?;
    ensure!(amqp::depth(&url, QUEUE)? == Some(2));
    ensure!(
        amqp::depth(&other, QUEUE)?.is_none(),
        "virtual hosts are separate"
    );
    ensure!(amqp::duplicate(&url, QUEUE)? == 2);
    ensure!(amqp::depth(&url, QUEUE)? == Some(4));

    rabbit.stop()?;
    ensure!(
        amqp::depth(&url, QUEUE).is_err(),
        "a stopped node does not answer"
    );
    rabbit.start_again()?;
    ensure!(
        amqp::depth(&url, QUEUE)? == Some(4),
        "persistent messages survive a restart"
    );
    ensure!(amqp::steal(&url, QUEUE)? == 4);
    ensure!(amqp::depth(&url, QUEUE)? == Some(0));
    ensure!(amqp::delete(&url, QUEUE)? == 0);

    amqp::fill(&url, QUEUE, &[b"a"])?;
    rabbit.kill()?;
    rabbit.wipe()?;
    rabbit.start_again()?;
    ensure!(
        amqp::depth(&url, QUEUE)?.is_none(),
        "a wiped node knows nothing"
    );

    let pids = rabbit.pids();
    ensure!(pids.len() == 2 && pids.iter().all(|pid| is_alive(*pid)));
    drop(rabbit);
    ensure!(
        !pids.iter().any(|pid| is_alive(*pid)),
        "a dropped node is gone"
    );
    Ok(())
}

#[test]
fn a_killed_test_runner_leaves_no_child_behind() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut command = nursery::command(settings::built("with-broker", "WITH_BROKER_BIN")?);
    command
        .args(["sh", "-c", "echo it runs; exec sleep 600"])
        // Killed, it cannot remove its folders: they go with ours.
        .env("TMPDIR", folder.path());
    let mut runner = Process::start("with-broker", command, &folder.path().join("log"))?;
    runner.wait_line(&["it runs"], Duration::from_secs(90))?;
    let node = child_of(runner.pid(), "beam.smp")?;
    let epmd = child_of(runner.pid(), "epmd")?;
    let left = child_of(runner.pid(), "sleep")?;
    runner.kill()?;
    let gone = wait::until(
        "the node to die with its runner",
        Duration::from_secs(20),
        || {
            Ok(Look::when(
                !is_alive(node) && !is_alive(epmd),
                "still alive",
            ))
        },
    );
    // The command that `with-broker` ran is its caller's: here ours to end.
    let pid = rustix::process::Pid::from_raw(i32::try_from(left)?).context("a pid")?;
    rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
    gone
}

#[test]
fn a_missing_program_is_named_in_the_message() -> Result<()> {
    let error = settings::built("no-such-program", "NO_SUCH_VARIABLE")
        .err()
        .context("a missing program must be an error")?;
    let text = format!("{error:#}");
    ensure!(
        text.contains("no-such-program") && text.contains("cargo build"),
        "{text}"
    );
    Ok(())
}

/// Running, and not merely waiting to be reaped.
fn is_alive(pid: u32) -> bool {
    stat(&PathBuf::from(format!("/proc/{pid}"))).is_some_and(|(_, state, _)| state != "Z")
}

fn child_of(parent: u32, name: &str) -> Result<u32> {
    let entries = std::fs::read_dir("/proc").context("look at the processes")?;
    entries
        .flatten()
        .find_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let (its_name, _, its_parent) = stat(&entry.path())?;
            (its_parent == parent && its_name == name).then_some(pid)
        })
        .with_context(|| format!("{parent} has no child {name}"))
}

/// Name, state and parent of a process.
fn stat(process: &Path) -> Option<(String, String, u32)> {
    let text = std::fs::read_to_string(process.join("stat")).ok()?;
    let (before, after) = text.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_owned();
    let mut fields = after.split_whitespace();
    let state = fields.next()?.to_owned();
    let parent = fields.next()?.parse().ok()?;
    Some((name, state, parent))
}
