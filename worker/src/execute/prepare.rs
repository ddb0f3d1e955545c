//! Turns what the store granted into what a handler is given: the input, with
//! every `$result` replaced by what it stands for.
//!
//! Invariant: pure.

use serde_json::Value;
use shared::{
    model::{
        ErrorCode, OnDependencyFailure, TaskError,
        reference::{self, Reference},
    },
    store::{
        large,
        verbs::{Granted, ParentResult},
    },
};

use crate::handler::{HandlerError, Problem};

/// A large text that was recalled in vain.
const LOST: &str = "a large input or parent's result is not in the blob store, or this version cannot read it; \
     look at --blob-url of this worker and of the fleet";

/// The input as the handler sees it. A pointer that finds nothing in a
/// parent's result is the input's fault; a missing result is null where the
/// task asked to run without it.
pub(super) fn input(granted: &Granted) -> Result<Value, TaskError> {
    if large::is_mark(&granted.input) {
        return Err(TaskError::new(ErrorCode::Internal, LOST));
    }
    let mut input: Value = granted.input.parse().map_err(|_| {
        TaskError::new(
            ErrorCode::Internal,
            "the stored input is not JSON; the store was damaged",
        )
    })?;
    if granted.spec.reads.is_empty() {
        return Ok(input);
    }
    let mut parents = Parents::new(&granted.parents, granted.spec.on_dependency_failure);
    let mut missing = Vec::new();
    for lack in reference::replace(&mut input, &mut |at| parents.read(at)) {
        match lack {
            Lack::Result(error) => return Err(error),
            Lack::Place(problem) => missing.push(problem),
        }
    }
    if missing.is_empty() {
        Ok(input)
    } else {
        Err(task_error(&HandlerError::invalid_inputs(&missing)))
    }
}

/// A handler's error as the task's.
pub(super) fn task_error(error: &HandlerError) -> TaskError {
    TaskError::new(error.code(), error.message())
}

/// Why a reference has no value.
enum Lack {
    /// The parent's result is not there or not readable.
    Result(TaskError),
    /// The result has nothing at that place.
    Place(Problem),
}

/// The parents' results, each parsed at most once.
struct Parents<'a> {
    given: &'a [ParentResult],
    parsed: Vec<Option<Value>>,
    policy: OnDependencyFailure,
}

impl<'a> Parents<'a> {
    fn new(given: &'a [ParentResult], policy: OnDependencyFailure) -> Self {
        Self {
            given,
            parsed: vec![None; given.len()],
            policy,
        }
    }

    fn read(&mut self, at: &Reference) -> Result<Value, Lack> {
        let id = at.task.parse().ok();
        let place = self
            .given
            .iter()
            .position(|parent| Some(parent.task) == id)
            .ok_or_else(|| lost("is not among the parents of this task"))?;
        let Some(text) = &self.given[place].result else {
            return match self.policy {
                OnDependencyFailure::Run => Ok(Value::Null),
                OnDependencyFailure::Cancel => Err(lost("has no result")),
            };
        };
        if large::is_mark(text) {
            return Err(Lack::Result(TaskError::new(ErrorCode::Internal, LOST)));
        }
        if self.parsed[place].is_none() {
            let value = text.parse().map_err(|_| lost("has a damaged result"))?;
            self.parsed[place] = Some(value);
        }
        let whole = self.parsed[place].as_ref();
        whole
            .and_then(|result| result.pointer(&at.pointer))
            .cloned()
            .ok_or_else(|| {
                Lack::Place(Problem {
                    pointer: at.at.clone(),
                    detail: format!("the result of {} has nothing at {}", at.task, at.pointer),
                })
            })
    }
}

fn lost(what: &str) -> Lack {
    Lack::Result(TaskError::new(
        ErrorCode::Internal,
        format!("a task whose result the input reads {what}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::model::{Json, Priority, RetryPolicy, TaskId, TaskSpec, TenantId};

    fn granted(input: &Value, result: Option<Value>, policy: OnDependencyFailure) -> Granted {
        let parent = TaskId::from_bytes([1; 16]);
        let spec = TaskSpec {
            tenant: TenantId::default(),
            workflow_type: "diagnostic.echo".parse().unwrap(),
            priority: Priority::Medium,
            depends_on: vec![parent],
            reads: vec![parent],
            on_dependency_failure: policy,
            retry: RetryPolicy::default(),
            timeout_ms: 1000,
            run_at: None,
            expires_at: None,
            correlation_id: "c-1".into(),
            labels: std::collections::BTreeMap::new(),
            traceparent: None,
        };
        Granted {
            task: TaskId::from_bytes([2; 16]),
            spec,
            input: Json::from_value(input),
            attempt: 1,
            failures: 0,
            parents: vec![ParentResult {
                task: parent,
                result: result.map(|value| Json::from_value(&value)),
            }],
        }
    }

    fn reads(pointers: &[&str]) -> Value {
        let parent = TaskId::from_bytes([1; 16]).to_string();
        let references: Vec<_> = pointers
            .iter()
            .map(|pointer| json!({"$result": parent, "pointer": pointer}))
            .collect();
        json!({"keep": true, "take": references})
    }

    #[test]
    fn references_become_the_parents_results() {
        let result = json!({"paths": [[1, 2]], "n": 3});
        let granted = granted(
            &reads(&["/paths/0", "/n", ""]),
            Some(result.clone()),
            OnDependencyFailure::Cancel,
        );
        assert_eq!(
            input(&granted).unwrap(),
            json!({"keep": true, "take": [[1, 2], 3, result]})
        );
    }

    #[test]
    fn every_pointer_that_finds_nothing_is_named_with_its_place() {
        for policy in [OnDependencyFailure::Cancel, OnDependencyFailure::Run] {
            let granted = granted(&reads(&["/a", "/n", "/b"]), Some(json!({"n": 1})), policy);
            let error = input(&granted).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidInput);
            assert!(
                error.message.contains("/take/0: ") && error.message.contains("/take/2: "),
                "{}",
                error.message
            );
        }
    }

    #[test]
    fn a_missing_result_is_null_only_where_the_task_runs_without_it() {
        let runs = granted(&reads(&["/a"]), None, OnDependencyFailure::Run);
        assert_eq!(input(&runs).unwrap()["take"], json!([null]));
        let cancels = granted(&reads(&["/a"]), None, OnDependencyFailure::Cancel);
        assert_eq!(input(&cancels).unwrap_err().code, ErrorCode::Internal);
    }
}
