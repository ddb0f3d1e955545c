//! `POST /api/files` and `GET /api/files/{file_id}`.
//!
//! Invariant: neither way holds a file in memory; an upload that breaks off
//! leaves nothing. What tenants upload never runs in a browser: it is always an
//! attachment of the type it was uploaded with, in a sandbox.

use std::sync::Arc;

use axum::{
    Json,
    body::{Body, BodyDataStream},
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use serde_json::json;
use sha2::{Digest, Sha256};
use shared::{
    blobs::{Blob, Upload, filing, key},
    model::{FileId, TenantId},
    store::files::{FileRecord, NewFile},
};
use tracing::info;

use super::{
    body::drain,
    frame::Caller,
    problem::{Code, Problem},
};
use crate::app::App;

const FILENAME: HeaderName = HeaderName::from_static("x-filename");
const CSP: HeaderName = HeaderName::from_static("content-security-policy");
const OPTIONS: HeaderName = HeaderName::from_static("x-content-type-options");
/// What file systems bear.
const MAX_NAME: usize = 255;
/// Longer media types mean nothing to anybody.
const MAX_TYPE: usize = 255;
const BINARY: &str = "application/octet-stream";

/// What a client says about its file.
#[derive(Debug)]
struct About {
    name: String,
    content_type: String,
    announced: Option<u64>,
    /// It waits for leave before it sends.
    asks: bool,
}

impl About {
    fn read(headers: &HeaderMap) -> Self {
        let text = |name: &HeaderName| headers.get(name)?.to_str().ok();
        let content_type = text(&header::CONTENT_TYPE).map(str::trim);
        Self {
            name: headers
                .get(&FILENAME)
                .and_then(|name| std::str::from_utf8(name.as_bytes()).ok())
                .map_or_else(String::new, name_of),
            content_type: content_type
                .filter(|text| (1..=MAX_TYPE).contains(&text.len()))
                .unwrap_or(BINARY)
                .to_owned(),
            announced: text(&header::CONTENT_LENGTH).and_then(|text| text.parse().ok()),
            asks: headers.contains_key(header::EXPECT),
        }
    }
}

/// A name to show: percent-encoded UTF-8 is decoded, as headers are ASCII to
/// most clients; folders and control characters are left out.
fn name_of(text: &str) -> String {
    let text = decoded(text).unwrap_or_else(|| text.to_owned());
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown = last.chars().filter(|c| !c.is_control());
    let mut name: String = shown.take(MAX_NAME).collect();
    while name.len() > MAX_NAME {
        name.pop();
    }
    if matches!(name.as_str(), "." | "..") {
        name.clear();
    }
    name
}

/// The text that this is the percent-encoding of, if it is one.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            u8::try_from(digit()? * 16 + digit()?).ok()?
        } else {
            byte
        });
    }
    String::from_utf8(bytes).ok()
}

/// Takes a file in.
pub(super) async fn upload(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let about = About::read(request.headers());
    let limit = app.options.file_limit;
    let mut chunks = request.into_body().into_data_stream();
    if about.announced.is_some_and(|bytes| bytes > limit as u64) {
        if !about.asks {
            drain(&mut chunks, limit).await;
        }
        return Err(too_large(limit));
    }
    // A task of its own: a client that goes away takes this handler with it,
    // and what was written so far has to be cleared away.
    let work = receive(Arc::clone(&app), caller.tenant, about, chunks);
    let received = app.tasks.spawn("upload", work).await;
    let (id, bytes) = received
        .ok()
        .flatten()
        .ok_or_else(|| Problem::new(Code::Internal, "the upload broke here"))??;
    info!(bytes, "a file was taken in");
    let location = format!("/api/files/{id}");
    let body = json!({"file_id": id, "sha256": id.hex(), "bytes": bytes});
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(body),
    )
        .into_response())
}

async fn receive(
    app: Arc<App>,
    tenant: TenantId,
    about: About,
    mut chunks: BodyDataStream,
) -> Result<(FileId, u64), Problem> {
    let key = key::upload(&tenant, app.clock.now(), &mut rand::rng());
    let mut upload = app.blobs.upload(&key).await?;
    let copied = copy(&mut chunks, &mut *upload, app.options.file_limit).await;
    let (digest, bytes) = match copied {
        Ok(copied) => copied,
        Err(problem) => {
            upload.abandon().await;
            if problem.is(Code::TooLarge) {
                drain(&mut chunks, app.options.file_limit).await;
            }
            return Err(problem);
        }
    };
    upload.finish().await?;
    let id = FileId::of_sha256(digest);
    let file = NewFile {
        tenant,
        id,
        key,
        bytes,
        content_type: about.content_type,
        name: about.name,
        keep: app.options.file_retention,
        replaces: None,
    };
    filing::record(&*app.store, &*app.blobs, file).await?;
    Ok((id, bytes))
}

