//! How hard pressed the worker is: per resource, and overall.
//!
//! Every resource has a ladder of rungs ([`latch`]); each sample gives each
//! rung a sign ([`rule`]) that speaks for turning on, for turning off, or for
//! neither. The level of a resource is its highest rung that is on; the
//! overall level is the highest of all resources.
//!
//! Invariant: up at once, down slowly. A rung turns off only after its value
//! stayed below an exit threshold for a dwell, so noise that is narrower than
//! the distance between entry and exit causes at most one transition. The
//! processor alone never goes above critical. What is not known changes
//! nothing.
//!
//! Deliberately absent: staleness of the samples (the governor's), what
//! follows from a level (features, limit, alerts).

#![expect(
    clippy::cast_precision_loss,
    reason = "bytes become shares; 2^53 bytes are more than any machine has"
)]

mod filter;
mod flap;
mod judgement;
mod latch;
mod rule;

use std::time::Duration;

use shared::model::Level;

pub use self::judgement::{Judgement, Leave, Resource, Rule, Standing, Transition};

use self::filter::Smoothed;
use self::flap::FlapLock;
use self::latch::{Ladder, Rung, Sign, Terms};
use crate::profile::Thresholds;
use crate::sample::Measured;

/// Memory falls with this time constant (it rises at once): an allocator that
/// gives back and takes again within seconds has not become smaller.
const MEMORY_FALL: Duration = Duration::from_secs(5);
/// The processor's load is smoothed with this time constant both ways.
const CPU_TAU: Duration = Duration::from_secs(10);
/// The kernel renews its pressure averages every 2 s: a comparison with an
/// earlier one needs at least that distance.
const AVERAGES_EVERY: Duration = Duration::from_secs(2);
/// A forecast that ended must stay away for as long as a moderate load.
const PREDICTED: Terms = Terms {
    samples: 1,
    lasting: Duration::ZERO,
    dwell: Duration::from_secs(15),
};

/// The average of stalls over 10 s, as last compared.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stalls {
    at: Duration,
    avg10: f64,
    /// It was falling then.
    easing: bool,
}

/// The judge of levels.
#[derive(Clone, Debug, PartialEq)]
pub struct Levels {
    thresholds: Thresholds,
    ladders: [Ladder; 4],
    /// Level and since when, of each resource and (last) overall.
    standing: [(Level, Duration); 5],
    memory: Smoothed,
    cpu: Smoothed,
    stalls: Option<Stalls>,
    predicted: Rung,
    flaps: FlapLock,
}

impl Levels {
    /// A judge that has seen nothing: everything is normal.
    #[must_use]
    pub fn new(thresholds: &Thresholds) -> Self {
        Self {
            thresholds: *thresholds,
            ladders: [
                rule::memory_ladder(),
                rule::pressure_ladder(),
                rule::cpu_ladder(),
                rule::disk_ladder(),
            ],
            standing: [(Level::Normal, Duration::ZERO); 5],
            memory: Smoothed::new(MEMORY_FALL),
            cpu: Smoothed::new(CPU_TAU),
            stalls: None,
            predicted: Rung::new(Level::Elevated, PREDICTED),
            flaps: FlapLock::default(),
        }
    }

    /// Goes by other thresholds from now on. Levels stay until the new exits
    /// are reached; half-gathered evidence and counted transitions were judged
    /// by other figures and are forgotten. The smoothed values stay: they do
    /// not depend on thresholds.
    pub fn set_thresholds(&mut self, thresholds: &Thresholds) {
        self.thresholds = *thresholds;
        for ladder in &mut self.ladders {
            ladder.restart();
        }
        self.flaps.restart();
    }

