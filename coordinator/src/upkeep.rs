//! What time brings: due tasks, lapsed leases, expiry, retention, and slips
//! that are believed lost.
//!
//! Invariant: idempotent and cheap; every replica does all of it. A slip is
//! published again only while the broker holds fewer than the store believes
//! (or after ten minutes, unless the broker holds many times as many): a gated
//! fleet must not be flooded with copies.

use std::{sync::Arc, time::Duration};

use metrics::counter;
use shared::{
    model::Route,
    store::{
        self,
        verbs::{Overdue, Requeue, Sweep, Swept},
    },
};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::app::App;

/// Between two sweeps, give or take a fifth. What became due since the last
/// one (the retry of a run that a worker reported) is late by no more, so that
/// short retry delays still grow as configured.
const EVERY: Duration = Duration::from_millis(200);
/// The nearest a due task moves a sweep: a storm of due times stays a few
/// sweeps a second.
const SOONEST: Duration = Duration::from_millis(10);
/// While the store is away.
const AWAY: Duration = Duration::from_secs(2);
/// Of each kind in one sweep: a transaction of some milliseconds.
const LIMIT: u32 = 500;
/// Lapses while alone after which a task fails.
const LAPSE_CAP: u32 = 5;
/// Overdue for so long, a slip is published again although the broker holds as
/// many as it should: some of those may be copies, or of tasks that ended.
const DESPITE_DEPTH: Duration = Duration::from_mins(10);
/// But not while the broker holds so many times as many: without workers the
/// copies of copies would fill it. A fleet that works drains them in a moment.
const MOST_COPIES: u64 = 8;
/// How long the broker may take to say all depths of a sweep. A broker that
/// hangs, or is slow with many routes, must not hold up the sweep for as long as
/// an outage: then no lease would ever lapse.
const DEPTH_PATIENCE: Duration = Duration::from_secs(2);
/// More than a route can hold: its window is far smaller.
const ALL: u32 = 100_000;

/// A duration give or take a fifth, so that replicas do not march in step.
pub(crate) fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(rand::random_range(0.8..1.2))
}

