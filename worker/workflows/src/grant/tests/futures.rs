//! The simulation against exact distributions, and metamorphic rules between runs of the same seed.

use serde_json::{Value, json};
use statrs::function::beta::beta_reg;

use super::{due_in, p, plan, points, run, slot, task};

/// Four standard errors of a share of `n` runs: once in 16,000 seeds by chance, and the seed is fixed.
fn tolerance(p: f64, n: f64) -> f64 {
    4.0 * (p * (1.0 - p) / n).sqrt() + 1e-9
}

#[test]
fn one_task_has_the_exact_beta_distribution() {
    for (a, m, b) in [
        (3.0, 5.0, 10.0),
        (2.0, 2.0, 20.0),
        (1.0, 9.0, 10.0),
        (0.0, 4.0, 8.0),
    ] {
        let (alpha, beta) = (1.0 + 4.0 * (m - a) / (b - a), 1.0 + 4.0 * (b - m) / (b - a));
        for days in 1..=19 {
            let output = run(&due_in(days, &[task("t", &points(a, m, b), &[])]));
            assert_eq!(output["completion"]["working_days_available"], days);
            let x = ((days as f64 - a) / (b - a)).clamp(0.0, 1.0);
            let exact = beta_reg(alpha, beta, x);
            assert!(
                (p(&output) - exact).abs() <= tolerance(exact, 20_000.0),
                "({a},{m},{b}) in {days}: {} {exact}",
                p(&output)
            );
            let interval = &output["completion"]["ci95"];
            assert!(
                interval[0].as_f64().unwrap() <= p(&output)
                    && p(&output) <= interval[1].as_f64().unwrap()
            );
        }
    }
}

#[test]
fn a_chain_adds_means_and_exact_variances() {
    let mut input = plan(&[
        task("a", &points(3.0, 5.0, 10.0), &[]),
        task("b", &points(5.0, 8.0, 15.0), &["a"]),
        task("c", &points(2.0, 3.0, 7.0), &["b"]),
    ]);
    input["simulation"]["runs"] = json!(100_000);
    let output = run(&input);
    let exact = |field: &str| -> f64 {
        output["schedule"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["pert"][field].as_f64().unwrap())
            .sum()
    };
    assert!(
        (exact("mean") - 17.666_667).abs() < 1e-6 && (exact("variance") - 5.674_603).abs() < 1e-6
    );
    let duration = &output["completion"]["duration"];
    let (mean, variance) = (
        duration["mean"].as_f64().unwrap(),
        duration["variance"].as_f64().unwrap(),
    );
    assert!(
        (mean - 17.666_667).abs() < 4.0 * (5.674_603_f64 / 100_000.0).sqrt(),
        "{mean}"
    );
    // Near enough to exclude the textbook's 4.833333.
    assert!((variance - 5.674_603).abs() < 0.15, "{variance}");
}

#[test]
fn parallel_paths_show_the_merge_bias() {
    // Sums of many equal tasks are nearly normal: E[max of two] = mu + s / sqrt(pi).
    let mut tasks = Vec::new();
    for path in ["x", "y"] {
        for i in 0..12 {
            let before = if i == 0 {
                vec![]
            } else {
                vec![format!("{path}{:02}", i - 1)]
            };
            let before: Vec<&str> = before.iter().map(String::as_str).collect();
            tasks.push(task(
                &format!("{path}{i:02}"),
                &points(1.0, 3.0, 5.0),
                &before,
            ));
        }
    }
    let mut input = plan(&tasks);
    input["simulation"]["runs"] = json!(50_000);
    let mean = run(&input)["completion"]["duration"]["mean"]
        .as_f64()
        .unwrap();
    let s = (12.0_f64 * 4.0 / 7.0).sqrt();
    let expected = 36.0 + 0.564_189_6 * s;
    assert!((mean - expected).abs() < 0.05, "{mean} {expected}");
}

#[test]
fn fixed_durations_are_certain() {
    let tasks = [
        task("a", &points(4.0, 4.0, 4.0), &[]),
        task("b", &points(6.0, 6.0, 6.0), &["a"]),
    ];
    assert!((p(&run(&due_in(10, &tasks))) - 1.0).abs() < 1e-12);
    let late = run(&due_in(9, &tasks));
    assert!(p(&late).abs() < 1e-12);
    assert_eq!(late["infeasible"], true);
    let done = run(&due_in(10, &tasks));
    assert_eq!(
        (&done["infeasible"], &done["completion"]["p80_date"]),
        (&json!(false), &json!("2026-12-04"))
    );
}

#[test]
fn more_time_never_lowers_and_more_dependencies_never_raise_the_chance() {
    let tasks = |extra: &[&str]| {
        [
            task("a", &points(3.0, 5.0, 10.0), &[]),
            task("b", &points(2.0, 6.0, 12.0), extra),
            task("c", &points(1.0, 2.0, 4.0), &["a"]),
        ]
    };
    let chances = |extra: &[&str]| -> Vec<f64> {
        (4..20)
            .map(|d| p(&run(&due_in(d, &tasks(extra)))))
            .collect()
    };
    let (free, bound) = (chances(&[]), chances(&["a"]));
    assert!(free.windows(2).all(|w| w[0] <= w[1]) && bound.windows(2).all(|w| w[0] <= w[1]));
    assert!(
        free.iter().zip(&bound).all(|(f, b)| b <= f) && free.iter().zip(&bound).any(|(f, b)| b < f)
    );
}

