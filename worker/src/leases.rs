//! Keeps what runs alive: renews leases, carries progress, and learns what is
//! to be stopped.
//!
//! Invariant: a lease is in the table from its grant until its report is
//! committed or given up, and no longer. A refused renewal stops the run.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use shared::{
    model::{AttemptToken, Progress, TaskId},
    store::{
        Error,
        verbs::{Renew, Renewal, RunRef},
    },
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use tracing::{debug, warn};

use crate::{
    handler::{Tether, Why},
    service::Core,
};

/// How often leases are looked at, so that progress shows about once a second.
/// A look without news is one pass over a small table.
const LOOK: Duration = Duration::from_secs(1);

/// The leases of this worker.
#[derive(Debug)]
pub(crate) struct Leases {
    held: Mutex<HashMap<AttemptToken, Arc<Lease>>>,
    began: Instant,
    /// Something is to be renewed at once.
    hurry: Notify,
}

#[derive(Debug)]
struct Lease {
    run: RunRef,
    tether: Arc<Tether>,
    /// When it was granted or renewed last, in milliseconds since `began`.
    renewed: AtomicU64,
}

/// A lease in use; dropping it takes it off the table.
#[derive(Debug)]
pub(crate) struct Held {
    lease: Arc<Lease>,
    table: Arc<Leases>,
}

impl Held {
    pub(crate) fn run(&self) -> RunRef {
        self.lease.run.clone()
    }

    pub(crate) fn tether(&self) -> &Arc<Tether> {
        &self.lease.tether
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.table.locked().remove(&self.lease.run.token);
    }
}

impl Leases {
    pub(crate) fn new() -> Self {
        Self {
            held: Mutex::default(),
            began: Instant::now(),
            hurry: Notify::new(),
        }
    }

    /// Holds a lease that was granted at `asked` or later: when a claim was
    /// asked for several times, nobody knows which of them the store heard.
    pub(crate) fn hold(self: &Arc<Self>, run: RunRef, asked: Instant) -> Held {
        let token = run.token;
        let lease = Arc::new(Lease {
            run,
            tether: Arc::default(),
            renewed: AtomicU64::new(self.at(asked)),
        });
        if asked.elapsed() >= LOOK {
            self.hurry.notify_one();
        }
        self.locked().insert(token, Arc::clone(&lease));
        Held {
            lease,
            table: Arc::clone(self),
        }
    }

    /// The tasks that run now.
    pub(crate) fn tasks(&self) -> Vec<TaskId> {
        self.locked().values().map(|lease| lease.run.task).collect()
    }

    /// Asks every run to stop.
    pub(crate) fn stop_all(&self, why: Why) {
        for lease in self.all() {
            lease.tether.ask_to_stop(why);
        }
    }

    /// Someone says that these tasks are to be stopped. Their renewal tells
    /// whether that means our runs of them.
    pub(crate) fn doubt(&self, tasks: &[TaskId]) {
        let asked: HashSet<_> = tasks.iter().collect();
        let mut ours = false;
        for lease in self.all() {
            if asked.contains(&lease.run.task) {
                lease.renewed.store(0, Ordering::Relaxed);
                ours = true;
            }
        }
        if ours {
            self.hurry.notify_one();
        }
    }

    /// News was lost: renew everything at once.
    pub(crate) fn doubt_all(&self) {
        for lease in self.all() {
            lease.renewed.store(0, Ordering::Relaxed);
        }
        self.hurry.notify_one();
    }

    /// Those that are due for renewal, or have progress to tell; and when each
    /// was renewed last.
    fn due(&self, every: Duration) -> Vec<(Arc<Lease>, u64)> {
        let now = self.now();
        let every = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
        let due = |lease: &Arc<Lease>| {
            let renewed = lease.renewed.load(Ordering::Relaxed);
            let old = renewed == 0 || renewed + every <= now;
            (old || lease.tether.has_progress()).then(|| (Arc::clone(lease), renewed))
        };
        self.locked().values().filter_map(due).collect()
    }

    fn all(&self) -> Vec<Arc<Lease>> {
        self.locked().values().cloned().collect()
    }

    fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    /// Milliseconds since this table began, at least 1: 0 means "in doubt".
    fn at(&self, time: Instant) -> u64 {
        u64::try_from(time.saturating_duration_since(self.began).as_millis())
            .unwrap_or(u64::MAX)
            .max(1)
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<AttemptToken, Arc<Lease>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renews until dropped.
pub(crate) async fn renew(core: &Core) {
    let look = LOOK.min(core.options.renew);
    // One look early, so that no lease waits for longer than asked.
    let every = core.options.renew.saturating_sub(look / 2);
    loop {
        tokio::select! {
            () = core.leases.hurry.notified() => {}
            () = sleep(look) => {}
        }
        let due = core.leases.due(every);
        if !due.is_empty() {
            renew_these(core, &due).await;
        }
    }
}

async fn renew_these(core: &Core, due: &[(Arc<Lease>, u64)]) {
    let runs: Vec<(RunRef, Option<Progress>)> = due
        .iter()
        .map(|(lease, _)| (lease.run.clone(), lease.tether.take_progress()))
        .collect();
    let lease = core.options.lease;
    // Counted from before the question: the store's clock started no earlier.
    let asked = core.leases.now();
    let told: Vec<_> = runs.iter().map(|(_, progress)| progress.clone()).collect();
    match core.store.renew(Renew { lease, runs }).await {
        Ok(answers) => {
            core.conditions.store(true);
            for ((lease, before), answer) in due.iter().zip(answers) {
                // A doubt that arose meanwhile stands.
                let order = Ordering::Relaxed;
                lease
                    .renewed
                    .compare_exchange(*before, asked, order, order)
                    .ok();
                obey(core, lease, answer);
            }
        }
        Err(error) => {
            if matches!(error, Error::Unavailable(_)) {
                core.conditions.store(false);
            }
            for ((lease, _), progress) in due.iter().zip(told) {
                if let Some(progress) = progress {
                    lease.tether.keep_progress(progress);
                }
            }
            debug!(%error, leases = due.len(), "the leases could not be renewed; trying again");
        }
    }
}

fn obey(core: &Core, lease: &Lease, answer: Renewal) {
    match answer {
        Renewal::CancelAsked => lease.tether.ask_to_stop(Why::Cancelled),
        // A report that was committed meanwhile took it off the table.
        Renewal::Refused if core.leases.locked().contains_key(&lease.run.token) => {
            warn!(task_id = %lease.run.task, "the lease is gone; the run is stopped");
            lease.tether.ask_to_stop(Why::Refused);
        }
        Renewal::Kept | Renewal::Refused => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::model::Nonce;

    fn run(n: u8) -> RunRef {
        RunRef {
            task: TaskId::from_bytes([n; 16]),
            token: Nonce::from_bits(u128::from(n)),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_due_by_age_by_progress_and_by_doubt() {
        let table = Arc::new(Leases::new());
        let began = Instant::now();
        let (old, told) = (table.hold(run(1), began), table.hold(run(2), began));
        let every = Duration::from_secs(5);
        assert!(table.due(every).is_empty());
        crate::handler::Control::new(Arc::clone(told.tether())).progress(0.5, "half");
        assert_eq!(table.due(every).len(), 1);
        assert!(told.tether().take_progress().is_some());
        table.doubt(&[old.run().task]);
        assert_eq!(table.due(every)[0].0.run, old.run());
        tokio::time::advance(every + Duration::from_millis(1)).await;
        assert_eq!(table.due(every).len(), 2);
        drop(old);
        assert_eq!(table.tasks(), [told.run().task]);
    }
    #[tokio::test(start_paused = true)]
    async fn a_lease_that_may_be_old_is_renewed_at_once() {
        let table = Arc::new(Leases::new());
        let asked = Instant::now();
        tokio::time::advance(Duration::from_secs(18)).await;
        let _late = table.hold(run(1), asked);
        let hurried = tokio::time::timeout(Duration::from_millis(1), table.hurry.notified());
        assert!(hurried.await.is_ok(), "nobody waits for the next look");
        assert_eq!(table.due(Duration::from_secs(5)).len(), 1);
    }
}