/// Passes the body on, piece by piece; its hash and length.
async fn copy(
    chunks: &mut BodyDataStream,
    upload: &mut dyn Upload,
    limit: usize,
) -> Result<([u8; 32], u64), Problem> {
    let (mut hash, mut room) = (Sha256::new(), limit);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::new(Code::BadRequest, "the body ended early"))?;
        room = room
            .checked_sub(chunk.len())
            .ok_or_else(|| too_large(limit))?;
        hash.update(&chunk);
        upload.write(chunk).await?;
    }
    Ok((hash.finalize().into(), (limit - room) as u64))
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("a file may have {limit} bytes");
    Problem::new(Code::TooLarge, detail)
}

/// Gives a file out.
pub(super) async fn download(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id: FileId = id.parse().map_err(|_| no_file())?;
    let mut record = app.store.file(&caller.tenant, id).await?;
    if let Some(record) = &record
        && super::status::knows(&headers, &tag(id))
    {
        return Ok((StatusCode::NOT_MODIFIED, about(record)).into_response());
    }
    // Twice: a new upload may take the place of a blob in between.
    for _ in 0..2 {
        let Some(known) = record else {
            return Err(no_file());
        };
        if let Some(blob) = app.blobs.get(&known.key).await? {
            return Ok(content(&known, blob));
        }
        record = app.store.file(&caller.tenant, id).await?;
    }
    Err(Problem::new(
        Code::Internal,
        "the bytes of this file are not in the blob store; upload it again",
    ))
}

fn no_file() -> Problem {
    Problem::new(
        Code::NotFound,
        "there is no file with this id; files that no task refers to expire",
    )
}

fn tag(id: FileId) -> String {
    format!("\"{}\"", id.hex())
}

fn content(file: &FileRecord, blob: Blob) -> Response {
    let mut headers = about(file);
    headers.insert(header::CONTENT_LENGTH, blob.bytes.into());
    (headers, Body::from_stream(blob.chunks)).into_response()
}

fn about(file: &FileRecord) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut set = |name, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, &file.content_type);
    set(header::CONTENT_DISPOSITION, &disposition(file));
    set(header::ETAG, &tag(file.id));
    set(header::CACHE_CONTROL, "private, no-cache");
    set(OPTIONS, "nosniff");
    set(CSP, "sandbox; default-src 'none'");
    headers
}

/// RFC 6266: an attachment, its name as RFC 8187 writes it.
fn disposition(file: &FileRecord) -> String {
    use std::fmt::Write as _;
    if file.name.is_empty() {
        return "attachment".to_owned();
    }
    let mut text = "attachment; filename*=UTF-8''".to_owned();
    for byte in file.name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("a string never refuses text");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_without_folders_and_control_characters() {
        for (given, shown) in [
            ("a b.csv", "a b.csv"),
            ("fr%C3%BCh.csv", "früh.csv"),
            ("früh.csv", "früh.csv"),
            ("50%.csv", "50%.csv"),
            ("C:\\x\\y.xls", "y.xls"),
            ("..%2F..%2Fetc%2Fpasswd", "passwd"),
            ("a%0D%0Ab", "ab"),
            ("..", ""),
        ] {
            assert_eq!(name_of(given), shown, "{given}");
        }
        assert!(name_of(&"ü".repeat(500)).len() <= MAX_NAME);
    }

    #[test]
    fn a_name_becomes_a_header_that_cannot_be_broken_out_of() {
        let file = FileRecord {
            id: FileId::of_sha256([1; 32]),
            key: String::new(),
            bytes: 0,
            content_type: BINARY.into(),
            name: "a\"; x=ü.csv".into(),
            uses: 0,
        };
        assert_eq!(
            disposition(&file),
            "attachment; filename*=UTF-8''a%22%3B%20x%3D%C3%BC.csv"
        );
    }
}
