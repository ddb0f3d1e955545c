//! Relationship strength: one number in [0, 100] from what passed between us and a sponsor (WORKFLOWS 2.3).
//!
//! The way of a number: interactions, sorted by (time, id) -> decayed weights -> eight components in [0, 1] -> their
//! weighted mean over those that are known. Invariants: the order of the input changes nothing; a component that
//! cannot be known is `None` with a reason, never 0; what lies after `as_of` does not exist, so that the past can be
//! asked for by an earlier `as_of`. Deliberately absent: calendars of gifts, names, who is whose sponsor.
//! Concept: Granovetter 1973; dimensions: Gilbert and Karahalios, CHI 2009; the weights are a policy, not a finding.

mod components;
pub(crate) mod overlap;
pub(crate) mod sweep;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::number::{float, maybe};

pub(crate) use components::Component;
use overlap::Overlap;

/// The components, in the order of all arrays here; also the names that `weights` of an input may use.
pub(crate) const COMPONENTS: [&str; 8] = [
    "intensity",
    "reciprocity",
    "responsiveness",
    "consistency",
    "duration",
    "tone",
    "structural",
    "giving",
];

/// The letters of the formulas, by component; `weights` may use them as well.
const LETTERS: [&str; 8] = ["I", "R", "L", "C", "D", "E", "J", "M"];

/// Whether a key of `weights` names a component.
pub(crate) fn is_component(name: &str) -> bool {
    COMPONENTS
        .iter()
        .chain(&LETTERS)
        .any(|known| *known == name)
}

/// The weights of the policy, by component.
const WEIGHTS: [f64; 8] = [0.25, 0.15, 0.15, 0.15, 0.10, 0.05, 0.05, 0.10];

/// What the score rests on, for outputs.
pub(crate) const METHOD: &str =
    "weighted mean of the known components; weights are policy defaults unless given";

/// How something passed between us and them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Channel {
    /// Face to face.
    Meeting,
    /// By telephone or video.
    Call,
    /// An introduction.
    Intro,
    /// Both at the same event.
    Event,
    /// By mail.
    Email,
    /// A report to them.
    Report,
}

impl Channel {
    /// What one interaction counts on its day.
    fn worth(self) -> f64 {
        match self {
            Self::Meeting => 3.0,
            Self::Call | Self::Intro => 2.0,
            Self::Event => 1.5,
            Self::Email | Self::Report => 1.0,
        }
    }
}

/// From whom to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    /// From them to us.
    In,
    /// From us to them.
    Out,
    /// Both at once; counts half for each side.
    Mutual,
}

/// One interaction with a sponsor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interaction<'a> {
    /// Unique among the interactions.
    pub(crate) id: &'a str,
    /// When.
    pub(crate) at: Timestamp,
    /// How.
    pub(crate) channel: Channel,
    /// From whom.
    pub(crate) direction: Direction,
    /// The interaction that it answers.
    pub(crate) reply_to: Option<&'a str>,
    /// Tone of its text in [-1, 1]; `None` without text.
    pub(crate) sentiment: Option<f64>,
}

/// What is known about one sponsor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// The instant for which the strength holds.
    pub(crate) as_of: Timestamp,
    /// In any order.
    pub(crate) interactions: &'a [Interaction<'a>],
    /// Gifts in the last three periods; `None` where nobody recorded gifts.
    pub(crate) gifts: Option<u64>,
    /// Shared acquaintances; `None` where no ties are given.
    pub(crate) overlap: Option<Overlap>,
}

/// What may be set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Policy {
    /// Days in which the weight of an interaction halves.
    pub(crate) half_life_days: f64,
    /// Weights by component, none negative.
    pub(crate) weights: [f64; 8],
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            half_life_days: 90.0,
            weights: WEIGHTS,
        }
    }
}

impl Policy {
    /// The default with another half-life and other weights for the components named, by name before letter; unknown
    /// names change nothing.
    pub(crate) fn new(half_life_days: f64, weights: &BTreeMap<String, f64>) -> Self {
        let mut policy = Self {
            half_life_days,
            ..Self::default()
        };
        for ((weight, name), letter) in policy.weights.iter_mut().zip(COMPONENTS).zip(LETTERS) {
            let given = weights.get(name).or_else(|| weights.get(letter));
            *weight = given.copied().unwrap_or(*weight);
        }
        policy
    }
}

/// The result with its evidence.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Strength {
    /// In [0, 100]; `None` when no component with a weight is known.
    pub(crate) score: Option<f64>,
    /// Weight of the known components over all weight, in [0, 1].
    pub(crate) coverage: f64,
    /// By [`COMPONENTS`].
    pub(crate) components: [Component; 8],
    weights: [f64; 8],
}

/// The strength of the relationship with one sponsor. O(n log n).
pub(crate) fn strength(known: &Known<'_>, policy: &Policy) -> Strength {
    let components = components::all(known, policy.half_life_days);
    let values = components.each_ref().map(Component::value);
    let (score, coverage) = score(&values, policy);
    Strength {
        score,
        coverage,
        components,
        weights: policy.weights,
    }
}

/// The weighted mean of the known values in [0, 100], and the share of the weight that they have.
fn score(values: &[Option<f64>; 8], policy: &Policy) -> (Option<f64>, f64) {
    let (mut sum, mut weight) = (0.0, 0.0);
    for (value, w) in values.iter().zip(policy.weights) {
        if let Some(value) = value {
            sum += w * value;
            weight += w;
        }
    }
    let total: f64 = policy.weights.iter().sum();
    let coverage = if total > 0.0 { weight / total } else { 0.0 };
    ((weight > 0.0).then(|| 100.0 * sum / weight), coverage)
}

impl Strength {
    /// As outputs show it: `{score, coverage, components{...}, method, method_version}`.
    pub(crate) fn describe(&self) -> Value {
        let components: Map<String, Value> = COMPONENTS
            .iter()
            .zip(&self.components)
            .zip(self.weights)
            .map(|((name, component), weight)| ((*name).to_owned(), component.describe(weight)))
            .collect();
        let mut out = json!({
            "score": maybe(self.score),
            "coverage": float(self.coverage),
            "components": components,
            "method": METHOD,
            "method_version": 1,
        });
        if self.score.is_none() {
            out["reason"] = "no component with a weight is known".into();
        }
        out
    }
}
