//! What a sponsor analysis takes. Single fields are checked by the schema made from these structs; rules between
//! fields, dates and amounts are in `book`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::advanced::Advanced;
use crate::imports::Import;
use crate::money::Amount;
use crate::schema::Day;

/// Sponsors, what they gave, what they were asked, and every contact with them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// The day at whose end the analysis stands; nothing else tells the time.
    pub(super) as_of: Day,
    /// Currency of every amount in the result.
    #[schemars(length(min = 3, max = 3))]
    pub(super) currency: String,
    /// Units of `currency` for one unit of another currency.
    #[serde(default)]
    #[schemars(extend("additionalProperties" = {"type": "number", "exclusiveMinimum": 0.0}))]
    pub(super) fx: BTreeMap<String, f64>,
    /// Whom to analyse; at least one, here or by `imports`.
    #[serde(default)]
    pub(super) sponsors: Vec<Sponsor>,
    /// What they gave.
    #[serde(default)]
    pub(super) gifts: Vec<Gift>,
    /// What they were asked for.
    #[serde(default)]
    pub(super) asks: Vec<Ask>,
    /// Contacts with them.
    #[serde(default)]
    pub(super) interactions: Vec<Interaction>,
    /// Who knows whom: for influence, and for shared acquaintances with `params.us`.
    #[serde(default)]
    pub(super) ties: Vec<Tie>,
    /// `nodes` of a relationship mapping's result, instead of an influence computed from `ties`.
    #[serde(default)]
    pub(super) influence: Option<Vec<Node>>,
    /// Rows of tables, such as `records` of an Excel processing result, as further entries. `mapping` gives the column
    /// of each field. Sponsors: id, name, type, `focus_areas`, `person_ids`, `annual_giving`, `min_award`,
    /// `max_award`; gifts: `sponsor_id`, date, amount, currency, programme, `opportunity_id`, id; asks: `sponsor_id`,
    /// date, outcome, amount, currency, `focus_areas`, decided, id; interactions: ts, channel, direction,
    /// `sponsor_id` or `person_id`, `reply_to`, sentiment, id; ties: a, b, strength. A `sponsor_id` may be the
    /// sponsor's name; without an id a row's place is its id; a row that cannot be used is left out and counted.
    #[serde(default)]
    pub(super) imports: Vec<Import<List>>,
    /// Settings.
    #[serde(default)]
    pub(super) params: Params,
    /// Seed of every random draw.
    #[serde(default = "one")]
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub(super) seed: u64,
    /// `require` asks for the expensive optional parts even when they are switched off for the moment.
    #[serde(default)]
    pub(super) advanced: Advanced,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Sponsor {
    /// Unique id.
    #[schemars(length(min = 1, max = 256))]
    pub(super) id: String,
    /// Name for people.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub(super) name: Option<String>,
    /// What the sponsor is; also the segment whose rates its own are drawn towards.
    #[serde(default, rename = "type")]
    pub(super) kind: Option<Kind>,
    /// What it funds.
    #[serde(default)]
    #[schemars(inner(length(min = 1, max = 256)))]
    pub(super) focus_areas: Vec<String>,
    /// What it can give.
    #[serde(default)]
    pub(super) capacity: Option<Capacity>,
    /// Its people in `interactions` and `ties`.
    #[serde(default)]
    #[schemars(inner(length(min = 1, max = 256)))]
    pub(super) person_ids: Vec<String>,
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Foundation,
    Corporate,
    Government,
    Individual,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Capacity {
    /// What it gives in a year, to everyone.
    #[serde(default)]
    pub(super) annual_giving: Option<Amount>,
    /// Its smallest award.
    #[serde(default)]
    pub(super) min_award: Option<Amount>,
    /// Its largest award.
    #[serde(default)]
    pub(super) max_award: Option<Amount>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Gift {
    /// Unique id.
    #[schemars(length(min = 1, max = 256))]
    pub(super) id: String,
    /// Who gave.
    #[schemars(length(min = 1, max = 256))]
    pub(super) sponsor_id: String,
    /// When.
    pub(super) date: Day,
    /// How much, as a decimal string or a number.
    pub(super) amount: Amount,
    /// In which currency, if not the analysis' own.
    #[serde(default)]
    #[schemars(length(min = 3, max = 3))]
    pub(super) currency: Option<String>,
    /// For what.
    #[serde(default, rename = "programme")]
    #[schemars(length(max = 512))]
    pub(super) _programme: Option<String>,
    /// The opportunity that it answered.
    #[serde(default, rename = "opportunity_id")]
    #[schemars(length(max = 256))]
    pub(super) _opportunity_id: Option<String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// Unique id.
    #[schemars(length(min = 1, max = 256))]
    pub(super) id: String,
    /// Who was asked.
    #[schemars(length(min = 1, max = 256))]
    pub(super) sponsor_id: String,
    /// When; of a pending ask also a coming day.
    pub(super) date: Day,
    /// For how much.
    #[serde(default)]
    pub(super) amount: Option<Amount>,
    /// In which currency, if not the analysis' own.
    #[serde(default)]
    #[schemars(length(min = 3, max = 3))]
    pub(super) currency: Option<String>,
    /// For what.
    #[serde(default)]
    #[schemars(inner(length(min = 1, max = 256)))]
    pub(super) focus_areas: Vec<String>,
    /// What came of it.
    pub(super) outcome: AskOutcome,
    /// When it was decided.
    #[serde(default)]
    pub(super) decided: Option<Day>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum AskOutcome {
    Awarded,
    Declined,
    Withdrawn,
    Pending,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Interaction {
    /// Unique id.
    #[schemars(length(min = 1, max = 256))]
    pub(super) id: String,
    /// With which sponsor; may be left out if `person_id` tells.
    #[serde(default)]
    #[schemars(length(min = 1, max = 256))]
    pub(super) sponsor_id: Option<String>,
    /// With whom there.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub(super) person_id: Option<String>,
    /// When (RFC 3339); without a zone in UTC, a date alone is its first moment.
    #[schemars(length(min = 10, max = 64))]
    pub(super) ts: String,
    /// How.
    pub(super) channel: Channel,
    /// Who began it: `in` is the sponsor.
    pub(super) direction: Direction,
    /// The id of the interaction that this one answers.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub(super) reply_to: Option<String>,
    /// Tone of its text in [-1, 1].
    #[serde(default)]
    #[schemars(range(min = -1.0, max = 1.0))]
    pub(super) sentiment: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Channel {
    Meeting,
    Call,
    Email,
    Event,
    Intro,
    Report,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Direction {
    In,
    Out,
    Mutual,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tie {
    /// A person or sponsor.
    #[schemars(length(min = 1, max = 256))]
    pub(super) a: String,
    /// A person or sponsor.
    #[schemars(length(min = 1, max = 256))]
    pub(super) b: String,
    /// Tie strength in (0, 1].
    #[serde(default = "certain")]
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub(super) strength: f64,
}

/// A node as a relationship mapping describes it; what else it tells is passed over.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Node {
    /// A person or sponsor.
    #[schemars(length(min = 1, max = 256))]
    pub(super) id: String,
    /// Sum of the strengths of its ties.
    #[serde(default)]
    pub(super) strength: Option<f64>,
    /// Betweenness centrality.
    #[serde(default)]
    pub(super) betweenness: Option<f64>,
    /// Share of a random walk.
    #[serde(default)]
    pub(super) pagerank: Option<f64>,
    /// Burt's constraint.
    #[serde(default)]
    pub(super) constraint: Option<f64>,
    /// Whether it bridges groups.
    #[serde(default)]
    pub(super) broker: Option<bool>,
}

/// A list that rows can be read into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum List {
    Sponsors,
    Gifts,
    Asks,
    Interactions,
    Ties,
}

impl List {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sponsors => "sponsors",
            Self::Gifts => "gifts",
            Self::Asks => "asks",
            Self::Interactions => "interactions",
            Self::Ties => "ties",
        }
    }
}

#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Params {
    /// Days in which the weight of an interaction halves.
    #[schemars(range(max = 36_500.0), extend("exclusiveMinimum" = 0.0))]
    pub(super) half_life_days: f64,
    /// Periods for which funding is predicted: at most twenty years of months.
    #[schemars(range(min = 1, max = 240))]
    pub(super) horizon_periods: u32,
    /// Length of a period of the calendar.
    pub(super) period: Period,
    /// Weights of the components of relationship strength that differ from the policy's, by name (`intensity`) or by
    /// letter (I R L C D E J M).
    #[schemars(extend("additionalProperties" = {"type": "number", "minimum": 0.0, "maximum": 1_000.0}))]
    pub(super) weights: BTreeMap<String, f64>,
    /// Our own people in `ties`; without any, the id `us` if the ties know it.
    #[schemars(inner(length(min = 1, max = 256)))]
    pub(super) us: Vec<String>,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            half_life_days: 90.0,
            horizon_periods: 1,
            period: Period::Year,
            weights: BTreeMap::new(),
            us: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Period {
    #[default]
    Year,
    Quarter,
    Month,
}

fn certain() -> f64 {
    1.0
}

fn one() -> u64 {
    1
}
