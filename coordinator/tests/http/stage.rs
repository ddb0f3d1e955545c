//! A coordinator on an embedded store and broker of its own, a client, and a
//! stand-in for a worker that goes the real way of a slip.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use shared::{
    blobs::objects::Objects,
    broker::{Broker, Delivery, local::LocalBroker},
    clock::SystemClock,
    lifecycle::Tasks,
    model::{
        ErrorCode, HealthState, Json, Level, Nonce, Priority, ProfileName, RetryPolicy, Route,
        Stamp, TaskError, TypeName,
    },
    store::{
        Store,
        query::{Readiness, Slots, TypeInfo, WorkerState},
        sqlite::{self, SqliteStore},
        verbs::{Beat, Claim, ClaimTicket, Claimed, Finish, Granted, Outcome, Report, RunRef},
    },
};
use tempfile::TempDir;
use zerogate_coordinator::{Coordinator, Handle, Options, Render, Seams};

/// Far longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Stage {
    client: Client,
    handle: Handle,
    store: Arc<SqliteStore>,
    broker: Arc<LocalBroker>,
    tasks: Tasks,
    dir: TempDir,
}

#[derive(Clone)]
pub(crate) struct Client {
    base: String,
    agent: ureq::Agent,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) raw: String,
    pub(crate) bytes: Vec<u8>,
    headers: Vec<(String, String)>,
}

pub(crate) fn done(result: &Value) -> Outcome {
    Outcome::Completed(Json::from_value(result))
}

pub(crate) fn fails() -> Outcome {
    Outcome::Failed {
        error: TaskError::new(ErrorCode::HandlerError, "on purpose"),
        retry_in: Duration::from_millis(50),
    }
}