/// Sweeps for ever.
pub(crate) async fn run(app: Arc<App>) {
    let mut away = false;
    loop {
        let wait = match sweep(&app).await {
            Ok(swept) => {
                if away {
                    info!("the store answers again");
                }
                away = false;
                pause(&swept, app.options.renew)
            }
            Err(error) => {
                if !away {
                    warn!(%error, "the store does not answer; work that runs goes on");
                }
                away = true;
                jittered(AWAY)
            }
        };
        app.vitals.store_answered(!away);
        tokio::select! {
            () = app.bells.upkeep.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

fn pause(swept: &Swept, renew: Duration) -> Duration {
    if swept.more {
        // Not at once: slips that stay overdue in a full fleet are "more" too.
        return SOONEST;
    }
    // A gap longer than a renew interval counts as an outage: stay well below it.
    let regular = jittered(EVERY.min(renew / 3));
    swept
        .next_due
        .map_or(regular, |due| due.max(SOONEST).min(regular))
}

async fn sweep(app: &App) -> store::Result<Swept> {
    let options = &app.options;
    let swept = app
        .store
        .sweep(Sweep {
            outage_after: options.renew,
            lease: options.lease,
            lapse_cap: LAPSE_CAP,
            retention: options.retention,
            limit: LIMIT,
        })
        .await?;
    tell(&swept);
    if swept.due + swept.takes_lapsed + swept.leases_lapsed > 0 {
        app.bells.ready.notify_one();
    }
    // Another one first each time: a slow broker must not hide the last ones.
    let first = rand::random_range(0..swept.overdue.len().max(1));
    let (later, sooner) = swept.overdue.split_at(first);
    let deadline = Instant::now() + DEPTH_PATIENCE;
    for overdue in sooner.iter().chain(later) {
        let depth = in_time(deadline, app.broker.depth(&overdue.route)).await;
        republish(app, overdue, depth).await?;
    }
    Ok(swept)
}

/// What the broker says, if it says it by then. Past the deadline only what it
/// knows at once.
async fn in_time<T, E>(deadline: Instant, answer: impl Future<Output = Result<T, E>>) -> Option<T> {
    let answer = tokio::time::timeout_at(deadline, answer).await;
    answer.ok().and_then(Result::ok)
}

fn tell(swept: &Swept) {
    let lost = u64::from(swept.leases_lapsed) + u64::from(swept.workers_lost);
    counter!("zerogate_files_expired_total").increment(swept.files_expired.into());
    if swept.outage {
        warn!("leases could not be renewed for a while; all are extended once");
    }
    if lost > 0 {
        warn!(
            lapsed = swept.leases_lapsed,
            failed = swept.workers_lost,
            "leases ran out"
        );
    }
    if swept.takes_lapsed > 0 {
        warn!(
            tasks = swept.takes_lapsed,
            "tasks were taken and not published; they are ready again"
        );
    }
}

/// Makes overdue tasks of a route ready again, as many as are missing.
async fn republish(app: &App, overdue: &Overdue, depth: Option<u64>) -> store::Result<()> {
    let route = &overdue.route;
    // A broker that cannot say has lost nothing yet: wait for it.
    let missing = depth.map_or(0, |depth| missing_tasks(overdue, depth));
    let despite = if is_flooded(overdue, depth) { 0 } else { LIMIT };
    let mut again = 0;
    for (limit, overdue_by) in [(missing, Duration::ZERO), (despite, DESPITE_DEPTH)] {
        if limit > 0 {
            again += requeue(app, route, limit, Some(overdue_by)).await?;
        }
    }
    if again > 0 {
        info!(%route, tasks = again, depth, believed = overdue.slips, "slips are published again");
    }
    Ok(())
}

/// Whether the broker holds so many slips that further copies help nobody.
fn is_flooded(overdue: &Overdue, depth: Option<u64>) -> bool {
    let most = u64::from(overdue.slips) * MOST_COPIES;
    depth.is_some_and(|depth| depth >= most)
}

/// How many overdue tasks' slips are missing from the broker: the share of the
/// believed slips that it does not hold.
fn missing_tasks(overdue: &Overdue, depth: u64) -> u32 {
    let believed = u64::from(overdue.slips);
    let missing = believed.saturating_sub(depth);
    if missing == 0 {
        return 0;
    }
    let share = (missing * u64::from(overdue.tasks)).div_ceil(believed);
    u32::try_from(share.max(missing)).map_or(overdue.tasks, |share| share.min(overdue.tasks))
}

async fn requeue(
    app: &App,
    route: &Route,
    limit: u32,
    overdue_by: Option<Duration>,
) -> store::Result<u32> {
    let again = app
        .store
        .requeue(Requeue {
            route: route.clone(),
            limit,
            overdue_by,
        })
        .await?;
    if again > 0 {
        app.bells.ready.notify_one();
    }
    Ok(again)
}

/// After every new connection to the broker: whatever was queued on a route
/// whose queue is empty now is published again, without waiting for its
/// deadline. A queue that holds something is left to the deadlines, which pass
/// within `republish_after` (15 s): slips are persistent, so a broker that kept
/// a queue kept what it had confirmed there, and what a wiped one holds was
/// published since. How much of that is missing only the sweep can tell,
/// against what the store believes unclaimed; taking everything back here would
/// put a copy of every slip that is still there into the broker.
pub(crate) async fn watch_epochs(app: Arc<App>) {
    let mut seen = 0;
    loop {
        seen = app.broker.epoch_after(seen).await;
        while let Err(error) = refill(&app).await {
            warn!(%error, "cannot check the broker's queues yet");
            tokio::time::sleep(jittered(AWAY)).await;
        }
    }
}

async fn refill(app: &App) -> store::Result<()> {
    let totals = app.store.totals().await?;
    let waiting = totals.by_route.into_iter().filter(|(_, n)| n.pending > 0);
    for ((workflow_type, priority), _) in waiting {
        let route = Route::new(workflow_type, priority);
        let deadline = Instant::now() + DEPTH_PATIENCE;
        if in_time(deadline, app.broker.depth(&route)).await == Some(0) {
            let again = requeue(app, &route, ALL, None).await?;
            if again > 0 {
                info!(%route, tasks = again, "the queue is empty after a reconnection; publishing again");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::model::Priority;

    fn overdue(tasks: u32, slips: u32) -> Overdue {
        Overdue {
            route: Route::new("t".parse().unwrap(), Priority::Low),
            tasks,
            slips,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_answers_share_one_deadline() {
        let begun = Instant::now();
        let deadline = begun + DEPTH_PATIENCE;
        let slow = async |n: u64| {
            tokio::time::sleep(DEPTH_PATIENCE * 2 / 5).await;
            Ok::<_, ()>(n)
        };
        let mut heard = Vec::new();
        for n in 0..50 {
            heard.extend(in_time(deadline, slow(n)).await);
        }
        assert_eq!(heard, [0, 1]);
        // The timer's own grain comes on top.
        assert!(begun.elapsed() < DEPTH_PATIENCE + Duration::from_millis(100));
    }

    #[test]
    fn only_what_the_broker_does_not_hold_is_published_again() {
        assert_eq!(missing_tasks(&overdue(10, 10), 10), 0);
        assert_eq!(missing_tasks(&overdue(10, 10), 12), 0);
        assert_eq!(missing_tasks(&overdue(10, 10), 7), 3);
        assert_eq!(missing_tasks(&overdue(10, 10), 0), 10);
        assert_eq!(missing_tasks(&overdue(64, 2), 1), 32, "bundles");
        assert_eq!(missing_tasks(&overdue(2, 10), 0), 2);
        assert_eq!(missing_tasks(&overdue(5, 0), 0), 0);
    }

    #[test]
    fn copies_of_copies_do_not_fill_the_broker() {
        assert!(!is_flooded(&overdue(10, 10), None));
        assert!(!is_flooded(&overdue(10, 10), Some(79)));
        assert!(is_flooded(&overdue(10, 10), Some(80)));
        assert!(!is_flooded(&overdue(64, 2), Some(2)), "bundles");
    }

    #[tokio::test(start_paused = true)]
    async fn a_broker_that_hangs_does_not_hold_up_the_sweep() {
        let asked = tokio::time::Instant::now();
        let never = std::future::pending::<Result<u64, ()>>();
        let deadline = Instant::now() + DEPTH_PATIENCE;
        assert_eq!(in_time(deadline, never).await, None);
        assert!(asked.elapsed() < crate::Options::new(([127, 0, 0, 1], 0).into()).renew);
        assert_eq!(in_time(deadline, async { Ok::<_, ()>(3) }).await, Some(3));
    }

    #[test]
    fn a_due_task_hastens_the_sweep_and_more_work_makes_it_soon() {
        let soon = Swept {
            next_due: Some(Duration::from_millis(120)),
            ..Swept::default()
        };
        let renew = Duration::from_secs(5);
        assert_eq!(pause(&soon, renew), Duration::from_millis(120));
        let more = Swept { more: true, ..soon };
        assert_eq!(pause(&more, renew), SOONEST);
        assert!(pause(&Swept::default(), renew) >= EVERY.mul_f64(0.8));
        let brisk = Duration::from_millis(300);
        assert!(
            pause(&Swept::default(), brisk) < brisk / 2,
            "well below an outage"
        );
    }
}
