//! What a task is likely to need: memory, processors and time, learned per
//! type and input size.
//!
//! Memory is the 95th percentile of fading peaks with a margin, or a straight
//! line over the input's size where that has proved better. An estimate rises
//! at once and falls by at most 5 % in ten tasks. What is not known is
//! declared, or else guessed from the size of the worker.
//!
//! Before a message is pulled its size is unknown. Then the estimate is the
//! one that three of four late tasks of the type stay within
//! ([`Estimates::before_pull`]). Too low costs a release: the store keeps the
//! task until a worker has the room. Too high costs idleness: the gate stays
//! shut for small tasks because of rare large ones. The first happens to one
//! task in four at worst and to none where all have one size.
//!
//! Invariant: every answer is a pure function of what was learned; `before_pull`
//! neither allocates nor searches.

mod bins;
mod learned;
mod line;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use bins::{as_f64, as_u64};
use learned::{Known, MARGIN};
pub use learned::{Learned, Usage, largest};

/// Fewer peaks than this and an estimate is not trusted.
pub const CONFIDENT: u64 = 5;

/// No task counts for fewer processors than this.
pub const LEAST_CORES: f64 = 0.25;

/// A shorter task occupies no processor long enough for its share of one to
/// mean anything; slots bound it. As long as a bundle of small tasks.
const BRIEF: Duration = Duration::from_millis(20);

/// Which share of late tasks the estimate before the pull covers.
const TYPICAL: f64 = 0.75;

/// What a type's author says of its tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Declared {
    /// Memory in bytes.
    pub bytes: Option<u64>,
    /// Processors.
    pub cores: Option<f64>,
}

/// What the worker has, for guesses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Room {
    /// The effective memory limit in bytes.
    pub limit: u64,
    /// The effective processors.
    pub cores: f64,
}

impl Room {
    /// What a task needs of which nothing is known: two on each processor fill
    /// the worker.
    fn guess(&self) -> u64 {
        as_u64(as_f64(self.limit) / (2.0 * self.cores.max(1.0)))
    }
}

/// Where an estimate comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// From the size of the worker.
    #[default]
    Guessed,
    /// From the type's author.
    Declared,
    /// From tasks that ended.
    Learned,
}

/// What a task is likely to need.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Memory in bytes.
    pub bytes: u64,
    /// Processors, at least [`LEAST_CORES`].
    pub cores: f64,
    /// It keeps processors busy for long enough to count.
    pub cpu_bound: bool,
    /// How long it runs, on average.
    pub mean: Duration,
    /// How long 95 % of them run at most.
    pub p95: Duration,
    /// How many peaks stand behind `bytes`.
    pub samples: u64,
    /// Where `bytes` comes from.
    pub basis: Basis,
}

impl Estimate {
    /// A task that needs nothing, for sure.
    pub const NOTHING: Self = Self {
        bytes: 0,
        cores: LEAST_CORES,
        cpu_bound: false,
        mean: Duration::ZERO,
        p95: Duration::ZERO,
        samples: CONFIDENT,
        basis: Basis::Learned,
    };

    /// Enough peaks stand behind it.
    #[must_use]
    pub const fn is_confident(&self) -> bool {
        self.samples >= CONFIDENT
    }
}

/// The learned estimates of a worker's types. A type is named by its place in
/// the list that this was made with.
#[derive(Clone, Debug)]
pub struct Estimates {
    types: Vec<Type>,
    whole: Learned,
    fresh: Learned,
}

/// What was learned about memory.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    held: u64,
    samples: u64,
    /// From the line: better than a guess, although no peak of its size was
    /// seen.
    by_line: bool,
}

#[derive(Clone, Debug)]
struct Type {
    name: String,
    declared: Declared,
    /// Kept ready: memory before the pull, and the rest.
    typical: Said,
    pace: (f64, bool, Duration, Duration),
}

