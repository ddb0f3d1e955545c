//! What must not change a result, and how it must change with its input (WORKFLOWS 2.5).

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{number, run, sponsor};

const CHANNELS: [&str; 6] = ["meeting", "call", "email", "event", "intro", "report"];
const DIRECTIONS: [&str; 3] = ["in", "out", "mutual"];

/// A random office: sponsors, gifts, asks, contacts and ties from a list of numbers.
fn office(numbers: &[u32]) -> Value {
    let sponsors = 6;
    let id = |n: u32| format!("s{}", n % sponsors);
    let (mut gifts, mut asks, mut contacts, mut ties) = (vec![], vec![], vec![], vec![]);
    for (i, &n) in numbers.iter().enumerate() {
        let day = format!(
            "20{}-{:02}-{:02}",
            18 + n / 7 % 8,
            1 + n / 11 % 12,
            1 + n / 13 % 28
        );
        match n % 4 {
            0 => gifts.push(json!({"id": format!("g{i}"), "sponsor_id": id(n / 4), "date": day, "amount": 10 + n % 977})),
            1 => asks.push(json!({"id": format!("a{i}"), "sponsor_id": id(n / 4), "date": day, "amount": 10 + n % 1000,
                "outcome": if n % 3 == 0 { "awarded" } else { "declined" }})),
            2 => ties.push(json!({"a": id(n / 4), "b": format!("p{}", n / 8 % 5), "strength": f64::from(1 + n % 10) / 10.0})),
            _ => {
                let back = contacts.len().checked_sub(1).filter(|_| n % 5 == 0);
                contacts.push(json!({"id": format!("i{i}"), "sponsor_id": id(n / 4), "ts": format!("{day}T12:00:00Z"),
                    "channel": CHANNELS[n as usize / 3 % 6], "direction": DIRECTIONS[n as usize / 5 % 3],
                    "reply_to": back.map(|b: usize| format!("i{b}")),
                    "sentiment": (n % 2 == 0).then_some(f64::from(n % 20) / 10.0 - 1.0)}));
            }
        }
    }
    let list: Vec<Value> = (0..sponsors).map(|n| json!({"id": id(n)})).collect();
    json!({"as_of": "2026-11-23", "currency": "GBP", "sponsors": list, "gifts": gifts, "asks": asks,
        "interactions": contacts, "ties": ties, "params": {"us": ["p0"]}})
}

fn numbers() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..1_000_000_u32, 0..60)
}

