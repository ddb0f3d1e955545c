//! The formulas of the result on small inputs, recomputed here; the rule table; what is refused.

use serde_json::{Value, json};

use super::{advised, base, close, number, refused, run, sponsor};
use crate::{Error, Run};

#[test]
fn strength_is_the_weighted_mean_of_known_components() {
    let out = run(&base());
    let relationship = &sponsor(&out, "s1")["relationship"];
    let components = &relationship["components"];
    // Ages in days at the last second of the day.
    let age = |hours: f64| hours / 24.0;
    let (mail, answer) = (
        age(53.0 * 24.0 + 15.0 - 1.0 / 3600.0),
        age(52.0 * 24.0 + 15.0 - 1.0 / 3600.0),
    );
    let weight = |days: f64| (-days / 90.0).exp2();
    let (w1, w2, w3) = (3.0 * weight(90.0), weight(mail), weight(answer));
    let sum = w1 + w2 + w3;
    let intensity = sum / (sum + 3.0);
    let (incoming, outgoing) = (w1 / 2.0 + w3, w1 / 2.0 + w2);
    let reciprocity = 2.0 * f64::min(incoming, outgoing) / sum;
    let months = 90.0 / 30.436_875;
    let expected = [
        ("intensity", intensity, 0.25),
        ("reciprocity", reciprocity, 0.15),
        ("responsiveness", 0.5, 0.15),
        ("consistency", 2.0 / 12.0, 0.15),
        ("duration", 1.0 - (-months / 24.0_f64).exp(), 0.10),
        ("tone", 0.75, 0.05),
        ("giving", 1.0 - (-2.0_f64).exp(), 0.10),
    ];
    let (mut total, mut weights) = (0.0, 0.0);
    for (name, value, weight) in expected {
        close(&components[name]["value"], value);
        total += weight * value;
        weights += weight;
    }
    assert_eq!(components["structural"]["value"], Value::Null);
    close(&relationship["score"], 100.0 * total / weights);
    close(&relationship["coverage"], 0.95);
}

#[test]
fn the_trend_is_todays_score_less_that_of_ninety_days_before() {
    let now = run(&base());
    let mut earlier = base();
    earlier["as_of"] = json!("2026-08-25");
    earlier["interactions"].as_array_mut().unwrap().truncate(1);
    let then = run(&earlier);
    let score = |out: &Value| number(&sponsor(out, "s1")["relationship"]["score"]);
    close(
        &sponsor(&now, "s1")["relationship"]["trend_90d"],
        score(&now) - score(&then),
    );
}

#[test]
fn money_is_exact_and_converted() {
    let out = run(&base());
    assert_eq!(sponsor(&out, "s1")["rfm"]["monetary"], "100.20");
    assert_eq!(sponsor(&out, "s1")["rfm"]["frequency"], 2);
    assert_eq!(sponsor(&out, "s1")["rfm"]["recency_days"], 571);
    assert_eq!(sponsor(&out, "s2")["rfm"]["recency_days"], Value::Null);
    assert_eq!(
        sponsor(&out, "s1")["rfm"]["r"],
        Value::Null,
        "fewer than five donors"
    );
    // Two donors are no model: the sponsor's own mean.
    assert_eq!(sponsor(&out, "s1")["amount"]["mean"], "50.10");
    assert_eq!(sponsor(&out, "s2")["potential"], Value::Null);
    assert!(sponsor(&out, "s2")["amount"]["reason"].is_string());
}

#[test]
fn structural_overlap_needs_ties_and_us() {
    let mut input = base();
    input["ties"] = json!([{"a": "me", "b": "x"}, {"a": "me", "b": "y"}, {"a": "p1", "b": "x"}, {"a": "s1", "b": "z"}]);
    let without = run(&input);
    let structural = &sponsor(&without, "s1")["relationship"]["components"]["structural"];
    assert!(structural["reason"].as_str().unwrap().contains("params.us"));
    input["params"] = json!({"us": ["me"]});
    let with = run(&input);
    // x is shared, y ours, z theirs.
    close(
        &sponsor(&with, "s1")["relationship"]["components"]["structural"]["value"],
        1.0 / 3.0,
    );
    assert_eq!(sponsor(&with, "s2")["influence"], Value::Null);
    let influence = number(&sponsor(&with, "s1")["influence"]["score"]);
    assert!((0.0..=100.0).contains(&influence));
}

