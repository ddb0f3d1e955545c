//! What a user may change in a profile, and what is refused.
//!
//! Figures are written as the documentation speaks: thresholds, pressures,
//! shares and the reserve in PERCENT (`memory_high = 85`), times in
//! milliseconds, factors as they are. `0.85` for a threshold is refused by its
//! range, so that the two notations cannot be mixed up silently.
//!
//! Invariant: [`Profile::with`] returns either a sensible profile or every
//! flaw at once; a figure that is not named keeps the preset's value.
//!
//! Deliberately absent: reading files, flags or the environment.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::model::ProfileName;

use super::{Profile, Share};

/// The least distance between a high and a critical threshold, in percentage
/// points: less, and one fluctuation jumps over the level between them.
const GAP: f64 = 5.0;

/// Presets are kept as binary fractions; a percentage computed from one may be
/// off by this much.
const ROUNDING: f64 = 1e-9;

/// The range that the product promises for a CPU threshold.
const CPU_HIGH: Range = Range::percent(60.0, 85.0);
/// See [`CPU_HIGH`].
const CPU_CRITICAL: Range = Range::percent(80.0, 95.0);
/// The range that the product promises for a memory threshold.
const MEMORY_HIGH: Range = Range::percent(70.0, 90.0);
/// See [`MEMORY_HIGH`].
const MEMORY_CRITICAL: Range = Range::percent(85.0, 98.0);
/// Below half full a disk is nobody's worry; above 95 % the warning is late.
const DISK_HIGH: Range = Range::percent(50.0, 95.0);
/// At 100 % every write fails already.
const DISK_CRITICAL: Range = Range::percent(55.0, 99.0);
/// The level is left below 2 %, so it must be entered above that; above half
/// of the time nothing works any more.
const PRESSURE_SOME: Range = Range::percent(3.0, 50.0);
/// The level is left below 1 %.
const PRESSURE_FULL: Range = Range::percent(2.0, 50.0);
/// Of the slots; 0 switches the category off.
const SHARE: Range = Range::percent(0.0, 100.0);
/// More than half of the memory for critical work is another deployment.
const RESERVE: Range = Range::percent(0.0, 50.0);
/// Below a quarter of the processors not even one small task would fit; above
/// eight times, waiting costs more than it hides.
const WEIGHT_CAP: Range = Range::plain(0.25, 8.0, "times the effective cores");
/// The horizon itself is bounded to 30 s and 300 s before this factor.
const HORIZON: Range = Range::plain(0.5, 4.0, "times the derived horizon");
/// Slower than 10 s, out-of-memory comes first; faster than 200 ms, the
/// portable source repeats its last reading.
const SAMPLE_BASE: Range = Range::plain(200.0, 10_000.0, "milliseconds");
/// See [`SAMPLE_BASE`].
const SAMPLE_FAST: Range = Range::plain(200.0, 2_000.0, "milliseconds");

/// Figures that take the place of the preset's. All are optional; unknown
/// names are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overrides {
    /// Percent of the effective cores, 60 to 85.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_high: Option<f64>,
    /// Percent of the effective cores, 80 to 95.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_critical: Option<f64>,
    /// Percent of the effective memory limit, 70 to 90.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_high: Option<f64>,
    /// Percent of the effective memory limit, 85 to 98.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_critical: Option<f64>,
    /// Percent of the work folder's disk, 50 to 95.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_high: Option<f64>,
    /// Percent of the work folder's disk, 55 to 99.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_critical: Option<f64>,
    /// Percent of time in which some task stalls for memory, 3 to 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pressure_some: Option<f64>,
    /// Percent of time in which all tasks stall for memory, 2 to 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pressure_full: Option<f64>,
    /// Percent of the slots that standard features may take; 0 is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standard_share: Option<f64>,
    /// Percent of the slots that advanced features may take; 0 is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advanced_share: Option<f64>,
    /// Percent of the slots that experimental features may take; 0 is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experimental_share: Option<f64>,
    /// Estimated cores of CPU-bound work, times the effective cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_weight_cap: Option<f64>,
    /// Percent of the memory limit that is kept for critical work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserve: Option<f64>,
    /// Forecasts may switch features off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction_acts: Option<bool>,
    /// Multiplies the derived horizon of forecasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horizon_factor: Option<f64>,
    /// Milliseconds between samples while calm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_base_ms: Option<f64>,
    /// Milliseconds between samples near or above a threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_fast_ms: Option<f64>,
}

