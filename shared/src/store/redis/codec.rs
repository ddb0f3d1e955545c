//! The parts of a task's record that only this program reads, and the reading
//! of a whole record.
//!
//! Invariant: what is written here comes back equal; what does not parse is
//! [`Error::Corrupt`], never a panic. Lua reads none of these texts.

use redis::Value;

use crate::{
    model::{
        AttemptRecord, ErrorCode, Json, Progress, Stamp, TaskError, TaskId, TaskSpec, TaskState,
        TaskView,
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

/// The fields of a record that a view shows, as texts.
#[derive(Default)]
struct Fields {
    state: Option<TaskState>,
    attempt: u32,
    failures: u32,
    submitted_at: Stamp,
    started_at: Option<Stamp>,
    finished_at: Option<Stamp>,
    due_at: Option<Stamp>,
    worker: Option<String>,
    progress: Option<String>,
    cancel: bool,
    code: Option<String>,
    message: String,
}

impl Fields {
    fn read(mut items: Items) -> Result<Self> {
        let mut fields = Self::default();
        while !items.is_empty() {
            let name = items.text()?;
            let value = items.text()?;
            match name.as_str() {
                "s" => fields.state = value.chars().next().map(reply::state).transpose()?,
                "a" => fields.attempt = reply::number(&value)?,
                "f" => fields.failures = reply::number(&value)?,
                "b" => fields.submitted_at = reply::stamp(&value)?,
                "st" => fields.started_at = Some(reply::stamp(&value)?),
                "fa" => fields.finished_at = Some(reply::stamp(&value)?),
                "du" => fields.due_at = Some(reply::stamp(&value)?),
                "w" => fields.worker = Some(value),
                "pg" => fields.progress = Some(value),
                "ca" => fields.cancel = true,
                "e" => fields.code = Some(value),
                "em" => fields.message = value,
                _ => {}
            }
        }
        Ok(fields)
    }

    fn progress(&self, state: TaskState) -> Result<Option<Progress>> {
        let shown = matches!(state, TaskState::Running | TaskState::Completed);
        let stored = self.progress.as_ref().filter(|_| shown);
        stored
            .map(|text| serde_json::from_str(text))
            .transpose()
            .map_err(|_| Error::Corrupt("a task's progress".into()))
    }

    fn error(&self, state: TaskState) -> Result<Option<TaskError>> {
        match (&self.code, state) {
            (Some(code), TaskState::Failed | TaskState::Cancelled) => {
                Ok(Some(TaskError::new(error_code(code)?, &*self.message)))
            }
            _ => Ok(None),
        }
    }

    /// The latest run, where it is not among the ended ones: while it goes on,
    /// and after success, which leaves no record of its own.
    fn latest(&self, state: TaskState) -> Result<Option<AttemptRecord>> {
        let (Some(started_at), Some(worker)) = (self.started_at, &self.worker) else {
            return Ok(None);
        };
        let finished_at = match state {
            TaskState::Running => None,
            TaskState::Completed => self.finished_at,
            _ => return Ok(None),
        };
        Ok(Some(AttemptRecord {
            attempt: self.attempt,
            started_at,
            finished_at,
            worker_id: worker_id(worker)?,
            code: None,
            message: None,
        }))
    }
}

fn error_code(name: &str) -> Result<ErrorCode> {
    ErrorCode::ALL
        .into_iter()
        .find(|code| code.as_str() == name)
        .ok_or_else(|| Error::Corrupt(format!("`{}` as an error code", super::keys::shorten(name))))
}

fn worker_id(text: &str) -> Result<crate::model::WorkerId> {
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
    let fields = Fields::read(items.items()?)?;
    let spec = parse_spec(&items.text()?)?;
    let result = items.maybe_text()?.map(Json::from_text);
    let mut dependents = items.items()?;
    let mut ended = items.items()?;
    let state = fields
        .state
        .ok_or_else(|| Error::Corrupt(format!("task {id} without a state")))?;

    let mut attempts = Vec::with_capacity(ended.len() + 1);
    while !ended.is_empty() {
        attempts.push(ended_attempt(&ended.text()?)?);
    }
    attempts.extend(fields.latest(state)?);
    let surplus = attempts.len().saturating_sub(TaskView::ATTEMPTS_KEPT);
    attempts.drain(..surplus);

    let mut children = Vec::with_capacity(dependents.len());
    while !dependents.is_empty() {
        children.push(dependents.id()?);
    }
    Ok(TaskView {
        id,
        spec,
        state,
        attempt: fields.attempt,
        failures: fields.failures,
        progress: fields.progress(state)?,
        dependents: children,
        submitted_at: fields.submitted_at,
        started_at: fields.started_at,
        finished_at: fields.finished_at.filter(|_| state.is_final()),
        due_at: fields.due_at.filter(|_| state == TaskState::Scheduled),
        worker_id: fields.worker.as_deref().map(worker_id).transpose()?,
        cancel_requested: fields.cancel && state == TaskState::Running,
        result: result.filter(|_| state == TaskState::Completed),
        error: fields.error(state)?,
        attempts,
    })
}

#[cfg(test)]
mod tests {
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

    fn texts(parts: &[&str]) -> Value {
        let of = |part: &&str| Value::BulkString(part.as_bytes().to_vec());
        Value::Array(parts.iter().map(of).collect())
    }

    #[test]
    fn a_success_shows_its_run_though_no_record_of_it_was_written() {
        let json = serde_json::to_string(&spec()).unwrap();
        let id = TaskId::from_bytes([7; 16]);
        let record = [
            "s", "C", "a", "2", "b", "5", "st", "7", "fa", "9", "w", "w2", "du", "6", "e",
            "timeout",
        ];
        let value = Value::Array(vec![
            Value::BulkString(id.to_string().into()),
            texts(&record),
            Value::BulkString(json.into()),
            Value::BulkString(b"1".to_vec()),
            texts(&[]),
            texts(&["1|3|4|w1|timeout|late"]),
        ]);
        let view = view(value).unwrap();
        assert_eq!(view.attempts.len(), 2);
        assert_eq!(view.attempts[1].finished_at, Some(Stamp::from_micros(9)));
        assert_eq!(view.attempts[1].code, None);
        assert_eq!((view.due_at, view.error), (None, None));
        assert_eq!(view.result, Some(Json::from_text("1".into())));
    }
}
