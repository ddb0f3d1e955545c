//! A task in the making: what a test cares about is said, the rest is ordinary.

use std::collections::BTreeMap;

use shared::model::{
    FileId, Json, OnDependencyFailure, Priority, RetryPolicy, Stamp, TaskId, TaskSpec, TenantId,
};

use super::lab::type_name;

/// What a test asks for; everything else is ordinary.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The spec in the making.
    pub spec: TaskSpec,
    /// The input.
    pub input: Json,
    /// The files that it refers to.
    pub files: Vec<FileId>,
}

impl Ask {
    /// An ordinary task of this type.
    #[must_use]
    pub fn of(kind: &str) -> Self {
        Self {
            spec: TaskSpec {
                tenant: TenantId::default(),
                workflow_type: type_name(kind),
                priority: Priority::Medium,
                depends_on: Vec::new(),
                reads: Vec::new(),
                on_dependency_failure: OnDependencyFailure::Cancel,
                retry: RetryPolicy {
                    max_attempts: 2,
                    ..RetryPolicy::default()
                },
                timeout_ms: 60_000,
                run_at: None,
                expires_at: None,
                correlation_id: "corr-é{tag}".into(),
                labels: BTreeMap::new(),
                traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            },
            input: Json::from_text(r#"{"n":1,"text":"ü"}"#.into()),
            files: Vec::new(),
        }
    }

    /// At this priority.
    #[must_use]
    pub fn at(mut self, priority: Priority) -> Self {
        self.spec.priority = priority;
        self
    }

    /// After these tasks, reading all of them.
    #[must_use]
    pub fn after(mut self, parents: &[TaskId]) -> Self {
        self.spec.depends_on = parents.to_vec();
        self.spec.reads = parents.to_vec();
        self
    }

    /// Started also after a failed parent.
    #[must_use]
    pub fn whatever_happens(mut self) -> Self {
        self.spec.on_dependency_failure = OnDependencyFailure::Run;
        self
    }

    /// With this many attempts.
    #[must_use]
    pub fn attempts(mut self, most: u32) -> Self {
        self.spec.retry.max_attempts = most;
        self
    }

    /// Not before this time.
    #[must_use]
    pub fn not_before(mut self, at: Stamp) -> Self {
        self.spec.run_at = Some(at);
        self
    }

    /// Not after this time.
    #[must_use]
    pub fn expiring(mut self, at: Stamp) -> Self {
        self.spec.expires_at = Some(at);
        self
    }

    /// With an input that refers to these files.
    #[must_use]
    pub fn reading(mut self, files: &[FileId]) -> Self {
        self.files = files.to_vec();
        self
    }

    /// Marked.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.spec.labels.insert(key.into(), value.into());
        self
    }
}
