//! What a grant timeline takes. Single fields are checked by the schema made from these structs; rules between fields
//! are in `validate`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::advanced::Advanced;
use crate::schema::Day;

/// A call for proposals, the working calendar, and the tasks until submission.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// The day from which the plan looks ahead; nothing else tells the time.
    pub(super) as_of: Day,
    /// The call.
    pub(super) opportunity: Opportunity,
    /// Which days are worked.
    #[serde(default)]
    pub(super) calendar: Calendar,
    /// Milestones, in calendar days before the deadline's date; one named twice is one.
    #[serde(default = "usual_offsets")]
    #[schemars(inner(range(max = 3_650)))]
    pub(super) milestone_offsets_days: Vec<u32>,
    /// Working days between the last task and the deadline.
    #[serde(default = "two")]
    #[schemars(range(max = 250))]
    pub(super) submit_buffer_working_days: u32,
    /// What must be done; may be empty.
    #[serde(default)]
    pub(super) tasks: Vec<Task>,
    /// Share of a working day that an owner has for this; 1 where absent. Below 1 it stretches durations, above 1 it
    /// does not shorten them.
    #[serde(default)]
    #[schemars(extend("additionalProperties" = {"type": "number", "minimum": 0.01, "maximum": 1_000.0}))]
    pub(super) capacity: BTreeMap<String, f64>,
    /// Events that may delay tasks.
    #[serde(default)]
    pub(super) risks: Vec<Risk>,
    /// Settings of the simulation.
    #[serde(default)]
    pub(super) simulation: Simulation,
    /// `require` asks for the expensive optional parts even when they are switched off for the moment.
    #[serde(default)]
    pub(super) advanced: Advanced,
}

impl Input {
    /// Names each milestone, dependency and affected task once.
    pub(super) fn without_repeats(mut self) -> Self {
        fn once<T: Ord + Clone>(list: &mut Vec<T>) {
            let mut seen = BTreeSet::new();
            list.retain(|item| seen.insert(item.clone()));
        }
        once(&mut self.milestone_offsets_days);
        self.tasks.iter_mut().for_each(|t| once(&mut t.depends_on));
        self.risks.iter_mut().for_each(|r| once(&mut r.affects));
        self
    }
}

/// A call in the shape of the CommonGrants protocol, whose further fields (title, otherDates) are passed over.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[expect(non_snake_case, reason = "the names of the CommonGrants protocol")]
pub(super) struct Opportunity {
    /// Id of the call.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub(super) id: Option<String>,
    /// Day on which the call opened.
    #[serde(default)]
    pub(super) postDate: Option<Day>,
    /// The deadline.
    pub(super) closeDate: CloseDate,
}

/// An event of the protocol; a name or description of it is passed over.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct CloseDate {
    /// Day of the deadline in its own time zone.
    pub(super) date: Day,
    /// Time of day.
    #[serde(default = "end_of_day")]
    #[schemars(regex(pattern = "^[0-9]{2}:[0-9]{2}(:[0-9]{2})?$"), extend("format" = "clock-time"))]
    pub(super) time: String,
    /// IANA time zone.
    #[serde(default = "utc")]
    #[schemars(length(min = 1, max = 64))]
    pub(super) tz: String,
}

#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Calendar {
    /// ISO 3166 country, with subdivision if wanted (`US`, `GB-ENG`), in any letter case: adds the built-in public holidays.
    #[schemars(length(min = 2, max = 8))]
    pub(super) country: Option<String>,
    /// Days of the week that are not worked.
    pub(super) weekend: Vec<Weekday>,
    /// Further days that are not worked.
    pub(super) holidays: Vec<Day>,
    /// Spans that are not worked, both ends included.
    pub(super) blackouts: Vec<Span>,
}

impl Default for Calendar {
    fn default() -> Self {
        Self {
            country: None,
            weekend: vec![Weekday::Sat, Weekday::Sun],
            holidays: Vec::new(),
            blackouts: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    /// First day.
    pub(super) from: Day,
    /// Last day.
    pub(super) to: Day,
}

/// A three-point estimate in working days.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ThreePoint {
    /// If all goes well.
    #[schemars(range(min = 0.0, max = 3_650.0))]
    pub(super) optimistic: f64,
    /// Most likely.
    #[schemars(range(min = 0.0, max = 3_650.0))]
    pub(super) likely: f64,
    /// If it goes badly.
    #[schemars(range(min = 0.0, max = 3_650.0))]
    pub(super) pessimistic: f64,
}

impl ThreePoint {
    /// PERT mean (a + 4m + b) / 6.
    pub(super) fn mean(self) -> f64 {
        (self.optimistic + 4.0 * self.likely + self.pessimistic) / 6.0
    }

    /// Exact variance of the beta-PERT distribution: (mean - a)(b - mean) / 7.
    pub(super) fn variance(self) -> f64 {
        (self.mean() - self.optimistic) * (self.pessimistic - self.mean()) / 7.0
    }

    pub(super) fn ordered(self) -> bool {
        self.optimistic <= self.likely && self.likely <= self.pessimistic
    }
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Task {
    /// Unique id.
    #[schemars(length(min = 1, max = 256))]
    pub(super) id: String,
    /// Name for people.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub(super) name: Option<String>,
    /// Work in working days of a full-time owner.
    pub(super) duration: ThreePoint,
    /// Unit of `duration`.
    #[serde(default, rename = "unit")]
    pub(super) _unit: Unit,
    /// Ids of tasks that must be finished first.
    #[serde(default)]
    #[schemars(inner(length(min = 1, max = 256)))]
    pub(super) depends_on: Vec<String>,
    /// Who does it.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub(super) owner: Option<String>,
    /// Must be finished by the milestone this many calendar days before the deadline.
    #[serde(default)]
    #[schemars(range(max = 3_650))]
    pub(super) gate_offset: Option<u32>,
    /// Share of the work that is done, in percent.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 100.0))]
    pub(super) percent_complete: f64,
    /// Day on which it began.
    #[serde(default)]
    pub(super) actual_start: Option<Day>,
    /// Day on which it was finished.
    #[serde(default)]
    pub(super) actual_finish: Option<Day>,
}

impl Task {
    pub(super) fn done(&self) -> bool {
        self.actual_finish.is_some() || self.percent_complete >= 100.0
    }
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unit {
    #[default]
    WorkingDays,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Risk {
    /// Unique id.
    #[schemars(length(min = 1, max = 256))]
    pub(super) id: String,
    /// Name for people.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub(super) name: Option<String>,
    /// Chance that it happens.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) probability: f64,
    /// Delay in working days if it happens.
    pub(super) delay: ThreePoint,
    /// Ids of the tasks that are delayed.
    #[schemars(inner(length(min = 1, max = 256)))]
    pub(super) affects: Vec<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Simulation {
    /// Number of simulated futures.
    #[schemars(range(min = 1, max = 9_007_199_254_740_991_u64))]
    pub(super) runs: u64,
    /// Seed of the random numbers.
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub(super) seed: u64,
    /// Probability of being on time that `latest_safe_start` must keep.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub(super) target: f64,
}

impl Default for Simulation {
    fn default() -> Self {
        Self {
            runs: 10_000,
            seed: 42,
            target: 0.8,
        }
    }
}

pub(super) fn usual_offsets() -> Vec<u32> {
    vec![90, 60, 30, 14, 7, 1]
}

fn two() -> u32 {
    2
}

fn end_of_day() -> String {
    "23:59".into()
}

fn utc() -> String {
    "UTC".into()
}
