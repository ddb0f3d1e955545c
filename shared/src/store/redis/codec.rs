//! The parts of a task's record that only this program reads, and the reading
//! of a whole record.
//!
//! Invariant: what is written here comes back equal; what does not parse is
//! [`Error::Corrupt`], never a panic. Lua reads none of these texts.

use redis::Value;
use serde::Deserialize;

use crate::{
    model::{
        AttemptRecord, ErrorCode, Json, Progress, Stamp, TaskError, TaskId, TaskSpec, TaskState,
        TaskView, WorkerId,
    },
    store::{Error, Result},
};

use super::reply::{self, Items};

/// Input length and correlation id in one short field: `length|=` where the
/// correlation id is the task's own id, as it is by default, else
/// `length|:correlation id`.
pub(super) fn mark(id: TaskId, input_bytes: usize, correlation_id: &str) -> String {
    if correlation_id == id.to_string() {
        format!("{input_bytes}|=")
    } else {
        format!("{input_bytes}|:{correlation_id}")
    }
}

/// Reads [`mark`].
pub(super) fn parse_mark(id: TaskId, text: &str) -> Result<(u64, String)> {
    let bad = || Error::Corrupt("a task's mark".into());
    let (bytes, rest) = text.split_once('|').ok_or_else(bad)?;
    let correlation = match rest.split_at_checked(1) {
        Some(("=", "")) => id.to_string(),
        Some((":", correlation)) => correlation.to_owned(),
        _ => return Err(bad()),
    };
    Ok((reply::number(bytes)?, correlation))
}

/// Specification and input in one value. The specification is JSON without a
/// line break, so the first one ends it.
pub(super) fn payload(spec: &TaskSpec, input: &Json) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(512 + input.len());
    serde_json::to_writer(&mut bytes, spec)
        .map_err(|e| Error::Corrupt(format!("a specification that is not JSON: {e}")))?;
    bytes.push(b'\n');
    bytes.extend_from_slice(input.as_str().as_bytes());
    Ok(bytes)
}

/// Reads [`payload`].
pub(super) fn parse_payload(mut text: String) -> Result<(TaskSpec, Json)> {
    let end = text
        .find('\n')
        .ok_or_else(|| Error::Corrupt("a payload without its input".into()))?;
    let spec = parse_spec(&text[..end])?;
    text.drain(..=end);
    Ok((spec, Json::from_text(text)))
}

fn parse_spec(text: &str) -> Result<TaskSpec> {
    // The error is not quoted: it could carry payload.
    serde_json::from_str(text).map_err(|e| {
        Error::Corrupt(format!(
            "a specification, at column {} of it: written by a newer version?",
            e.column()
        ))
    })
}

/// Takes a record apart from the front; every part is little-endian.
struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (part, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(part)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn letter(&mut self) -> Option<char> {
        self.array::<1>().map(|[byte]| byte.into())
    }

    fn small(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// Lua knows no other numbers than doubles.
    fn micros(&mut self) -> Option<Stamp> {
        let number = f64::from_le_bytes(self.array()?);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole microseconds, less than 2^53 of them"
        )]
        Some(Stamp::from_micros(number as i64))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = u16::from_le_bytes(self.array()?);
        std::str::from_utf8(self.bytes(length.into())?).ok()
    }
}

/// Those of the fields that most tasks do not have that a view shows.
#[derive(Default, Deserialize)]
#[serde(default)]
struct RareFields {
    f: u32,
    due: Option<i64>,
    tl: Option<u64>,
    r#as: u32,
    pg: Option<String>,
    ca: bool,
    e: Option<String>,
    em: String,
}

/// What a view shows of a record.
struct Fields {
    state: TaskState,
    attempt: u32,
    submitted_at: Stamp,
    started_at: Option<Stamp>,
    finished_at: Option<Stamp>,
    worker: Option<WorkerId>,
    rare: RareFields,
}

impl Fields {
    fn read(bytes: &[u8]) -> Result<Self> {
        // The error is not quoted: it could carry an error's message.
        Self::parse(&mut Parts(bytes)).ok_or_else(|| Error::Corrupt("the record of a task".into()))
    }

