//! Looking: long polls, lists, counters, templates, health, metrics; and every error as a problem document.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zerogate_tests::api::{Api, task, text, with};
use zerogate_tests::fleet::Fleet;
use zerogate_tests::on_both;
use zerogate_tests::oracle::{Ending, Oracle};
use zerogate_tests::wait::{self, Look, SOON};

on_both!(
    a_long_poll_answers_when_the_task_ends,
    lists_page_through_everything_newest_first,
    counters_add_up,
    health_metrics_and_templates_answer,
    every_error_is_a_problem_document,
);

fn a_long_poll_answers_when_the_task_ends(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let sleep = task("diagnostic.sleep", &json!({"ms": 1_500}));
    let id = oracle.submit(&api, &sleep, Ending::Completed)?;
    let path = format!("/api/workflows/status/{id}");
    let before = Instant::now();
    let reply = api
        .request("GET", &path, &[("prefer", "wait=20")], &[])?
        .expect(200)?;
    ensure!(reply.body["status"] == "completed", "{}", reply.text);
    ensure!(
        before.elapsed() < Duration::from_secs(15),
        "it waited for the whole poll"
    );
    let etag = reply.header("etag").to_owned();
    ensure!(!etag.is_empty(), "a status has an ETag");
    api.request("GET", &path, &[("if-none-match", &etag)], &[])?
        .expect(304)?;

    let held = with(sleep, &json!({"run_at": "2099-01-01T00:00:00.000000Z"}));
    let held = oracle.submit(&api, &held, Ending::Cancelled)?;
    let path = format!("/api/workflows/status/{held}");
    let before = Instant::now();
    let reply = api
        .request("GET", &path, &[("prefer", "wait=1")], &[])?
        .expect(200)?;
    ensure!(reply.body["status"] == "pending", "{}", reply.text);
    ensure!(
        before.elapsed() >= Duration::from_millis(900),
        "it did not wait"
    );
    api.cancel(&held)?.expect(202)?;
    oracle.settle(&api, SOON)?;
    Ok(())
}

fn lists_page_through_everything_newest_first(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let even = with(
        task("diagnostic.echo", &json!({"x": 1})),
        &json!({"labels": {"kind": "even"}}),
    );
    let odd = with(
        task("diagnostic.noop", &json!({})),
        &json!({"labels": {"kind": "odd"}}),
    );
    for n in 0..25 {
        let one = if n % 2 == 0 { &even } else { &odd };
        oracle.submit(&api, one, Ending::Completed)?;
    }
    oracle.settle(&api, SOON)?;
    let pages = pages(&api, "limit=10")?;
    let sizes: Vec<usize> = pages.iter().map(Vec::len).collect();
    ensure!(sizes == [10, 10, 5], "{sizes:?}");
    let items: Vec<Value> = pages.into_iter().flatten().collect();
    let ids: BTreeSet<String> = items.iter().map(|item| text(item, "task_id")).collect();
    ensure!(ids.len() == 25, "a task is missing or doubled");
    ensure!(items.is_sorted_by(|a, b| text(a, "submitted_at") >= text(b, "submitted_at")));
    ensure!(
        items.iter().all(|item| item["result"].is_null()),
        "a list carries no results"
    );
    for (filter, expected) in [
        ("label.kind=even", 13),
        ("label.kind=odd&status=completed", 12),
        ("type=diagnostic.noop", 12),
        ("status=failed", 0),
        ("priority=critical", 0),
    ] {
        let found = listed(&api, &format!("limit=100&{filter}"))?;
        ensure!(found == expected, "{filter}: {found} instead of {expected}");
    }
    api.get("/api/workflows/tasks?cursor=nonsense")?
        .problem(422)?;
    Ok(())
}

fn pages(api: &Api, query: &str) -> Result<Vec<Vec<Value>>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/workflows/tasks?{query}{cursor}");
        let reply = api.get(&path)?.expect(200)?;
        pages.push(reply.body["items"].as_array().context("items")?.clone());
        let next = text(&reply.body, "next_cursor");
        let linked = reply.header("link").contains("rel=\"next\"");
        ensure!(
            linked != next.is_empty(),
            "Link and next_cursor disagree: {}",
            reply.text
        );
        if next.is_empty() {
            return Ok(pages);
        }
        cursor = format!("&cursor={next}");
    }
}

