//! What was known on earlier days: one pass over them all sees what a look at each day sees.

use serde_json::{Value, json};

/// One sponsor, much contact, and asks on many different days.
fn busy() -> Value {
    let day = |i: u32| {
        format!(
            "{}-{:02}-{:02}",
            2015 + i % 11,
            1 + i * 7 % 12,
            1 + i * 5 % 28
        )
    };
    let contact = |i: u32| {
        json!({"id": format!("i{i}"), "sponsor_id": "s", "ts": day(i * i), "channel": (["email", "meeting", "call"])[i as usize % 3],
            "direction": (["in", "out", "mutual", "out"])[i as usize % 4], "reply_to": format!("i{}", i / 2),
            "sentiment": if i.is_multiple_of(5) { json!(null) } else { json!(f64::from(i % 9) / 8.0 - 0.5) }})
    };
    let ask = |i: u32| json!({"id": format!("a{i}"), "sponsor_id": "s", "date": day(3 * i), "amount": 100 + i, "outcome": (["awarded", "declined"])[i as usize % 2]});
    let gift = |i: u32| json!({"id": format!("g{i}"), "sponsor_id": "s", "date": day(11 * i), "amount": 50 + i});
    json!({"as_of": "2026-11-23", "currency": "GBP", "sponsors": [{"id": "s"}],
        "gifts": (0..40).map(gift).collect::<Vec<_>>(), "asks": (0..200).map(ask).collect::<Vec<_>>(),
        "interactions": (0..300).map(contact).collect::<Vec<_>>()})
}

#[test]
fn looking_back_in_one_pass_sees_what_a_look_at_each_day_sees() {
    use super::super::{bonds::Bonds, book::Book, input::Input};
    let input: Input = serde_json::from_value(busy()).unwrap();
    let book = Book::new(&input).unwrap();
    let bonds = Bonds::new(&book, &input);
    let record = &book.records[0];
    let mut sweep = bonds.looking_back(0);
    let mut seen = 0;
    for ask in &record.asks {
        let day = ask.ask.date.0;
        let swept = bonds.score_before((0, record), day, &mut sweep);
        let direct = bonds.at_end_of(0, record, day.yesterday().unwrap()).score;
        assert_eq!(swept.is_some(), direct.is_some(), "{day}");
        assert!(
            (swept.unwrap_or(0.0) - direct.unwrap_or(0.0)).abs() < 1e-11,
            "{day}"
        );
        seen += u32::from(swept.is_some());
    }
    assert!(seen > 100);
}
