//! The critical path method on ordinals, with whole days: forward from `as_of`, backward from gates and target.
//!
//! EF = ES + d and LS = LF - d, so EF and LF are the first ordinal after the work; the last day worked is one less.
//! LF = min(LS of the open successors, gate, target). Total float = LS - ES, critical where it is not positive;
//! negative float is how many working days the task is already late. Finished tasks bind nothing.

use super::plan::Plan;

/// One task's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) es: i64,
    pub(super) ef: i64,
    pub(super) ls: i64,
    pub(super) lf: i64,
    pub(super) free_float: i64,
}

impl Slot {
    pub(super) fn total_float(self) -> i64 {
        self.ls - self.es
    }
}

/// The schedule of expected durations.
#[derive(Debug)]
pub(super) struct Schedule {
    /// One for each job.
    pub(super) slots: Vec<Slot>,
    /// The longest chain of open tasks.
    pub(super) critical_path: Vec<u32>,
    /// Working days it takes.
    pub(super) length: i64,
}

pub(super) fn schedule(plan: &Plan<'_>) -> Schedule {
    let days: Vec<i64> = plan.jobs.iter().map(super::plan::Job::days).collect();
    let mut slots = vec![
        Slot {
            es: 0,
            ef: 0,
            ls: 0,
            lf: 0,
            free_float: 0
        };
        days.len()
    ];
    for &v in &plan.order {
        let v = v as usize;
        let es = plan.jobs[v]
            .before
            .iter()
            .map(|&p| slots[p as usize].ef)
            .max()
            .unwrap_or(0);
        (slots[v].es, slots[v].ef) = (es, es + days[v]);
    }
    for &v in plan.order.iter().rev() {
        let v = v as usize;
        let job = &plan.jobs[v];
        let open = || {
            job.after
                .iter()
                .map(|&c| c as usize)
                .filter(|&c| !plan.jobs[c].done)
        };
        let bound = job.gate.unwrap_or(plan.available).min(plan.available);
        let lf = open().map(|c| slots[c].ls).fold(bound, i64::min);
        (slots[v].ls, slots[v].lf) = (lf - days[v], lf);
        slots[v].free_float = open().map(|c| slots[c].es).min().unwrap_or(lf) - slots[v].ef;
    }
    let length = slots.iter().map(|s| s.ef).max().unwrap_or(0);
    Schedule {
        critical_path: longest(plan, &slots, length),
        slots,
        length,
    }
}

/// Working days from the start that the optimistic durations need: no luck makes the plan shorter.
pub(super) fn shortest(plan: &Plan<'_>) -> f64 {
    let mut finish = vec![0.0_f64; plan.jobs.len()];
    for &v in &plan.order {
        let job = &plan.jobs[v as usize];
        let start = job
            .before
            .iter()
            .map(|&p| finish[p as usize])
            .fold(0.0, f64::max);
        finish[v as usize] = start + job.task.duration.optimistic * job.scale;
    }
    finish.into_iter().fold(0.0, f64::max)
}

/// Walks back from the task that ends last; the first id wins a tie.
fn longest(plan: &Plan<'_>, slots: &[Slot], length: i64) -> Vec<u32> {
    let is_open = |v: &usize| !plan.jobs[*v].done;
    let mut path = Vec::new();
    let mut next = (0..slots.len())
        .filter(is_open)
        .find(|&v| slots[v].ef == length);
    while let Some(v) = next {
        path.push(crate::number::small(v));
        let parents = plan.jobs[v]
            .before
            .iter()
            .map(|&p| p as usize)
            .filter(is_open);
        next = parents.filter(|&p| slots[p].ef == slots[v].es).min();
    }
    path.reverse();
    path
}