fn listed(api: &Api, query: &str) -> Result<usize> {
    Ok(pages(api, query)?.iter().map(Vec::len).sum())
}

fn counters_add_up(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let once = json!({"retry": {"max_attempts": 1}, "priority": "low"});
    let noop = task("diagnostic.noop", &json!({}));
    oracle.submit_all(&api, &vec![noop.clone(); 7], Ending::Completed)?;
    let fail = with(task("diagnostic.fail", &json!({})), &once);
    oracle.submit_all(&api, &vec![fail; 3], Ending::Failed("handler_error"))?;
    oracle.settle(&api, SOON)?;
    api.emergency("pause")?.expect(202)?;
    let held = oracle.submit(
        &api,
        &with(noop, &json!({"priority": "high"})),
        Ending::Cancelled,
    )?;
    let queue = api.queue()?;
    ensure!(
        queue["completed"] == 7 && queue["failed"] == 3 && queue["pending"] == 1,
        "{queue:#}"
    );
    ensure!(queue["by_priority"]["high"]["pending"] == 1, "{queue:#}");
    ensure!(
        queue["by_type"]["diagnostic.fail"]["failed"] == 3,
        "{queue:#}"
    );
    ensure!(
        queue["by_type"]["diagnostic.noop"]["completed"] == 7,
        "{queue:#}"
    );
    ensure!(queue["oldest_pending_age_ms"].is_number(), "{queue:#}");
    for member in ["wait_ms", "run_ms"] {
        ensure!(queue[member]["p50"].is_number(), "{member}: {queue:#}");
    }
    api.cancel(&held)?.expect(202)?;
    api.emergency("resume")?.expect(202)?;
    oracle.settle(&api, SOON)?;
    Ok(())
}

fn health_metrics_and_templates_answer(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    oracle.submit(
        &api,
        &task("diagnostic.noop", &json!({})),
        Ending::Completed,
    )?;
    oracle.settle(&api, SOON)?;
    for path in ["/livez", "/readyz", "/startupz"] {
        api.get(path)?.expect(200)?;
    }
    let system = api.get("/api/workflows/status")?.expect(200)?.body;
    ensure!(system["mode"] == "running", "{system:#}");
    ensure!(
        system["dependencies"] == json!({"broker": "ok", "store": "ok"}),
        "{system:#}"
    );
    ensure!(
        system["version"].is_string() && system["queue"].is_object(),
        "{system:#}"
    );
    wait::until("a worker to be known", SOON, || {
        let workers = api.workers()?;
        let known = workers.iter().any(|worker| worker["state"] == "ready");
        Ok(Look::when(known, format!("{workers:?}")))
    })?;
    let templates = api.get("/api/workflows/templates")?.expect(200)?.body;
    let templates = templates.as_array().context("templates are a list")?;
    for workflow_type in ["relationship_mapping", "grant_timeline"] {
        let one = templates
            .iter()
            .find(|one| one["workflow_type"] == workflow_type);
        let one = one.with_context(|| format!("no template for {workflow_type}"))?;
        for member in [
            "id",
            "title",
            "description",
            "defaults",
            "input_schema",
            "estimated_duration_ms",
            "resource_class",
            "feature_category",
        ] {
            ensure!(!one[member].is_null(), "{member} is missing: {one:#}");
        }
    }
    metrics_tell_of_the_fleet_once(fleet, &api)?;
    let plain = [("accept", "text/plain")];
    let same = api
        .request("GET", "/api/workflows/metrics", &plain, &[])?
        .expect(200)?;
    ensure!(same.text.contains("zerogate_tasks_submitted_total"));
    ensure!(
        api.get("/api/workflows/metrics")?
            .expect(200)?
            .body
            .is_object()
    );
    Ok(())
}

