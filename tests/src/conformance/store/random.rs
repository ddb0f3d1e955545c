//! Random lives: sequences of verbs over a dozen tasks, each answer and every task compared with the reference.
//!
//! Some operations are asked twice, some with old tokens or wrong attempts, as an at-least-once world does.

mod op;

use std::{collections::BTreeMap, time::Duration};

use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, TestCaseError, TestRunner},
};
use shared::{
    model::{Json, Priority, Progress, Route, Stamp, TaskId},
    store::{
        files::NewFile,
        query::Tally,
        verbs::{
            Aside, Cancel, Claim, ClaimTicket, Claimed, Finish, Idempotency, Mode, Outcome,
            PublishedSlip, Release, Renew, Report, Requeue, Retry, RunRef, Submission, Sweep,
            Swept, Take, Windows,
        },
    },
};

use op::{Draft, FILES, Op, op};

use super::{
    Backend,
    filing::file_id,
    lab::{Ask, LONG, Lab, NONE, calm, failure, fatal, later, type_name, worker_id},
    reference::Reference,
    sketch::Sketch,
};

/// Few enough that they meet one another.
const TASKS: usize = 14;
/// Operations of one life.
const LIFE: usize = 40;
/// Lives.
const LIVES: u32 = 400;

/// A store and its reference, side by side.
struct World {
    lab: Lab,
    reference: Reference,
    ids: Vec<TaskId>,
    runs: Vec<RunRef>,
    takes: Vec<Take>,
    /// Of all uploads.
    keys: Vec<String>,
}

