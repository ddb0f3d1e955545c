//! The rules of the input, what must not change a result, and what limits do.

use serde_json::{Value, json};

use super::{close, node, run};
use crate::{Error, Run, find, karate_club};

fn fail(input: &Value) -> Error {
    (find("relationship_mapping").unwrap().run)(input, &Run::unattended()).unwrap_err()
}

fn pointers(input: &Value) -> Vec<String> {
    match fail(input) {
        Error::InvalidInput(problems) => problems.into_iter().map(|p| p.pointer).collect(),
        other => panic!("{other}"),
    }
}

fn example() -> Value {
    (find("relationship_mapping").unwrap().example)()
}

#[test]
fn every_problem_is_reported_at_its_place() {
    let mut input = example();
    input["surprise"] = json!(1);
    input["nodes"][0]["type"] = json!("robot");
    input["edges"][0]["strength"] = json!(0);
    input["edges"][1]["strength"] = json!(1.5);
    input["edges"][2]["last_contact"] = json!("2026-02-30");
    input["edges"][3]["a~/b"] = json!(true);
    input["query"]["max_hops"] = json!(8);
    input["metrics"] = json!(["degree", "karma"]);
    input["params"]["half_life_days"] = json!(0);
    assert_eq!(
        pointers(&input),
        [
            "/edges/0/strength",
            "/edges/1/strength",
            "/edges/2/last_contact",
            "/edges/3",
            "/metrics/1",
            "/nodes/0/type",
            "/params/half_life_days",
            "/query/max_hops",
            "/surprise"
        ]
    );
}