#[test]
fn we_are_called_us_where_nothing_else_is_said() {
    let mut input = base();
    input["ties"] = json!([{"a": "us", "b": "x"}, {"a": "us", "b": "y"}, {"a": "p1", "b": "x"}]);
    let unsaid = run(&input);
    close(
        &sponsor(&unsaid, "s1")["relationship"]["components"]["structural"]["value"],
        0.5,
    );
    input["params"] = json!({"us": ["us"]});
    assert_eq!(run(&input)["sponsors"], unsaid["sponsors"]);
}

#[test]
fn without_an_interaction_its_components_are_unknown() {
    let out = run(&base());
    let components = &sponsor(&out, "s2")["relationship"]["components"];
    for name in [
        "intensity",
        "reciprocity",
        "responsiveness",
        "consistency",
        "duration",
        "tone",
    ] {
        assert_eq!(components[name]["value"], Value::Null, "{name}");
        assert!(components[name]["reason"].is_string(), "{name}");
    }
}

#[test]
fn weights_may_be_named_by_the_letters_of_the_formulas() {
    let mut input = base();
    input["params"] = json!({"weights": {"intensity": 1, "reciprocity": 2, "responsiveness": 3, "consistency": 4,
        "duration": 5, "tone": 6, "structural": 7, "giving": 8}});
    let named = run(&input)["sponsors"].clone();
    input["params"] =
        json!({"weights": {"I": 1, "R": 2, "L": 3, "C": 4, "D": 5, "E": 6, "J": 7, "M": 8}});
    assert_eq!(run(&input)["sponsors"], named);
    input["params"] = json!({"weights": {"X": 1}});
    assert_eq!(refused(&input), ["/params/weights"]);
}

#[test]
fn a_time_without_a_zone_is_in_utc_and_a_date_its_first_moment() {
    let with = |ts: &str| {
        let mut input = base();
        input["interactions"][1]["ts"] = json!(ts);
        run(&input)["sponsors"].clone()
    };
    assert_eq!(with("2026-10-01T09:00:00"), with("2026-10-01T09:00:00Z"));
    assert_eq!(with("2026-10-01"), with("2026-10-01T00:00:00Z"));
    assert_ne!(with("2026-10-01"), with("2026-10-01T09:00:00Z"));
}

#[test]
fn influence_of_a_relationship_mapping_is_that_of_the_same_ties() {
    let mut input = base();
    input["ties"] = json!([{"a": "me", "b": "x", "strength": 0.3}, {"a": "p1", "b": "x", "strength": 0.8},
        {"a": "p1", "b": "me", "strength": 0.1}, {"a": "p1", "b": "q", "strength": 1.0}]);
    let own = run(&input);
    let ties = input["ties"].take();
    let nodes: Vec<Value> = ["me", "p1", "q", "x"]
        .iter()
        .map(|id| json!({"id": id}))
        .collect();
    let map = json!({"nodes": nodes, "edges": ties});
    let mapped = crate::relationship::run(&map, &Run::unattended()).unwrap();
    input["ties"] = json!([]);
    input["influence"] = mapped["nodes"].clone();
    let given = run(&input);
    assert_eq!(
        sponsor(&own, "s1")["influence"],
        sponsor(&given, "s1")["influence"]
    );
    assert_eq!(sponsor(&own, "s1")["influence"]["measures"], 4);
    // p1 has the greatest strength sum, betweenness and PageRank of four: percentile 7/8 each.
    assert!(number(&sponsor(&own, "s1")["influence"]["score"]) > 80.0);
}

#[test]
fn thanks_are_due_until_something_follows() {
    let mut input = base();
    input["gifts"][1]["date"] = json!("2026-11-20");
    assert!(advised(&run(&input), "s1").contains(&"R01".to_owned()));
    input["interactions"].as_array_mut().unwrap().push(
        json!({"id": "i9", "sponsor_id": "s1", "ts": "2026-11-21T09:00:00Z", "channel": "call", "direction": "out"}),
    );
    assert!(!advised(&run(&input), "s1").contains(&"R01".to_owned()));
}

