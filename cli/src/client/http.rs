//! HTTP to the coordinator, with its problems turned into sentences.
//!
//! Invariant: a refusal (4xx, a stopped fleet) and a failure (other 5xx, no
//! answer) are different exit codes; every problem that the answer lists is shown.

use std::{fs::File, path::Path, time::Duration};

use serde_json::Value;
use ureq::{
    Agent,
    http::{Response, Uri},
};

use crate::exit::{Failure, REFUSED, UNAVAILABLE};

use super::usage;

/// Longer than any long poll that these commands ask for (20 s), so that only
/// a silent coordinator runs into it.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);

/// A coordinator somewhere.
#[derive(Debug)]
pub(crate) struct Api {
    agent: Agent,
    base: String,
}

type Answer = Result<Value, Failure>;

impl Api {
    /// The coordinator at this address.
    ///
    /// # Errors
    /// A wrong usage, if the address is not one of plain HTTP.
    pub(crate) fn new(url: &str) -> Result<Self, Failure> {
        Self::with_patience(url, ANSWER_WITHIN)
    }

    /// The same, for one who would rather go on than wait longer than this.
    pub(crate) fn with_patience(url: &str, patience: Duration) -> Result<Self, Failure> {
        check(url)?;
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(patience))
            .build()
            .into();
        Ok(Self {
            agent,
            base: url.trim_end_matches('/').to_owned(),
        })
    }

    /// GET, as JSON.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.read(self.agent.get(format!("{}{path}", self.base)).call())
    }

    /// GET of a task that answers when the task has ended, or after `seconds`.
    pub(crate) fn get_when_ended(&self, path: &str, seconds: u32) -> Answer {
        let request = self.agent.get(format!("{}{path}", self.base));
        self.read(request.header("Prefer", format!("wait={seconds}")).call())
    }

    /// POST of JSON.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_idempotent(path, body, None)
    }

    /// PUT of JSON.
    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        let request = self.agent.put(format!("{}{path}", self.base));
        self.read(request.send_json(body))
    }

    /// POST of JSON under an idempotency key.
    pub(crate) fn post_idempotent(&self, path: &str, body: &Value, key: Option<&str>) -> Answer {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        self.read(request.send_json(body))
    }

    /// POST of a file's bytes, read piece by piece; the answer names its id.
    pub(crate) fn upload(&self, path: &Path) -> Answer {
        let file =
            File::open(path).map_err(|error| usage(format!("{}: {error}", path.display())))?;
        let mut request = self
            .agent
            .post(format!("{}/api/files", self.base))
            .header("Content-Type", "application/octet-stream");
        // A name that no header can hold is not worth a failure: it is only shown.
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(name) = name.filter(|name| name.bytes().all(|b| (b' '..0x7f).contains(&b))) {
            request = request.header("X-Filename", name);
        }
        self.read(request.send(file))
    }

    fn read(&self, answer: Result<Response<ureq::Body>, ureq::Error>) -> Answer {
        let mut answer = answer.map_err(|error| {
            let text = format!(
                "no answer from {}: {error}; is a coordinator running there? (--url or ZEROGATE_URL)",
                self.base
            );
            Failure::new(UNAVAILABLE, text)
        })?;
        let status = answer.status();
        let body: Value = answer
            .body_mut()
            .with_config()
            .limit(512 * 1024 * 1024)
            .read_json()
            .map_err(|error| Failure::new(UNAVAILABLE, format!("{}: {error}", self.base)))?;
        if status.is_success() {
            return Ok(body);
        }
        // A stopped fleet answers, and refuses; other 5xx mean that it cannot.
        let stopped = body["type"] == "urn:zerogate:problem:stopped";
        let code = if status.is_client_error() || stopped {
            REFUSED
        } else {
            UNAVAILABLE
        };
        Err(Failure::new(code, sentence(status.as_u16(), &body)))
    }
}

/// Whether this is an address that the client can speak to.
fn check(url: &str) -> Result<(), Failure> {
    let wrong = |why: &str| {
        let text =
            format!("`{url}` {why}; write --url or ZEROGATE_URL such as http://127.0.0.1:8080");
        usage(text)
    };
    let uri: Uri = url.parse().map_err(|_| wrong("is not an address"))?;
    match (uri.scheme_str(), uri.query()) {
        (Some("http"), None) => Ok(()),
        (Some("http"), Some(_)) => Err(wrong("has a query")),
        (Some("https"), _) => Err(wrong("is HTTPS, which this program does not speak yet")),
        _ => Err(wrong("does not begin with http://")),
    }
}

/// A problem document as text: what, and every place.
fn sentence(status: u16, problem: &Value) -> String {
    let text = |key: &str| problem.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut lines = vec![format!("{} ({status}): {}", text("title"), text("detail"))];
    for error in problem
        .get("errors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let part = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
        lines.push(format!("  {}: {}", part("pointer"), part("detail")));
    }
    lines.join("\n")
}

/// A task id as one segment of a path.
pub(crate) fn segment(text: &str) -> Result<&str, Failure> {
    plain(
        text,
        "a task id; copy it from `zerogate submit` or `zerogate status`",
    )
}

/// A worker id as one segment of a path.
pub(crate) fn worker(text: &str) -> Result<&str, Failure> {
    plain(text, "a worker id; copy it from `zerogate workers`")
}

/// A feature's name as one segment of a path.
pub(crate) fn feature(text: &str) -> Result<&str, Failure> {
    plain(text, "a feature; copy it from `zerogate features`")
}

fn plain<'a>(text: &'a str, what: &str) -> Result<&'a str, Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    let is_path = text.chars().all(|c| c == '.');
    if !is_path && text.chars().all(plain) {
        Ok(text)
    } else {
        Err(usage(format!("`{text}` is not {what}")))
    }
}
