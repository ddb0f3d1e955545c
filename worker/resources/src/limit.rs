//! How many ordinary tasks at once: the dynamic limit.
//!
//! It starts at the configured concurrency, and a calm worker stays there for
//! good. Pressed memory halves it, a pressed processor lowers it gently, an
//! emergency leaves one slot. Afterwards it comes back in steps, after a wait
//! that differs from worker to worker, so that a fleet that was pressed
//! together does not storm back together.
//!
//! Invariant: between 1 and the configured concurrency, except for the wait
//! before a slow start, when it is 0 (critical and high work keeps its slots on
//! top). It falls at once and rises by at most doubling in 5 s.
//!
//! Deliberately absent: randomness; the jitter follows from the worker's seed.

mod trend;

use std::time::Duration;

use serde::Serialize;
use shared::model::Level;

use trend::Trend;

/// One step of the rules.
const TICK: Duration = Duration::from_secs(1);

/// Between two cuts: long enough for the last one to show.
const CUT_EVERY: Duration = Duration::from_secs(5);

/// What a cut leaves when memory or disk is critical.
const HALF: f64 = 0.5;

/// What a cut leaves when the processor is short: it is shared, not exhausted.
const CPU_CUT: f64 = 0.9;

/// The limit matters only to a worker that uses most of it.
const SATURATED: f64 = 0.8;

/// How fast a large limit rises in calm times.
const RISE: f64 = 0.05;

/// The longest wait before a slow start.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The longest wait for each worker of the fleet.
const WAIT_EACH: Duration = Duration::from_millis(300);

/// Where a slow start begins, as a share of the limit before the incident.
const START: f64 = 0.25;

/// Until where it doubles.
const DOUBLE_UNTIL: f64 = 0.5;

/// How often it doubles.
const DOUBLE_EVERY: Duration = Duration::from_secs(5);

/// What the worker sees at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Load {
    /// The time.
    pub at: Duration,
    /// The level of everything but the processor.
    pub level: Level,
    /// The level of the processor.
    pub cpu: Level,
    /// Ordinary tasks in flight.
    pub in_flight: u32,
    /// Tasks that have ended since the worker's start.
    pub completed: u64,
    /// Live workers of the fleet, this one included.
    pub workers: u32,
    /// The processor's rule goes no lower: as many slots as CPU-bound tasks
    /// may use processors. Fewer would leave processors idle that the
    /// admission rules grant.
    pub cpu_floor: u32,
}

/// What the limit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "stage")]
pub enum Stage {
    /// At the cap, or on the way there.
    Calm,
    /// Memory or disk is critical or worse.
    Incident {
        /// The limit before.
        before: u32,
    },
    /// Over, and waiting for this worker's turn.
    Waiting {
        /// The limit before the incident.
        before: u32,
        /// When the wait ends.
        until: Duration,
    },
    /// Coming back.
    SlowStart {
        /// The limit before the incident.
        before: u32,
        /// When it last rose.
        rose: Duration,
    },
}

/// The limit's controller.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Limit {
    cap: u32,
    seed: u64,
    slots: u32,
    stage: Stage,
    incidents: u64,
    ticked: Option<(Duration, u64)>,
    cut: Option<Duration>,
    trend: Trend,
}

impl Limit {
    /// Starts at the cap, at least 1. The seed makes this worker's jitter: a
    /// hash of its id.
    #[must_use]
    pub fn new(cap: u32, seed: u64) -> Self {
        let cap = cap.max(1);
        Self {
            cap,
            seed,
            slots: cap,
            stage: Stage::Calm,
            incidents: 0,
            ticked: None,
            cut: None,
            trend: Trend::new(),
        }
    }

    /// The limit now.
    #[must_use]
    pub const fn slots(&self) -> u32 {
        self.slots
    }

    /// The configured concurrency.
    #[must_use]
    pub const fn cap(&self) -> u32 {
        self.cap
    }

    /// Why it is what it is.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether more slots went along with more throughput in the last minute:
    /// below 0 the limit does not rise by itself.
    #[must_use]
    pub fn covariance(&self) -> f64 {
        self.trend.covariance()
    }

    /// Begins a slow start as after an incident: the whole fleet was paused and
    /// is released.
    pub fn reopen(&mut self, at: Duration, workers: u32) {
        let before = match self.stage {
            Stage::Calm => self.slots,
            Stage::Incident { before }
            | Stage::Waiting { before, .. }
            | Stage::SlowStart { before, .. } => before,
        };
        self.wait(at, workers, before);
    }

