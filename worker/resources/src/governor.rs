//! The whole machine: events in, decisions out.
//!
//! The worker tells what happened, each thing with its time: a [`Tick`] with a
//! sample, a question before a pull, a size in hand, the end of a run, an
//! operator's orders. The governor keeps everything that follows from it and
//! answers at once. In reading order: [`setup`] is what it begins with;
//! [`tick`] judges samples; [`decide`] answers questions; [`view`] says why.
//!
//! Invariant: a pure function of its setup and the events, in their order.
//!
//! Deliberately absent: locks, clocks, threads; whether anybody obeys.

mod assess;
mod decide;
pub mod setup;
pub mod tick;
mod view;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use shared::model::{Level, Priority, ProfileName};

use crate::{
    admission::{Conditions, Ledger, Off},
    alert::Alerts,
    bottleneck::Collector,
    estimate::Estimates,
    feature::{Change, Features, Override},
    forecast::{Forecast, Forecaster},
    health::{Health, Successes},
    history::History,
    level::{Judgement, Levels},
    limit::Limit,
    meter::Meter,
    pattern::Pattern,
    profile::{Profile, Share},
    sample::Measured,
    stuck::{RECYCLE_EVERY, Stuck},
};

pub use decide::{Misfit, Spent};
pub use setup::{Kind, Setup};
pub use tick::{Tick, Ticked};

pub use crate::stuck::Escape;

/// Everything that a worker knows and decides about its resources.
#[derive(Clone, Debug)]
pub struct Governor {
    setup: Setup,
    profile: Profile,
    meter: Meter,
    measured: Measured,
    levels: Levels,
    judgement: Option<Judgement>,
    memory: Forecaster,
    disk: Forecaster,
    forecasts: (Forecast, Forecast),
    pattern: Pattern,
    features: Features,
    alerts: Alerts,
    history: History,
    successes: Successes,
    health: Option<Health>,
    collector: Collector,
    estimates: Estimates,
    ledger: Ledger,
    limit: Limit,
    stuck: Stuck,
    conditions: Conditions,
    /// What is kept between ticks for the next one.
    since: Since,
    /// Runs under way by type, in the order of the types.
    in_flight: Vec<u32>,
    /// The size bucket of each booking in hand, for what is learned of it.
    buckets: BTreeMap<u64, u8>,
    /// Types of which a task came that can never fit here.
    too_large: BTreeMap<u16, (Duration, u64)>,
    minute: Option<u64>,
    /// The least resident memory of an idle worker, in bytes; 0 before it was
    /// idle.
    resident_idle: u64,
    /// Resident memory at the last tick, in bytes.
    resident: u64,
}

/// What happened in the meantime.
#[derive(Clone, Debug, Default)]
struct Since {
    /// Runs that ended since the worker's start.
    completed: u64,
    /// Bookings since the tick before.
    granted: u32,
    /// Kills for want of memory since the tick before.
    kills: u64,
    /// Questions that were refused since the tick before.
    denied: BTreeSet<(u16, Priority)>,
    /// Processor time and duration of the runs that ended since the tick
    /// before.
    cpu: Duration,
    wall: Duration,
}

impl Governor {
    /// A governor that has seen nothing: it grants no more than what can be
    /// known to be safe without a sample.
    ///
    /// # Errors
    /// A retention that cannot be kept.
    pub fn new(setup: Setup) -> Result<Self, crate::history::BadRetention> {
        let catalogue = setup.catalogue();
        let kinds = u16::try_from(setup.kinds.len()).unwrap_or(u16::MAX);
        let declared = setup.kinds.iter().map(|kind| (&*kind.name, kind.declared));
        let most = most(setup.concurrency);
        let profile = setup.profile;
        Ok(Self {
            meter: Meter::new(),
            measured: Measured::default(),
            levels: Levels::new(&profile.thresholds),
            judgement: None,
            memory: Forecaster::memory(),
            disk: Forecaster::disk(),
            forecasts: (Forecast::default(), Forecast::default()),
            pattern: Pattern::default(),
            features: Features::new(&catalogue),
            alerts: Alerts::new(&setup.worker),
            history: History::new(&setup.retention)?,
            successes: Successes::default(),
            health: None,
            collector: Collector::default(),
            estimates: Estimates::new(declared),
            ledger: Ledger::new(kinds, most),
            limit: Limit::new(setup.concurrency, setup.seed),
            stuck: Stuck::new(RECYCLE_EVERY),
            conditions: before_the_first_sample(&setup, &profile),
            since: Since::default(),
            resident_idle: 0,
            resident: 0,
            in_flight: vec![0; setup.kinds.len()],
            buckets: BTreeMap::new(),
            too_large: BTreeMap::new(),
            minute: None,
            profile,
            setup,
        })
    }