fn types() -> Vec<TypeInfo> {
    let info = |name: &str, input_schema: Value, defaults: Value| TypeInfo {
        name: name.parse().unwrap(),
        title: name.to_owned(),
        description: "a type of the tests".into(),
        input_schema,
        example: json!({}),
        defaults,
        retry: RetryPolicy::default(),
        timeout_ms: 60_000,
        priority: Priority::Medium,
        estimated_duration_ms: 1,
        resource_class: "light".into(),
        feature_category: "experimental".into(),
    };
    let sleep = json!({
        "type": "object",
        "properties": {"ms": {"type": "integer", "minimum": 0}},
        "required": ["ms"],
        "additionalProperties": false,
    });
    vec![
        info("diagnostic.echo", json!({}), json!({})),
        info("diagnostic.sleep", sleep, json!({"ms": 5})),
    ]
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A stage with other options.
    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock);
        let store = SqliteStore::open(sqlite::Options {
            data_dir: dir.path().to_owned(),
            clock: clock.clone(),
        })
        .unwrap();
        let broker = LocalBroker::new();
        let tasks = Tasks::new();
        let mut options = Options {
            diagnostics: true,
            built_in: types(),
            body_limit: 1 << 20,
            metrics: Render::new(|| "# stage\n".to_owned()),
            ..Options::new("127.0.0.1:0".parse().unwrap())
        };
        change(&mut options);
        let blobs = Objects::in_folder(&dir.path().join("blobs")).unwrap();
        let seams = Seams {
            store: store.clone(),
            blobs,
            broker: broker.clone(),
            clock,
        };
        let handle = Coordinator::start(options, seams, &tasks).await.unwrap();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE * 2))
            .build()
            .into();
        let base = format!("http://{}", handle.local_addr());
        Self {
            client: Client { base, agent },
            handle,
            store,
            broker,
            tasks,
            dir,
        }
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.handle.local_addr()
    }

    /// The embedded store.
    pub(crate) fn store(&self) -> &SqliteStore {
        &self.store
    }

    /// The folder of the blobs.
    pub(crate) fn folder(&self) -> std::path::PathBuf {
        self.dir.path().join("blobs")
    }

    /// Every file in the folder of the blobs but the mark, hidden ones
    /// included.
    pub(crate) fn blobs(&self) -> Vec<std::path::PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() && entry.file_name() != "_fleet" => {
                        folders.push(entry.path());
                    }
                    Ok(kind) if kind.is_file() => found.push(entry.path()),
                    _ => {}
                }
            }
        }
        found
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Reply {
        let client = self.client();
        let (method, path) = (method.to_owned(), path.to_owned());
        let headers: Vec<(String, String)> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        tokio::task::spawn_blocking(move || {
            let headers: Vec<(&str, &str)> = headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            client.send(&method, &path, &headers, body)
        })
        .await
        .unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        let headers = [("content-type", "application/json")];
        let body = body.to_string().into_bytes();
        self.send("POST", path, &headers, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Reply {
        let headers = [("content-type", "application/json")];
        let body = body.to_string().into_bytes();
        self.send("PUT", path, &headers, Some(body)).await
    }

    pub(crate) async fn status(&self, id: &str) -> Value {
        let reply = self.get(&format!("/api/workflows/status/{id}")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.body
    }

    /// Does what a worker does with the next slip: fetch, claim, acknowledge,
    /// run (to this outcome), finish.
    pub(crate) async fn work(&self, outcome: Outcome) -> Granted {
        let granted = tokio::time::timeout(PATIENCE, self.work_once(outcome)).await;
        granted.expect("a slip arrives in time")
    }

    /// Takes the next slip out of the broker for ever, as a wiped queue would;
    /// how many tickets it had.
    pub(crate) async fn lose_slip(&self) -> usize {
        let lost = tokio::time::timeout(PATIENCE, self.next_slip()).await;
        let delivery = lost.expect("a slip arrives in time");
        let tickets = delivery.slip.tickets.len();
        delivery.acknowledge().await.unwrap();
        tickets
    }

    async fn next_slip(&self) -> Delivery {
        let routes: Vec<Route> = types()
            .iter()
            .flat_map(|info| Route::all_of(&info.name).collect::<Vec<_>>())
            .collect();
        let mut listener = self.broker.listen().await.unwrap();
        listener.tune(&routes).await.unwrap();
        loop {
            for route in &routes {
                if let Some(delivery) = self.broker.fetch(route).await.unwrap() {
                    return delivery;
                }
            }
            if let Some(bell) = listener.next().await {
                bell.ring_on();
            }
        }
    }

    async fn work_once(&self, outcome: Outcome) -> Granted {
        loop {
            let delivery = self.next_slip().await;
            let ticket = delivery.slip.tickets[0].clone();
            let token = Nonce::draw(&mut rand::rng());
            let claim = Claim {
                worker: "stage-1".parse().unwrap(),
                lease: PATIENCE,
                tickets: vec![ClaimTicket {
                    task: ticket.task,
                    attempt: ticket.attempt,
                    token,
                }],
            };
            let claimed = self.store.claim(claim).await.unwrap().outcomes.remove(0);
            delivery.acknowledge().await.unwrap();
            let Claimed::Granted(granted) = claimed else {
                continue;
            };
            let task = ticket.task;
            let report = Report {
                run: RunRef { task, token },
                tenant: granted.spec.tenant.clone(),
                outcome,
                ran_for: Duration::from_millis(1),
                files: Vec::new(),
            };
            let reports = vec![report];
            self.store.finish(Finish { reports }).await.unwrap();
            return *granted;
        }
    }

    /// Lets a worker with two slots appear.
    pub(crate) async fn beat(&self) {
        let names: Vec<TypeName> = types().into_iter().map(|info| info.name).collect();
        let state = WorkerState {
            host: "here".into(),
            version: "1".into(),
            started_at: Stamp::from_millis(1),
            readiness: Readiness::Ready,
            slots: Slots {
                used: 0,
                limit: 2,
                cap: 2,
            },
            types: names,
            running: Vec::new(),
            memory_bytes: 1,
            memory_total_bytes: 2,
            cpu_cores: 0.0,
            profile: ProfileName::default(),
            level: Level::default(),
            health: 0.0,
            health_state: HealthState::default(),
            detail: Value::Null,
        };
        let worker = "stage-1".parse().unwrap();
        self.store.heartbeat(Beat { worker, state }).await.unwrap();
    }

    /// Stops the coordinator; whether everything ended in time.
    pub(crate) async fn stop(&self) -> bool {
        let ended = self.tasks.finish(PATIENCE).await;
        assert!(!self.handle.is_ready());
        ended
    }
}

impl Client {
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Reply {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = match body {
            Some(body) => self.agent.run(request.body(body).unwrap()),
            None if method == "POST" => self.agent.run(request.body(Vec::<u8>::new()).unwrap()),
            None => self.agent.run(request.body(()).unwrap()),
        };
        let mut response = match sent {
            Ok(response) => response,
            Err(error) => {
                return Reply {
                    status: 0,
                    body: Value::Null,
                    raw: error.to_string(),
                    bytes: Vec::new(),
                    headers: Vec::new(),
                };
            }
        };
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(1 << 30);
        let bytes = body.read_to_vec().unwrap();
        let raw = String::from_utf8_lossy(&bytes).into_owned();
        Reply {
            status,
            body: serde_json::from_str(&raw).unwrap_or_default(),
            raw,
            bytes,
            headers,
        }
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    pub(crate) fn text(&self, member: &str) -> String {
        self.body[member].as_str().unwrap_or_default().to_owned()
    }

    /// Checks that this is a problem with this status; the pointers of its
    /// errors.
    pub(crate) fn problem(&self, status: u16) -> Vec<&str> {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        assert!(
            self.text("type").starts_with("urn:zerogate:problem:"),
            "{self:?}"
        );
        assert_eq!(self.body["status"], json!(status));
        for member in ["title", "detail", "request_id"] {
            assert!(
                !self.text(member).is_empty(),
                "{member} is missing: {self:?}"
            );
        }
        assert_eq!(self.text("request_id"), self.header("x-request-id"));
        let errors = self.body["errors"].as_array();
        let pointers = errors.into_iter().flatten();
        pointers
            .map(|error| error["pointer"].as_str().unwrap())
            .collect()
    }
}
