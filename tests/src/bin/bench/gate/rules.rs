//! The gates of the arms B and C, against which ours is measured: a naive pause, and the rule of Temporal's resource
//! tuner.
//!
//! Invariant: both look at the memory of their own group and at their slots, and at nothing else; a figure is at most
//! [`REFRESH`] old. Deliberately absent: estimates, reservations, hysteresis. Their want is what is measured.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use async_trait::async_trait;
use shared::model::Route;
use shared::store::query::Slots;
use tokio::sync::watch;
use worker::gate::{Admission, Book, Gate, Misfit, Permit, Shortage, Size, Spent};

use super::memory::Gauge;
use crate::process;

/// How old a memory figure gets: Dask's monitor and Temporal's both look ten times a second.
const REFRESH: Duration = Duration::from_millis(100);
/// How often the answer is computed anew without being asked: a fraction of the ramp throttle. Temporal's reservation
/// loop sleeps as long.
const TICK: Duration = Duration::from_millis(10);

/// Naive: above this share of the group's memory nothing starts.
const PAUSE_ABOVE: f64 = 0.8;

/// Temporal's target for memory.
const TARGET: f64 = 0.8;
/// Its proportional gain, the default of `ResourceBasedSlotsOptions`.
const P_GAIN: f64 = 5.0;
/// A slot is issued if the controller's output is above this, the default likewise: in effect below 75 %.
const OUTPUT_THRESHOLD: f64 = 0.25;
/// From one slot to the next, the default of activities.
const RAMP_THROTTLE: Duration = Duration::from_millis(50);
/// So many slots bypass every check, the default of activities.
const MINIMUM_SLOTS: u32 = 1;

/// Which rule a gate goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Stop above 80 % of usage as the kernel counts it, page cache included.
    Pause,
    /// A proportional controller on anonymous memory, a throttle, and a minimum that bypasses both. Its half for the
    /// processor is left out: the work here only waits, and neighbours on the machine would close it for no reason.
    Tuner,
}

impl Rule {
    fn reading(self, gauge: &Gauge) -> Result<u64> {
        match self {
            Self::Pause => gauge.usage(),
            Self::Tuner => gauge.anonymous(),
        }
    }

    /// What stands in the way of one more task.
    fn shortage(self, now: &Standing) -> Option<Shortage> {
        let memory = |limit| {
            Some(Shortage {
                resource: "memory",
                value: now.memory,
                limit,
            })
        };
        match self {
            Self::Pause if now.memory > PAUSE_ABOVE => memory(PAUSE_ABOVE),
            Self::Pause => None,
            Self::Tuner if now.used < MINIMUM_SLOTS => None,
            Self::Tuner => match now.since_issue {
                Some(since) if since <= RAMP_THROTTLE => Some(Shortage {
                    resource: "throttle",
                    value: since.as_secs_f64(),
                    limit: RAMP_THROTTLE.as_secs_f64(),
                }),
                _ if now.memory > TARGET || P_GAIN * (TARGET - now.memory) <= OUTPUT_THRESHOLD => {
                    memory(TARGET - OUTPUT_THRESHOLD / P_GAIN)
                }
                _ => None,
            },
        }
    }
}

/// What a rule may look at.
#[derive(Clone, Copy, Debug)]
struct Standing {
    used: u32,
    /// Share of the group's limit.
    memory: f64,
    since_issue: Option<Duration>,
}

/// A gate that goes by a rule.
#[derive(Debug)]
pub(crate) struct RuleGate(Arc<State>);

#[derive(Debug)]
struct State {
    rule: Rule,
    gauge: Gauge,
    limit: f64,
    cap: u32,
    inner: Mutex<Inner>,
    version: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    used: u32,
    memory: f64,
    read_at: Instant,
    issued_at: Option<Instant>,
    is_open: bool,
}

impl RuleGate {
    /// A gate with so many slots in a group with this limit; its look-out ends with the process.
    pub(crate) fn start(rule: Rule, cap: u32, gauge: Gauge, limit: u64) -> Result<Self> {
        let limit = f64::from(u32::try_from(limit >> 10)?) * 1024.0;
        let memory = share(rule.reading(&gauge)?, limit);
        let state = Arc::new(State {
            rule,
            gauge,
            limit,
            cap,
            inner: Mutex::new(Inner {
                used: 0,
                memory,
                read_at: Instant::now(),
                issued_at: None,
                is_open: true,
            }),
            version: watch::Sender::new(0),
        });
        let own = Arc::clone(&state);
        thread::Builder::new()
            .name("rule".to_owned())
            .spawn(move || {
                loop {
                    own.look();
                    process::pause(TICK);
                }
            })?;
        Ok(Self(state))
    }
}

