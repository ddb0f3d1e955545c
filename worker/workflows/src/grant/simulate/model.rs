//! A plan's constants as the simulation reads them: draws, links and bounds, by position of the job.

use super::super::draw::Draw;
use super::super::input::Risk;
use super::super::plan::{Job, Plan, SLACK};
use super::Bounds;
use crate::{Error, Run};

/// Tables of distributions between two looks at the stop request: each takes some 50 microseconds to make.
const CHECK_EVERY: usize = 256;

/// A risk as the simulation reads it.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) probability: f64,
    pub(super) delay: Draw,
    /// The open jobs that it delays.
    pub(super) affects: Vec<u32>,
}

/// Lists of positions, one after the other.
pub(super) struct Lists {
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

    pub(super) fn of(&self, v: usize) -> &[u32] {
        &self.all[self.from[v] as usize..self.from[v + 1] as usize]
    }
}

/// One job's constants.
pub(super) struct Step {
    pub(super) scale: f64,
    pub(super) done: bool,
    /// Latest finish, with slack.
    pub(super) latest: f64,
    /// The milestone at which it is due, and the last finish that meets it: any for a job that was finished in time,
    /// none for one that was finished late.
    pub(super) due: Option<(usize, f64)>,
}

pub(super) struct Model<'a> {
    pub(super) plan: &'a Plan<'a>,
    pub(super) draws: Vec<Draw>,
    pub(super) steps: Vec<Step>,
    pub(super) before: Lists,
    pub(super) after: Lists,
    pub(super) events: Vec<Event>,
    /// Working days in which all must be finished, with slack.
    pub(super) available: f64,
    /// Whether any work remains.
    pub(super) open: bool,
    /// Runs whose durations to keep.
    pub(super) keep: usize,
}

impl<'a> Model<'a> {
    pub(super) fn new(
        plan: &'a Plan<'a>,
        bounds: &Bounds<'_>,
        run: &Run<'_>,
    ) -> Result<Self, Error> {
        let draw = |job: &Job<'_>| Draw::new(job.task.duration);
        Ok(Self {
            draws: watched(&plan.jobs, run, draw)?,
            steps: (0..plan.jobs.len())
                .map(|v| step(plan, bounds, v))
                .collect(),
            before: Lists::new(plan.jobs.iter().map(|job| job.before.as_slice())),
            after: Lists::new(plan.jobs.iter().map(|job| job.after.as_slice())),
            events: watched(&plan.risks, run, |risk| event(plan, risk))?,
            available: plan.available as f64 + SLACK,
            open: plan.open(),
            keep: bounds.keep,
            plan,
        })
    }

    /// Random numbers of one run: one for each duration, two for each risk.
    pub(super) fn numbers(&self) -> usize {
        self.draws.len() + 2 * self.events.len()
    }
}

/// What is made of each, unless the run is to end meanwhile.
fn watched<T, R>(all: &[T], run: &Run<'_>, make: impl Fn(&T) -> R) -> Result<Vec<R>, Error> {
    let mut results = Vec::with_capacity(all.len());
    for (i, one) in all.iter().enumerate() {
        if i % CHECK_EVERY == 0 {
            run.check()?;
        }
        results.push(make(one));
    }
    Ok(results)
}

fn event(plan: &Plan<'_>, risk: &Risk) -> Event {
    let known = risk.affects.iter().filter_map(|id| plan.position(id));
    Event {
        probability: risk.probability,
        delay: Draw::new(risk.delay),
        affects: known.filter(|&v| !plan.jobs[v as usize].done).collect(),
    }
}

fn step(plan: &Plan<'_>, bounds: &Bounds<'_>, v: usize) -> Step {
    let job = &plan.jobs[v];
    let finished = job.task.actual_finish.map(|d| d.0);
    let due = bounds.due[v].map(|m| {
        let milestone = &plan.milestones[m];
        let end = match job.done {
            false => milestone.end as f64 + SLACK,
            true if finished.is_some_and(|d| d > milestone.date) => f64::NEG_INFINITY,
            true => f64::INFINITY,
        };
        (m, end)
    });
    Step {
        scale: job.scale,
        done: job.done,
        latest: bounds.latest[v] + SLACK,
        due,
    }
}
