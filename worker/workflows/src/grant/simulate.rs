//! Monte Carlo over the plan: beta-PERT durations, risk events, one ChaCha8 stream per run.
//!
//! Invariant: what a run draws depends on the seed, the run's number and the tasks and risks in id order; not on
//! dependencies, dates or threads. So futures are comparable: a later deadline never lowers a probability, an added
//! dependency never raises one. Time is continuous in working days from ordinal 0; only dates are rounded up.
//! `Stop` is asked every few hundred runs.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Pert};

use super::input::ThreePoint;
use super::plan::{Plan, SLACK};
use crate::{Error, Run};

/// A duration or delay to draw.
#[derive(Debug)]
enum Draw {
    Fixed(f64),
    Beta(Pert<f64>),
}

impl Draw {
    fn new(points: ThreePoint) -> Self {
        // Equal ends, or ends that differ by less than the distribution can resolve, leave nothing to draw.
        Pert::new(points.optimistic, points.pessimistic)
            .with_mode(points.likely)
            .map_or(Self::Fixed(points.likely), Self::Beta)
    }

    fn sample(&self, rng: &mut ChaCha8Rng) -> f64 {
        match self {
            Self::Fixed(x) => *x,
            Self::Beta(pert) => pert.sample(rng),
        }
    }
}

/// A risk as the simulation reads it.
#[derive(Debug)]
struct Event {
    probability: f64,
    delay: Draw,
    affects: Vec<u32>,
}

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
    pub(super) durations: Vec<Vec<f64>>,
}

/// What the simulation checks each run against.
pub(super) struct Bounds<'a> {
    /// Latest finish of each job.
    pub(super) latest: Vec<f64>,
    /// The milestone at which each job is due.
    pub(super) due: &'a [Option<usize>],
    /// Runs whose durations to keep.
    pub(super) keep: usize,
}

/// Buffers of one run.
struct Future {
    duration: Vec<f64>,
    start: Vec<f64>,
    finish: Vec<f64>,
    latest: Vec<f64>,
    met: Vec<bool>,
    happened: Vec<bool>,
}

struct Model<'a> {
    plan: &'a Plan<'a>,
    draws: Vec<Draw>,
    events: Vec<Event>,
    /// Whether a finished task missed the milestone at which it was due.
    missed: Vec<bool>,
    available: f64,
}

pub(super) fn simulate(
    plan: &Plan<'_>,
    bounds: &Bounds<'_>,
    run: &Run<'_>,
) -> Result<Outcome, Error> {
    let model = Model::new(plan, bounds);
    let (jobs, runs) = (plan.jobs.len(), plan.input.simulation.runs);
    let mut outcome = Outcome {
        total: Vec::with_capacity(usize::try_from(runs).unwrap_or(0)),
        on_time: 0,
        critical: vec![0; jobs],
        late: vec![0; jobs],
        met: vec![0; plan.milestones.len()],
        happened: vec![(0, 0); plan.risks.len()],
        durations: vec![Vec::with_capacity(bounds.keep); if bounds.keep > 0 { jobs } else { 0 }],
    };
    let mut future = Future {
        duration: vec![0.0; jobs],
        start: vec![0.0; jobs],
        finish: vec![0.0; jobs],
        latest: vec![0.0; jobs],
        met: vec![true; plan.milestones.len()],
        happened: vec![false; plan.risks.len()],
    };
    let fresh = ChaCha8Rng::seed_from_u64(plan.input.simulation.seed);
    for i in 0..runs {
        if i % 256 == 0 {
            run.step(i as f64 / runs as f64, "simulation")?;
        }
        let mut rng = fresh.clone();
        rng.set_stream(i);
        model.draw(&mut rng, &mut future);
        let total = model.forward(&mut future);
        model.tally(&mut future, total, bounds, &mut outcome);
    }
    Ok(outcome)
}