/// Compares some hundred random lives with the reference.
#[expect(
    clippy::unused_async,
    reason = "every test of the suite is called alike"
)]
pub async fn lives_agree_with_the_reference(backend: &dyn Backend) {
    let handle = tokio::runtime::Handle::current();
    let config = Config {
        cases: LIVES,
        failure_persistence: None,
        max_shrink_iters: 400,
        ..Config::default()
    };
    let lives = prop::collection::vec(op(), LIFE / 2..LIFE + LIFE / 2);
    let outcome = tokio::task::block_in_place(|| {
        TestRunner::new(config).run(&lives, |life| handle.block_on(live(backend, life)))
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

async fn live(backend: &dyn Backend, life: Vec<Op>) -> Result<(), TestCaseError> {
    let lab = Lab::new(backend).await;
    let mut world = World {
        lab,
        reference: Reference::default(),
        ids: Vec::new(),
        runs: Vec::new(),
        takes: Vec::new(),
        keys: Vec::new(),
    };
    for op in life {
        world.perform(&op).await?;
        world.compare(&op).await?;
    }
    world.compare_results().await
}

fn kind(first: bool) -> &'static str {
    if first { "t.a" } else { "t.b" }
}

fn priority(rank: u8) -> Priority {
    Priority::from_rank(rank).unwrap_or_default()
}

const fn soon(now: bool) -> Duration {
    if now { NONE } else { LONG }
}

impl World {
    async fn perform(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match op {
            Op::Submit(drafts, key) => self.submit(drafts, *key).await,
            Op::Take {
                limit,
                window,
                now,
                again,
            } => self.take(*limit, *window, *now, *again).await,
            Op::Publish { picks, wrong, now } => self.publish(picks, *wrong, *now).await,
            Op::Claim {
                picks,
                wrong,
                reuse,
                now,
            } => self.claim(picks, *wrong, *reuse, *now).await,
            Op::Renew {
                pick,
                progress,
                now,
            } => self.renew(*pick, *progress, *now).await,
            Op::Finish {
                pick,
                how,
                twice,
                file,
            } => self.finish(*pick, *how, *twice, *file).await,
            Op::PutFile {
                file,
                now,
                twice,
                replaces,
            } => self.put_file(*file, *now, *twice, *replaces).await,
            Op::SetAside { picks, wrong, now } => self.set_aside(picks, *wrong, *now).await,
            Op::Release(pick) => self.release(*pick).await,
            Op::Cancel(picks) => self.cancel(picks).await,
            Op::Retry(picks) => self.retry(picks).await,
            Op::Sweep { forget, cap } => self.sweep(*forget, *cap).await,
            Op::Requeue {
                kind,
                priority,
                now,
            } => self.requeue(*kind, *priority, *now).await,
            Op::Mode(draw) => self.mode(*draw).await,
        }
    }

    /// Every task, the hint and the figures agree.
    async fn compare(&self, op: &Op) -> Result<(), TestCaseError> {
        let page = self
            .lab
            .store
            .tasks(self.lab.everything())
            .await
            .expect("tasks");
        let found: Vec<_> = page.items.into_iter().map(Sketch::from).collect();
        let wanted = self.reference.sketches();
        for (found, wanted) in found.iter().zip(&wanted) {
            prop_assert_eq!(found, wanted, "after {:?}", op);
        }
        prop_assert_eq!(found.len(), wanted.len(), "tasks after {:?}", op);
        let mut tallies = self.lab.counts().await.by_route;
        tallies.retain(|_, tally| *tally != Tally::default());
        prop_assert_eq!(tallies, self.reference.tallies(), "figures after {:?}", op);
        self.compare_files(op).await
    }

    async fn compare_files(&self, op: &Op) -> Result<(), TestCaseError> {
        let (store, tenant) = (&self.lab.store, &self.lab.tenant);
        let ids: Vec<_> = (0..FILES).map(file_id).collect();
        let found = store.files(tenant, &ids).await.expect("files");
        let wanted: Vec<_> = ids.iter().map(|id| self.reference.file(*id)).collect();
        prop_assert_eq!(&found, &wanted, "files after {:?}", op);
        let held = store.keys_held(tenant, &self.keys).await.expect("keys");
        let wanted = wanted.into_iter().flatten();
        let wanted: Vec<_> = wanted.map(|file| file.key).collect();
        for (key, held) in self.keys.iter().zip(held) {
            prop_assert_eq!(held, wanted.contains(key), "{} after {:?}", key, op);
        }
        Ok(())
    }

    async fn put_file(
        &mut self,
        file: u8,
        now: bool,
        twice: bool,
        replaces: bool,
    ) -> Result<(), TestCaseError> {
        let id = file_id(file);
        let known = self.reference.file(id).map(|file| file.key);
        let file = NewFile {
            keep: soon(now),
            replaces: known.filter(|_| replaces),
            ..self.lab.new_file(id)
        };
        self.keys.push(file.key.clone());
        for _ in 0..=u8::from(twice) {
            let wanted = self.reference.put_file(&file);
            let found = self.lab.store.put_file(file.clone()).await;
            prop_assert_eq!(found.expect("put_file"), wanted);
        }
        Ok(())
    }

    async fn compare_results(&self) -> Result<(), TestCaseError> {
        for id in &self.ids {
            let view = self
                .lab
                .store
                .task(&self.lab.tenant, *id)
                .await
                .expect("task");
            prop_assert_eq!(
                view.and_then(|view| view.result),
                self.reference.result(*id)
            );
        }
        Ok(())
    }

    fn pick(&self, picks: &[Index]) -> Vec<TaskId> {
        let mut ids = Vec::new();
        for pick in picks.iter().filter(|_| !self.ids.is_empty()) {
            let id = *pick.get(&self.ids);
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }

    async fn submit(
        &mut self,
        drafts: &[Draft],
        key: Option<(u8, bool)>,
    ) -> Result<(), TestCaseError> {
        if self.ids.len() >= TASKS {
            return Ok(());
        }
        let mut plan = self.lab.plan(Vec::new());
        for draft in drafts {
            let earlier = plan.tasks.iter().map(|task| task.id);
            let known: Vec<_> = self.ids.iter().copied().chain(earlier).collect();
            let mut parents: Vec<TaskId> = Vec::new();
            for parent in draft
                .parents
                .iter()
                .filter(|_| !known.is_empty())
                .map(|pick| *pick.get(&known))
            {
                if !parents.contains(&parent) {
                    parents.push(parent);
                }
            }
            let ask = self.ask(draft, &parents, plan.tasks.len());
            plan.tasks.push(self.lab.task(ask));
        }
        let plan = Submission {
            idempotency: key.map(|(key, same)| Idempotency {
                key: format!("k{key}"),
                fingerprint: if same {
                    "f".into()
                } else {
                    format!("f{}", self.ids.len())
                },
                reply: Json::from_text(format!("{{\"key\":{key}}}")),
            }),
            ..plan
        };
        self.ids.extend(plan.tasks.iter().map(|task| task.id));
        let wanted = self.reference.submit(&plan);
        prop_assert_eq!(self.lab.store.submit(plan).await.expect("submit"), wanted);
        Ok(())
    }

    fn ask(&self, draft: &Draft, parents: &[TaskId], place: usize) -> Ask {
        let mut ask = Ask::of(kind(draft.kind))
            .at(priority(draft.priority))
            .attempts(draft.attempts)
            .after(parents);
        if draft.runs_anyway {
            ask = ask.whatever_happens();
        }
        // Past times differ, so that the order in which tasks expire is defined.
        let past =
            Stamp::from_micros(1_000_000 + i64::try_from(self.ids.len() * 10 + place).unwrap_or(0));
        if let Some(file) = draft.file {
            ask = ask.reading(&[file_id(file), file_id((file + 1) % FILES)]);
        }
        match draft.when {
            0 if parents.is_empty() => ask.not_before(later()),
            1 => ask.not_before(past),
            2 => ask.expiring(past),
            3 => ask.expiring(later()),
            _ => ask,
        }
    }

    async fn take(
        &mut self,
        limit: u32,
        window: u32,
        now: bool,
        again: bool,
    ) -> Result<(), TestCaseError> {
        if self.reference.has_expired() {
            // A take may find an expired task or not: let the sweep find all of them.
            self.sweep(false, 5).await?;
        }
        let windows = Windows {
            default: window,
            by_type: BTreeMap::from([(type_name("t.b"), 2)]),
        };
        let fresh = Take {
            nonce: self.lab.nonce(),
            limit,
            windows,
            deadline: soon(now),
        };
        let take = self
            .takes
            .last()
            .filter(|_| again)
            .cloned()
            .unwrap_or(fresh);
        let answer = self
            .lab
            .store
            .take_ready(take.clone())
            .await
            .expect("take_ready");
        let judged = self.reference.take_ready(&take, &answer);
        prop_assert!(judged.is_ok(), "{take:?} gave {answer:?}: {judged:?}");
        self.takes.push(take);
        Ok(())
    }

    async fn publish(
        &mut self,
        picks: &[Index],
        wrong: bool,
        now: bool,
    ) -> Result<(), TestCaseError> {
        let ids = self.pick(picks).into_iter();
        let tickets: Vec<_> = ids
            .map(|id| (id, self.reference.attempt(id) + 1 + u32::from(wrong)))
            .collect();
        if !tickets.is_empty() {
            let slips = vec![PublishedSlip {
                tickets,
                republish_after: soon(now),
            }];
            self.reference.published(&slips);
            self.lab.store.published(slips).await.expect("published");
        }
        Ok(())
    }

    async fn claim(
        &mut self,
        picks: &[Index],
        wrong: bool,
        reuse: Option<Index>,
        now: bool,
    ) -> Result<(), TestCaseError> {
        let mut tickets: Vec<_> = self
            .pick(picks)
            .into_iter()
            .map(|task| ClaimTicket {
                task,
                attempt: self.reference.attempt(task) + 1 + u32::from(wrong),
                token: self.lab.nonce(),
            })
            .collect();
        if let Some(run) = reuse
            .filter(|_| !self.runs.is_empty())
            .map(|pick| pick.get(&self.runs))
        {
            let attempt = self.reference.attempt(run.task);
            tickets.push(ClaimTicket {
                task: run.task,
                attempt,
                token: run.token,
            });
        }
        let claim = Claim {
            worker: worker_id("w1"),
            lease: soon(now),
            tickets,
        };
        let wanted = self.reference.claim(&claim);
        let reply = self.lab.store.claim(claim.clone()).await.expect("claim");
        for (ticket, outcome) in claim.tickets.iter().zip(&reply.outcomes) {
            if matches!(outcome, Claimed::Granted(_)) {
                self.runs.push(RunRef {
                    task: ticket.task,
                    token: ticket.token,
                });
            }
        }
        prop_assert_eq!(reply.outcomes, wanted);
        prop_assert_eq!(reply.hint, self.reference.hint());
        Ok(())
    }

    async fn set_aside(
        &mut self,
        picks: &[Index],
        wrong: bool,
        now: bool,
    ) -> Result<(), TestCaseError> {
        let ids = self.pick(picks).into_iter();
        let asides: Vec<_> = ids
            .map(|task| Aside {
                task,
                attempt: self.reference.attempt(task) + 1 + u32::from(wrong),
                needs_bytes: 1 << 40,
                retry_in: soon(now),
            })
            .collect();
        let wanted = self.reference.set_aside(&asides);
        let found = self.lab.store.set_aside(asides).await;
        prop_assert_eq!(found.expect("set_aside"), wanted);
        Ok(())
    }

    /// A run, mostly one of the latest.
    fn run(&self, pick: Index) -> Option<RunRef> {
        let latest = self.runs.len().saturating_sub(6);
        let runs = if pick.index(5) == 0 {
            &self.runs[..]
        } else {
            &self.runs[latest..]
        };
        (!runs.is_empty()).then(|| pick.get(runs).clone())
    }

    async fn renew(&mut self, pick: Index, progress: bool, now: bool) -> Result<(), TestCaseError> {
        let Some(run) = self.run(pick) else {
            return Ok(());
        };
        let progress = progress.then(|| Progress {
            fraction: 0.5,
            message: "half".into(),
        });
        let renew = Renew {
            lease: soon(now),
            runs: vec![(run, progress)],
        };
        let wanted = self.reference.renew(&renew);
        prop_assert_eq!(self.lab.store.renew(renew).await.expect("renew"), wanted);
        Ok(())
    }

    async fn finish(
        &mut self,
        pick: Index,
        how: u8,
        twice: bool,
        file: Option<u8>,
    ) -> Result<(), TestCaseError> {
        let Some(run) = self.run(pick) else {
            return Ok(());
        };
        let outcome = match how {
            0 => Outcome::Cancelled,
            1 => Outcome::Failed {
                error: fatal(),
                retry_in: NONE,
            },
            2 => Outcome::Failed {
                error: failure("soon again"),
                retry_in: NONE,
            },
            3 => Outcome::Failed {
                error: failure("later again"),
                retry_in: LONG,
            },
            _ => Outcome::Completed(Json::from_text(format!("{{\"by\":\"{}\"}}", run.token))),
        };
        let report = Report {
            run,
            tenant: self.lab.tenant.clone(),
            outcome,
            ran_for: Duration::from_millis(3),
            files: file.map(file_id).into_iter().collect(),
        };
        for _ in 0..=u8::from(twice) {
            let finish = Finish {
                reports: vec![report.clone()],
            };
            let wanted = self.reference.finish(&finish);
            let reply = self.lab.store.finish(finish).await.expect("finish");
            prop_assert_eq!(reply.outcomes, wanted);
            prop_assert_eq!(reply.hint, self.reference.hint());
        }
        Ok(())
    }

    async fn release(&mut self, pick: Index) -> Result<(), TestCaseError> {
        let Some(run) = self.run(pick) else {
            return Ok(());
        };
        let release = Release { runs: vec![run] };
        let wanted = self.reference.release(&release);
        prop_assert_eq!(
            self.lab.store.release(release).await.expect("release"),
            wanted
        );
        Ok(())
    }

    async fn cancel(&mut self, picks: &[Index]) -> Result<(), TestCaseError> {
        let ids = self.pick(picks);
        let cancel = Cancel {
            tenant: self.lab.tenant.clone(),
            ids,
            reason: String::new(),
        };
        let wanted = self.reference.cancel(&cancel);
        prop_assert_eq!(self.lab.store.cancel(cancel).await.expect("cancel"), wanted);
        Ok(())
    }

    async fn retry(&mut self, picks: &[Index]) -> Result<(), TestCaseError> {
        let retry = Retry {
            tenant: self.lab.tenant.clone(),
            ids: self.pick(picks),
        };
        let wanted = self.reference.retry(&retry);
        prop_assert_eq!(self.lab.store.retry(retry).await.expect("retry"), wanted);
        Ok(())
    }

    async fn sweep(&mut self, forget: bool, cap: u32) -> Result<(), TestCaseError> {
        let sweep = Sweep {
            retention: soon(forget),
            lapse_cap: cap,
            ..calm()
        };
        let mut wanted = self.reference.sweep(&sweep);
        let mut found = self.lab.sweep(sweep).await;
        // A parent may be reaped in a later sweep than its dependents.
        while forget && found.reaped < wanted.reaped {
            let further = self.lab.sweep(sweep).await;
            prop_assert!(
                further.reaped > 0,
                "reaped {} of {}",
                found.reaped,
                wanted.reaped
            );
            found.reaped += further.reaped;
            found.files_expired += further.files_expired;
        }
        for swept in [&mut wanted, &mut found] {
            swept.next_due = swept.next_due.map(|_| NONE);
            swept
                .overdue
                .sort_by(|one, other| one.route.cmp(&other.route));
        }
        prop_assert_eq!(
            found,
            Swept {
                more: false,
                ..wanted
            }
        );
        Ok(())
    }

    async fn requeue(
        &mut self,
        first: bool,
        rank: u8,
        now: Option<bool>,
    ) -> Result<(), TestCaseError> {
        let route = Route::new(type_name(kind(first)), priority(rank));
        let requeue = Requeue {
            route,
            limit: 1000,
            overdue_by: now.map(soon),
        };
        let wanted = self.reference.requeue(&requeue);
        prop_assert_eq!(
            self.lab.store.requeue(requeue).await.expect("requeue"),
            wanted
        );
        Ok(())
    }

    async fn mode(&mut self, draw: u8) -> Result<(), TestCaseError> {
        let mode = match draw {
            0 => Mode::Paused,
            1 => Mode::Stopped,
            _ => Mode::Running,
        };
        let changed = self.reference.set_mode(mode);
        let found = self.lab.mode(mode).await;
        prop_assert_eq!((found.mode, found.changed), (mode, changed));
        Ok(())
    }
}
