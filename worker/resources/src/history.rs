//! What was measured, at three resolutions.
//!
//! An hour at full rate (one row a second), a day by the minute and a week by
//! ten minutes; how far back each goes is configurable.
//!
//! Invariant: memory is bounded by the [`Retention`] alone. Rows are ordered by
//! time and aligned to multiples of their step since the worker's start; times
//! of which nothing was observed have no row. Deliberately absent: the wall
//! clock and the store; a fleet's series is kept elsewhere.
//!
//! The 95th percentile of a minute or of ten minutes is the nearest rank over
//! the observations themselves, not over rows: exact for up to 600 of them (10
//! minutes of one a second), over every second, fourth, ... of them beyond. It
//! is never an average of percentiles, which would mean nothing.

mod gather;
mod row;

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};

use gather::Gather;
pub use row::{Row, Summary};

/// What a row says of one figure.
pub(crate) const FIGURES: usize = 7;

/// Rows of one resolution: more would be a database, which this is not.
const MOST_ROWS: u64 = 20_000;

/// What the worker observed at one moment. `None` is not zero: it is left out
/// of every summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reading {
    /// When, since the worker's start.
    pub at: Duration,
    /// Use of memory, as a share.
    pub memory: Option<f64>,
    /// Use of processors, as a share.
    pub cpu: Option<f64>,
    /// Use of the disk, as a share.
    pub disk: Option<f64>,
    /// Time in which some task stalled for memory, as a share.
    pub pressure: Option<f64>,
    /// The rank of the overall level, 0 to 4.
    pub level: Option<u8>,
    /// Tasks in flight.
    pub in_flight: Option<u32>,
    /// The health score, 0 to 100.
    pub health: Option<f64>,
}

/// How fine a series is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// A row a second.
    Full,
    /// A row a minute.
    Minute,
    /// A row every ten minutes.
    TenMinutes,
}

impl Resolution {
    /// All of them, the finest first.
    pub const ALL: [Self; 3] = [Self::Full, Self::Minute, Self::TenMinutes];

    /// The time that one row covers.
    #[must_use]
    pub const fn step(self) -> Duration {
        match self {
            Self::Full => Duration::from_secs(1),
            Self::Minute => Duration::from_mins(1),
            Self::TenMinutes => Duration::from_mins(10),
        }
    }
}

/// How far back each resolution goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Of the rows of a second.
    pub full: Duration,
    /// Of the rows of a minute.
    pub minute: Duration,
    /// Of the rows of ten minutes.
    pub ten_minutes: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            full: Duration::from_hours(1),
            minute: Duration::from_hours(24),
            ten_minutes: Duration::from_hours(7 * 24),
        }
    }
}

/// A retention that cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("history.{field} makes {rows} rows: choose a time that makes 1 to {MOST_ROWS} rows")]
pub struct BadRetention {
    /// Which field of [`Retention`].
    pub field: &'static str,
    /// How many rows it would make.
    pub rows: u64,
}

impl Retention {
    /// The time kept at a resolution.
    #[must_use]
    pub const fn of(&self, resolution: Resolution) -> Duration {
        match resolution {
            Resolution::Full => self.full,
            Resolution::Minute => self.minute,
            Resolution::TenMinutes => self.ten_minutes,
        }
    }

    fn rows(&self, resolution: Resolution) -> Result<usize, BadRetention> {
        let rows = self.of(resolution).as_secs() / resolution.step().as_secs();
        let field = match resolution {
            Resolution::Full => "full",
            Resolution::Minute => "minute",
            Resolution::TenMinutes => "ten_minutes",
        };
        match usize::try_from(rows) {
            Ok(count) if (1..=MOST_ROWS).contains(&rows) => Ok(count),
            _ => Err(BadRetention { field, rows }),
        }
    }
}

/// The three series of one worker.
#[derive(Clone, Debug)]
pub struct History {
    full: Series<[f32; FIGURES]>,
    minute: Series<[Summary; FIGURES]>,
    ten_minutes: Series<[Summary; FIGURES]>,
    /// The second that is not over yet, and its worst values.
    second: Option<(u32, [f32; FIGURES])>,
    of_minute: Gather,
    of_ten_minutes: Gather,
}