/// `None` without any contact.
fn intensity(output: &Value, id: &str) -> Option<f64> {
    let component = &sponsor(output, id)["relationship"]["components"]["intensity"];
    let value = &component["value"];
    assert_eq!(value.is_null(), component["n"] == 0, "{component}");
    value.as_f64()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_order_of_the_input_changes_nothing(numbers in numbers(), turn in 1..50_usize) {
        let input = office(&numbers);
        let mut turned = input.clone();
        for list in ["sponsors", "gifts", "asks", "interactions", "ties"] {
            let items = turned[list].as_array_mut().unwrap();
            items.reverse();
            if !items.is_empty() {
                let by = turn % items.len();
                items.rotate_left(by);
            }
        }
        prop_assert_eq!(run(&input).to_string(), run(&turned).to_string());
    }

    #[test]
    fn new_names_keep_the_figures(numbers in numbers()) {
        let input = office(&numbers);
        // The new ids sort the other way round.
        let renamed = (0..6).fold(input.to_string(), |text, n| {
            text.replace(&format!("\"s{n}\""), &format!("\"z{}\"", 9 - n))
        });
        let (old, new) = (run(&input), run(&serde_json::from_str(&renamed).unwrap()));
        for n in 0..6 {
            let (mut a, mut b) = (
                sponsor(&old, &format!("s{n}")).clone(),
                sponsor(&new, &format!("z{}", 9 - n)).clone(),
            );
            // The last digits of sums over nodes follow the order of ids.
            let influence = |v: &mut Value| v["influence"].take()["score"].as_f64().unwrap_or(-1.0);
            prop_assert!((influence(&mut a) - influence(&mut b)).abs() < 1e-6);
            a["id"] = Value::Null;
            b["id"] = Value::Null;
            prop_assert_eq!(a, b);
        }
    }

    #[test]
    fn contacts_with_others_leave_a_relationship_alone(numbers in numbers()) {
        let input = office(&numbers);
        let mut without = input.clone();
        without["interactions"].as_array_mut().unwrap().retain(|i| i["sponsor_id"] == "s0");
        let (all, own) = (run(&input), run(&without));
        prop_assert_eq!(&sponsor(&all, "s0")["relationship"], &sponsor(&own, "s0")["relationship"]);
    }

    #[test]
    fn ten_years_later_relationships_have_faded(numbers in numbers()) {
        let input = office(&numbers);
        let mut later = input.clone();
        later["as_of"] = json!("2036-11-23");
        let (now, then) = (run(&input), run(&later));
        for n in 0..6 {
            let id = format!("s{n}");
            prop_assert!(intensity(&then, &id) <= intensity(&now, &id));
        }
    }

    #[test]
    fn a_longer_half_life_never_lowers_intensity(numbers in numbers(), days in 1..400_u32) {
        let mut input = office(&numbers);
        input["params"]["half_life_days"] = json!(days);
        let short = run(&input);
        input["params"]["half_life_days"] = json!(2 * days);
        let long = run(&input);
        for n in 0..6 {
            let id = format!("s{n}");
            prop_assert!(intensity(&short, &id) <= intensity(&long, &id));
        }
    }
}

#[test]
fn a_recent_relationship_falls_when_ten_years_pass() {
    let mut input = super::base();
    let now = run(&input);
    input["as_of"] = json!("2036-11-23");
    let later = run(&input);
    let score = |out: &Value| number(&sponsor(out, "s1")["relationship"]["score"]);
    assert!(score(&later) < score(&now));
}

#[test]
fn a_split_gift_counts_twice_for_giving_and_once_in_a_history() {
    let whole = super::base();
    let mut split = whole.clone();
    split["gifts"][1]["amount"] = json!(0.1);
    let half = json!({"id": "g3", "sponsor_id": "s1", "date": "2025-05-01", "amount": 0.1, "currency": "USD"});
    split["gifts"].as_array_mut().unwrap().push(half);
    let (whole, split) = (run(&whole), run(&split));
    let of = |out: &Value, pointer: &str| sponsor(out, "s1").pointer(pointer).unwrap().clone();
    assert_eq!(of(&whole, "/rfm/monetary"), of(&split, "/rfm/monetary"));
    assert_eq!(of(&whole, "/funding"), of(&split, "/funding"));
    assert_eq!(of(&split, "/rfm/frequency"), 3);
    let giving = |out: &Value| number(&of(out, "/relationship/components/giving/value"));
    assert!((giving(&split) - (1.0 - (-3.0_f64).exp())).abs() < 1e-11);
    assert!(giving(&whole) < giving(&split));
}

#[test]
fn a_repeat_gives_the_same_bytes_on_any_number_of_threads() {
    let numbers: Vec<u32> = (0..400_u32)
        .map(|i| i.wrapping_mul(2_654_435_761) % 1_000_000)
        .collect();
    let inputs = [office(&numbers), super::super::sample_sponsors()];
    for input in &inputs {
        let once = run(input).to_string();
        for threads in [1, 2, 7] {
            let results: Vec<String> = std::thread::scope(|scope| {
                let all: Vec<_> = (0..threads)
                    .map(|_| scope.spawn(|| run(input).to_string()))
                    .collect();
                all.into_iter().map(|t| t.join().unwrap()).collect()
            });
            assert!(results.iter().all(|r| *r == once));
        }
    }
}