    /// Goes by this profile from now on; `None` goes back to the configured
    /// one. Figures that were configured stay with the profile they were
    /// configured for.
    fn set_profile(&mut self, name: Option<ProfileName>) {
        let profile = match name {
            Some(name) if name != self.setup.profile.name => Profile::preset(name),
            _ => self.setup.profile,
        };
        if profile == self.profile {
            return;
        }
        self.levels.set_thresholds(&profile.thresholds);
        self.memory.restart(crate::forecast::Regime::Profile);
        self.disk.restart(crate::forecast::Regime::Profile);
        self.profile = profile;
        self.conditions.cpu_weight_cap = profile.cpu_weight_cap;
        self.conditions.reserve = profile.reserve;
        self.conditions.shares = shares(&profile);
        self.refresh();
    }

    /// Follows operators' orders: all overrides in force, and the profile. They
    /// count at once, not at the next sample. Says which features changed.
    pub fn order(
        &mut self,
        at: Duration,
        overrides: &[Override],
        profile: Option<ProfileName>,
    ) -> Vec<Change> {
        self.features.order(at, overrides);
        self.set_profile(profile);
        self.resolve_features(at).changes
    }

    /// Goes on with what the fleet has learned of tasks.
    pub fn adopt(&mut self, fleet: &crate::estimate::Learned) {
        self.estimates.adopt(fleet);
    }

    /// What was learned of tasks since this was last asked.
    #[must_use]
    pub fn take_learned(&mut self) -> crate::estimate::Learned {
        self.estimates.take_fresh()
    }

    /// Takes back what could not be kept.
    pub fn restore_learned(&mut self, fresh: &crate::estimate::Learned) {
        self.estimates.restore(fresh);
    }

    /// The hour-of-week pattern of this host.
    #[must_use]
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Takes in a pattern that was kept from before.
    pub fn recall_pattern(&mut self, kept: &Pattern) {
        self.pattern.merge(kept);
    }

    /// The whole fleet was paused and is released: comes back slowly, not in
    /// step with the other workers.
    pub fn reopen(&mut self, at: Duration, workers: u32) {
        self.limit.reopen(at, workers);
        self.conditions.slots = self.limit.slots();
    }

    /// The profile in force.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The overall level.
    #[must_use]
    pub fn level(&self) -> Level {
        self.judgement
            .as_ref()
            .map_or(Level::Normal, |judgement| judgement.level)
    }

    /// Whether the expensive optional parts of handlers run for a task that
    /// starts now.
    #[must_use]
    pub fn advanced(&self, priority: Priority) -> bool {
        let in_flight = self.ledger.totals().in_flight();
        self.features
            .binds(crate::feature::ADVANCED_ANALYTICS, priority, in_flight)
            .is_none()
    }

    /// The most permits that can be out at once.
    #[must_use]
    pub fn most(&self) -> u32 {
        most(self.setup.concurrency)
    }
}

/// Slots, and the bypass of critical and high work on top of them: at most a
/// quarter, at least one.
#[must_use]
pub fn most(concurrency: u32) -> u32 {
    concurrency + concurrency.div_ceil(4).max(1)
}

fn shares(profile: &Profile) -> [Share; 4] {
    shared::model::Category::ALL.map(|category| profile.share(category))
}

/// Nothing is known yet: no memory is promised, and no more tasks than one.
fn before_the_first_sample(setup: &Setup, profile: &Profile) -> Conditions {
    Conditions {
        at: Duration::ZERO,
        stale_after: profile.sample_base * STALE_SAMPLES,
        used: 0,
        limit: 0,
        hard: 0,
        critical: 0,
        high: 0,
        cores: 1.0,
        known: false,
        slots: setup.concurrency,
        cpu_weight_cap: profile.cpu_weight_cap,
        reserve: profile.reserve,
        shares: shares(profile),
        off: vec![Off::No; setup.kinds.len()],
    }
}

/// A measurement older than so many samples is stale.
const STALE_SAMPLES: u32 = 3;
