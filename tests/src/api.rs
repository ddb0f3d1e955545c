//! The HTTP contract as a client sees it: raw enough to test errors, typed enough to read well.
//!
//! Answers stay JSON: the tests check what is on the wire, not what a shared type would make of it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::{Request, Response};

use crate::wait::{self, Look};

/// Longer than the longest long poll the tests ask for.
const PATIENCE: Duration = Duration::from_mins(1);

/// One answer: status, headers, and the body as text and (where it is) JSON.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body as JSON; null where it is not JSON.
    pub body: Value,
    /// The body as text; what is not UTF-8 is replaced.
    pub text: String,
    /// The body as it came.
    pub bytes: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl Reply {
    /// The first header of this name (lower case), or an empty text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(header, _)| header == name)
            .map_or("", |(_, value)| value)
    }

    /// Insists on a status; the error shows the body.
    pub fn expect(self, status: u16) -> Result<Self> {
        ensure!(
            self.status == status,
            "expected {status}, got {}: {}",
            self.status,
            self.text
        );
        Ok(self)
    }

    /// Insists on a problem document (RFC 9457) of this status and returns the pointers of its errors.
    pub fn problem(&self, status: u16) -> Result<Vec<String>> {
        ensure!(
            self.status == status,
            "expected the problem {status}, got {}: {}",
            self.status,
            self.text
        );
        let media = self.header("content-type");
        ensure!(
            media.starts_with("application/problem+json"),
            "{status} came as {media:?}"
        );
        let kind = self.body["type"].as_str().unwrap_or_default();
        ensure!(
            kind.starts_with("urn:zerogate:problem:"),
            "{status} has the type {kind:?}"
        );
        ensure!(
            self.body["status"] == json!(status),
            "the problem's own status differs: {}",
            self.text
        );
        for member in ["title", "detail", "request_id"] {
            let text = self.body[member].as_str().unwrap_or_default();
            ensure!(
                !text.is_empty(),
                "the problem lacks {member}: {}",
                self.text
            );
        }
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        Ok(errors.iter().map(|error| text(error, "pointer")).collect())
    }
}

/// A text member of an answer; empty where it is missing or not a text.
#[must_use]
pub fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}

/// Milliseconds from one time of the server to another.
pub fn millis_between(earlier: &str, later: &str) -> Result<i64> {
    let read = |time: &str| -> Result<jiff::Timestamp> {
        time.parse()
            .with_context(|| format!("read the time {time:?}"))
    };
    let span = read(later)?.duration_since(read(earlier)?);
    i64::try_from(span.as_millis()).context("a span of some days at the most")
}

/// A time of the server, some milliseconds later, in the format of the contract.
pub fn later(time: &str, ms: i64) -> Result<String> {
    let time: jiff::Timestamp = time
        .parse()
        .with_context(|| format!("read the time {time:?}"))?;
    let time = time + jiff::SignedDuration::from_millis(ms);
    Ok(format!("{time:.6}"))
}

/// True for the three statuses that a task does not leave by itself.
#[must_use]
pub fn is_final(status: &str) -> bool {
    matches!(status, "completed" | "failed" | "cancelled")
}

/// A submission with nothing but its type and input.
#[must_use]
pub fn task(workflow_type: &str, input: &Value) -> Value {
    json!({"workflow_type": workflow_type, "input": input})
}

/// The same submission with further members.
#[must_use]
pub fn with(mut submission: Value, members: &Value) -> Value {
    if let (Some(target), Some(source)) = (submission.as_object_mut(), members.as_object()) {
        target.extend(source.clone());
    }
    submission
}

/// A client of one coordinator.
#[derive(Debug, Clone)]
pub struct Api {
    base: String,
    agent: Agent,
}

