//! Every error of the API, as RFC 9457 asks.
//!
//! Invariant: a problem's code decides its status and title. The response
//! carries the problem as an extension; [`super::frame`] writes it down,
//! because only there the request's id is known.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared::{blobs, store};

use crate::submit::Finding;

/// What kind of problem; the last part of its URN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    MalformedJson,
    BadRequest,
    TenantHeader,
    NotFound,
    MethodNotAllowed,
    WrongState,
    ParentFailed,
    KeyInFlight,
    TooSlow,
    TooLarge,
    UnsupportedMedia,
    Invalid,
    KeyReused,
    Internal,
    Stopped,
    StoreUnavailable,
    StoreFull,
    BlobsUnavailable,
}

impl Code {
    const fn parts(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::MalformedJson => ("malformed_json", S::BAD_REQUEST, "The body is not JSON"),
            Self::BadRequest => ("bad_request", S::BAD_REQUEST, "The request cannot be read"),
            Self::TenantHeader => (
                "tenant_header",
                S::BAD_REQUEST,
                "X-Tenant-Id is not accepted",
            ),
            Self::NotFound => ("not_found", S::NOT_FOUND, "There is nothing here"),
            Self::MethodNotAllowed => (
                "method_not_allowed",
                S::METHOD_NOT_ALLOWED,
                "This method is not possible here",
            ),
            Self::WrongState => (
                "wrong_state",
                S::CONFLICT,
                "The task's state does not allow this",
            ),
            Self::ParentFailed => ("parent_failed", S::CONFLICT, "A parent of the task failed"),
            Self::KeyInFlight => (
                "idempotency_in_flight",
                S::CONFLICT,
                "The first request with this key is being answered",
            ),
            Self::TooSlow => (
                "request_timeout",
                S::REQUEST_TIMEOUT,
                "The body took too long to arrive",
            ),
            Self::TooLarge => ("too_large", S::PAYLOAD_TOO_LARGE, "The body is too large"),
            Self::UnsupportedMedia => (
                "unsupported_media_type",
                S::UNSUPPORTED_MEDIA_TYPE,
                "The body's media type is not accepted",
            ),
            Self::Invalid => (
                "invalid_request",
                S::UNPROCESSABLE_ENTITY,
                "The request is not valid",
            ),
            Self::KeyReused => (
                "idempotency_key_reused",
                S::UNPROCESSABLE_ENTITY,
                "The key belongs to another request",
            ),
            Self::Internal => ("internal", S::INTERNAL_SERVER_ERROR, "Something broke here"),
            Self::Stopped => ("stopped", S::SERVICE_UNAVAILABLE, "The fleet is stopped"),
            Self::StoreUnavailable => (
                "store_unavailable",
                S::SERVICE_UNAVAILABLE,
                "The store does not answer",
            ),
            Self::StoreFull => ("store_full", S::SERVICE_UNAVAILABLE, "The store is full"),
            Self::BlobsUnavailable => (
                "blobs_unavailable",
                S::SERVICE_UNAVAILABLE,
                "The blob store does not answer",
            ),
        }
    }

    const fn retry_after(self) -> Option<&'static str> {
        match self {
            Self::Stopped => Some("10"),
            Self::StoreUnavailable | Self::BlobsUnavailable => Some("2"),
            Self::StoreFull => Some("30"),
            Self::KeyInFlight => Some("1"),
            _ => None,
        }
    }
}

/// One problem.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    code: Code,
    detail: String,
    errors: Vec<Finding>,
}

/// A problem as it is written down.
#[derive(Debug, Serialize)]
pub(crate) struct Document<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Finding],
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// Well-formed but wrong.
    pub(crate) fn invalid(errors: Vec<Finding>) -> Self {
        let detail = match errors.len() {
            1 => "one problem was found; `errors` says where".to_owned(),
            n => format!("{n} problems were found; `errors` says where"),
        };
        Self {
            code: Code::Invalid,
            detail,
            errors,
        }
    }

    /// Whether it is of this kind.
    pub(crate) fn is(&self, code: Code) -> bool {
        self.code == code
    }

    /// With the places of the problem.
    pub(crate) fn with(mut self, errors: Vec<Finding>) -> Self {
        self.errors = errors;
        self
    }

    /// No task has this id, for this tenant.
    pub(crate) fn no_task() -> Self {
        Self::new(
            Code::NotFound,
            "there is no task with this id; finished tasks are kept for the retention time",
        )
    }

    /// The problem that an answer without one stands for.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let code = match status {
            StatusCode::NOT_FOUND => Code::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMedia,
            status if status.is_client_error() => Code::BadRequest,
            _ => Code::Internal,
        };
        Self::new(code, "the request could not be read")
    }

    /// What it looks like.
    pub(crate) fn document<'a>(&'a self, request_id: Option<&'a str>) -> Document<'a> {
        let (name, status, title) = self.code.parts();
        Document {
            kind: format!("urn:zerogate:problem:{name}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
            request_id,
            errors: &self.errors,
        }
    }

    /// Writes it down as the body of `response`.
    pub(crate) fn write(&self, response: &mut Response, request_id: &str) {
        let document = self.document(Some(request_id));
        let body = serde_json::to_vec(&document).unwrap_or_default();
        *response.status_mut() = self.code.parts().1;
        *response.body_mut() = Body::from(body);
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.code.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.parts().1.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<blobs::Error> for Problem {
    fn from(error: blobs::Error) -> Self {
        tracing::warn!(%error, "the blob store gave no answer to a request");
        Self::new(
            Code::BlobsUnavailable,
            "the blob store did not answer; send the request again",
        )
    }
}

impl From<blobs::Trouble> for Problem {
    fn from(trouble: blobs::Trouble) -> Self {
        match trouble {
            blobs::Trouble::Blobs(error) => error.into(),
            blobs::Trouble::Store(error) => error.into(),
        }
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        tracing::warn!(%error, "the store gave no answer to a request");
        match error {
            store::Error::Unavailable(_) => Self::new(
                Code::StoreUnavailable,
                "the store did not answer; the outcome is unknown, so send the request again, \
                 with the same Idempotency-Key if it submits something",
            ),
            store::Error::Full(_) => Self::new(
                Code::StoreFull,
                "the store has no room for new tasks; accepted ones go on, so try again later",
            ),
            store::Error::Corrupt(_) | store::Error::Refused(_) | store::Error::Unsuitable(_) => {
                Self::new(
                    Code::Internal,
                    "the store cannot serve this request; the coordinator's log says why",
                )
            }
        }
    }
}
