//! Everything computed about a plan, before it is laid out.

use super::cpm::{self, Schedule};
use super::limits::{SENSITIVITY_RUNS, SENSITIVITY_VALUES};
use super::plan::Plan;
use super::simulate::{self, Bounds, Column, Outcome};
use super::statistics::spearman;
use crate::number::{Ranker, ranks};
use crate::{Error, Run};

#[derive(Debug)]
pub(super) struct Analysis<'a> {
    pub(super) plan: &'a Plan<'a>,
    pub(super) schedule: Schedule,
    /// The milestone at which each job is due.
    pub(super) due: Vec<Option<usize>>,
    /// `None` without tasks.
    pub(super) outcome: Option<Outcome>,
    /// Simulated working days, ascending.
    pub(super) sorted: Vec<f64>,
    /// Rank correlation of each job's duration with the finish.
    pub(super) sensitivity: Option<Vec<Option<f64>>>,
    /// Why there is no sensitivity.
    pub(super) no_sensitivity: &'static str,
}

impl<'a> Analysis<'a> {
    pub(super) fn new(plan: &'a Plan<'a>, run: &Run<'_>) -> Result<Self, Error> {
        let schedule = cpm::schedule(plan);
        let latest: Vec<i64> = schedule.slots.iter().map(|s| s.lf).collect();
        let due = plan.due(&latest);
        let mut analysis = Self {
            plan,
            schedule,
            due,
            outcome: None,
            sorted: Vec::new(),
            sensitivity: None,
            no_sensitivity: crate::advanced::SWITCHED_OFF,
        };
        if plan.jobs.is_empty() {
            return Ok(analysis);
        }
        let keep = if run.advanced {
            analysis.kept_runs()
        } else {
            0
        };
        let bounds = Bounds {
            latest: latest.iter().map(|&e| e as f64).collect(),
            due: &analysis.due,
            keep,
        };
        let outcome = simulate::simulate(plan, &bounds, run)?;
        analysis.sorted.clone_from(&outcome.total);
        analysis.sorted.sort_unstable_by(f64::total_cmp);
        if keep > 0 {
            let finish = ranks(&outcome.total[..keep]);
            analysis.sensitivity = Some(sensitivity(&outcome.durations, &finish, run)?);
        }
        analysis.outcome = Some(outcome);
        Ok(analysis)
    }

    /// Runs whose durations are kept.
    fn kept_runs(&self) -> usize {
        let runs = usize::try_from(self.plan.input.simulation.runs).unwrap_or(usize::MAX);
        runs.min(SENSITIVITY_RUNS)
            .min(SENSITIVITY_VALUES / self.plan.jobs.len())
    }

    pub(super) fn runs(&self) -> f64 {
        self.plan.input.simulation.runs as f64
    }
}

/// Values worth a thread of their own: about a millisecond of ranking.
const VALUES_PER_THREAD: usize = 100_000;

/// The rank correlation of each column with the finish, on as many threads as that is worth and the run may use.
fn sensitivity(
    columns: &[Column],
    finish: &[f64],
    run: &Run<'_>,
) -> Result<Vec<Option<f64>>, Error> {
    let values = columns.len() * finish.len();
    let threads = (values / VALUES_PER_THREAD).clamp(1, run.threads.get());
    let some = |columns: &[Column]| -> Result<Vec<Option<f64>>, Error> {
        let mut ranker = Ranker::default();
        let mut all = Vec::with_capacity(columns.len());
        for column in columns {
            run.check()?;
            all.push(spearman(
                column.iter().flatten().copied(),
                finish,
                &mut ranker,
            ));
        }
        Ok(all)
    };
    let parts = columns.chunks(columns.len().div_ceil(threads).max(1));
    let mut all = Vec::with_capacity(columns.len());
    for part in crate::threads::each(parts, some) {
        all.extend(part?);
    }
    Ok(all)
}

/// Quantiles of a plan's finish by simulation alone: nothing kept, nothing laid out.
pub(super) fn finish(plan: &Plan<'_>, q: [f64; 4], run: &Run<'_>) -> Result<[f64; 4], Error> {
    let latest: Vec<i64> = cpm::schedule(plan).slots.iter().map(|s| s.lf).collect();
    let bounds = Bounds {
        latest: latest.iter().map(|&e| e as f64).collect(),
        due: &plan.due(&latest),
        keep: 0,
    };
    let mut total = simulate::simulate(plan, &bounds, run)?.total;
    total.sort_unstable_by(f64::total_cmp);
    Ok(q.map(|q| super::statistics::quantile(&total, q)))
}
