//! What to do next with a sponsor: a fixed table of rules, each with its evidence.
//!
//! Invariant: a recommendation is a consequence of figures in the same result; nothing else is advised. Texts hold no
//! names. Within a sponsor they stand by priority (1 is first), then by rule.

use jiff::civil::Date;

use super::book::{Asked, Contact, Record};
use super::funding::Funding;
use super::input::{AskOutcome, Channel, Direction, Period};
use super::rfm::Rfm;

/// One recommendation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Advice {
    pub(super) rule: &'static str,
    pub(super) priority: u8,
    pub(super) text: String,
    /// Ids of gifts, asks and interactions, or names of figures, that it rests on.
    pub(super) evidence: Vec<String>,
}

/// What the rules look at.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) record: &'a Record<'a>,
    pub(super) rfm: &'a Rfm,
    pub(super) funding: &'a Funding,
    /// Reciprocity of the relationship, if known.
    pub(super) reciprocity: Option<f64>,
    /// Relationship score, 0 to 100, if known.
    pub(super) relationship: Option<f64>,
    /// Whether the sponsor or its people are in the ties.
    pub(super) in_network: bool,
    pub(super) period: Period,
    pub(super) as_of: Date,
}

/// Days after a gift in which a thank-you is due.
const THANK_WITHIN_DAYS: i32 = 30;
/// Chance of being alive below which a donor counts as lapsed.
const LAPSED_BELOW: f64 = 0.5;
/// Reciprocity below which contact is one-sided.
const ONE_SIDED_BELOW: f64 = 0.2;
/// Relationship score below which an introduction should come first.
const COLD_BELOW: f64 = 30.0;
/// The quintile of sums that makes a lapsed donor worth regaining first.
const TOP_QUINTILE: u8 = 5;

/// The rule table: name, what it says and when. Listed in every output.
pub(super) const RULES: [(&str, &str); 7] = [
    (
        "R01_thank",
        "a gift in the last 30 days that nothing from us has answered yet",
    ),
    (
        "R02_renew",
        "gave in the period before this one, not yet in this one",
    ),
    (
        "R03_reengage_lapsed",
        "P(alive) below 0.5, and the sum of gifts in the top quintile",
    ),
    ("R04_one_sided_contact", "reciprocity below 0.2"),
    (
        "R05_find_warm_path",
        "relationship score below 30 or no contact at all: look for an introduction with relationship_mapping",
    ),
    (
        "R06_ask_outside_band",
        "a pending ask below the sponsor's smallest award or above its largest; without a pending ask, the latest one",
    ),
    (
        "R07_missing_capacity",
        "neither annual giving nor an award band is known",
    ),
];

/// Everything that the rules say about a sponsor.
pub(super) fn about(facts: &Facts<'_>) -> Vec<Advice> {
    let mut all: Vec<Advice> = [
        thank,
        renew,
        reengage,
        one_sided,
        warm_path,
        outside_band,
        missing_capacity,
    ]
    .into_iter()
    .filter_map(|rule| rule(facts))
    .collect();
    all.sort_by_key(|a| (a.priority, a.rule));
    all
}

fn thank(facts: &Facts<'_>) -> Option<Advice> {
    let gift = facts.record.gifts.last()?;
    let age = (facts.as_of - gift.date).get_days();
    let answers = |c: &&Contact<'_>| {
        c.interaction.direction != Direction::In
            && c.interaction.channel != Channel::Report
            && c.at.to_zoned(jiff::tz::TimeZone::UTC).date() >= gift.date
    };
    if age > THANK_WITHIN_DAYS || facts.record.contacts.iter().any(|c| answers(&c)) {
        return None;
    }
    Some(Advice {
        rule: RULES[0].0,
        priority: 1,
        text: format!("Thank them: they gave {age} days ago, and nothing from us has followed."),
        evidence: vec![gift.id.to_owned()],
    })
}

