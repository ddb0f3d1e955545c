//! Why a task failed, in the closed vocabulary of the API.
//!
//! Invariant: the code alone decides whether another attempt may help.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The closed set of reasons a task can fail for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The input is wrong; the message says where.
    InvalidInput,
    /// The input is larger than a documented bound.
    LimitExceeded,
    /// The handler reported a failure of its own.
    HandlerError,
    /// A bug or a fault of the platform.
    Internal,
    /// The run took longer than its timeout.
    Timeout,
    /// The handler panicked.
    Panic,
    /// Its workers vanished, too often.
    WorkerLost,
    /// It is suspected of exhausting its workers' memory.
    OomSuspect,
    /// It did not start before `expires_at`.
    Expired,
    /// Someone cancelled it.
    Cancelled,
    /// A parent failed and the task depends on its success.
    DependencyFailed,
    /// No handler knows its type.
    UnknownType,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 12] = [
        Self::InvalidInput,
        Self::LimitExceeded,
        Self::HandlerError,
        Self::Internal,
        Self::Timeout,
        Self::Panic,
        Self::WorkerLost,
        Self::OomSuspect,
        Self::Expired,
        Self::Cancelled,
        Self::DependencyFailed,
        Self::UnknownType,
    ];

    /// Whether another attempt may succeed, while attempts last.
    #[must_use]
    pub const fn retryable(self) -> bool {
        match self {
            Self::HandlerError
            | Self::Internal
            | Self::Timeout
            | Self::Panic
            | Self::WorkerLost => true,
            Self::InvalidInput
            | Self::LimitExceeded
            | Self::OomSuspect
            | Self::Expired
            | Self::Cancelled
            | Self::DependencyFailed
            | Self::UnknownType => false,
        }
    }

    /// The code as it stands in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::LimitExceeded => "limit_exceeded",
            Self::HandlerError => "handler_error",
            Self::Internal => "internal",
            Self::Timeout => "timeout",
            Self::Panic => "panic",
            Self::WorkerLost => "worker_lost",
            Self::OomSuspect => "oom_suspect",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::DependencyFailed => "dependency_failed",
            Self::UnknownType => "unknown_type",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a failed or cancelled task says of its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskError {
    /// The reason, from the closed set.
    pub code: ErrorCode,
    /// One sentence for a person: where, and what to do. Never payload.
    pub message: String,
    /// Whether another attempt may help; follows from `code`.
    pub retryable: bool,
}

impl TaskError {
    /// An error with this code and message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retryable: code.retryable(),
        }
    }
}
