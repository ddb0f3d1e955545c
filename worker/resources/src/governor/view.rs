//! Says what the governor knows: the report of a heartbeat, and history.
//!
//! Invariant: looking changes nothing.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use shared::model::{Category, Level, Priority, TypeName};

use super::Governor;
use crate::{
    alert::Active,
    feature::State,
    forecast::{By, Eta},
    health::Health,
    history::{Resolution, Row},
    report::{Cpu, Disk, Feature, Forecast, Memory, Pressure, Report, Shortage, TypeLoad},
};

impl Governor {
    /// The report for a heartbeat at this time. What only the worker's process
    /// knows (its mode, its own memory and processor, the monitor's cost) is
    /// left to the caller.
    #[must_use]
    pub fn report(&self, at: Duration) -> Report {
        let judgement = self.judgement.as_ref();
        Report {
            known: self.measured.known && !self.is_stale(at),
            memory: self.memory_now(),
            cpu: Cpu {
                utilisation: self.measured.cpu,
                cores: self.measured.cores,
                process: 0.0,
                throttled: self.measured.throttled,
            },
            disk: self.disk_now(),
            pressure: self.pressure_now(),
            levels: judgement.map_or_else(BTreeMap::new, |judgement| {
                let standings = judgement.standings.iter();
                standings
                    .map(|it| (it.resource.as_str().to_owned(), it.level))
                    .collect()
            }),
            level_for_ms: judgement.map_or(0, |judgement| millis(at, judgement.since)),
            forecast: self.forecast_now(),
            features: self
                .features
                .states()
                .iter()
                .map(|state| self.feature(at, state))
                .collect(),
            shortages: self.shortages(at),
            health: self.health.as_ref().map_or_else(BTreeMap::new, parts),
            evidence: serde_json::to_value(self.collector.evidence(at)).unwrap_or(Value::Null),
            types: self.loads(),
            sample_every_ms: u64::try_from(self.pace().as_millis()).unwrap_or(u64::MAX),
            ..Report::default()
        }
    }

    /// The health of this worker; `None` before the first tick.
    #[must_use]
    pub fn health(&self) -> Option<&Health> {
        self.health.as_ref()
    }

    /// The alerts that fire or clear.
    #[must_use]
    pub fn active_alerts(&self) -> Vec<Active> {
        self.alerts.active().collect()
    }

    /// What was measured from `from` until before `to`.
    #[must_use]
    pub fn rows(&self, resolution: Resolution, from: Duration, to: Duration) -> Vec<Row> {
        self.history.rows(resolution, from, to)
    }

    fn memory_now(&self) -> Memory {
        let conditions = &self.conditions;
        let base = self.ledger.base().unwrap_or(conditions.used);
        Memory {
            used: conditions.used,
            limit: conditions.limit,
            utilisation: self.measured.memory,
            high: conditions.high,
            critical: conditions.critical,
            hard: conditions.hard,
            reserved: self.ledger.totals().bytes,
            room: conditions.hard.saturating_sub(base),
            resident: 0,
        }
    }

    fn disk_now(&self) -> Option<Disk> {
        let (free, total) = self.measured.disk_bytes?;
        Some(Disk {
            utilisation: self.measured.disk?,
            free,
            total,
        })
    }

    fn pressure_now(&self) -> Pressure {
        let measured = &self.measured;
        let lateness = measured.lateness_p99;
        Pressure {
            memory_some: measured.memory_some,
            memory_full: measured.memory_full,
            io_full: measured.io_full,
            lateness_p99_ms: lateness.map(|late| late.as_secs_f64() * 1000.0),
        }
    }

    /// The worst thing that a forecast sees.
    fn forecast_now(&self) -> Option<Forecast> {
        let named = [("memory", &self.forecasts.0), ("disk", &self.forecasts.1)];
        let worst = |level: Level, eta: fn(&crate::forecast::Forecast) -> Option<Eta>| {
            named
                .iter()
                .find_map(|(name, forecast)| Some((*name, level, eta(forecast)?)))
        };
        let (resource, level, eta) = worst(Level::Critical, |forecast| forecast.critical)
            .or_else(|| worst(Level::High, |forecast| forecast.high))?;
        Some(Forecast {
            resource: resource.to_owned(),
            level,
            in_s: eta
                .crossing
                .and_then(|crossing| crossing.after)
                .unwrap_or(0.0),
            by: match eta.by {
                By::Inventory => "inventory",
                By::ShortTrend | By::LongTrend => "regression",
            }
            .to_owned(),
        })
    }

    fn feature(&self, at: Duration, state: &State) -> Feature {
        let effect = self.features.effects().find(|it| it.feature == state.name);
        Feature {
            name: state.name.clone(),
            category: state.category,
            enabled: state.enabled,
            rule: state.rule.as_str().to_owned(),
            reason: state.reason.clone(),
            would_change: state.would_change.clone(),
            for_ms: state.until.map(|until| millis(until, at)),
            evidence: serde_json::to_value(state.evidence).unwrap_or(Value::Null),
            effect: effect.and_then(|effect| serde_json::to_value(effect).ok()),
        }
    }

    fn shortages(&self, at: Duration) -> Vec<Shortage> {
        let kinds = (0..).zip(&self.setup.kinds);
        kinds
            .flat_map(|(kind, named)| Priority::ALL.map(|priority| (kind, named, priority)))
            .filter_map(|(kind, named, priority)| {
                let shortage = self.shortage(at, kind, priority)?;
                let workflow_type: TypeName = named.name.parse().ok()?;
                Some(Shortage {
                    workflow_type,
                    priority,
                    resource: shortage.resource.as_str().to_owned(),
                    value: shortage.value,
                    limit: shortage.limit,
                    detail: shortage.to_string(),
                })
            })
            .collect()
    }

    fn loads(&self) -> Vec<TypeLoad> {
        let room = self.room();
        let kinds = (0..).zip(&self.setup.kinds).zip(&self.in_flight);
        kinds
            .filter_map(|((kind, named), in_flight)| {
                let estimate = self.estimates.before_pull(kind, &room);
                Some(TypeLoad {
                    workflow_type: named.name.parse().ok()?,
                    in_flight: *in_flight,
                    bytes: estimate.bytes,
                    cores: estimate.cores,
                    mean_ms: estimate.mean.as_secs_f64() * 1000.0,
                    p95_ms: estimate.p95.as_secs_f64() * 1000.0,
                    learned: estimate.is_confident(),
                })
            })
            .collect()
    }

    /// The category of a type.
    #[must_use]
    pub fn category(&self, kind: u16) -> Option<Category> {
        self.setup
            .kinds
            .get(usize::from(kind))
            .map(|it| it.category)
    }
}

fn parts(health: &Health) -> BTreeMap<String, f64> {
    let components = health.components.iter();
    components
        .filter_map(|each| {
            let name = serde_json::to_value(each.part).ok()?;
            Some((name.as_str()?.to_owned(), each.health * 100.0))
        })
        .collect()
}

fn millis(later: Duration, earlier: Duration) -> u64 {
    u64::try_from(later.saturating_sub(earlier).as_millis()).unwrap_or(u64::MAX)
}