/// A figure that is not sensible.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[error("{field} = {value} is not allowed: use {allowed}")]
pub struct Flaw {
    /// The figure's name, as in [`Overrides`].
    pub field: &'static str,
    /// What was asked for.
    pub value: f64,
    /// What is allowed, in words, with its unit.
    pub allowed: String,
}

/// What a figure may be.
#[derive(Clone, Copy)]
struct Range {
    least: f64,
    most: f64,
    unit: &'static str,
}

impl Range {
    const fn percent(least: f64, most: f64) -> Self {
        Self::plain(least, most, "percent")
    }

    const fn plain(least: f64, most: f64, unit: &'static str) -> Self {
        Self { least, most, unit }
    }

    fn holds(self, value: f64) -> bool {
        // False for NaN as well: both comparisons fail.
        value >= self.least && value <= self.most
    }

    fn words(self) -> String {
        format!("{} to {} {}", self.least, self.most, self.unit)
    }
}

impl Profile {
    /// This profile with the figures that are named replaced.
    ///
    /// Refuses NaN and infinite figures, figures outside their range, a high
    /// threshold less than 5 percentage points below its critical one, a fast
    /// rate slower than the base rate, and shares in the emergency profile,
    /// which runs essential work only. All flaws are returned at once.
    pub fn with(&self, overrides: &Overrides) -> Result<Self, Vec<Flaw>> {
        let mut profile = *self;
        let mut flaws = Vec::new();
        let o = overrides;
        put_thresholds(&mut profile, o, &mut flaws);
        put_shares(&mut profile, o, &mut flaws);
        let mut plain = |field, value, range, place: &mut f64| {
            put(&mut flaws, (field, value, range), 1.0, place);
        };
        plain(
            "cpu_weight_cap",
            o.cpu_weight_cap,
            WEIGHT_CAP,
            &mut profile.cpu_weight_cap,
        );
        plain(
            "horizon_factor",
            o.horizon_factor,
            HORIZON,
            &mut profile.prediction.horizon_factor,
        );
        if let Some(acts) = o.prediction_acts {
            profile.prediction.acts = acts;
        }
        put_rates(&mut profile, o, &mut flaws);
        gaps(&profile, o, &mut flaws);
        if flaws.is_empty() {
            Ok(profile)
        } else {
            Err(flaws)
        }
    }
}

fn put_thresholds(profile: &mut Profile, o: &Overrides, flaws: &mut Vec<Flaw>) {
    let t = &mut profile.thresholds;
    let mut percent = |field, value, range, place: &mut f64| {
        put(flaws, (field, value, range), 100.0, place);
    };
    percent("cpu_high", o.cpu_high, CPU_HIGH, &mut t.cpu_high);
    percent(
        "cpu_critical",
        o.cpu_critical,
        CPU_CRITICAL,
        &mut t.cpu_critical,
    );
    percent(
        "memory_high",
        o.memory_high,
        MEMORY_HIGH,
        &mut t.memory_high,
    );
    percent(
        "memory_critical",
        o.memory_critical,
        MEMORY_CRITICAL,
        &mut t.memory_critical,
    );
    percent("disk_high", o.disk_high, DISK_HIGH, &mut t.disk_high);
    percent(
        "disk_critical",
        o.disk_critical,
        DISK_CRITICAL,
        &mut t.disk_critical,
    );
    percent(
        "pressure_some",
        o.pressure_some,
        PRESSURE_SOME,
        &mut t.pressure_some,
    );
    percent(
        "pressure_full",
        o.pressure_full,
        PRESSURE_FULL,
        &mut t.pressure_full,
    );
    percent("reserve", o.reserve, RESERVE, &mut profile.reserve);
}

fn put_shares(profile: &mut Profile, o: &Overrides, flaws: &mut Vec<Flaw>) {
    let emergency = profile.name == ProfileName::Emergency;
    for (field, value, place) in [
        ("standard_share", o.standard_share, &mut profile.standard),
        ("advanced_share", o.advanced_share, &mut profile.advanced),
        (
            "experimental_share",
            o.experimental_share,
            &mut profile.experimental,
        ),
    ] {
        let Some(value) = value else { continue };
        if !SHARE.holds(value) {
            flaws.push(Flaw {
                field,
                value,
                allowed: format!("{} of the slots (0 is off)", SHARE.words()),
            });
        } else if emergency && value > 0.0 {
            flaws.push(Flaw {
                field,
                value,
                allowed: "0: the emergency profile runs essential work only".to_owned(),
            });
        } else if value > 0.0 {
            *place = Share::Slots(value / 100.0);
        } else {
            *place = Share::Off;
        }
    }
}

