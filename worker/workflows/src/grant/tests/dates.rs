//! Working days against published dates and the oracle file made by `tests/oracle/make_calendar.py`.

use serde_json::{Value, json};

use super::{plan, run};

fn federal(country: &str) -> Value {
    let mut input = plan(&[]);
    input["calendar"] = json!({"country": country});
    input
}

#[test]
fn the_march_2027_deadline_has_its_published_milestones() {
    let output = run(&federal("US"));
    let dates: Vec<(u64, &str, bool)> = output["milestones"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| {
            (
                m["offset"].as_u64().unwrap(),
                m["date"].as_str().unwrap(),
                m["rolled"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        dates,
        [
            (90, "2026-12-31", false),
            (60, "2027-01-29", true),
            (30, "2027-03-01", false),
            (14, "2027-03-17", false),
            (7, "2027-03-24", false),
            (1, "2027-03-30", false)
        ]
    );
    assert_eq!(output["milestones"][1]["nominal"], "2027-01-30");
    assert_eq!(output["working_days_left"], 87);
    assert_eq!(run(&federal("GB-ENG"))["working_days_left"], 87);
}

#[test]
fn the_target_lies_the_buffer_before_the_deadline() {
    let mut input = federal("US");
    input["submit_buffer_working_days"] = json!(45);
    assert_eq!(run(&input)["submission_target"], "2027-01-26");
}

#[test]
fn observed_and_real_independence_day_are_both_holidays() {
    let days = crate::grant::holidays::of("US").unwrap();
    for day in [jiff::civil::date(2026, 7, 3), jiff::civil::date(2026, 7, 4)] {
        assert!(days.contains(&day), "{day}");
    }
}

#[test]
fn every_country_has_a_table_in_any_letter_case() {
    use crate::grant::holidays::{countries, has_subdivisions, of, years};
    assert!(countries() >= 240);
    for country in [
        "ES", "it", "Jp", "IN", "CH", "AT", "BE", "PT", "SE", "NO", "DK", "FI", "PL", "CZ", "BR",
        "MX", "NZ", "ZA", "KE", "NG", "SG", "KR", "AU", "CA", "DE", "FR", "GB", "IE", "NL", "US",
    ] {
        assert!(of(country).unwrap().len() > 21 * 3, "{country}");
        assert_eq!(years(country), (2020, 2040), "{country}");
    }
    assert_eq!(of("gb-sct"), of("GB-SCT"));
    assert_ne!(of("gb-sct"), of("gb"));
    assert!(
        has_subdivisions("es")
            && has_subdivisions("CH")
            && !has_subdivisions("US-TX")
            && !has_subdivisions("KR")
    );
    for unknown in ["", "-", "years", "YEARS", "XX", "ES-XX", "US-", "ESP"] {
        assert_eq!(of(unknown), None, "{unknown}");
    }
    // Every line of every table can be read, leap days included.
    for region in crate::grant::holidays::regions() {
        assert!(of(region).is_some(), "{region}");
    }
}

#[test]
fn a_country_in_small_letters_plans_the_same() {
    let of = |country: &str| run(&federal(country))["milestones"].clone();
    assert_eq!(of("es-md"), of("ES-MD"));
    assert_ne!(of("es-md"), of("kr"));
}

#[test]
fn hundreds_of_deadlines_agree_with_numpy_and_holidays() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../../tests/oracle/calendar.json")).unwrap();
    assert_eq!(cases.len(), 350);
    for case in cases {
        let output = run(&json!({
            "as_of": case["as_of"],
            "opportunity": {"closeDate": {"date": case["deadline"]}},
            "calendar": {"country": case["country"], "weekend": case["weekend"], "holidays": case["holidays"]},
            "submit_buffer_working_days": case["buffer"],
        }));
        assert_eq!(output["submission_target"], case["target"], "{case}");
        assert_eq!(output["working_days_left"], case["count"], "{case}");
        for (ours, theirs) in output["milestones"]
            .as_array()
            .unwrap()
            .iter()
            .zip(case["milestones"].as_array().unwrap())
        {
            assert_eq!(
                json!([ours["offset"], ours["date"], ours["working_days_left"]]),
                *theirs,
                "{case}"
            );
        }
    }
}

#[test]
fn the_deadlines_own_zone_decides_its_instant() {
    let mut input = plan(&[]);
    input["opportunity"]["closeDate"] =
        json!({"date": "2027-03-31", "time": "17:00", "tz": "America/New_York"});
    assert_eq!(run(&input)["deadline"]["instant"], "2027-03-31T21:00:00Z");
    // Clocks in New York jump from 02:00 to 03:00 on 2027-03-14; winter time holds the day before.
    input["opportunity"]["closeDate"] =
        json!({"date": "2027-03-13", "time": "17:00", "tz": "America/New_York"});
    assert_eq!(run(&input)["deadline"]["instant"], "2027-03-13T22:00:00Z");
    input["opportunity"]["closeDate"] =
        json!({"date": "2027-03-14", "time": "02:30", "tz": "America/New_York"});
    assert_eq!(run(&input)["deadline"]["instant"], "2027-03-14T07:30:00Z");
}

#[test]
fn blackouts_close_days_and_may_overlap() {
    let mut input = plan(&[]);
    input["calendar"]["blackouts"] = json!([
        {"from": "2026-12-28", "to": "2027-01-01"}, {"from": "2026-12-21", "to": "2026-12-30"}, {"from": "2026-12-22", "to": "2026-12-22"}]);
    // 92 weekdays less the ten of two closed weeks.
    assert_eq!(run(&input)["working_days_left"], 92 - 10);
}

#[test]
fn years_without_a_table_are_announced() {
    let mut input = federal("US");
    input["as_of"] = json!("2040-11-01");
    input["opportunity"]["closeDate"]["date"] = json!("2041-03-01");
    let warnings = run(&input)["warnings"].to_string();
    assert!(warnings.contains("2020 to 2040"), "{warnings}");
}

#[test]
fn a_calendar_without_working_days_is_refused_not_searched() {
    let mut input = plan(&[]);
    input["calendar"]["blackouts"] = json!([{"from": "0001-01-01", "to": "9000-01-01"}]);
    assert!(matches!(
        super::try_run(&input),
        Err(crate::Error::LimitExceeded { .. })
    ));
}
