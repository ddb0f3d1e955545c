//! Everything computed about a plan, before it is laid out.

use super::cpm::{self, Schedule};
use super::limits::{SENSITIVITY_RUNS, SENSITIVITY_VALUES};
use super::plan::Plan;
use super::simulate::{self, Bounds, Outcome};
use super::statistics::spearman;
use crate::number::ranks;
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
            no_sensitivity: crate::relationship::SWITCHED_OFF,
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
            let mut all = Vec::with_capacity(outcome.durations.len());
            for column in &outcome.durations {
                run.check()?;
                all.push(spearman(column, &finish));
            }
            analysis.sensitivity = Some(all);
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