#[test]
fn each_rule_of_the_table_can_be_met() {
    let mut input = base();
    assert!(
        advised(&run(&input), "s1").contains(&"R02".to_owned()),
        "gave in 2025, not yet in 2026"
    );
    assert!(
        advised(&run(&input), "s2").contains(&"R05".to_owned()),
        "no contact at all"
    );
    assert!(advised(&run(&input), "s2").contains(&"R07".to_owned()));
    input["sponsors"][0]["capacity"] = json!({"min_award": 50, "max_award": "500"});
    input["asks"] = json!([{"id": "a1", "sponsor_id": "s1", "date": "2027-01-10", "amount": 600, "outcome": "pending"}]);
    input["interactions"].as_array_mut().unwrap().truncate(2);
    input["interactions"][0]["direction"] = json!("out");
    let out = run(&input);
    let rules = advised(&out, "s1");
    assert!(
        rules.contains(&"R04".to_owned()) && rules.contains(&"R06".to_owned()),
        "{rules:?}"
    );
    assert!(!rules.contains(&"R07".to_owned()));
    let band = sponsor(&out, "s1")["recommendations"]
        .as_array()
        .unwrap()
        .iter();
    let band = band
        .clone()
        .find(|a| a["rule"] == "R06_ask_outside_band")
        .unwrap();
    assert_eq!(band["evidence"], json!(["a1"]));
}

#[test]
fn an_ask_is_held_against_the_band_of_awards() {
    let advised_on = |asks: Value| {
        let mut input = base();
        input["sponsors"][0]["capacity"] = json!({"min_award": 50, "max_award": "500"});
        input["asks"] = asks;
        let out = run(&input);
        let all = sponsor(&out, "s1")["recommendations"].clone();
        let mut band = all.as_array().unwrap().iter();
        band.find(|a| a["rule"] == "R06_ask_outside_band")
            .map(|a| a["evidence"].clone())
    };
    let ask = |id: &str, date: &str, amount: u32, outcome: &str| json!({"id": id, "sponsor_id": "s1", "date": date, "amount": amount, "outcome": outcome});
    let declined = ask("a1", "2025-01-10", 600, "declined");
    assert_eq!(advised_on(json!([declined])), Some(json!(["a1"])));
    let small = ask("a2", "2026-01-10", 49, "awarded");
    assert_eq!(advised_on(json!([declined, small])), Some(json!(["a2"])));
    let inside = ask("a3", "2026-02-10", 500, "awarded");
    assert_eq!(advised_on(json!([declined, small, inside])), None);
    // What is asked now stands before what was.
    let fits = ask("a4", "2027-01-10", 50, "pending");
    assert_eq!(advised_on(json!([fits, declined])), None);
    let huge = ask("a5", "2027-02-10", 501, "pending");
    assert_eq!(
        advised_on(json!([declined, huge, fits])),
        Some(json!(["a5"]))
    );
}

#[test]
fn long_horizons_and_short_half_lives_are_taken() {
    let mut input = super::super::sample_sponsors();
    let chance = |input: &Value| -> Vec<f64> {
        let out = run(input);
        let all = out["sponsors"].as_array().unwrap().iter();
        all.map(|s| number(&s["funding"]["p"])).collect()
    };
    let mut last = chance(&input);
    for periods in [21, 60, 240] {
        input["params"]["horizon_periods"] = json!(periods);
        let next = chance(&input);
        assert!(last.iter().zip(&next).all(|(a, b)| a <= b && *b <= 1.0));
        last = next;
    }
    input["params"]["horizon_periods"] = json!(241);
    assert_eq!(refused(&input), ["/params/horizon_periods"]);
    let mut brief = base();
    for days in [0.5, 1e-3, 1e-300] {
        brief["params"]["half_life_days"] = json!(days);
        let out = run(&brief);
        let intensity = &sponsor(&out, "s1")["relationship"]["components"]["intensity"];
        assert!(number(&intensity["value"]) < 1e-9);
    }
    brief["params"]["half_life_days"] = json!(0);
    assert_eq!(refused(&brief), ["/params/half_life_days"]);
}

#[test]
fn lapsed_top_givers_are_to_be_won_back() {
    let out = run(&super::super::sample_sponsors());
    let mut won_back = 0;
    for sponsor in out["sponsors"].as_array().unwrap() {
        let lapsed = number(&sponsor["funding"]["p_alive"]) < 0.5 && sponsor["rfm"]["m"] == 5;
        let advice = sponsor["recommendations"].as_array().unwrap();
        assert_eq!(
            lapsed,
            advice.iter().any(|a| a["rule"] == "R03_reengage_lapsed")
        );
        won_back += u32::from(lapsed);
    }
    assert!(won_back > 0);
}

#[test]
fn the_next_gift_is_capped_by_the_largest_award() {
    let mut input = base();
    input["sponsors"][0]["capacity"] = json!({"max_award": 20});
    let out = run(&input);
    assert_eq!(sponsor(&out, "s1")["amount"]["mean"], "20.00");
    assert_eq!(sponsor(&out, "s1")["amount"]["capped"], true);
}

