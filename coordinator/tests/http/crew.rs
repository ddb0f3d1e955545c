//! Workers that say things of themselves: heartbeats with reports, by hand.

use resources::report::{Cpu, Feature, Memory, Report, Shortage, TypeLoad};
use serde_json::{Value, json};
use shared::{
    model::{Category, HealthState, Level, Priority, ProfileName, RetryPolicy, Stamp},
    store::{
        Store,
        query::{Readiness, Slots, TypeInfo, WorkerState},
        verbs::Beat,
    },
};

use crate::stage::{Reply, Stage};

/// One type of each category, but advanced.
pub(crate) const SPONSOR: &str = "sponsor.scan";
pub(crate) const LINKS: &str = "links.map";
pub(crate) const SHEETS: &str = "sheets.read";

fn info(name: &str, category: &str) -> TypeInfo {
    TypeInfo {
        name: name.parse().unwrap(),
        title: name.to_owned(),
        description: "a type of the tests".into(),
        input_schema: json!({}),
        example: json!({}),
        defaults: json!({}),
        retry: RetryPolicy::default(),
        timeout_ms: 60_000,
        priority: Priority::Medium,
        estimated_duration_ms: 1,
        resource_class: "light".into(),
        feature_category: category.into(),
    }
}

/// A stage that knows these types.
pub(crate) async fn stage() -> Stage {
    Stage::with(|options| {
        options.built_in.extend([
            info(SPONSOR, "essential"),
            info(LINKS, "a category of tomorrow"),
            info(SHEETS, "experimental"),
        ]);
    })
    .await
}

/// A worker at ease that serves all of them.
pub(crate) fn state() -> WorkerState {
    WorkerState {
        host: "here".into(),
        version: "1".into(),
        started_at: Stamp::from_millis(1),
        readiness: Readiness::Ready,
        slots: Slots {
            used: 1,
            limit: 4,
            cap: 8,
        },
        types: [SPONSOR, LINKS, SHEETS]
            .map(|name| name.parse().unwrap())
            .into(),
        running: Vec::new(),
        memory_bytes: 1 << 20,
        memory_total_bytes: 1 << 33,
        cpu_cores: 0.5,
        profile: ProfileName::Balanced,
        level: Level::Normal,
        health: 90.0,
        health_state: HealthState::Healthy,
        detail: Value::Null,
    }
}

/// What such a worker reports.
pub(crate) fn report() -> Report {
    Report {
        gate: "enforce".into(),
        known: true,
        memory: Memory {
            used: 1 << 30,
            limit: 1 << 32,
            utilisation: 0.25,
            room: 3 << 30,
            ..Memory::default()
        },
        cpu: Cpu {
            utilisation: Some(0.3),
            cores: 2.0,
            ..Cpu::default()
        },
        features: vec![
            feature(SPONSOR, Category::Essential, "essential"),
            feature(LINKS, Category::Standard, "free"),
            feature(SHEETS, Category::Experimental, "free"),
            feature("advanced_analytics", Category::Advanced, "free"),
        ],
        types: vec![TypeLoad {
            workflow_type: SHEETS.parse().unwrap(),
            in_flight: 0,
            bytes: 1 << 28,
            cores: 1.0,
            mean_ms: 2000.0,
            p95_ms: 3000.0,
            learned: true,
        }],
        ..Report::default()
    }
}

/// A feature that is on by this rule.
pub(crate) fn feature(name: &str, category: Category, rule: &str) -> Feature {
    Feature {
        name: name.into(),
        category,
        enabled: true,
        rule: rule.into(),
        reason: "nothing stands against it".into(),
        ..Feature::default()
    }
}

/// The same worker with a feature off by this rule.
pub(crate) fn without(name: &str, rule: &str) -> Report {
    let mut report = report();
    for feature in report.features.iter_mut().filter(|it| it.name == name) {
        feature.enabled = false;
        feature.rule = rule.into();
        feature.reason = "memory is at 85 %".into();
        feature.would_change = "memory below 75 %".into();
        feature.for_ms = Some(60_000);
        feature.evidence = json!({"memory": 0.85});
        feature.effect = Some(json!({"bytes_before": 500, "bytes_after": 300}));
    }
    report
}

/// What is short for one route.
pub(crate) fn short(name: &str, priority: Priority, resource: &str) -> Shortage {
    Shortage {
        workflow_type: name.parse().unwrap(),
        priority,
        resource: resource.into(),
        value: 5.5,
        limit: 4.0,
        detail: "there is too little of it".into(),
    }
}

/// A heartbeat; the coordinator's picture shows it afterwards.
pub(crate) async fn beats(stage: &Stage, id: &str, said: WorkerState, report: &Report) -> Reply {
    let detail = serde_json::to_value(report).unwrap();
    let beat = Beat {
        worker: id.parse().unwrap(),
        state: WorkerState { detail, ..said },
    };
    stage.store().heartbeat(beat).await.unwrap();
    stage.get("/api/workers").await
}

/// The member of a list that has this value in this member.
pub(crate) fn one<'a>(list: &'a Value, member: &str, value: &str) -> &'a Value {
    let mut items = list.as_array().unwrap().iter();
    let found = items.find(|item| item[member] == value);
    found.unwrap_or_else(|| panic!("{value} in {list:#}"))
}
