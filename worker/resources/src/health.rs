//! One figure for how well it goes: 0 to 100.
//!
//! `score = 100 * (0.6 * weighted mean + 0.4 * least component)`: a mean alone
//! hides one dead resource behind five healthy ones. A critical level, an
//! emergency and missing data cap the score.
//!
//! Invariant: bounded, and monotone in every input: no figure that gets worse
//! makes the score better. The same inputs give the same score, bit for bit.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::model::Level;

use crate::profile::Thresholds;

/// A resource is at full health up to this share of its high threshold.
const CALM: f64 = 0.7;
/// The health of a resource at its high threshold.
const AT_HIGH: f64 = 0.6;
/// The health of a resource at its critical threshold.
const AT_CRITICAL: f64 = 0.2;
/// All tasks stalling for memory this share of the time is the end.
const MEMORY_FULL_END: f64 = 0.10;
/// All tasks stalling for input and output this share of the time is the end.
const IO_FULL_END: f64 = 0.20;
/// A heartbeat of 20 ms this late is the end.
const LATENESS_END: Duration = Duration::from_millis(100);
/// The part of the mean in the score; the least component has the rest.
const MEAN_PART: f64 = 0.6;
/// No score above this at a critical level.
const CRITICAL_CAP: f64 = 40.0;
/// No score above this in an emergency.
const EMERGENCY_CAP: f64 = 15.0;
/// No score above this while measurements are missing.
const UNKNOWN_CAP: f64 = 50.0;

/// What a component measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Use of memory.
    Memory,
    /// Use of the processors.
    Cpu,
    /// Stalls: memory, input and output, the heartbeat's lateness.
    Pressure,
    /// Use of the disk.
    Disk,
    /// The share of tasks that succeed.
    Success,
    /// How long tasks wait, against what was promised.
    Wait,
}

impl Part {
    /// The part's weight in the mean; all weights sum up to 1.
    #[must_use]
    pub const fn weight(self) -> f64 {
        match self {
            Self::Memory => 0.30,
            Self::Cpu => 0.20,
            Self::Pressure | Self::Disk => 0.15,
            Self::Success | Self::Wait => 0.10,
        }
    }
}

/// One part of the score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Component {
    /// Which.
    pub part: Part,
    /// Its weight in the mean.
    pub weight: f64,
    /// Its health, 0 to 1.
    pub health: f64,
}

/// What a score means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Band {
    /// Below 40.
    Critical,
    /// 40 and more.
    Stressed,
    /// 60 and more.
    Degraded,
    /// 80 and more.
    Healthy,
}

impl Band {
    /// The band of this score.
    #[must_use]
    pub fn of(score: f64) -> Self {
        match score {
            score if score >= 80.0 => Self::Healthy,
            score if score >= 60.0 => Self::Degraded,
            score if score >= 40.0 => Self::Stressed,
            _ => Self::Critical,
        }
    }

    /// The band's name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Stressed => "stressed",
            Self::Critical => "critical",
        }
    }
}

/// What the score is made of. `None` (and NaN) is unknown and left out of it,
/// its weight shared among the others.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// When a resource counts as high or critical.
    pub thresholds: &'a Thresholds,
    /// The overall level.
    pub level: Level,
    /// Measurements are fresh and the worker's limits are known.
    pub known: bool,
    /// Use of memory, a share of the limit.
    pub memory: Option<f64>,
    /// Use of the processors, a share of the effective cores.
    pub cpu: Option<f64>,
    /// Share of time in which all tasks stall for memory.
    pub memory_full: Option<f64>,
    /// Share of time in which all tasks stall for input and output.
    pub io_full: Option<f64>,
    /// 99th percentile of the heartbeat's lateness.
    pub lateness_p99: Option<Duration>,
    /// Use of the disk, a share.
    pub disk: Option<f64>,
    /// Share of tasks that succeed ([`Successes::rate`]).
    pub success: Option<f64>,
    /// How long tasks wait, and how long they may.
    pub wait: Option<(Duration, Duration)>,
}

/// The score and what it is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// 0 to 100.
    pub score: f64,
    /// What that means.
    pub band: Band,
    /// Measurements are fresh and complete; otherwise the state is unknown,
    /// whatever the score says.
    pub known: bool,
    /// All parts that are known.
    pub components: Vec<Component>,
    /// The part with the least health; the first of equals.
    pub worst: Option<Part>,
}

impl Health {
    /// The state's name in the API: the band, or `unknown`.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        if self.known {
            self.band.as_str()
        } else {
            "unknown"
        }
    }
}