#[test]
fn what_contradicts_itself_is_refused_with_its_place() {
    for (changed, value, pointer) in [
        ("/gifts/1/id", json!("g1"), "/gifts/1/id"),
        ("/gifts/0/date", json!("2026-11-24"), "/gifts/0/date"),
        ("/gifts/0/amount", json!("-1"), "/gifts/0/amount"),
        ("/gifts/0/sponsor_id", json!("s9"), "/gifts/0/sponsor_id"),
        ("/fx", json!({}), "/gifts/1/currency"),
        (
            "/interactions/0/ts",
            json!("2026-11-24T00:00:00Z"),
            "/interactions/0/ts",
        ),
        (
            "/interactions/0/ts",
            json!("long before"),
            "/interactions/0/ts",
        ),
        (
            "/interactions/0/person_id",
            json!("p9"),
            "/interactions/0/person_id",
        ),
        ("/sponsors", json!([]), "/sponsors"),
        ("/sponsors/1/id", json!("s1"), "/sponsors/1/id"),
        ("/currency", json!("gbp"), "/currency"),
    ] {
        let mut input = base();
        *input.pointer_mut(changed).unwrap() = value;
        let places = refused(&input);
        assert!(places.iter().any(|p| p == pointer), "{pointer}: {places:?}");
    }
    let mut input = base();
    input["params"] = json!({"weights": {"luck": 1}});
    assert_eq!(refused(&input), ["/params/weights"]);
}

#[test]
fn a_pending_ask_may_lie_in_the_future() {
    let mut input = base();
    let ask = json!({"id": "a1", "sponsor_id": "s1", "date": "2027-01-10", "outcome": "pending"});
    input["asks"] = json!([ask]);
    run(&input);
    input["asks"][0]["outcome"] = json!("declined");
    assert_eq!(refused(&input), ["/asks/0/date"]);
}

#[test]
fn a_run_stops_when_asked() {
    let stop = || true;
    let run = Run {
        stop: &stop,
        ..Run::unattended()
    };
    assert_eq!(super::super::run(&base(), &run), Err(Error::Stopped));
}

#[test]
fn without_advanced_analytics_the_result_says_what_is_left_out() {
    let run = Run {
        advanced: false,
        ..Run::unattended()
    };
    let input = super::super::sample_sponsors();
    let plain = super::super::run(&input, &run).unwrap();
    assert_eq!(plain["advanced"], false);
    assert!(plain["left_out"].as_array().unwrap().len() >= 3);
    let first = &plain["sponsors"][0];
    assert_eq!(first["amount"]["p10"], Value::Null);
    assert!(
        plain["null_reasons"]["/sponsors/*/amount/p10"]
            .as_str()
            .unwrap()
            .contains("switched off")
    );
    // What does not need them is the same.
    let full = super::run(&input);
    assert_eq!(first["funding"], full["sponsors"][0]["funding"]);
    assert_eq!(first["potential"], full["sponsors"][0]["potential"]);
    assert!(full["sponsors"][0]["amount"]["p10"].is_string());
    let mut must = input;
    must["advanced"] = json!("require");
    assert!(matches!(
        super::super::run(&must, &run),
        Err(Error::Internal(_))
    ));
}

#[test]
fn every_null_has_a_reason() {
    for input in [
        base(),
        super::super::example(),
        super::super::sample_sponsors(),
    ] {
        let out = run(&input);
        let reasons = out["null_reasons"].as_object().unwrap();
        for sponsor in out["sponsors"].as_array().unwrap() {
            nulls(sponsor, "/sponsors/*", &mut |place| {
                assert!(
                    reasons.contains_key(place),
                    "{place} is null without a reason"
                );
            });
        }
        nulls(&out["model"], "/model", &mut |place| {
            assert!(
                reasons.contains_key(place),
                "{place} is null without a reason"
            );
        });
    }
}

fn nulls(value: &Value, at: &str, found: &mut dyn FnMut(&str)) {
    match value {
        Value::Null => found(at),
        Value::Object(map) => map
            .iter()
            .for_each(|(k, v)| nulls(v, &format!("{at}/{k}"), found)),
        _ => {}
    }
}

#[test]
fn no_message_holds_what_the_input_says() {
    let mut input = base();
    input["sponsors"][0]["id"] = json!("canary");
    input["gifts"][0]["sponsor_id"] = json!("canary-2");
    input["interactions"][0]["person_id"] = json!("canary-3");
    let error = super::super::run(&input, &Run::unattended()).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary"));
}