#[test]
fn rules_between_fields_are_reported_together() {
    let mut input = example();
    input["nodes"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": "p1"}));
    input["edges"][0]["b"] = json!("nobody");
    input["query"]["source"] = json!("ghost");
    input["query"]["targets"] = json!(["o1", "o1", "ghost"]);
    assert_eq!(
        pointers(&input),
        [
            "/edges/0/b",
            "/nodes/5/id",
            "/query/source",
            "/query/targets/1",
            "/query/targets/2"
        ]
    );
    assert_eq!(pointers(&json!({"nodes": []})), ["/nodes"]);
    assert_eq!(pointers(&json!([])), [""]);
    assert_eq!(pointers(&json!({})), ["/nodes"]);
}

#[test]
fn messages_never_quote_the_input() {
    let mut input = example();
    input["edges"][0]["b"] = json!("canary@example.org");
    input["nodes"][0]["type"] = json!("canary@example.org");
    assert!(!fail(&input).to_string().contains("canary"));
}

#[test]
fn whole_floats_pass_for_integers() {
    let mut input = example();
    input["query"]["max_hops"] = json!(7.0);
    assert_eq!(run(&input), run(&example()));
}

#[test]
fn parallel_edges_combine_and_loops_are_dropped() {
    let input = json!({
        "nodes": [{"id": "a"}, {"id": "b"}, {"id": "c"}],
        "edges": [{"a": "a", "b": "b", "strength": 0.5}, {"a": "b", "b": "a", "strength": 0.5}, {"a": "c", "b": "c"}],
        "query": {"source": "a", "targets": ["b", "c"]},
    });
    let output = run(&input);
    close(
        &output["paths"][0]["strength_product"],
        0.75,
        "1 - 0.5 * 0.5",
    );
    assert_eq!(
        (
            &output["network"]["m"],
            &output["paths"].as_array().unwrap().len()
        ),
        (&json!(1), &1)
    );
    assert_eq!(output["targets"][1]["reachable"], false);
    assert_eq!(output["warnings"].as_array().unwrap().len(), 2);
    assert!(
        node(&output, "c")["constraint"].is_null()
            && output["null_reasons"]["/nodes/*/constraint"].is_string()
    );
    assert!(
        output["network"]["diameter"].is_null()
            && output["null_reasons"]["/network/diameter"].is_string()
    );
}

#[test]
fn an_unreachable_target_has_no_paths() {
    let mut input = example();
    input["query"]["targets"] = json!(["p4"]);
    assert_eq!(run(&input)["paths"], json!([]));
}

#[test]
fn weak_ties_leave_the_search_but_not_weak_paths() {
    let input = json!({
        "nodes": [{"id": "a"}, {"id": "b"}, {"id": "c"}],
        "edges": [{"a": "a", "b": "b", "strength": 0.4}, {"a": "b", "b": "c", "strength": 0.4}, {"a": "a", "b": "c", "strength": 0.2}],
        "query": {"source": "a", "targets": ["c"], "min_strength": 0.3},
    });
    let output = run(&input);
    assert_eq!(output["paths"].as_array().unwrap().len(), 1);
    close(
        &output["paths"][0]["strength_product"],
        0.16,
        "below min_strength as a whole, and still a path",
    );
}

#[test]
fn reach_and_influence_know_no_thresholds() {
    let ids: Vec<String> = (0..9).map(|i| format!("c{i}")).collect();
    let edges: Vec<_> = (0..8)
        .map(|i| (ids[i].clone(), ids[i + 1].clone(), 0.9))
        .collect();
    let mut input = super::network(&ids, &edges);
    input["query"] =
        json!({"source": "c0", "targets": ["c3"], "max_hops": 2, "min_strength": 0.95});
    let output = run(&input);
    assert_eq!(output["layers"], json!([1, 1, 1, 1, 1, 1, 1, 1]));
    assert_eq!(output["reach"]["7"], 7);
    assert_eq!(output["influence"]["expected_by_hops"]["1"], 0.9);
    let expected: f64 = (1..=7).map(|k| 0.9_f64.powi(k)).sum();
    close(&output["influence"]["expected"], expected, "seven hops");
    assert_eq!(output["paths"], json!([]));
}

#[test]
fn a_quality_says_what_it_rests_on() {
    let mut input = example();
    input["edges"][0]
        .as_object_mut()
        .unwrap()
        .remove("last_contact");
    let whole = run(&example());
    let part = run(&input);
    assert_eq!(whole["evidence"]["quality"]["coverage"], 1.0);
    assert!(whole["null_reasons"]["/paths/*/edges/*/recency"].is_null());
    assert_eq!(part["evidence"]["quality"]["coverage"], 0.75);
    assert!(part["null_reasons"]["/paths/*/edges/*/recency"].is_string());
    let paths = part["paths"].as_array().unwrap();
    let through = |id: &str| paths.iter().find(|p| p["nodes"][1] == id).unwrap();
    assert_eq!(through("p2")["quality_coverage"], 0.5);
    assert!(through("p2")["edges"][0]["recency"].is_null());
    assert_eq!(through("p3")["quality_coverage"], 1.0);
}

#[test]
fn quality_follows_its_formula() {
    let input = json!({
        "nodes": [{"id": "a"}, {"id": "b"}, {"id": "c"}],
        "edges": [{"a": "a", "b": "b", "strength": 0.8, "last_contact": "2026-05-27"}, {"a": "b", "b": "c", "strength": 0.5}],
        "query": {"source": "a", "targets": ["b", "c"]},
        "params": {"as_of": "2026-11-23", "half_life_days": 180},
    });
    let output = run(&input);
    // 180 days are one half-life; no shared neighbours.
    close(
        &output["paths"][0]["quality"],
        0.5 * 0.8 + 0.3 * 0.5,
        "one tie",
    );
    let second = 0.5 * 0.5 / 0.7;
    close(
        &output["paths"][1]["quality"],
        (0.55_f64 * second).sqrt() * 0.9,
        "two ties",
    );
}

#[test]
fn the_same_input_gives_the_same_bytes_in_any_order() {
    let input = karate_club();
    let mut shuffled = input.clone();
    shuffled["nodes"].as_array_mut().unwrap().reverse();
    let edges = shuffled["edges"].as_array_mut().unwrap();
    edges.rotate_left(31);
    for edge in edges {
        let (a, b) = (edge["a"].clone(), edge["b"].clone());
        (edge["a"], edge["b"]) = (b, a);
    }
    let first = run(&input).to_string();
    assert_eq!(first, run(&input).to_string());
    assert_eq!(first, run(&shuffled).to_string());
}

#[test]
fn renaming_nodes_renames_the_result() {
    let input = karate_club();
    let renamed: Value = {
        let mut value = input.clone();
        let rename = |v: &mut Value| {
            *v = json!(format!(
                "z{:03}",
                99 - v.as_str().unwrap().parse::<u32>().unwrap()
            ));
        };
        value["nodes"]
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .for_each(|n| rename(&mut n["id"]));
        for edge in value["edges"].as_array_mut().unwrap() {
            rename(&mut edge["a"]);
            rename(&mut edge["b"]);
        }
        value["query"] = Value::Null;
        value
    };
    let (before, after) = (run(&input), run(&renamed));
    for v in 0..34 {
        let (x, y) = (
            node(&before, &v.to_string()),
            node(&after, &format!("z{:03}", 99 - v)),
        );
        for field in [
            "degree",
            "betweenness",
            "closeness",
            "eigenvector",
            "pagerank",
            "constraint",
            "effective_size",
            "core",
            "clustering",
        ] {
            close(&y[field], x[field].as_f64().unwrap(), field);
        }
    }
}

#[test]
fn an_isolated_node_changes_only_what_the_formulas_say() {
    let input = karate_club();
    let mut more = input.clone();
    more["nodes"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": "hermit"}));
    let (before, after) = (run(&input), run(&more));
    assert_eq!(before["paths"], after["paths"]);
    for v in 0..34 {
        let (x, y) = (node(&before, &v.to_string()), node(&after, &v.to_string()));
        for field in [
            "degree",
            "eigenvector",
            "constraint",
            "effective_size",
            "core",
            "clustering",
        ] {
            assert_eq!(x[field], y[field], "{field}");
        }
        let value = |v: &Value, field: &str| v[field].as_f64().unwrap();
        close(
            &y["betweenness"],
            value(x, "betweenness") * (33.0 * 32.0) / (34.0 * 33.0),
            "betweenness",
        );
        close(
            &y["closeness"],
            value(x, "closeness") * 33.0 / 34.0,
            "closeness",
        );
    }
    assert!(node(&after, "hermit")["eigenvector"].is_null());
    assert_eq!(after["network"]["giant_diameter"], 5);
}

#[test]
fn pivots_estimate_above_the_exact_limit() {
    let mut input = karate_club();
    input["params"]["exact_limit"] = json!(78 * 20);
    let output = run(&input);
    assert_eq!(
        (&output["approx"]["pivots"], &output["approx"]["seed"]),
        (&json!(20), &json!(1))
    );
    assert!(output["network"]["diameter"].is_null() && node(&output, "0")["closeness"].is_null());
    // 20 pivots of 34 nodes: 34/33 sqrt(ln(2 * 34 / 0.05) / 40) for all, 34/33 sqrt(ln(2 / 0.05) / 40) for one.
    close(&output["approx"]["error_bound"], 0.437_582_929_708, "all");
    close(
        &output["approx"]["error_bound_one_node"],
        0.312_883_177_347,
        "one",
    );
    assert_eq!(output["approx"]["confidence"], 0.95);
    for (field, bound) in [
        ("betweenness", "error_bound"),
        ("broker", "betweenness_error_bound"),
    ] {
        assert_eq!(
            output["evidence"][field][bound],
            output["approx"]["error_bound"]
        );
    }
    let estimate = node(&output, "0")["betweenness"].as_f64().unwrap();
    assert!((estimate - 0.4376).abs() < 0.15, "{estimate}");
    // The estimator is unbiased: its mean over seeds comes near the exact value. Nor does it leave its bound more often
    // than one seed in twenty.
    let (exact, mut beyond) = (run(&karate_club()), 0);
    let mean = (1..=200).map(|seed| {
        input["seed"] = json!(seed);
        input["metrics"] = json!(["betweenness"]);
        let estimated = run(&input);
        let bound = estimated["approx"]["error_bound"].as_f64().unwrap();
        let value = |output: &Value, v: usize| output["nodes"][v]["betweenness"].as_f64().unwrap();
        let off = |v: usize| (value(&estimated, v) - value(&exact, v)).abs() > bound;
        beyond += usize::from((0..34).any(off));
        node(&estimated, "0")["betweenness"].as_f64().unwrap()
    });
    let mean = mean.sum::<f64>() / 200.0;
    assert!(beyond <= 10, "{beyond} of 200 seeds");
    assert!((mean - 0.437_635).abs() < 0.01, "{mean}");
}

#[test]
fn hub_and_path_counts_are_truncated_not_endless() {
    let ids: Vec<String> = (0..40).map(|i| format!("k{i:02}")).collect();
    let mut edges = Vec::new();
    for a in 0..40 {
        for b in a + 1..40 {
            edges.push((ids[a].clone(), ids[b].clone(), 0.5));
        }
    }
    let mut input = super::network(&ids, &edges);
    input["query"] = json!({"source": "k00", "targets": ["k39"]});
    input["metrics"] = json!([]);
    let output = run(&input);
    assert_eq!(
        (
            &output["truncated"],
            &output["targets"][0]["simple_paths"]["value"]
        ),
        (&json!(true), &json!(10_000))
    );
    assert_eq!(output["paths"].as_array().unwrap().len(), 5);
}

#[test]
fn caps_and_stop_requests_end_a_run() {
    let too_many: Vec<Value> = (0..=1_000).map(|i| json!(format!("t{i}"))).collect();
    let mut input = example();
    input["query"]["targets"] = json!(too_many);
    assert!(matches!(
        fail(&input),
        Error::LimitExceeded {
            value: 1_001,
            cap: 1_000,
            ..
        }
    ));
    let stop = Run {
        stop: &|| true,
        ..Run::unattended()
    };
    assert_eq!(
        (find("relationship_mapping").unwrap().run)(&example(), &stop),
        Err(Error::Stopped)
    );
}

#[test]
fn optional_parts_are_null_with_a_reason_when_switched_off() {
    let plain = Run {
        advanced: false,
        ..Run::unattended()
    };
    let mut input = example();
    let output = (find("relationship_mapping").unwrap().run)(&input, &plain).unwrap();
    assert!(
        node(&output, "p1")["community"].is_null()
            && output["null_reasons"]["/nodes/*/community"].is_string()
    );
    assert!(node(&output, "p1")["betweenness"].is_number());
    input["advanced"] = json!("require");
    assert!(matches!(
        (find("relationship_mapping").unwrap().run)(&input, &plain),
        Err(Error::Internal(_))
    ));
}

#[test]
fn louvain_is_never_below_label_propagation() {
    for seed in 1..=20 {
        let mut input = karate_club();
        input["seed"] = json!(seed);
        let evidence = &run(&input)["evidence"]["community"];
        assert!(
            evidence["modularity"].as_f64().unwrap()
                >= evidence["label_propagation_modularity"].as_f64().unwrap()
        );
    }
}

#[test]
fn the_summary_names_the_brokers_and_the_way() {
    let kind = find("relationship_mapping").unwrap();
    let text = (kind.summary)(&run(&karate_club()));
    assert!(
        text.contains("34 nodes and 78 ties")
            && text.contains("Mr. Hi")
            && text.contains("reaches"),
        "{text}"
    );
}
