//! Plays a log again: with the recorded setup, or with other thresholds.
//!
//! What both answers come to, the recorded and the replayed ones, is counted
//! in the same way, so that they can stand side by side: [`figures`].
//!
//! Invariant: with the recorded setup every answer is held against the
//! recorded one, as text. With others the events stay the same, as far as they
//! can: a task that was admitted then and is not now has no end; one that is
//! admitted now and was not then is counted, and given back at once.

use std::{collections::BTreeMap, io::BufRead, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use shared::model::ProfileName;

pub(super) mod figures;

use super::{Answer, Event, Header, VERSION, settled};
use crate::{
    governor::Governor,
    profile::{Flaw, Overrides, Profile},
};

use figures::{Figures, Said, Tally};

/// So many differences are listed; the rest is counted.
const LISTED: usize = 20;

/// Why a log cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read on.
    #[error("line {0}: {1}")]
    Read(usize, std::io::Error),
    /// It is no line of a log.
    #[error("line {0}: {1}; is this a decision log?")]
    Line(usize, serde_json::Error),
    /// It is empty.
    #[error("the log is empty")]
    Empty,
    /// Another program wrote it.
    #[error("the log has version {0}, this program replays version {VERSION}")]
    Version(u32),
    /// The setup cannot be had.
    #[error("{0}")]
    Setup(#[from] crate::history::BadRetention),
    /// The other thresholds are not sensible.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Figures(Vec<Flaw>),
}

/// Other thresholds to try.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WhatIf {
    /// Another profile.
    pub profile: Option<ProfileName>,
    /// Single figures.
    pub figures: Overrides,
}

impl WhatIf {
    fn changes_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// An answer that was another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The line of the log, from 1.
    pub line: usize,
    /// What was decided then.
    pub recorded: String,
    /// What is decided now.
    pub replayed: String,
}

/// What came of a replay.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replayed {
    /// Events in the log.
    pub events: usize,
    /// How long the log is.
    pub lasted: Duration,
    /// What the recorded answers come to.
    pub recorded: Figures,
    /// What the answers of the replay come to.
    pub figures: Figures,
    /// Whether other thresholds were tried.
    pub other_thresholds: bool,
    /// How many answers were others than recorded.
    pub different: usize,
    /// The first of them.
    pub differences: Vec<Difference>,
}

#[derive(Deserialize)]
struct Recorded<'a> {
    event: Event,
    #[serde(borrow)]
    answer: &'a RawValue,
}

/// Plays a log again.
///
/// # Errors
/// A log that cannot be read, of another version, or thresholds that are not
/// sensible. A last line that was cut short ends the replay quietly: the
/// worker was killed while it wrote.
pub fn replay(mut log: impl BufRead, what_if: &WhatIf) -> Result<Replayed, Error> {
    let mut text = String::new();
    read(&mut log, &mut text, 1)?;
    if text.is_empty() {
        return Err(Error::Empty);
    }
    let mut header: Header = serde_json::from_str(&text).map_err(|error| Error::Line(1, error))?;
    if header.decision_log != VERSION {
        return Err(Error::Version(header.decision_log));
    }
    let preset = what_if.profile.map(Profile::preset);
    let profile = preset.unwrap_or(header.setup.profile);
    let profile = profile.with(&what_if.figures).map_err(Error::Figures)?;
    if !what_if.changes_nothing() {
        header.setup.profile = profile;
    }
    let mut player = Player::new(Governor::new(settled(header.setup))?, what_if);
    for line in 2.. {
        text.clear();
        if !read(&mut log, &mut text, line)? {
            break;
        }
        match serde_json::from_str::<Recorded<'_>>(&text) {
            Ok(recorded) => player.play(line, &recorded),
            Err(_) if !text.ends_with('\n') => break,
            Err(error) => return Err(Error::Line(line, error)),
        }
    }
    Ok(player.end())
}

fn read(log: &mut impl BufRead, text: &mut String, line: usize) -> Result<bool, Error> {
    let length = log
        .read_line(text)
        .map_err(|error| Error::Read(line, error))?;
    Ok(length > 0)
}

struct Player {
    governor: Governor,
    replayed: Replayed,
    /// The replay's booking of each recorded one; `None` where it was refused.
    bookings: BTreeMap<u64, Option<u64>>,
    then: Tally,
    now: Tally,
}

impl Player {
    fn new(governor: Governor, what_if: &WhatIf) -> Self {
        Self {
            governor,
            replayed: Replayed {
                events: 0,
                lasted: Duration::ZERO,
                recorded: Figures::default(),
                figures: Figures::default(),
                other_thresholds: !what_if.changes_nothing(),
                different: 0,
                differences: Vec::new(),
            },
            bookings: BTreeMap::new(),
            then: Tally::default(),
            now: Tally::default(),
        }
    }

    fn play(&mut self, line: usize, recorded: &Recorded<'_>) {
        self.replayed.events += 1;
        let at = match &recorded.event {
            Event::Tick(tick) => Some(tick.at),
            _ => None,
        };
        self.replayed.lasted = at.unwrap_or(self.replayed.lasted);
        // An answer that cannot be read counts for nothing, and is different.
        if let Ok(said) = serde_json::from_str::<Said>(recorded.answer.get()) {
            self.then.count(at, &said);
        }
        let Some(event) = self.translated(&recorded.event) else {
            return;
        };
        let answer = self.governor.on(&event);
        let text = serde_json::to_string(&answer).unwrap_or_default();
        self.now.count(at, &Said::of(&answer));
        self.book(&answer, recorded.answer.get());
        let recorded = recorded.answer.get();
        if text != recorded {
            self.replayed.different += 1;
            if self.replayed.differences.len() < LISTED {
                self.replayed.differences.push(Difference {
                    line,
                    recorded: recorded.to_owned(),
                    replayed: text,
                });
            }
        }
    }

    /// The event with the replay's own bookings; `None` where there is none.
    fn translated(&mut self, event: &Event) -> Option<Event> {
        let mut event = event.clone();
        match &mut event {
            Event::Resize { booking, .. } | Event::Abandon { booking } => {
                *booking = self.bookings.get(booking).copied()??;
            }
            Event::GiveBack { booking, .. } => *booking = self.bookings.remove(booking)??,
            _ => {}
        }
        Some(event)
    }

    fn book(&mut self, answer: &Answer, recorded: &str) {
        #[derive(Deserialize)]
        struct Granted {
            granted: u64,
        }
        let then = serde_json::from_str::<Granted>(recorded)
            .ok()
            .map(|then| then.granted);
        match (answer, then) {
            (Answer::Granted(now), Some(then)) => drop(self.bookings.insert(then, Some(*now))),
            (Answer::Blocked(_), Some(then)) => drop(self.bookings.insert(then, None)),
            (Answer::Granted(now), None) => {
                let end = Event::GiveBack {
                    booking: *now,
                    spent: None,
                };
                drop(self.governor.on(&end));
            }
            _ => {}
        }
    }

    fn end(self) -> Replayed {
        Replayed {
            recorded: self.then.end(),
            figures: self.now.end(),
            ..self.replayed
        }
    }
}
