//! A private server for one test, and short ways to speak to a store.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    clock::{Clock, SystemClock},
    model::{
        Json, Nonce, OnDependencyFailure, Priority, RetryPolicy, TaskId, TaskSpec, TaskView,
        TenantId,
    },
    store::{
        Store,
        redis::{Options, RedisStore},
        verbs::{
            Claim, ClaimTicket, Claimed, Finish, Finished, NewTask, Outcome, PublishedSlip, Report,
            RunRef, Submission, Submitted, Sweep, Swept, Take, Taken, Windows,
        },
    },
};

pub(super) const HOUR: Duration = Duration::from_hours(1);

/// A server of its own on a free port, ended with the value.
pub(super) struct Server {
    child: Child,
    port: u16,
    dir: tempfile::TempDir,
    fsync: &'static str,
}

impl Server {
    /// Starts one; `None`, loudly, where Redis is not installed.
    pub(super) fn start() -> Option<Self> {
        Self::start_with("always")
    }

    /// Starts one that writes its log to disk at these times.
    pub(super) fn start_with(fsync: &'static str) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let dir = tempfile::tempdir().unwrap();
        match spawn(port, dir.path(), fsync) {
            Ok(child) => Some(Self {
                child,
                port,
                dir,
                fsync,
            }),
            Err(e) => {
                println!("SKIPPED: cannot start redis-server ({e}); install it to run this test");
                None
            }
        }
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends the server as a crash would, and starts it on the same data.
    pub(super) fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = spawn(self.port, self.dir.path(), self.fsync).unwrap();
    }

    pub(super) async fn store(&self) -> Arc<RedisStore> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match RedisStore::connect(Options::new(self.url())).await {
                Ok(store) => return store,
                Err(e) if Instant::now() > deadline => panic!("{e}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

fn spawn(port: u16, dir: &std::path::Path, fsync: &str) -> std::io::Result<Child> {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "yes", "--appendfsync", fsync])
        .args(["--auto-aof-rewrite-percentage", "0"])
        .arg("--dir")
        .arg(dir)
        .stdout(Stdio::null())
        .spawn()
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A store with the little that a test needs to say.
pub(super) struct Fleet {
    pub(super) store: Arc<RedisStore>,
    pub(super) rng: StdRng,
}

impl Fleet {
    pub(super) fn new(store: Arc<RedisStore>) -> Self {
        Self {
            store,
            rng: StdRng::seed_from_u64(1),
        }
    }

    pub(super) fn nonce(&mut self) -> Nonce {
        Nonce::draw(&mut self.rng)
    }

    pub(super) fn task(&mut self, change: impl FnOnce(&mut TaskSpec)) -> NewTask {
        let id = TaskId::mint(0, SystemClock.now(), &mut self.rng);
        let mut spec = TaskSpec {
            tenant: TenantId::default(),
            workflow_type: "diagnostic.noop".parse().unwrap(),
            priority: Priority::Medium,
            depends_on: Vec::new(),
            reads: Vec::new(),
            on_dependency_failure: OnDependencyFailure::Cancel,
            retry: RetryPolicy::default(),
            timeout_ms: 1000,
            run_at: None,
            expires_at: None,
            correlation_id: id.to_string(),
            labels: std::collections::BTreeMap::new(),
            traceparent: None,
        };
        change(&mut spec);
        NewTask {
            id,
            spec,
            input: Json::from_text(format!("{{\"n\":{}}}", self.rng.next_u32())),
            files: Vec::new(),
        }
    }

    pub(super) async fn submit(&mut self, tasks: Vec<NewTask>) -> Vec<TaskId> {
        let ids = tasks.iter().map(|task| task.id).collect();
        let submission = Submission {
            tenant: tasks[0].spec.tenant.clone(),
            tasks,
            idempotency: None,
        };
        let answer = self.store.submit(submission).await.unwrap();
        assert_eq!(answer, Submitted::Accepted);
        ids
    }

    /// Takes under this nonce, with a deadline that lapses at once or never.
    pub(super) async fn take_as(&self, nonce: Nonce, limit: u32, window: u32) -> Taken {
        let take = Take {
            nonce,
            limit,
            windows: Windows {
                default: window,
                by_type: std::collections::BTreeMap::new(),
            },
            deadline: HOUR,
        };
        self.store.take_ready(take).await.unwrap()
    }

    pub(super) async fn take(&mut self, limit: u32) -> Taken {
        let nonce = self.nonce();
        self.take_as(nonce, limit, 10_000).await
    }

    /// Takes and publishes whatever is ready, one slip per task.
    pub(super) async fn publish(&mut self) -> Vec<(TaskId, u32)> {
        let taken = self.take(1000).await;
        let tickets: Vec<_> = taken.tasks.iter().map(|t| (t.id, t.attempt)).collect();
        let slips = tickets.iter().map(|ticket| PublishedSlip {
            tickets: vec![*ticket],
            republish_after: HOUR,
        });
        self.store.published(slips.collect()).await.unwrap();
        tickets
    }

    pub(super) async fn claim(&mut self, tickets: &[(TaskId, u32)]) -> Vec<(RunRef, Claimed)> {
        let tickets: Vec<_> = tickets
            .iter()
            .map(|(task, attempt)| ClaimTicket {
                task: *task,
                attempt: *attempt,
                token: Nonce::draw(&mut self.rng),
            })
            .collect();
        let claim = self.claim_of(tickets.clone(), HOUR);
        let reply = self.store.claim(claim).await.unwrap();
        let runs = tickets.iter().map(|ticket| RunRef {
            task: ticket.task,
            token: ticket.token,
        });
        runs.zip(reply.outcomes).collect()
    }

    #[expect(clippy::unused_self, reason = "reads as the others do")]
    pub(super) fn claim_of(&self, tickets: Vec<ClaimTicket>, lease: Duration) -> Claim {
        Claim {
            worker: "worker-1:test".parse().unwrap(),
            lease,
            tickets,
        }
    }

    /// Publishes and claims everything that is ready.
    pub(super) async fn start(&mut self) -> Vec<RunRef> {
        let tickets = self.publish().await;
        let claimed = self.claim(&tickets).await;
        let granted = claimed
            .into_iter()
            .filter(|(_, c)| matches!(c, Claimed::Granted(_)));
        granted.map(|(run, _)| run).collect()
    }

    pub(super) async fn end(&self, run: &RunRef, outcome: Outcome) -> Finished {
        let report = Report {
            run: run.clone(),
            tenant: TenantId::default(),
            outcome,
            ran_for: Duration::from_millis(5),
            files: Vec::new(),
        };
        let finish = Finish {
            reports: vec![report],
        };
        self.store.finish(finish).await.unwrap().outcomes[0]
    }

    pub(super) async fn succeed(&self, run: &RunRef) -> Finished {
        let result = Json::from_text("{\"ok\":true}".into());
        self.end(run, Outcome::Completed(result)).await
    }

    pub(super) async fn sweep(&self, change: impl FnOnce(&mut Sweep)) -> Swept {
        let mut sweep = Sweep {
            outage_after: HOUR,
            lease: HOUR,
            lapse_cap: 2,
            retention: HOUR,
            limit: 100,
        };
        change(&mut sweep);
        self.store.sweep(sweep).await.unwrap()
    }

    pub(super) async fn view(&self, id: TaskId) -> TaskView {
        let found = self.store.task(&TenantId::default(), id).await.unwrap();
        found.unwrap()
    }
}
