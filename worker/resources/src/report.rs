//! What a worker says of its resources in every heartbeat.
//!
//! The worker writes it, the store keeps it as text, coordinators read it:
//! members that are added have defaults, and unknown ones are passed over, so
//! that workers and coordinators of two versions understand each other.
//!
//! Invariant: plain data. Bytes are whole numbers; shares are 0 to 1;
//! durations name their unit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::model::{Category, Level, Priority, TypeName};

/// The whole report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// `off`, `shadow` or `enforce`.
    pub gate: String,
    /// The limits of this worker are known, and its samples are fresh.
    pub known: bool,
    /// Memory, in bytes.
    pub memory: Memory,
    /// Processors.
    pub cpu: Cpu,
    /// The disk of the work folder.
    pub disk: Option<Disk>,
    /// Stalls.
    pub pressure: Pressure,
    /// The level of each resource: `memory`, `pressure`, `cpu`, `disk`.
    pub levels: BTreeMap<String, Level>,
    /// For how long the overall level has held.
    pub level_for_ms: u64,
    /// What forecasts see within their horizon, if they see anything.
    pub forecast: Option<Forecast>,
    /// Every feature and why it is on or off.
    pub features: Vec<Feature>,
    /// The routes that would not be admitted now, each with what is short.
    pub shortages: Vec<Shortage>,
    /// 0 to 100 by component.
    pub health: BTreeMap<String, f64>,
    /// Counts behind the bottleneck, decayed over the last minutes.
    pub evidence: Value,
    /// What runs, and what one run is expected to need.
    pub types: Vec<TypeLoad>,
    /// Processor time of the monitor since the worker's start.
    pub monitor_cpu_ms: f64,
    /// How often the monitor samples now.
    pub sample_every_ms: u64,
}

/// Memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Unreclaimable memory in use, under the tightest limit.
    pub used: u64,
    /// The effective limit.
    pub limit: u64,
    /// `used / limit`.
    pub utilisation: f64,
    /// Where the high level begins.
    pub high: u64,
    /// Where the critical level begins.
    pub critical: u64,
    /// What no admission may pass.
    pub hard: u64,
    /// Reserved for what runs now.
    pub reserved: u64,
    /// The largest task that this worker could ever admit.
    pub room: u64,
    /// Resident memory of the worker's process.
    pub resident: u64,
}

/// Processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cpu {
    /// Share of the effective cores in use; absent before the second sample.
    pub utilisation: Option<f64>,
    /// Effective cores, fractional under a quota.
    pub cores: f64,
    /// Cores that the worker's own process uses.
    pub process: f64,
    /// Share of quota periods in which the group was held back.
    pub throttled: Option<f64>,
}

/// A disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Disk {
    /// The worse of bytes and inodes.
    pub utilisation: f64,
    /// Free bytes.
    pub free: u64,
    /// Its size in bytes.
    pub total: u64,
}

/// Stalls, as shares of the last seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pressure {
    /// Some task stalled for memory.
    pub memory_some: Option<f64>,
    /// All tasks did.
    pub memory_full: Option<f64>,
    /// All tasks stalled for input and output.
    pub io_full: Option<f64>,
    /// How late a timer of 20 ms comes, 99th percentile.
    pub lateness_p99_ms: Option<f64>,
}

/// What is coming.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Forecast {
    /// Which resource.
    pub resource: String,
    /// The level that will be reached.
    pub level: Level,
    /// In how many seconds, by the cautious slope.
    pub in_s: f64,
    /// `regression` or `inventory`.
    pub by: String,
}

/// One feature on this worker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Feature {
    /// The workflow type's name, or that of an optional part.
    pub name: String,
    /// When it gives way.
    pub category: Category,
    /// It is on.
    pub enabled: bool,
    /// Which rule decided.
    pub rule: String,
    /// Why, as a sentence.
    pub reason: String,
    /// What would change it, as a sentence.
    pub would_change: String,
    /// For how long the rule still holds, at least or at most.
    pub for_ms: Option<u64>,
    /// The numbers.
    pub evidence: Value,
    /// What switching it off freed the last time, if that was measured.
    pub effect: Option<Value>,
}

/// Why a route is not admitted now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shortage {
    /// The type.
    pub workflow_type: TypeName,
    /// The priority.
    pub priority: Priority,
    /// What is short.
    pub resource: String,
    /// How much would be in use.
    pub value: f64,
    /// How much may be.
    pub limit: f64,
    /// The same as a sentence.
    #[serde(default)]
    pub detail: String,
}

/// One type on this worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TypeLoad {
    /// The type.
    pub workflow_type: TypeName,
    /// Runs under way.
    #[serde(default)]
    pub in_flight: u32,
    /// What one more run would reserve, in bytes.
    #[serde(default)]
    pub bytes: u64,
    /// Cores that a run uses.
    #[serde(default)]
    pub cores: f64,
    /// Mean duration of a run.
    #[serde(default)]
    pub mean_ms: f64,
    /// 95 of 100 runs were not longer.
    #[serde(default)]
    pub p95_ms: f64,
    /// Enough runs were seen to trust the figures.
    #[serde(default)]
    pub learned: bool,
}
