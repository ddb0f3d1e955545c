//! The four profiles: thresholds, shares, reserves and pace.
//!
//! Invariant: a profile is always sensible. The figures of the presets are
//! those of the table in the documentation; an override keeps every figure it
//! does not name, and nonsense is refused with the field and what is allowed.

mod overrides;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::model::{Category, ProfileName};

pub use overrides::{Flaw, Overrides};

/// When a resource counts as high or critical: shares, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Of the effective cores.
    pub cpu_high: f64,
    /// Of the effective cores.
    pub cpu_critical: f64,
    /// Of the effective memory limit.
    pub memory_high: f64,
    /// Of the effective memory limit.
    pub memory_critical: f64,
    /// Of the work folder's file system, bytes or inodes.
    pub disk_high: f64,
    /// Of the work folder's file system, bytes or inodes.
    pub disk_critical: f64,
    /// Share of time in which some task stalls for memory.
    pub pressure_some: f64,
    /// Share of time in which all tasks stall for memory.
    pub pressure_full: f64,
}

/// How much of a worker a category of features may take.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// Nothing: the category is switched off.
    Off,
    /// At most this share of the slots (0 to 1], at least one slot.
    Slots(f64),
}

/// What forecasts may do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// They may switch features off; otherwise they only raise alerts.
    pub acts: bool,
    /// Multiplies the derived horizon.
    pub horizon_factor: f64,
}

/// Everything that a profile decides.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Its name; an override keeps it.
    pub name: ProfileName,
    /// When a resource counts as high or critical.
    pub thresholds: Thresholds,
    /// The share of standard features.
    pub standard: Share,
    /// The share of advanced features.
    pub advanced: Share,
    /// The share of experimental features.
    pub experimental: Share,
    /// The sum of estimated cores of CPU-bound work, as a multiple of the
    /// effective cores.
    pub cpu_weight_cap: f64,
    /// Memory kept free for critical work, as a share of the limit.
    pub reserve: f64,
    /// What forecasts may do.
    pub prediction: Prediction,
    /// How often everything is sampled while calm.
    pub sample_base: Duration,
    /// How often near or above a threshold.
    pub sample_fast: Duration,
}

impl Profile {
    /// The preset of this name.
    #[must_use]
    pub const fn preset(name: ProfileName) -> Self {
        match name {
            ProfileName::Development => DEVELOPMENT,
            ProfileName::Balanced => BALANCED,
            ProfileName::Performance => PERFORMANCE,
            ProfileName::Emergency => EMERGENCY,
        }
    }

    /// How much of the worker a category may take. Essential features are
    /// never bounded.
    #[must_use]
    pub const fn share(&self, category: Category) -> Share {
        match category {
            Category::Essential => Share::Slots(1.0),
            Category::Standard => self.standard,
            Category::Advanced => self.advanced,
            Category::Experimental => self.experimental,
        }
    }
}

const DEVELOPMENT: Profile = Profile {
    name: ProfileName::Development,
    thresholds: Thresholds {
        cpu_high: 0.85,
        cpu_critical: 0.95,
        memory_high: 0.90,
        memory_critical: 0.98,
        disk_high: 0.92,
        disk_critical: 0.97,
        pressure_some: 0.15,
        pressure_full: 0.10,
    },
    standard: Share::Slots(1.0),
    advanced: Share::Slots(1.0),
    experimental: Share::Slots(1.0),
    cpu_weight_cap: 4.0,
    reserve: 0.0,
    prediction: Prediction {
        acts: false,
        horizon_factor: 1.0,
    },
    sample_base: Duration::from_secs(2),
    sample_fast: Duration::from_millis(500),
};

const BALANCED: Profile = Profile {
    name: ProfileName::Balanced,
    thresholds: Thresholds {
        cpu_high: 0.75,
        cpu_critical: 0.90,
        memory_high: 0.80,
        memory_critical: 0.92,
        disk_high: 0.85,
        disk_critical: 0.95,
        pressure_some: 0.05,
        pressure_full: 0.05,
    },
    standard: Share::Slots(1.0),
    advanced: Share::Slots(1.0),
    experimental: Share::Slots(0.25),
    cpu_weight_cap: 2.0,
    reserve: 0.05,
    prediction: Prediction {
        acts: true,
        horizon_factor: 1.0,
    },
    sample_base: Duration::from_secs(1),
    sample_fast: Duration::from_millis(200),
};

const PERFORMANCE: Profile = Profile {
    name: ProfileName::Performance,
    thresholds: Thresholds {
        cpu_high: 0.65,
        cpu_critical: 0.85,
        memory_high: 0.75,
        memory_critical: 0.88,
        disk_high: 0.80,
        disk_critical: 0.90,
        pressure_some: 0.05,
        pressure_full: 0.03,
    },
    standard: Share::Slots(1.0),
    advanced: Share::Slots(0.25),
    experimental: Share::Off,
    cpu_weight_cap: 2.0,
    reserve: 0.10,
    prediction: Prediction {
        acts: true,
        horizon_factor: 1.5,
    },
    sample_base: Duration::from_secs(1),
    sample_fast: Duration::from_millis(200),
};

const EMERGENCY: Profile = Profile {
    name: ProfileName::Emergency,
    thresholds: Thresholds {
        cpu_high: 0.60,
        cpu_critical: 0.80,
        memory_high: 0.70,
        memory_critical: 0.85,
        disk_high: 0.75,
        disk_critical: 0.88,
        pressure_some: 0.03,
        pressure_full: 0.02,
    },
    standard: Share::Off,
    advanced: Share::Off,
    experimental: Share::Off,
    cpu_weight_cap: 1.0,
    reserve: 0.15,
    prediction: Prediction {
        acts: true,
        horizon_factor: 2.0,
    },
    sample_base: Duration::from_millis(500),
    sample_fast: Duration::from_millis(200),
};
