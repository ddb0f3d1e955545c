//! The donors, as sponsor analysis sees them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{list, number, str_of, text};

/// One donor.
#[derive(Debug, Clone)]
pub(in crate::demo) struct Donor {
    pub(in crate::demo) id: String,
    pub(in crate::demo) name: String,
    /// Chance of a gift within the horizon.
    pub(in crate::demo) chance: Option<f64>,
    /// Chance of still being a donor.
    pub(in crate::demo) alive: Option<f64>,
    /// The next gift, if there is one.
    pub(in crate::demo) gift: Option<f64>,
    /// Chance times gift.
    pub(in crate::demo) potential: Option<f64>,
    /// 10th and 90th percentile of the potential.
    pub(in crate::demo) range: Option<(f64, f64)>,
    /// Sum of all gifts.
    pub(in crate::demo) given: f64,
    /// Days since the last one.
    pub(in crate::demo) silent_days: Option<u64>,
    /// Evidence of what is advised, by rule.
    pub(in crate::demo) advice: BTreeMap<String, Vec<String>>,
}

/// A gift that nobody has thanked for.
#[derive(Debug)]
pub(in crate::demo) struct Thanks {
    pub(in crate::demo) name: String,
    pub(in crate::demo) day: String,
    pub(in crate::demo) amount: Option<f64>,
    pub(in crate::demo) days: Option<u64>,
}

/// All donors, those of the greatest potential first.
pub(super) fn donors(result: &Value) -> Vec<Donor> {
    let mut donors: Vec<Donor> = list(&result["sponsors"]).iter().map(donor).collect();
    let key = |donor: &Donor| donor.potential.unwrap_or(-1.0);
    donors.sort_by(|a, b| key(b).total_cmp(&key(a)).then_with(|| a.id.cmp(&b.id)));
    donors
}

fn donor(sponsor: &Value) -> Donor {
    let range = &sponsor["potential_interval"];
    let advice = list(&sponsor["recommendations"]).iter().map(|advice| {
        let evidence = list(&advice["evidence"]).iter().map(text).collect();
        (text(&advice["rule"]), evidence)
    });
    let funding = &sponsor["funding"];
    Donor {
        id: text(&sponsor["id"]),
        name: text(
            sponsor["name"]
                .as_str()
                .map_or(&sponsor["id"], |_| &sponsor["name"]),
        ),
        chance: number(&funding["p"]),
        alive: number(&funding["p_alive"]),
        gift: number(&sponsor["amount"]["mean"]),
        potential: number(&sponsor["potential"]),
        range: number(&range["p10"]).zip(number(&range["p90"])),
        given: number(&sponsor["rfm"]["monetary"]).unwrap_or(0.0),
        silent_days: sponsor["rfm"]["recency_days"].as_u64(),
        advice: advice.collect(),
    }
}

/// The gifts that ask for thanks, the latest first; day and amount are those of the register.
pub(super) fn thanks(donors: &[Donor], register: &[Value]) -> Vec<Thanks> {
    let row = |gift: &str| {
        let mut rows = register.iter().map(|record| &record["values"]);
        rows.find(|values| values["Gift"] == gift)
    };
    let due = |donor: &Donor| {
        let gift = donor.advice.get("R01_thank")?.first()?;
        let row = row(gift);
        let day = row.map_or("", |values| str_of(&values["Date"]));
        Some(Thanks {
            name: donor.name.clone(),
            day: day.get(..10).unwrap_or(day).to_owned(),
            amount: row.and_then(|values| number(&values["Amount"])),
            days: donor.silent_days,
        })
    };
    let mut all: Vec<Thanks> = donors.iter().filter_map(due).collect();
    all.sort_by(|a, b| b.day.cmp(&a.day));
    all
}
