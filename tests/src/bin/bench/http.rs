//! A blocking HTTP client for ours: one keep-alive connection a thread, JSON in and out.
//!
//! Invariant: an answer that is not the expected status is an error with its body. Deliberately absent: retries; a
//! benchmark that retries measures something else.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use ureq::Agent;

/// Above the long poll of 20 s; a request that takes longer is a failure of the system under test.
const TIMEOUT: Duration = Duration::from_mins(1);
/// How long one task may take to reach a final state.
const FINAL_WITHIN: Duration = Duration::from_mins(2);
/// An answer to 10,000 submitted tasks takes a few MiB.
const LARGEST_ANSWER: u64 = 64 << 20;

/// One client with its own connection.
pub(crate) struct Client {
    agent: Agent,
    base: String,
}

impl Client {
    /// A client of the server at `base` (`http://host:port`); connects at the first request.
    pub(crate) fn new(base: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .build();
        Self {
            agent: config.into(),
            base: base.to_owned(),
        }
    }

    /// Whether the server says that it is ready.
    pub(crate) fn is_ready(&self) -> bool {
        self.get("/readyz", &[]).is_ok()
    }

    /// GET with a 200 answer, as text.
    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<String> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.call(), path, 200)
    }

    /// GET with a 200 answer, as JSON.
    pub(crate) fn json(&self, path: &str) -> Result<Value> {
        let text = self.get(path, &[])?;
        serde_json::from_str(&text).with_context(|| format!("{path} did not answer JSON"))
    }

    /// POST of a JSON text with a 202 answer.
    pub(crate) fn post(&self, path: &str, body: &str) -> Result<Value> {
        let request = self
            .agent
            .post(format!("{}{path}", self.base))
            .content_type("application/json");
        let text = read(request.send(body), path, 202)?;
        serde_json::from_str(&text).with_context(|| format!("{path} did not answer JSON"))
    }

    /// Submits one task and gives its id.
    pub(crate) fn submit(&self, body: &str) -> Result<String> {
        let answer = self.post("/api/workflows/submit", body)?;
        let id = answer["task_id"]
            .as_str()
            .context("an accepted task without an id")?;
        Ok(id.to_owned())
    }

    /// Waits on the status of a task by long polls until it is final; anything but `completed` is an error.
    pub(crate) fn completed(&self, task_id: &str) -> Result<()> {
        let deadline = Instant::now() + FINAL_WITHIN;
        loop {
            let text = self.get(
                &format!("/api/workflows/status/{task_id}"),
                &[("Prefer", "wait=20")],
            )?;
            let status: Value = serde_json::from_str(&text)?;
            match status["status"].as_str() {
                Some("completed") => return Ok(()),
                Some("pending" | "running") if Instant::now() < deadline => {}
                _ => bail!("task {task_id} did not complete: {text}"),
            }
        }
    }

    /// The tasks completed since installation; a failed or cancelled one is an error, as the work cannot fail.
    pub(crate) fn completed_count(&self) -> Result<u64> {
        let queue: Value = serde_json::from_str(&self.get("/api/workflows/queue", &[])?)?;
        let count = |name: &str| {
            queue[name]
                .as_u64()
                .with_context(|| format!("queue without {name}: {queue}"))
        };
        if count("failed")? + count("cancelled")? > 0 {
            bail!("tasks failed: {queue}");
        }
        count("completed")
    }
}

fn read(
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    path: &str,
    wanted: u16,
) -> Result<String> {
    let answer = answer.with_context(|| format!("request {path}"))?;
    let status = answer.status().as_u16();
    let mut body = answer.into_body();
    let text = body
        .with_config()
        .limit(LARGEST_ANSWER)
        .read_to_string()
        .with_context(|| format!("read the answer of {path}"))?;
    if status != wanted {
        bail!("{path} answered {status} instead of {wanted}: {text}");
    }
    Ok(text)
}
