//! What is offered: four classes of tasks, the phases of a run, and the arrivals that a seed makes of them.
//!
//! Invariant: arrivals depend on the seed and the part alone, so every arm gets the same ones at the same times; they
//! never wait for an answer (open loop). Deliberately absent: any declaration of memory. A task's input is as long as a
//! fixed share of the memory it takes, and that is all that the system may learn from.

use std::time::Duration;

use clap::ValueEnum;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::plan::{LIMIT_BYTES, WORKERS};

const MIB: u64 = 1 << 20;

/// One byte of input stands for so many bytes of memory: 200 MiB make 50 KiB, which still travels with the task.
const MEMORY_A_BYTE: u64 = 4096;

/// The kinds of work of RESOURCES 4.4.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Class {
    /// 8 MiB for 100 ms.
    Standard,
    /// 48 MiB for 1 s.
    Advanced,
    /// 40 to 200 MiB for 3 s, by the length of the input.
    Excel,
    /// 16 MiB for 200 ms, at the priority `critical`.
    Critical,
}

impl Class {
    /// All classes, in the order of a mix's shares.
    pub(crate) const ALL: [Self; 4] = [Self::Standard, Self::Advanced, Self::Excel, Self::Critical];

    /// Its workflow type.
    pub(crate) const fn type_name(self) -> &'static str {
        match self {
            Self::Standard => "bench.standard",
            Self::Advanced => "bench.advanced",
            Self::Excel => "bench.excel",
            Self::Critical => "bench.critical",
        }
    }

    /// Its feature category, as that of the product's types with such needs.
    pub(crate) const fn category(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Advanced => "advanced",
            Self::Excel => "experimental",
            Self::Critical => "essential",
        }
    }

    const fn priority(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Standard | Self::Advanced | Self::Excel => "medium",
        }
    }

    /// How long the memory is held.
    pub(crate) const fn hold(self) -> Duration {
        match self {
            Self::Standard => Duration::from_millis(100),
            Self::Advanced => Duration::from_secs(1),
            Self::Excel => Duration::from_secs(3),
            Self::Critical => Duration::from_millis(200),
        }
    }

    /// The least and the most memory of a task, MiB.
    const fn mib(self) -> (u64, u64) {
        match self {
            Self::Standard => (8, 8),
            Self::Advanced => (48, 48),
            Self::Excel => (40, 200),
            Self::Critical => (16, 16),
        }
    }

    /// Mean memory times time of a task, MiB s.
    fn mean_demand(self) -> f64 {
        let (least, most) = self.mib();
        whole(least).midpoint(whole(most)) * self.hold().as_secs_f64()
    }
}

/// How much is offered for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    /// Its name in records and tables.
    pub(crate) name: &'static str,
    /// How long arrivals go on at scale 1.
    pub(crate) length: Duration,
    load: Load,
    /// Shares of the classes, in the order of [`Class::ALL`]; they sum to 1.
    shares: [f64; 4],
}

#[derive(Clone, Copy, Debug)]
enum Load {
    /// Memory demand (tasks a second x mean MiB x seconds) as a multiple of the fleet's memory.
    Memory(f64),
    /// Tasks a second.
    Rate(f64),
}

const STEADY: [f64; 4] = [0.60, 0.25, 0.10, 0.05];
/// The share of large tasks triples; the rest keeps its order.
const SHIFTED: [f64; 4] = [0.40, 0.25, 0.30, 0.05];
const MINUTE: Duration = Duration::from_mins(1);

/// Overload, relief, overload of another kind.
pub(crate) const MIXED: [Phase; 3] = [
    Phase {
        name: "overload",
        length: MINUTE,
        load: Load::Memory(1.5),
        shares: STEADY,
    },
    Phase {
        name: "relief",
        length: MINUTE,
        load: Load::Memory(0.5),
        shares: STEADY,
    },
    Phase {
        name: "shifted",
        length: MINUTE,
        load: Load::Memory(1.5),
        shares: SHIFTED,
    },
];

/// Critical tasks alone, about one in ten of which meets another: what they take when nothing is in their way.
pub(crate) const UNLOADED: [Phase; 1] = [Phase {
    name: "unloaded",
    length: Duration::from_secs(40),
    load: Load::Rate(3.0),
    shares: [0.0, 0.0, 0.0, 1.0],
}];

/// Ten minutes of a load that the fleet can carry, for the transitions of a gate that has no reason to move.
pub(crate) const CALM: [Phase; 1] = [Phase {
    name: "calm",
    length: Duration::from_mins(10),
    load: Load::Memory(0.5),
    shares: STEADY,
}];