/// The score of these inputs.
#[must_use]
pub fn health(inputs: &Inputs<'_>) -> Health {
    let components: Vec<Component> = parts(inputs)
        .into_iter()
        .filter_map(|(part, health)| {
            Some(Component {
                part,
                weight: part.weight(),
                health: health.filter(|health| !health.is_nan())?,
            })
        })
        .collect();
    let weight: f64 = components.iter().map(|each| each.weight).sum();
    let sum: f64 = components
        .iter()
        .map(|each| each.weight * each.health)
        .sum();
    let mut worst: Option<Component> = None;
    for each in &components {
        if worst.is_none_or(|worst| each.health < worst.health) {
            worst = Some(*each);
        }
    }
    let known = inputs.known && worst.is_some();
    let raw = worst.map_or(UNKNOWN_CAP, |worst| {
        100.0 * (MEAN_PART * (sum / weight) + (1.0 - MEAN_PART) * worst.health)
    });
    let score = raw.min(cap(inputs.level, known)).clamp(0.0, 100.0);
    Health {
        score,
        band: Band::of(score),
        known,
        components,
        worst: worst.map(|worst| worst.part),
    }
}

fn parts(inputs: &Inputs<'_>) -> [(Part, Option<f64>); 6] {
    let t = inputs.thresholds;
    let resource =
        |value: Option<f64>, high, critical| value.map(|value| of_resource(value, high, critical));
    let stalls = [
        inputs.memory_full.map(|full| full / MEMORY_FULL_END),
        inputs.io_full.map(|full| full / IO_FULL_END),
        inputs
            .lateness_p99
            .map(|late| late.as_secs_f64() / LATENESS_END.as_secs_f64()),
    ];
    // `f64::max` prefers the number over NaN.
    let stalled = stalls.into_iter().flatten().reduce(f64::max);
    [
        (
            Part::Memory,
            resource(inputs.memory, t.memory_high, t.memory_critical),
        ),
        (Part::Cpu, resource(inputs.cpu, t.cpu_high, t.cpu_critical)),
        (
            Part::Pressure,
            stalled.map(|stalled| (1.0 - stalled).clamp(0.0, 1.0)),
        ),
        (
            Part::Disk,
            resource(inputs.disk, t.disk_high, t.disk_critical),
        ),
        (
            Part::Success,
            inputs.success.map(|rate| rate.clamp(0.0, 1.0)),
        ),
        (
            Part::Wait,
            inputs.wait.map(|(wait, promised)| of_wait(wait, promised)),
        ),
    ]
}

/// Piecewise linear: 1 up to [`CALM`] of high, 0.6 at high, 0.2 at critical, 0
/// at the end.
fn of_resource(value: f64, high: f64, critical: f64) -> f64 {
    let calm = CALM * high;
    let between = |from: f64, to: f64, upper: f64, lower: f64| {
        upper - (upper - lower) * ((value - from) / (to - from)).clamp(0.0, 1.0)
    };
    if value.is_nan() {
        f64::NAN
    } else if value <= calm {
        1.0
    } else if value <= high {
        between(calm, high, 1.0, AT_HIGH)
    } else if value <= critical {
        between(high, critical, AT_HIGH, AT_CRITICAL)
    } else if value < 1.0 {
        between(critical, 1.0, AT_CRITICAL, 0.0)
    } else {
        0.0
    }
}

/// Full health within what was promised; half of it at twice as long.
fn of_wait(wait: Duration, promised: Duration) -> f64 {
    if wait <= promised {
        1.0
    } else {
        promised.as_secs_f64() / wait.as_secs_f64()
    }
}

fn cap(level: Level, known: bool) -> f64 {
    let by_level = match level {
        Level::Emergency => EMERGENCY_CAP,
        Level::Critical => CRITICAL_CAP,
        Level::Normal | Level::Elevated | Level::High => 100.0,
    };
    if known {
        by_level
    } else {
        by_level.min(UNKNOWN_CAP)
    }
}

/// The share of tasks that succeed, the last hour counting most.
///
/// Tasks whose own input was at fault should not be counted at all: they say
/// nothing about the worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Successes {
    at: Duration,
    good: f64,
    all: f64,
}

/// After this time a task counts 1/e.
const MEMORY_OF_TASKS: Duration = Duration::from_hours(1);
/// Successes that are taken for granted, so that the first failure of a fresh
/// worker does not halve its health.
const PRIOR: f64 = 10.0;

impl Successes {
    /// A task ended.
    pub fn count(&mut self, at: Duration, good: bool) {
        let kept = self.kept(at);
        self.at = self.at.max(at);
        self.good = self.good * kept + f64::from(u8::from(good));
        self.all = self.all * kept + 1.0;
    }

    /// The share, 0 to 1; `None` before the first task.
    #[must_use]
    pub fn rate(&self, at: Duration) -> Option<f64> {
        let kept = self.kept(at);
        (self.all > 0.0).then(|| (self.good * kept + PRIOR) / (self.all * kept + PRIOR))
    }

