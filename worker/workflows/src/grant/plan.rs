//! The tasks as a network: sorted by id, predecessors as positions, what remains of each, and the dates that bind.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;

use super::calendar::{Calendar, Ordinals};
use super::input::{Input, Risk, Task, ThreePoint};
use super::limits;
use crate::Error;

/// Absorbs the rounding of sums and quotients that are whole on paper.
pub(super) const SLACK: f64 = 1e-9;

/// One task, ready to be scheduled.
#[derive(Debug)]
pub(super) struct Job<'a> {
    pub(super) task: &'a Task,
    pub(super) done: bool,
    /// What remains, times what the owner's capacity stretches it by: working days per estimated day.
    pub(super) scale: f64,
    pub(super) before: Vec<u32>,
    pub(super) after: Vec<u32>,
    /// First ordinal after the gate's milestone.
    pub(super) gate: Option<i64>,
}

impl Job<'_> {
    /// Expected working days that remain.
    pub(super) fn mean(&self) -> f64 {
        self.task.duration.mean() * self.scale
    }

    /// Their exact variance.
    pub(super) fn variance(&self) -> f64 {
        self.task.duration.variance() * self.scale * self.scale
    }

    /// The expected working days as whole ones: a day that is begun is taken.
    pub(super) fn days(&self) -> i64 {
        whole(self.mean())
    }
}

/// Days begun.
#[expect(
    clippy::cast_possible_truncation,
    reason = "durations are capped far below 2^53"
)]
pub(super) fn whole(days: f64) -> i64 {
    (days - SLACK).ceil().max(0.0) as i64
}

/// One milestone.
#[derive(Debug)]
pub(super) struct Milestone {
    pub(super) offset: u32,
    /// Deadline minus the offset in calendar days.
    pub(super) nominal: Date,
    /// The nominal date rolled backward to a working day.
    pub(super) date: Date,
    /// First ordinal after it.
    pub(super) end: i64,
}

/// Everything that the schedule and the simulation read.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) input: &'a Input,
    pub(super) calendar: &'a Calendar,
    pub(super) ordinals: Ordinals,
    /// Ascending by id.
    pub(super) jobs: Vec<Job<'a>>,
    /// A topological order of the jobs.
    pub(super) order: Vec<u32>,
    /// Ascending by id.
    pub(super) risks: Vec<&'a Risk>,
    /// Ascending by date.
    pub(super) milestones: Vec<Milestone>,
    /// The last day on which the last task may finish: the deadline less the buffer.
    pub(super) target: Date,
    /// Working days from `as_of` to the target, both included; not positive when the target has passed.
    pub(super) available: i64,
}

impl<'a> Plan<'a> {
    pub(super) fn new(input: &'a Input, calendar: &'a Calendar) -> Result<Self, Error> {
        let deadline = input.opportunity.closeDate.date.0;
        let as_of = input.as_of.0;
        let target = calendar.before(deadline, input.submit_buffer_working_days)?;
        let mut jobs = jobs(input);
        let mut dates = BTreeMap::new();
        let gates = input.tasks.iter().filter_map(|t| t.gate_offset);
        for offset in input.milestone_offsets_days.iter().copied().chain(gates) {
            let nominal = deadline - i64::from(offset).days();
            dates.insert(offset, (nominal, calendar.roll_back(nominal)?));
        }
        let mut anchors: Vec<Date> = dates.values().map(|d| d.1).collect();
        anchors.extend([target, deadline, as_of]);
        let ordinals = Ordinals::new(calendar, as_of, &anchors, room(input, &jobs)?)?;
        for job in &mut jobs {
            job.gate = job
                .task
                .gate_offset
                .map(|offset| ordinals.of(dates[&offset].1) + 1);
        }
        let listed = input.milestone_offsets_days.iter().map(|&offset| {
            let (nominal, date) = dates[&offset];
            Milestone {
                offset,
                nominal,
                date,
                end: ordinals.of(date) + 1,
            }
        });
        let mut milestones: Vec<Milestone> = listed.collect();
        milestones.sort_by_key(|m| std::cmp::Reverse(m.offset));
        let mut risks: Vec<&Risk> = input.risks.iter().collect();
        risks.sort_by(|x, y| x.id.cmp(&y.id));
        let available = ordinals.of(target) + 1;
        Ok(Self {
            input,
            calendar,
            order: order(&jobs),
            ordinals,
            jobs,
            risks,
            milestones,
            target,
            available,
        })
    }

