//! Every cause, the order among them, and the fleet.

use std::time::Duration;

use super::*;
use crate::sample::Measured;

/// A worker at ease: 4 of 10 slots, nothing waits.
fn easy() -> Evidence {
    Evidence {
        memory: Some(0.4),
        cpu: Some(0.4),
        slots_used: 4.0,
        slots_limit: 10.0,
        slots_cap: 10.0,
        fetched_per_s: 2.0,
        ..Evidence::default()
    }
}

fn full() -> Evidence {
    Evidence {
        slots_used: 9.8,
        waiting: 50.0,
        ..easy()
    }
}

fn denied(resource: &str, count: f64) -> BTreeMap<String, f64> {
    BTreeMap::from([(resource.to_owned(), count)])
}

#[test]
fn each_cause_has_its_evidence() {
    type Change = fn(&mut Evidence);
    let cases: [(Cause, Evidence, Change); 12] = [
        (Cause::Throttled, easy(), |e| e.throttled = Some(0.25)),
        (Cause::Memory, easy(), |e| e.memory_some = Some(0.05)),
        (Cause::Memory, full(), |e| e.denied = denied("memory", 3.0)),
        (Cause::Cpu, full(), |e| {
            (e.cpu, e.lateness_ms) = (Some(0.8), Some(60.0));
        }),
        (Cause::Io, full(), |e| e.io_full = Some(0.1)),
        (Cause::Slots, full(), |_| {}),
        (Cause::Downstream, full(), |e| {
            (e.cpu, e.busy) = (Some(0.1), Some(0.05));
        }),
        (Cause::Saturated, full(), |e| e.cpu = Some(0.7)),
        (Cause::Broker, easy(), |e| {
            (e.waiting, e.fetched_per_s) = (50.0, 0.1);
        }),
        (Cause::Gate, easy(), |e| {
            (e.waiting, e.denied) = (50.0, denied("feature", 7.0));
        }),
        (Cause::Idle, easy(), |_| {}),
        (Cause::Flowing, easy(), |e| e.waiting = 3.0),
    ];
    for (cause, mut evidence, change) in cases {
        change(&mut evidence);
        let finding = classify(&evidence);
        assert_eq!(finding.bottleneck, cause, "{evidence:?}");
        assert!(!finding.evidence.is_empty() && !finding.advice.is_empty());
    }
}

#[test]
fn the_first_match_wins() {
    let all = Evidence {
        throttled: Some(0.6),
        memory_full: Some(0.2),
        cpu: Some(0.99),
        lateness_ms: Some(500.0),
        io_full: Some(0.5),
        ..full()
    };
    assert_eq!(classify(&all).bottleneck, Cause::Throttled);
    let unthrottled = Evidence {
        throttled: None,
        ..all
    };
    assert_eq!(classify(&unthrottled).bottleneck, Cause::Memory);
    let roomy = Evidence {
        memory_full: None,
        ..unthrottled
    };
    assert_eq!(classify(&roomy).bottleneck, Cause::Cpu);
}

#[test]
fn denials_decide_by_the_greatest_count() {
    let mixed = Evidence {
        denied: BTreeMap::from([("memory".to_owned(), 2.0), ("slots".to_owned(), 9.0)]),
        ..full()
    };
    let finding = classify(&mixed);
    assert_eq!(finding.bottleneck, Cause::Slots);
    assert!(
        finding
            .evidence
            .iter()
            .any(|fact| fact.name == "denied.slots")
    );
    assert!(finding.advice.contains("--concurrency"));
    let recovering = Evidence {
        slots_used: 3.0,
        slots_limit: 3.0,
        ..mixed
    };
    assert!(classify(&recovering).advice.starts_with("wait"));
}

#[test]
fn a_collector_averages_and_forgets() {
    let thresholds = Profile::preset(ProfileName::Balanced).thresholds;
    let mut collector = Collector::default();
    let measured = |throttled| Measured {
        memory: 0.5,
        throttled: Some(throttled),
        ..Measured::default()
    };
    let tick = |collector: &mut Collector, second, throttled| {
        let measured = measured(throttled);
        collector.observe(&Observation {
            at: Duration::from_secs(second),
            measured: &measured,
            thresholds: &thresholds,
            slots_used: 5,
            slots_limit: 10,
            slots_cap: 10,
            busy: None,
            waiting: 3,
            fetched: 2,
        });
    };
    tick(&mut collector, 0, 0.0);
    tick(&mut collector, 1, 1.0);
    let cause = |collector: &Collector, second| {
        classify(&collector.evidence(Duration::from_secs(second))).bottleneck
    };
    assert_ne!(cause(&collector, 1), Cause::Throttled);
    for second in 2..10 {
        tick(&mut collector, second, 1.0);
    }
    assert_eq!(cause(&collector, 9), Cause::Throttled);
    for _ in 0..8 {
        collector.denied(Duration::from_secs(10), "memory");
    }
    collector.granted(Duration::from_secs(10));
    let evidence = collector.evidence(Duration::from_secs(250));
    assert!((evidence.denied["memory"] - 2.0).abs() < 1e-9);
    assert!((evidence.granted - 0.25).abs() < 1e-9);
    assert!((evidence.slots_used - 5.0).abs() < 1e-9);
    assert!(evidence.fetched_per_s > 1.0 && evidence.fetched_per_s <= 2.0);
}

#[test]
fn the_fleet_has_the_cause_of_its_greatest_part() {
    let worker = |name: &str, evidence| (name.to_owned(), evidence);
    let starved = Evidence {
        denied: denied("memory", 5.0),
        memory: Some(0.85),
        ..full()
    };
    let workers = [
        worker("b", starved.clone()),
        worker("a", starved),
        worker("c", full()),
        worker("d", easy()),
    ];
    let judged = fleet(&workers, None);
    assert_eq!(judged.finding.bottleneck, Cause::Memory);
    assert_eq!(judged.workers[&Cause::Memory], ["a", "b"]);
    assert_eq!(judged.workers[&Cause::Slots], ["c"]);
    let json = serde_json::to_value(&judged).unwrap();
    assert_eq!(json["bottleneck"], "memory");
    assert_eq!(json["workers"]["idle"][0], "d");
}

#[test]
fn one_of_many_is_not_the_fleet() {
    let mut workers = vec![(
        "w0".to_owned(),
        Evidence {
            throttled: Some(0.5),
            ..easy()
        },
    )];
    workers.extend((1..10).map(|each| {
        let evidence = Evidence {
            throttled: Some(0.0),
            ..easy()
        };
        (format!("w{each}"), evidence)
    }));
    let judged = fleet(&workers, Some(0));
    assert_eq!(judged.finding.bottleneck, Cause::Idle);
    assert_eq!(judged.workers[&Cause::Throttled], ["w0"]);
}

#[test]
fn no_worker_is_a_cause() {
    let judged = fleet(&[], Some(7));
    assert_eq!(judged.finding.bottleneck, Cause::NoWorkers);
    assert_eq!(judged.finding.advice, "start a worker");
}

#[test]
fn evidence_of_another_version_can_be_read() {
    let evidence: Evidence = serde_json::from_str(r#"{"cpu": 0.9, "new": 1}"#).unwrap();
    assert_eq!(evidence.cpu, Some(0.9));
    assert!(evidence.cpu_high > 0.5);
}