    /// The layout of `lua/core.lua`, in its order; what no view shows is passed
    /// over.
    fn parse(parts: &mut Parts<'_>) -> Option<Self> {
        let given = |stamp: Stamp| (stamp.micros() > 0).then_some(stamp);
        let state = TaskState::from_letter(parts.letter()?)?;
        let attempt = parts.small()?;
        let _number = parts.bytes(8)?;
        let submitted_at = parts.micros()?;
        let _most_attempts = parts.small()?;
        let _band_or_weight = parts.bytes(8)?;
        let _reported = parts.letter()?;
        let (started_at, finished_at) = (parts.micros()?, parts.micros()?);
        let (_queue, _mark, _token) = (parts.text()?, parts.text()?, parts.text()?);
        let worker = match parts.text()? {
            "" => None,
            name => Some(name.parse().ok()?),
        };
        let rare = match parts.0 {
            [] => RareFields::default(),
            packed => rmp_serde::from_slice(packed).ok()?,
        };
        Some(Self {
            state,
            attempt,
            submitted_at,
            started_at: given(started_at),
            finished_at: given(finished_at),
            worker,
            rare,
        })
    }

    fn progress(&self) -> Result<Option<Progress>> {
        let shown = matches!(self.state, TaskState::Running | TaskState::Completed);
        let stored = self.rare.pg.as_ref().filter(|_| shown);
        stored
            .map(|text| serde_json::from_str(text))
            .transpose()
            .map_err(|_| Error::Corrupt("a task's progress".into()))
    }

    fn error(&self) -> Result<Option<TaskError>> {
        match (&self.rare.e, self.state) {
            (Some(code), TaskState::Failed | TaskState::Cancelled) => {
                let message = self.rare.em.as_str();
                Ok(Some(TaskError::new(error_code(code)?, message)))
            }
            _ => Ok(None),
        }
    }

    /// The latest run, where it is not among the ended ones: while it goes on,
    /// and after success, which leaves no record of its own.
    fn latest(&self) -> Option<AttemptRecord> {
        let finished_at = match self.state {
            TaskState::Running => None,
            TaskState::Completed => self.finished_at,
            _ => return None,
        };
        Some(AttemptRecord {
            attempt: self.attempt,
            started_at: self.started_at?,
            finished_at,
            worker_id: self.worker.clone()?,
            code: None,
            message: None,
        })
    }
}

fn error_code(name: &str) -> Result<ErrorCode> {
    ErrorCode::ALL
        .into_iter()
        .find(|code| code.as_str() == name)
        .ok_or_else(|| Error::Corrupt(format!("`{}` as an error code", super::keys::shorten(name))))
}

fn worker_id(text: &str) -> Result<WorkerId> {
    text.parse()
        .map_err(|_| Error::Corrupt("a worker's id".into()))
}

/// Reads `attempt|started|finished|worker|code|message`.
fn ended_attempt(text: &str) -> Result<AttemptRecord> {
    let mut parts = text.splitn(6, '|');
    let mut next = || {
        parts
            .next()
            .ok_or_else(|| Error::Corrupt("a record of an attempt".into()))
    };
    Ok(AttemptRecord {
        attempt: reply::number(next()?)?,
        started_at: reply::stamp(next()?)?,
        finished_at: Some(reply::stamp(next()?)?),
        worker_id: worker_id(next()?)?,
        code: Some(next()?.to_owned()),
        message: Some(next()?.to_owned()),
    })
}