impl Estimates {
    /// Knows nothing but what is declared of each type.
    pub fn new<'a>(types: impl IntoIterator<Item = (&'a str, Declared)>) -> Self {
        let mut estimates = Self {
            types: types
                .into_iter()
                .map(|(name, declared)| Type {
                    name: name.to_owned(),
                    declared,
                    typical: Said::default(),
                    pace: (0.0, false, Duration::ZERO, Duration::ZERO),
                })
                .collect(),
            whole: Learned::default(),
            fresh: Learned::default(),
        };
        estimates.ready_all();
        estimates
    }

    /// What a task of this type needs as far as can be said without its size.
    #[must_use]
    pub fn before_pull(&self, kind: u16, room: &Room) -> Estimate {
        match self.types.get(usize::from(kind)) {
            Some(of) => of.estimate(of.typical, room),
            None => UNKNOWN.estimate(Said::default(), room),
        }
    }

    /// What a task of this type and size bucket
    /// (`shared::wire::Ticket::size_bucket`) needs.
    #[must_use]
    pub fn sized(&self, kind: u16, bucket: u8, room: &Room) -> Estimate {
        let Some(of) = self.types.get(usize::from(kind)) else {
            return UNKNOWN.estimate(Said::default(), room);
        };
        let said = self.whole.types.get(&of.name);
        of.estimate(
            said.map_or_else(Said::default, |known| known.sized(bucket)),
            room,
        )
    }

    /// Learns from an ended task of this type.
    pub fn learn(&mut self, kind: u16, usage: &Usage) {
        self.change(kind, |known| known.learn(usage));
    }

    /// A task of this type was ended for want of memory, having been `given`
    /// so many bytes: the kernel killed it, or it hit its own limit.
    pub fn starved(&mut self, kind: u16, bucket: u8, given: u64) {
        self.change(kind, |known| known.starved(bucket, given));
    }

    fn change(&mut self, kind: u16, change: impl Fn(&mut Known)) {
        let Some(of) = self.types.get(usize::from(kind)) else {
            return;
        };
        for learned in [&mut self.whole, &mut self.fresh] {
            if !learned.types.contains_key(&of.name) {
                learned.types.insert(of.name.clone(), Known::default());
            }
            if let Some(known) = learned.types.get_mut(&of.name) {
                change(known);
            }
        }
        self.ready(usize::from(kind));
    }

    /// All that is known.
    #[must_use]
    pub const fn learned(&self) -> &Learned {
        &self.whole
    }

    /// What was learned since this was last asked: to be merged into the
    /// store's. If that fails, give it back with [`restore`](Self::restore).
    #[must_use]
    pub fn take_fresh(&mut self) -> Learned {
        std::mem::take(&mut self.fresh)
    }

    /// Takes back what could not be stored.
    pub fn restore(&mut self, fresh: &Learned) {
        self.fresh = self.fresh.merged(fresh);
    }

    /// Goes on with the fleet's knowledge, and what was learned here since it
    /// was last given away.
    pub fn adopt(&mut self, fleet: &Learned) {
        if fleet.is_current() {
            self.whole = fleet.merged(&self.fresh);
            self.ready_all();
        }
    }

    fn ready_all(&mut self) {
        for place in 0..self.types.len() {
            self.ready(place);
        }
    }

    fn ready(&mut self, place: usize) {
        let of = &mut self.types[place];
        let known = self.whole.types.get(&of.name);
        of.typical = known.map_or_else(Said::default, Known::typical);
        of.pace = known.map_or_else(|| of.declared.pace(), |known| known.paced(of.declared));
    }
}

/// Of a type that nobody named.
const UNKNOWN: Type = Type {
    name: String::new(),
    declared: Declared {
        bytes: None,
        cores: None,
    },
    typical: Said {
        held: 0,
        samples: 0,
        by_line: false,
    },
    pace: (LEAST_CORES, false, Duration::ZERO, Duration::ZERO),
};