    pub(super) fn position(&self, id: &str) -> Option<u32> {
        self.jobs
            .binary_search_by(|job| job.task.id.as_str().cmp(id))
            .ok()
            .map(crate::number::small)
    }

    /// Whether any work remains.
    pub(super) fn open(&self) -> bool {
        self.jobs.iter().any(|job| !job.done)
    }

    /// The milestone by which each job is due: that of its gate, else the first that its latest finish allows.
    pub(super) fn due(&self, latest: &[i64]) -> Vec<Option<usize>> {
        let first_from = |end: i64| self.milestones.iter().position(|m| m.end >= end);
        let due = |(job, &end): (&Job<'_>, &i64)| match (job.task.gate_offset, job.gate) {
            (Some(offset), Some(gate)) => self
                .milestones
                .iter()
                .position(|m| m.offset == offset)
                .or_else(|| first_from(gate)),
            _ => first_from(end),
        };
        self.jobs.iter().zip(latest).map(due).collect()
    }

    /// The date on which work that ends before ordinal `end` is finished.
    pub(super) fn finish_date(&self, end: i64) -> Date {
        self.ordinals.date(end - 1)
    }
}

/// Tasks sorted by id with their dependencies as positions.
fn jobs(input: &Input) -> Vec<Job<'_>> {
    let mut tasks: Vec<&Task> = input.tasks.iter().collect();
    tasks.sort_by(|x, y| x.id.cmp(&y.id));
    let mut jobs: Vec<Job<'_>> = tasks
        .iter()
        .map(|task| {
            let done = task.done();
            let remains = if done {
                0.0
            } else {
                1.0 - task.percent_complete / 100.0
            };
            let capacity = task
                .owner
                .as_ref()
                .and_then(|o| input.capacity.get(o))
                .copied()
                .unwrap_or(1.0);
            Job {
                task,
                done,
                scale: remains / capacity.min(1.0),
                before: Vec::new(),
                after: Vec::new(),
                gate: None,
            }
        })
        .collect();
    for (i, task) in tasks.iter().enumerate() {
        let mut parents: Vec<u32> = task
            .depends_on
            .iter()
            .map(|id| {
                tasks
                    .binary_search_by(|t| t.id.cmp(id))
                    .expect("validate() has refused unknown tasks")
            })
            .map(crate::number::small)
            .collect();
        parents.sort_unstable();
        for &parent in &parents {
            jobs[parent as usize].after.push(crate::number::small(i));
        }
        jobs[i].before = parents;
    }
    jobs
}

/// Kahn's order; the graph is acyclic.
fn order(jobs: &[Job<'_>]) -> Vec<u32> {
    let mut open: Vec<usize> = jobs.iter().map(|job| job.before.len()).collect();
    let mut order: Vec<u32> = (0..crate::number::small(jobs.len()))
        .filter(|&v| open[v as usize] == 0)
        .collect();
    let mut next = 0;
    while let Some(&v) = order.get(next) {
        next += 1;
        for &child in &jobs[v as usize].after {
            open[child as usize] -= 1;
            if open[child as usize] == 0 {
                order.push(child);
            }
        }
    }
    order
}

/// Working days that everything takes one after the other at worst: how far the numbered days must reach.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "capped sums of non-negative durations"
)]
fn room(input: &Input, jobs: &[Job<'_>]) -> Result<u64, Error> {
    let worst = |points: ThreePoint| points.pessimistic.ceil() + 1.0;
    let work: f64 = jobs
        .iter()
        .map(|job| worst(job.task.duration) * job.scale.max(1.0))
        .sum();
    let delays: f64 = input
        .risks
        .iter()
        .map(|r| worst(r.delay) * r.affects.len().max(1) as f64)
        .sum();
    let room = (work + delays).ceil() as u64 + u64::from(input.submit_buffer_working_days) + 1;
    Error::cap(
        "max_plan_working_days",
        room,
        limits::MAX_PLAN_WORKING_DAYS,
        "/tasks",
    )?;
    Ok(room)
}
