//! What new mails change in the strength of relationships with sponsors.
//!
//! The strength (module `strength`) is computed from all mails with a sponsor, once without and once with the new
//! ones, both for `as_of`. Invariant: the events are Message-IDs, so a mail delivered twice, or in an input whose
//! `known_message_ids` has it, changes nothing. Message-IDs stay as they are: they are how the tenant finds the mail
//! and what `known_message_ids` takes (WORKFLOWS 5.3), while everything else is keyed or counted; names, addresses and bodies are what a result must not hold (WORKFLOWS 8.5).
//! Deliberately absent: gifts, meetings and ties, which mails do not tell; those components are null.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::contact::{Person, PersonId, canonical_domain};
use super::traffic::{Author, Mail};
use crate::number::maybe;
use crate::strength::{Channel, Direction, Interaction, Known, Policy, Strength, strength};

/// Which domain is whose, for looking up.
#[derive(Debug, Default)]
pub(super) struct Sponsors {
    domains: BTreeMap<String, String>,
}

impl Sponsors {
    /// From domains to sponsor ids; what is no domain is left out, validation has refused it.
    pub(super) fn new(domains: &BTreeMap<String, String>) -> Self {
        let known = domains
            .iter()
            .filter_map(|(domain, id)| Some((canonical_domain(domain)?, id.clone())));
        Self {
            domains: known.collect(),
        }
    }

    /// The sponsor of a domain: its own entry, else that of the nearest domain above it.
    pub(super) fn of(&self, domain: &str) -> Option<&str> {
        let mut domain = domain;
        loop {
            if let Some(id) = self.domains.get(domain) {
                return Some(id);
            }
            domain = domain.split_once('.')?.1;
        }
    }

    /// The sponsors that a person writes for, mostly one.
    pub(super) fn of_person(&self, person: &Person) -> BTreeSet<&str> {
        person.domains.iter().filter_map(|d| self.of(d)).collect()
    }
}

/// One relationship before and after the new mails.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Update<'a> {
    pub(super) sponsor_id: &'a str,
    pub(super) before: Strength,
    pub(super) after: Strength,
    /// In order of time.
    pub(super) new_event_ids: Vec<&'a str>,
    known_events: usize,
}

/// Interactions by sponsor id, in the order of the mails.
pub(super) type Events<'a> = BTreeMap<&'a str, Vec<Interaction<'a>>>;

/// The mails with each sponsor. `people` is in the order of [`PersonId`].
pub(super) fn events<'a>(
    mails: &'a [Mail<'a>],
    people: &[Person],
    sponsors: &'a Sponsors,
) -> Events<'a> {
    let sponsors_of: Vec<BTreeSet<&str>> = people.iter().map(|p| sponsors.of_person(p)).collect();
    let of = |id: PersonId| sponsors_of[id.index()].iter().copied();
    let mut events = Events::new();
    for mail in mails {
        let (direction, concerned): (_, BTreeSet<&str>) = match mail.author {
            Author::Owner => (Direction::Out, mail.recipients().flat_map(of).collect()),
            Author::Contact(id) => (Direction::In, of(id).collect()),
        };
        for sponsor in concerned {
            events.entry(sponsor).or_default().push(Interaction {
                id: mail.id,
                at: mail.at,
                channel: Channel::Email,
                direction,
                reply_to: mail.answers.map(|place| mails[place].id),
                sentiment: mail.tone,
            });
        }
    }
    events
}

/// The updates of all sponsors with a new mail, by sponsor id.
pub(super) fn all<'a>(
    events: &Events<'a>,
    known: &HashSet<&str>,
    as_of: Timestamp,
) -> Vec<Update<'a>> {
    events
        .iter()
        .filter_map(|(sponsor_id, events)| update(sponsor_id, events, known, as_of))
        .collect()
}

fn update<'a>(
    sponsor_id: &'a str,
    events: &[Interaction<'a>],
    known: &HashSet<&str>,
    as_of: Timestamp,
) -> Option<Update<'a>> {
    let (old, new): (Vec<_>, Vec<_>) = events.iter().copied().partition(|e| known.contains(e.id));
    if new.is_empty() {
        return None;
    }
    let of = |interactions: &[Interaction<'a>]| {
        let known = Known {
            as_of,
            interactions,
            gifts: None,
            overlap: None,
        };
        strength(&known, &Policy::default())
    };
    Some(Update {
        sponsor_id,
        before: of(&old),
        after: of(events),
        new_event_ids: new.iter().map(|e| e.id).collect(),
        known_events: old.len(),
    })
}

impl Update<'_> {
    /// `{sponsor_id, before, after, delta, new_event_ids, evidence}`.
    pub(super) fn describe(&self) -> Value {
        let delta = self
            .after
            .score
            .zip(self.before.score)
            .map(|(after, before)| after - before);
        json!({
            "sponsor_id": self.sponsor_id,
            "before": maybe(self.before.score),
            "after": maybe(self.after.score),
            "delta": maybe(delta),
            "new_event_ids": self.new_event_ids,
            "evidence": {"known_events": self.known_events, "new_events": self.new_event_ids.len(),
                "before": self.before.describe(), "after": self.after.describe()},
        })
    }
}
