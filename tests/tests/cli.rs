//! The program as a person and a script use it: client commands, output for both, exit codes, refusals.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zerogate_tests::api::text;
use zerogate_tests::command::zerogate;
use zerogate_tests::fleet::Fleet;
use zerogate_tests::on_both;
use zerogate_tests::ports;

/// Exit codes that the help text promises.
const TASK_FAILED: i32 = 1;
const USAGE: i32 = 2;
const REFUSED: i32 = 3;
const UNREACHABLE: i32 = 4;

on_both!(
    a_task_from_submission_to_result,
    many_from_a_file_or_a_pipe,
    steering_from_the_command_line,
);

fn a_task_from_submission_to_result(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let url = Some(api.url());
    let arguments = [
        "submit",
        "diagnostic.echo",
        "--priority",
        "high",
        "--label",
        "kind=smoke",
        "-o",
        "json",
    ];
    let accepted = zerogate(url, &arguments, r#"{"hello": "world"}"#)?
        .expect(0)?
        .json()?;
    let id = find(&accepted, "task_id").context("no task id in the answer")?;
    zerogate(url, &["watch", &id], "")?.expect(0)?;
    let record = zerogate(url, &["status", &id, "-o", "json"], "")?
        .expect(0)?
        .json()?;
    ensure!(
        record["status"] == "completed" && record["priority"] == "high",
        "{record:#}"
    );
    ensure!(record["result"] == json!({"hello": "world"}), "{record:#}");
    let table = zerogate(url, &["status", &id], "")?.expect(0)?.stdout;
    ensure!(
        table.contains("completed") && table.contains(&id),
        "{table}"
    );

    let failing = ["submit", "diagnostic.panic", "--wait"];
    zerogate(url, &failing, "{}")?
        .expect(0)
        .err()
        .context("a failed task is no success")?;
    zerogate(url, &["submit", "no.such.type"], "{}")?.expect(REFUSED)?;
    zerogate(url, &["submit", "diagnostic.noop", "--dry-run"], "{}")?.expect(0)?;
    zerogate(url, &["status", "no-such-task"], "")?.expect(REFUSED)?;
    Ok(())
}

fn many_from_a_file_or_a_pipe(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let url = Some(api.url());
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("tasks.json");
    let tasks = json!([
        {"ref": "a", "workflow_type": "diagnostic.echo", "input": {"n": 1}},
        {"ref": "b", "workflow_type": "diagnostic.echo", "input": {"n": {"$result": "a", "pointer": "/n"}}},
    ]);
    std::fs::write(&file, tasks.to_string())?;
    let file = file.to_str().context("a plain path")?;
    zerogate(url, &["submit", "--input", file, "--wait"], "")?.expect(0)?;
    let lines = "{\"workflow_type\":\"diagnostic.noop\",\"input\":{}}\n".repeat(3);
    zerogate(url, &["submit", "--wait"], &lines)?.expect(0)?;
    let once = r#"{"workflow_type": "diagnostic.fail", "input": {}, "retry": {"max_attempts": 1}}"#;
    zerogate(url, &["submit", "--wait"], once)?.expect(TASK_FAILED)?;
    let mixed = "{\"workflow_type\":\"no.such\",\"input\":{}}\n{\"workflow_type\":\"diagnostic.noop\",\"input\":{}}\n";
    zerogate(url, &["submit"], mixed)?.expect(REFUSED)?;
    let partial = zerogate(url, &["submit", "--partial"], mixed)?.expect(REFUSED)?;
    ensure!(
        partial.stdout.contains("/workflow_type"),
        "the reason of a rejection is not shown:\n{}",
        partial.stdout
    );
    let followed = ["submit", "--partial", "--wait", "-o", "json"];
    let ended = zerogate(url, &followed, mixed)?.expect(REFUSED)?.json()?;
    ensure!(ended["status"] == "completed", "{ended:#}");
    zerogate(url, &["watch"], "")?.expect(0)?;
    let queue = zerogate(url, &["queue", "-o", "json"], "")?
        .expect(0)?
        .json()?;
    ensure!(queue["completed"] == 7 && queue["failed"] == 1, "{queue:#}");
    zerogate(url, &["queue"], "")?.expect(0)?;
    let workers = zerogate(url, &["workers", "-o", "json"], "")?
        .expect(0)?
        .json()?;
    ensure!(find(&workers, "worker_id").is_some(), "{workers:#}");
    zerogate(url, &["workers"], "")?.expect(0)?;
    zerogate(url, &["submit"], "this is not JSON")?.expect(USAGE)?;
    Ok(())
}

fn steering_from_the_command_line(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let url = Some(api.url());
    zerogate(url, &["pause", "--reason", "test"], "")?.expect(0)?;
    let system = zerogate(url, &["status", "-o", "json"], "")?
        .expect(0)?
        .json()?;
    ensure!(system["mode"] == "paused", "{system:#}");
    let accepted = zerogate(url, &["submit", "diagnostic.noop", "-o", "json"], "{}")?
        .expect(0)?
        .json()?;
    let id = find(&accepted, "task_id").context("no task id in the answer")?;
    zerogate(url, &["cancel", &id, "--reason", "test"], "")?.expect(0)?;
    ensure!(text(&api.status(&id)?, "status") == "cancelled");
    zerogate(url, &["cancel", &id], "")?.expect(REFUSED)?;
    zerogate(url, &["retry", &id], "")?.expect(0)?;
    zerogate(url, &["stop"], "")?.expect(0)?;
    zerogate(url, &["submit", "diagnostic.noop"], "{}")?.expect(REFUSED)?;
    zerogate(url, &["resume"], "")?.expect(0)?;
    zerogate(url, &["watch", &id], "")?.expect(0)?;
    Ok(())
}

#[test]
fn nobody_there_wrong_usage_and_help() -> Result<()> {
    let nobody = format!("http://127.0.0.1:{}", ports::free()?);
    zerogate(Some(&nobody), &["queue"], "")?.expect(UNREACHABLE)?;
    for url in ["nonsense", "127.0.0.1:8080", "https://127.0.0.1:8080", ""] {
        zerogate(Some(url), &["queue"], "")?.expect(USAGE)?;
    }
    zerogate(None, &["no-such-command"], "")?.expect(USAGE)?;
    zerogate(None, &["worker", "--no-such-flag"], "")?.expect(USAGE)?;
    let help = zerogate(None, &["--help"], "")?.expect(0)?.stdout;
    for command in [
        "dev",
        "demo",
        "coordinator",
        "worker",
        "run",
        "templates",
        "submit",
        "status",
        "watch",
        "cancel",
        "retry",
        "queue",
        "workers",
        "pause",
        "resume",
        "stop",
    ] {
        ensure!(
            help.contains(command),
            "{command} is missing in the help:\n{help}"
        );
    }
    let version = zerogate(None, &["--version"], "")?.expect(0)?.stdout;
    ensure!(version.starts_with("zerogate "), "{version}");
    Ok(())
}

/// The first text member of this name, wherever it is.
fn find(value: &Value, member: &str) -> Option<String> {
    match value {
        Value::Object(members) => members
            .get(member)
            .and_then(|found| found.as_str().map(ToOwned::to_owned))
            .or_else(|| members.values().find_map(|inner| find(inner, member))),
        Value::Array(items) => items.iter().find_map(|item| find(item, member)),
        _ => None,
    }
}
