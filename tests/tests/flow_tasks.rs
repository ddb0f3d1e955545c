//! What becomes of a submitted task: every diagnostic type, dependencies with `$result`, bulk, priorities, idempotency.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zerogate_tests::api::{Api, later, task, text, with};
use zerogate_tests::fleet::Fleet;
use zerogate_tests::on_both;
use zerogate_tests::oracle::{Ending, Oracle, starts};
use zerogate_tests::wait::SOON;

on_both!(
    every_diagnostic_type_ends_as_it_says,
    a_dag_hands_results_on,
    a_failed_parent_cancels_or_is_overlooked,
    a_bulk_is_all_or_nothing_unless_asked_otherwise,
    cycles_and_bad_references_are_named_together,
    an_idempotency_key_answers_again,
    a_schedule_and_an_expiry_are_kept,
);

mod ordered {
    use zerogate_tests::on_both;

    use super::urgent_work_goes_first;

    on_both!(with |options: Options| options.size(1, 1, 1); urgent_work_goes_first);
}

fn every_diagnostic_type_ends_as_it_says(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let once = json!({"retry": {"max_attempts": 1}});
    let cases = [
        ("diagnostic.noop", json!({}), Ending::Completed),
        ("diagnostic.sleep", json!({"ms": 30}), Ending::Completed),
        ("diagnostic.spin", json!({"ms": 30}), Ending::Completed),
        (
            "diagnostic.alloc",
            json!({"mib": 8, "ms": 10}),
            Ending::Completed,
        ),
        (
            "diagnostic.fail",
            json!({}),
            Ending::Failed("handler_error"),
        ),
        ("diagnostic.panic", json!({}), Ending::Failed("panic")),
    ];
    for (workflow_type, input, ending) in &cases {
        oracle.submit(&api, &with(task(workflow_type, input), &once), *ending)?;
    }
    let input =
        json!({"text": "Grüße, 資金", "list": [1, 2.5, null, true], "nested": {"deep": {}}});
    let echo = oracle.submit(&api, &task("diagnostic.echo", &input), Ending::Completed)?;
    let hang = with(task("diagnostic.hang", &json!({})), &once);
    let hang = with(hang, &json!({"timeout_ms": 300}));
    oracle.submit(&api, &hang, Ending::Failed("timeout"))?;
    let records = oracle.settle(&api, SOON)?;
    let echoed = &records[&echo];
    ensure!(echoed["result"] == input, "the echo differs: {echoed:#}");
    ensure!(
        echoed["attempt"] == 1 && starts(echoed) == 1,
        "one run was enough: {echoed:#}"
    );
    ensure!(!text(echoed, "worker_id").is_empty() && !text(echoed, "correlation_id").is_empty());
    ensure!(text(echoed, "submitted_at") <= text(echoed, "started_at"));
    ensure!(text(echoed, "started_at") <= text(echoed, "finished_at"));
    Ok(())
}

fn a_dag_hands_results_on(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let earlier = oracle.submit(
        &api,
        &task("diagnostic.echo", &json!({"paths": [7, 8, 9]})),
        Ending::Completed,
    )?;
    let node =
        |name: &str, input: &Value| with(task("diagnostic.echo", input), &json!({"ref": name}));
    let tasks = [
        node(
            "left",
            &json!({"n": {"$result": earlier, "pointer": "/paths/1"}}),
        ),
        node(
            "right",
            &json!({"n": {"$result": earlier, "pointer": "/paths"}}),
        ),
        node(
            "join",
            &json!({"l": {"$result": "left", "pointer": "/n"}, "r": {"$result": "right", "pointer": "/n"}}),
        ),
        with(
            node("last", &json!({"all": {"$result": "join"}})),
            &json!({"depends_on": ["left"]}),
        ),
    ];
    let ids = oracle.submit_all(&api, &tasks, Ending::Completed)?;
    let pointless = json!({"x": {"$result": ids[0], "pointer": "/no/such/member"}});
    oracle.submit(
        &api,
        &task("diagnostic.echo", &pointless),
        Ending::Failed("invalid_input"),
    )?;
    let records = oracle.settle(&api, SOON)?;
    let last = &records[&ids[3]];
    ensure!(
        last["result"] == json!({"all": {"l": 8, "r": [7, 8, 9]}}),
        "the results did not travel: {last:#}"
    );
    let mut parents = names(&last["depends_on"]);
    parents.sort();
    let mut expected = vec![ids[0].clone(), ids[2].clone()];
    expected.sort();
    ensure!(
        parents == expected,
        "the read task must join depends_on: {last:#}"
    );
    let left = &records[&ids[0]];
    ensure!(
        names(&left["dependents"]).contains(&ids[2]),
        "a parent knows its dependents: {left:#}"
    );
    Ok(())
}