impl State {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the memory if the figure is old, and tells if the answer changed.
    fn look(&self) {
        let is_old = self.inner().read_at.elapsed() >= REFRESH;
        // Outside the lock: admissions do not wait for the kernel.
        let reading = is_old.then(|| self.rule.reading(&self.gauge));
        let mut inner = self.inner();
        if let Some(Ok(bytes)) = reading {
            inner.memory = share(bytes, self.limit);
            inner.read_at = Instant::now();
        }
        self.settle(&mut inner);
    }

    fn shortage(&self, inner: &Inner) -> Option<Shortage> {
        if inner.used >= self.cap {
            return Some(Shortage {
                resource: "slots",
                value: f64::from(inner.used) + 1.0,
                limit: f64::from(self.cap),
            });
        }
        self.rule.shortage(&Standing {
            used: inner.used,
            memory: inner.memory,
            since_issue: inner.issued_at.map(|at| at.elapsed()),
        })
    }

    fn settle(&self, inner: &mut Inner) {
        let is_open = self.shortage(inner).is_none();
        if is_open != inner.is_open {
            inner.is_open = is_open;
            self.version.send_modify(|version| *version += 1);
        }
    }
}

#[async_trait]
impl Gate for RuleGate {
    fn admit(&self, _route: &Route) -> Admission {
        let state = &self.0;
        let mut inner = state.inner();
        if let Some(shortage) = state.shortage(&inner) {
            return Admission::Blocked(shortage);
        }
        inner.used += 1;
        inner.issued_at = Some(Instant::now());
        state.settle(&mut inner);
        Admission::Granted(Permit::new(0, Arc::clone(state) as Arc<dyn Book>))
    }

    fn would_admit(&self, _route: &Route) -> bool {
        self.0.shortage(&self.0.inner()).is_none()
    }

    fn most(&self) -> u32 {
        self.0.cap
    }

    fn slots(&self) -> Slots {
        Slots {
            used: self.0.inner().used,
            limit: self.0.cap,
            cap: self.0.cap,
        }
    }

    fn version(&self) -> u64 {
        *self.0.version.borrow()
    }

    async fn version_after(&self, seen: u64) -> u64 {
        let mut versions = self.0.version.subscribe();
        // Fails only without a sender, and this gate holds it.
        let other = versions.wait_for(|version| *version != seen).await;
        other.map_or(seen, |version| *version)
    }
}

impl Book for State {
    fn resize(&self, _booking: u64, _size: Size) -> Result<(), Misfit> {
        Ok(())
    }

    fn returned(&self, _booking: u64, _spent: Option<Spent>) {
        let mut inner = self.inner();
        inner.used = inner.used.saturating_sub(1);
        self.settle(&mut inner);
    }
}

fn share(bytes: u64, limit: f64) -> f64 {
    // Whole KiB are exact enough, and exact in an f64.
    f64::from(u32::try_from(bytes >> 10).unwrap_or(u32::MAX)) * 1024.0 / limit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(used: u32, memory: f64, since_ms: u64) -> Standing {
        Standing {
            used,
            memory,
            since_issue: Some(Duration::from_millis(since_ms)),
        }
    }

    #[test]
    fn the_pause_knows_memory_alone() {
        let blocks = |memory| Rule::Pause.shortage(&standing(3, memory, 0)).is_some();
        assert!(!blocks(0.80) && blocks(0.81));
    }

    #[test]
    fn the_tuner_throttles_keeps_a_margin_and_lets_its_minimum_pass() {
        let short = |used, memory, ms| {
            let shortage = Rule::Tuner.shortage(&standing(used, memory, ms));
            shortage.map(|shortage| shortage.resource)
        };
        assert_eq!(short(0, 0.99, 0), None, "the minimum bypasses every check");
        assert_eq!(short(1, 0.10, 50), Some("throttle"));
        assert_eq!(short(1, 0.10, 51), None);
        assert_eq!(short(1, 0.74, 99), None);
        assert_eq!(short(1, 0.76, 99), Some("memory"));
    }
}
