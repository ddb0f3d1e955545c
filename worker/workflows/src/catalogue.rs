//! The list of workflow types that this program knows.
//!
//! Invariant: names are unique and stable; an input that a type's schema refuses is also refused by its run.

use serde_json::Value;

use crate::{Demand, Error, Run, email, excel, grant, relationship, sponsor};

/// When the resource monitor may switch a type off: essential never, experimental first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// Always on.
    Essential,
    /// Off only under critical load.
    Standard,
    /// Off under high load.
    Advanced,
    /// Off under moderate load.
    Experimental,
}

impl Category {
    /// The name in configuration and over HTTP.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Essential => "essential",
            Self::Standard => "standard",
            Self::Advanced => "advanced",
            Self::Experimental => "experimental",
        }
    }
}

/// What one run of a type that parses foreign bytes may use at most. Such a type runs in a child process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Address space in bytes.
    pub memory_bytes: u64,
    /// Processor time in seconds.
    pub cpu_seconds: u64,
    /// Seconds by the clock on the wall.
    pub wall_seconds: u64,
    /// Bytes of the result and of each file it makes.
    pub output_bytes: u64,
}

/// One workflow type: what it is called, what it takes, what it does.
#[derive(Debug, Clone, Copy)]
pub struct WorkflowType {
    /// The name that submissions use.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// One or two sentences for people.
    pub description: &'static str,
    /// When it may be switched off.
    pub category: Category,
    /// `cpu`, `memory` or `light`.
    pub resource_class: &'static str,
    /// Run time in milliseconds to assume until there is history.
    pub estimated_duration_ms: u64,
    /// JSON Schema (draft 2020-12) of the input; cross-field rules are checked by the run alone.
    pub input_schema: fn() -> Value,
    /// The values that absent optional fields of the input take.
    pub defaults: fn() -> Value,
    /// A small valid input.
    pub example: fn() -> Value,
    /// For types that parse foreign bytes: what a run may use. Others run inside the worker's own process.
    pub isolated: Option<Bounds>,
    /// What an input is likely to need, from its size and that of the files that it names; see [`crate::demand()`].
    pub demand: fn(&Value, u64) -> Option<Demand>,
    /// The work itself: input to output.
    pub run: fn(&Value, &Run<'_>) -> Result<Value, Error>,
    /// A few sentences and a small table about an output, for a programme officer.
    pub summary: fn(&Value) -> String,
}

static TYPES: [WorkflowType; 5] = [
    WorkflowType {
        name: "email_analysis",
        title: "E-mail analysis",
        description: "Threads, answering habits and tone per contact, and what new mail changes in relationships with sponsors.",
        category: Category::Experimental,
        resource_class: "memory",
        estimated_duration_ms: 420_000,
        input_schema: email::input_schema,
        defaults: email::defaults,
        example: email::example,
        isolated: Some(Bounds {
            memory_bytes: 1 << 30,
            cpu_seconds: 300,
            wall_seconds: 600,
            output_bytes: 64 << 20,
        }),
        demand: |input, files| Some(email::demand(input, files)),
        run: email::run,
        summary: email::summary,
    },
    WorkflowType {
        name: "excel_processing",
        title: "Excel processing",
        description: "Workbooks (xlsx, xls, xlsb, ods, csv) as typed tables: records with coordinates, validation, data quality, totals, and organisations that occur under several names.",
        category: Category::Experimental,
        resource_class: "memory",
        estimated_duration_ms: 200_000,
        input_schema: excel::input_schema,
        defaults: excel::defaults,
        example: excel::example,
        isolated: Some(Bounds {
            memory_bytes: 1 << 30,
            cpu_seconds: 30,
            wall_seconds: 60,
            output_bytes: 64 << 20,
        }),
        demand: |input, files| Some(excel::demand(input, files)),
        run: excel::run,
        summary: excel::summary,
    },
    WorkflowType {
        name: "grant_timeline",
        title: "Grant timeline",
        description: "Milestones on a working-day calendar, a backward plan and the probability of submitting in time.",
        category: Category::Essential,
        resource_class: "cpu",
        estimated_duration_ms: 180_000,
        input_schema: grant::input_schema,
        defaults: grant::defaults,
        example: grant::example,
        isolated: None,
        demand: |input, _| Some(grant::demand(input)),
        run: grant::run,
        summary: grant::summary,
    },
    WorkflowType {
        name: "relationship_mapping",
        title: "Relationship mapping",
        description: "Introduction paths within seven hops, reach and influence, and who matters in a network.",
        category: Category::Standard,
        resource_class: "cpu",
        estimated_duration_ms: 240_000,
        input_schema: relationship::input_schema,
        defaults: relationship::defaults,
        example: relationship::example,
        isolated: None,
        demand: |input, files| Some(relationship::demand(input, files)),
        run: relationship::run,
        summary: relationship::summary,
    },
    WorkflowType {
        name: "sponsor_analysis",
        title: "Sponsor analysis",
        description: "How strong each relationship is, how likely and how large the next gift, and what to do next.",
        category: Category::Essential,
        resource_class: "cpu",
        estimated_duration_ms: 300_000,
        input_schema: sponsor::input_schema,
        defaults: sponsor::defaults,
        example: sponsor::example,
        isolated: None,
        demand: |input, files| Some(sponsor::demand(input, files)),
        run: sponsor::run,
        summary: sponsor::summary,
    },
];

/// All types, sorted by name.
#[must_use]
pub fn catalogue() -> &'static [WorkflowType] {
    &TYPES
}

/// The type of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static WorkflowType> {
    TYPES.iter().find(|t| t.name == name)
}