impl<'a> Model<'a> {
    fn new(plan: &'a Plan<'a>, bounds: &Bounds<'_>) -> Self {
        let event = |risk: &&super::input::Risk| Event {
            probability: risk.probability,
            delay: Draw::new(risk.delay),
            affects: risk
                .affects
                .iter()
                .filter_map(|id| plan.position(id))
                .collect(),
        };
        let missed = plan.jobs.iter().zip(bounds.due).map(|(job, due)| {
            let finished = job.task.actual_finish.map(|d| d.0);
            job.done && due.is_some_and(|m| finished.is_some_and(|d| d > plan.milestones[m].date))
        });
        Self {
            missed: missed.collect(),
            draws: plan
                .jobs
                .iter()
                .map(|job| Draw::new(job.task.duration))
                .collect(),
            events: plan.risks.iter().map(event).collect(),
            available: plan.available as f64,
            plan,
        }
    }

    /// Every draw is made in every run, needed or not, so that a change elsewhere leaves it as it is.
    fn draw(&self, rng: &mut ChaCha8Rng, future: &mut Future) {
        for ((slot, draw), job) in future
            .duration
            .iter_mut()
            .zip(&self.draws)
            .zip(&self.plan.jobs)
        {
            *slot = draw.sample(rng) * job.scale;
        }
        for (event, happened) in self.events.iter().zip(&mut future.happened) {
            let chance: f64 = rng.random();
            let delay = event.delay.sample(rng);
            *happened = chance < event.probability;
            if !*happened {
                continue;
            }
            for &v in &event.affects {
                if !self.plan.jobs[v as usize].done {
                    future.duration[v as usize] += delay;
                }
            }
        }
    }

    /// Starts and finishes; returns when everything is finished.
    fn forward(&self, future: &mut Future) -> f64 {
        let mut total = 0.0_f64;
        for &v in &self.plan.order {
            let v = v as usize;
            let mut start = 0.0_f64;
            for &p in &self.plan.jobs[v].before {
                start = start.max(future.finish[p as usize]);
            }
            future.start[v] = start;
            future.finish[v] = start + future.duration[v];
            total = total.max(future.finish[v]);
        }
        total
    }

    fn tally(&self, future: &mut Future, total: f64, bounds: &Bounds<'_>, outcome: &mut Outcome) {
        let on_time = total <= self.available + SLACK || !self.plan.open();
        outcome.total.push(total);
        outcome.on_time += u64::from(on_time);
        for (count, &happened) in outcome.happened.iter_mut().zip(&future.happened) {
            count.0 += u64::from(happened);
            count.1 += u64::from(happened && on_time);
        }
        self.backward(future, total, outcome);
        future.met.fill(true);
        for (v, job) in self.plan.jobs.iter().enumerate() {
            outcome.late[v] += u64::from(!job.done && future.finish[v] > bounds.latest[v] + SLACK);
            if let Some(m) = bounds.due[v] {
                let end = self.plan.milestones[m].end as f64;
                let met = if job.done {
                    !self.missed[v]
                } else {
                    future.finish[v] <= end + SLACK
                };
                future.met[m] &= met;
            }
        }
        for (count, &met) in outcome.met.iter_mut().zip(&future.met) {
            *count += u64::from(met);
        }
        if outcome.total.len() <= bounds.keep {
            for (column, &duration) in outcome.durations.iter_mut().zip(&future.duration) {
                column.push(duration);
            }
        }
    }

    /// Counts the open tasks without float against this run's own finish.
    fn backward(&self, future: &mut Future, total: f64, outcome: &mut Outcome) {
        let tolerance = SLACK * (1.0 + total);
        for &v in self.plan.order.iter().rev() {
            let v = v as usize;
            let job = &self.plan.jobs[v];
            let mut latest = total;
            for &c in &job.after {
                latest = latest.min(future.latest[c as usize]);
            }
            future.latest[v] = latest - future.duration[v];
            outcome.critical[v] +=
                u64::from(!job.done && future.latest[v] - future.start[v] <= tolerance);
        }
    }
}
