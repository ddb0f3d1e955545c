//! The rules of the input.

use serde_json::{Value, json};

use super::{plan, points, run, task, try_run};
use crate::{Error, Run, find};

fn problems(input: &Value) -> Vec<(String, String)> {
    match try_run(input).unwrap_err() {
        Error::InvalidInput(problems) => problems
            .into_iter()
            .map(|p| (p.pointer, p.detail))
            .collect(),
        other => panic!("{other}"),
    }
}

fn pointers(input: &Value) -> Vec<String> {
    problems(input).into_iter().map(|p| p.0).collect()
}

#[test]
fn every_problem_is_reported_at_its_place() {
    let mut input = crate::sample_grant();
    input["surprise"] = json!(1);
    input["as_of"] = json!("23.11.2026");
    input["opportunity"]["closeDate"]["time"] = json!("5pm");
    input["calendar"]["weekend"] = json!(["saturday"]);
    input["tasks"][0]["unit"] = json!("weeks");
    input["tasks"][1]["percent_complete"] = json!(101);
    input["tasks"][2]["duration"]
        .as_object_mut()
        .unwrap()
        .remove("likely");
    input["capacity"]["kim"] = json!(0);
    input["risks"][0]["probability"] = json!(1.2);
    input["simulation"]["runs"] = json!(0);
    assert_eq!(
        pointers(&input),
        [
            "/as_of",
            "/calendar/weekend/0",
            "/capacity (key 1)",
            "/opportunity/closeDate/time",
            "/risks/0/probability",
            "/simulation/runs",
            "/surprise",
            "/tasks/0/unit",
            "/tasks/1/percent_complete",
            "/tasks/2/duration"
        ]
    );
}

#[test]
fn rules_between_fields_are_reported_together() {
    let mut input = plan(&[
        task("a", &points(3.0, 2.0, 5.0), &["ghost"]),
        task("a", &points(1.0, 2.0, 3.0), &[]),
        task("b", &points(1.0, 2.0, 3.0), &["a", "a"]),
    ]);
    input["opportunity"]["closeDate"]["tz"] = json!("Mars/Olympus");
    input["opportunity"]["postDate"] = json!("2027-05-01");
    input["calendar"] = json!({"country": "ZZ", "weekend": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        "blackouts": [{"from": "2027-01-02", "to": "2027-01-01"}]});
    input["tasks"][2]["actual_start"] = json!("2026-12-01");
    input["risks"] = json!([{"id": "r", "probability": 0.1, "delay": points(2.0, 1.0, 3.0), "affects": ["nobody"]}]);
    assert_eq!(
        pointers(&input),
        [
            "/calendar/blackouts/0/to",
            "/calendar/country",
            "/calendar/weekend",
            "/opportunity/closeDate/tz",
            "/opportunity/postDate",
            "/risks/0/affects/0",
            "/risks/0/delay",
            "/tasks/0/depends_on/0",
            "/tasks/0/duration",
            "/tasks/1/id",
            "/tasks/2/actual_start"
        ]
    );
}

#[test]
fn what_is_named_twice_counts_once() {
    let d = points(1.0, 2.0, 3.0);
    let mut once = plan(&[task("a", &d, &[]), task("b", &d, &["a"])]);
    once["milestone_offsets_days"] = json!([30, 7]);
    once["risks"] = json!([{"id": "r", "probability": 0.5, "delay": d, "affects": ["b"]}]);
    let mut twice = once.clone();
    twice["milestone_offsets_days"] = json!([30, 7, 30]);
    twice["tasks"][1]["depends_on"] = json!(["a", "a"]);
    twice["risks"][0]["affects"] = json!(["b", "b"]);
    assert_eq!(run(&twice), run(&once));
}

#[test]
fn more_than_one_full_time_owner_shortens_nothing() {
    let mut input = plan(&[task("a", &points(1.0, 2.0, 3.0), &[])]);
    input["tasks"][0]["owner"] = json!("team");
    let alone = run(&input);
    input["capacity"] = json!({"team": 3});
    assert_eq!(run(&input)["completion"], alone["completion"]);
}

#[test]
fn further_fields_of_the_calls_protocol_are_passed_over() {
    let mut input = crate::sample_grant();
    let plain = run(&input);
    input["opportunity"]["title"] = json!("Bridges");
    input["opportunity"]["otherDates"] = json!({"webinar": {"date": "2027-01-12"}});
    input["opportunity"]["closeDate"]["name"] = json!("Close");
    assert_eq!(run(&input), plain);
    input["opportunity"]
        .as_object_mut()
        .unwrap()
        .remove("closeDate");
    assert_eq!(pointers(&input), ["/opportunity"]);
}

#[test]
fn many_affected_tasks_are_refused_before_they_are_looked_up() {
    let mut input = plan(&[task("a", &points(1.0, 2.0, 3.0), &[])]);
    input["risks"] = json!([{"id": "r", "probability": 0.1, "delay": points(1.0, 2.0, 3.0),
        "affects": vec!["nobody"; 50_001]}]);
    assert!(matches!(
        try_run(&input),
        Err(Error::LimitExceeded { cap: 50_000, .. })
    ));
}

