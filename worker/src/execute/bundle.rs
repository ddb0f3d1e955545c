//! The tickets of one slip, one after another, under one permit; a slip with
//! one ticket is a bundle of one.
//!
//! Invariant: every run of the slip is reported, given back, or known to be
//! lost before this returns. A finished ticket waits for its siblings no
//! longer than the report patience; an unstarted one waits no longer than the
//! bundle patience.

use std::{
    collections::VecDeque,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use shared::{
    fault::{self, Point},
    model::{ErrorCode, TaskError, TenantId, TypeName},
    store::verbs::{Finished, Outcome, Report},
};
use tokio::time::{Instant, sleep_until};
use tracing::{Instrument, Span, debug, field, warn};

use super::{
    Ready, attempt,
    classify::{Ended, Policy, Verdict, classify},
    handler,
};
use crate::{
    gate::Spent,
    handler::{Tether, Why},
    isolation::Usage,
    leases::Held,
    service::Core,
};

/// A run that ended, its report not yet committed.
struct Done {
    report: Report,
    trace: Trace,
}

/// What is still to be said about a run when its report is committed.
struct Trace {
    /// Kept until then, so that the lease is renewed meanwhile.
    _held: Held,
    span: Span,
    ran_for: Duration,
    /// What it cost, where that is known exactly.
    usage: Option<Usage>,
    /// Why it failed, if it did.
    error: Option<TaskError>,
}

/// What a bundle cost its worker.
#[derive(Debug, Default)]
pub(super) struct Cost {
    pub(super) spent: Spent,
    /// Runs that were given up and whose threads go on.
    pub(super) abandoned: Vec<Arc<Tether>>,
}

/// A bundle at work.
struct Bundle<'a> {
    core: &'a Core,
    workflow_type: &'a TypeName,
    pace: Pace,
    waiting: VecDeque<Ready>,
    done: Vec<Done>,
    cost: Cost,
    /// Reports and releases under way while a slow ticket runs.
    under_way: FuturesUnordered<Pin<Box<dyn Future<Output = ()> + Send + 'a>>>,
}

/// Runs the tickets and settles them all; says what they cost.
pub(super) async fn run(core: &Core, workflow_type: &TypeName, runs: Vec<Ready>) -> Cost {
    let mut bundle = Bundle {
        core,
        workflow_type,
        pace: Pace::new(core, Instant::now()),
        waiting: runs.into(),
        done: Vec::new(),
        cost: Cost::default(),
        under_way: FuturesUnordered::new(),
    };
    while let Some(next) = bundle.next_to_start() {
        if !bundle.execute(next).await {
            break;
        }
    }
    bundle.give_back_waiting();
    bundle.report();
    while bundle.under_way.next().await.is_some() {}
    bundle.cost
}

