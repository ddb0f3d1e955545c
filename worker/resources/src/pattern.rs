//! What is usual at this hour of the week.
//!
//! One bin per hour of the week; each keeps, per figure, a mean and a spread
//! of the weeks it has seen, recent weeks counting more. A trend is judged
//! against it ([`crate::forecast`]), and a plan of capacity reads it.
//!
//! Invariant: an hour enters its bin once, as a whole, when it is over and was
//! watched for long enough; a restart in the middle of an hour neither counts
//! it twice nor loses it. Nothing is called usual before two weeks have seen
//! it. Merging a pattern with itself changes nothing.
//!
//! Deliberately absent: the clock (the hour is an argument) and the time zone
//! (hours of the week are those of UTC; people's habits shift by an hour twice
//! a year and are learned again).

mod bin;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::bin::{Bin, Open};

/// Hours in a week.
pub const BINS: u32 = 168;
/// The first hour of the Unix epoch was the first of a Thursday; weeks here
/// begin on Monday.
const EPOCH_OFFSET: u64 = 72;
/// The version of the stored form.
const VERSION: u32 = 1;

/// An hour, counted since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hour(pub u64);

impl Hour {
    /// The hour of a Unix time in seconds.
    #[must_use]
    pub const fn of_unix(seconds: u64) -> Self {
        Self(seconds / 3600)
    }

    /// 0 for the first hour of Monday (UTC) to 167.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "less than 168")]
    pub const fn of_week(self) -> u32 {
        let week = BINS as u64;
        ((self.0 % week + EPOCH_OFFSET) % week) as u32
    }

    /// The hour after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// What has a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Use of memory, a share.
    Memory,
    /// Use of processors, a share.
    Cpu,
    /// Tasks that arrive in a minute.
    Arrivals,
    /// Tasks in flight.
    InFlight,
}

impl Figure {
    /// All of them, in the order of the stored form.
    pub const ALL: [Self; 4] = [Self::Memory, Self::Cpu, Self::Arrivals, Self::InFlight];
}

/// One observation, to be made once a minute; what is not known is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Values {
    /// Use of memory, a share.
    pub memory: Option<f64>,
    /// Use of processors, a share.
    pub cpu: Option<f64>,
    /// Tasks that arrived in the minute.
    pub arrivals: Option<f64>,
    /// Tasks in flight.
    pub in_flight: Option<f64>,
}

impl Values {
    const fn get(&self, figure: Figure) -> Option<f64> {
        match figure {
            Figure::Memory => self.memory,
            Figure::Cpu => self.cpu,
            Figure::Arrivals => self.arrivals,
            Figure::InFlight => self.in_flight,
        }
    }
}

/// What is usual.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usual {
    /// The mean, recent weeks counting more.
    pub mean: f64,
    /// The standard deviation, of minutes within the hour and between weeks.
    pub deviation: f64,
    /// Weeks that have seen this hour, at least two.
    pub weeks: u32,
}

/// A pattern is kept in a form that this version does not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// Another version wrote it.
    #[error("the usage pattern has version {0}, expected {VERSION}: it is learned afresh")]
    Version(u32),
    /// It is damaged.
    #[error(
        "the usage pattern cannot be read at line {line}, column {column}: it is learned afresh"
    )]
    Damaged {
        /// Line of the text.
        line: usize,
        /// Column of the line.
        column: usize,
    },
}

/// The hour-of-week pattern.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pattern {
    bins: BTreeMap<u32, [Bin; 4]>,
    open: Option<(Hour, [Open; 4])>,
}

/// The stored form: short names, bins as arrays.
#[derive(Serialize, Deserialize)]
struct Stored {
    v: u32,
    bins: BTreeMap<u32, [Bin; 4]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<(Hour, [Open; 4])>,
}

impl Pattern {
    /// Takes in what was measured in this hour. An hour before the one that is
    /// open is ignored: time does not go back.
    pub fn observe(&mut self, hour: Hour, values: &Values) {
        if self.open.is_some_and(|(open, _)| open < hour) {
            self.close();
        }
        let (open, figures) = self.open.get_or_insert((hour, [Open::default(); 4]));
        if *open != hour {
            return;
        }
        for (figure, slot) in Figure::ALL.into_iter().zip(figures) {
            if let Some(value) = values.get(figure).filter(|v| v.is_finite()) {
                slot.add(value);
            }
        }
    }

    /// What is usual for a figure at an hour; `None` before two weeks have
    /// seen it.
    #[must_use]
    pub fn expected(&self, hour: Hour, figure: Figure) -> Option<Usual> {
        self.bins.get(&hour.of_week())?[figure as usize].usual()
    }

    /// Of this hour and the next, what goes higher: what a forecast over some
    /// minutes is judged by. `None` unless both are known.
    #[must_use]
    pub fn around(&self, hour: Hour, figure: Figure) -> Option<Usual> {
        let now = self.expected(hour, figure)?;
        let next = self.expected(hour.next(), figure)?;
        let top = |usual: &Usual| usual.mean + usual.deviation;
        Some(if top(&next) > top(&now) { next } else { now })
    }

    /// Takes in another pattern, say of another worker or of an earlier life.
    /// Means are weighted by the weeks behind them; weeks are not added up,
    /// because both may have seen the same ones. The open hour stays one's
    /// own unless there is none.
    pub fn merge(&mut self, other: &Self) {
        for (hour, theirs) in &other.bins {
            let ours = self.bins.entry(*hour).or_default();
            for (bin, their) in ours.iter_mut().zip(theirs) {
                bin.merge(their);
            }
        }
        if self.open.is_none() {
            self.open = other.open;
        }
    }

    /// The compact text that is kept: at most some 40 KiB.
    ///
    /// # Panics
    /// Never: the form has nothing that JSON cannot say.
    #[must_use]
    pub fn to_text(&self) -> String {
        let stored = Stored {
            v: VERSION,
            bins: self.bins.clone(),
            open: self.open,
        };
        serde_json::to_string(&stored).expect("numbers under numeric keys")
    }

    /// Reads what [`Self::to_text`] wrote.
    pub fn from_text(text: &str) -> Result<Self, BadPattern> {
        let stored: Stored = serde_json::from_str(text).map_err(|error| BadPattern::Damaged {
            line: error.line(),
            column: error.column(),
        })?;
        if stored.v != VERSION {
            return Err(BadPattern::Version(stored.v));
        }
        let mut bins = stored.bins;
        bins.retain(|hour, figures| *hour < BINS && figures.iter().all(Bin::is_sound));
        Ok(Self {
            bins,
            open: stored.open,
        })
    }

    /// Folds the open hour into its bin.
    fn close(&mut self) {
        let Some((hour, figures)) = self.open.take() else {
            return;
        };
        let bins = self.bins.entry(hour.of_week()).or_default();
        for (bin, open) in bins.iter_mut().zip(&figures) {
            bin.fold(hour, open);
        }
    }
}

#[cfg(test)]
mod tests;
