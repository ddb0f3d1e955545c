//! Reads the entries of an input one by one, converts their money, finds whose they are, and collects what is wrong.
//!
//! Invariant: sponsors are read before anything that names them; every problem of every entry is collected.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use super::super::input::{Ask, AskOutcome, Capacity, Gift, Input, Interaction, List, Sponsor};
use super::{Asked, Contact, Given, Record};
use crate::Problem;
use crate::money::Amount;

/// Reads entries one by one and collects what is wrong with them.
pub(super) struct Clerk<'a> {
    input: &'a Input,
    rates: BTreeMap<&'a str, Decimal>,
    places: HashMap<&'a str, usize>,
    /// The sponsor of each person; `None` for a person of several.
    people: HashMap<&'a str, Option<usize>>,
    seen: [HashSet<&'a str>; 5],
    pub(super) problems: Vec<Problem>,
}

impl<'a> Clerk<'a> {
    pub(super) fn new(input: &'a Input) -> Self {
        let mut clerk = Self {
            input,
            rates: BTreeMap::new(),
            places: HashMap::new(),
            people: HashMap::new(),
            seen: Default::default(),
            problems: Vec::new(),
        };
        if !is_currency(&input.currency) {
            clerk.problem("/currency", CURRENCY);
        }
        clerk.rates.insert(&input.currency, Decimal::ONE);
        for (place, (code, rate)) in input.fx.iter().enumerate() {
            let pointer = format!("/fx (key {place})");
            match Decimal::from_str(&rate.to_string()) {
                _ if !is_currency(code) => clerk.problem(pointer, CURRENCY),
                Ok(rate) if *code == input.currency && rate != Decimal::ONE => {
                    clerk.problem(pointer, "the rate of the analysis' own currency must be 1");
                }
                Ok(rate) if !rate.is_zero() && rate <= Decimal::from(1_000_000) => {
                    clerk.rates.insert(code, rate);
                }
                _ => clerk.problem(pointer, "must be between 1e-27 and 1000000"),
            }
        }
        clerk.weights();
        clerk
    }

    fn weights(&mut self) {
        let input = self.input;
        for name in input.params.weights.keys() {
            if !crate::strength::is_component(name) {
                let names = crate::strength::COMPONENTS.join(", ");
                self.problem(
                    "/params/weights",
                    format!("has an unknown component; known are {names}, or I R L C D E J M"),
                );
            }
        }
    }

    pub(super) fn problem(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.problems.push(Problem::new(pointer, detail));
    }

    fn unique(&mut self, list: List, i: usize, id: &'a str) {
        if !self.seen[list as usize].insert(id) {
            let list = list.name();
            self.problem(
                format!("/{list}/{i}/id"),
                format!("another of {list} has the same id"),
            );
        }
    }

    fn past(&mut self, day: Date, pointer: &str) {
        if day > self.input.as_of.0 {
            self.problem(pointer, "must not be after as_of");
        }
    }

    fn money(
        &mut self,
        amount: &Amount,
        currency: Option<&'a str>,
        at: &str,
        field: &str,
    ) -> Option<Decimal> {
        let value = match amount.read() {
            Ok(value) => value,
            Err(detail) => {
                self.problem(format!("{at}/{field}"), detail);
                return None;
            }
        };
        let code = currency.unwrap_or(&self.input.currency);
        let Some(rate) = self.rates.get(code).copied() else {
            self.problem(format!("{at}/currency"), "has no rate in fx");
            return None;
        };
        let converted = value.checked_mul(rate);
        if converted.is_none() {
            self.problem(
                format!("{at}/{field}"),
                "is too large in the analysis' currency",
            );
        }
        converted
    }