#[test]
fn the_order_of_tasks_and_risks_is_irrelevant() {
    let input = crate::sample_grant();
    let mut turned = input.clone();
    turned["tasks"].as_array_mut().unwrap().reverse();
    turned["risks"].as_array_mut().unwrap().rotate_left(1);
    turned["milestone_offsets_days"]
        .as_array_mut()
        .unwrap()
        .reverse();
    let first = run(&input).to_string();
    assert_eq!(first, run(&input).to_string());
    assert_eq!(first, run(&turned).to_string());
}

#[test]
fn a_sunday_deadline_moved_to_saturday_changes_only_the_nominal_date() {
    let on = |date: &str| {
        let mut input = plan(&[
            task("a", &points(3.0, 5.0, 10.0), &[]),
            task("b", &points(30.0, 60.0, 90.0), &["a"]),
        ]);
        input["opportunity"]["closeDate"]["date"] = json!(date);
        // Offsets whose days before both dates lie in the same weekend.
        input["milestone_offsets_days"] = json!([14, 7, 1]);
        run(&input)
    };
    let (sunday, saturday) = (on("2027-03-28"), on("2027-03-27"));
    for field in [
        "completion",
        "schedule",
        "latest_safe_start",
        "submission_target",
        "critical_path",
    ] {
        assert_eq!(sunday[field], saturday[field], "{field}");
    }
    for (a, b) in sunday["milestones"]
        .as_array()
        .unwrap()
        .iter()
        .zip(saturday["milestones"].as_array().unwrap())
    {
        assert_eq!(
            (&a["date"], &a["p_met"], &a["tasks_due"]),
            (&b["date"], &b["p_met"], &b["tasks_due"])
        );
    }
}

#[test]
fn the_latest_safe_start_keeps_the_target_and_the_day_after_does_not() {
    let mut input = due_in(
        30,
        &[
            task("a", &points(3.0, 8.0, 15.0), &[]),
            task("b", &points(2.0, 6.0, 12.0), &["a"]),
        ],
    );
    let date = run(&input)["latest_safe_start"]
        .as_str()
        .unwrap()
        .to_owned();
    input["as_of"] = json!(date);
    assert!(p(&run(&input)) >= 0.8);
    let next: jiff::civil::Date = date.parse().unwrap();
    input["as_of"] = json!(next.tomorrow().unwrap().to_string());
    assert!(p(&run(&input)) < 0.8);
}

#[test]
fn risks_delay_as_often_as_declared() {
    let mut input = due_in(8, &[task("a", &points(5.0, 5.0, 5.0), &[])]);
    input["risks"] =
        json!([{"id": "r", "probability": 0.3, "delay": points(4.0, 5.0, 6.0), "affects": ["a"]}]);
    let output = run(&input);
    assert!(
        (p(&output) - 0.7).abs() < tolerance(0.7, 20_000.0),
        "{}",
        p(&output)
    );
    let risk = &output["risks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["kind"] == "declared")
        .unwrap();
    assert_eq!(
        (&risk["probability"], &risk["impact_days"]),
        (&json!(0.3), &json!(5.0))
    );
    assert_eq!(risk["evidence"]["p_on_time_if_it_happens"], json!(0.0));
}

#[test]
fn criticality_and_sensitivity_follow_the_longer_path() {
    let output = run(&plan(&[
        task("long", &points(10.0, 20.0, 40.0), &[]),
        task("short", &points(1.0, 2.0, 3.0), &[]),
        task("end", &points(2.0, 2.0, 2.0), &["long", "short"]),
    ]));
    let index = |id: &str| slot(&output, id)["criticality_index"].as_f64().unwrap();
    assert!(
        ((index("long") - 1.0).abs() < 1e-12)
            && index("short").abs() < 1e-12
            && (index("end") - 1.0).abs() < 1e-12
    );
    assert!(slot(&output, "long")["sensitivity"].as_f64().unwrap() > 0.99);
    assert!(
        slot(&output, "short")["sensitivity"]
            .as_f64()
            .unwrap()
            .abs()
            < 0.05
    );
    assert!(slot(&output, "end")["sensitivity"].is_null());
}

#[test]
fn finished_and_half_done_work_takes_what_remains() {
    let mut input = due_in(
        5,
        &[
            task("a", &points(10.0, 10.0, 10.0), &[]),
            task("b", &points(9.0, 9.0, 9.0), &[]),
        ],
    );
    input["tasks"][0]["percent_complete"] = json!(50);
    input["tasks"][1]["actual_finish"] = json!("2026-11-20");
    let output = run(&input);
    assert!((p(&output) - 1.0).abs() < 1e-12);
    assert_eq!(
        (&slot(&output, "a")["ef"], &slot(&output, "b")["state"]),
        (&json!(5), &json!("done"))
    );
    input["tasks"][0]["percent_complete"] = json!(100);
    assert_eq!(run(&input)["latest_safe_start"], Value::Null);
}