    fn kept(&self, at: Duration) -> f64 {
        let elapsed = at.saturating_sub(self.at);
        (-elapsed.as_secs_f64() / MEMORY_OF_TASKS.as_secs_f64()).exp()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shared::model::ProfileName;

    use super::*;
    use crate::profile::Profile;

    const THRESHOLDS: Thresholds = Profile::preset(ProfileName::Balanced).thresholds;

    fn calm() -> Inputs<'static> {
        Inputs {
            thresholds: &THRESHOLDS,
            level: Level::Normal,
            known: true,
            memory: Some(0.3),
            cpu: Some(0.3),
            memory_full: Some(0.0),
            io_full: Some(0.0),
            lateness_p99: Some(Duration::ZERO),
            disk: Some(0.3),
            success: Some(1.0),
            wait: Some((Duration::ZERO, Duration::from_secs(5))),
        }
    }

    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
    }

    #[test]
    fn the_curve_passes_through_its_corners() {
        for (value, expected) in [
            (0.0, 1.0),
            (0.56, 1.0),
            (0.8, 0.6),
            (0.92, 0.2),
            (0.86, 0.4),
            (1.0, 0.0),
            (1.7, 0.0),
        ] {
            near(of_resource(value, 0.8, 0.92), expected);
        }
    }

    #[test]
    fn weights_and_the_least_component_make_the_score() {
        near(health(&calm()).score, 100.0);
        let full_disk = health(&Inputs {
            disk: Some(1.0),
            ..calm()
        });
        near(full_disk.score, 100.0 * 0.6 * 0.85);
        assert_eq!(full_disk.worst, Some(Part::Disk));
        assert_eq!(full_disk.band, Band::Stressed);
        let late = health(&Inputs {
            lateness_p99: Some(Duration::from_millis(50)),
            ..calm()
        });
        near(late.score, 100.0 * (0.6 * (0.85 + 0.15 * 0.5) + 0.4 * 0.5));
        let slow = health(&Inputs {
            wait: Some((Duration::from_secs(10), Duration::from_secs(5))),
            ..calm()
        });
        near(slow.score, 100.0 * (0.6 * 0.95 + 0.4 * 0.5));
    }

    #[test]
    fn levels_and_missing_data_cap_it() {
        let at = |level, known| {
            health(&Inputs {
                level,
                known,
                ..calm()
            })
        };
        near(at(Level::High, true).score, 100.0);
        near(at(Level::Critical, true).score, 40.0);
        near(at(Level::Emergency, true).score, 15.0);
        near(at(Level::Normal, false).score, 50.0);
        assert_eq!(at(Level::Normal, false).status(), "unknown");
        let nothing = health(&Inputs {
            memory: None,
            cpu: Some(f64::NAN),
            memory_full: None,
            io_full: None,
            lateness_p99: None,
            disk: None,
            success: None,
            wait: None,
            ..calm()
        });
        near(nothing.score, 50.0);
        assert_eq!((nothing.status(), nothing.worst), ("unknown", None));
    }

    #[test]
    fn one_failure_is_not_the_end_and_an_hour_forgets() {
        let mut successes = Successes::default();
        assert_eq!(successes.rate(Duration::ZERO), None);
        successes.count(Duration::ZERO, false);
        near(successes.rate(Duration::ZERO).unwrap(), 10.0 / 11.0);
        for second in 0..100 {
            successes.count(Duration::from_secs(second), false);
        }
        let bad = successes.rate(Duration::from_secs(100)).unwrap();
        assert!(bad < 0.11, "{bad}");
        let later = successes.rate(Duration::from_hours(10)).unwrap();
        assert!(later > 0.99, "{later}");
    }

    proptest! {
        #[test]
        fn bounded_and_monotone(
            values in proptest::array::uniform6(0.0..1.3f64),
            worse in proptest::array::uniform6(0.0..1.0f64),
            which in 0usize..8,
            levels in (0usize..5, 0usize..5),
            known in any::<bool>(),
        ) {
            let inputs = |values: [f64; 6], level: usize, known| Inputs {
                level: Level::ALL[level],
                known,
                memory: Some(values[0]),
                cpu: Some(values[1]),
                memory_full: Some(values[2] / 5.0),
                lateness_p99: Some(Duration::from_secs_f64(values[3] / 8.0)),
                disk: Some(values[4]),
                success: Some((1.3 - values[5]).clamp(0.0, 1.0)),
                wait: Some((Duration::from_secs_f64(values[5] * 20.0), Duration::from_secs(5))),
                ..calm()
            };
            let level = levels.0.min(levels.1);
            let before = health(&inputs(values, level, known)).score;
            prop_assert!((0.0..=100.0).contains(&before));
            let mut after = values;
            let (mut after_level, mut after_known) = (level, known);
            match which {
                6 => after_level = levels.0.max(levels.1),
                7 => after_known = false,
                each => after[each] += worse[each],
            }
            let after = health(&inputs(after, after_level, after_known)).score;
            prop_assert!(after <= before + 1e-9, "{} after {}", after, before);
        }
    }
}