/// Reads what `lua/view.lua` gives of a task.
pub(super) fn view(value: Value) -> Result<TaskView> {
    let mut items = Items::of(value)?;
    let id = items.id()?;
    let fields = Fields::read(&items.bytes()?)?;
    let state = fields.state;
    let spec = parse_spec(&items.text()?)?;
    let result = items.maybe_text()?.map(Json::from_text);
    let mut dependents = items.items()?;
    let mut ended = items.items()?;

    let mut attempts = Vec::with_capacity(ended.len() + 1);
    while !ended.is_empty() {
        attempts.push(ended_attempt(&ended.text()?)?);
    }
    attempts.extend(fields.latest());
    let surplus = attempts.len().saturating_sub(TaskView::ATTEMPTS_KEPT);
    attempts.drain(..surplus);

    let mut children = Vec::with_capacity(dependents.len());
    while !dependents.is_empty() {
        children.push(dependents.id()?);
    }
    let due_at = fields.rare.due.map(Stamp::from_micros);
    Ok(TaskView {
        id,
        spec,
        state,
        attempt: fields.attempt,
        failures: fields.rare.f,
        progress: fields.progress()?,
        dependents: children,
        submitted_at: fields.submitted_at,
        started_at: fields.started_at,
        finished_at: fields.finished_at,
        due_at: due_at.filter(|_| state == TaskState::Scheduled),
        too_large: fields.rare.tl,
        asides: fields.rare.r#as,
        cancel_requested: fields.rare.ca && state == TaskState::Running,
        result: result.filter(|_| state == TaskState::Completed),
        error: fields.error()?,
        worker_id: fields.worker,
        attempts,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{OnDependencyFailure, Priority, RetryPolicy, TenantId};

    fn spec() -> TaskSpec {
        TaskSpec {
            tenant: TenantId::default(),
            workflow_type: "diagnostic.noop".parse().unwrap(),
            priority: Priority::High,
            depends_on: Vec::new(),
            reads: Vec::new(),
            on_dependency_failure: OnDependencyFailure::Run,
            retry: RetryPolicy::default(),
            timeout_ms: 1000,
            run_at: Some(Stamp::from_micros(1_763_866_862_120_001)),
            expires_at: None,
            correlation_id: "a\nb|c".into(),
            labels: [("k\n".into(), "v".into())].into(),
            traceparent: None,
        }
    }

    #[test]
    fn payloads_come_back_whatever_the_input_holds() {
        for input in ["null", "{\"a\":\n[1,\r\n2]}", "\"\\n\""] {
            let input = Json::from_text(input.into());
            let bytes = payload(&spec(), &input).unwrap();
            let (back, text) = parse_payload(String::from_utf8(bytes).unwrap()).unwrap();
            assert_eq!((back, text), (spec(), input));
        }
        assert!(parse_payload("{}".into()).is_err());
        assert!(parse_payload("{}\n1".into()).is_err());
    }

    #[test]
    fn marks_come_back() {
        let id = TaskId::from_bytes([7; 16]);
        for correlation in [id.to_string().as_str(), "", "=", "a|b:c"] {
            let text = mark(id, 42, correlation);
            assert_eq!(parse_mark(id, &text).unwrap(), (42, correlation.to_owned()));
        }
        assert_eq!(mark(id, 42, &id.to_string()), "42|=");
        for bad in ["", "42", "42|", "42|x", "x|="] {
            assert!(parse_mark(id, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_ended_attempt_keeps_its_message_whole() {
        let record = ended_attempt("3|1000|2000|w-1:x|timeout|a|b").unwrap();
        assert_eq!(record.attempt, 3);
        assert_eq!(record.finished_at, Some(Stamp::from_micros(2000)));
        assert_eq!(record.message.as_deref(), Some("a|b"));
        assert!(ended_attempt("3|1000|2000|w|timeout").is_err());
    }

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn a_success_shows_its_run_though_no_record_of_it_was_written() {
        let json = serde_json::to_string(&spec()).unwrap();
        let id = TaskId::from_bytes([7; 16]);
        let rare: BTreeMap<_, _> = [("due", 6), ("f", 1), ("unknown", 1)].into();
        // As Lua packs it.
        let mut bytes = vec![b'C'];
        bytes.extend(2_u32.to_le_bytes());
        bytes.extend([1.0, 5.0].map(f64::to_le_bytes).concat());
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend((-1.0_f64).to_le_bytes());
        bytes.push(b'C');
        bytes.extend([7.0, 9.0].map(f64::to_le_bytes).concat());
        for text in ["2:a:b", "3|=", "token", "w2"] {
            bytes.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes.extend(rmp_serde::to_vec(&rare).unwrap());
        let value = Value::Array(vec![
            Value::BulkString(id.as_bytes().to_vec()),
            Value::BulkString(bytes),
            text(&json),
            text("1"),
            Value::Array(Vec::new()),
            Value::Array(vec![text("1|3|4|w1|timeout|late")]),
        ]);
        let view = view(value).unwrap();
        assert_eq!(view.attempts.len(), 2);
        assert_eq!(view.attempts[1].finished_at, Some(Stamp::from_micros(9)));
        assert_eq!(view.attempts[1].code, None);
        assert_eq!((view.due_at, view.error, view.failures), (None, None, 1));
        assert_eq!(view.result, Some(Json::from_text("1".into())));
        assert!(Fields::read(b"nonsense").is_err());
    }
}
