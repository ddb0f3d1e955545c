//! Monte Carlo over the plan: beta-PERT durations, risk events, one ChaCha8 stream per run.
//!
//! Invariant: what a run draws depends on the seed, the run's number and the tasks and risks in id order; not on
//! dependencies, dates or threads. So futures are comparable: a later deadline never lowers a probability, an added
//! dependency never raises one. Runs are split over threads in blocks that follow each other; only counts are summed,
//! so the result has the same bytes on any number of threads. Time is continuous in working days from ordinal 0; only
//! dates are rounded up. `Stop` is asked every few hundred runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::draw::Draw;
use super::plan::{Plan, SLACK};
use crate::{Error, Run};

/// Runs between two looks at the stop request.
const CHECK_EVERY: u64 = 256;
/// Draws worth a thread of their own: some two milliseconds, of which starting it takes a fiftieth.
const DRAWS_PER_THREAD: u64 = 100_000;
/// More threads than this would help one plan at the cost of all others on a large machine.
const MAX_THREADS: u64 = 8;

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

/// Lists of positions, one after the other.
struct Lists {
    all: Vec<u32>,
    /// Where each list begins, and the end of the last.
    from: Vec<u32>,
}

impl Lists {
    fn new<'l>(lists: impl Iterator<Item = &'l [u32]>) -> Self {
        let (mut all, mut from) = (Vec::new(), vec![0]);
        for list in lists {
            all.extend_from_slice(list);
            from.push(crate::number::small(all.len()));
        }
        Self { all, from }
    }

    fn of(&self, v: usize) -> &[u32] {
        &self.all[self.from[v] as usize..self.from[v + 1] as usize]
    }
}

/// One job's constants.
struct Step {
    scale: f64,
    done: bool,
    /// Latest finish, with slack.
    latest: f64,
    /// The milestone at which it is due, and the last finish that meets it: any for a job that was finished in time,
    /// none for one that was finished late.
    due: Option<(usize, f64)>,
}

struct Model<'a> {
    plan: &'a Plan<'a>,
    draws: Vec<Draw>,
    steps: Vec<Step>,
    before: Lists,
    after: Lists,
    events: Vec<Event>,
    available: f64,
    /// Whether any work remains.
    open: bool,
    /// Runs whose durations to keep.
    keep: usize,
}

/// Simulates on as many threads as the work is worth and the machine has.
pub(super) fn simulate(
    plan: &Plan<'_>,
    bounds: &Bounds<'_>,
    run: &Run<'_>,
) -> Result<Outcome, Error> {
    let draws = plan.input.simulation.runs * (plan.jobs.len() + plan.risks.len()) as u64;
    let cores = thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let threads = (draws / DRAWS_PER_THREAD).min(cores).clamp(1, MAX_THREADS);
    simulate_on(threads, plan, bounds, run)
}

/// The same on a given number of threads.
fn simulate_on(
    threads: u64,
    plan: &Plan<'_>,
    bounds: &Bounds<'_>,
    run: &Run<'_>,
) -> Result<Outcome, Error> {
    let model = Model::new(plan, bounds);
    let runs = plan.input.simulation.runs;
    let finished = AtomicU64::new(0);
    let block = |t: u64| model.block(runs * t / threads..runs * (t + 1) / threads, &finished, run);
    let mut blocks = thread::scope(|scope| {
        let block = &block;
        let others: Vec<_> = (1..threads)
            // A refused thread leaves its block to this one.
            .map(|t| {
                (
                    t,
                    thread::Builder::new()
                        .spawn_scoped(scope, move || block(t))
                        .ok(),
                )
            })
            .collect();
        let mut blocks = vec![block(0)];
        for (t, other) in others {
            blocks.push(match other.map(thread::ScopedJoinHandle::join) {
                Some(Ok(outcome)) => outcome,
                Some(Err(panic)) => std::panic::resume_unwind(panic),
                None => block(t),
            });
        }
        blocks
    })
    .into_iter();
    let mut whole = blocks.next().expect("there is a first block")?;
    for next in blocks {
        whole.add(next?);
    }
    Ok(whole)
}