#[test]
fn a_cycle_is_named() {
    let d = points(1.0, 2.0, 3.0);
    let input = plan(&[
        task("a", &d, &["c"]),
        task("b", &d, &["a"]),
        task("c", &d, &["b"]),
        task("e", &d, &["e"]),
        task("f", &d, &["a"]),
    ]);
    let found = problems(&input);
    assert_eq!(
        found,
        [
            (
                "/tasks/0/depends_on".into(),
                "a cycle: a -> c -> b -> a".into()
            ),
            ("/tasks/3/depends_on".into(), "a cycle: e -> e".into())
        ]
    );
}

#[test]
fn empty_lists_and_nulls_are_fine() {
    let output = run(&json!({
        "as_of": "2026-11-23", "opportunity": {"id": null, "closeDate": {"date": "2027-03-31"}},
        "tasks": [], "capacity": {}, "risks": [],
    }));
    assert!(
        output["completion"]["p_on_time"].is_null()
            && output["null_reasons"]["/completion/p_on_time"].is_string()
    );
    // Every null has its reason.
    for field in [
        "p_on_time",
        "ci95",
        "on_time",
        "duration",
        "p10_date",
        "p50_date",
        "p80_date",
        "p95_date",
    ] {
        assert!(output["completion"][field].is_null());
        assert!(
            output["null_reasons"][format!("/completion/{field}")].is_string(),
            "{field}"
        );
    }
    for pointer in [
        "/latest_safe_start",
        "/latest_safe_start_detail",
        "/milestones/0/ci95/1",
    ] {
        assert!(output.pointer(pointer).unwrap().is_null());
        assert!(output["null_reasons"][pointer].is_string(), "{pointer}");
    }
    assert_eq!(
        (&output["schedule"], &output["infeasible"]),
        (&json!([]), &json!(false))
    );
    assert_eq!(output["milestones"].as_array().unwrap().len(), 6);
}

#[test]
fn caps_and_stop_requests_end_a_run() {
    let mut input = crate::sample_grant();
    input["simulation"]["runs"] = json!(1_000_001);
    assert!(matches!(
        try_run(&input),
        Err(Error::LimitExceeded { cap: 1_000_000, .. })
    ));
    input = crate::sample_grant();
    input["opportunity"]["closeDate"]["date"] = json!("2127-03-31");
    assert!(matches!(try_run(&input), Err(Error::LimitExceeded { .. })));
    let stop = Run {
        stop: &|| true,
        ..Run::unattended()
    };
    assert_eq!(
        (find("grant_timeline").unwrap().run)(&crate::sample_grant(), &stop),
        Err(Error::Stopped)
    );
}

#[test]
fn sensitivity_is_null_with_a_reason_when_switched_off() {
    let plain = Run {
        advanced: false,
        ..Run::unattended()
    };
    let output = (find("grant_timeline").unwrap().run)(&crate::sample_grant(), &plain).unwrap();
    assert!(
        output["schedule"][0]["sensitivity"].is_null()
            && output["null_reasons"]["/schedule/*/sensitivity"].is_string()
    );
    assert!(output["completion"]["p_on_time"].is_number());
}

#[test]
fn what_is_refused_anyway_is_said_to_need_no_more_than_the_caps_allow() {
    let mut input = plan(&[task("t", &points(1.0, 2.0, 3.0), &[])]);
    input["simulation"]["runs"] = json!(9_007_199_254_740_991_u64);
    let need = crate::demand("grant_timeline", &input, 0).unwrap();
    assert!(
        need.duration < std::time::Duration::from_mins(1),
        "{need:?}"
    );
    assert!(need.memory_bytes < 1 << 30, "{need:?}");
    assert!(matches!(try_run(&input), Err(Error::LimitExceeded { .. })));
}

#[test]
fn tables_take_their_time() {
    let tasks = |n: usize| -> Vec<Value> {
        (0..n)
            .map(|i| task(&format!("t{i}"), &points(1.0, 2.0, 3.0), &[]))
            .collect()
    };
    let need = |n: usize| {
        let mut input = plan(&tasks(n));
        input["simulation"]["runs"] = json!(1);
        crate::demand("grant_timeline", &input, 0).unwrap().duration
    };
    // 4,000 tables of some 50 microseconds, whatever the number of runs.
    assert!(need(4_000) >= need(0) + std::time::Duration::from_millis(200));
    // The simulation of few runs is stopped before all tables are made.
    let asked = std::sync::atomic::AtomicU32::new(0);
    let stop = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= 3;
    let run = Run {
        stop: &stop,
        ..Run::unattended()
    };
    let kind = find("grant_timeline").unwrap();
    assert_eq!((kind.run)(&plan(&tasks(1_000)), &run), Err(Error::Stopped));
    assert_eq!(asked.into_inner(), 4);
}

#[test]
fn nothing_to_do_is_simulated_as_done() {
    let done = crate::with_grant_simulation(&plan(&[]), &Run::unattended(), |simulate| simulate());
    assert!(
        done.unwrap()
            .unwrap()
            .iter()
            .all(|&days| days.abs() < 1e-12)
    );
}
