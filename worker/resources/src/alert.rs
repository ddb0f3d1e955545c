//! What people are told, how soon, how often, and when it is over.
//!
//! Per key (worker, resource, kind) an alert goes Inactive -> Pending ->
//! Firing -> Clearing -> Resolved ([`track`]); what is to be told passes a
//! token bucket ([`desk`]). [`webhook`] is the pure part of a delivery.
//!
//! A condition holds as long as its cause does: at a critical level the
//! condition [`Kind::High`] holds too, so that it is not resolved because
//! things got worse.
//!
//! Invariant: an alert is told as firing before anything else is told of it,
//! and each told alert is told as resolved once. Data that is missing resolves
//! nothing. A critical alert is never dropped.
//!
//! Deliberately absent: callbacks, requests, signatures, the store, the
//! suppression of duplicates between workers, and the detection of flapping.

mod desk;
mod track;
pub mod webhook;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
pub use shared::model::AlertLevel;

use desk::Desk;
use track::Track;

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A high level is predicted within the horizon.
    PredictedHigh,
    /// A resource is at least high.
    High,
    /// A resource is at least critical.
    Critical,
    /// A critical level is predicted within the horizon.
    PredictedCritical,
    /// Memory or disk is at its end.
    Emergency,
    /// The kernel ended a process for want of memory.
    OomKill,
    /// An operator keeps a feature on against a critical level.
    OverrideConflict,
    /// The worker cannot tell how much of something there is.
    MonitorBlind,
    /// The gate has been closed without progress.
    GateStuck,
    /// A task can never fit on this worker.
    TooLarge,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::PredictedHigh,
        Self::High,
        Self::Critical,
        Self::PredictedCritical,
        Self::Emergency,
        Self::OomKill,
        Self::OverrideConflict,
        Self::MonitorBlind,
        Self::GateStuck,
        Self::TooLarge,
    ];

    /// The kind's name in keys and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PredictedHigh => "predicted_high",
            Self::High => "high",
            Self::Critical => "critical",
            Self::PredictedCritical => "predicted_critical",
            Self::Emergency => "emergency",
            Self::OomKill => "oom_kill",
            Self::OverrideConflict => "override_conflict",
            Self::MonitorBlind => "monitor_blind",
            Self::GateStuck => "gate_stuck",
            Self::TooLarge => "too_large",
        }
    }

    /// How much it matters, unless the circumstances say otherwise.
    #[must_use]
    pub const fn level(self) -> AlertLevel {
        match self {
            Self::PredictedHigh => AlertLevel::Low,
            // A task that fits nowhere waits; the worker itself is well.
            Self::High | Self::TooLarge => AlertLevel::Medium,
            Self::Critical
            | Self::PredictedCritical
            | Self::OverrideConflict
            | Self::MonitorBlind => AlertLevel::High,
            Self::Emergency | Self::OomKill | Self::GateStuck => AlertLevel::Critical,
        }
    }
}

/// Something that holds at a tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// What it is about.
    pub kind: Kind,
    /// The resource, feature or workflow type that it concerns.
    pub resource: String,
    /// How much it matters; [`Kind::level`] unless there is reason to differ.
    pub level: AlertLevel,
    /// What was measured.
    pub value: f64,
    /// What it is measured against.
    pub threshold: f64,
    /// One sentence for people: no personal data.
    pub message: String,
}

/// What a note says of its alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoteState {
    /// It began.
    Firing,
    /// It still holds.
    Repeated,
    /// It matters more than told before.
    Escalated,
    /// It matters less than told before.
    Deescalated,
    /// It is over.
    Resolved,
}

