//! The strength of one relationship on many days, each later than the one before, in one pass over its interactions.
//!
//! Invariant: the scores are those of [`super::strength`] to the rounding of sums (tested against it). Decayed sums are
//! kept as of the last interaction that entered them, so a day costs the interactions since the day before it and some
//! twenty operations, and nothing ever decays below what a float can hold. Deliberately absent: evidence.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::components::{
    ACTIVE_MONTHS, ANSWER_DAYS, DAYS_PER_MONTH, DURATION_MONTHS, HALF_INTENSITY, answer_worth,
    days, month,
};
use super::overlap::Overlap;
use super::{Direction, Interaction, Policy};

/// Sums that halve with every half-life, as of an instant.
#[derive(Debug, Clone, Copy)]
struct Decayed<const K: usize> {
    sums: [f64; K],
    at: Option<Timestamp>,
}

impl<const K: usize> Decayed<K> {
    const NOTHING: Self = Self {
        sums: [0.0; K],
        at: None,
    };

    /// The sums as of `now`, which is not before any entry.
    fn on(&self, now: Timestamp, half_life_days: f64) -> [f64; K] {
        let Some(at) = self.at else { return [0.0; K] };
        let factor = (-days(at, now) / half_life_days).exp2();
        self.sums.map(|sum| sum * factor)
    }

    fn add(&mut self, now: Timestamp, half_life_days: f64, entry: [f64; K]) {
        self.sums = self.on(now, half_life_days);
        for (sum, part) in self.sums.iter_mut().zip(entry) {
            *sum += part;
        }
        self.at = Some(now);
    }
}

/// A look at one relationship that moves forward in time.
#[derive(Debug)]
pub(crate) struct Sweep<'a> {
    /// Sorted by (time, id).
    interactions: &'a [Interaction<'a>],
    half_life_days: f64,
    /// Interactions that have entered.
    past: usize,
    /// From them, and from us.
    sides: Decayed<2>,
    /// Of interactions with text: weight x sentiment, and weight.
    tone: Decayed<2>,
    /// Numbers of months with an interaction.
    months: Vec<i32>,
    /// When each of our messages counts, and for how much.
    answers: Vec<(Timestamp, f64)>,
    /// Of `answers`, those that count already, and their sum.
    settled: (usize, f64),
}

/// What a strength rests on besides interactions, on the day that is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Besides {
    /// As in [`super::Known`].
    pub(crate) gifts: Option<u64>,
    /// As in [`super::Known`].
    pub(crate) overlap: Option<Overlap>,
}

impl<'a> Sweep<'a> {
    /// Before the first of `interactions`, which are sorted by (time, id).
    pub(crate) fn new(interactions: &'a [Interaction<'a>], half_life_days: f64) -> Self {
        Self {
            interactions,
            half_life_days,
            past: 0,
            sides: Decayed::NOTHING,
            tone: Decayed::NOTHING,
            months: Vec::new(),
            answers: answers(interactions),
            settled: (0, 0.0),
        }
    }

    /// The score at `as_of`, which is not before that of the last call.
    pub(crate) fn score(
        &mut self,
        as_of: Timestamp,
        besides: Besides,
        policy: &Policy,
    ) -> Option<f64> {
        self.advance(as_of);
        super::score(&self.values(as_of, besides), policy).0
    }

    fn advance(&mut self, as_of: Timestamp) {
        while let Some(it) = self.interactions.get(self.past)
            && it.at <= as_of
        {
            let weight = it.channel.worth();
            let sides = match it.direction {
                Direction::In => [weight, 0.0],
                Direction::Out => [0.0, weight],
                Direction::Mutual => [weight / 2.0; 2],
            };
            self.sides.add(it.at, self.half_life_days, sides);
            if let Some(sentiment) = it.sentiment {
                let entry = [weight * sentiment, weight];
                self.tone.add(it.at, self.half_life_days, entry);
            }
            if self.months.last() != Some(&month(it.at)) {
                self.months.push(month(it.at));
            }
            self.past += 1;
        }
        while let Some((at, worth)) = self.answers.get(self.settled.0)
            && *at <= as_of
        {
            self.settled.0 += 1;
            self.settled.1 += worth;
        }
    }

    /// The components' values, in their fixed order.
    fn values(&self, as_of: Timestamp, besides: Besides) -> [Option<f64>; 8] {
        let first = self.interactions[..self.past].first();
        let [incoming, outgoing] = self.sides.on(as_of, self.half_life_days);
        let both = incoming + outgoing;
        let [sentiment, text] = self.tone.on(as_of, self.half_life_days);
        let (n, worth) = self.settled;
        let here = month(as_of);
        let recent = |m: &&i32| here - **m < ACTIVE_MONTHS;
        let active = self.months.iter().rev().take_while(recent).count();
        let since = |it: &Interaction<'_>| days(it.at, as_of) / DAYS_PER_MONTH;
        let overlap = besides.overlap.filter(|o| o.either > 0);
        [
            first.map(|_| both / (both + HALF_INTENSITY)),
            (both > 0.0).then(|| 2.0 * incoming.min(outgoing) / both),
            (n > 0).then(|| worth / n as f64),
            first.map(|_| active as f64 / f64::from(ACTIVE_MONTHS)),
            first.map(|it| 1.0 - (-since(it) / DURATION_MONTHS).exp()),
            (text > 0.0).then(|| f64::midpoint(sentiment / text, 1.0)),
            overlap.map(|o| o.both as f64 / o.either as f64),
            besides.gifts.map(|gifts| 1.0 - (-(gifts as f64)).exp()),
        ]
        .map(|value| value.map(|x: f64| x.clamp(0.0, 1.0)))
    }
}

/// When each message of ours counts, ascending: with its answer, or as unanswered once none can come in time.
fn answers(interactions: &[Interaction<'_>]) -> Vec<(Timestamp, f64)> {
    let mut first: HashMap<&str, Timestamp> = HashMap::new();
    for it in interactions {
        if let (Direction::In | Direction::Mutual, Some(question)) = (it.direction, it.reply_to) {
            first.entry(question).or_insert(it.at);
        }
    }
    let wait = SignedDuration::from_hours(24) * ANSWER_DAYS;
    let ours = interactions
        .iter()
        .filter(|it| it.direction == Direction::Out);
    let mut all: Vec<(Timestamp, f64)> = ours
        .map(|it| match first.get(it.id) {
            Some(&answer) if days(it.at, answer) <= f64::from(ANSWER_DAYS) => {
                (answer.max(it.at), answer_worth(it.at, answer))
            }
            _ => (it.at.checked_add(wait).unwrap_or(Timestamp::MAX), 0.0),
        })
        .collect();
    all.sort_by_key(|(at, _)| *at);
    all
}
