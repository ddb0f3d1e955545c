//! The strength of each relationship, on `as_of` and on any day before it.
//!
//! Invariant: what happened after the day that is asked for does not exist. Ties carry no date: shared acquaintances
//! are today's on every day.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::book::{Book, Record};
use super::input::{self, Input, Period};
use crate::strength::overlap::{Overlap, Ties};
use crate::strength::sweep::{Besides, Sweep};
use crate::strength::{Channel, Direction, Interaction, Known, Policy, Strength, strength};

/// Days between the two looks of a trend.
const TREND_DAYS: i64 = 90;
/// Periods whose gifts count for a relationship: the present one and those before it.
const GIFT_PERIODS: i32 = 3;

/// What the strengths of all records are made of; everything is in the order of the records.
#[derive(Debug)]
pub(super) struct Bonds<'a> {
    events: Vec<Vec<Interaction<'a>>>,
    overlaps: Vec<Option<Overlap>>,
    gifts_known: bool,
    period: Period,
    policy: Policy,
}

impl<'a> Bonds<'a> {
    pub(super) fn new(book: &Book<'a>, input: &'a Input) -> Self {
        Self {
            events: book.records.iter().map(events).collect(),
            overlaps: overlaps(book, input),
            gifts_known: !input.gifts.is_empty(),
            period: input.params.period,
            policy: Policy::new(input.params.half_life_days, &input.params.weights),
        }
    }

    /// The strength at the end of a day.
    pub(super) fn at_end_of(&self, i: usize, record: &Record<'_>, day: Date) -> Strength {
        self.known(i, record, day, last_second(day))
    }

    /// A look at the `i`-th record on days that follow each other.
    pub(super) fn looking_back(&self, i: usize) -> Sweep<'_> {
        Sweep::new(&self.events[i], self.policy.half_life_days)
    }

    /// The score before anything of that day happened, by a look that is moved on to it.
    pub(super) fn score_before(
        &self,
        (i, record): (usize, &Record<'_>),
        day: Date,
        sweep: &mut Sweep<'_>,
    ) -> Option<f64> {
        let eve = day.yesterday().unwrap_or(day);
        let besides = Besides {
            gifts: self.gifts(record, eve),
            overlap: self.overlaps[i],
        };
        sweep.score(last_second(eve), besides, &self.policy)
    }

    /// The strength that a trend compares with, and its day.
    pub(super) fn earlier(
        &self,
        i: usize,
        record: &Record<'_>,
        as_of: Date,
    ) -> Option<(Date, Strength)> {
        let then = as_of.checked_sub(jiff::Span::new().days(TREND_DAYS)).ok()?;
        Some((then, self.at_end_of(i, record, then)))
    }

    fn known(&self, i: usize, record: &Record<'_>, day: Date, as_of: Timestamp) -> Strength {
        let events = &self.events[i];
        let past = events.partition_point(|e| e.at <= as_of);
        let known = Known {
            as_of,
            interactions: &events[..past],
            gifts: self.gifts(record, day),
            overlap: self.overlaps[i],
        };
        strength(&known, &self.policy)
    }

    /// Gifts of the last periods up to a day; they are in order of time.
    fn gifts(&self, record: &Record<'_>, day: Date) -> Option<u64> {
        let since = self.period.number(day) - GIFT_PERIODS;
        let upto = record.gifts.partition_point(|g| g.date <= day);
        let old = record.gifts[..upto].partition_point(|g| self.period.number(g.date) <= since);
        self.gifts_known.then_some((upto - old) as u64)
    }
}

/// The last second of a day in UTC, as e-mail analysis looks at it.
fn last_second(day: Date) -> Timestamp {
    day.at(23, 59, 59, 0)
        .to_zoned(TimeZone::UTC)
        .map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

/// In order of time, as the record has them.
fn events<'a>(record: &Record<'a>) -> Vec<Interaction<'a>> {
    record
        .contacts
        .iter()
        .map(|contact| {
            let it = contact.interaction;
            Interaction {
                id: &it.id,
                at: contact.at,
                channel: channel(it.channel),
                direction: direction(it.direction),
                reply_to: it.reply_to.as_deref(),
                sentiment: it.sentiment,
            }
        })
        .collect()
}

fn channel(channel: input::Channel) -> Channel {
    match channel {
        input::Channel::Meeting => Channel::Meeting,
        input::Channel::Call => Channel::Call,
        input::Channel::Email => Channel::Email,
        input::Channel::Event => Channel::Event,
        input::Channel::Intro => Channel::Intro,
        input::Channel::Report => Channel::Report,
    }
}

fn direction(direction: input::Direction) -> Direction {
    match direction {
        input::Direction::In => Direction::In,
        input::Direction::Out => Direction::Out,
        input::Direction::Mutual => Direction::Mutual,
    }
}

/// What we are called in ties where `params.us` does not say.
const US: &str = "us";

/// Our people in the ties: those of `params.us`, else the id [`US`] where a tie has it.
pub(super) fn ours(input: &Input) -> Vec<&str> {
    let given = &input.params.us;
    if given.is_empty() && input.ties.iter().any(|t| t.a == US || t.b == US) {
        return vec![US];
    }
    given.iter().map(String::as_str).collect()
}

/// Shared acquaintances of us and each sponsor with its people; `None` where ties are not given, or none of us.
fn overlaps(book: &Book<'_>, input: &Input) -> Vec<Option<Overlap>> {
    let us = ours(input);
    if input.ties.is_empty() || us.is_empty() {
        return vec![None; book.records.len()];
    }
    let ties = Ties::new(input.ties.iter().map(|t| (t.a.as_str(), t.b.as_str())));
    let ours = ties.circle(&us);
    let of = |record: &Record<'_>| {
        let them: Vec<&str> = record.ids().collect();
        Overlap::of(&ours, &ties.circle(&them))
    };
    book.records.iter().map(|record| Some(of(record))).collect()
}
