//! The fleet's numbers, for metrics.
//!
//! Invariant: everything here is the store's, over all tenants, and so the
//! same on every coordinator, after every restart, and whichever worker did
//! the work: of several coordinators one is to be read, or the largest taken,
//! never the sum; the level is that of the hardest pressed worker, the health
//! that of the least well. How long tasks waited and ran is each worker's to tell,
//! because the store keeps no histograms that only grow.

use std::collections::BTreeMap;

use metrics::{counter, gauge};
use serde::Serialize;
use shared::{
    model::{HealthState, Level, TypeName},
    store::query::{Tally, Totals},
};

use crate::{
    features,
    fleet::{Fleet, Member},
};

/// The ends of one type's tasks since installation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Ends {
    completed: u64,
    failed: u64,
    cancelled: u64,
}

/// What the fleet has done since installation.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    submitted: u64,
    finished: BTreeMap<TypeName, Ends>,
    retries: u64,
    leases_lapsed: u64,
}

impl Done {
    pub(super) fn of(totals: &Totals) -> Self {
        let mut finished: BTreeMap<TypeName, Ends> = BTreeMap::new();
        for ((name, _), tally) in &totals.by_route {
            let ends = finished.entry(name.clone()).or_default();
            ends.completed += tally.completed;
            ends.failed += tally.failed;
            ends.cancelled += tally.cancelled;
        }
        Self {
            submitted: totals.submitted,
            finished,
            retries: totals.retries,
            leases_lapsed: totals.leases_lapsed,
        }
    }
}

/// Expected seconds of work that wait: each type's pending tasks times its
/// learned run time. Unknown while none of the types that wait has run.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
pub(super) fn backlog_seconds(totals: &Totals) -> Option<f64> {
    let waiting = totals
        .by_route
        .iter()
        .filter(|(_, tally)| tally.pending > 0);
    let (mut known, mut unknown, mut seconds) = (false, false, 0.0);
    for ((name, _), tally) in waiting {
        match totals.expected_run.get(name) {
            Some(run) => {
                known = true;
                seconds += tally.pending as f64 * run.as_secs_f64();
            }
            None => unknown = true,
        }
    }
    (known || !unknown).then_some(seconds)
}

/// Puts the numbers among this process's metrics.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
pub(super) fn record(totals: &Totals) {
    let done = Done::of(totals);
    counter!("zerogate_tasks_submitted_total").absolute(done.submitted);
    counter!("zerogate_retries_total").absolute(done.retries);
    counter!("zerogate_leases_lapsed_total").absolute(done.leases_lapsed);
    for (name, ends) in done.finished {
        for (outcome, number) in [
            ("completed", ends.completed),
            ("failed", ends.failed),
            ("cancelled", ends.cancelled),
        ] {
            counter!(
                "zerogate_tasks_finished_total",
                "workflow_type" => name.to_string(),
                "outcome" => outcome
            )
            .absolute(number);
        }
    }
    let mut all = Tally::default();
    for tally in totals.by_route.values() {
        all.add(tally);
    }
    for (state, number) in [
        ("pending", all.pending),
        ("running", all.running),
        ("completed", all.completed),
        ("failed", all.failed),
        ("cancelled", all.cancelled),
    ] {
        gauge!("zerogate_tasks", "state" => state).set(number as f64);
    }
    if let Some(seconds) = backlog_seconds(totals) {
        gauge!("zerogate_backlog_seconds").set(seconds);
    }
}

/// Puts what the workers' heartbeats say among this process's metrics. Workers
/// are counted by level: their ids come and go.
#[expect(clippy::cast_precision_loss, reason = "numbers of workers")]
pub(super) fn record_fleet(fleet: &Fleet) {
    for feature in features::all(fleet) {
        gauge!("zerogate_feature_enabled", "feature" => feature.name).set(feature.share);
    }
    let telling: Vec<&Member> = fleet.live().filter(|member| member.tells()).collect();
    let level = |member: &&Member| member.seen.state.level;
    for wanted in Level::ALL {
        let number = telling.iter().filter(|member| level(member) == wanted);
        let number = number.count() as f64;
        gauge!("zerogate_workers", "level" => wanted.as_str()).set(number);
    }
    let worst = telling.iter().map(level).max().unwrap_or_default();
    gauge!("zerogate_worker_level").set(f64::from(worst.rank()));
    let known = telling
        .iter()
        .map(|member| &member.seen.state)
        .filter(|state| state.health_state != HealthState::Unknown);
    if let Some(least) = known.map(|state| state.health).reduce(f64::min) {
        gauge!("zerogate_worker_health").set(least);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use serde_json::json;
    use shared::model::Priority;

    fn totals() -> Totals {
        let tally = |pending, completed| Tally {
            pending,
            completed,
            ..Tally::default()
        };
        let key = |name: &str, priority| (name.parse().unwrap(), priority);
        Totals {
            by_route: BTreeMap::from([
                (key("a", Priority::High), tally(2, 3)),
                (key("a", Priority::Low), tally(1, 4)),
                (key("b", Priority::Low), tally(0, 5)),
            ]),
            ..Totals::default()
        }
    }

    #[test]
    fn the_ends_of_a_type_are_added_over_its_priorities() {
        let done = Done::of(&totals());
        assert_eq!(done.finished[&"a".parse().unwrap()].completed, 7);
        assert_eq!(done.finished[&"b".parse().unwrap()].completed, 5);
    }

    #[test]
    fn a_backlog_takes_as_long_as_its_types_do() {
        let mut totals = totals();
        assert_eq!(backlog_seconds(&totals), None, "nothing has run");
        let half = Duration::from_millis(500);
        totals.expected_run.insert("a".parse().unwrap(), half);
        assert_eq!(backlog_seconds(&totals), Some(1.5));
        assert_eq!(backlog_seconds(&Totals::default()), Some(0.0));
    }

    #[test]
    fn workers_are_counted_by_level_and_features_by_share() {
        let member = |name: &str, level: &str, health: f64, enabled: bool| {
            let optional = json!({
                "name": "advanced_analytics", "category": "advanced",
                "enabled": enabled, "rule": "level"
            });
            let view = json!({
                "worker": name, "silent_ms": 0, "last_heartbeat_at": "2026-11-23T03:01:02Z",
                "state": {
                    "host": "h", "version": "1", "started_at": "2026-11-23T03:01:02Z",
                    "readiness": "ready", "slots": {}, "types": [], "level": level,
                    "health": health, "health_state": "healthy",
                    "detail": {"gate": "enforce", "features": [optional]},
                }
            });
            Member::of(serde_json::from_value(view).unwrap())
        };
        let mut fleet = Fleet::default();
        fleet.workers = vec![
            member("a", "normal", 95.0, true),
            member("b", "high", 61.5, false),
            member("c", "normal", 90.0, true),
            member("d", "normal", 90.0, true),
        ];
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || record_fleet(&fleet));
        let text = recorder.handle().render();
        for line in [
            "zerogate_feature_enabled{feature=\"advanced_analytics\"} 0.75",
            "zerogate_workers{level=\"normal\"} 3",
            "zerogate_workers{level=\"high\"} 1",
            "zerogate_workers{level=\"emergency\"} 0",
            "zerogate_worker_level 2",
            "zerogate_worker_health 61.5",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in {text}");
        }
    }
}
