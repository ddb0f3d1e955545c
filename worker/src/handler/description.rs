//! How a handler describes its type in a few lines.
//!
//! Invariant: whatever is not said has a default that lets the type be
//! submitted, scheduled and shown.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    model::{Priority, RetryPolicy},
    store::query::TypeInfo,
};

/// Begins the description of a workflow type.
///
/// # Panics
/// If `name` is not the name of a workflow type (1 to 64 of a-z, 0-9, `_`, `-`
/// and `.`, beginning with a letter): it is a constant of the program, so the
/// first start shows the mistake.
pub fn describe(name: &str) -> Description {
    let parsed = name.parse();
    Description(TypeInfo {
        name: parsed.expect("the name of a workflow type is a well-formed constant"),
        title: name.to_owned(),
        description: String::new(),
        input_schema: json!({"type": "object"}),
        example: json!({}),
        defaults: json!({}),
        retry: RetryPolicy::default(),
        timeout_ms: 300_000,
        priority: Priority::default(),
        estimated_duration_ms: 1000,
        resource_class: "light".to_owned(),
        feature_category: "standard".to_owned(),
    })
}

/// A [`TypeInfo`] in the making.
#[derive(Clone, Debug)]
#[must_use]
pub struct Description(TypeInfo);

impl Description {
    /// A short name and a sentence for people.
    pub fn for_people(mut self, title: &str, description: &str) -> Self {
        title.clone_into(&mut self.0.title);
        description.clone_into(&mut self.0.description);
        self
    }

    /// JSON Schema (2020-12) of the input, and an input that is valid as it
    /// stands.
    pub fn input(mut self, schema: Value, example: Value) -> Self {
        self.0.input_schema = schema;
        self.0.example = example;
        self
    }

    /// Members that an input receives where it does not name them.
    pub fn defaults(mut self, defaults: Value) -> Self {
        self.0.defaults = defaults;
        self
    }

    /// How failures are tried again unless the submission says otherwise.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.0.retry = policy;
        self
    }

    /// How long a run may take unless the submission says otherwise.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout_ms = millis(timeout);
        self
    }

    /// How urgent a task is unless the submission says otherwise.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.0.priority = priority;
        self
    }

    /// What a run needs: a first guess of its duration, and its class (`light`,
    /// `cpu` or `memory`).
    pub fn needs(mut self, duration: Duration, class: &str) -> Self {
        self.0.estimated_duration_ms = millis(duration);
        class.clone_into(&mut self.0.resource_class);
        self
    }

    /// When the type may be switched off: `essential` never, then `standard`,
    /// `advanced`, `experimental` first.
    pub fn category(mut self, category: &str) -> Self {
        category.clone_into(&mut self.0.feature_category);
        self
    }

    /// The description.
    #[must_use]
    pub fn build(self) -> TypeInfo {
        self.0
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