impl Api {
    /// A client of the coordinator on this loopback port.
    #[must_use]
    pub fn new(port: u16) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .timeout_connect(Some(Duration::from_secs(5)))
            // A fault test restarts servers: a kept connection to a dead one would fail the next request.
            .max_idle_connections(0)
            .build()
            .into();
        Self {
            base: format!("http://127.0.0.1:{port}"),
            agent,
        }
    }

    /// The address, for `--url`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.base
    }

    /// Any request. An answer of any status is `Ok`; no answer is an error.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Reply> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = if body.is_empty() && matches!(method, "GET" | "HEAD") {
            self.agent.run(request.body(()).context("make a request")?)
        } else {
            let request = request.body(body).context("make a request")?;
            self.agent.run(request)
        };
        let answer = answer.with_context(|| format!("{method} {path}"))?;
        read(answer).with_context(|| format!("read the answer of {method} {path}"))
    }

    /// GET.
    pub fn get(&self, path: &str) -> Result<Reply> {
        self.request("GET", path, &[], &[])
    }

    /// POST of JSON.
    pub fn post(&self, path: &str, body: &Value) -> Result<Reply> {
        let json = [("content-type", "application/json")];
        self.request("POST", path, &json, body.to_string().as_bytes())
    }

    /// Submits one task.
    pub fn submit(&self, submission: &Value) -> Result<Reply> {
        self.post("/api/workflows/submit", submission)
    }

    /// Submits one task that must be accepted, and returns its id.
    pub fn accept(&self, submission: &Value) -> Result<String> {
        let reply = self.submit(submission)?.expect(202)?;
        let id = text(&reply.body, "task_id");
        ensure!(!id.is_empty(), "accepted without an id: {}", reply.text);
        Ok(id)
    }

    /// Submits many tasks in one request.
    pub fn bulk(&self, tasks: &[Value], atomic: bool) -> Result<Reply> {
        let body = json!({"tasks": tasks, "atomic": atomic});
        self.post("/api/workflows/submit/bulk", &body)
    }

    /// Submits many tasks that must all be accepted, and returns their ids in order.
    pub fn accept_all(&self, tasks: &[Value]) -> Result<Vec<String>> {
        let reply = self.bulk(tasks, true)?.expect(202)?;
        let items = reply.body["items"].as_array().cloned().unwrap_or_default();
        ensure!(
            items.len() == tasks.len(),
            "an item is missing: {}",
            reply.text
        );
        Ok(items.iter().map(|item| text(item, "task_id")).collect())
    }

    /// The record of a task that must be known.
    pub fn status(&self, id: &str) -> Result<Value> {
        let reply = self
            .get(&format!("/api/workflows/status/{id}"))?
            .expect(200)?;
        Ok(reply.body)
    }

    /// Long-polls until the task is final.
    pub fn finished(&self, id: &str, within: Duration) -> Result<Value> {
        let path = format!("/api/workflows/status/{id}");
        let end = Instant::now() + within;
        wait::until(&format!("task {id} to finish"), within, || {
            let left = end.saturating_duration_since(Instant::now()).as_secs();
            let prefer = format!("wait={}", left.clamp(1, 20));
            let reply = self.request("GET", &path, &[("prefer", &prefer)], &[])?;
            let record = reply.expect(200)?.body;
            let finished = is_final(&text(&record, "status"));
            let seen = record.to_string();
            Ok(Look::from_option(finished.then_some(record), seen))
        })
    }

    /// Waits until the task has this status.
    pub fn reaches(&self, id: &str, status: &str, within: Duration) -> Result<Value> {
        wait::until(&format!("task {id} to be {status}"), within, || {
            let record = self.status(id)?;
            let there = record["status"] == json!(status);
            let seen = record.to_string();
            Ok(Look::from_option(there.then_some(record), seen))
        })
    }

    /// The caller's counters: pending, running, completed, failed, cancelled, and more.
    pub fn queue(&self) -> Result<Value> {
        Ok(self.get("/api/workflows/queue")?.expect(200)?.body)
    }

    /// Asks for a cancellation.
    pub fn cancel(&self, id: &str) -> Result<Reply> {
        let reason = json!({"reason": "test"});
        self.post(&format!("/api/workflows/tasks/{id}/cancel"), &reason)
    }

    /// Asks for a retry.
    pub fn retry(&self, id: &str) -> Result<Reply> {
        self.post(&format!("/api/workflows/tasks/{id}/retry"), &json!({}))
    }

    /// `pause`, `resume` or `stop`.
    pub fn emergency(&self, action: &str) -> Result<Reply> {
        let reason = json!({"reason": "test"});
        self.post(&format!("/api/workflows/emergency/{action}"), &reason)
    }

    /// The known workers.
    pub fn workers(&self) -> Result<Vec<Value>> {
        let reply = self.get("/api/workers")?.expect(200)?;
        Ok(reply.body["workers"]
            .as_array()
            .cloned()
            .unwrap_or_default())
    }

    /// True when the process says that it can serve.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.get("/readyz").is_ok_and(|reply| reply.status == 200)
    }
}

fn read(mut answer: Response<ureq::Body>) -> Result<Reply> {
    let headers = answer
        .headers()
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect();
    let bytes = answer
        .body_mut()
        .with_config()
        .limit(256 << 20)
        .read_to_vec()
        .context("read the body")?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Reply {
        status: answer.status().as_u16(),
        body: serde_json::from_str(&text).unwrap_or_default(),
        text,
        bytes,
        headers,
    })
}
