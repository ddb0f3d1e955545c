//! The synthetic traces, by seeded code.
//!
//! Invariant: the same name and seed give the same rows, rounded to what the
//! files hold, so that a file can be compared with its generator.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// What a trace says of one moment.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Row {
    /// Seconds since the start.
    pub at: u64,
    /// Shares; memory of a limit of 8 GiB, disk of 100 GiB.
    pub memory: f64,
    pub cpu: f64,
    pub disk: f64,
    /// Kills since the row before.
    pub kills: u64,
}

/// Names of the traces that are kept as files.
pub(crate) const NAMES: [&str; 15] = [
    "flat",
    "ramp",
    "cold_ramp",
    "tooth_20",
    "tooth_60",
    "tooth_150",
    "triangle_20",
    "triangle_60",
    "triangle_150",
    "spike_1",
    "spike_3",
    "oscillation",
    "leak",
    "kill",
    "disk",
];

pub(crate) struct Noise(ChaCha8Rng);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Standard normal (Box and Muller).
    pub(crate) fn next(&mut self) -> f64 {
        let (u, v): (f64, f64) = (self.0.random(), self.0.random());
        (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

/// Rises from 55 % to 78 % over a period, then falls at once.
pub(crate) fn tooth(at: u64, period: u64) -> f64 {
    0.55 + 0.23 * (at % period) as f64 / period as f64
}

/// Rises from 55 % to 78 % in half a period and falls in the other half.
pub(crate) fn triangle(at: u64, period: u64) -> f64 {
    let phase = (at % period) as f64 / period as f64;
    0.55 + 0.23 * (1.0 - (2.0 * phase - 1.0).abs())
}

/// 50 % until `from`, then to 95 % in 120 s.
pub(crate) fn ramp(at: u64, from: u64) -> f64 {
    (0.50 + 0.45 * at.saturating_sub(from) as f64 / 120.0).min(0.95)
}

/// Truth and noise (standard deviation) of memory, and how long.
fn shape(name: &str, at: u64) -> (f64, f64, u64) {
    let spike = |width: u64| {
        if (60..60 + width).contains(&at) {
            0.86
        } else {
            0.60
        }
    };
    match name {
        "flat" => (0.60, 0.02, 3600),
        "ramp" => (ramp(at, 300), 0.005, 480),
        "cold_ramp" => (ramp(at, 0), 0.0, 180),
        "tooth_20" => (tooth(at, 20), 0.0, 900),
        "tooth_60" => (tooth(at, 60), 0.0, 900),
        "tooth_150" => (tooth(at, 150), 0.0, 900),
        "triangle_20" => (triangle(at, 20), 0.0, 900),
        "triangle_60" => (triangle(at, 60), 0.0, 900),
        "triangle_150" => (triangle(at, 150), 0.0, 900),
        "spike_1" => (spike(1), 0.0, 120),
        "spike_3" => (spike(3), 0.0, 120),
        "oscillation" => (0.80 + 0.02 * (at as f64 * 0.7).sin(), 0.0, 900),
        "leak" => (0.10 + 0.0002 * at as f64, 0.005, 3600),
        _ => (0.40, 0.0, 180),
    }
}

fn short(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

pub(crate) fn rows(name: &str, seed: u64) -> Vec<Row> {
    let mut noise = Noise::new(seed);
    if name == "disk" {
        // Every 10 s for an hour and a half: 70 % to 99.5 %, then emptied.
        let disk = |at: u64| {
            if at < 4500 {
                0.70 + 0.295 * at as f64 / 4500.0
            } else {
                0.50
            }
        };
        let row = |at: u64| Row {
            at,
            memory: 0.4,
            cpu: 0.2,
            disk: short(disk(at)),
            kills: 0,
        };
        return (0..540).map(|k| row(k * 10)).collect();
    }
    let seconds = shape(name, 0).2;
    let row = |at: u64| {
        let (truth, deviation, _) = shape(name, at);
        Row {
            at,
            memory: short(truth + deviation * noise.next()),
            cpu: 0.2,
            disk: 0.3,
            kills: u64::from(name == "kill" && at == 60),
        }
    };
    (0..seconds).map(row).collect()
}
