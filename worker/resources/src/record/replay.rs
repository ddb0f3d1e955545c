//! Plays a log again: with the recorded setup, or with other thresholds.
//!
//! Invariant: with the recorded setup every answer is held against the
//! recorded one, as text. With others the events stay the same, as far as they
//! can: a task that was admitted then and is not now has no end; one that is
//! admitted now and was not then is counted, and given back at once.

use std::{collections::BTreeMap, io::BufRead, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use shared::model::ProfileName;

use super::{Answer, Event, Header, VERSION, settled};
use crate::{
    governor::Governor,
    profile::{Flaw, Overrides, Profile},
};

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

/// What a log comes to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Looks at the world.
    pub ticks: u64,
    /// Questions.
    pub asked: u64,
    /// Of those, granted.
    pub granted: u64,
    /// The others, by what was short.
    pub blocked: BTreeMap<String, u64>,
    /// Tasks in hand that did not fit.
    pub misfits: u64,
    /// Seconds at each level.
    pub seconds_at: BTreeMap<String, f64>,
    /// Times that the overall level came to be another.
    pub level_changes: u64,
    /// Times that a feature was switched off.
    pub switched_off: u64,
    /// Messages to people, by level of the alert.
    pub notes: BTreeMap<String, u64>,
    /// The lowest limit of tasks at once.
    pub least_slots: Option<u32>,
}

/// What came of a replay.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replayed {
    /// Events in the log.
    pub events: usize,
    /// How long the log is.
    pub lasted: Duration,
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
    level: Option<(Duration, String)>,
}

impl Player {
    fn new(governor: Governor, what_if: &WhatIf) -> Self {
        Self {
            governor,
            replayed: Replayed {
                events: 0,
                lasted: Duration::ZERO,
                figures: Figures::default(),
                other_thresholds: !what_if.changes_nothing(),
                different: 0,
                differences: Vec::new(),
            },
            bookings: BTreeMap::new(),
            level: None,
        }
    }

    fn play(&mut self, line: usize, recorded: &Recorded<'_>) {
        self.replayed.events += 1;
        let Some(event) = self.translated(&recorded.event) else {
            return;
        };
        let answer = self.governor.on(&event);
        let text = serde_json::to_string(&answer).unwrap_or_default();
        self.count(&event, &answer);
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

    fn count(&mut self, event: &Event, answer: &Answer) {
        let figures = &mut self.replayed.figures;
        match answer {
            Answer::Granted(_) => {
                figures.asked += 1;
                figures.granted += 1;
            }
            Answer::Blocked(shortage) => {
                figures.asked += 1;
                let resource = shortage.resource.as_str().to_owned();
                *figures.blocked.entry(resource).or_default() += 1;
            }
            Answer::Misfit(..) => figures.misfits += 1,
            Answer::Ticked(ticked) => {
                figures.ticks += 1;
                let off = ticked.features.iter();
                figures.switched_off += off.filter(|it| it.was && !it.enabled).count() as u64;
                for note in &ticked.notes {
                    *figures.notes.entry(note.level.to_string()).or_default() += 1;
                }
                let least = figures.least_slots.unwrap_or(u32::MAX);
                figures.least_slots = Some(least.min(ticked.slots));
                if let Event::Tick(tick) = event {
                    self.pass(tick.at, ticked.level.to_string());
                }
            }
            Answer::Ordered(changes) => {
                let off = changes.iter().filter(|it| it.was && !it.enabled);
                figures.switched_off += off.count() as u64;
            }
            Answer::Fits | Answer::Noted => {}
        }
    }

    /// Time went on at the level before.
    fn pass(&mut self, at: Duration, level: String) {
        let figures = &mut self.replayed.figures;
        self.replayed.lasted = at;
        if let Some((since, before)) = self.level.take() {
            let seconds = at.saturating_sub(since).as_secs_f64();
            figures.level_changes += u64::from(before != level);
            *figures.seconds_at.entry(before).or_default() += seconds;
        }
        self.level = Some((at, level));
    }

    fn end(self) -> Replayed {
        self.replayed
    }
}
