//! What a run's end means for its task: pure.
//!
//! Invariant: total over every way to end and every reason to stop. A success
//! always counts, unless the lease is gone.

use serde_json::Value;
use shared::{
    model::{ErrorCode, Json, RetryPolicy, TaskError},
    store::verbs::Outcome,
};

use super::prepare::task_error;
use crate::handler::{HandlerError, Why};

/// How a run ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// Its handler came to an end.
    Returned(Result<Value, HandlerError>),
    /// Its handler panicked, with this text if it is a constant of the
    /// program.
    Panicked(Option<&'static str>),
    /// It never began: its input cannot be used.
    Unusable(TaskError),
    /// Its time was over.
    TimedOut,
    /// It was asked to stop and had to be left.
    Left,
}

/// What is to be said of a run.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// This outcome is to be committed.
    Report(Outcome),
    /// The task goes back.
    GiveBack,
    /// Nothing: the lease is gone.
    Nothing,
}

/// The policy that decides about the next attempt.
#[derive(Debug)]
pub(super) struct Policy<'a> {
    pub(super) retry: &'a RetryPolicy,
    /// Earlier failures.
    pub(super) failures: u32,
    pub(super) timeout_ms: u64,
    /// Uniform in [0, 1): decides the jitter.
    pub(super) unit: f64,
}

/// What the end means, given why the run was asked to stop, if it was.
pub(super) fn classify(ended: Ended, why: Option<Why>, policy: &Policy<'_>) -> Verdict {
    match (readable(ended), why) {
        (_, Some(Why::Refused)) => Verdict::Nothing,
        (Ended::Returned(Ok(result)), _) => {
            Verdict::Report(Outcome::Completed(Json::from_value(&result)))
        }
        (_, Some(Why::Cancelled)) => Verdict::Report(Outcome::Cancelled),
        (_, Some(Why::GivenBack)) => Verdict::GiveBack,
        (ended, Some(Why::TimedOut) | None) => {
            Verdict::Report(failed(error(ended, policy), policy))
        }
    }
}

/// A result that no dependent and no client could parse is no result.
fn readable(ended: Ended) -> Ended {
    match ended {
        Ended::Returned(Ok(result)) if Json::is_too_deep(&result) => {
            Ended::Returned(Err(HandlerError::limit_exceeded(format!(
                "the result is nested deeper than {} levels, the most that readers of JSON follow",
                Json::MAX_DEPTH
            ))))
        }
        ended => ended,
    }
}

fn error(ended: Ended, policy: &Policy<'_>) -> TaskError {
    match ended {
        Ended::Returned(Err(error)) => task_error(&error),
        Ended::Unusable(error) => error,
        Ended::TimedOut => TaskError::new(
            ErrorCode::Timeout,
            format!("the run took longer than {} ms", policy.timeout_ms),
        ),
        // A formatted message may quote the input, which is nobody's to store.
        Ended::Panicked(text) => TaskError::new(
            ErrorCode::Panic,
            text.map_or_else(
                || "the handler panicked (its message may quote the input and is withheld)".into(),
                |text| format!("the handler panicked: {text}"),
            ),
        ),
        Ended::Returned(Ok(_)) | Ended::Left => TaskError::new(
            ErrorCode::Internal,
            "the run was left without a reason; this is a bug",
        ),
    }
}

fn failed(error: TaskError, policy: &Policy<'_>) -> Outcome {
    Outcome::Failed {
        error,
        retry_in: policy
            .retry
            .delay(policy.failures.saturating_add(1), policy.unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    const WHYS: [Option<Why>; 5] = [
        None,
        Some(Why::Cancelled),
        Some(Why::Refused),
        Some(Why::GivenBack),
        Some(Why::TimedOut),
    ];

    fn verdict(ended: Ended, why: Option<Why>) -> Verdict {
        let retry = RetryPolicy {
            jitter: false,
            ..RetryPolicy::default()
        };
        let policy = Policy {
            retry: &retry,
            failures: 2,
            timeout_ms: 70,
            unit: 0.3,
        };
        classify(ended, why, &policy)
    }

    fn code(verdict: &Verdict) -> Option<ErrorCode> {
        match verdict {
            Verdict::Report(Outcome::Failed { error, .. }) => Some(error.code),
            _ => None,
        }
    }

    #[test]
    fn a_success_counts_unless_the_lease_is_gone() {
        for why in WHYS {
            let verdict = verdict(Ended::Returned(Ok(json!(1))), why);
            let expected = match why {
                Some(Why::Refused) => Verdict::Nothing,
                _ => Verdict::Report(Outcome::Completed(Json::from_text("1".into()))),
            };
            assert_eq!(verdict, expected, "{why:?}");
        }
    }

    #[test]
    fn a_result_that_nobody_could_read_fails_for_good() {
        let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        let deepest = nested(Json::MAX_DEPTH);
        let Verdict::Report(Outcome::Completed(text)) =
            verdict(Ended::Returned(Ok(deepest.clone())), None)
        else {
            panic!("{} levels are a result", Json::MAX_DEPTH)
        };
        assert_eq!(text.parse::<Value>().unwrap(), deepest);
        let status = format!("{{\"result\":{}}}", text.as_str());
        assert!(serde_json::from_str::<Value>(&status).is_ok());
        let too_deep = verdict(Ended::Returned(Ok(nested(Json::MAX_DEPTH + 1))), None);
        let Verdict::Report(Outcome::Failed { error, .. }) = too_deep else {
            panic!("{too_deep:?}")
        };
        assert_eq!(
            (error.code, error.retryable),
            (ErrorCode::LimitExceeded, false)
        );
        assert!(error.message.contains("126"), "{}", error.message);
    }

    #[test]
    fn any_other_end_follows_the_reason_to_stop() {
        type Make = fn() -> (Ended, ErrorCode);
        let ends: [Make; 4] = [
            || (Ended::Panicked(None), ErrorCode::Panic),
            || (Ended::TimedOut, ErrorCode::Timeout),
            || {
                (
                    Ended::Returned(Err(HandlerError::failed("x"))),
                    ErrorCode::HandlerError,
                )
            },
            || {
                (
                    Ended::Returned(Err(HandlerError::invalid_input("", "x"))),
                    ErrorCode::InvalidInput,
                )
            },
        ];
        for make in ends {
            let with = |why| verdict(make().0, why);
            assert_eq!(with(Some(Why::Refused)), Verdict::Nothing);
            assert_eq!(
                with(Some(Why::Cancelled)),
                Verdict::Report(Outcome::Cancelled)
            );
            assert_eq!(with(Some(Why::GivenBack)), Verdict::GiveBack);
            assert_eq!(code(&with(None)), Some(make().1));
        }
    }

    #[test]
    fn the_delay_grows_with_the_failures_before() {
        let Verdict::Report(Outcome::Failed { retry_in, .. }) = verdict(Ended::TimedOut, None)
        else {
            panic!("a timeout is a failure")
        };
        assert_eq!(
            retry_in,
            Duration::from_secs(4),
            "the third failure in a row"
        );
    }

    #[test]
    fn a_formatted_panic_is_withheld() {
        let shown = error(
            Ended::Panicked(Some("on purpose")),
            &Policy {
                retry: &RetryPolicy::default(),
                failures: 0,
                timeout_ms: 1,
                unit: 0.0,
            },
        );
        assert!(shown.message.ends_with("on purpose"));
    }
}