fn renew(facts: &Facts<'_>) -> Option<Advice> {
    let here = facts.period.number(facts.as_of);
    let left = facts.period.days_left(facts.as_of);
    let in_period = |number: i32| {
        let gifts = facts.record.gifts.iter();
        gifts
            .filter(move |g| facts.period.number(g.date) == number)
            .map(|g| g.id.to_owned())
            .collect::<Vec<_>>()
    };
    let before = in_period(here - 1);
    if before.is_empty() || !in_period(here).is_empty() {
        return None;
    }
    Some(Advice {
        rule: RULES[1].0,
        priority: 2,
        text: format!(
            "Ask for renewal before the period ends in {left} days: they gave in the last one, not yet in this."
        ),
        evidence: before,
    })
}

fn reengage(facts: &Facts<'_>) -> Option<Advice> {
    let alive = facts.funding.alive.filter(|p| *p < LAPSED_BELOW)?;
    let top = facts.rfm.quintiles.is_some_and(|q| q[2] == TOP_QUINTILE);
    if !top {
        return None;
    }
    let mut evidence: Vec<_> = facts
        .record
        .gifts
        .last()
        .map(|g| g.id.to_owned())
        .into_iter()
        .collect();
    evidence.extend(
        facts
            .record
            .contacts
            .last()
            .map(|c| c.interaction.id.clone()),
    );
    Some(Advice {
        rule: RULES[2].0,
        priority: 1,
        text: format!(
            "Win them back: a top giver with a chance of only {:.0} % of still being one.",
            100.0 * alive
        ),
        evidence,
    })
}

fn one_sided(facts: &Facts<'_>) -> Option<Advice> {
    let reciprocity = facts.reciprocity.filter(|r| *r < ONE_SIDED_BELOW)?;
    Some(Advice {
        rule: RULES[3].0,
        priority: 3,
        text: format!(
            "Contact is one-sided (reciprocity {reciprocity:.2}): change the channel or the person before writing again."
        ),
        evidence: vec!["relationship.components.reciprocity".into()],
    })
}

fn warm_path(facts: &Facts<'_>) -> Option<Advice> {
    let cold =
        facts.record.contacts.is_empty() || facts.relationship.is_some_and(|s| s < COLD_BELOW);
    if !cold {
        return None;
    }
    let how = if facts.in_network {
        "their people are in your network"
    } else {
        "add their people to the ties first"
    };
    Some(Advice {
        rule: RULES[4].0,
        priority: 3,
        text: format!(
            "Look for an introduction before asking: {how} (relationship mapping finds the path)."
        ),
        evidence: vec!["relationship.score".into()],
    })
}

/// What is asked now can still be changed; otherwise the latest ask tells what the next is likely to be.
fn outside_band(facts: &Facts<'_>) -> Option<Advice> {
    let (low, high) = (facts.record.min_award, facts.record.max_award);
    let pending = |ask: &&Asked<'_>| ask.ask.outcome == AskOutcome::Pending;
    let outside = |ask: &&Asked<'_>| {
        ask.amount
            .is_some_and(|a| low.is_some_and(|low| a < low) || high.is_some_and(|high| a > high))
    };
    let asks = &facts.record.asks;
    let now: Vec<_> = asks.iter().filter(pending).collect();
    let (looked_at, text) = if now.is_empty() {
        let text = "Size the next ask to what they award: the latest one lay outside.";
        (asks.last().into_iter().collect(), text)
    } else {
        let text = "Change the size of the pending ask: it lies outside what they award.";
        (now, text)
    };
    let evidence: Vec<_> = looked_at
        .into_iter()
        .filter(outside)
        .map(|a| a.ask.id.clone())
        .collect();
    (!evidence.is_empty()).then(|| Advice {
        rule: RULES[5].0,
        priority: 2,
        text: text.into(),
        evidence,
    })
}

fn missing_capacity(facts: &Facts<'_>) -> Option<Advice> {
    let record = facts.record;
    let known =
        record.annual_giving.is_some() || record.min_award.is_some() || record.max_award.is_some();
    (!known).then(|| Advice {
        rule: RULES[6].0,
        priority: 4,
        text: "Find out what they can give: neither annual giving nor an award band is known."
            .into(),
        evidence: vec!["capacity".into()],
    })
}
