//! The input, checked and filed: one record per sponsor with its gifts, asks and contacts in order of time.
//!
//! Invariant: records are sorted by sponsor id and their entries by (time, id), so that nothing later depends on the
//! order of the input; every amount is in the analysis' currency. Every problem is reported at once (`clerk` reads).

mod clerk;

use std::collections::HashSet;

use clerk::Clerk;
use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use super::input::{Ask, AskOutcome, Input, Interaction, Sponsor};
use super::limits;
use crate::Error;
use crate::number::small;
use crate::problem::accept;

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

/// How many entries a list has, for tables and shares.
pub(super) fn count<T>(list: &[T]) -> u32 {
    small(list.len())
}