fn a_failed_parent_cancels_or_is_overlooked(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let once = json!({"ref": "bad", "retry": {"max_attempts": 1}});
    let tasks = [
        with(task("diagnostic.fail", &json!({})), &once),
        with(
            task("diagnostic.noop", &json!({})),
            &json!({"ref": "child", "depends_on": ["bad"]}),
        ),
        with(
            task("diagnostic.noop", &json!({})),
            &json!({"ref": "grandchild", "depends_on": ["child"]}),
        ),
        with(
            task("diagnostic.echo", &json!({"x": {"$result": "bad"}})),
            &json!({"ref": "tolerant", "on_dependency_failure": "run"}),
        ),
    ];
    let ids = oracle.submit_all(&api, &tasks, Ending::Cancelled)?;
    oracle.track(&ids[0], Ending::Failed("handler_error"));
    oracle.track(&ids[3], Ending::Completed);
    let records = oracle.settle(&api, SOON)?;
    for id in &ids[1..3] {
        let record = &records[id];
        ensure!(
            record["error"]["code"] == "dependency_failed" && starts(record) == 0,
            "{record:#}"
        );
    }
    ensure!(
        records[&ids[3]]["result"] == json!({"x": null}),
        "{:#}",
        records[&ids[3]]
    );
    Ok(())
}

fn a_bulk_is_all_or_nothing_unless_asked_otherwise(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let noop = || task("diagnostic.noop", &json!({}));
    let tasks = [
        with(noop(), &json!({"ref": "a"})),
        with(task("no.such.type", &json!({})), &json!({"ref": "b"})),
        with(noop(), &json!({"ref": "c", "depends_on": ["b"]})),
        with(noop(), &json!({"ref": "d", "depends_on": ["a"]})),
    ];
    let refused = api.bulk(&tasks, true)?;
    let pointers = refused.problem(422)?;
    ensure!(
        pointers.iter().any(|at| at.starts_with("/tasks/1")),
        "{}",
        refused.text
    );
    ensure!(
        api.queue()?["completed"] == 0,
        "a refused bulk leaves nothing"
    );

    let mixed = api.bulk(&tasks, false)?.expect(202)?.body;
    ensure!(
        mixed["accepted"] == 2 && mixed["rejected"] == 2,
        "{mixed:#}"
    );
    for (index, accepted) in [true, false, false, true].into_iter().enumerate() {
        let item = &mixed["items"][index];
        ensure!(
            item["index"] == json!(index) && item["task_id"].is_string() == accepted,
            "{mixed:#}"
        );
        ensure!(item["problem"].is_object() != accepted, "{mixed:#}");
    }
    oracle.track(&text(&mixed["items"][0], "task_id"), Ending::Completed);
    oracle.track(&text(&mixed["items"][3], "task_id"), Ending::Completed);

    let lines = format!(
        "{}\n{}\n",
        noop(),
        with(noop(), &json!({"correlation_id": "line-2"}))
    );
    let ndjson = [("content-type", "application/x-ndjson")];
    let path = "/api/workflows/submit/bulk?atomic=true";
    let reply = api
        .request("POST", path, &ndjson, lines.as_bytes())?
        .expect(202)?;
    for item in reply.body["items"].as_array().context("items")? {
        oracle.track(&text(item, "task_id"), Ending::Completed);
    }
    let many = vec![noop(); 500];
    oracle.submit_all(&api, &many, Ending::Completed)?;
    oracle.settle(&api, SOON)?;
    Ok(())
}

fn cycles_and_bad_references_are_named_together(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let node = |name: &str, on: &[&str]| {
        with(
            task("diagnostic.noop", &json!({})),
            &json!({"ref": name, "depends_on": on}),
        )
    };
    let cycle = [
        node("alpha", &["gamma"]),
        node("beta", &["alpha"]),
        node("gamma", &["beta"]),
    ];
    let reply = api.bulk(&cycle, true)?;
    reply.problem(422)?;
    for name in ["alpha", "beta", "gamma"] {
        ensure!(
            reply.text.contains(name),
            "the cycle must be named: {}",
            reply.text
        );
    }
    let wrong = [
        node("x", &["nowhere"]),
        node("x", &[]),
        with(node("y", &[]), &json!({"priority": "urgent"})),
        node("z", &["00000000-0000-7000-8000-000000000000"]),
    ];
    let reply = api.bulk(&wrong, true)?;
    let pointers = reply.problem(422)?;
    for at in [
        "/tasks/0/depends_on/0",
        "/tasks/1/ref",
        "/tasks/2/priority",
        "/tasks/3/depends_on/0",
    ] {
        ensure!(
            pointers.iter().any(|pointer| pointer == at),
            "{at} is missing: {}",
            reply.text
        );
    }
    let queue = api.queue()?;
    ensure!(
        queue["pending"] == 0 && queue["cancelled"] == 0,
        "nothing was stored: {queue}"
    );
    Ok(())
}

