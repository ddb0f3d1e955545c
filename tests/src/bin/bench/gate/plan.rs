//! Which runs there are: arms, seeds and parts, and the order in which they are made.
//!
//! Invariant: a run is known by its key, the key names the file of its record, and a run whose record exists is not
//! made again. Seeds that tune are never seeds that report.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::mix::{self, Phase};

/// Workers of the fleet.
pub(crate) const WORKERS: usize = 4;
/// Memory of one worker's group.
pub(crate) const LIMIT_BYTES: u64 = 384 << 20;
/// Slots of every arm but the best fixed one: more than the memory can hold of the mix, as a person would choose who
/// looks at the processor.
pub(crate) const SLOTS: u32 = 8;
/// The first seed that tunes; those that report count from 1.
const FIRST_TUNING_SEED: u64 = 1001;

/// What decides whether a task may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Arm {
    /// A: no gate, fixed 8.
    None,
    /// A': the best fixed limit, found on the tuning seeds.
    Best,
    /// B: no new task above 80 % of the group's memory.
    Pause,
    /// C: the rule of Temporal's resource tuner.
    Tuner,
    /// D: ours.
    Ours,
}

impl Arm {
    /// All arms, in the order of the table.
    pub(crate) const ALL: [Self; 5] =
        [Self::None, Self::Best, Self::Pause, Self::Tuner, Self::Ours];

    /// Its letter and what it is.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::None => "A  no gate, fixed 8",
            Self::Best => "A' best fixed limit",
            Self::Pause => "B  pause above 80 %",
            Self::Tuner => "C  Temporal's rule",
            Self::Ours => "D  ours",
        }
    }

    /// Its name in file names.
    const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Best => "best",
            Self::Pause => "pause",
            Self::Tuner => "tuner",
            Self::Ours => "ours",
        }
    }
}

/// Which arrivals a run gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    /// The three phases, on a seed that tunes; what is left after them is not waited for.
    Tuning,
    /// The three phases, on a seed that reports.
    Mixed,
    /// Critical tasks alone.
    Unloaded,
    /// Ten steady minutes.
    Calm,
}

impl Part {
    /// Its phases.
    pub(crate) const fn phases(self) -> &'static [Phase] {
        match self {
            Self::Tuning | Self::Mixed => &mix::MIXED,
            Self::Unloaded => &mix::UNLOADED,
            Self::Calm => &mix::CALM,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Tuning => "tuning",
            Self::Mixed => "mixed",
            Self::Unloaded => "unloaded",
            Self::Calm => "calm",
        }
    }
}

/// One run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Key {
    /// Which arrivals.
    pub(crate) part: Part,
    /// Who decides.
    pub(crate) arm: Arm,
    /// Slots of each worker.
    pub(crate) slots: u32,
    /// Of the arrivals.
    pub(crate) seed: u64,
}

impl Key {
    /// The name of its record.
    pub(crate) fn name(&self) -> String {
        let Self {
            part,
            arm,
            slots,
            seed,
        } = self;
        format!("{}-{}-{slots}-{seed}", part.name(), arm.name())
    }
}

/// The sweep for the best fixed limit: every limit on every tuning seed, in an order of the seed's own.
pub(crate) fn sweep(limits: &[u32], seeds: u32) -> Vec<Key> {
    let mut keys = Vec::new();
    for seed in (FIRST_TUNING_SEED..).take(seeds as usize) {
        let mut own: Vec<Key> = limits
            .iter()
            .map(|&slots| Key {
                part: Part::Tuning,
                arm: Arm::Best,
                slots,
                seed,
            })
            .collect();
        own.shuffle(&mut ChaCha8Rng::seed_from_u64(!seed));
        keys.extend(own);
    }
    keys
}

/// The runs that are reported: per seed the unloaded one and then the arms in an order of the seed's own, last the calm
/// one of ours. `best` is the outcome of the sweep, where it is needed.
pub(crate) fn reported(arms: &[Arm], best: Option<u32>, seeds: u32) -> Vec<Key> {
    let mut keys = Vec::new();
    for seed in 1..=u64::from(seeds) {
        let key = |part, arm, slots| Key {
            part,
            arm,
            slots,
            seed,
        };
        keys.push(key(Part::Unloaded, Arm::None, SLOTS));
        let mut own: Vec<Key> = arms
            .iter()
            .filter_map(|&arm| {
                let slots = if arm == Arm::Best { best? } else { SLOTS };
                Some(key(Part::Mixed, arm, slots))
            })
            .collect();
        // The complement, so that the order does not come from the numbers that make the arrivals.
        own.shuffle(&mut ChaCha8Rng::seed_from_u64(!seed));
        keys.extend(own);
    }
    if arms.contains(&Arm::Ours) {
        keys.push(Key {
            part: Part::Calm,
            arm: Arm::Ours,
            slots: SLOTS,
            seed: 1,
        });
    }
    keys
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn tuning_and_reporting_share_no_seed_and_every_run_has_a_name_of_its_own() {
        let sweep = sweep(&[1, 2, 3], 3);
        let reported = reported(&Arm::ALL, Some(3), 5);
        let seeds = |keys: &[Key]| -> HashSet<u64> { keys.iter().map(|key| key.seed).collect() };
        assert!(seeds(&sweep).is_disjoint(&seeds(&reported)));
        let names: HashSet<String> = sweep.iter().chain(&reported).map(Key::name).collect();
        assert_eq!(names.len(), sweep.len() + reported.len());
        assert_eq!(reported.len(), 5 * 6 + 1);
    }

    #[test]
    fn the_order_of_the_arms_is_the_seeds_own_and_always_the_same() {
        let order = |seed: u64| -> Vec<Arm> {
            let keys = reported(&Arm::ALL, Some(3), 9);
            let own = keys.iter().filter(|key| key.seed == seed);
            own.filter(|key| key.part == Part::Mixed)
                .map(|key| key.arm)
                .collect()
        };
        assert_eq!(order(1), order(1));
        let orders: HashSet<Vec<Arm>> = (1..=9).map(order).collect();
        assert!(orders.len() > 3);
    }
}
