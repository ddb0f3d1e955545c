//! The language of rules: what it says, and that nothing breaks it.

use std::borrow::Cow;

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::super::cell::Moment;
use super::parse::{MAX_DEPTH, MAX_NODES};
use super::{Outcome, Value, evaluate, parse};

/// `a` = 5, `b` = 0.1, `t` = "Ab c", `e` empty, `d` = 2027-03-31, `n` = "12" as text, `End Date` = 2027-04-30T12:00.
fn outcome(rule: &str) -> Outcome {
    let parsed = parse(rule).unwrap_or_else(|m| panic!("{rule}: {m:?}"));
    let day = jiff::civil::date(2027, 3, 31);
    let cell = |at: usize| match parsed.labels[at].as_str() {
        "a" => Value::Number(Decimal::from(5)),
        "b" => Value::number(0.1),
        "t" => Value::Text(Cow::Borrowed("Ab c")),
        "n" => Value::Text(Cow::Borrowed("12")),
        "d" => Value::Date(Moment::day(day)),
        "m" => Value::Date(Moment {
            date: day,
            millis: Some(0),
        }),
        "End Date]" => Value::Date(Moment {
            date: jiff::civil::date(2027, 4, 30),
            millis: Some(43_200_000),
        }),
        "y" => Value::Bool(true),
        _ => Value::Empty,
    };
    evaluate(&parsed, Some(day), &cell)
}

#[test]
fn rules_hold() {
    for rule in [
        "a = 5",
        "a == 5 and not a <> 5 && !(a != 5)",
        "b + 0.2 = 0.3",
        "1 + 2 * 3 = 7 and (1 + 2) * 3 = 9 and 10 - 3 - 2 = 5 and 7 % 4 = 3 and 1 / 4 = 0.25",
        "-a < -4 and - - a = 5",
        "len(t) = 4 and upper(t) = 'AB C' and lower(t) = \"ab c\" and trim(' x ') = 'x'",
        "'it''s' = \"it's\"",
        "is_empty(e) and not is_empty([a])",
        "is_empty(e) or e > 3",
        "a < 9 or e > 3",
        "d = date('2027-03-31') and d = m and d <= as_of() and d = '2027-03-31'",
        "[End Date]]] - d = 30 and days_between(d, [End Date]]]) = 30",
        "year(d) = 2027 AND month(d) = 3 And day(d) = 31",
        "a in (1, 5) and t not in ('x', 'y') and not a in (2)",
        "contains(t, 'b ') and starts_with(t, 'A') and ends_with(t, 'c')",
        "max(1, a, 3) = 5 and min(d, date('2020-01-01')) < d and abs(-2) = 2 and round(2.345, 2) = 2.35 and round(2.5) = 3",
        "n > 5 and n = 12 and 5 < n",
        "y and true and not false",
        "t != 5 and not (t = 5)",
    ] {
        assert_eq!(outcome(rule), Outcome::Holds, "{rule}");
    }
}

#[test]
fn other_outcomes() {
    for (rule, expected) in [
        ("a > 5", Outcome::Broken),
        ("false or a < 5", Outcome::Broken),
        ("e > 5", Outcome::NotApplicable),
        ("a > 4 and e > 5", Outcome::NotApplicable),
        ("len(e) = 0", Outcome::NotApplicable),
        ("t > 5", Outcome::Senseless),
        ("t + 1 = 2", Outcome::Senseless),
        ("a / 0 = 1", Outcome::Senseless),
        ("a % 0 = 1", Outcome::Senseless),
        ("a", Outcome::Senseless),
        ("not a", Outcome::Senseless),
        ("79228162514264337593543950335 * 10 > 0", Outcome::Senseless),
        ("date('nonsense') < d", Outcome::Senseless),
        ("round(a, -1) = 5", Outcome::Senseless),
        ("true + true = 2", Outcome::Senseless),
    ] {
        assert_eq!(outcome(rule), expected, "{rule}");
    }
}

#[test]
fn mistakes_are_placed() {
    for (rule, at) in [
        ("", 1),
        ("a >", 4),
        ("a > 5 5", 7),
        ("(a > 5", 7),
        ("[a", 1),
        ("'a", 1),
        ("nothing(1)", 1),
        ("a ; b", 3),
        ("1.2.3 = 1", 1),
        ("a in 5", 6),
        ("and", 1),
        ("is_empty(5)", 11),
    ] {
        assert_eq!(parse(rule).expect_err(rule).at, at, "{rule}");
    }
    assert!(parse("len(a, b)").is_err());
    assert!(parse("as_of(1)").is_err());
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = |n: usize| format!("{}a{}", "(".repeat(n), ")".repeat(n));
    assert!(parse(&nested(MAX_DEPTH)).is_ok());
    for hostile in [
        nested(MAX_DEPTH + 1),
        nested(100_000),
        "-".repeat(100_000),
        "not ".repeat(100_000),
        "len(".repeat(9_999),
    ] {
        assert!(parse(&hostile).is_err());
    }
    assert!(parse(&vec!["a"; MAX_NODES].join("+")).is_err());
    // The longest chain that is accepted is also evaluated.
    assert_eq!(
        outcome(&format!("{} = 0", vec!["0"; MAX_NODES / 2 - 1].join("+"))),
        Outcome::Holds
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_breaks_the_parser(text in ".{0,200}") {
        if let Ok(parsed) = parse(&text) {
            evaluate(&parsed, None, &|_| Value::Empty);
        }
    }

    #[test]
    fn no_rule_breaks_the_evaluation(words in prop::collection::vec(prop::sample::select(vec![
        "a", "b", "t", "d", "e", "1", "-", "+", "*", "/", "%", "(", ")", "=", "<", ">=", "and", "or", "not", "in", ",",
        "len(", "abs(", "round(", "max(", "date(", "days_between(", "is_empty(", "'x'", "99999999999999999999999999",
    ]), 1..24)) {
        let rule = words.join(" ");
        if parse(&rule).is_ok() {
            outcome(&rule);
        }
    }

    #[test]
    fn arithmetic_is_exact(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000) {
        let rule = format!("{}.25 + {}.50 - {}.25 = {}.5", a.abs(), b.abs(), a.abs(), b.abs());
        prop_assert_eq!(outcome(&rule), Outcome::Holds);
    }
}
