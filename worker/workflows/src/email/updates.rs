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
    /// When and what, in order of time; [`keep_newest`] may shorten it.
    new_events: Vec<(Timestamp, &'a str)>,
    /// All of them, listed or not.
    new_events_total: usize,
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

/// Leaves at most so many new events in all updates together, the newest. Returns how many there were.
pub(super) fn keep_newest(updates: &mut [Update<'_>], most: usize) -> usize {
    let total = updates.iter().map(|u| u.new_events_total).sum();
    if total <= most {
        return total;
    }
    // A mail is one event of each sponsor that it concerns, so no two are alike.
    let mut all: Vec<(Timestamp, &str, &str)> = updates
        .iter()
        .flat_map(|u| u.new_events.iter().map(|(at, id)| (*at, *id, u.sponsor_id)))
        .collect();
    all.sort_unstable();
    let oldest = all.get(total - most).copied();
    for update in updates {
        let sponsor = update.sponsor_id;
        update
            .new_events
            .retain(|(at, id)| oldest.is_some_and(|oldest| (*at, *id, sponsor) >= oldest));
    }
    total
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
        new_events: new.iter().map(|e| (e.at, e.id)).collect(),
        new_events_total: new.len(),
        known_events: old.len(),
    })
}

impl Update<'_> {
    /// `{sponsor_id, before, after, delta, new_event_ids, new_event_ids_total, evidence}`.
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
            "new_event_ids": self.new_events.iter().map(|(_, id)| *id).collect::<Vec<_>>(),
            "new_event_ids_total": self.new_events_total,
            "evidence": {"known_events": self.known_events, "new_events": self.new_events_total,
                "before": self.before.describe(), "after": self.after.describe()},
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interaction(id: &str, second: i64) -> Interaction<'_> {
        Interaction {
            id,
            at: Timestamp::from_second(second).unwrap(),
            channel: Channel::Email,
            direction: Direction::In,
            reply_to: None,
            sentiment: None,
        }
    }

    #[test]
    fn the_newest_events_of_all_updates_stay_with_exact_totals() {
        let events = Events::from([
            ("s1", vec![interaction("a", 1), interaction("b", 5)]),
            ("s2", vec![interaction("c", 2)]),
            (
                "s3",
                vec![
                    interaction("k", 3),
                    interaction("b", 5),
                    interaction("d", 9),
                ],
            ),
        ]);
        let known = HashSet::from(["k"]);
        let as_of = Timestamp::from_second(1_000).unwrap();
        let listed = |most: usize| {
            let mut updates = all(&events, &known, as_of);
            assert_eq!(keep_newest(&mut updates, most), 5);
            let lines: Vec<Value> = updates.iter().map(Update::describe).collect();
            let totals: Vec<&Value> = lines.iter().map(|l| &l["new_event_ids_total"]).collect();
            assert_eq!(totals, [2, 1, 2]);
            assert_eq!(lines[2]["evidence"]["new_events"], 2);
            let ids = lines.iter().map(|l| l["new_event_ids"].clone());
            Value::Array(ids.collect())
        };
        assert_eq!(listed(5), json!([["a", "b"], ["c"], ["b", "d"]]));
        assert_eq!(listed(3), json!([["b"], [], ["b", "d"]]));
        assert_eq!(listed(2), json!([[], [], ["b", "d"]]));
        assert_eq!(listed(0), json!([[], [], []]));
    }
}
