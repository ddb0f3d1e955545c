//! What a person asks and orders about resources: features, workers, profiles, plans, causes, alerts, and the screen.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zerogate_tests::command::{Ended, zerogate};
use zerogate_tests::fleet::Fleet;
use zerogate_tests::on_both;
use zerogate_tests::ports;
use zerogate_tests::wait::{self, Look};

/// Exit codes that the help text promises.
const USAGE: i32 = 2;
const REFUSED: i32 = 3;
const UNREACHABLE: i32 = 4;

/// A worker hears of an order within a heartbeat or two.
const SOON: Duration = Duration::from_secs(20);

on_both!(with Options::gated;
    a_feature_is_switched_off_explained_and_given_back,
    a_worker_is_drained_explained_and_resumed,
    profiles_are_set_and_given_back,
    plans_causes_and_alerts,
    one_look_at_everything,
);

/// Runs it as a person would.
fn ask(fleet: &Fleet, words: &[&str]) -> Result<Ended> {
    zerogate(Some(fleet.api().url()), words, "")
}

/// Runs it as a script would.
fn ask_json(fleet: &Fleet, words: &[&str]) -> Result<Value> {
    ask(fleet, &[words, &["-o", "json"]].concat())?
        .expect(0)?
        .json()
}

fn submit(fleet: &Fleet, kind: &str, input: &Value) -> Result<String> {
    let words = ["submit", kind, "-o", "json"];
    let accepted = zerogate(Some(fleet.api().url()), &words, &input.to_string())?
        .expect(0)?
        .json()?;
    let id = accepted["task_id"].as_str().context("no task id")?;
    Ok(id.to_owned())
}

/// Asks why until the reason is this one.
fn waits_for(fleet: &Fleet, task: &str, reason: &str) -> Result<Value> {
    wait::until(&format!("the task to wait for {reason}"), SOON, || {
        let why = ask_json(fleet, &["why", task])?;
        let found = why["reason"] == reason;
        Ok(Look::from_option(
            found.then(|| why.clone()),
            format!("{why:#}"),
        ))
    })
}

fn a_feature_is_switched_off_explained_and_given_back(fleet: &mut Fleet) -> Result<()> {
    let name = "relationship_mapping";
    let all = ask(fleet, &["features"])?.expect(0)?.stdout;
    ensure!(
        all.contains(name) && all.contains("advanced_analytics"),
        "{all}"
    );
    let listed = ask_json(fleet, &["features", "list"])?;
    ensure!(listed["features"].as_array().is_some(), "{listed:#}");

    let order = [
        "features", "set", name, "disabled", "--reason", "a test", "--for", "5m",
    ];
    let ordered = ask_json(fleet, &order)?;
    ensure!(
        ordered["state"] == "disabled" && ordered["rule"] == "manual",
        "{ordered:#}"
    );
    let input = json!({"nodes": [{"id": "ann"}, {"id": "bo"}], "edges": [{"a": "ann", "b": "bo", "strength": 0.9}],
        "query": {"source": "ann", "targets": ["bo"]}});
    let task = submit(fleet, name, &input)?;
    waits_for(fleet, &task, "feature_disabled")?;
    let why = ask(fleet, &["why", &task])?.expect(0)?.stdout;
    ensure!(
        why.starts_with("feature_disabled: ") && why.contains("a test"),
        "{why}"
    );
    ensure!(why.contains("rule manual"), "{why}");
    let why = ask(fleet, &["features", "why", name])?.expect(0)?.stdout;
    for part in [
        "ordered off by",
        "a test",
        "rule          manual",
        "would change",
    ] {
        ensure!(why.contains(part), "{part} is missing:\n{why}");
    }

    let back = [
        "features",
        "set",
        name,
        "auto",
        "--reason",
        "the test is over",
    ];
    let text = ask(fleet, &back)?.expect(0)?.stdout;
    ensure!(text.starts_with(&format!("{name} is ")), "{text}");
    ask(fleet, &["watch", &task])?.expect(0)?;
    Ok(())
}

#[test]
fn orders_that_make_no_sense_are_refused_before_or_by_the_coordinator() -> Result<()> {
    let nobody = format!("http://127.0.0.1:{}", ports::free()?);
    let asked = |words: &[&str]| zerogate(Some(&nobody), words, "");
    for words in [
        &["features", "set", "email_analysis", "disabled"][..],
        &[
            "features",
            "set",
            "email_analysis",
            "perhaps",
            "--reason",
            "x",
        ],
        &[
            "features",
            "set",
            "email_analysis",
            "auto",
            "--reason",
            "x",
            "--for",
            "soon",
        ],
        &["features", "why"],
        &["features", "set", "../livez", "auto", "--reason", "x"],
        &["workers", "some-worker", "drain", "some-worker"],
        &["workers", "--since", "1h"],
        &["profile", "set", "reckless", "--reason", "x"],
        &["profile", "set", "balanced"],
        &["alerts", "--level", "urgent"],
        &["top", "-o", "json"],
        &["top"],
        &["top", "--once", "--every", "1s"],
    ] {
        asked(words)?
            .expect(USAGE)
            .with_context(|| words.join(" "))?;
    }
    for words in [
        &["features"][..],
        &["workers", "--history"],
        &["capacity"],
        &["bottleneck"],
        &["alerts"],
        &["why", "some-task"],
    ] {
        asked(words)?
            .expect(UNREACHABLE)
            .with_context(|| words.join(" "))?;
    }
    let look = asked(&["top", "--once"])?.expect(UNREACHABLE)?;
    ensure!(look.stdout.contains("no answer from"), "{}", look.stdout);
    Ok(())
}