impl Bundle<'_> {
    /// The next ticket, unless the rest is to be given back.
    fn next_to_start(&mut self) -> Option<Ready> {
        let started_some = !self.done.is_empty() || !self.under_way.is_empty();
        if self.core.hurrying.is_cancelled() {
            return None;
        }
        let tired = started_some && self.pace.is_over(Instant::now());
        if tired || (started_some && !self.core.conditions.mode().starts_work()) {
            return None;
        }
        self.waiting.pop_front()
    }

    /// Runs one ticket; `false` if the rest is not to be started.
    async fn execute(&mut self, next: Ready) -> bool {
        let core = self.core;
        let Ready {
            granted,
            held,
            span,
        } = next;
        let started = Instant::now();
        let tether = Arc::clone(held.tether());
        let ended = match (handler(core, &granted.spec.workflow_type), tether.why()) {
            (_, Some(_)) => Ended::Left,
            (None, None) => Ended::Unusable(unknown_type(&granted.spec.workflow_type)),
            (Some(entry), None) => {
                let work = attempt::attempt(core, entry, &granted, &tether);
                self.meanwhile(pin!(work.instrument(span.clone()))).await
            }
        };
        fault::pass(Point::WorkerRan).await;
        let policy = Policy {
            retry: &granted.spec.retry,
            failures: granted.failures,
            timeout_ms: granted.spec.timeout_ms,
            unit: rand::random(),
        };
        let ran_for = started.elapsed();
        match classify(ended, tether.why(), &policy) {
            Verdict::Report(outcome) => {
                self.cost.spent.add(&spent(&tether, &outcome, ran_for));
                self.pace.finished_one(Instant::now());
                let tenant = granted.spec.tenant;
                self.done
                    .push(Done::new(held, tenant, outcome, ran_for, span));
            }
            Verdict::GiveBack => self.give_back(vec![held]),
            Verdict::Nothing => {
                debug!(parent: &span, "the run's lease is gone; nothing is reported");
            }
        }
        !tether.has_threads() || self.wait_for_threads(&tether, started).await
    }

    /// Waits for the end of a run; meanwhile reports its finished siblings and
    /// gives back those that have waited too long.
    async fn meanwhile(&mut self, mut work: Pin<&mut impl Future<Output = Ended>>) -> Ended {
        loop {
            let due = self.pace.due(self.waiting.len(), self.done.len());
            tokio::select! {
                biased;
                ended = &mut work => return ended,
                Some(()) = self.under_way.next(), if !self.under_way.is_empty() => {}
                () = sleep_until(due.unwrap_or(self.pace.started)), if due.is_some() => {
                    if self.pace.is_over(Instant::now()) {
                        self.give_back_waiting();
                    }
                    self.report();
                }
            }
        }
    }

    /// Its slot stays taken while a run's threads go on, at most the grace:
    /// everything else of the bundle is settled first.
    async fn wait_for_threads(&mut self, tether: &Arc<Tether>, started: Instant) -> bool {
        self.give_back_waiting();
        self.report();
        while self.under_way.next().await.is_some() {}
        if !attempt::threads_ended(self.core, tether).await {
            warn!(
                workflow_type = %self.workflow_type,
                after = ?started.elapsed(),
                "a run ignores that it was told to stop; its slot is free, its memory is not"
            );
            self.core.note_abandoned();
            self.cost.abandoned.push(Arc::clone(tether));
        }
        false
    }

    /// Gives back everything that has not started.
    fn give_back_waiting(&mut self) {
        let waiting: Vec<_> = self.waiting.drain(..).map(|ready| ready.held).collect();
        self.give_back(waiting);
    }

    fn give_back(&mut self, runs: Vec<Held>) {
        // A refused lease is gone already.
        let refused = |held: &Held| held.tether().why() == Some(Why::Refused);
        let runs: Vec<_> = runs.into_iter().filter(|held| !refused(held)).collect();
        if runs.is_empty() {
            return;
        }
        let core = self.core;
        self.under_way.push(Box::pin(async move {
            let refs = runs.iter().map(Held::run).collect();
            let count = core.ledger.release(refs).await.map_or(0, |answers| {
                answers.into_iter().filter(|still_held| *still_held).count()
            });
            core.note_given_back(count);
            debug!(count, "runs were given back");
        }));
    }

    /// Reports what is done.
    fn report(&mut self) {
        if self.done.is_empty() {
            return;
        }
        let done = std::mem::take(&mut self.done);
        self.pace.reported();
        let (core, workflow_type) = (self.core, self.workflow_type);
        self.under_way
            .push(Box::pin(report(core, workflow_type, done)));
    }
}

impl Done {
    fn new(held: Held, tenant: TenantId, outcome: Outcome, ran_for: Duration, span: Span) -> Self {
        let error = match &outcome {
            Outcome::Failed { error, .. } => Some(error.clone()),
            Outcome::Completed(_) | Outcome::Cancelled => None,
        };
        let usage = held.tether().usage();
        Self {
            report: Report {
                run: held.run(),
                tenant,
                outcome,
                ran_for,
                files: held.tether().made(),
            },
            trace: Trace {
                _held: held,
                span,
                ran_for,
                usage,
                error,
            },
        }
    }
}

