//! Judges a sample: levels, forecasts, features, the limit, alerts.
//!
//! Invariant: without a sample nothing is assumed to have become better: the
//! conditions age, and the gate treats them as stale by itself.

mod alarms;

use std::time::Duration;

use shared::model::{Level, Priority};

use super::{Governor, STALE_SAMPLES, Tick, Ticked};
use crate::{
    admission::Off,
    bottleneck::Observation,
    capacity::Capacity,
    feature::{Changes, Rule, Situation, State},
    forecast::{By, Eta, Outlook, Regime, horizon},
    health::{self, Health},
    history::Reading,
    level::{Judgement, Resource},
    limit::Load,
    pattern::{Figure, Values},
    profile::Share,
    sample::Measured,
    stuck::Gate,
};

/// Sampled fast from this distance to the high threshold on.
const NEAR: f64 = 0.15;
/// How long a task may wait before the worker's health suffers from it: a
/// minute, in which an operator can still act.
const WAIT_OBJECTIVE: Duration = Duration::from_mins(1);
/// What a category that the profile leaves out may take when an operator
/// switches one of its features on: as much as the balanced profile gives to
/// experimental ones.
const ORDERED_SHARE: Share = Share::Slots(0.25);

impl Governor {
    /// Looks at the world and decides.
    pub fn tick(&mut self, tick: &Tick) -> Ticked {
        let sampled = self.sample(tick);
        let transitions = match &self.judgement {
            Some(judgement) if sampled => judgement.transitions.clone(),
            _ => Vec::new(),
        };
        let changes = self.resolve_features(tick.at);
        if sampled {
            self.adjust_limit(tick);
        }
        let escape = self.escape(tick);
        self.assess_health(tick);
        self.collect(tick);
        self.remember(tick);
        let notes = self.raise(tick.at, &changes);
        self.since.kills = 0;
        self.since.denied.clear();
        Ticked {
            level: self.level(),
            transitions,
            features: changes.changes,
            effects: changes.effects,
            notes,
            slots: self.conditions.slots,
            health: self.health.as_ref().map_or(0.0, |health| health.score),
            escape,
            next: self.pace(),
        }
    }

    /// Takes a sample in; `false` if there is none.
    fn sample(&mut self, tick: &Tick) -> bool {
        let Some(raw) = &tick.sample else {
            return false;
        };
        let measured = self.meter.measure(raw);
        let capacity = Capacity::of(raw);
        if measured.limit != self.measured.limit {
            self.memory.restart(Regime::Capacity);
        }
        self.ledger.observe(measured.at, measured.used);
        self.since.kills += measured.oom_kills;
        let predicted = self.forecast(tick, &measured);
        let judgement = self.levels.observe(&measured, capacity.hard(), predicted);
        self.judgement = Some(judgement);
        self.measured = measured;
        let thresholds = &self.profile.thresholds;
        let conditions = &mut self.conditions;
        conditions.at = measured.at;
        conditions.used = measured.used;
        conditions.limit = measured.limit;
        conditions.hard = capacity.hard();
        conditions.critical = capacity.critical_bytes(thresholds);
        conditions.high = capacity.high_bytes(thresholds);
        conditions.cores = measured.cores;
        conditions.known = measured.known;
        // By the base rate also while sampling fast: on a busy machine a thread
        // is late by more than a few fast samples.
        self.conditions.stale_after = self.profile.sample_base * STALE_SAMPLES;
        true
    }

    /// Whether a forecast that may act sees the high level coming.
    fn forecast(&mut self, tick: &Tick, measured: &Measured) -> bool {
        let Self {
            profile, pattern, ..
        } = &*self;
        let thresholds = profile.thresholds;
        let horizon = horizon(self.sheddable_p95(), profile.prediction.horizon_factor);
        let usual = tick
            .hour
            .and_then(|hour| pattern.around(hour, Figure::Memory));
        let booked = self.ledger.totals().bytes;
        let base = self.ledger.base().unwrap_or(measured.used);
        let committed = share(base.saturating_add(booked), measured.limit);
        let memory = Outlook {
            high: thresholds.memory_high,
            critical: thresholds.memory_critical,
            horizon,
            committed: measured.known.then_some(committed),
            usual,
        };
        let disk = Outlook {
            high: thresholds.disk_high,
            critical: thresholds.disk_critical,
            horizon,
            committed: None,
            usual: None,
        };
        self.forecasts = (
            self.memory
                .observe(measured.at, Some(measured.memory), &memory),
            self.disk.observe(measured.at, measured.disk, &disk),
        );
        self.predicted().is_some()
    }

