//! Plays a trace through the forecasts and the levels, as the governor does.

use std::time::Duration;

use shared::model::{Level, ProfileName};
use zerogate_resources::forecast::{Forecast, Forecaster, Outlook};
use zerogate_resources::level::{Judgement, Levels, Transition};
use zerogate_resources::profile::Profile;
use zerogate_resources::sample::Measured;

use crate::generate::Row;

pub(crate) const LIMIT: u64 = 8 << 30;
const DISK: u64 = 100 << 30;

/// What happened.
#[derive(Debug, Default)]
pub(crate) struct Story {
    /// Overall transitions that count.
    pub transitions: Vec<Transition>,
    /// When experimental features would have been off: elevated or above.
    pub elevated_at: Option<u64>,
    /// Ticks at which a forecast warned, and at which it would have acted.
    pub warned: Vec<u64>,
    pub acted: Vec<u64>,
    /// The same of the disk.
    pub disk_warned: Vec<u64>,
    pub judgements: Vec<Judgement>,
    pub forecasts: Vec<Forecast>,
}

impl Story {
    /// How often a level was entered from below.
    pub(crate) fn entered(&self, level: Level) -> usize {
        let up = self
            .transitions
            .iter()
            .filter(|t| t.from < level && t.to >= level);
        up.count()
    }

    pub(crate) fn first(&self, level: Level) -> Option<u64> {
        self.transitions
            .iter()
            .find(|t| t.to == level)
            .map(|t| t.at.as_secs())
    }
}

fn measured(row: &Row) -> Measured {
    Measured {
        at: Duration::from_secs(row.at),
        limit: LIMIT,
        used: (row.memory * LIMIT as f64) as u64,
        memory: row.memory,
        cores: 2.0,
        cpu: Some(row.cpu),
        disk: Some(row.disk),
        disk_bytes: Some((((1.0 - row.disk) * DISK as f64) as u64, DISK)),
        oom_kills: row.kills,
        known: true,
        ..Measured::default()
    }
}

/// Balanced thresholds, and a horizon in seconds.
pub(crate) fn play(rows: &[Row], horizon: u64) -> Story {
    let thresholds = Profile::preset(ProfileName::Balanced).thresholds;
    let mut levels = Levels::new(&thresholds);
    let (mut memory, mut disk) = (Forecaster::memory(), Forecaster::disk());
    let outlook = |high: f64, critical: f64| Outlook {
        high,
        critical,
        horizon: Duration::from_secs(horizon),
        committed: None,
        usual: None,
    };
    let of_memory = outlook(thresholds.memory_high, thresholds.memory_critical);
    let of_disk = outlook(thresholds.disk_high, thresholds.disk_critical);
    let mut story = Story::default();
    for row in rows {
        let m = measured(row);
        let forecast = memory.observe(m.at, Some(m.memory), &of_memory);
        let of_disk = disk.observe(m.at, m.disk, &of_disk);
        let acts = forecast.acts_on_high() || forecast.acts_on_critical();
        let judged = levels.observe(&m, LIMIT / 100 * 98, acts || of_disk.acts_on_high());
        if forecast.high.is_some() || forecast.critical.is_some() {
            story.warned.push(row.at);
        }
        if acts {
            story.acted.push(row.at);
        }
        if of_disk.high.is_some() {
            story.disk_warned.push(row.at);
        }
        if judged.level >= Level::Elevated {
            story.elevated_at.get_or_insert(row.at);
        }
        let overall = judged
            .transitions
            .iter()
            .filter(|t| t.resource.is_none() && t.counts());
        story.transitions.extend(overall.copied());
        story.judgements.push(judged);
        story.forecasts.push(forecast);
    }
    story
}
