//! What the results of the demo's run say to a programme officer.
//!
//! Invariant: every figure is one of a result, or a count or sum of such figures; lists are in an order that the figures
//! give, equals by id. A figure that a result does not know is `None`, never 0.

mod network;
mod sponsors;
mod timeline;

use std::collections::BTreeMap;

use serde_json::Value;

use super::plan::TASKS;

pub(super) use network::{Door, Network};
pub(super) use sponsors::{Donor, Thanks};
pub(super) use timeline::{Chance, Step, Timeline};

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) as_of: String,
    pub(super) currency: String,
    /// Donors in the register, by potential.
    pub(super) donors: Vec<Donor>,
    /// Gifts that were used.
    pub(super) gifts: u64,
    pub(super) thank: Vec<Thanks>,
    pub(super) mail: Mail,
    pub(super) network: Network,
    pub(super) timeline: Timeline,
    /// Rows of the workbook that could not be used: where, and why.
    pub(super) left_out: Vec<String>,
    /// What is missing, for how many, and what follows.
    pub(super) gaps: Vec<Gap>,
    /// What no data of this kind can tell.
    pub(super) cannot_tell: Vec<String>,
    /// Grade of the register's quality, if it could be judged.
    pub(super) grade: Option<String>,
}

/// Something that is missing in the data.
#[derive(Debug)]
pub(super) struct Gap {
    pub(super) what: String,
    pub(super) of: u64,
    pub(super) consequence: String,
}

/// The mails in numbers.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) messages: u64,
    /// Donors that were written to.
    pub(super) written_to: usize,
    /// Donors that wrote.
    pub(super) answered: usize,
}

impl Report {
    /// Reads the results of [`TASKS`], in that order.
    pub(super) fn of(results: &[Value]) -> Self {
        let place = |name: &str| TASKS.iter().position(|(task, _)| *task == name);
        let of = |name: &str| place(name).and_then(|i| results.get(i));
        let of = |name: &str| of(name).unwrap_or(&Value::Null);
        let sponsors = of("sponsors");
        let donors = sponsors::donors(sponsors);
        let imports = list(&sponsors["imports"]);
        let gifts = imports.iter().find(|import| import["into"] == "gifts");
        Self {
            as_of: text(&sponsors["as_of"]),
            currency: text(&sponsors["currency"]),
            gifts: gifts.and_then(|g| g["used"].as_u64()).unwrap_or(0),
            thank: sponsors::thanks(&donors, list(&of("gifts")["records"])),
            mail: mail(of("mail")),
            network: Network::of(of("network"), list(&of("ties")["records"])),
            timeline: Timeline::of(of("grant"), of("late")),
            left_out: imports.iter().flat_map(left_out).collect(),
            gaps: list(&sponsors["data_gaps"])
                .iter()
                .filter_map(gap)
                .collect(),
            cannot_tell: list(&sponsors["cannot_tell"]).iter().map(text).collect(),
            grade: of("gifts")["quality"]["grade"].as_str().map(str::to_owned),
            donors,
        }
    }

    /// The donors to whom this rule applies, by potential.
    pub(super) fn advised(&self, rule: &str) -> Vec<&Donor> {
        let to = |donor: &&Donor| donor.advice.contains_key(rule);
        self.donors.iter().filter(to).collect()
    }

    /// Whom to ask for renewal.
    pub(super) fn renew(&self) -> Vec<&Donor> {
        self.advised("R02_renew")
    }

    /// Whom to win back, those who gave most first.
    pub(super) fn win_back(&self) -> Vec<&Donor> {
        let mut donors = self.advised("R03_reengage_lapsed");
        donors.sort_by(|a, b| b.given.total_cmp(&a.given));
        donors
    }

    /// Who can open the ways to the donors to win back.
    pub(super) fn doors(&self) -> Vec<Door> {
        let wanted = self.win_back();
        let ids = wanted.iter().map(|donor| donor.id.as_str());
        self.network.doors(ids)
    }

    /// What a year is expected to bring.
    pub(super) fn expected(&self) -> f64 {
        self.donors.iter().filter_map(|donor| donor.potential).sum()
    }

    /// How many donors bring half of it.
    pub(super) fn half(&self) -> usize {
        let (half, mut sum) = (self.expected() / 2.0, 0.0);
        let potentials = self.donors.iter().filter_map(|donor| donor.potential);
        let below = |potential: &f64| {
            let more = sum < half;
            sum += potential;
            more
        };
        potentials.take_while(below).count()
    }

    /// Donors by chance of a gift, in tenths.
    pub(super) fn chances(&self) -> [u32; 10] {
        let mut counts = [0; 10];
        for p in self.donors.iter().filter_map(|donor| donor.chance) {
            // 1.0 belongs to the last tenth.
            let tenth = (1..10).rfind(|i| p >= f64::from(*i) / 10.0).unwrap_or(0);
            counts[usize::try_from(tenth).unwrap_or(0)] += 1;
        }
        counts
    }
}

fn mail(result: &Value) -> Mail {
    let mut seen: BTreeMap<&str, [bool; 2]> = BTreeMap::new();
    for contact in list(&result["interactions"]) {
        let sides = seen.entry(str_of(&contact["sponsor_id"])).or_default();
        sides[usize::from(contact["direction"] == "in")] = true;
    }
    let with = |side: usize| seen.values().filter(|sides| sides[side]).count();
    Mail {
        messages: result["corpus"]["messages"].as_u64().unwrap_or(0),
        written_to: with(0),
        answered: with(1),
    }
}

fn left_out(import: &Value) -> Vec<String> {
    let into = str_of(&import["into"]);
    let reasons = list(&import["left_out"]).iter();
    let told = reasons.map(|reason| {
        let places: Vec<&str> = list(&reason["first"]).iter().map(str_of).collect();
        let (places, why) = (places.join(", "), str_of(&reason["reason"]));
        format!("{} row(s) for {into}, {places}: {why}", reason["rows"])
    });
    told.collect()
}

fn gap(gap: &Value) -> Option<Gap> {
    let of = gap["sponsors"].as_u64().or(gap["interactions"].as_u64())?;
    Some(Gap {
        what: text(&gap["gap"]).replace('_', " "),
        of,
        consequence: text(&gap["consequence"]),
    })
}

/// The items of a list; none where there is no list.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn str_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn text(value: &Value) -> String {
    str_of(value).to_owned()
}

/// A number, or a decimal in a text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn results_that_say_nothing_make_an_empty_report() {
        let report = Report::of(&[]);
        assert!(report.donors.is_empty() && report.thank.is_empty() && report.doors().is_empty());
        assert_eq!((report.half(), report.chances()), (0, [0; 10]));
    }

    #[test]
    fn sums_and_tenths_are_those_of_the_donors() {
        let sponsor = |id: &str, p: f64, potential: &str| json!({"id": id, "funding": {"p": p}, "potential": potential});
        let sponsors = json!({"sponsors": [sponsor("a", 0.1, "10.00"), sponsor("b", 1.0, "30.50"),
            sponsor("c", 0.0999, "5.25"), {"id": "d"}]});
        let mut results = vec![Value::Null; TASKS.len()];
        results[4] = sponsors;
        let report = Report::of(&results);
        let ids: Vec<&str> = report.donors.iter().map(|d| d.id.as_str()).collect();
        assert_eq!(ids, ["b", "a", "c", "d"]);
        assert!((report.expected() - 45.75).abs() < 1e-9);
        assert_eq!(report.half(), 1);
        assert_eq!(report.chances(), [1, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    }
}
