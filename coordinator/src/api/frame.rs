//! What surrounds every request: its id, its span, its measure, and the form
//! of its errors.
//!
//! Invariant: every answer carries `X-Request-Id`; every answer of 400 and
//! above is a problem document, whoever produced it.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use metrics::histogram;
use shared::model::{Nonce, TenantId};
use tracing::{Instrument, info_span};

use super::problem::{Code, Problem};
use crate::app::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TENANT: HeaderName = HeaderName::from_static("x-tenant-id");
/// Fits into every log line.
const MAX_REQUEST_ID: usize = 128;

/// Who asks, and under which names.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) tenant: TenantId,
    /// The client's own request id, if it sent one.
    pub(crate) given_id: Option<String>,
    pub(crate) traceparent: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::new(Code::Internal, "the request has no caller"))
    }
}

/// The tenant of a request. Until credentials exist there is one; a header
/// never decides it.
pub(crate) fn tenant_of(headers: &HeaderMap) -> Result<TenantId, Problem> {
    if headers.contains_key(TENANT) {
        return Err(Problem::new(
            Code::TenantHeader,
            "the tenant comes from the credential; leave X-Tenant-Id out",
        ));
    }
    Ok(TenantId::default())
}

/// The middleware around all routes.
pub(crate) async fn surround(
    State(_app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let given_id = text_of(request.headers(), &REQUEST_ID).filter(|id| is_id(id));
    let request_id = given_id
        .clone()
        .unwrap_or_else(|| Nonce::draw(&mut rand::rng()).to_string());
    let traceparent = text_of(request.headers(), &TRACEPARENT).filter(|text| is_trace(text));
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let span = info_span!("http", step = 1, request_id, %method, route);
    let mut response = match tenant_of(request.headers()) {
        Ok(tenant) => {
            request.extensions_mut().insert(Caller {
                tenant,
                given_id,
                traceparent: traceparent.clone(),
            });
            next.run(request).instrument(span).await
        }
        Err(problem) => problem.into_response(),
    };
    write_problem(&mut response, &request_id);
    echo(&mut response, REQUEST_ID, &request_id);
    if let Some(traceparent) = &traceparent {
        echo(&mut response, TRACEPARENT, traceparent);
    }
    histogram!(
        "zerogate_http_request_seconds",
        "method" => method_label(&method),
        "route" => route,
        "status" => response.status().as_u16().to_string(),
    )
    .record(began.elapsed().as_secs_f64());
    response
}

fn write_problem(response: &mut Response, request_id: &str) {
    let status = response.status();
    if let Some(problem) = response.extensions_mut().remove::<Arc<Problem>>() {
        problem.write(response, request_id);
    } else if status.is_client_error() || status.is_server_error() {
        Problem::of_status(status).write(response, request_id);
    }
}

fn echo(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// A label must come from a bounded set, and a method may be any word.
fn method_label(method: &axum::http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

pub(crate) fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(ToOwned::to_owned)
}

fn is_id(text: &str) -> bool {
    (1..=MAX_REQUEST_ID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// `00-<32 hex>-<16 hex>-<2 hex>`, as W3C Trace Context writes it: version ff
/// and ids of nothing but zeros are not valid.
fn is_trace(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths = [2, 32, 16, 2];
    let nothing = |part: &str| part.bytes().all(|b| b == b'0');
    parts.len() == lengths.len()
        && parts[0] != "ff"
        && !nothing(parts[1])
        && !nothing(parts[2])
        && parts.iter().zip(lengths).all(|(part, length)| {
            part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        })
}

/// Answers what has no route.
pub(crate) async fn no_such_route() -> Problem {
    Problem::new(
        Code::NotFound,
        "there is no such path; look at API.md for those that are",
    )
}

/// Answers a known route under another method; the router adds `Allow`.
pub(crate) async fn no_such_method() -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        "this path has no such method; the Allow header names those that it has",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_trace_contexts_are_taken_over() {
        assert!(is_trace(
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        ));
        for bad in [
            "",
            "00-xyz",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        ] {
            assert!(!is_trace(bad), "{bad}");
        }
        assert!(is_id("abc-1") && !is_id("") && !is_id("a b") && !is_id(&"x".repeat(129)));
    }
}