/// Every coordinator tells what the whole fleet did, once, also where its worker lives in the same process; how long
/// things took is told where they ran.
fn metrics_tell_of_the_fleet_once(fleet: &Fleet, api: &Api) -> Result<()> {
    let queue = api.get("/api/workflows/queue")?.expect(200)?.body;
    let noop = &queue["by_type"]["diagnostic.noop"];
    let finished = |outcome: &str| {
        let labels = format!("{{workflow_type=\"diagnostic.noop\",outcome=\"{outcome}\"}}");
        format!("zerogate_tasks_finished_total{labels} {}", noop[outcome])
    };
    for coordinator in &fleet.coordinators {
        let text = coordinator.api().get("/metrics")?.expect(200)?.text;
        for line in [
            finished("completed"),
            finished("failed"),
            format!(
                "zerogate_tasks{{state=\"completed\"}} {}",
                queue["completed"]
            ),
            "zerogate_retries_total 0".into(),
            "zerogate_leases_lapsed_total 0".into(),
        ] {
            let once = text.lines().filter(|it| **it == line).count();
            ensure!(once == 1, "{line} stands {once} times in:\n{text}");
        }
        ensure!(text.contains("zerogate_tasks_submitted_total "), "{text}");
    }
    let mut metrics = String::new();
    for member in fleet.coordinators.iter().chain(&fleet.workers) {
        metrics += &member.api().get("/metrics")?.expect(200)?.text;
    }
    for name in [
        "zerogate_task_wait_seconds_bucket",
        "zerogate_task_run_seconds_bucket",
    ] {
        let counted = metrics.lines().any(|line| line.starts_with(name));
        ensure!(counted, "{name} is missing:\n{metrics}");
    }
    let figures = api.get("/api/workflows/metrics")?.expect(200)?.body;
    ensure!(
        figures["fleet"]["finished"]["diagnostic.noop"]["completed"] == noop["completed"],
        "{figures:#}"
    );
    Ok(())
}

fn every_error_is_a_problem_document(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let json_body = [("content-type", "application/json")];
    let submit = "/api/workflows/submit";
    api.request("POST", submit, &json_body, b"{\"workflow_type\": ")?
        .problem(400)?;
    api.get("/api/workflows/status/00000000-0000-7000-8000-000000000000")?
        .problem(404)?;
    api.get("/api/workflows/status/nonsense")?.problem(404)?;
    api.get("/no/such/path")?.problem(404)?;
    api.request("DELETE", submit, &[], b"")?.problem(405)?;
    api.request("POST", submit, &[("content-type", "text/plain")], b"hello")?
        .problem(415)?;
    let expecting = [
        ("content-type", "application/json"),
        ("expect", "100-continue"),
    ];
    let huge = vec![b' '; 33 << 20];
    api.request("POST", submit, &expecting, &huge)?
        .problem(413)?;

    let wrong = json!({"workflow_type": "no.such.type", "input": {}, "priority": "urgent", "surprise": 1,
                       "depends_on": ["00000000-0000-7000-8000-000000000000"], "retry": {"max_attempts": 0}});
    let reply = api.submit(&wrong)?;
    let pointers = reply.problem(422)?;
    ensure!(pointers.len() >= 2, "every problem at once: {}", reply.text);
    let unknown =
        api.submit(&json!({"workflow_type": "diagnostic.noop", "input": {}, "surprise": 1}))?;
    let pointers = unknown.problem(422)?;
    ensure!(
        pointers.iter().any(|at| at == "/surprise"),
        "{}",
        unknown.text
    );
    let bad_input = api.submit(&task("diagnostic.sleep", &json!({"ms": "long"})))?;
    let pointers = bad_input.problem(422)?;
    ensure!(
        pointers.iter().any(|at| at == "/input/ms"),
        "{}",
        bad_input.text
    );

    let named = [("x-request-id", "request-of-the-test")];
    let reply = api.request("GET", "/no/such/path", &named, &[])?;
    ensure!(
        reply.header("x-request-id") == "request-of-the-test",
        "the request id is echoed"
    );
    ensure!(
        reply.body["request_id"] == "request-of-the-test",
        "{}",
        reply.text
    );

    let dry = api.post(
        "/api/workflows/submit?dry_run=true",
        &task("diagnostic.noop", &json!({})),
    )?;
    ensure!(
        (200..300).contains(&dry.status),
        "a dry run of good input: {}",
        dry.text
    );
    api.post("/api/workflows/submit?dry_run=true", &wrong)?
        .problem(422)?;
    let queue = api.queue()?;
    ensure!(
        queue["pending"] == 0 && queue["completed"] == 0,
        "nothing of all this was stored: {queue}"
    );
    Ok(())
}
