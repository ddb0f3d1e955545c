//! What is coming: when memory or disk will be high or critical.
//!
//! Two forecasts, and the worse one counts. *Regression* sees leaks: a
//! straight line through a short and a long [`window`], whose slope is trusted
//! only as far as its lower bound ([`trend`]). *Inventory* sees bursts: what
//! the tasks in flight are expected to need and have not taken yet.
//!
//! A trend fires for a threshold if all of this holds: at least 20 samples
//! over 20 periods; the threshold is reached within the horizon even by the
//! lower bound of the slope; the fitted value is within 20 points of it; and
//! either the short window also sees a new high ([`highs`]: a sawtooth that
//! returns to its old peak never fires) in 3 of the last 5 ticks, or the long
//! window says so in 10 of the last 12. A tick is a sample that the windows take
//! in: one per period.
//!
//! **Settled.** A forecaster that is younger than its lookback cannot tell the
//! first tooth of a saw from a ramp: it warns, but it may not act.
//!
//! **The baseline.** The hour-of-week pattern may say that such a rise is
//! usual. It silences the long window while the fitted value lies within the
//! usual band (mean + 2 deviations) *and* that band ends at least 5 points
//! below the threshold: history says that the rise stops in time. A band that
//! reaches the threshold silences nothing (then history itself predicts it), a
//! value above the band is unusual, and neither the short window nor the
//! inventory is ever silenced.
//!
//! Invariant: same samples, same forecasts. A change of regime restarts the
//! windows, so no line is ever laid through two regimes.
//!
//! Deliberately absent: Theil-Sen slopes and self-scoring (they wait for the
//! comparison of gates), and any action.

#![expect(
    clippy::cast_precision_loss,
    reason = "counts of samples in a window; a few thousand at most"
)]

mod highs;
mod persist;
mod trend;
mod window;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::trend::{Crossing, Trend};
pub use self::window::{Line, Point, Window};

use self::highs::Highs;
use self::persist::Ticks;
use crate::pattern::Usual;

/// Samples and periods that a line needs: less is a guess.
const ENOUGH: usize = 20;
/// A forecast of something farther than this is none: a slow slope at a third
/// of the way has every time to end.
const LEVEL_FLOOR: f64 = 0.20;
/// A sample comes in time if at least this share of the period has passed: the
/// sampler's clock jitters, and its fast mode must not fill the window.
const IN_TIME: f64 = 0.9;
/// Deviations above its mean up to which a value is usual.
const BAND: f64 = 2.0;
/// The usual band must end this far below a threshold to reassure.
const BAND_CLEAR: f64 = 0.05;
/// The horizon lies between these: below, no feature can end in time; above, a
/// straight line says nothing about a worker.
const HORIZON: (Duration, Duration) = (Duration::from_secs(30), Duration::from_mins(5));

/// How far ahead to look: switching a feature off frees nothing before its
/// tasks end, so twice the 95th percentile of what may be shed and is in
/// flight, within bounds, times the profile's factor.
#[must_use]
pub fn horizon(sheddable_p95: Option<Duration>, factor: f64) -> Duration {
    let derived = sheddable_p95.unwrap_or_default().saturating_mul(2);
    let seconds = derived.clamp(HORIZON.0, HORIZON.1).as_secs_f64();
    let factor = if factor.is_finite() {
        factor.clamp(0.1, 10.0)
    } else {
        1.0
    };
    Duration::from_secs_f64(seconds * factor)
}

/// What a forecast is asked about, and what else is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// The high threshold, a share.
    pub high: f64,
    /// The critical threshold, a share.
    pub critical: f64,
    /// How far ahead to look: [`horizon`].
    pub horizon: Duration,
    /// The share of the limit that will be used once everything in flight has
    /// taken what it is expected to need; `None` where that is not known.
    pub committed: Option<f64>,
    /// What is usual around this hour of the week: of this hour and the next,
    /// the one that goes higher.
    pub usual: Option<Usual>,
}