fn put_rates(profile: &mut Profile, o: &Overrides, flaws: &mut Vec<Flaw>) {
    let before = flaws.len();
    for (field, value, range, place) in [
        (
            "sample_base_ms",
            o.sample_base_ms,
            SAMPLE_BASE,
            &mut profile.sample_base,
        ),
        (
            "sample_fast_ms",
            o.sample_fast_ms,
            SAMPLE_FAST,
            &mut profile.sample_fast,
        ),
    ] {
        let mut ms = place.as_secs_f64() * 1000.0;
        put(flaws, (field, value, range), 1.0, &mut ms);
        *place = Duration::from_secs_f64(ms / 1000.0);
    }
    if flaws.len() == before && profile.sample_fast > profile.sample_base {
        let base = profile.sample_base.as_millis();
        let fast = profile.sample_fast.as_secs_f64() * 1000.0;
        let (field, value, allowed) = match o.sample_base_ms {
            Some(value) if o.sample_fast_ms.is_none() => (
                "sample_base_ms",
                value,
                format!("at least {fast} milliseconds (sample_fast_ms)"),
            ),
            _ => (
                "sample_fast_ms",
                fast,
                format!("at most {base} milliseconds (sample_base_ms)"),
            ),
        };
        flaws.push(Flaw {
            field,
            value,
            allowed,
        });
    }
}

