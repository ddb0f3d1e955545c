//! Several workers judged together.
//!
//! Each worker is judged by itself first, because an average hides a worker
//! that is throttled behind nine that are idle. The cause that holds back the
//! largest part of the fleet's slots is the fleet's.
//!
//! Invariant: the order of the workers makes no difference to the cause.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Cause, Evidence, Finding, classify};

/// A cause that holds back less than this share of the slots is not the
/// fleet's; it is named with its workers all the same.
const FLEETWIDE: f64 = 0.25;

/// What holds the fleet back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fleet {
    /// The fleet's cause, on the evidence of the workers it concerns.
    #[serde(flatten)]
    pub finding: Finding,
    /// Which workers have which cause.
    pub workers: BTreeMap<Cause, Vec<String>>,
}

/// Judges the fleet. `waiting` is the number of tasks that wait, where the
/// caller knows it; otherwise each worker's own figure counts.
#[must_use]
pub fn fleet(workers: &[(String, Evidence)], waiting: Option<u32>) -> Fleet {
    let mut votes: BTreeMap<Cause, f64> = BTreeMap::new();
    let mut named: BTreeMap<Cause, Vec<String>> = BTreeMap::new();
    let mut judged = Vec::with_capacity(workers.len());
    for (name, evidence) in workers {
        let mut evidence = evidence.clone();
        if let Some(waiting) = waiting {
            evidence.waiting = f64::from(waiting);
        }
        let cause = classify(&evidence).bottleneck;
        *votes.entry(cause).or_default() += weight(&evidence);
        named.entry(cause).or_default().push(name.clone());
        judged.push((cause, evidence));
    }
    for names in named.values_mut() {
        names.sort_unstable();
    }
    Fleet {
        finding: finding(&judged, &votes, waiting),
        workers: named,
    }
}

fn finding(
    judged: &[(Cause, Evidence)],
    votes: &BTreeMap<Cause, f64>,
    waiting: Option<u32>,
) -> Finding {
    let all: Vec<&Evidence> = judged.iter().map(|(_, evidence)| evidence).collect();
    let Some(merged) = merge(&all) else {
        let nothing = Evidence::default();
        return Finding {
            bottleneck: Cause::NoWorkers,
            evidence: super::facts(&[("waiting", waiting.map(f64::from), None)], &nothing),
            advice: super::advice(Cause::NoWorkers, &nothing),
        };
    };
    let total: f64 = votes.values().sum();
    let mut most: Option<(Cause, f64)> = None;
    for (cause, weight) in votes {
        let tells = !matches!(cause, Cause::Idle | Cause::Flowing);
        if tells && *weight >= FLEETWIDE * total && most.is_none_or(|(_, top)| *weight > top) {
            most = Some((*cause, *weight));
        }
    }
    let Some((cause, _)) = most else {
        return classify(&merged);
    };
    let concerned: Vec<&Evidence> = judged
        .iter()
        .filter(|(each, _)| *each == cause)
        .map(|(_, evidence)| evidence)
        .collect();
    // Averages of workers with one cause show that cause nearly always; where
    // they do not, its own workers are the better witnesses.
    let joint = merge(&concerned).map(|evidence| classify(&evidence));
    joint
        .filter(|finding| finding.bottleneck == cause)
        .or_else(|| concerned.first().map(|evidence| classify(evidence)))
        .unwrap_or_else(|| classify(&merged))
}

/// One evidence of several: shares averaged by slots, numbers summed up.
/// Every worker sees the same queue, so the largest figure of what waits
/// counts. `None` of none.
#[must_use]
pub fn merge(all: &[&Evidence]) -> Option<Evidence> {
    let total: f64 = all.iter().map(|each| weight(each)).sum();
    if all.is_empty() {
        return None;
    }
    let share = |get: fn(&Evidence) -> Option<f64>| {
        let known = all
            .iter()
            .filter_map(|each| Some((get(each)?, weight(each))));
        let (sum, weights) = known.fold((0.0, 0.0), |(sum, weights), (value, weight)| {
            (sum + value * weight, weights + weight)
        });
        (weights > 0.0).then(|| sum / weights)
    };
    let mean = |get: fn(&Evidence) -> f64| {
        all.iter().map(|each| get(each) * weight(each)).sum::<f64>() / total
    };
    let sum = |get: fn(&Evidence) -> f64| all.iter().map(|each| get(each)).sum::<f64>();
    let mut denied: BTreeMap<String, f64> = BTreeMap::new();
    for (resource, count) in all.iter().flat_map(|each| &each.denied) {
        *denied.entry(resource.clone()).or_default() += count;
    }
    Some(Evidence {
        throttled: share(|e| e.throttled),
        memory: share(|e| e.memory),
        memory_some: share(|e| e.memory_some),
        memory_full: share(|e| e.memory_full),
        cpu: share(|e| e.cpu),
        lateness_ms: share(|e| e.lateness_ms),
        io_full: share(|e| e.io_full),
        busy: share(|e| e.busy),
        cpu_high: mean(|e| e.cpu_high),
        pressure_some: mean(|e| e.pressure_some),
        pressure_full: mean(|e| e.pressure_full),
        slots_used: sum(|e| e.slots_used),
        slots_limit: sum(|e| e.slots_limit),
        slots_cap: sum(|e| e.slots_cap),
        waiting: all.iter().map(|each| each.waiting).fold(0.0, f64::max),
        fetched_per_s: sum(|e| e.fetched_per_s),
        denied,
        granted: sum(|e| e.granted),
    })
}

/// A worker that announces no slots still counts as one.
fn weight(evidence: &Evidence) -> f64 {
    evidence.slots_cap.max(1.0)
}
