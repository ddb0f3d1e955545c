//! The lines that ours must pass, fixed before the first reported run, and where each stands.
//!
//! Invariant: lines are judged on runs that are not void, and a line without its runs is not judged. Short runs are judged
//! like full ones, since the lines are the same; the table says how short they were.
//! A failed line is printed, never an error.

use std::collections::BTreeSet;

use super::plan::{Arm, Part};
use super::record::Record;
use super::resample::pooled_p99;
use crate::board::median;

/// The phases of the steady mix.
pub(crate) const STEADY: [&str; 2] = ["overload", "relief"];
/// The phase of the other mix.
pub(crate) const SHIFTED: [&str; 1] = ["shifted"];
/// All three.
pub(crate) const ALL_PHASES: [&str; 3] = ["overload", "relief", "shifted"];

/// Kernel out-of-memory kills of ours, over all runs.
const MOST_KILLS: f64 = 0.0;
/// Tasks of ours that came to nothing, over all runs.
const MOST_NOT_COMPLETED: f64 = 0.0;
/// Goodput of ours as a multiple of the best fixed limit's on the steady mix: the median of the paired ratios.
const LEAST_STEADY: f64 = 0.95;
/// The same on the shifted mix.
const LEAST_SHIFTED: f64 = 1.1;
/// What is hoped for on the shifted mix.
const GOAL_SHIFTED: f64 = 1.25;
/// The 99th percentile of critical tasks of ours as a multiple of the unloaded one: the median of the runs.
const MOST_CRITICAL: f64 = 1.5;
/// Gate transitions in ten steady minutes, of the worker that has most.
const MOST_TRANSITIONS: f64 = 2.0;

/// One line and where ours stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    /// What is judged.
    pub(crate) what: &'static str,
    /// Ours, if there are the runs for it.
    pub(crate) value: Option<f64>,
    /// The limit.
    pub(crate) limit: f64,
    /// Whether more is better.
    pub(crate) at_least: bool,
}

impl Line {
    /// Whether it is passed.
    pub(crate) fn passed(&self) -> Option<bool> {
        self.value.map(|value| {
            if self.at_least {
                value >= self.limit
            } else {
                value <= self.limit
            }
        })
    }
}

/// Seeds on which the fleet without a gate was never killed: their load was no test, and they are void.
pub(crate) fn void_seeds(records: &[Record]) -> BTreeSet<u64> {
    of(records, Arm::None)
        .filter(|record| record.kills() == 0)
        .map(|record| record.key.seed)
        .collect()
}

/// The reported runs of an arm.
pub(crate) fn of(records: &[Record], arm: Arm) -> impl Iterator<Item = &Record> {
    records
        .iter()
        .filter(move |record| record.key.part == Part::Mixed && record.key.arm == arm)
}

/// The run of an arm on a seed.
pub(crate) fn paired(records: &[Record], arm: Arm, seed: u64) -> Option<&Record> {
    of(records, arm).find(|record| record.key.seed == seed)
}

/// The 99th percentile of critical tasks that nothing stood in the way of, ms: of all unloaded runs together, as one has
/// too few for a percentile of its own.
pub(crate) fn unloaded_p99(records: &[Record]) -> Option<f64> {
    let unloaded = records
        .iter()
        .filter(|record| record.key.part == Part::Unloaded);
    pooled_p99(unloaded.map(|record| &record.critical_ms))
}

/// The 99th percentile of a run's critical tasks, ms.
pub(crate) fn critical_p99(record: &Record) -> Option<f64> {
    pooled_p99(std::iter::once(&record.critical_ms))
}

