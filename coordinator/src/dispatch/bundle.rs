//! Which tasks travel on one slip.
//!
//! Invariant: pure. A slip holds tasks of one tenant and one route, in the
//! order in which they were taken; what is large, unknown or suspect travels
//! alone; no worker that is free now goes without work because another one
//! got a bundle.

use std::{collections::HashMap, time::Duration};

use shared::{
    model::{Route, TenantId, TypeName},
    store::verbs::TakenTask,
    wire::{Slip, Ticket},
};

/// The most tickets of one slip: past this the cost per ticket of claim and
/// finish no longer falls.
pub(super) const MAX_TICKETS: usize = 32;

/// Groups taken tasks into slips, in the order of each slip's first task.
/// `target` is the expected work that may travel together; `free` says how
/// many slots wait for a type now.
pub(super) fn bundle(
    tasks: Vec<TakenTask>,
    target: Duration,
    free: impl Fn(&TypeName) -> u32,
) -> Vec<Slip> {
    let caps = caps(&tasks, target, free);
    let mut slips: Vec<Slip> = Vec::new();
    let mut open: HashMap<(TenantId, Route), Open> = HashMap::new();
    for task in tasks {
        let run = tiny(&task, target);
        let key = (task.tenant.clone(), task.route.clone());
        let cap = caps.get(&key).copied().unwrap_or(1);
        let ticket = ticket(&task);
        if let Some(run) = run {
            if let Some(open) = open.get_mut(&key)
                && open.work + run <= target
                && slips[open.slip].tickets.len() < cap
            {
                open.work += run;
                slips[open.slip].tickets.push(ticket);
                continue;
            }
            let slip = slips.len();
            open.insert(key, Open { slip, work: run });
        }
        slips.push(Slip {
            tenant: task.tenant,
            route: task.route,
            tickets: vec![ticket],
        });
    }
    slips
}

struct Open {
    slip: usize,
    work: Duration,
}

/// How many tickets a slip of each group may hold, so that the group spreads
/// over the free slots.
fn caps(
    tasks: &[TakenTask],
    target: Duration,
    free: impl Fn(&TypeName) -> u32,
) -> HashMap<(TenantId, Route), usize> {
    let mut counts: HashMap<(TenantId, Route), usize> = HashMap::new();
    for task in tasks.iter().filter(|task| tiny(task, target).is_some()) {
        *counts
            .entry((task.tenant.clone(), task.route.clone()))
            .or_default() += 1;
    }
    for ((_, route), count) in &mut counts {
        let slots = free(&route.workflow_type).max(1) as usize;
        *count = count.div_ceil(slots).clamp(1, MAX_TICKETS);
    }
    counts
}

/// The expected run of a task that may share a slip.
fn tiny(task: &TakenTask, target: Duration) -> Option<Duration> {
    task.expected_run
        .filter(|run| !task.solo && *run * 2 <= target)
}

fn ticket(task: &TakenTask) -> Ticket {
    let own = task.correlation_id != task.id.to_string();
    Ticket {
        task: task.id,
        attempt: task.attempt,
        size_bucket: Ticket::bucket_of(task.input_bytes),
        estimate_us: task
            .expected_run
            .map(|run| u64::try_from(run.as_micros()).unwrap_or(u64::MAX)),
        correlation_id: own.then(|| task.correlation_id.clone()),
        traceparent: task.traceparent.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::model::{Priority, TaskId};

    const TARGET: Duration = Duration::from_millis(20);

    fn task(n: u8, run_us: Option<u64>) -> TakenTask {
        let id = TaskId::from_bytes([n; 16]);
        TakenTask {
            id,
            tenant: TenantId::default(),
            route: Route::new("t".parse().unwrap(), Priority::Medium),
            attempt: 1,
            input_bytes: 100,
            solo: false,
            expected_run: run_us.map(Duration::from_micros),
            correlation_id: id.to_string(),
            traceparent: None,
        }
    }

    fn sizes(slips: &[Slip]) -> Vec<usize> {
        slips.iter().map(|slip| slip.tickets.len()).collect()
    }

    #[test]
    fn tiny_tasks_share_slips_up_to_the_cap() {
        let tasks = (0..100).map(|n| task(n, Some(50))).collect();
        let slips = bundle(tasks, TARGET, |_| 2);
        assert_eq!(sizes(&slips), [32, 32, 32, 4]);
        let order: Vec<u8> = slips
            .iter()
            .flat_map(|slip| slip.tickets.iter().map(|t| t.task.as_bytes()[0]))
            .collect();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
        assert!(slips[0].tickets[0].correlation_id.is_none());
    }

    #[test]
    fn few_tasks_spread_over_the_free_slots() {
        let tasks = (0..10).map(|n| task(n, Some(50))).collect();
        assert_eq!(sizes(&bundle(tasks, TARGET, |_| 4)), [3, 3, 3, 1]);
        let tasks = (0..4).map(|n| task(n, Some(50))).collect();
        assert_eq!(sizes(&bundle(tasks, TARGET, |_| 16)), [1, 1, 1, 1]);
    }

    #[test]
    fn expected_work_bounds_a_slip() {
        let tasks = (0..6).map(|n| task(n, Some(6_000))).collect();
        assert_eq!(sizes(&bundle(tasks, TARGET, |_| 1)), [3, 3]);
    }

    #[test]
    fn the_large_the_unknown_and_the_suspect_travel_alone() {
        let mut suspect = task(3, Some(50));
        suspect.solo = true;
        let tasks = vec![
            task(0, Some(50)),
            task(1, None),
            task(2, Some(1_000_000)),
            suspect,
            task(4, Some(50)),
        ];
        let slips = bundle(tasks, TARGET, |_| 1);
        assert_eq!(sizes(&slips), [2, 1, 1, 1]);
        assert_eq!(slips[0].tickets[1].task.as_bytes()[0], 4);
    }

    #[test]
    fn a_target_of_zero_bundles_nothing() {
        let tasks = (0..5).map(|n| task(n, Some(1))).collect();
        assert_eq!(sizes(&bundle(tasks, Duration::ZERO, |_| 1)), [1; 5]);
    }

    #[test]
    fn tenants_and_routes_never_mix() {
        let mut other = task(1, Some(50));
        other.tenant = "other".parse().unwrap();
        let mut urgent = task(2, Some(50));
        urgent.route.priority = Priority::High;
        let slips = bundle(vec![task(0, Some(50)), other, urgent], TARGET, |_| 1);
        assert_eq!(sizes(&slips), [1, 1, 1]);
    }
}