/// Which forecast says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The line through the short window, at a new high.
    ShortTrend,
    /// The line through the long window.
    LongTrend,
    /// The needs of the tasks in flight.
    Inventory,
}

/// A threshold is expected to be reached.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Eta {
    /// Which forecast says so; a trend goes before the inventory, the short
    /// one before the long one.
    pub by: By,
    /// The threshold, a share.
    pub threshold: f64,
    /// When, with its interval; `None` for the inventory, which knows how much
    /// but not when.
    pub crossing: Option<Crossing>,
    /// It may act; otherwise it only warns.
    pub acts: bool,
}

/// What [`Forecaster::observe`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Forecast {
    /// When it was made.
    pub at: Duration,
    /// High is expected within the horizon.
    pub high: Option<Eta>,
    /// Critical is.
    pub critical: Option<Eta>,
    /// The line through the short window.
    pub short: Option<Trend>,
    /// The line through the long window.
    pub long: Option<Trend>,
    /// The lookback is filled: trends may act.
    pub settled: bool,
    /// The long window would have said high, but such a rise is usual here.
    pub usual: bool,
}

impl Forecast {
    /// High is expected by a forecast that may act.
    #[must_use]
    pub fn acts_on_high(&self) -> bool {
        self.high.is_some_and(|eta| eta.acts)
    }

    /// Critical is expected by a forecast that may act.
    #[must_use]
    pub fn acts_on_critical(&self) -> bool {
        self.critical.is_some_and(|eta| eta.acts)
    }
}

/// What has changed so much that the past says nothing about the future.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Regime {
    /// The limit: the same bytes are another share of it.
    Capacity,
    /// The thresholds.
    Profile,
    /// How many tasks may run. Report halvings, reopenings and the like; the
    /// limit's steps of one are the worker's breathing, and reporting them
    /// would keep the windows empty for ever.
    Admission,
}

/// Windows and pace, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pace {
    period: f64,
    short: f64,
    long: f64,
    /// What a new high is compared with.
    lookback: f64,
}

/// The ticks of one threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Persistence {
    short: Ticks,
    long: Ticks,
}

/// The forecaster of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecaster {
    pace: Pace,
    short: Window,
    long: Window,
    highs: Highs,
    newest: Option<f64>,
    trends: (Option<Trend>, Option<Trend>),
    high: Persistence,
    critical: Persistence,
    usual: bool,
}

impl Forecaster {
    /// For memory: a sample a second, windows of 30 s and 3 min.
    #[must_use]
    pub fn memory() -> Self {
        Self::new(Pace {
            period: 1.0,
            short: 30.0,
            long: 180.0,
            lookback: 180.0,
        })
    }

    /// For the disk: a sample in 10 s, windows of 30 min and 6 h. Its lookback
    /// is the short window: the files of tasks come and go within minutes, and
    /// a forecast that settles after 6 h would come too late for most.
    #[must_use]
    pub fn disk() -> Self {
        Self::new(Pace {
            period: 10.0,
            short: 1_800.0,
            long: 21_600.0,
            lookback: 1_800.0,
        })
    }

    fn new(pace: Pace) -> Self {
        Self {
            pace,
            short: Window::new(pace.short),
            long: Window::new(pace.long),
            highs: Highs::new(pace.lookback, pace.period),
            newest: None,
            trends: (None, None),
            high: Persistence::default(),
            critical: Persistence::default(),
            usual: false,
        }
    }

    /// Restarts the windows. What is usual (the highs) stays unless the limit
    /// itself is another.
    pub fn restart(&mut self, regime: Regime) {
        let highs = match regime {
            Regime::Capacity => Highs::new(self.pace.lookback, self.pace.period),
            Regime::Profile | Regime::Admission => self.highs.clone(),
        };
        *self = Self {
            highs,
            ..Self::new(self.pace)
        };
    }

