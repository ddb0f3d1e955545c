//! Published values (NetworkX 3.6.1) and the oracle file made by `tests/oracle/make_graphs.py`.

use serde_json::{Value, json};

use super::{close, network, node, run};
use crate::karate_club;

fn oracle() -> Vec<Value> {
    serde_json::from_str(include_str!("../../../tests/oracle/graphs.json")).unwrap()
}

#[test]
fn karate_has_its_published_values() {
    let output = run(&karate_club());
    close(
        &node(&output, "0")["betweenness"],
        0.437_635_281_385,
        "betweenness(0)",
    );
    close(
        &node(&output, "33")["betweenness"],
        0.304_074_975_950,
        "betweenness(33)",
    );
    close(
        &node(&output, "0")["closeness"],
        0.568_965_517_241,
        "closeness(0)",
    );
    close(
        &node(&output, "33")["eigenvector"],
        0.373_363_470_299,
        "eigenvector(33)",
    );
    close(
        &node(&output, "0")["constraint"],
        0.155_423_297_646_605,
        "constraint(0)",
    );
    close(
        &node(&output, "0")["effective_size"],
        13.75,
        "effective size(0)",
    );
    let whole = &output["network"];
    for (name, value) in [
        ("transitivity", 0.255_681_818_182),
        ("avg_clustering", 0.570_638_478_208),
        ("density", 0.139_037_433_155),
        ("avg_path", 2.408_199_643_494),
        ("assortativity", -0.475_613_097_685),
    ] {
        close(&whole[name], value, name);
    }
    assert_eq!(
        (
            &whole["n"],
            &whole["m"],
            &whole["diameter"],
            &whole["radius"]
        ),
        (&json!(34), &json!(78), &json!(5), &json!(3))
    );
    assert_eq!(whole["components"], 1);
    assert!(
        whole["modularity"].as_f64().unwrap() > 0.41,
        "{}",
        whole["modularity"]
    );
    let most = 4;
    let core: Vec<&str> = output["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|v| v["core"] == most)
        .map(|v| v["id"].as_str().unwrap())
        .collect();
    assert_eq!(core.len(), 10);
    for id in ["0", "1", "2", "3", "7", "8", "13", "30", "32", "33"] {
        assert!(core.contains(&id), "{id} is in the 4-core");
    }
}

#[test]
fn karate_from_member_16_reaches_as_published() {
    let output = run(&karate_club());
    assert_eq!(output["layers"], json!([1, 2, 3, 12, 8, 8]));
    assert_eq!(
        output["reach"],
        json!({"1": 2, "2": 5, "3": 17, "4": 25, "5": 33, "6": 33, "7": 33})
    );
    let target = &output["targets"][0];
    assert_eq!(
        (
            &target["id"],
            &target["shortest_hops"],
            &target["simple_paths"]["value"]
        ),
        (&json!("26"), &json!(5), &json!(412))
    );
    assert_eq!(output["truncated"], false);
}

/// Karate with strength = weight / `scale`, a power of two, which keeps the proportions of floats.
fn karate_scaled(scale: f64) -> Value {
    let mut input = karate_club();
    input["params"]["weighted"] = true.into();
    for edge in input["edges"].as_array_mut().unwrap() {
        edge["strength"] = json!((edge["strength"].as_f64().unwrap() * 7.0).round() / scale);
    }
    input
}

#[test]
fn karate_by_strength_has_its_published_betweenness() {
    for scale in [8.0, 16.0] {
        let output = run(&karate_scaled(scale));
        close(
            &node(&output, "0")["betweenness"],
            0.394_886_363_636,
            "betweenness(0) with length 1/weight",
        );
        assert!(
            output["warnings"][0]
                .as_str()
                .unwrap()
                .contains("tie_tolerance")
        );
    }
}

#[test]
fn a_tie_tolerance_gives_the_value_of_exact_fractions_at_any_scale() {
    for scale in [7.0, 8.0, 10.0] {
        let mut input = karate_scaled(scale);
        input["params"]["tie_tolerance"] = json!(1e-10);
        let output = run(&input);
        // NetworkX with fractions.Fraction(1, weight), and igraph 1.0, both say 209/528.
        close(
            &node(&output, "0")["betweenness"],
            209.0 / 528.0,
            "betweenness(0), exact",
        );
        assert_eq!(output["warnings"], json!([]));
    }
}

#[test]
fn every_oracle_graph_agrees_with_networkx() {
    for graph in oracle() {
        let name = graph["name"].as_str().unwrap();
        let ids: Vec<String> = graph["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_str().unwrap().into())
            .collect();
        let edges = graph["edges"].as_array().unwrap().iter().map(|e| {
            (
                e[0].as_str().unwrap().to_owned(),
                e[1].as_str().unwrap().to_owned(),
                e[2].as_f64().unwrap(),
            )
        });
        let mut input = network(&ids, &edges.collect::<Vec<_>>());
        input["directed"] = graph["directed"].clone();
        input["params"] = json!({"weighted": graph["weighted"]});
        let output = run(&input);
        for (field, values) in graph["expected"]["nodes"].as_object().unwrap() {
            for (i, expected) in values.as_array().unwrap().iter().enumerate() {
                let actual = &output["nodes"][i][field];
                let what = format!("{name}: {field} of {}", ids[i]);
                match expected.as_f64() {
                    Some(x) => close(actual, x, &what),
                    None => assert!(
                        actual.is_null()
                            || graph["sinks"].as_array().unwrap().contains(&json!(ids[i])),
                        "{what}"
                    ),
                }
            }
        }
        for (field, expected) in graph["expected"]["network"].as_object().unwrap() {
            match expected.as_f64() {
                Some(x) => close(&output["network"][field], x, &format!("{name}: {field}")),
                None => assert!(
                    output["network"][field].is_null(),
                    "{name}: {field} {}",
                    output["network"][field]
                ),
            }
        }
    }
}

#[test]
fn famous_graphs_have_their_published_values() {
    let of = |name: &str| oracle().into_iter().find(|g| g["name"] == name).unwrap();
    let most = |g: &Value, field: &str| {
        g["expected"]["nodes"][field]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_f64)
            .fold(0.0, f64::max)
    };
    assert!(
        (most(&of("les miserables"), "betweenness") - 0.569_989_052_784).abs() < 1e-9,
        "Valjean"
    );
    assert!(
        (most(&of("florentine"), "betweenness") - 0.521_978_021_978).abs() < 1e-9,
        "Medici"
    );
    assert!(
        (most(&of("florentine"), "closeness") - 0.56).abs() < 1e-9,
        "Medici"
    );
}
