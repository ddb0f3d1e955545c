//! The input, checked and filed: one record per sponsor with its gifts, asks and contacts in order of time.
//!
//! Invariant: records are sorted by sponsor id and their entries by (time, id), so that nothing later depends on the
//! order of the input; every amount is in the analysis' currency. Every problem is reported at once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use super::input::{Ask, AskOutcome, Capacity, Gift, Input, Interaction, List, Sponsor};
use super::limits;
use crate::money::Amount;
use crate::number::small;
use crate::problem::accept;
use crate::{Error, Problem};

/// Everything about all sponsors.
#[derive(Debug)]
pub(super) struct Book<'a> {
    /// Ascending by id.
    pub(super) records: Vec<Record<'a>>,
    /// Interactions that answer one that is not in the input.
    pub(super) unknown_replies: u64,
}

/// Everything about one sponsor.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) sponsor: &'a Sponsor,
    pub(super) gifts: Vec<Given<'a>>,
    pub(super) asks: Vec<Asked<'a>>,
    pub(super) contacts: Vec<Contact<'a>>,
    pub(super) annual_giving: Option<Decimal>,
    pub(super) min_award: Option<Decimal>,
    pub(super) max_award: Option<Decimal>,
}

impl Record<'_> {
    /// What the sponsor is called in ties: its own id and those of its people.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.sponsor.id)
            .chain(&self.sponsor.person_ids)
            .map(String::as_str)
    }
}

/// One gift.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) id: &'a str,
    pub(super) date: Date,
    pub(super) amount: Decimal,
}

/// One ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) ask: &'a Ask,
    pub(super) amount: Option<Decimal>,
}

impl Asked<'_> {
    /// Whether it was awarded, once it was decided.
    pub(super) fn success(&self) -> Option<bool> {
        match self.ask.outcome {
            AskOutcome::Awarded => Some(true),
            AskOutcome::Declined => Some(false),
            AskOutcome::Withdrawn | AskOutcome::Pending => None,
        }
    }
}

/// One contact.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contact<'a> {
    pub(super) interaction: &'a Interaction,
    pub(super) at: Timestamp,
}

impl<'a> Book<'a> {
    /// Checks the input and files it.
    pub(super) fn new(input: &'a Input) -> Result<Self, Error> {
        caps(input)?;
        let mut clerk = Clerk::new(input);
        if input.sponsors.is_empty() {
            clerk.problem("/sponsors", "no sponsor is given, nor imported");
        }
        let mut records: Vec<_> = input
            .sponsors
            .iter()
            .enumerate()
            .map(|(i, sponsor)| clerk.record(i, sponsor))
            .collect();
        for (i, gift) in input.gifts.iter().enumerate() {
            if let Some((at, gift)) = clerk.gift(i, gift) {
                records[at].gifts.push(gift);
            }
        }
        for (i, ask) in input.asks.iter().enumerate() {
            if let Some((at, ask)) = clerk.ask(i, ask) {
                records[at].asks.push(ask);
            }
        }
        for (i, interaction) in input.interactions.iter().enumerate() {
            if let Some((at, contact)) = clerk.contact(i, interaction) {
                records[at].contacts.push(contact);
            }
        }
        accept(clerk.problems)?;
        let known: HashSet<_> = input.interactions.iter().map(|i| i.id.as_str()).collect();
        let unknown =
            |i: &&Interaction| i.reply_to.as_deref().is_some_and(|id| !known.contains(id));
        let unknown_replies = input.interactions.iter().filter(unknown).count() as u64;
        for record in &mut records {
            record.gifts.sort_by_key(|g| (g.date, g.id));
            record.asks.sort_by_key(|a| (a.ask.date, a.ask.id.as_str()));
            record
                .contacts
                .sort_by_key(|c| (c.at, c.interaction.id.as_str()));
        }
        records.sort_by_key(|r| r.sponsor.id.as_str());
        Ok(Self {
            records,
            unknown_replies,
        })
    }
}

fn caps(input: &Input) -> Result<(), Error> {
    for (name, count, cap, pointer) in [
        (
            "max_sponsors",
            input.sponsors.len(),
            limits::MAX_SPONSORS,
            "/sponsors",
        ),
        ("max_gifts", input.gifts.len(), limits::MAX_GIFTS, "/gifts"),
        ("max_asks", input.asks.len(), limits::MAX_ASKS, "/asks"),
        (
            "max_interactions",
            input.interactions.len(),
            limits::MAX_INTERACTIONS,
            "/interactions",
        ),
        ("max_ties", input.ties.len(), limits::MAX_TIES, "/ties"),
    ] {
        Error::cap(name, count as u64, cap, pointer)?;
    }
    Ok(())
}

/// Reads entries one by one and collects what is wrong with them.
struct Clerk<'a> {
    input: &'a Input,
    rates: BTreeMap<&'a str, Decimal>,
    places: HashMap<&'a str, usize>,
    /// The sponsor of each person; `None` for a person of several.
    people: HashMap<&'a str, Option<usize>>,
    seen: [HashSet<&'a str>; 5],
    problems: Vec<Problem>,
}

impl<'a> Clerk<'a> {
    fn new(input: &'a Input) -> Self {
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

    fn problem(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
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

    fn record(&mut self, i: usize, sponsor: &'a Sponsor) -> Record<'a> {
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

    fn gift(&mut self, i: usize, gift: &'a Gift) -> Option<(usize, Given<'a>)> {
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

    fn ask(&mut self, i: usize, ask: &'a Ask) -> Option<(usize, Asked<'a>)> {
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

    fn contact(&mut self, i: usize, interaction: &'a Interaction) -> Option<(usize, Contact<'a>)> {
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

/// How many entries a list has, for tables and shares.
pub(super) fn count<T>(list: &[T]) -> u32 {
    small(list.len())
}
