//! The decision log: every event with its answer, and its replay.
//!
//! A log is JSON lines. The first is the [`Header`]: the governor's setup.
//! Each further one is a [`Line`]: an event, and what was decided. Because the
//! governor is a pure function of its setup and the events, [`replay`] comes
//! to the same answers, bit for bit, and can try other thresholds on the same
//! events.
//!
//! Numbers with a fraction lose their last bit on the way through a text, so a
//! worker that records decides on what can be read back: [`settled`].
//!
//! Invariant: one format version per program; another one is refused in words.
//!
//! Deliberately absent: files.

mod replay;

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shared::model::{Priority, ProfileName};

use crate::{
    admission::{Booking, Shortage, Verdict},
    estimate::Learned,
    feature::{Change, Override},
    governor::{Governor, Setup, Spent, Tick, Ticked},
    pattern::Pattern,
};

pub use replay::{Difference, Error, Replayed, WhatIf, figures::Figures, replay};

/// The version of the log that this program writes and reads.
pub const VERSION: u32 = 1;

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`VERSION`].
    pub decision_log: u32,
    /// The program's version, for people.
    pub program: String,
    /// When the log began, for people.
    pub begun: String,
    /// What the governor began with.
    pub setup: Setup,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A look at the world.
    Tick(Box<Tick>),
    /// May a task of this type and priority start?
    Ask {
        /// When.
        at: Duration,
        /// The type's place in the setup.
        kind: u16,
        /// The priority.
        priority: Priority,
    },
    /// The size of what was fetched is known.
    Resize {
        /// When.
        at: Duration,
        /// The booking's number.
        booking: u64,
        /// log2 of the longest input in bytes.
        bucket: u8,
    },
    /// A booking was returned.
    GiveBack {
        /// The booking's number.
        booking: u64,
        /// What its runs cost.
        spent: Option<Spent>,
    },
    /// A run was given up and does not stop.
    Abandon {
        /// The booking's number.
        booking: u64,
    },
    /// Operators' orders.
    Order {
        /// When.
        at: Duration,
        /// All overrides in force.
        overrides: Vec<Override>,
        /// The profile that is ordered.
        profile: Option<ProfileName>,
    },
    /// What was learned was given away to be kept.
    TakeLearned,
    /// It could not be kept.
    RestoreLearned(Learned),
    /// What the fleet has learned.
    Adopt(Learned),
    /// A pattern that was kept from before, as text.
    RecallPattern(String),
    /// The whole fleet was paused and is released.
    Reopen {
        /// When.
        at: Duration,
        /// Workers of the fleet.
        workers: u32,
    },
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[must_use]
pub enum Answer {
    /// Of a tick.
    Ticked(Box<Ticked>),
    /// The booking's number.
    Granted(u64),
    /// This is short.
    Blocked(Shortage),
    /// The booking has its new size.
    Fits,
    /// It has not, for this reason; so many bytes are needed.
    Misfit(Shortage, u64),
    /// Features that an order changed.
    Ordered(Vec<Change>),
    /// Nothing was asked.
    Noted,
}

/// A line of the log.
#[derive(Clone, Debug, Serialize)]
pub struct Line<'a> {
    /// What happened.
    pub event: &'a Event,
    /// What was decided.
    pub answer: &'a Answer,
}

impl Governor {
    /// Takes an event and answers.
    pub fn on(&mut self, event: &Event) -> Answer {
        match event {
            Event::Tick(tick) => return Answer::Ticked(Box::new(self.tick(tick))),
            Event::Ask { at, kind, priority } => {
                return match self.ask(*at, *kind, *priority) {
                    Verdict::Granted(booking, _) => Answer::Granted(booking.number()),
                    Verdict::Blocked(shortage) => Answer::Blocked(shortage),
                };
            }
            Event::Resize {
                at,
                booking,
                bucket,
            } => {
                let booking = Booking::from_number(*booking);
                return match self.resize(*at, booking, *bucket) {
                    Ok(()) => Answer::Fits,
                    Err(misfit) => Answer::Misfit(misfit.shortage, misfit.bytes),
                };
            }
            Event::GiveBack { booking, spent } => {
                self.give_back(Booking::from_number(*booking), spent.as_ref());
            }
            Event::Abandon { booking } => self.abandon(Booking::from_number(*booking)),
            Event::Order {
                at,
                overrides,
                profile,
            } => return Answer::Ordered(self.order(*at, overrides, *profile)),
            Event::TakeLearned => drop(self.take_learned()),
            Event::RestoreLearned(learned) => self.restore_learned(learned),
            Event::Adopt(learned) => self.adopt(learned),
            Event::RecallPattern(text) => {
                // One that cannot be read is learned afresh.
                if let Ok(pattern) = Pattern::from_text(text) {
                    self.recall_pattern(&pattern);
                }
            }
            Event::Reopen { at, workers } => self.reopen(*at, *workers),
        }
        Answer::Noted
    }
}

/// A value as it will be read back from its text. Without a text (which plain
/// data always has) the value itself.
pub fn settled<T: Serialize + DeserializeOwned>(value: T) -> T {
    let text = serde_json::to_string(&value).ok();
    text.and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or(value)
}