/// One message to people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// The alert: one from its first firing to its end.
    pub id: String,
    /// Worker, resource and kind: the same for every alert of this sort.
    pub key: String,
    /// 1 for the alert's first note; grows by one.
    pub seq: u32,
    /// When, since the worker's start.
    pub at: Duration,
    /// What it says.
    pub state: NoteState,
    /// How much the alert matters.
    pub level: AlertLevel,
    /// The latest sentence of its condition.
    pub message: String,
    /// The latest measurement.
    pub value: f64,
    /// What it is measured against.
    pub threshold: f64,
    /// Since when the alert fires.
    pub since: Duration,
    /// How often the condition began within this alert.
    pub count: u64,
    /// Messages that were withheld by the rate limit since the note before.
    pub suppressed: u32,
    /// Notes of other critical alerts that share this one's place, because
    /// the rate limit left no more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Note>,
}

/// An alert that has not resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Active {
    /// As in [`Note::id`].
    pub id: String,
    /// As in [`Note::key`].
    pub key: String,
    /// What it is about.
    pub kind: Kind,
    /// What it concerns.
    pub resource: String,
    /// How much it matters now.
    pub level: AlertLevel,
    /// The condition does not hold at the moment; the alert resolves if that
    /// lasts.
    pub clearing: bool,
    /// The latest sentence.
    pub message: String,
    /// The latest measurement.
    pub value: f64,
    /// What it is measured against.
    pub threshold: f64,
    /// Since when it fires.
    pub since: Duration,
    /// How often its condition began.
    pub count: u64,
}

/// What identifies an alert within its worker.
type Key = (String, Kind);

/// All alerts of a worker.
#[derive(Clone, Debug, Serialize)]
pub struct Alerts {
    worker: String,
    #[serde(serialize_with = "as_list")]
    tracks: BTreeMap<Key, Track>,
    serial: u64,
    desk: Desk,
}

/// JSON has no maps with pairs as keys.
fn as_list<S: serde::Serializer>(
    tracks: &BTreeMap<Key, Track>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(tracks)
}

impl Alerts {
    /// None yet. `worker` is the worker's id, which contains its boot: it
    /// makes the ids of alerts unique.
    #[must_use]
    pub fn new(worker: &str) -> Self {
        Self {
            worker: worker.to_owned(),
            tracks: BTreeMap::new(),
            serial: 0,
            desk: Desk::default(),
        }
    }

    /// What holds now. A condition that is not named does not hold, except of
    /// the resources in `unseen`: nothing is known of those at this tick, and
    /// their alerts stay as they are.
    ///
    /// Returns what is to be told now, in order.
    #[must_use]
    pub fn observe(&mut self, at: Duration, holding: &[Condition], unseen: &[&str]) -> Vec<Note> {
        let mut worst: BTreeMap<Key, &Condition> = BTreeMap::new();
        for condition in holding {
            let key = (condition.resource.clone(), condition.kind);
            let place = worst.entry(key).or_insert(condition);
            if condition.level > place.level {
                *place = condition;
            }
        }
        for (key, condition) in &worst {
            let track = self.tracks.entry(key.clone()).or_default();
            track.holds(at, condition);
        }
        for (key, track) in &mut self.tracks {
            if !worst.contains_key(key) && !unseen.contains(&key.0.as_str()) {
                track.holds_not(at);
            }
        }
        self.tell(at);
        self.desk.flush(at)
    }

    /// Hands to the desk what the tracks have to say; forgets those that are
    /// over.
    fn tell(&mut self, at: Duration) {
        let (worker, serial, desk) = (&self.worker, &mut self.serial, &mut self.desk);
        self.tracks.retain(|(resource, kind), track| {
            let key = || format!("{worker}/{resource}/{}", kind.as_str());
            if let Some(what) = track.next(at) {
                desk.submit(track.draft(at, what, key(), || {
                    *serial += 1;
                    format!("{}#{serial}", key())
                }));
            }
            !track.is_inactive()
        });
    }

    /// The alerts that fire or clear, by resource and kind.
    pub fn active(&self) -> impl Iterator<Item = Active> {
        self.tracks
            .iter()
            .filter_map(|((resource, kind), track)| track.active(resource, *kind, &self.worker))
    }
}
