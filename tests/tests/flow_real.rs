//! The real workflow types through the whole system, ten thousand tasks in one request, and what the logs tell.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zerogate_tests::api::{task, with};
use zerogate_tests::fleet::{Fleet, Options};
use zerogate_tests::on_both;
use zerogate_tests::oracle::{Ending, Oracle, started_once};
use zerogate_tests::process::Process;
use zerogate_tests::wait::{self, Look, SOON};
use zerogate_tests::{nursery, settings};

on_both!(
    real_types_and_a_dependent_that_reads_them,
    bad_input_of_a_real_type_is_refused_or_fails_for_good,
);

mod heavy {
    use zerogate_tests::on_both;

    use super::ten_thousand_in_one_request;

    on_both!(ten_thousand_in_one_request);
}

mod told {
    use zerogate_tests::on_both;

    use super::logs_carry_the_correlation_and_no_payload;

    /// Each task's own lines are for those who look for them: at the usual level there would be thousands a second.
    const LOG: &str = "info,zerogate_coordinator=debug,zerogate_worker=debug,zerogate_shared=debug";

    on_both!(with |options: Options| options.flag("--log", super::LOG); logs_carry_the_correlation_and_no_payload);
}

/// A path of five people with one short cut too weak to matter.
fn mapping() -> Value {
    task(
        "relationship_mapping",
        &json!({
            "directed": false,
            "nodes": (1..=5).map(|n| json!({"id": format!("p{n}"), "type": "person", "name": format!("Person {n}")})).collect::<Vec<_>>(),
            "edges": (1..=4).map(|n| json!({
                "a": format!("p{n}"), "b": format!("p{}", n + 1), "strength": 0.9, "last_contact": "2026-11-01", "kind": "knows",
            })).collect::<Vec<_>>(),
            "query": {"source": "p1", "targets": ["p5"], "max_hops": 7, "k_paths": 2, "min_strength": 0.05},
            "metrics": ["degree", "betweenness", "closeness"],
            "params": {"as_of": "2026-11-23"},
            "seed": 1,
        }),
    )
}

/// Two serial tasks before a deadline whose milestone dates are known (US federal calendar).
fn timeline() -> Value {
    let step = |id: &str, on: &[&str]| {
        json!({"id": id, "name": id, "unit": "working_days", "depends_on": on, "owner": "kim",
               "duration": {"optimistic": 3, "likely": 5, "pessimistic": 10}})
    };
    task(
        "grant_timeline",
        &json!({
            "as_of": "2026-11-23",
            "opportunity": {"id": "o1", "postDate": "2026-10-01",
                            "closeDate": {"date": "2027-03-31", "time": "17:00", "tz": "America/New_York"}},
            "calendar": {"country": "US", "weekend": ["sat", "sun"], "holidays": []},
            "milestone_offsets_days": [90, 60, 30, 14, 7],
            "submit_buffer_working_days": 2,
            "tasks": [step("scope", &[]), step("budget", &["scope"])],
            "simulation": {"runs": 500, "seed": 42, "target": 0.8},
        }),
    )
}

fn real_types_and_a_dependent_that_reads_them(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let join = task(
        "diagnostic.echo",
        &json!({
            "hops": {"$result": "map", "pointer": "/paths/0/hops"},
            "first": {"$result": "plan", "pointer": "/milestones/0/date"},
        }),
    );
    let tasks = [
        with(mapping(), &json!({"ref": "map"})),
        with(timeline(), &json!({"ref": "plan"})),
        join,
    ];
    let ids = oracle.submit_all(&api, &tasks, Ending::Completed)?;
    let records = oracle.settle(&api, SOON)?;
    let nodes = &records[&ids[0]]["result"]["paths"][0]["nodes"];
    ensure!(*nodes == json!(["p1", "p2", "p3", "p4", "p5"]), "{nodes}");
    let plan = &records[&ids[1]]["result"];
    let milestones = plan["milestones"].as_array().context("milestones")?;
    for (offset, date) in [
        (90, "2026-12-31"),
        (60, "2027-01-29"),
        (30, "2027-03-01"),
        (14, "2027-03-17"),
        (7, "2027-03-24"),
    ] {
        let found = milestones
            .iter()
            .any(|one| one["offset"] == offset && one["date"] == date);
        ensure!(
            found,
            "{offset} days before must be {date}: {milestones:#?}"
        );
    }
    let joined = &records[&ids[2]]["result"];
    ensure!(
        joined["hops"] == 4 && joined["first"].is_string(),
        "{joined:#}"
    );
    Ok(())
}

fn bad_input_of_a_real_type_is_refused_or_fails_for_good(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let mut broken = mapping();
    broken["input"]["edges"] = json!("none");
    let pointers = api.submit(&broken)?.problem(422)?;
    ensure!(
        pointers.iter().any(|at| at.starts_with("/input/edges")),
        "{pointers:?}"
    );
    // Well-formed, but it means nothing: only the handler can tell, and no retry would help.
    let mut nobody = mapping();
    nobody["input"]["query"]["source"] = json!("nobody");
    let id = oracle.submit(&api, &nobody, Ending::Failed("invalid_input"))?;
    let records = oracle.settle(&api, SOON)?;
    ensure!(
        records[&id]["error"]["retryable"] == false,
        "{:#}",
        records[&id]
    );
    started_once(&records)
}

