//! Inputs to try: a small invented one, and donors with the giving histories of a published data set.

use jiff::civil::{Date, date};
use serde_json::{Value, json};

/// Histories of public-radio donors and how many have each, from `lifetimes` (see NOTICE).
const DONATIONS: &str = include_str!("../../tests/data/donations.csv");
/// Customers of a shop with their mean purchases, from `lifetimes` (see NOTICE).
const PURCHASES: &str = include_str!("../../tests/data/cdnow.csv");
/// What a donor gives from year to year, against the donor's usual amount; invented.
const VARIED: [f64; 3] = [0.8, 1.0, 1.2];
/// Of so many donors of the data set the sample has one.
const ONE_IN: u32 = 50;

/// Four sponsors: one to thank, one to renew, one cold, one whose pending ask is too large.
pub(super) fn example() -> Value {
    json!({
        "as_of": "2026-11-23",
        "currency": "GBP",
        "fx": {"USD": 0.79},
        "sponsors": [
            {"id": "s1", "name": "Harbour Trust", "type": "foundation", "focus_areas": ["education"],
                "capacity": {"annual_giving": 1_200_000, "min_award": 5_000, "max_award": 50_000}, "person_ids": ["p7"]},
            {"id": "s2", "name": "Mill Street Bakery", "type": "corporate", "person_ids": ["p8"]},
            {"id": "s3", "name": "Orchard Fund", "type": "foundation", "focus_areas": ["health", "education"],
                "capacity": {"min_award": 10_000, "max_award": 100_000}},
            {"id": "s4", "name": "Ada Stone", "type": "individual", "person_ids": ["p9"]}],
        "gifts": [
            {"id": "g1", "sponsor_id": "s1", "date": "2024-05-01", "amount": 30_000, "programme": "Reading"},
            {"id": "g2", "sponsor_id": "s1", "date": "2025-05-06", "amount": "32500.00", "programme": "Reading"},
            {"id": "g3", "sponsor_id": "s4", "date": "2026-11-10", "amount": 250, "currency": "USD"}],
        "asks": [
            {"id": "a1", "sponsor_id": "s1", "date": "2024-01-10", "amount": 40_000, "focus_areas": ["education"],
                "outcome": "awarded", "decided": "2024-04-20"},
            {"id": "a2", "sponsor_id": "s3", "date": "2025-09-01", "amount": 60_000, "focus_areas": ["health"],
                "outcome": "declined", "decided": "2025-12-01"},
            {"id": "a3", "sponsor_id": "s1", "date": "2026-12-15", "amount": 75_000, "focus_areas": ["education"],
                "outcome": "pending"}],
        "interactions": [
            {"id": "i1", "sponsor_id": "s1", "person_id": "p7", "ts": "2026-10-01T09:00:00Z", "channel": "meeting",
                "direction": "mutual"},
            {"id": "i2", "person_id": "p7", "ts": "2026-10-03T10:00:00Z", "channel": "email", "direction": "out"},
            {"id": "i3", "person_id": "p7", "ts": "2026-10-03T16:30:00Z", "channel": "email", "direction": "in",
                "reply_to": "i2", "sentiment": 0.4},
            {"id": "i4", "sponsor_id": "s2", "ts": "2026-08-20T08:00:00Z", "channel": "email", "direction": "out"}],
        "ties": [
            {"a": "me", "b": "p7", "strength": 0.6}, {"a": "me", "b": "p5", "strength": 0.8},
            {"a": "p5", "b": "p7", "strength": 0.5}, {"a": "p5", "b": "p9", "strength": 0.7}],
        "params": {"half_life_days": 90, "horizon_periods": 1, "period": "year", "us": ["me"]},
        "seed": 1,
    })
}

/// 224 donors whose years of giving are those of a published data set (one donor in fifty), seen on 2026-11-23.
///
/// Amounts are mean purchases of another published data set times 100, varied by a fifth from year to year. Contacts and asks are absent: nobody published
/// any. Source and licence: the NOTICE file of the repository.
///
/// # Panics
/// Never: the data are part of the program and tested.
#[must_use]
pub fn sample_sponsors() -> Value {
    let mut amounts = numbers(PURCHASES)
        .filter(|row| row[1] > 0.0)
        .map(|row| 100.0 * row[4])
        .cycle();
    let (mut sponsors, mut gifts) = (Vec::new(), Vec::new());
    for row in numbers(DONATIONS) {
        let (x, t_x, n) = (whole(row[0]), whole(row[1]), whole(row[2]));
        for _ in 0..(whole(row[3]) + ONE_IN / 2) / ONE_IN {
            let number = sponsors.len() + 1;
            let id = format!("d{number:03}");
            let amount = amounts.next().unwrap_or(100.0);
            // The last gift is known, the others stand as early as they can.
            let again = (1..x).chain((x > 0).then_some(t_x));
            for year in std::iter::once(0).chain(again) {
                let day = day(n - year, number);
                let amount = amount * VARIED[(number + year as usize) % VARIED.len()];
                gifts.push(json!({"id": format!("{id}-{}", day.year()), "sponsor_id": id, "date": day.to_string(),
                    "amount": format!("{amount:.2}")}));
            }
            sponsors
                .push(json!({"id": id, "name": format!("Donor {number}"), "type": "individual"}));
        }
    }
    json!({"as_of": "2026-11-23", "currency": "USD", "sponsors": sponsors, "gifts": gifts})
}

/// A day so many years before the last complete one, another for each donor.
fn day(years_before: u32, number: usize) -> Date {
    let first = date(2025, 1, 1)
        .checked_sub(jiff::Span::new().years(i64::from(years_before)))
        .expect("a few years before 2025 are in range");
    let days = i64::try_from(number * 37 % 365).expect("below 365");
    first
        .checked_add(jiff::Span::new().days(days))
        .expect("a day of the same year is in range")
}

/// Rows of numbers below a line of headings.
fn numbers(csv: &'static str) -> impl Iterator<Item = Vec<f64>> + Clone {
    csv.lines().skip(1).map(|line| {
        line.split(',')
            .map(|cell| cell.trim().parse().expect("the shipped file holds numbers"))
            .collect()
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of the shipped file"
)]
fn whole(x: f64) -> u32 {
    x.round() as u32
}