    /// The worst level that a forecast sees which may act. What the inventory
    /// expects to be high only warns: the ledger has bounded what it booked by
    /// the ceiling of its class, and a worker that is full as it should be
    /// would otherwise switch features off for a minute each time.
    fn predicted(&self) -> Option<Level> {
        let (memory, disk) = &self.forecasts;
        if !self.profile.prediction.acts {
            return None;
        }
        if memory.acts_on_critical() || disk.acts_on_critical() {
            return Some(Level::Critical);
        }
        let by_trend = |eta: &Eta| eta.acts && eta.by != By::Inventory;
        let high = [memory, disk].into_iter().filter_map(|it| it.high);
        high.filter(by_trend).map(|_| Level::High).next()
    }

    /// How long what may be shed and runs now is likely to go on.
    fn sheddable_p95(&self) -> Option<Duration> {
        let room = self.room();
        let running = self.in_flight.iter().enumerate();
        running
            .filter(|(_, count)| **count > 0)
            .filter_map(|(place, _)| {
                let kind = u16::try_from(place).ok()?;
                let sheddable =
                    self.setup.kinds[place].category != shared::model::Category::Essential;
                sheddable.then(|| self.estimates.before_pull(kind, &room).p95)
            })
            .max()
    }

    /// Resolves every feature for this moment, and with them who may start.
    pub(super) fn resolve_features(&mut self, at: Duration) -> Changes {
        let level = self.level();
        let without_cpu = self.judgement.as_ref();
        let without_cpu =
            without_cpu.map_or(level, |judgement| judgement.level_without(Resource::Cpu));
        let situation = Situation {
            at,
            level,
            level_without_cpu: without_cpu,
            predicted: self.predicted(),
            profile: &self.profile,
            known: self.measured.known,
            in_flight: self.ledger.totals().in_flight(),
            in_flight_by_feature: &self.in_flight,
            memory: self.measured.memory,
            used: self.measured.used,
            cpu: self.measured.cpu,
        };
        let changes = self.features.observe(&situation);
        self.refresh();
        changes
    }

    /// Brings into the conditions which features are off, for whom.
    pub(super) fn refresh(&mut self) {
        let in_flight = self.ledger.totals().in_flight();
        let states = self.features.states();
        for (kind, off) in self.setup.kinds.iter().zip(&mut self.conditions.off) {
            let state = states.iter().find(|state| state.name == kind.name);
            *off = state.map_or(Off::No, |state| off_by(state, in_flight));
        }
        for (category, place) in shared::model::Category::ALL
            .into_iter()
            .zip(&mut self.conditions.shares)
        {
            let ordered = |state: &State| {
                state.category == category
                    && state.enabled
                    && matches!(state.rule, Rule::Manual { .. })
            };
            *place = match self.profile.share(category) {
                Share::Off if states.iter().any(ordered) => ORDERED_SHARE,
                share => share,
            };
        }
    }

    fn adjust_limit(&mut self, tick: &Tick) {
        let Some(judgement) = &self.judgement else {
            return;
        };
        let totals = self.ledger.totals();
        let load = Load {
            at: tick.at,
            level: judgement.level_without(Resource::Cpu),
            cpu: judgement.of(Resource::Cpu).level,
            in_flight: totals.ordinary,
            completed: self.since.completed,
            workers: tick.workers.max(1),
            cpu_floor: whole(self.profile.cpu_weight_cap * self.measured.cores),
        };
        self.conditions.slots = self.limit.observe(&load);
    }

    fn escape(&mut self, tick: &Tick) -> Option<super::Escape> {
        let totals = self.ledger.totals();
        self.resident = tick.resident;
        let idle = totals.in_flight() == 0 && totals.abandoned == 0;
        if idle {
            self.resident_idle = match self.resident_idle {
                0 => tick.resident,
                least => least.min(tick.resident.max(1)),
            };
        }
        let known = tick.resident > 0 && self.resident_idle > 0;
        self.stuck.observe(&Gate {
            at: tick.at,
            shut_since: self.ledger.shut_since(tick.at),
            in_flight: totals.in_flight(),
            excess: known.then(|| tick.resident.saturating_sub(self.resident_idle)),
            limit: self.measured.limit,
            may_recycle: true,
        })
    }