/// Rows of one resolution: the number of their step since the start, and what
/// they hold. Never longer than `most`, for which there is room from the start.
#[derive(Clone, Debug)]
struct Series<T> {
    rows: VecDeque<(u32, T)>,
    most: usize,
}

impl<T: Copy> Series<T> {
    fn new(most: usize) -> Self {
        Self {
            rows: VecDeque::with_capacity(most),
            most,
        }
    }

    fn push(&mut self, slot: u32, row: T) {
        // Rows age by time, not by number: gaps do not make them live longer.
        let oldest = u64::from(slot).saturating_sub(self.most as u64 - 1);
        while self
            .rows
            .front()
            .is_some_and(|(slot, _)| u64::from(*slot) < oldest)
            || self.rows.len() >= self.most
        {
            self.rows.pop_front();
        }
        self.rows.push_back((slot, row));
    }
}

impl History {
    /// An empty history. Takes its memory at once, so that there is no surprise
    /// later.
    pub fn new(retention: &Retention) -> Result<Self, BadRetention> {
        Ok(Self {
            full: Series::new(retention.rows(Resolution::Full)?),
            minute: Series::new(retention.rows(Resolution::Minute)?),
            ten_minutes: Series::new(retention.rows(Resolution::TenMinutes)?),
            second: None,
            of_minute: Gather::new(),
            of_ten_minutes: Gather::new(),
        })
    }

    /// Takes in a reading. One that is older than what is already there counts
    /// for the current step: time never goes back.
    pub fn observe(&mut self, reading: &Reading) {
        let values = row::values(reading);
        let slot = slot(reading.at, Resolution::Full);
        match &mut self.second {
            Some((second, worst)) if slot <= *second => row::worsen(worst, &values),
            second => {
                if let Some((slot, row)) = second.replace((slot, values)) {
                    self.full.push(slot, row);
                }
            }
        }
        for (gather, series, resolution) in [
            (&mut self.of_minute, &mut self.minute, Resolution::Minute),
            (
                &mut self.of_ten_minutes,
                &mut self.ten_minutes,
                Resolution::TenMinutes,
            ),
        ] {
            let slot = self::slot(reading.at, resolution);
            if let Some((slot, row)) = gather.add(slot, &values) {
                series.push(slot, row);
            }
        }
    }

    /// The rows of a resolution that begin at or after `from` and before `to`,
    /// oldest first; the last may be of a step that is not over yet.
    ///
    /// A row of a second carries the worst of its readings (the highest value;
    /// of health the lowest) as all four of its figures.
    #[must_use]
    pub fn rows(&self, resolution: Resolution, from: Duration, to: Duration) -> Vec<Row> {
        let step = resolution.step();
        let rows: Vec<Row> = match resolution {
            Resolution::Full => self
                .full
                .rows
                .iter()
                .copied()
                .chain(self.second)
                .map(|(slot, values)| Row::new(step * slot, &values.map(Summary::single)))
                .collect(),
            Resolution::Minute => summaries(&self.minute, &self.of_minute, step),
            Resolution::TenMinutes => summaries(&self.ten_minutes, &self.of_ten_minutes, step),
        };
        rows.into_iter()
            .filter(|row| (from..to).contains(&row.at))
            .collect()
    }

    /// Bytes that the history takes, used or not.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.full.rows.capacity() * size_of::<(u32, [f32; FIGURES])>()
            + (self.minute.rows.capacity() + self.ten_minutes.rows.capacity())
                * size_of::<(u32, [Summary; FIGURES])>()
            + self.of_minute.bytes()
            + self.of_ten_minutes.bytes()
    }
}

fn summaries(series: &Series<[Summary; FIGURES]>, open: &Gather, step: Duration) -> Vec<Row> {
    series
        .rows
        .iter()
        .copied()
        .chain(open.so_far())
        .map(|(slot, figures)| Row::new(step * slot, &figures))
        .collect()
}

/// The number of the step in which a time lies. A `u32` of seconds is 136
/// years.
fn slot(at: Duration, resolution: Resolution) -> u32 {
    u32::try_from(at.as_secs() / resolution.step().as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