    /// Takes in a value (a share of the limit) and says what is coming. A
    /// value that is missing, or comes sooner than a period after the last,
    /// does not move the trends; the inventory is asked every time.
    pub fn observe(&mut self, at: Duration, value: Option<f64>, outlook: &Outlook) -> Forecast {
        let now = at.as_secs_f64();
        let value = value.filter(|v| v.is_finite());
        let in_time = self
            .newest
            .is_none_or(|newest| now - newest >= IN_TIME * self.pace.period);
        if let Some(value) = value.filter(|_| in_time) {
            self.tick(now, value, outlook);
        }
        let settled = self.highs.is_settled(now);
        let eta = |ticks: Persistence, threshold: f64| {
            self.by_trend(ticks, threshold)
                .map(|(by, crossing)| Eta {
                    by,
                    threshold,
                    crossing: Some(crossing),
                    acts: settled,
                })
                .or_else(|| by_inventory(value, outlook.committed, threshold))
        };
        Forecast {
            at,
            high: eta(self.high, outlook.high),
            critical: eta(self.critical, outlook.critical),
            short: self.trends.0,
            long: self.trends.1,
            settled,
            usual: self.usual,
        }
    }

    /// One sample into both windows.
    fn tick(&mut self, now: f64, value: f64, outlook: &Outlook) {
        self.newest = Some(now);
        self.short.push(now, value);
        self.long.push(now, value);
        self.highs.push(now, value);
        self.trends = (Trend::of(&self.short), Trend::of(&self.long));
        let (high, critical) = (outlook.high, outlook.critical);
        (self.high, self.usual) = self.fires(self.high, now, high, outlook);
        (self.critical, _) = self.fires(self.critical, now, critical, outlook);
    }

    /// The ticks of a threshold, one further, and whether the long window was
    /// silenced.
    fn fires(
        &self,
        mut ticks: Persistence,
        now: f64,
        threshold: f64,
        outlook: &Outlook,
    ) -> (Persistence, bool) {
        let due = |trend: &Trend| self.is_due(trend, threshold, outlook.horizon);
        let short = self.trends.0.filter(due);
        let long = self.trends.1.filter(due);
        ticks
            .short
            .push(short.is_some_and(|t| self.highs.exceeds(now, t.now)));
        let usual = long.is_some_and(|t| is_usual(&t, threshold, outlook.usual));
        ticks.long.push(long.is_some() && !usual);
        (ticks, usual)
    }

    /// Enough samples, near enough, and soon enough even by the lower bound.
    fn is_due(&self, trend: &Trend, threshold: f64, horizon: Duration) -> bool {
        let enough = trend.n >= ENOUGH && trend.span >= ENOUGH as f64 * self.pace.period;
        let near = trend.now >= threshold - LEVEL_FLOOR;
        enough && near && trend.reaches(threshold, horizon.as_secs_f64())
    }

    /// A trend that has fired often enough lately, and still leads upwards.
    fn by_trend(&self, ticks: Persistence, threshold: f64) -> Option<(By, Crossing)> {
        let crossing = |trend: Option<Trend>| trend?.crossing(threshold);
        let short = ticks.short.has(3, 5).then(|| crossing(self.trends.0));
        let long = ticks.long.has(10, 12).then(|| crossing(self.trends.1));
        let short = short.flatten().map(|c| (By::ShortTrend, c));
        short.or_else(|| long.flatten().map(|c| (By::LongTrend, c)))
    }
}

/// Commitments that will cross a threshold which use has not crossed yet.
fn by_inventory(value: Option<f64>, committed: Option<f64>, threshold: f64) -> Option<Eta> {
    let committed = committed.filter(|v| v.is_finite())?;
    let ahead = value.is_some_and(|v| v < threshold) && committed >= threshold;
    ahead.then_some(Eta {
        by: By::Inventory,
        threshold,
        crossing: None,
        acts: true,
    })
}

/// A rise that history knows, and knows to end in time.
fn is_usual(trend: &Trend, threshold: f64, usual: Option<Usual>) -> bool {
    usual.is_some_and(|usual| {
        let band = usual.mean + BAND * usual.deviation;
        trend.now <= band && band <= threshold - BAND_CLEAR
    })
}

#[cfg(test)]
mod tests;