/// Takes over one figure, or says what is wrong with it.
fn put(
    flaws: &mut Vec<Flaw>,
    (field, value, range): (&'static str, Option<f64>, Range),
    divisor: f64,
    place: &mut f64,
) {
    let Some(value) = value else { return };
    if range.holds(value) {
        *place = value / divisor;
    } else {
        flaws.push(Flaw {
            field,
            value,
            allowed: range.words(),
        });
    }
}

/// High must stay clear of critical. Only pairs in which something was named
/// and both sides are in range are judged: the presets keep the rule, and a
/// figure out of range has its flaw already.
fn gaps(profile: &Profile, o: &Overrides, flaws: &mut Vec<Flaw>) {
    let t = &profile.thresholds;
    for (names, given, high, critical) in [
        (
            ("cpu_high", "cpu_critical"),
            (o.cpu_high, o.cpu_critical),
            t.cpu_high,
            t.cpu_critical,
        ),
        (
            ("memory_high", "memory_critical"),
            (o.memory_high, o.memory_critical),
            t.memory_high,
            t.memory_critical,
        ),
        (
            ("disk_high", "disk_critical"),
            (o.disk_high, o.disk_critical),
            t.disk_high,
            t.disk_critical,
        ),
    ] {
        let flawed = flaws
            .iter()
            .any(|flaw| flaw.field == names.0 || flaw.field == names.1);
        let (high, critical) = (high * 100.0, critical * 100.0);
        if flawed || high + GAP <= critical + ROUNDING {
            continue;
        }
        let flaw = match given {
            (None, Some(value)) => Flaw {
                field: names.1,
                value,
                allowed: format!(
                    "at least {} percent ({GAP} points above {} = {})",
                    tidy(high + GAP),
                    names.0,
                    tidy(high)
                ),
            },
            (value, _) => Flaw {
                field: names.0,
                value: value.unwrap_or(high),
                allowed: format!(
                    "at most {} percent ({GAP} points below {} = {})",
                    tidy(critical - GAP),
                    names.1,
                    tidy(critical)
                ),
            },
        };
        flaws.push(flaw);
    }
}

/// A percentage without the noise of binary fractions.
fn tidy(percent: f64) -> f64 {
    (percent * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(overrides: &Overrides) -> Vec<&'static str> {
        Profile::preset(ProfileName::Balanced)
            .with(overrides)
            .unwrap_err()
            .iter()
            .map(|flaw| flaw.field)
            .collect()
    }

    #[test]
    fn every_preset_passes_its_own_validation() {
        for name in ProfileName::ALL {
            let preset = Profile::preset(name);
            assert_eq!(preset.with(&Overrides::default()), Ok(preset));
            let t = preset.thresholds;
            let spelled_out = Overrides {
                cpu_high: Some(tidy(t.cpu_high * 100.0)),
                cpu_critical: Some(tidy(t.cpu_critical * 100.0)),
                memory_high: Some(tidy(t.memory_high * 100.0)),
                memory_critical: Some(tidy(t.memory_critical * 100.0)),
                disk_high: Some(tidy(t.disk_high * 100.0)),
                disk_critical: Some(tidy(t.disk_critical * 100.0)),
                pressure_some: Some(tidy(t.pressure_some * 100.0)),
                pressure_full: Some(tidy(t.pressure_full * 100.0)),
                ..Overrides::default()
            };
            preset.with(&spelled_out).unwrap();
        }
    }

    #[test]
    fn a_partial_override_keeps_the_rest() {
        let preset = Profile::preset(ProfileName::Balanced);
        let changed = preset
            .with(&Overrides {
                memory_high: Some(85.0),
                experimental_share: Some(0.0),
                ..Overrides::default()
            })
            .unwrap();
        let mut expected = preset;
        expected.thresholds.memory_high = 0.85;
        expected.experimental = Share::Off;
        assert_eq!(changed, expected);
    }

    #[test]
    fn every_flaw_is_told_at_once_with_what_is_allowed() {
        let overrides = Overrides {
            cpu_high: Some(f64::NAN),
            memory_high: Some(0.85),
            disk_critical: Some(f64::INFINITY),
            advanced_share: Some(-1.0),
            cpu_weight_cap: Some(0.0),
            sample_fast_ms: Some(20.0),
            ..Overrides::default()
        };
        assert_eq!(
            fields(&overrides),
            [
                "cpu_high",
                "memory_high",
                "disk_critical",
                "advanced_share",
                "cpu_weight_cap",
                "sample_fast_ms"
            ]
        );
        let flaws = Profile::preset(ProfileName::Balanced)
            .with(&overrides)
            .unwrap_err();
        assert_eq!(
            flaws[1].to_string(),
            "memory_high = 0.85 is not allowed: use 70 to 90 percent"
        );
    }

    #[test]
    fn high_stays_five_points_below_critical() {
        let preset = Profile::preset(ProfileName::Balanced);
        let at = |high| Overrides {
            memory_high: Some(high),
            ..Overrides::default()
        };
        preset.with(&at(87.0)).unwrap();
        let flaws = preset.with(&at(87.1)).unwrap_err();
        assert_eq!(flaws.len(), 1);
        assert!(
            flaws[0].allowed.starts_with("at most 87 percent"),
            "{}",
            flaws[0]
        );
        let critical = Overrides {
            cpu_critical: Some(80.0),
            cpu_high: None,
            ..Overrides::default()
        };
        preset.with(&critical).unwrap();
        assert_eq!(
            fields(&Overrides {
                cpu_high: Some(76.0),
                ..critical
            }),
            ["cpu_high"]
        );
        let development = Profile::preset(ProfileName::Development);
        let flaws = development
            .with(&Overrides {
                memory_critical: Some(94.0),
                ..Overrides::default()
            })
            .unwrap_err();
        assert_eq!(flaws[0].field, "memory_critical");
    }

    #[test]
    fn fast_is_not_slower_than_base() {
        assert_eq!(
            fields(&Overrides {
                sample_fast_ms: Some(1500.0),
                ..Overrides::default()
            }),
            ["sample_fast_ms"]
        );
    }

    #[test]
    fn the_emergency_profile_takes_no_shares() {
        let emergency = Profile::preset(ProfileName::Emergency);
        let one = Overrides {
            standard_share: Some(10.0),
            ..Overrides::default()
        };
        assert_eq!(emergency.with(&one).unwrap_err()[0].field, "standard_share");
    }

    #[test]
    fn unknown_names_are_refused() {
        let text = r#"{"cpu_hihg": 70}"#;
        assert!(serde_json::from_str::<Overrides>(text).is_err());
    }

    proptest! {
        /// Whatever passes is sensible.
        #[test]
        fn what_passes_is_sensible(
            cpu in proptest::option::of(0.0..120.0f64),
            cpu_critical in proptest::option::of(0.0..120.0f64),
            memory in proptest::option::of(60.0..100.0f64),
            memory_critical in proptest::option::of(60.0..100.0f64),
            which in 0usize..4,
        ) {
            let preset = Profile::preset(ProfileName::ALL[which]);
            let overrides = Overrides {
                cpu_high: cpu,
                cpu_critical,
                memory_high: memory,
                memory_critical,
                ..Overrides::default()
            };
            match preset.with(&overrides) {
                Ok(profile) => {
                    let t = profile.thresholds;
                    prop_assert!((0.599..=0.851).contains(&t.cpu_high));
                    prop_assert!((0.799..=0.951).contains(&t.cpu_critical));
                    prop_assert!((0.699..=0.901).contains(&t.memory_high));
                    prop_assert!((0.849..=0.981).contains(&t.memory_critical));
                    prop_assert!(t.cpu_high + 0.049_999 <= t.cpu_critical);
                    prop_assert!(t.memory_high + 0.049_999 <= t.memory_critical);
                }
                Err(flaws) => prop_assert!(!flaws.is_empty()),
            }
        }
    }
}