impl Phase {
    /// Tasks a second.
    fn rate(&self) -> f64 {
        match self.load {
            Load::Rate(rate) => rate,
            Load::Memory(load) => {
                let fleet = whole(WORKERS as u64 * LIMIT_BYTES / MIB);
                let mean: f64 = Class::ALL
                    .iter()
                    .zip(self.shares)
                    .map(|(class, share)| class.mean_demand() * share)
                    .sum();
                load * fleet / mean
            }
        }
    }

    fn draw(&self, unit: f64) -> Class {
        let mut left = unit;
        for (class, share) in Class::ALL.into_iter().zip(self.shares) {
            if left < share {
                return class;
            }
            left -= share;
        }
        Class::Critical
    }
}

/// One task of a schedule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// When it is due, since the start of the run.
    pub(crate) at: Duration,
    /// What it is.
    pub(crate) class: Class,
    /// The memory it will take, bytes.
    pub(crate) bytes: u64,
    /// The index of its phase.
    pub(crate) phase: usize,
}

impl Arrival {
    /// The submission.
    pub(crate) fn body(&self) -> String {
        let pad = usize::try_from(self.bytes / MEMORY_A_BYTE).unwrap_or(usize::MAX);
        format!(
            r#"{{"workflow_type":"{}","priority":"{}","input":{{"bytes":{},"ms":{},"pad":"{}"}}}}"#,
            self.class.type_name(),
            self.class.priority(),
            self.bytes,
            self.class.hold().as_millis(),
            "x".repeat(pad)
        )
    }

    /// Memory times time, MiB s: what it weighs where tasks are not counted alike.
    pub(crate) fn demand(&self) -> f64 {
        whole(self.bytes / MIB) * self.class.hold().as_secs_f64()
    }
}

/// The Poisson arrivals of these phases, each `scale` times as long as it says.
pub(crate) fn arrivals(phases: &[Phase], scale: f64, seed: u64) -> Vec<Arrival> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut arrivals = Vec::new();
    let mut begin = Duration::ZERO;
    for (index, phase) in phases.iter().enumerate() {
        let length = phase.length.mul_f64(scale);
        let mut at = Duration::ZERO;
        loop {
            // Inverse transform of the exponential distribution; 1 - u is never 0.
            let gap = -(1.0 - rng.random::<f64>()).ln() / phase.rate();
            at += Duration::from_secs_f64(gap);
            if at >= length {
                break;
            }
            let class = phase.draw(rng.random());
            let (least, most) = class.mib();
            arrivals.push(Arrival {
                at: begin + at,
                class,
                bytes: rng.random_range(least * MIB..=most * MIB),
                phase: index,
            });
        }
        begin += length;
    }
    arrivals
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of MiB and of tasks are far below 2^52"
)]
fn whole(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_makes_the_same_arrivals_and_another_makes_others() {
        let bodies = |seed| -> Vec<String> {
            let all = arrivals(&MIXED, 0.1, seed);
            all.iter().map(Arrival::body).collect()
        };
        assert_eq!(bodies(1), bodies(1));
        assert_ne!(bodies(1), bodies(2));
    }

    #[test]
    fn the_offered_memory_is_the_asked_multiple_of_the_fleets() {
        let all = arrivals(&MIXED, 10.0, 7);
        let fleet = whole(WORKERS as u64 * LIMIT_BYTES / MIB) * 600.0;
        for (index, wanted) in [1.5, 0.5, 1.5].into_iter().enumerate() {
            let own = all.iter().filter(|arrival| arrival.phase == index);
            let offered: f64 = own.map(Arrival::demand).sum();
            let load = offered / fleet;
            assert!((load / wanted - 1.0).abs() < 0.05, "{index}: {load}");
        }
    }

    #[test]
    fn shares_sum_to_one_and_inputs_stay_with_their_tasks() {
        for phase in MIXED.iter().chain(&UNLOADED).chain(&CALM) {
            let sum: f64 = phase.shares.iter().sum();
            assert!((sum - 1.0).abs() < 1e-9, "{}", phase.name);
        }
        let longest = arrivals(&MIXED, 1.0, 3)
            .iter()
            .map(|arrival| arrival.body().len())
            .max();
        // Above 64 KiB an input would lie in the blob store.
        assert!(longest.unwrap() < 60 << 10);
    }
}