/// Judges ours.
pub(crate) fn judge(records: &[Record]) -> Vec<Line> {
    let has_ours = of(records, Arm::Ours).next().is_some();
    let sum = |figure: fn(&Record) -> f64| {
        has_ours.then(|| of(records, Arm::Ours).map(figure).sum::<f64>())
    };
    let line = |what, value, limit, at_least| Line {
        what,
        value,
        limit,
        at_least,
    };
    let kills = sum(|record| f64::from(record.kills()));
    let steady = ratio(records, &STEADY);
    let shifted = ratio(records, &SHIFTED);
    vec![
        line("kernel OOM kills, all runs", kills, MOST_KILLS, false),
        line(
            "tasks lost or failed, all runs",
            sum(|record| f64::from(record.not_completed())),
            MOST_NOT_COMPLETED,
            false,
        ),
        line(
            "goodput / best fixed, steady mix",
            steady,
            LEAST_STEADY,
            true,
        ),
        line(
            "goodput / best fixed, shifting mix",
            shifted,
            LEAST_SHIFTED,
            true,
        ),
        line("  the goal", shifted, GOAL_SHIFTED, true),
        line(
            "critical p99 / unloaded p99",
            critical(records),
            MOST_CRITICAL,
            false,
        ),
        line(
            "most gate transitions, 10 steady minutes",
            transitions(records),
            MOST_TRANSITIONS,
            false,
        ),
    ]
}

fn ratio(records: &[Record], phases: &[&str]) -> Option<f64> {
    let ratios: Vec<f64> = of(records, Arm::Ours)
        .filter_map(|ours| {
            let rival = paired(records, Arm::Best, ours.key.seed)?;
            Some(ours.goodput(phases) / rival.goodput(phases))
        })
        .collect();
    (!ratios.is_empty()).then(|| median(&ratios))
}

fn critical(records: &[Record]) -> Option<f64> {
    let unloaded = unloaded_p99(records)?;
    let ratios: Vec<f64> = of(records, Arm::Ours)
        .filter_map(|record| Some(critical_p99(record)? / unloaded))
        .collect();
    (!ratios.is_empty()).then(|| median(&ratios))
}

fn transitions(records: &[Record]) -> Option<f64> {
    /// What the line speaks of.
    const SECONDS: f64 = 600.0;
    let calm = |record: &&Record| record.key.part == Part::Calm && record.key.arm == Arm::Ours;
    let record = records.iter().find(calm)?;
    let seconds: f64 = record.phases.iter().map(|phase| phase.seconds).sum();
    Some(f64::from(record.seen.most_transitions?) * SECONDS / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::record::tests::record;

    fn standing(records: &[Record], what: &str) -> Option<bool> {
        let lines = judge(records);
        let line = lines.iter().find(|line| line.what.starts_with(what));
        line.unwrap().passed()
    }

    #[test]
    fn ratios_are_paired_by_seed() {
        // Unpaired, ours would look twice as good as it is.
        let records = [
            record(Arm::Best, 1, 100),
            record(Arm::Best, 2, 1000),
            record(Arm::Ours, 1, 120),
            record(Arm::Ours, 2, 1200),
        ];
        let lines = judge(&records);
        let steady = lines.iter().find(|line| line.what.contains("steady mix"));
        assert!((steady.unwrap().value.unwrap() - 1.2).abs() < 1e-9);
        assert_eq!(
            standing(&records, "goodput / best fixed, shifting"),
            Some(true)
        );
        assert_eq!(standing(&records, "  the goal"), Some(false));
    }

    #[test]
    fn one_kill_or_one_failed_task_in_one_run_fails_its_line() {
        let mut bad = record(Arm::Ours, 2, 100);
        bad.oom_kills[3] = 1;
        bad.failed.insert("worker_lost".to_owned(), 1);
        let good = [record(Arm::Ours, 1, 100)];
        assert_eq!(standing(&good, "kernel OOM"), Some(true));
        let both = [good[0].clone(), bad];
        assert_eq!(standing(&both, "kernel OOM"), Some(false));
        assert_eq!(standing(&both, "tasks lost"), Some(false));
    }

    #[test]
    fn without_runs_nothing_is_judged_and_seeds_without_kills_are_void() {
        let mut killed = record(Arm::None, 1, 100);
        killed.oom_kills[0] = 2;
        let records = [killed, record(Arm::None, 2, 100)];
        assert!(judge(&records).iter().all(|line| line.passed().is_none()));
        assert_eq!(void_seeds(&records), BTreeSet::from([2]));
    }
}