fn logs_carry_the_correlation_and_no_payload(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let canary = "canary-6f1d0c";
    let told = json!({"correlation_id": "correlation-4711", "retry": {"max_attempts": 1}});
    let echo = task("diagnostic.echo", &json!({"secret": canary}));
    oracle.submit(&api, &with(echo, &told), Ending::Completed)?;
    let fail = with(task("diagnostic.fail", &json!({})), &told);
    oracle.submit(&api, &fail, Ending::Failed("handler_error"))?;
    api.submit(&task("diagnostic.sleep", &json!({"ms": canary})))?
        .problem(422)?;
    let records = oracle.settle(&api, SOON)?;
    for record in records.values() {
        ensure!(record["correlation_id"] == "correlation-4711", "{record:#}");
    }
    for member in fleet.coordinators.iter().chain(&fleet.workers) {
        let name = member.process.name();
        let told = member.process.lines_with(&["correlation-4711"])?;
        ensure!(
            !told.is_empty(),
            "no line of {name} carries the correlation id"
        );
        let leaked = member.process.lines_with(&[canary])?;
        ensure!(leaked.is_empty(), "{name} logged a payload: {leaked:?}");
        for line in member.process.lines()? {
            let parsed: Result<Value, _> = serde_json::from_str(&line);
            ensure!(parsed.is_ok(), "{name} logged no JSON: {line}");
        }
    }
    Ok(())
}

fn ten_thousand_in_one_request(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let mut tasks = vec![task("diagnostic.noop", &json!({})); 10_000];
    for (n, one) in tasks.iter_mut().enumerate() {
        let members = if n % 10 == 0 {
            json!({"ref": format!("n{n}")})
        } else {
            json!({"ref": format!("n{n}"), "depends_on": [format!("n{}", n - n % 10)]})
        };
        *one = with(one.take(), &members);
    }
    oracle.submit_all(&api, &tasks, Ending::Completed)?;
    let records = oracle.settle(&api, Duration::from_mins(2))?;
    started_once(&records)
}

/// Eight clients on two coordinators, four priorities: everything ends, whatever the mix.
#[test]
fn a_mixed_load_from_many_clients() -> Result<()> {
    Fleet::run(Options::distributed().size(2, 2, 4), |fleet| {
        let apis = [fleet.coordinators[0].api(), fleet.coordinators[1].api()];
        let accepted: Vec<Result<Vec<String>>> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..8)
                .map(|client| {
                    let api = &apis[client % 2];
                    scope.spawn(move || {
                        let mut ids = Vec::new();
                        for n in 0..25 {
                            let priority = ["critical", "high", "medium", "low"][n % 4];
                            let members = json!({"priority": priority, "labels": {"client": client.to_string()}});
                            let one = task("diagnostic.sleep", &json!({"ms": n}));
                            ids.push(api.accept(&with(one, &members))?);
                        }
                        Ok(ids)
                    })
                })
                .collect();
            let joined = clients
                .into_iter()
                .map(|client| client.join().ok().context("a client died"));
            joined.map(|ids| ids.and_then(|ids| ids)).collect()
        });
        let mut oracle = Oracle::new();
        for ids in accepted {
            for id in ids? {
                oracle.track(&id, Ending::Completed);
            }
        }
        ensure!(oracle.len() == 200);
        let records = oracle.settle(&apis[0], SOON)?;
        started_once(&records)
    })
}

/// A team's own binary with its own type, on the fleet's RabbitMQ and Redis, beside the usual workers.
#[test]
fn a_teams_own_worker_joins_the_fleet() -> Result<()> {
    Fleet::run(Options::distributed(), |fleet| {
        let api = fleet.api();
        let mut oracle = Oracle::new();
        let count = task("acme.word_count", &json!({"text": "to be or not to be"}));
        api.submit(&count)?.problem(422)?;

        let mut command =
            nursery::command(settings::built("examples/own_worker", "OWN_WORKER_BIN")?);
        command.args(["--amqp-url", &fleet.amqp()?]);
        command.args(["--redis-url", &fleet.redis()?.url(), "--concurrency", "2"]);
        let folder = tempfile::tempdir()?;
        let blobs = fleet.folder().join("data/blobs");
        command.arg("--blob-url");
        command.arg(format!("file://{}", blobs.display()));
        let mut own = Process::start("own_worker", command, &folder.path().join("log"))?;
        wait::until("the new type to be announced", SOON, || {
            let dry = api.post("/api/workflows/submit?dry_run=true", &count)?;
            let running = own.is_running()?;
            Ok(Look::when(
                dry.status < 300,
                format!("running: {running}; {}", dry.text),
            ))
        })?;
        let bad = task("acme.word_count", &json!({"text": 7}));
        ensure!(
            api.submit(&bad)?
                .problem(422)?
                .iter()
                .any(|at| at == "/input/text")
        );
        let ids = oracle.submit_all(&api, &vec![count.clone(); 10], Ending::Completed)?;
        let echo = json!({"words": {"$result": ids[0], "pointer": "/words"}});
        let echo = oracle.submit(&api, &task("diagnostic.echo", &echo), Ending::Completed)?;
        let records = oracle.settle(&api, SOON)?;
        ensure!(
            records[&echo]["result"]["words"] == 6,
            "{:#}",
            records[&echo]
        );
        own.terminate()?;
        let status = own.wait_exit(Duration::from_secs(20))?;
        ensure!(status.success(), "a drained worker exits 0, not {status}");
        Ok(())
    })
}