/// What a run cost: exactly where it had a process of its own, by its threads
/// elsewhere. One that was cut short says nothing of what it would have needed.
fn spent(tether: &Tether, outcome: &Outcome, ran_for: Duration) -> Spent {
    let cost = tether.cost();
    let usage = tether.usage();
    let code = match outcome {
        Outcome::Failed { error, .. } => Some(error.code),
        Outcome::Completed(_) | Outcome::Cancelled => None,
    };
    Spent {
        runs: 1,
        peak_bytes: usage.map(|usage| usage.peak_bytes).or(cost.peak_bytes),
        cpu: usage.map_or(cost.cpu, |usage| usage.cpu),
        wall: ran_for,
        out_of_memory: code == Some(ErrorCode::OomSuspect),
    }
}

/// Step 8: commits the reports and settles their runs.
async fn report(core: &Core, workflow_type: &TypeName, done: Vec<Done>) {
    let (reports, traces): (Vec<_>, Vec<_>) = done
        .into_iter()
        .map(|done| (done.report, done.trace))
        .unzip();
    let answers = core.ledger.finish(reports).await;
    fault::pass(Point::WorkerFinished).await;
    for (trace, answer) in traces.iter().zip(answers.unwrap_or_default()) {
        settle(core, workflow_type, trace, answer);
    }
}

/// Counts the end of a run and writes it down.
fn settle(core: &Core, workflow_type: &TypeName, trace: &Trace, answer: Finished) {
    let (span, ran_for) = (&trace.span, trace.ran_for);
    let Finished::Committed(state) = answer else {
        core.figures.stale();
        warn!(parent: span, "the report came too late and changed nothing");
        return;
    };
    core.figures.committed(workflow_type, state, ran_for);
    core.tally
        .ended(trace.error.as_ref().map(|error| error.code));
    if let Some(usage) = trace.usage {
        core.figures.used(workflow_type, usage);
    }
    let peak_bytes = trace.usage.map(|usage| usage.peak_bytes);
    let cpu = trace.usage.map(|usage| field::debug(usage.cpu));
    if let Some(error) = &trace.error {
        let reason = &error.message;
        warn!(parent: span, code = %error.code, %reason, ?state, ?ran_for, peak_bytes, cpu, "the run failed");
    } else {
        debug!(parent: span, ?state, ?ran_for, peak_bytes, cpu, "the run ended");
    }
}

fn unknown_type(name: &TypeName) -> TaskError {
    TaskError::new(
        ErrorCode::UnknownType,
        format!("no handler of this worker knows the type {name}"),
    )
}

/// When a bundle's finished and unstarted tickets have waited long enough:
/// pure but for the times it is told.
#[derive(Debug)]
struct Pace {
    started: Instant,
    oldest_done: Option<Instant>,
    bundle_patience: Duration,
    report_patience: Duration,
}

impl Pace {
    fn new(core: &Core, started: Instant) -> Self {
        Self {
            started,
            oldest_done: None,
            bundle_patience: core.options.bundle_patience,
            report_patience: core.options.report_patience,
        }
    }

    fn finished_one(&mut self, now: Instant) {
        self.oldest_done.get_or_insert(now);
    }

    fn reported(&mut self) {
        self.oldest_done = None;
    }

    /// Whether nothing more of the bundle is to be started.
    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.started) >= self.bundle_patience
    }

    /// When something is to be done although a run goes on.
    fn due(&self, unstarted: usize, done: usize) -> Option<Instant> {
        let give_back = (unstarted > 0).then_some(self.started + self.bundle_patience);
        let report = self
            .oldest_done
            .filter(|_| done > 0)
            .map(|at| at + self.report_patience);
        give_back.into_iter().chain(report).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bundle_reports_and_gives_back_in_time() {
        let started = Instant::now();
        let ms = Duration::from_millis;
        let mut pace = Pace {
            started,
            oldest_done: None,
            bundle_patience: ms(100),
            report_patience: ms(20),
        };
        assert_eq!(pace.due(0, 0), None, "a single slow ticket disturbs nobody");
        assert_eq!(pace.due(3, 0), Some(started + ms(100)));
        pace.finished_one(started + ms(10));
        pace.finished_one(started + ms(15));
        assert_eq!(
            pace.due(3, 2),
            Some(started + ms(30)),
            "the oldest one counts"
        );
        pace.reported();
        assert_eq!(pace.due(3, 0), Some(started + ms(100)));
        assert!(!pace.is_over(started + ms(99)) && pace.is_over(started + ms(100)));
    }
}