    /// Looks at the load and gives the limit. To be called with every sample.
    pub fn observe(&mut self, load: &Load) -> u32 {
        let tick = match self.ticked {
            Some((last, _)) => load.at.saturating_sub(last) >= TICK,
            None => true,
        };
        match load.level {
            Level::Emergency => {
                self.incident();
                self.slots = 1;
            }
            Level::Critical => {
                self.incident();
                self.slots = self.slots.max(1);
                self.cut_to(load.at, HALF, 1);
            }
            // No news is no recovery, and no new incident either.
            Level::High => {}
            Level::Normal | Level::Elevated => self.recover(load, tick),
        }
        if matches!(self.stage, Stage::Calm) && load.cpu >= Level::High {
            self.cut_to(load.at, CPU_CUT, load.cpu_floor.clamp(1, self.cap));
        }
        if tick {
            self.count(load);
        }
        self.slots
    }

    fn incident(&mut self) {
        if matches!(self.stage, Stage::Incident { .. }) {
            return;
        }
        let before = match self.stage {
            // Not one slot was open: what was before still stands.
            Stage::Waiting { before, .. } => before,
            _ => self.slots,
        };
        self.stage = Stage::Incident { before };
    }

    /// Lowers the limit to a share of it, at most once in five seconds.
    fn cut_to(&mut self, at: Duration, share: f64, floor: u32) {
        if self.slots <= floor
            || self
                .cut
                .is_some_and(|last| at.saturating_sub(last) < CUT_EVERY)
        {
            return;
        }
        self.cut = Some(at);
        self.slots = rounded_down(share, self.slots).max(floor);
    }

    /// Nothing but perhaps the processor is short.
    fn recover(&mut self, load: &Load, tick: bool) {
        let at = load.at;
        match self.stage {
            Stage::Incident { before } => self.wait(at, load.workers, before),
            Stage::Waiting { before, until } if at >= until => {
                self.slots = rounded_down(START, before).max(1);
                self.stage = Stage::SlowStart { before, rose: at };
            }
            Stage::SlowStart { before, rose } => self.come_back(at, before, rose),
            Stage::Calm if tick => self.rise(load),
            Stage::Waiting { .. } | Stage::Calm => {}
        }
    }

    fn wait(&mut self, at: Duration, workers: u32, before: u32) {
        let most = LONGEST_WAIT.min(WAIT_EACH.saturating_mul(workers));
        let until = at + most.mul_f64(unit(self.seed, self.incidents));
        self.incidents += 1;
        self.slots = 0;
        self.stage = Stage::Waiting { before, until };
    }

    fn come_back(&mut self, at: Duration, before: u32, rose: Duration) {
        if self.slots >= before {
            self.stage = Stage::Calm;
            return;
        }
        let half = rounded_down(DOUBLE_UNTIL, before);
        let doubling = self.slots < half;
        let every = if doubling { DOUBLE_EVERY } else { TICK };
        if at.saturating_sub(rose) < every {
            return;
        }
        self.slots = if doubling {
            (self.slots * 2).min(half)
        } else {
            self.slots + 1
        };
        self.stage = Stage::SlowStart { before, rose: at };
    }

    /// In calm times a limit below the cap rises while it is what holds the
    /// worker back and more has not meant less.
    fn rise(&mut self, load: &Load) {
        let saturated = f64::from(load.in_flight) >= SATURATED * f64::from(self.slots);
        if self.slots < self.cap
            && saturated
            && load.cpu < Level::High
            && self.trend.covariance() >= 0.0
        {
            let step = rounded_down(RISE, self.slots).max(1);
            self.slots = (self.slots + step).min(self.cap);
        }
    }

    fn count(&mut self, load: &Load) {
        if let Some((last, completed)) = self.ticked {
            let ended = load.completed.saturating_sub(completed);
            let ended = f64::from(u32::try_from(ended).unwrap_or(u32::MAX));
            let span = load.at.saturating_sub(last).as_secs_f64().max(1.0);
            self.trend.add(f64::from(self.slots), ended / span);
        }
        self.ticked = Some((load.at, load.completed));
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share between 0 and 1 of a number of slots"
)]
fn rounded_down(share: f64, slots: u32) -> u32 {
    (share * f64::from(slots)) as u32
}

/// A number in 0..1 that follows from a seed and a round (`SplitMix64`).
fn unit(seed: u64, round: u64) -> f64 {
    let mut bits = seed.wrapping_add(round.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^= bits >> 31;
    // The upper half: 32 bits are fine enough for a wait of seconds.
    f64::from(u32::try_from(bits >> 32).unwrap_or(0)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests;
