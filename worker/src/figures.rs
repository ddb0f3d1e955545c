//! The worker's metrics. Names are part of the API.
//!
//! Invariant: labels are bounded: types of the registry, outcomes, resources.

use std::{collections::HashMap, time::Duration};

use metrics::{Counter, Histogram, counter, gauge, histogram};
use shared::{
    model::{TaskState, TypeName},
    store::query::Slots,
};

use crate::{gate::Shortage, isolation::Usage};

/// Handles that were looked up once, because a lookup per task is dear.
pub(crate) struct Figures {
    types: HashMap<TypeName, OfType>,
    retries: Counter,
    duplicates: Counter,
    stale: Counter,
}

struct OfType {
    completed: Counter,
    failed: Counter,
    cancelled: Counter,
    wait_seconds: Histogram,
    run_seconds: Histogram,
    /// Of runs in child processes.
    child_peak_bytes: Histogram,
    child_cpu_seconds: Histogram,
}

impl OfType {
    fn new(name: &TypeName) -> Self {
        let finished = |outcome: &'static str| {
            counter!(
                "zerogate_tasks_finished_total",
                "workflow_type" => name.to_string(),
                "outcome" => outcome
            )
        };
        Self {
            completed: finished("completed"),
            failed: finished("failed"),
            cancelled: finished("cancelled"),
            wait_seconds: histogram!("zerogate_task_wait_seconds", "workflow_type" => name.to_string()),
            run_seconds: histogram!("zerogate_task_run_seconds", "workflow_type" => name.to_string()),
            child_peak_bytes: histogram!("zerogate_child_peak_bytes", "workflow_type" => name.to_string()),
            child_cpu_seconds: histogram!("zerogate_child_cpu_seconds", "workflow_type" => name.to_string()),
        }
    }
}

impl Figures {
    pub(crate) fn new(types: &[TypeName]) -> Self {
        Self {
            types: types
                .iter()
                .map(|name| (name.clone(), OfType::new(name)))
                .collect(),
            retries: counter!("zerogate_retries_total"),
            duplicates: counter!("zerogate_duplicates_dropped_total"),
            stale: counter!("zerogate_reports_stale_total"),
        }
    }

    /// A task was claimed for the first time, so long after its acceptance.
    pub(crate) fn waited(&self, name: &TypeName, wait: Duration) {
        if let Some(figures) = self.types.get(name) {
            figures.wait_seconds.record(wait);
        }
    }

    /// A run ended and the store has committed it: the task is in this state.
    pub(crate) fn committed(&self, name: &TypeName, state: TaskState, ran_for: Duration) {
        let Some(figures) = self.types.get(name) else {
            return;
        };
        figures.run_seconds.record(ran_for);
        match state {
            TaskState::Completed => figures.completed.increment(1),
            TaskState::Failed => figures.failed.increment(1),
            TaskState::Cancelled => figures.cancelled.increment(1),
            _ => self.retries.increment(1),
        }
    }

    /// A run in a child process cost so much.
    #[expect(clippy::cast_precision_loss, reason = "a peak is far below 2^53 bytes")]
    pub(crate) fn used(&self, name: &TypeName, usage: Usage) {
        if let Some(figures) = self.types.get(name) {
            figures.child_peak_bytes.record(usage.peak_bytes as f64);
            figures.child_cpu_seconds.record(usage.cpu);
        }
    }

    /// A ticket was a copy.
    pub(crate) fn duplicate(&self) {
        self.duplicates.increment(1);
    }

    /// A report came too late.
    pub(crate) fn stale(&self) {
        self.stale.increment(1);
    }

    /// The gate said no.
    #[expect(clippy::unused_self, reason = "the labels come with the shortage")]
    pub(crate) fn denied(&self, shortage: &Shortage) {
        counter!("zerogate_gate_denied_total", "resource" => shortage.resource).increment(1);
    }

    /// The slots at a heartbeat.
    #[expect(
        clippy::unused_self,
        reason = "set twice a heartbeat, not worth a handle"
    )]
    pub(crate) fn slots(&self, slots: Slots) {
        for (state, count) in [
            ("used", slots.used),
            ("limit", slots.limit),
            ("cap", slots.cap),
        ] {
            gauge!("zerogate_worker_slots", "state" => state).set(f64::from(count));
        }
    }
}

impl std::fmt::Debug for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Figures").finish_non_exhaustive()
    }
}