fn an_idempotency_key_answers_again(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let first = submit_with_key(
        &api,
        r#"{"workflow_type":"diagnostic.echo","input":{"a":1,"b":2}}"#,
    )?;
    let first = first.expect(202)?;
    oracle.track(&text(&first.body, "task_id"), Ending::Completed);
    let same = r#"{ "input": {"b": 2, "a": 1}, "workflow_type": "diagnostic.echo" }"#;
    let again = submit_with_key(&api, same)?.expect(202)?;
    ensure!(
        again.body["task_id"] == first.body["task_id"],
        "a second task: {}",
        again.text
    );
    ensure!(again.header("idempotent-replayed") == "true");
    ensure!(first.header("idempotent-replayed").is_empty());
    let other = submit_with_key(
        &api,
        r#"{"workflow_type":"diagnostic.echo","input":{"a":2}}"#,
    )?;
    other.problem(422)?;
    oracle.settle(&api, SOON)?;
    Ok(())
}

fn submit_with_key(api: &Api, body: &str) -> Result<zerogate_tests::api::Reply> {
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "order-66"),
    ];
    api.request("POST", "/api/workflows/submit", &headers, body.as_bytes())
}

fn a_schedule_and_an_expiry_are_kept(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let noop = || task("diagnostic.noop", &json!({}));
    let now = oracle.submit(&api, &noop(), Ending::Completed)?;
    let now = text(&api.status(&now)?, "submitted_at");
    let in_two_seconds = later(&now, 2_000)?;
    let due = with(noop(), &json!({"run_at": in_two_seconds}));
    let due = oracle.submit(&api, &due, Ending::Completed)?;
    ensure!(api.status(&due)?["waiting_on"] == "schedule");
    let child = with(
        noop(),
        &json!({"depends_on": [due], "expires_at": later(&now, 1_000)?}),
    );
    oracle.submit(&api, &child, Ending::Failed("expired"))?;
    let records = oracle.settle(&api, SOON)?;
    let started = text(&records[&due], "started_at");
    ensure!(
        started >= in_two_seconds,
        "started at {started}, due at {in_two_seconds}"
    );
    Ok(())
}

/// Twelve tasks a priority and one slot: a fetch in sixteen may serve the lowest priority first, no more.
fn urgent_work_goes_first(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let of = |priority: &str| {
        with(
            task("diagnostic.sleep", &json!({"ms": 25})),
            &json!({"priority": priority}),
        )
    };
    let levels = ["low", "medium", "high", "critical"];
    // The first task of a route waits until its queue is made, which takes a busy broker a tenth of a second.
    for priority in levels {
        oracle.submit(&api, &of(priority), Ending::Completed)?;
    }
    oracle.settle(&api, SOON)?;
    api.emergency("pause")?.expect(202)?;
    let mut ids: Vec<Vec<String>> = Vec::new();
    for priority in levels {
        ids.push(oracle.submit_all(&api, &vec![of(priority); 6], Ending::Completed)?);
    }
    api.emergency("resume")?.expect(202)?;
    let records = oracle.settle(&api, SOON)?;
    let mut order: Vec<(String, usize)> = Vec::new();
    for (level, ids) in ids.iter().enumerate() {
        order.extend(
            ids.iter()
                .map(|id| (text(&records[id], "started_at"), level)),
        );
    }
    order.sort();
    let levels: Vec<usize> = order.into_iter().map(|(_, level)| level).collect();
    // 24 fetches: two of them, at the most, ask from below.
    let early = (0..levels.len())
        .filter(|&at| levels[at + 1..].iter().any(|later| *later > levels[at]))
        .count();
    ensure!(
        early <= 2,
        "{early} tasks ran before more urgent ones: {levels:?}"
    );
    Ok(())
}

fn names(list: &Value) -> Vec<String> {
    let items = list.as_array().cloned().unwrap_or_default();
    items
        .iter()
        .filter_map(|item| item.as_str().map(ToOwned::to_owned))
        .collect()
}
