//! Many runs side by side: each step of the network is taken for all of them before the next.
//!
//! Invariant: a run's values do not depend on which others share its batch. Laid out job by job with the runs as
//! columns, so that a table of a distribution is read while it is in the cache and the passes over the network are
//! loops over neighbouring numbers.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::plan::SLACK;
use super::Outcome;
use super::model::Model;

/// Runs of a batch: enough to read a table once for many draws; the columns of fifty jobs still fit a core's cache.
pub(super) const LANES: usize = 64;

/// One value for each run of a batch.
type Row = [f64; LANES];

/// Buffers of one batch.
pub(super) struct Batch<'m> {
    model: &'m Model<'m>,
    fresh: ChaCha8Rng,
    /// Uniform numbers, run by run.
    numbers: Vec<f64>,
    duration: Vec<Row>,
    start: Vec<Row>,
    finish: Vec<Row>,
    latest: Vec<Row>,
    total: Row,
    on_time: [bool; LANES],
    happened: Vec<[bool; LANES]>,
    met: Vec<[bool; LANES]>,
}

impl<'m> Batch<'m> {
    pub(super) fn new(model: &'m Model<'m>) -> Self {
        let jobs = model.steps.len();
        let rows = || vec![[0.0; LANES]; jobs];
        Self {
            fresh: ChaCha8Rng::seed_from_u64(model.plan.input.simulation.seed),
            numbers: vec![0.0; model.numbers() * LANES],
            duration: rows(),
            start: rows(),
            finish: rows(),
            latest: rows(),
            total: [0.0; LANES],
            on_time: [false; LANES],
            happened: vec![[false; LANES]; model.events.len()],
            met: vec![[true; LANES]; model.plan.milestones.len()],
            model,
        }
    }

    /// Plays `lanes` runs from number `first` on and adds them to the outcome.
    pub(super) fn play(&mut self, first: u64, lanes: usize, outcome: &mut Outcome) {
        // A plan without tasks and risks draws nothing; there are no chunks of length 0.
        let width = self.model.numbers().max(1);
        let columns = self.numbers.chunks_exact_mut(width).take(lanes);
        for (run, numbers) in (first..).zip(columns) {
            // A clone that has not drawn yet finds its stream without computing a block of another.
            let mut rng = self.fresh.clone();
            rng.set_stream(run);
            numbers.fill_with(|| rng.random());
        }
        self.draw(lanes);
        self.forward();
        self.judge(lanes, outcome);
        self.backward(lanes, outcome);
        self.check(lanes, outcome);
        let kept = self.model.keep.saturating_sub(super::length(first));
        for (column, durations) in outcome.durations.iter_mut().zip(&self.duration) {
            column[0].extend_from_slice(&durations[..kept.min(lanes)]);
        }
    }

    /// Durations with the delays of the risks that happen. Every number is drawn in every run, needed or not, so that
    /// a change elsewhere leaves it as it is.
    fn draw(&mut self, lanes: usize) {
        let model = self.model;
        let width = model.numbers();
        let column = |at: usize| self.numbers[at..].iter().step_by(width).take(lanes);
        for (v, (draw, step)) in model.draws.iter().zip(&model.steps).enumerate() {
            for (slot, &share) in self.duration[v].iter_mut().zip(column(v)) {
                *slot = draw.value(share) * step.scale;
            }
        }
        for (e, event) in model.events.iter().enumerate() {
            let at = model.draws.len() + 2 * e;
            let mut delay = [0.0; LANES];
            let pairs = column(at).zip(column(at + 1));
            for ((slot, happened), (&chance, &share)) in
                delay.iter_mut().zip(&mut self.happened[e]).zip(pairs)
            {
                *happened = chance < event.probability;
                *slot = if *happened {
                    event.delay.value(share)
                } else {
                    0.0
                };
            }
            for &v in &event.affects {
                for (slot, by) in self.duration[v as usize].iter_mut().zip(&delay) {
                    *slot += by;
                }
            }
        }
    }

    /// Starts and finishes, and when everything is finished.
    fn forward(&mut self) {
        self.total = [0.0; LANES];
        for &v in &self.model.plan.order {
            let v = v as usize;
            let mut start = [0.0; LANES];
            for &p in self.model.before.of(v) {
                for (slot, &finish) in start.iter_mut().zip(&self.finish[p as usize]) {
                    *slot = later(*slot, finish);
                }
            }
            let finish = &mut self.finish[v];
            for i in 0..LANES {
                finish[i] = start[i] + self.duration[v][i];
                self.total[i] = later(self.total[i], finish[i]);
            }
            self.start[v] = start;
        }
    }

    /// Whether each run is on time, and what that says of the risks that happened in it.
    fn judge(&mut self, lanes: usize, outcome: &mut Outcome) {
        for (on_time, &total) in self.on_time.iter_mut().zip(&self.total) {
            *on_time = total <= self.model.available || !self.model.open;
        }
        outcome.total.extend_from_slice(&self.total[..lanes]);
        outcome.on_time += count(self.on_time[..lanes].iter().copied());
        for (count_of, happened) in outcome.happened.iter_mut().zip(&self.happened) {
            let both = happened.iter().zip(&self.on_time).take(lanes);
            count_of.0 += count(happened[..lanes].iter().copied());
            count_of.1 += count(both.map(|(&happened, &on_time)| happened & on_time));
        }
    }

    /// Counts the open tasks without float against each run's own finish.
    fn backward(&mut self, lanes: usize, outcome: &mut Outcome) {
        let tolerance = self.total.map(|total| SLACK * (1.0 + total));
        for &v in self.model.plan.order.iter().rev() {
            let v = v as usize;
            let mut latest = self.total;
            for &c in self.model.after.of(v) {
                for (slot, &start) in latest.iter_mut().zip(&self.latest[c as usize]) {
                    *slot = if start < *slot { start } else { *slot };
                }
            }
            for (slot, &duration) in latest.iter_mut().zip(&self.duration[v]) {
                *slot -= duration;
            }
            self.latest[v] = latest;
            if self.model.steps[v].done {
                continue;
            }
            let start = &self.start[v];
            let critical = (0..lanes).map(|i| latest[i] - start[i] <= tolerance[i]);
            outcome.critical[v] += count(critical);
        }
    }

    /// Counts late tasks and met milestones.
    fn check(&mut self, lanes: usize, outcome: &mut Outcome) {
        self.met.fill([true; LANES]);
        for (v, (step, finish)) in self.model.steps.iter().zip(&self.finish).enumerate() {
            if !step.done {
                outcome.late[v] += count(finish[..lanes].iter().map(|&end| end > step.latest));
            }
            if let Some((m, end)) = step.due {
                for (met, &finish) in self.met[m].iter_mut().zip(finish) {
                    *met &= finish <= end;
                }
            }
        }
        for (met, all) in outcome.met.iter_mut().zip(&self.met) {
            *met += count(all[..lanes].iter().copied());
        }
    }
}

/// The greater of two numbers that are not NaN; one instruction, where `f64::max` must look for NaN.
fn later(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}

/// How many hold.
fn count(all: impl Iterator<Item = bool>) -> u64 {
    all.map(u64::from).sum()
}
