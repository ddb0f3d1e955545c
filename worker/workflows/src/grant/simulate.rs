//! Monte Carlo over the plan: beta-PERT durations, risk events, one ChaCha8 stream per run.
//!
//! Invariant: what a run draws depends on the seed, the run's number and the tasks and risks in id order; not on
//! dependencies, dates or threads. So futures are comparable: a later deadline never lowers a probability, an added
//! dependency never raises one. Runs are split over threads in blocks that follow each other; only counts are summed,
//! so the result has the same bytes on any number of threads. Time is continuous in working days from ordinal 0; only
//! dates are rounded up. `model` holds a plan's constants, `batch` plays many runs side by side. `Stop` is asked every
//! few hundred runs, and while the tables are made that draws are read from.

mod batch;
mod model;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use batch::{Batch, LANES};
use model::Model;

use super::plan::Plan;
use crate::{Error, Run};

/// Batches between two looks at the stop request: 256 runs.
const CHECK_EVERY: usize = 4;
/// Draws worth a thread of their own: about two milliseconds, of which starting it takes a hundredth.
const DRAWS_PER_THREAD: u64 = 100_000;
/// More threads than this would help one plan at the cost of all others on a large machine.
const MAX_THREADS: u64 = 8;

/// The counts and values of all runs.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Working days until everything is finished, in the order of runs.
    pub(super) total: Vec<f64>,
    pub(super) on_time: u64,
    /// Runs in which each task lies on a longest chain.
    pub(super) critical: Vec<u64>,
    /// Runs in which each task ends after its latest finish.
    pub(super) late: Vec<u64>,
    /// Runs in which all tasks due at each milestone are finished by then.
    pub(super) met: Vec<u64>,
    /// How often each risk happened, and how often the plan was on time then.
    pub(super) happened: Vec<(u64, u64)>,
    /// Durations of the first runs, task by task; empty unless wanted.
    pub(super) durations: Vec<Column>,
}

/// Values in the order of runs, in the pieces in which the threads made them: joining those would copy all of them.
pub(super) type Column = Vec<Vec<f64>>;

/// What the simulation checks each run against.
pub(super) struct Bounds<'a> {
    /// Latest finish of each job.
    pub(super) latest: Vec<f64>,
    /// The milestone at which each job is due.
    pub(super) due: &'a [Option<usize>],
    /// Runs whose durations to keep.
    pub(super) keep: usize,
}

/// Simulates on as many threads as the work is worth and the run may use.
pub(super) fn simulate(
    plan: &Plan<'_>,
    bounds: &Bounds<'_>,
    run: &Run<'_>,
) -> Result<Outcome, Error> {
    let draws = plan.input.simulation.runs * (plan.jobs.len() + plan.risks.len()) as u64;
    let granted = run.threads.get() as u64;
    simulate_on(threads(draws).min(granted), plan, bounds, run)
}

/// Threads that so many draws are worth.
pub(super) fn threads(draws: u64) -> u64 {
    (draws / DRAWS_PER_THREAD).clamp(1, MAX_THREADS)
}

/// The same on a given number of threads.
fn simulate_on(
    threads: u64,
    plan: &Plan<'_>,
    bounds: &Bounds<'_>,
    run: &Run<'_>,
) -> Result<Outcome, Error> {
    let model = Model::new(plan, bounds, run)?;
    let runs = plan.input.simulation.runs;
    let finished = AtomicU64::new(0);
    let parts = (0..threads).map(|t| runs * t / threads..runs * (t + 1) / threads);
    let mut blocks =
        crate::threads::each(parts, |part| block(&model, part, &finished, run)).into_iter();
    let mut whole = blocks.next().expect("there is a first block")?;
    for next in blocks {
        whole.add(next?);
    }
    Ok(whole)
}

/// Runs that follow each other. `finished` counts those of all blocks.
fn block(
    model: &Model<'_>,
    runs: Range<u64>,
    finished: &AtomicU64,
    run: &Run<'_>,
) -> Result<Outcome, Error> {
    let all = model.plan.input.simulation.runs;
    let mut outcome = Outcome::new(model, &runs);
    let mut batch = Batch::new(model);
    for (k, first) in runs.clone().step_by(LANES).enumerate() {
        if k % CHECK_EVERY == 0 {
            let done = finished.fetch_add((CHECK_EVERY * LANES) as u64, Ordering::Relaxed);
            run.step((done as f64 / all as f64).min(1.0), "simulation")?;
        }
        let lanes = length(runs.end - first).min(LANES);
        batch.play(first, lanes, &mut outcome);
    }
    Ok(outcome)
}

/// Runs as a length; their cap is far below the address space.
fn length(runs: u64) -> usize {
    usize::try_from(runs).unwrap_or(usize::MAX)
}

impl Outcome {
    /// With room for these runs; in the first block for all, to which those of the others are appended.
    fn new(model: &Model<'_>, runs: &Range<u64>) -> Self {
        let plan = model.plan;
        let jobs = plan.jobs.len();
        let all = plan.input.simulation.runs;
        let kept = model
            .keep
            .min(length(runs.end))
            .saturating_sub(length(runs.start));
        let columns = if model.keep > 0 { jobs } else { 0 };
        Self {
            total: Vec::with_capacity(length(if runs.start == 0 {
                all
            } else {
                runs.end - runs.start
            })),
            on_time: 0,
            critical: vec![0; jobs],
            late: vec![0; jobs],
            met: vec![0; plan.milestones.len()],
            happened: vec![(0, 0); plan.risks.len()],
            durations: (0..columns)
                .map(|_| vec![Vec::with_capacity(kept)])
                .collect(),
        }
    }

    /// Appends the runs that follow.
    fn add(&mut self, next: Self) {
        let sum = |counts: &mut Vec<u64>, more: Vec<u64>| {
            counts.iter_mut().zip(more).for_each(|(a, b)| *a += b);
        };
        self.total.extend(next.total);
        self.on_time += next.on_time;
        sum(&mut self.critical, next.critical);
        sum(&mut self.late, next.late);
        sum(&mut self.met, next.met);
        for (a, b) in self.happened.iter_mut().zip(next.happened) {
            *a = (a.0 + b.0, a.1 + b.1);
        }
        for (column, more) in self.durations.iter_mut().zip(next.durations) {
            column.extend(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::calendar::Calendar;
    use crate::grant::{cpm, input::Input};

    #[test]
    fn any_number_of_threads_gives_the_same_outcome() {
        let mut input = crate::sample_grant();
        input["simulation"]["runs"] = 1_003.into();
        let input: Input = serde_json::from_value(input).unwrap();
        let calendar = Calendar::new(&input.calendar);
        let plan = Plan::new(&input, &calendar).unwrap();
        let latest: Vec<i64> = cpm::schedule(&plan).slots.iter().map(|s| s.lf).collect();
        let due = plan.due(&latest);
        let bounds = Bounds {
            latest: latest.iter().map(|&e| e as f64).collect(),
            due: &due,
            keep: 700,
        };
        let on = |threads| {
            let outcome = simulate_on(threads, &plan, &bounds, &Run::unattended()).unwrap();
            assert_eq!(outcome.total.len(), 1_003);
            assert!(
                outcome
                    .durations
                    .iter()
                    .all(|column| column.concat().len() == 700)
            );
            let columns: Vec<_> = outcome.durations.iter().map(|c| c.concat()).collect();
            let outcome = Outcome {
                durations: Vec::new(),
                ..outcome
            };
            format!("{outcome:?} {columns:?}")
        };
        let one = on(1);
        for threads in [2, 3, 8] {
            assert!(on(threads) == one, "{threads} threads");
        }
    }
}
