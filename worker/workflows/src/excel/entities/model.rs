//! The model of Fellegi and Sunter: how much each level of agreement speaks for a match.
//!
//! I. Fellegi, A. Sunter, "A Theory for Record Linkage", J. Am. Stat. Assoc. 64 (1969); estimation by expectation
//! maximisation after W. Winkler (1988), from a fixed start. The start also acts as a prior worth [`PRIOR_PAIRS`] pairs, so
//! that ten rows do not make a model of their own. A closer level never weighs less than one further off.
//! Invariant: the posterior never falls from one iteration to the next.
//! Deliberately absent: randomness, dependence between fields.

use std::collections::BTreeMap;

use super::settings::Kind;

/// Iterations of the estimation.
pub(super) const ITERATIONS: usize = 20;
/// The share of matches among compared pairs that the estimation starts from.
const START_LAMBDA: f64 = 0.1;
/// Pairs that the start is worth, in each class of each field, against those that are observed.
const PRIOR_PAIRS: f64 = 20.0;
/// Bits of a pattern that hold one field.
const BITS: u32 = 3;

/// The levels of a pair in all fields, three bits each: 0 is missing, else the level and one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pattern(u64);

impl Pattern {
    pub(super) fn new(levels: impl Iterator<Item = Option<u8>>) -> Self {
        Self(levels.enumerate().fold(0, |bits, (field, level)| {
            let code = level.map_or(0, |l| u64::from(l) + 1);
            bits | code << (BITS * crate::number::small(field))
        }))
    }

    /// The level in a field.
    pub(super) fn level(self, field: usize) -> Option<usize> {
        let code = self.0 >> (BITS * crate::number::small(field)) & 0b111;
        usize::try_from(code).ok()?.checked_sub(1)
    }

    /// The same with some fields missing.
    pub(super) fn without(self, fields: &[usize]) -> Self {
        let mask =
            |bits: u64, &field: &usize| bits & !(0b111 << (BITS * crate::number::small(field)));
        Self(fields.iter().fold(self.0, mask))
    }
}

/// How often each pattern was seen.
pub(super) type Counts = BTreeMap<Pattern, f64>;

/// Shares of levels among matches and among others.
#[derive(Debug, Clone)]
pub(super) struct FieldModel {
    /// Share of each level among matches.
    pub(super) m: Vec<f64>,
    /// Share of each level among compared pairs that are no match.
    pub(super) u: Vec<f64>,
}

/// The estimated model.
#[derive(Debug, Clone)]
pub(super) struct Model {
    /// Share of matches among compared pairs.
    pub(super) lambda: f64,
    /// One for each compared field.
    pub(super) fields: Vec<FieldModel>,
    /// The logarithm of the posterior before each iteration and after the last.
    pub(super) trace: Vec<f64>,
}

impl Model {
    /// The fixed start.
    fn start(kinds: &[Kind]) -> Self {
        let field = |kind: &Kind| FieldModel {
            m: kind.start_m().to_vec(),
            u: kind.start_u().to_vec(),
        };
        Self {
            lambda: START_LAMBDA,
            fields: kinds.iter().map(field).collect(),
            trace: Vec::new(),
        }
    }

    /// Estimates the model from the patterns of all compared pairs.
    pub(super) fn estimate(kinds: &[Kind], counts: &Counts) -> Self {
        let mut model = Self::start(kinds);
        for _ in 0..ITERATIONS {
            let posterior = model.posterior(kinds, counts);
            model.trace.push(posterior);
            model.improve(kinds, counts);
        }
        let posterior = model.posterior(kinds, counts);
        model.trace.push(posterior);
        model
    }