impl Type {
    /// Of few peaks the declaration or the guess still speaks, the less the
    /// more there are; a peak above it counts at once.
    fn estimate(&self, said: Said, room: &Room) -> Estimate {
        let Said { held, samples, .. } = said;
        let cold = match self.declared.bytes {
            Some(bytes) => bytes,
            None if said.by_line => 0,
            None => room.guess(),
        };
        let unheard = CONFIDENT.saturating_sub(samples);
        let (cores, cpu_bound, mean, p95) = self.pace;
        Estimate {
            bytes: held.max(cold / CONFIDENT * unheard),
            cores,
            cpu_bound,
            mean,
            p95,
            samples,
            basis: match self.declared.bytes {
                _ if samples > 0 || said.by_line => Basis::Learned,
                Some(_) => Basis::Declared,
                None => Basis::Guessed,
            },
        }
    }
}

impl Declared {
    /// Before anything is known a type counts as bound by the processor only
    /// if its author says so: the processor can be shared, and the first tasks
    /// tell.
    fn pace(self) -> (f64, bool, Duration, Duration) {
        let cores = self.cores.unwrap_or(LEAST_CORES).max(LEAST_CORES);
        (
            cores,
            self.cores.is_some_and(|cores| cores > LEAST_CORES),
            Duration::ZERO,
            Duration::ZERO,
        )
    }
}

impl Known {
    fn paced(&self, declared: Declared) -> (f64, bool, Duration, Duration) {
        if self.pace.count < CONFIDENT {
            return declared.pace();
        }
        let (mean, cores) = (self.pace.mean(), self.pace.cores().unwrap_or(0.0));
        (
            cores.max(LEAST_CORES),
            cores > LEAST_CORES && mean >= BRIEF,
            mean,
            self.pace.p95(),
        )
    }

    /// What the given share of late tasks stay within, whatever their size.
    fn typical(&self) -> Said {
        let samples = self.buckets.values().map(|bucket| bucket.count).sum();
        let mut helds: Vec<_> = self
            .buckets
            .values()
            .map(|bucket| (bucket.held, bucket.weight()))
            .collect();
        helds.sort_unstable_by_key(|&(held, _)| held);
        let wanted = helds.iter().map(|&(_, weight)| weight).sum::<f64>() * TYPICAL;
        let mut sum = 0.0;
        for (held, weight) in helds {
            sum += weight;
            if sum >= wanted {
                return Said::seen(held, samples);
            }
        }
        Said::seen(0, samples)
    }

    /// The estimate of one bucket and the peaks behind it. A bucket that is
    /// hardly known borrows: a larger input needs no less, so the next larger
    /// known bucket bounds it; without one, it needs at least what smaller
    /// inputs need and what the line says, and nobody vouches for it.
    fn sized(&self, bucket: u8) -> Said {
        let own = self.buckets.get(&bucket);
        let (held, count) = own.map_or((0, 0), |own| (own.held, own.count));
        if count >= CONFIDENT {
            return Said::seen(held, count);
        }
        let known = |of: &(&u8, &learned::Bucket)| of.1.count >= CONFIDENT;
        if let Some((_, larger)) = self.buckets.range(bucket..).find(known) {
            return Said::seen(held.max(larger.held), larger.count);
        }
        let smaller = self
            .buckets
            .range(..bucket)
            .rev()
            .find(known)
            .map_or(0, |(_, smaller)| smaller.held);
        let line = self.line.fit();
        Said {
            held: held
                .max(smaller)
                .max(line.map_or(0, |fit| as_u64(fit.at(largest(bucket)) * MARGIN))),
            samples: count,
            by_line: line.is_some(),
        }
    }
}

impl Said {
    const fn seen(held: u64, samples: u64) -> Self {
        Self {
            held,
            samples,
            by_line: false,
        }
    }
}

#[cfg(test)]
mod tests;
