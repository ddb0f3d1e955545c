//! The critical path method against exhaustive paths, and the sample plan.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{due_in, plan, points, run, slot, task};

/// Dependencies of task i are a subset of the tasks before it.
fn networks() -> impl Strategy<Value = Vec<(u32, Vec<usize>)>> {
    (1_usize..=9).prop_flat_map(|n| {
        (0..n)
            .map(|i| {
                (
                    0_u32..=9,
                    prop::sample::subsequence((0..i).collect::<Vec<_>>(), 0..=i),
                )
            })
            .collect::<Vec<_>>()
    })
}

fn id(i: usize) -> String {
    format!("t{i}")
}

/// Days of the longest chain that ends before (`forward`) or begins after task `i`, by exhaustive search.
fn longest(net: &[(u32, Vec<usize>)], i: usize, forward: bool) -> i64 {
    let next: Vec<usize> = if forward {
        net[i].1.clone()
    } else {
        (0..net.len()).filter(|&c| net[c].1.contains(&i)).collect()
    };
    next.iter()
        .map(|&j| i64::from(net[j].0) + longest(net, j, forward))
        .max()
        .unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn floats_follow_from_the_longest_paths(net in networks(), days in 1_i64..40) {
        let tasks: Vec<Value> = net.iter().enumerate().map(|(i, (d, before))| {
            let before: Vec<String> = before.iter().map(|&b| id(b)).collect();
            let before: Vec<&str> = before.iter().map(String::as_str).collect();
            task(&id(i), &points(f64::from(*d), f64::from(*d), f64::from(*d)), &before)
        }).collect();
        let mut input = due_in(days, &tasks);
        input["simulation"]["runs"] = json!(1);
        let output = run(&input);
        let mut length = 0;
        for (i, (d, _)) in net.iter().enumerate() {
            let (es, tail, d) = (longest(&net, i, true), longest(&net, i, false), i64::from(*d));
            length = length.max(es + d);
            let line = slot(&output, &id(i));
            prop_assert_eq!(&line["es"], &json!(es));
            prop_assert_eq!(&line["ef"], &json!(es + d));
            prop_assert_eq!(&line["lf"], &json!(days - tail));
            prop_assert_eq!(&line["ls"], &json!(days - tail - d));
            prop_assert_eq!(&line["total_float"], &json!(days - tail - d - es));
            prop_assert_eq!(&line["critical"], &json!(days - tail - d - es <= 0));
        }
        prop_assert_eq!(&output["critical_path_days"], &json!(length));
        let path: Vec<usize> = output["critical_path"].as_array().unwrap().iter()
            .map(|v| v.as_str().unwrap()[1..].parse().unwrap()).collect();
        prop_assert_eq!(path.iter().map(|&i| i64::from(net[i].0)).sum::<i64>(), length);
        prop_assert!(path.windows(2).all(|w| net[w[1]].1.contains(&w[0])));
        let late = output["completion"]["p_on_time"] == json!(0.0);
        prop_assert_eq!(late, length > days);
    }
}

#[test]
fn a_task_occupies_its_days_and_the_last_ends_on_the_target() {
    // Seven days from Monday: Monday to next Tuesday.
    let output = run(&due_in(
        7,
        &[
            task("a", &points(4.0, 4.0, 4.0), &[]),
            task("b", &points(2.5, 2.5, 2.5), &["a"]),
        ],
    ));
    let (a, b) = (slot(&output, "a"), slot(&output, "b"));
    assert_eq!(
        (&a["early_start_date"], &a["early_finish_date"]),
        (&json!("2026-11-23"), &json!("2026-11-26"))
    );
    assert_eq!(
        (&b["early_start_date"], &b["early_finish_date"]),
        (&json!("2026-11-27"), &json!("2026-12-01"))
    );
    assert_eq!(
        (&b["latest_finish_date"], &output["submission_target"]),
        (&json!("2026-12-01"), &json!("2026-12-01"))
    );
    assert_eq!(
        (&b["total_float"], &b["critical"]),
        (&json!(0), &json!(true))
    );
}

#[test]
fn capacity_stretches_and_gates_bind() {
    let mut input = plan(&[
        task("a", &points(5.0, 5.0, 5.0), &[]),
        task("b", &points(1.0, 1.0, 1.0), &["a"]),
    ]);
    input["tasks"][0]["owner"] = json!("kim");
    input["tasks"][0]["gate_offset"] = json!(90);
    input["capacity"] = json!({"kim": 0.5});
    let output = run(&input);
    let a = slot(&output, "a");
    assert_eq!(
        (&a["ef"], &a["latest_finish_date"], &a["latest_start_date"]),
        (&json!(10), &json!("2026-12-31"), &json!("2026-12-18"))
    );
    assert_eq!(output["milestones"][0]["tasks_due"], json!(["a"]));
    assert_eq!(
        (
            &output["milestones"][0]["p_met"],
            &output["milestones"][0]["status"]
        ),
        (&json!(1.0), &json!("green"))
    );
    assert!(output["milestones"][1]["p_met"].is_null());
}

#[test]
fn negative_float_says_how_late_a_task_already_is() {
    let output = run(&due_in(
        6,
        &[
            task("a", &points(5.0, 5.0, 5.0), &[]),
            task("b", &points(4.0, 4.0, 4.0), &["a"]),
        ],
    ));
    assert_eq!(slot(&output, "a")["total_float"], -3);
    let late = output["risks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["kind"] == "negative_float")
        .unwrap();
    assert_eq!(
        (&late["impact_days"], &late["probability"]),
        (&json!(3.0), &json!(1.0))
    );
    // A start before as_of is a date before as_of.
    assert_eq!(slot(&output, "a")["latest_start_date"], "2026-11-18");
}

#[test]
fn a_deadline_in_the_past_is_an_answer_not_an_error() {
    let mut input = plan(&[task("a", &points(1.0, 2.0, 3.0), &[])]);
    input["opportunity"]["closeDate"]["date"] = json!("2026-11-20");
    let output = run(&input);
    assert_eq!(
        (&output["infeasible"], &output["completion"]["p_on_time"]),
        (&json!(true), &json!(0.0))
    );
    assert!(
        output["infeasible_reasons"][0]
            .as_str()
            .unwrap()
            .contains("before as_of")
    );
}

#[test]
fn the_sample_reads_well() {
    let output = run(&crate::sample_grant());
    let kinds: Vec<&str> = output["risks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["kind"].as_str().unwrap())
        .collect();
    for kind in [
        "declared",
        "external_registration",
        "milestone_on_non_working_day",
        "critical_single_owner",
    ] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
    let text = (crate::find("grant_timeline").unwrap().summary)(&output);
    assert!(
        text.contains("latest safe start") && text.contains("2027-01-29"),
        "{text}"
    );
    let ics = output["ics"].as_str().unwrap();
    assert_eq!(ics.matches("BEGIN:VEVENT").count(), 8);
    assert!(ics.lines().all(|l| l.len() <= 76) && ics.contains("DTSTART;VALUE=DATE:20270129"));
}
