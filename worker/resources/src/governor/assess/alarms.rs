//! What people should know of a tick: the conditions of alerts.
//!
//! Invariant: a condition holds as long as its cause does; of what could not be
//! measured nothing is said, and nothing is resolved.

use std::time::Duration;

use shared::model::Level;

use super::Governor;
use crate::{
    alert::{Condition, Kind, Note},
    feature::Changes,
    forecast::Forecast,
    level::{Resource, Standing},
};

/// A task that could never fit is told of for so long after it came.
const TOO_LARGE_FOR: Duration = Duration::from_mins(5);

impl Governor {
    /// What is to be told now.
    pub(super) fn raise(&mut self, at: Duration, changes: &Changes) -> Vec<Note> {
        let mut holding = Vec::new();
        let mut unseen = Vec::new();
        let stale = self.is_stale(at);
        if stale {
            unseen.extend(Resource::ALL.map(Resource::as_str));
        } else if let Some(judgement) = &self.judgement {
            for standing in &judgement.standings {
                levels(&mut holding, standing);
            }
            for standing in judgement.standings.iter().filter(|it| it.held) {
                unseen.push(standing.resource.as_str());
            }
        }
        for (name, forecast) in [("memory", &self.forecasts.0), ("disk", &self.forecasts.1)] {
            predicted(&mut holding, name, forecast);
        }
        self.kills(&mut holding);
        self.blind(&mut holding, at, stale);
        self.shut(&mut holding);
        for conflict in &changes.conflicts {
            let message = format!(
                "{} keeps {} on although the level is {}",
                conflict.by, conflict.feature, conflict.level
            );
            let value = (
                f64::from(conflict.level.rank()),
                f64::from(Level::Critical.rank()),
            );
            holding.push(condition(
                Kind::OverrideConflict,
                &conflict.feature,
                value,
                message,
            ));
        }
        self.too_large(&mut holding, at);
        self.alerts.observe(at, &holding, &unseen)
    }

    fn kills(&self, holding: &mut Vec<Condition>) {
        let kills = self.since.kills;
        if kills > 0 {
            let message = format!("the kernel ended {kills} processes for want of memory");
            holding.push(condition(
                Kind::OomKill,
                "memory",
                (count(kills), 0.0),
                message,
            ));
        }
    }

    fn blind(&self, holding: &mut Vec<Condition>, at: Duration, stale: bool) {
        let age = at.saturating_sub(self.conditions.at).as_secs_f64();
        let limit = self.conditions.stale_after.as_secs_f64();
        if stale {
            let message = format!("the last measurement is {age:.1} s old");
            holding.push(condition(
                Kind::MonitorBlind,
                "monitor",
                (age, limit),
                message,
            ));
        } else if self.judgement.is_some() && !self.measured.known {
            let message = "the limits of this worker cannot be read: it goes by the machine's, \
                           takes no more tasks than it has processors, and leaves advanced and \
                           experimental features off"
                .to_owned();
            holding.push(condition(Kind::MonitorBlind, "limits", (0.0, 1.0), message));
        }
    }

    fn shut(&self, holding: &mut Vec<Condition>) {
        let Some(facts) = self.stuck.facts().filter(|facts| facts.alarming) else {
            return;
        };
        let seconds = facts.closed_for.as_secs_f64();
        let message = format!(
            "the gate has been closed for {seconds:.0} s with nothing in flight{}",
            if facts.purged {
                ", although freed memory was given back"
            } else {
                ""
            }
        );
        let threshold = crate::stuck::RECYCLE_AFTER.as_secs_f64();
        holding.push(condition(
            Kind::GateStuck,
            "gate",
            (seconds, threshold),
            message,
        ));
    }

    fn too_large(&mut self, holding: &mut Vec<Condition>, at: Duration) {
        self.too_large
            .retain(|_, (since, _)| at.saturating_sub(*since) <= TOO_LARGE_FOR);
        for (kind, (_, bytes)) in &self.too_large {
            let name = &self.setup.kinds[usize::from(*kind)].name;
            let room = self.conditions.hard;
            let message = format!(
                "a task of {name} needs {} MiB, more than this worker could ever hold",
                bytes >> 20
            );
            holding.push(condition(
                Kind::TooLarge,
                name,
                (count(*bytes), count(room)),
                message,
            ));
        }
    }
}

fn levels(holding: &mut Vec<Condition>, standing: &Standing) {
    let name = standing.resource.as_str();
    let value = standing.value.unwrap_or(0.0);
    let threshold = standing
        .leave
        .as_ref()
        .map(|leave| leave.below)
        .or(standing.enter_at)
        .unwrap_or(0.0);
    for (level, kind) in [
        (Level::High, Kind::High),
        (Level::Critical, Kind::Critical),
        (Level::Emergency, Kind::Emergency),
    ] {
        if standing.level >= level {
            let message = format!(
                "{name} is {level}: {:.1} %, to be left below {:.1} %",
                value * 100.0,
                threshold * 100.0
            );
            holding.push(condition(kind, name, (value, threshold), message));
        }
    }
}

fn predicted(holding: &mut Vec<Condition>, name: &str, forecast: &Forecast) {
    for (eta, kind, level) in [
        (forecast.high, Kind::PredictedHigh, "high"),
        (forecast.critical, Kind::PredictedCritical, "critical"),
    ] {
        let Some(eta) = eta else { continue };
        let after = eta.crossing.and_then(|crossing| crossing.after);
        let when = after.map_or_else(
            || "when what runs has taken what it needs".to_owned(),
            |after| format!("in about {after:.0} s"),
        );
        let message = format!("{name} will be {level} {when}");
        let value = (after.unwrap_or(0.0), eta.threshold);
        holding.push(condition(kind, name, value, message));
    }
}

fn condition(
    kind: Kind,
    resource: &str,
    (value, threshold): (f64, f64),
    message: String,
) -> Condition {
    Condition {
        kind,
        resource: resource.to_owned(),
        level: kind.level(),
        value,
        threshold,
        message,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and bytes for people, below 2^53"
)]
fn count(of: u64) -> f64 {
    of as f64
}