    fn assess_health(&mut self, tick: &Tick) {
        let (completed, failed) = tick.ended;
        for _ in 0..completed {
            self.successes.count(tick.at, true);
        }
        for _ in 0..failed {
            self.successes.count(tick.at, false);
        }
        let measured = &self.measured;
        let health: Health = health::health(&health::Inputs {
            thresholds: &self.profile.thresholds,
            level: self.level(),
            known: measured.known && !self.is_stale(tick.at),
            memory: Some(measured.memory),
            cpu: measured.cpu,
            memory_full: measured.memory_full,
            io_full: measured.io_full,
            lateness_p99: measured.lateness_p99,
            disk: measured.disk,
            success: self.successes.rate(tick.at),
            wait: tick.waited_p95.map(|waited| (waited, WAIT_OBJECTIVE)),
        });
        self.health = Some(health);
    }

    /// Gathers the evidence of what holds the worker back.
    fn collect(&mut self, tick: &Tick) {
        let totals = self.ledger.totals();
        let wall = self.since.wall.as_secs_f64();
        let busy = (wall > 0.0).then(|| self.since.cpu.as_secs_f64() / wall);
        (self.since.cpu, self.since.wall) = (Duration::ZERO, Duration::ZERO);
        self.collector.observe(&Observation {
            at: tick.at,
            measured: &self.measured,
            thresholds: &self.profile.thresholds,
            slots_used: totals.in_flight(),
            slots_limit: self.conditions.slots(),
            slots_cap: self.setup.concurrency,
            busy,
            waiting: tick.backlog,
            fetched: std::mem::take(&mut self.since.granted),
        });
    }

    /// Keeps what was measured, and learns the week's pattern from it.
    fn remember(&mut self, tick: &Tick) {
        let measured = &self.measured;
        let in_flight = self.ledger.totals().in_flight();
        let sampled = tick.sample.is_some();
        self.history.observe(&Reading {
            at: tick.at,
            memory: sampled.then_some(measured.memory),
            cpu: measured.cpu.filter(|_| sampled),
            disk: measured.disk.filter(|_| sampled),
            pressure: measured.memory_some.filter(|_| sampled),
            level: Some(self.level().rank()),
            in_flight: Some(in_flight),
            health: self.health.as_ref().map(|health| health.score),
        });
        let minute = tick.at.as_secs() / 60;
        if self.minute == Some(minute) || !sampled {
            return;
        }
        self.minute = Some(minute);
        if let Some(hour) = tick.hour {
            let values = Values {
                memory: Some(measured.memory),
                cpu: measured.cpu,
                arrivals: None,
                in_flight: Some(f64::from(in_flight)),
            };
            self.pattern.observe(hour, &values);
        }
    }

    /// Whether the last sample is too old to go by.
    pub(super) fn is_stale(&self, at: Duration) -> bool {
        at.saturating_sub(self.conditions.at) > self.conditions.stale_after
    }

    /// How soon to look again: soon near a threshold or above it.
    pub(super) fn pace(&self) -> Duration {
        let near = self.measured.memory >= self.profile.thresholds.memory_high - NEAR;
        if near || self.level() > Level::Normal {
            self.profile.sample_fast
        } else {
            self.profile.sample_base
        }
    }

    /// The judgement of the last sample.
    #[must_use]
    pub fn judgement(&self) -> Option<&Judgement> {
        self.judgement.as_ref()
    }
}

/// Who switched a feature off, for tasks that its rule binds.
fn off_by(state: &State, in_flight: u32) -> Off {
    if !state.binds(Priority::Low, in_flight) {
        return Off::No;
    }
    match state.rule {
        Rule::Manual { .. } => Off::Manual,
        Rule::Emergency { .. } => Off::Emergency,
        Rule::Profile { .. } => Off::Profile,
        _ => Off::Automatic,
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes stay below 2^53")]
fn share(of: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    of as f64 / whole as f64
}

/// A number of processors, rounded up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small positive number; the cast saturates"
)]
fn whole(cores: f64) -> u32 {
    cores.ceil().max(1.0) as u32
}