impl Outcome {
    fn new(plan: &Plan<'_>, keep: usize) -> Self {
        let jobs = plan.jobs.len();
        Self {
            total: Vec::new(),
            on_time: 0,
            critical: vec![0; jobs],
            late: vec![0; jobs],
            met: vec![0; plan.milestones.len()],
            happened: vec![(0, 0); plan.risks.len()],
            durations: vec![Vec::new(); if keep > 0 { jobs } else { 0 }],
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
        let step = |(v, job): (usize, &super::plan::Job<'_>)| Step {
            scale: job.scale,
            done: job.done,
            latest: bounds.latest[v] + SLACK,
            due: bounds.due[v].map(|m| {
                let milestone = &plan.milestones[m];
                let finished = job.task.actual_finish.map(|d| d.0);
                let end = match job.done {
                    false => milestone.end as f64 + SLACK,
                    true if finished.is_some_and(|d| d > milestone.date) => f64::NEG_INFINITY,
                    true => f64::INFINITY,
                };
                (m, end)
            }),
        };
        Self {
            draws: plan
                .jobs
                .iter()
                .map(|job| Draw::new(job.task.duration))
                .collect(),
            steps: plan.jobs.iter().enumerate().map(step).collect(),
            before: Lists::new(plan.jobs.iter().map(|job| job.before.as_slice())),
            after: Lists::new(plan.jobs.iter().map(|job| job.after.as_slice())),
            events: plan.risks.iter().map(event).collect(),
            available: plan.available as f64,
            open: plan.open(),
            keep: bounds.keep,
            plan,
        }
    }

    /// Runs that follow each other. `finished` counts those of all blocks.
    fn block(
        &self,
        runs: std::ops::Range<u64>,
        finished: &AtomicU64,
        run: &Run<'_>,
    ) -> Result<Outcome, Error> {
        let jobs = self.steps.len();
        let mut outcome = Outcome::new(self.plan, self.keep);
        let mut future = Future {
            duration: vec![0.0; jobs],
            start: vec![0.0; jobs],
            finish: vec![0.0; jobs],
            latest: vec![0.0; jobs],
            met: vec![true; self.plan.milestones.len()],
            happened: vec![false; self.events.len()],
        };
        let fresh = ChaCha8Rng::seed_from_u64(self.plan.input.simulation.seed);
        let all = self.plan.input.simulation.runs as f64;
        for i in runs {
            if i % CHECK_EVERY == 0 {
                let done = finished.fetch_add(CHECK_EVERY, Ordering::Relaxed);
                run.step((done as f64 / all).min(1.0), "simulation")?;
            }
            let mut rng = fresh.clone();
            rng.set_stream(i);
            self.draw(&mut rng, &mut future);
            let total = self.forward(&mut future);
            self.tally(&mut future, total, &mut outcome);
            if usize::try_from(i).is_ok_and(|i| i < self.keep) {
                for (column, &duration) in outcome.durations.iter_mut().zip(&future.duration) {
                    column.push(duration);
                }
            }
        }
        Ok(outcome)
    }

    /// Every draw is made in every run, needed or not, so that a change elsewhere leaves it as it is.
    fn draw(&self, rng: &mut ChaCha8Rng, future: &mut Future) {
        let durations = future.duration.iter_mut();
        for ((slot, draw), step) in durations.zip(&self.draws).zip(&self.steps) {
            *slot = draw.sample(rng) * step.scale;
        }
        for (event, happened) in self.events.iter().zip(&mut future.happened) {
            let chance: f64 = rng.random();
            let delay = event.delay.sample(rng);
            *happened = chance < event.probability;
            if !*happened {
                continue;
            }
            for &v in &event.affects {
                if !self.steps[v as usize].done {
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
            for &p in self.before.of(v) {
                start = start.max(future.finish[p as usize]);
            }
            future.start[v] = start;
            future.finish[v] = start + future.duration[v];
            total = total.max(future.finish[v]);
        }
        total
    }

    fn tally(&self, future: &mut Future, total: f64, outcome: &mut Outcome) {
        let on_time = total <= self.available + SLACK || !self.open;
        outcome.total.push(total);
        outcome.on_time += u64::from(on_time);
        for (count, &happened) in outcome.happened.iter_mut().zip(&future.happened) {
            count.0 += u64::from(happened);
            count.1 += u64::from(happened && on_time);
        }
        self.backward(future, total, outcome);
        future.met.fill(true);
        for ((step, &finish), late) in self.steps.iter().zip(&future.finish).zip(&mut outcome.late)
        {
            *late += u64::from(!step.done && finish > step.latest);
            if let Some((m, end)) = step.due {
                future.met[m] &= finish <= end;
            }
        }
        for (count, &met) in outcome.met.iter_mut().zip(&future.met) {
            *count += u64::from(met);
        }
    }

    /// Counts the open tasks without float against this run's own finish.
    fn backward(&self, future: &mut Future, total: f64, outcome: &mut Outcome) {
        let tolerance = SLACK * (1.0 + total);
        for &v in self.plan.order.iter().rev() {
            let v = v as usize;
            let mut latest = total;
            for &c in self.after.of(v) {
                latest = latest.min(future.latest[c as usize]);
            }
            future.latest[v] = latest - future.duration[v];
            outcome.critical[v] +=
                u64::from(!self.steps[v].done && future.latest[v] - future.start[v] <= tolerance);
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
            assert!(outcome.durations.iter().all(|column| column.len() == 700));
            format!("{outcome:?}")
        };
        let one = on(1);
        for threads in [2, 3, 8] {
            assert!(on(threads) == one, "{threads} threads");
        }
    }
}