fn a_worker_is_drained_explained_and_resumed(fleet: &mut Fleet) -> Result<()> {
    let workers = ask_json(fleet, &["workers"])?;
    let id = workers["workers"][0]["worker_id"]
        .as_str()
        .context("no worker")?
        .to_owned();
    let list = ask(fleet, &["workers"])?.expect(0)?.stdout;
    ensure!(list.contains(&id) && list.contains("LEVEL"), "{list}");
    let one = ask(fleet, &["workers", &id])?.expect(0)?.stdout;
    ensure!(
        one.contains(&id) && one.contains("diagnostic.noop"),
        "{one}"
    );

    let drained = ask(fleet, &["workers", "drain", &id, "--reason", "a test"])?.expect(0)?;
    ensure!(drained.stdout.contains("drains now"), "{}", drained.stdout);
    let again = ask_json(fleet, &["workers", "drain", &id])?;
    ensure!(
        again["changed"] == false && again["draining"] == true,
        "{again:#}"
    );
    let task = submit(fleet, "diagnostic.noop", &json!({}))?;
    waits_for(fleet, &task, "capacity")?;
    let why = ask(fleet, &["why", &task])?.expect(0)?.stdout;
    ensure!(
        why.contains(&id) && why.contains("draining") && why.contains("a test"),
        "{why}"
    );

    let back = ask(fleet, &["workers", "resume", &id])?.expect(0)?.stdout;
    ensure!(back.contains("takes work again"), "{back}");
    ask(fleet, &["watch", &task])?.expect(0)?;

    for words in [
        &["workers", "--history"][..],
        &["workers", &id, "--history", "--since", "15m"],
    ] {
        let rows = ask_json(fleet, words)?;
        ensure!(rows["history"].is_array(), "{rows:#}");
        ask(fleet, words)?.expect(0)?;
    }
    for words in [
        &["workers", "no-such"][..],
        &["workers", "drain", "no-such"],
        &["workers", "resume", "no-such"],
    ] {
        ask(fleet, words)?.expect(REFUSED)?;
    }
    Ok(())
}

fn profiles_are_set_and_given_back(fleet: &mut Fleet) -> Result<()> {
    let set = |words: &[&str]| {
        ask_json(
            fleet,
            &[&["profile", "set"], words, &["--reason", "a test"]].concat(),
        )
    };
    let performance = set(&["performance"])?;
    ensure!(
        performance["profile"] == "performance" && performance["changed"] == true,
        "{performance:#}"
    );
    let workers = ask_json(fleet, &["workers"])?;
    let id = workers["workers"][0]["worker_id"]
        .as_str()
        .context("no worker")?;
    let own = set(&["development", "--worker", id])?;
    ensure!(
        own["worker_id"] == id && own["profile"] == "development",
        "{own:#}"
    );
    let configured = set(&["configured"])?;
    ensure!(
        configured["profile"].is_null() && configured["changed"] == true,
        "{configured:#}"
    );
    ask(
        fleet,
        &[
            "profile", "set", "balanced", "--worker", "no-such", "--reason", "x",
        ],
    )?
    .expect(REFUSED)?;

    Ok(())
}

fn plans_causes_and_alerts(fleet: &mut Fleet) -> Result<()> {
    let plan = ask_json(fleet, &["capacity"])?;
    ensure!(
        plan["desired_workers"].is_u64() && plan["binding"].is_string(),
        "{plan:#}"
    );
    let plan = ask(fleet, &["capacity"])?.expect(0)?.stdout;
    ensure!(
        plan.contains("needed, 1 there") && plan.contains("confidence"),
        "{plan}"
    );
    let cause = ask_json(fleet, &["bottleneck"])?["bottleneck"].clone();
    let text = ask(fleet, &["bottleneck"])?.expect(0)?.stdout;
    ensure!(
        cause.as_str().is_some_and(|cause| text.starts_with(cause)),
        "{cause}: {text}"
    );
    let alerts = ask_json(
        fleet,
        &["alerts", "--level", "critical", "--state", "firing"],
    )?;
    ensure!(alerts["alerts"] == json!([]), "{alerts:#}");
    ask(fleet, &["alerts"])?.expect(0)?;

    for words in [
        &[
            "features",
            "set",
            "grant_timeline",
            "disabled",
            "--reason",
            "essential",
        ][..],
        &["features", "set", "no_such", "auto", "--reason", "x"],
        &[
            "features",
            "set",
            "email_analysis",
            "disabled",
            "--reason",
            "x",
            "--for",
            "25h",
        ],
        &["features", "why", "no_such"],
    ] {
        ask(fleet, words)?
            .expect(REFUSED)
            .with_context(|| words.join(" "))?;
    }
    Ok(())
}

fn one_look_at_everything(fleet: &mut Fleet) -> Result<()> {
    ask(fleet, &["pause", "--reason", "a test"])?.expect(0)?;
    submit(fleet, "diagnostic.noop", &json!({}))?;
    let workers = ask_json(fleet, &["workers"])?;
    let id = workers["workers"][0]["worker_id"]
        .as_str()
        .context("no worker")?;
    let look = ask(fleet, &["top", "--once"])?.expect(0)?.stdout;
    for part in [
        "mode paused",
        "workers: 1",
        id,
        "queues: 1 pending",
        "advanced_analytics",
        "alerts: 0 critical",
    ] {
        ensure!(look.contains(part), "{part} is missing:\n{look}");
    }
    let look = ask_json(fleet, &["top", "--once"])?;
    ensure!(
        look["errors"] == json!({}) && look["system"]["mode"] == "paused",
        "{look:#}"
    );
    ensure!(look["queue"]["pending"] == 1, "{look:#}");
    Ok(())
}