    /// One round: how likely each pattern is a match, then the shares that follow.
    fn improve(&mut self, kinds: &[Kind], counts: &Counts) {
        let mut fields: Vec<FieldModel> = kinds
            .iter()
            .map(|kind| FieldModel {
                m: kind.start_m().iter().map(|x| x * PRIOR_PAIRS).collect(),
                u: kind.start_u().iter().map(|x| x * PRIOR_PAIRS).collect(),
            })
            .collect();
        let (mut matches, mut pairs) = (START_LAMBDA * PRIOR_PAIRS, PRIOR_PAIRS);
        for (&pattern, &count) in counts {
            let p = self.probability(pattern);
            matches += count * p;
            pairs += count;
            for (field, sums) in fields.iter_mut().enumerate() {
                if let Some(level) = pattern.level(field) {
                    sums.m[level] += count * p;
                    sums.u[level] += count * (1.0 - p);
                }
            }
        }
        self.lambda = matches / pairs;
        for (model, sums) in self.fields.iter_mut().zip(fields) {
            *model = ordered(&sums);
        }
    }

    /// The weight of a level in a field, in bits: log2(m / u).
    pub(super) fn weight(&self, field: usize, level: usize) -> f64 {
        let model = &self.fields[field];
        (model.m[level] / model.u[level]).log2()
    }

    /// The sum of the weights of a pattern, in bits, without the prior odds. A missing value weighs nothing.
    pub(super) fn total_weight(&self, pattern: Pattern) -> f64 {
        (0..self.fields.len())
            .filter_map(|f| pattern.level(f).map(|level| self.weight(f, level)))
            .sum()
    }

    /// The probability that a pair of this pattern is a match.
    pub(super) fn probability(&self, pattern: Pattern) -> f64 {
        let bits = self.total_weight(pattern) + (self.lambda / (1.0 - self.lambda)).log2();
        1.0 / (1.0 + (-bits).exp2())
    }

    /// Logarithm of likelihood times prior, up to a constant: what each iteration raises.
    fn posterior(&self, kinds: &[Kind], counts: &Counts) -> f64 {
        let mut sum = PRIOR_PAIRS
            * (START_LAMBDA * self.lambda.ln() + (1.0 - START_LAMBDA) * (1.0 - self.lambda).ln());
        for (kind, field) in kinds.iter().zip(&self.fields) {
            let of = |start: &[f64], now: &[f64]| -> f64 {
                start
                    .iter()
                    .zip(now)
                    .map(|(s, x)| PRIOR_PAIRS * s * x.ln())
                    .sum()
            };
            sum += of(kind.start_m(), &field.m) + of(kind.start_u(), &field.u);
        }
        for (&pattern, &count) in counts {
            let (mut m, mut u) = (self.lambda, 1.0 - self.lambda);
            for (field, model) in self.fields.iter().enumerate() {
                if let Some(level) = pattern.level(field) {
                    m *= model.m[level];
                    u *= model.u[level];
                }
            }
            sum += count * (m + u).ln();
        }
        sum
    }
}

/// The shares that fit sums of matches and of others best, while m / u falls from level to level.
///
/// Pooling adjacent violators on the share of matches of each level is the maximum-likelihood estimate under this order
/// (R. Dykstra, S. Kochar, T. Robertson, J. Am. Stat. Assoc. 90 (1995)), so it cannot lower the posterior.
fn ordered(sums: &FieldModel) -> FieldModel {
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for (&m, &u) in sums.m.iter().zip(&sums.u) {
        let mut pool = (m, u, 1);
        // Compared by products: a division could not be exact.
        while let Some(&(before_m, before_u, levels)) = pools.last()
            && before_m * pool.1 < pool.0 * before_u
        {
            pools.pop();
            pool = (pool.0 + before_m, pool.1 + before_u, pool.2 + levels);
        }
        pools.push(pool);
    }
    let (all_m, all_u): (f64, f64) = (sums.m.iter().sum(), sums.u.iter().sum());
    let mut field = FieldModel {
        m: Vec::new(),
        u: Vec::new(),
    };
    let mut level = 0;
    for (m, u, levels) in pools {
        for _ in 0..levels {
            let seen = sums.m[level] + sums.u[level];
            field.m.push(seen * m / (m + u) / all_m);
            field.u.push(seen * u / (m + u) / all_u);
            level += 1;
        }
    }
    field
}
