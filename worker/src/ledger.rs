//! Carries claims and reports to the store, and asks again until it answers.
//!
//! Invariant: every question is asked again under the same tokens, so that a
//! lost answer changes nothing. A report is given up only when the worker
//! ends: as long as the store is away, nobody can take the lease from us.

use std::{future::Future, sync::Arc, time::Duration};

use shared::{
    lifecycle::Tasks,
    model::WorkerId,
    store::{
        Store,
        large::LARGE,
        verbs::{
            Claim, ClaimTicket, Claimed, Finish, Finished, Granted, Outcome, Release, Report,
            RunRef,
        },
    },
};
use tokio::time::{Instant, sleep};
use tracing::{debug, error};

use crate::{
    batch::{Batcher, Failure},
    conditions::Conditions,
    fetch::Board,
};

/// The first and the longest pause before a question is asked again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How many leases long a claim without an answer is asked again. After that
/// the slip is given back: another claim finds out what became of this one.
const CLAIM_PATIENCE: u32 = 4;

/// The worker's calls to the store that decide about tasks.
#[derive(Debug)]
pub(crate) struct Ledger {
    store: Arc<dyn Store>,
    claims: Batcher<ClaimTicket, Claimed>,
    reports: Batcher<Report, Finished>,
    claim_patience: Duration,
}

/// Who learns what the store's answers say beside the answer.
pub(crate) struct Listeners {
    pub(crate) board: Arc<Board>,
    pub(crate) conditions: Arc<Conditions>,
}

impl Ledger {
    /// Starts the batching loops. They end with the ledger.
    pub(crate) fn start(
        tasks: &Tasks,
        store: Arc<dyn Store>,
        worker: &WorkerId,
        lease: Duration,
        listeners: Listeners,
    ) -> Self {
        let listeners = Arc::new(listeners);
        let (claims_to, claims_heard) = (Arc::clone(&store), Arc::clone(&listeners));
        let worker = worker.clone();
        let claims = Batcher::start(tasks, "claims", move |tickets| {
            let (store, heard) = (Arc::clone(&claims_to), Arc::clone(&claims_heard));
            let worker = worker.clone();
            async move {
                let claim = Claim {
                    worker,
                    lease,
                    tickets,
                };
                let reply = heard.hear(store.claim(claim).await)?;
                heard.board.hint(&reply.hint);
                Ok(reply.outcomes)
            }
        });
        let reports_to = Arc::clone(&store);
        let reports = Batcher::start(tasks, "reports", move |reports| {
            let (store, heard) = (Arc::clone(&reports_to), Arc::clone(&listeners));
            async move {
                let reply = heard.hear(store.finish(Finish { reports }).await)?;
                heard.board.hint(&reply.hint);
                Ok(reply.outcomes)
            }
        });
        Self {
            store,
            claims,
            reports,
            claim_patience: lease * CLAIM_PATIENCE,
        }
    }

    /// Claims these tickets; `None` if the store gave no answer in time. The
    /// leases may then exist, and lapse.
    pub(crate) async fn claim(&self, tickets: Vec<ClaimTicket>) -> Option<Vec<Claimed>> {
        let until = Instant::now() + self.claim_patience;
        insist("claim", Some(until), || {
            self.claims.call(tickets.clone(), 0)
        })
        .await
    }

    /// Commits these reports; `None` only if the store refuses to serve.
    pub(crate) async fn finish(&self, reports: Vec<Report>) -> Option<Vec<Finished>> {
        let reports = self.deposit(reports).await?;
        let bytes = reports.iter().map(weight).sum();
        insist("finish", None, || self.reports.call(reports.clone(), bytes)).await
    }

    /// Brings the large texts of a grant here; `None` only if the store refuses
    /// to serve.
    pub(crate) async fn recall(&self, granted: &Granted) -> Option<Box<Granted>> {
        insist("recall", None, || async {
            Ok(self.store.recall(Box::new(granted.clone())).await?)
        })
        .await
    }

    /// Puts large results where they belong, each apart from everybody's
    /// reports.
    async fn deposit(&self, mut reports: Vec<Report>) -> Option<Vec<Report>> {
        for report in &mut reports {
            if weight(report) > LARGE {
                *report = insist("deposit", None, || async {
                    Ok(self.store.deposit(report.clone()).await?)
                })
                .await?;
            }
        }
        Some(reports)
    }

    /// Gives these runs back; which of them held still. `None` only if the
    /// store refuses to serve: the leases then lapse.
    pub(crate) async fn release(&self, runs: Vec<RunRef>) -> Option<Vec<bool>> {
        insist("release", None, || async {
            let runs = runs.clone();
            Ok(self.store.release(Release { runs }).await?)
        })
        .await
    }
}

impl Listeners {
    fn hear<T>(&self, answer: shared::store::Result<T>) -> Result<T, Failure> {
        let away = matches!(&answer, Err(shared::store::Error::Unavailable(_)));
        self.conditions.store(!away);
        answer.map_err(Failure::from)
    }
}

/// Asks until there is an answer, or a failure that would stay.
async fn insist<T, F>(verb: &'static str, until: Option<Instant>, ask: impl Fn() -> F) -> Option<T>
where
    F: Future<Output = Result<T, Failure>>,
{
    let (mut pause, longest) = PAUSES;
    loop {
        match ask().await {
            Ok(answer) => return Some(answer),
            Err(failure) if failure.transient => {
                debug!(verb, %failure, "no answer from the store; asking again");
            }
            Err(failure) => {
                error!(verb, %failure, "the store refuses; its leases will lapse");
                return None;
            }
        }
        if until.is_some_and(|until| Instant::now() >= until) {
            return None;
        }
        sleep(pause.mul_f64(0.5 + 0.5 * rand::random::<f64>())).await;
        pause = (pause * 2).min(longest);
    }
}

fn weight(report: &Report) -> usize {
    match &report.outcome {
        Outcome::Completed(result) => result.len(),
        Outcome::Failed { error, .. } => error.message.len(),
        Outcome::Cancelled => 0,
    }
}