    /// The overall level.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.standing[4].0
    }

    /// Takes in a measurement. `hard_bytes` is the memory that nothing may
    /// cross; `predicted_high` says that a forecast which may act expects a
    /// high level.
    pub fn observe(&mut self, m: &Measured, hard_bytes: u64, predicted_high: bool) -> Judgement {
        let at = m.at;
        let stretch = self.flaps.stretch(at);
        self.observe_memory(m, hard_bytes, stretch);
        let long = self.stalled_long(m);
        let pressure = rule::pressure(m, &self.thresholds, long);
        self.ladders[Resource::Pressure as usize].observe(at, &pressure, stretch);
        let cpu = m.cpu.filter(|v| v.is_finite());
        let smooth = cpu.map(|v| self.cpu.observe(at, v));
        let cpu_signs = rule::cpu(smooth, m.lateness_p99, &self.thresholds);
        self.ladders[Resource::Cpu as usize].observe(at, &cpu_signs, stretch);
        let disk = rule::disk(m, &self.thresholds);
        self.ladders[Resource::Disk as usize].observe(at, &disk, stretch);
        self.predicted
            .observe(at, Some(forecast(predicted_high)), None, stretch);
        let held = [
            !has_memory(m),
            pressure[0].is_none(),
            cpu.is_none(),
            disk[0].is_none(),
        ];
        self.judge(at, held)
    }

    fn observe_memory(&mut self, m: &Measured, hard_bytes: u64, stretch: u32) {
        let signs = if has_memory(m) {
            let smooth = self.memory.observe(m.at, m.memory).max(m.memory);
            let bounds = rule::memory_bounds(&self.thresholds, m.limit, hard_bytes);
            rule::memory(m.memory, smooth, bounds, m.oom_kills)
        } else {
            [None, None, None, None, Some(rule::kill(m.oom_kills))]
        };
        self.ladders[Resource::Memory as usize].observe(m.at, &signs, stretch);
    }

    /// Stalled for a fifth of the last minute and of the last 10 s, and the
    /// latter not easing.
    fn stalled_long(&mut self, m: &Measured) -> bool {
        let Some((avg10, avg60)) = m.memory_some_avg else {
            return false;
        };
        let last = match self.stalls {
            Some(last) if m.at.saturating_sub(last.at) < AVERAGES_EVERY => last,
            last => Stalls {
                at: m.at,
                avg10,
                easing: last.is_some_and(|last| avg10 < rule::EASING * last.avg10),
            },
        };
        self.stalls = Some(last);
        avg60 >= rule::LONG_STALL && avg10 >= rule::LONG_STALL && !last.easing
    }

    /// Sums up the ladders.
    fn judge(&mut self, at: Duration, held: [bool; 4]) -> Judgement {
        let mut transitions = Vec::new();
        let stretch = self.flaps.stretch(at);
        let standings = Resource::ALL.map(|resource| {
            let index = resource as usize;
            let ladder = &self.ladders[index];
            let top = ladder.top();
            let (level, rule) = top.map_or((Level::Normal, Rule::Calm), |r| (r.level, r.rule()));
            transitions.extend(shift(&mut self.standing[index], at, level).map(|from| {
                Transition {
                    resource: Some(resource),
                    at,
                    from,
                    to: level,
                    rule,
                }
            }));
            let sign = top.or(ladder.rungs.first()).and_then(Rung::sign);
            Standing {
                resource,
                level,
                since: self.standing[index].1,
                rule,
                value: sign.map(|s| s.value),
                enter_at: sign.map(|s| s.enter_at),
                leave: top.and_then(|rung| leave(rung, stretch)),
                held: held[index],
            }
        });
        let (level, by, rule) = overall(&standings, self.predicted.is_on());
        if let Some(from) = shift(&mut self.standing[4], at, level) {
            let transition = Transition {
                resource: None,
                at,
                from,
                to: level,
                rule,
            };
            if transition.counts() {
                self.flaps.count(at);
            }
            transitions.push(transition);
        }
        Judgement {
            at,
            level,
            since: self.standing[4].1,
            by,
            rule,
            standings,
            predicted: self.predicted.is_on(),
            locked: self.flaps.is_locked(at),
            transitions,
        }
    }
}

/// Memory is known: a share of a limit that exists.
fn has_memory(m: &Measured) -> bool {
    m.limit > 0 && m.memory.is_finite()
}

fn forecast(predicted: bool) -> Sign {
    Sign {
        value: f64::from(u8::from(predicted)),
        enter_at: 1.0,
        leave_below: 1.0,
        enter: predicted.then_some(Rule::Predicted),
        leave: !predicted,
    }
}

fn leave(rung: &Rung, stretch: u32) -> Option<Leave> {
    let below = rung.sign()?.leave_below;
    let (dwell, lasted) = rung.leaving(stretch);
    Some(Leave {
        below,
        dwell,
        lasted,
    })
}

/// The worst resource; a forecast lifts normal to elevated.
fn overall(standings: &[Standing; 4], predicted: bool) -> (Level, Option<Resource>, Rule) {
    let mut worst = (Level::Normal, None, Rule::Calm);
    for standing in standings {
        if standing.level > worst.0 {
            worst = (standing.level, Some(standing.resource), standing.rule);
        }
    }
    if predicted && worst.0 < Level::Elevated {
        worst = (Level::Elevated, None, Rule::Predicted);
    }
    worst
}

/// Notes a level; gives the one before if it is another.
fn shift(slot: &mut (Level, Duration), at: Duration, level: Level) -> Option<Level> {
    let from = slot.0;
    if from == level {
        return None;
    }
    *slot = (level, at);
    Some(from)
}

#[cfg(test)]
mod tests;
