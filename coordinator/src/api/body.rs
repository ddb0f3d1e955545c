//! Reads the body of a request.
//!
//! Invariant: what is too large, of another kind, or not JSON never reaches a
//! handler; a broken document is answered with line and column.

use axum::{
    body::{BodyDataStream, Bytes},
    extract::Request,
    http::{HeaderMap, header},
};
use futures_util::StreamExt;
use serde_json::Value;
use shared::model::plan;

use super::problem::{Code, Problem};
use crate::{app::App, submit::Finding};

/// Past this much text the work moves off the threads that answer others.
const LARGE: usize = 64 * 1024;
/// What serde_json reads without being told otherwise.
const MAX_DEPTH: u8 = 127;

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// One document.
    Json,
    /// One document a line.
    Lines,
}

/// A body, not yet parsed.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    media: Media,
}

/// Several documents, and where each stands.
#[derive(Debug)]
pub(crate) enum Documents {
    /// A whole body.
    One(Value),
    /// Lines.
    Many(Vec<Value>),
}

impl Body {
    /// Reads a body that must be one document.
    pub(crate) async fn read(request: Request, app: &App) -> Result<Self, Problem> {
        Self::read_as(request, app, &[Media::Json]).await
    }

    /// Reads a body of one of these kinds.
    pub(crate) async fn read_as(
        request: Request,
        app: &App,
        accepted: &[Media],
    ) -> Result<Self, Problem> {
        let media = media_of(request.headers());
        let limit = app.options.body_limit;
        let announced = request
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        // Whoever asks before sending hears at once, and sends no more.
        let asks = request.headers().contains_key(header::EXPECT);
        let mut chunks = request.into_body().into_data_stream();
        let bytes = match announced {
            Some(length) if length > limit => None,
            _ => whole(&mut chunks, announced.unwrap_or(0), limit).await?,
        };
        let Some(bytes) = bytes else {
            if !asks {
                drain(&mut chunks, limit).await;
            }
            return Err(too_large(limit));
        };
        if bytes.is_empty() {
            let media = Media::Json;
            return Ok(Self { bytes, media });
        }
        let media = media
            .filter(|media| accepted.contains(media))
            .ok_or_else(|| {
                let names = if accepted.contains(&Media::Lines) {
                    "application/json or application/x-ndjson"
                } else {
                    "application/json"
                };
                Problem::new(Code::UnsupportedMedia, format!("send the body as {names}"))
            })?;
        Ok(Self { bytes, media })
    }

    /// Parses one document.
    pub(crate) fn document(&self) -> Result<Value, Problem> {
        serde_json::from_slice(&self.bytes).map_err(|error| unparsed(&error))
    }

    /// Parses one document; nothing at all counts as `{}`.
    pub(crate) fn document_or_empty(&self) -> Result<Value, Problem> {
        if self.bytes.is_empty() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        self.document()
    }

    /// Parses one document, or one a line.
    pub(crate) fn documents(&self) -> Result<Documents, Problem> {
        match self.media {
            Media::Json => self.document().map(Documents::One),
            Media::Lines => self.lines().map(Documents::Many),
        }
    }

    fn lines(&self) -> Result<Vec<Value>, Problem> {
        let (mut values, mut broken) = (Vec::new(), Vec::new());
        for (number, line) in self.bytes.split(|byte| *byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match serde_json::from_slice(line) {
                Ok(value) => values.push(value),
                Err(error) => {
                    let detail = format!(
                        "line {}, column {}: {}",
                        number + 1,
                        error.column(),
                        reason(&error)
                    );
                    broken.push(Finding::new(
                        format!("/{}", values.len() + broken.len()),
                        detail,
                    ));
                }
            }
            if values.len() > plan::MAX_TASKS {
                let error = plan::TooLarge::Tasks(values.len());
                return Err(Problem::invalid(vec![Finding::new("", error.to_string())]));
            }
        }
        if broken.is_empty() {
            return Ok(values);
        }
        let detail = match broken.len() {
            1 => "one line is not JSON; `errors` says where".to_owned(),
            lines => format!("{lines} lines are not JSON; `errors` says where"),
        };
        Err(Problem::new(Code::MalformedJson, detail).with(broken))
    }
}

/// A body of at most `limit` bytes; `None` if it has more.
async fn whole(
    chunks: &mut BodyDataStream,
    announced: usize,
    limit: usize,
) -> Result<Option<Bytes>, Problem> {
    let mut bytes = Vec::with_capacity(announced.min(LARGE));
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::new(Code::BadRequest, "the body ended early"))?;
        if chunk.len() > limit - bytes.len() {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes.into()))
}

/// Reads a body that will be refused, within reason, because many clients look
/// for the answer only after they have sent everything.
pub(super) async fn drain(chunks: &mut BodyDataStream, limit: usize) {
    let mut rest = limit.saturating_mul(2);
    while let Some(Ok(chunk)) = chunks.next().await {
        rest = rest.saturating_sub(chunk.len());
        if rest == 0 {
            return;
        }
    }
}

/// Runs work on a thread of its own if it is about a large body.
pub(crate) async fn off_thread<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    if bytes < LARGE {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Problem::new(Code::Internal, "the request could not be read"))
}

fn media_of(headers: &HeaderMap) -> Option<Media> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let essence = text.split(';').next()?.trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/x-ndjson" | "application/jsonl" => Some(Media::Lines),
        "application/json" => Some(Media::Json),
        other if other.starts_with("application/") && other.ends_with("+json") => Some(Media::Json),
        _ => None,
    }
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("a body may have {limit} bytes; send several requests");
    Problem::new(Code::TooLarge, detail)
}

fn unparsed(error: &serde_json::Error) -> Problem {
    if is_too_deep(error) {
        let detail = format!("is nested deeper than {MAX_DEPTH} levels");
        return Problem::invalid(vec![Finding::new("", detail)]);
    }
    let nothing = error.is_eof() && error.line() <= 1 && error.column() == 0;
    let detail = if nothing {
        "the body is empty; a JSON document is expected".to_owned()
    } else {
        format!(
            "line {}, column {}: {}",
            error.line(),
            error.column(),
            reason(error)
        )
    };
    Problem::new(Code::MalformedJson, detail)
}

fn is_too_deep(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("recursion limit exceeded")
}

/// The parser's words without the place, which is said in ours.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text[..end].to_owned()
}