    pub(super) fn record(&mut self, i: usize, sponsor: &'a Sponsor) -> Record<'a> {
        self.unique(List::Sponsors, i, &sponsor.id);
        self.places.entry(&sponsor.id).or_insert(i);
        for person in &sponsor.person_ids {
            self.people
                .entry(person)
                .and_modify(|owner| *owner = owner.filter(|o| *o == i))
                .or_insert(Some(i));
        }
        let none = Capacity::default();
        let capacity = sponsor.capacity.as_ref().unwrap_or(&none);
        let at = format!("/sponsors/{i}/capacity");
        let mut read = |amount: &Option<Amount>, field| {
            amount
                .as_ref()
                .and_then(|a| self.money(a, None, &at, field))
        };
        let annual_giving = read(&capacity.annual_giving, "annual_giving");
        let min_award = read(&capacity.min_award, "min_award");
        let max_award = read(&capacity.max_award, "max_award");
        if min_award.zip(max_award).is_some_and(|(min, max)| min > max) {
            self.problem(at, "min_award must not be above max_award");
        }
        Record {
            sponsor,
            gifts: Vec::new(),
            asks: Vec::new(),
            contacts: Vec::new(),
            annual_giving,
            min_award,
            max_award,
        }
    }

    fn owner(&mut self, id: &str, pointer: String) -> Option<usize> {
        let place = self.places.get(id).copied();
        if place.is_none() {
            self.problem(pointer, "is not the id of a sponsor of this input");
        }
        place
    }

    pub(super) fn gift(&mut self, i: usize, gift: &'a Gift) -> Option<(usize, Given<'a>)> {
        let at = format!("/gifts/{i}");
        self.unique(List::Gifts, i, &gift.id);
        self.past(gift.date.0, &format!("{at}/date"));
        let owner = self.owner(&gift.sponsor_id, format!("{at}/sponsor_id"));
        let amount = self.money(&gift.amount, gift.currency.as_deref(), &at, "amount");
        Some((
            owner?,
            Given {
                id: &gift.id,
                date: gift.date.0,
                amount: amount?,
            },
        ))
    }

    pub(super) fn ask(&mut self, i: usize, ask: &'a Ask) -> Option<(usize, Asked<'a>)> {
        let at = format!("/asks/{i}");
        self.unique(List::Asks, i, &ask.id);
        if ask.outcome != AskOutcome::Pending {
            self.past(ask.date.0, &format!("{at}/date"));
        }
        if let Some(decided) = ask.decided {
            let pointer = format!("{at}/decided");
            self.past(decided.0, &pointer);
            if decided.0 < ask.date.0 {
                self.problem(&pointer, "must not be before the ask's date");
            }
            if ask.outcome == AskOutcome::Pending {
                self.problem(&pointer, "a pending ask is not decided");
            }
        }
        let amount = match &ask.amount {
            Some(amount) => Some(self.money(amount, ask.currency.as_deref(), &at, "amount")?),
            None => None,
        };
        let owner = self.owner(&ask.sponsor_id, format!("{at}/sponsor_id"))?;
        Some((owner, Asked { ask, amount }))
    }

    pub(super) fn contact(
        &mut self,
        i: usize,
        interaction: &'a Interaction,
    ) -> Option<(usize, Contact<'a>)> {
        let at = format!("/interactions/{i}");
        self.unique(List::Interactions, i, &interaction.id);
        let owner = match (&interaction.sponsor_id, &interaction.person_id) {
            (Some(id), _) => self.owner(id, format!("{at}/sponsor_id")),
            (None, Some(person)) => self.owner_of_person(person, format!("{at}/person_id")),
            (None, None) => {
                self.problem(at.as_str(), "needs sponsor_id or person_id");
                None
            }
        };
        let Some(time) = instant(&interaction.ts) else {
            self.problem(
                format!("{at}/ts"),
                "must be a time like 2026-10-01T09:00:00Z, without a zone in UTC, or a date",
            );
            return None;
        };
        self.past(time.to_zoned(TimeZone::UTC).date(), &format!("{at}/ts"));
        Some((
            owner?,
            Contact {
                interaction,
                at: time,
            },
        ))
    }

    fn owner_of_person(&mut self, person: &str, pointer: String) -> Option<usize> {
        match self.people.get(person) {
            Some(Some(owner)) => return Some(*owner),
            Some(None) => self.problem(
                pointer,
                "belongs to several sponsors; say which by sponsor_id",
            ),
            None => self.problem(
                pointer,
                "is not among the person_ids of any sponsor; give sponsor_id",
            ),
        }
        None
    }
}

/// A time with its zone; one without is in UTC, a date alone is its first moment there.
fn instant(text: &str) -> Option<Timestamp> {
    let here = || {
        let local = DateTime::from_str(text).ok()?;
        Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    Timestamp::from_str(text).ok().or_else(here)
}

const CURRENCY: &str = "must be an ISO 4217 code like GBP";

fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase())
}
