//! The life of one alert key.
//!
//! Invariant: a level rises at once and falls only after [`LINGER`] without a
//! higher one; a key resolves only after [`LINGER`] in which its condition was
//! seen not to hold.

use std::time::Duration;

use serde::Serialize;

use super::{
    Active, AlertLevel, Condition, Kind,
    desk::{Draft, What},
};

/// A low condition must hold at this many ticks in a row: forecasts are
/// nervous.
const LOW_TICKS: u32 = 3;
/// A medium condition must hold this long.
const MEDIUM_FOR: Duration = Duration::from_secs(5);
/// An alert keeps firing, and keeps its level, this long after its cause.
const LINGER: Duration = Duration::from_secs(30);
/// A critical alert that goes on is told again after this time.
const REPEAT_CRITICAL: Duration = Duration::from_mins(15);
/// Any other.
const REPEAT: Duration = Duration::from_hours(1);

/// Where the key stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    #[default]
    Inactive,
    /// It holds, not yet for long enough.
    Pending { since: Duration, ticks: u32 },
    /// It holds.
    Firing,
    /// It does not hold, not yet for long enough.
    Clearing { since: Duration },
    /// It is over; only the last message is due.
    Resolved,
}

/// One key.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Track {
    phase: Phase,
    /// What was last seen.
    seen: Option<Condition>,
    /// The alert's level while it fires or clears.
    level: Option<AlertLevel>,
    /// Lower levels were seen since then, at most this one.
    lower: Option<(Duration, AlertLevel)>,
    id: Option<String>,
    since: Duration,
    count: u64,
    told: Option<(Duration, AlertLevel)>,
}

impl Track {
    pub(super) fn holds(&mut self, at: Duration, condition: &Condition) {
        self.seen = Some(condition.clone());
        match self.phase {
            Phase::Inactive | Phase::Resolved => {
                self.phase = Phase::Pending {
                    since: at,
                    ticks: 1,
                };
            }
            Phase::Pending { since, ticks } => {
                self.phase = Phase::Pending {
                    since,
                    ticks: ticks.saturating_add(1),
                };
            }
            Phase::Firing => {}
            Phase::Clearing { .. } => {
                self.phase = Phase::Firing;
                self.count += 1;
            }
        }
        if let Phase::Pending { since, ticks } = self.phase
            && is_due(condition.level, at.saturating_sub(since), ticks)
        {
            self.phase = Phase::Firing;
            self.level = Some(condition.level);
            self.since = at;
            self.count = 1;
        }
        self.follow_level(at, condition.level);
    }

    fn follow_level(&mut self, at: Duration, seen: AlertLevel) {
        let Some(level) = self.level else { return };
        if seen >= level {
            self.level = Some(seen);
            self.lower = None;
            return;
        }
        let (since, most) = self
            .lower
            .map_or((at, seen), |(since, most)| (since, most.max(seen)));
        if at.saturating_sub(since) >= LINGER {
            self.level = Some(most);
            self.lower = (seen < most).then_some((at, seen));
        } else {
            self.lower = Some((since, most));
        }
    }

    pub(super) fn holds_not(&mut self, at: Duration) {
        match self.phase {
            Phase::Pending { .. } => self.phase = Phase::Inactive,
            Phase::Firing => self.phase = Phase::Clearing { since: at },
            Phase::Clearing { since } if at.saturating_sub(since) >= LINGER => {
                self.phase = Phase::Resolved;
            }
            Phase::Inactive | Phase::Clearing { .. } | Phase::Resolved => {}
        }
    }

    /// What is to be told now; asked until it has nothing more to say.
    pub(super) fn next(&self, at: Duration) -> Option<What> {
        let level = self.level?;
        let what = match (self.phase, self.told) {
            (Phase::Resolved, Some(_)) => What::Over,
            (_, told) if told.is_none_or(|(_, told)| told != level) => What::Holds,
            (Phase::Firing, Some((when, _))) if at.saturating_sub(when) >= repeat_after(level) => {
                What::Again
            }
            _ => return None,
        };
        Some(what)
    }

    /// Puts it into words, and notes that it was said.
    pub(super) fn draft(
        &mut self,
        at: Duration,
        what: What,
        key: String,
        new_id: impl FnOnce() -> String,
    ) -> Draft {
        let level = self.level.unwrap_or(AlertLevel::Low);
        let id = self.id.get_or_insert_with(new_id).clone();
        self.told = Some((at, level));
        let (value, threshold, message) = self.seen.as_ref().map_or_else(
            || (0.0, 0.0, String::new()),
            |seen| (seen.value, seen.threshold, seen.message.clone()),
        );
        let draft = Draft {
            id,
            key,
            what,
            level,
            message,
            value,
            threshold,
            since: self.since,
            count: self.count,
        };
        if what == What::Over {
            *self = Self::default();
        }
        draft
    }

    pub(super) fn is_inactive(&self) -> bool {
        self.phase == Phase::Inactive
    }

    pub(super) fn active(&self, resource: &str, kind: Kind, worker: &str) -> Option<Active> {
        let seen = self.seen.as_ref()?;
        Some(Active {
            id: self.id.clone()?,
            key: format!("{worker}/{resource}/{}", kind.as_str()),
            kind,
            resource: resource.to_owned(),
            level: self.level?,
            clearing: matches!(self.phase, Phase::Clearing { .. }),
            message: seen.message.clone(),
            value: seen.value,
            threshold: seen.threshold,
            since: self.since,
            count: self.count,
        })
    }
}

fn is_due(level: AlertLevel, held: Duration, ticks: u32) -> bool {
    match level {
        AlertLevel::Low => ticks >= LOW_TICKS,
        AlertLevel::Medium => held >= MEDIUM_FOR,
        AlertLevel::High | AlertLevel::Critical => true,
    }
}

fn repeat_after(level: AlertLevel) -> Duration {
    match level {
        AlertLevel::Critical => REPEAT_CRITICAL,
        _ => REPEAT,
    }
}
