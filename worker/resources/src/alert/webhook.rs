//! The pure part of a delivery by webhook: what is sent, how it is named, how
//! it is signed, when it is tried again.
//!
//! A delivery is a POST of [`body`] with these headers:
//!
//! | header | value |
//! |---|---|
//! | `Content-Type` | `application/json` |
//! | [`KEY_HEADER`] | [`idempotency_key`]: the same for every try |
//! | [`SIGNATURE_HEADER`] | `t=<unix seconds>,v1=<signature>` |
//!
//! The signature is the HMAC-SHA256, under the secret that sender and receiver
//! share, of [`signed_text`], in lowercase hexadecimal. A receiver computes it
//! over the bytes it received, compares in constant time and refuses a time
//! that is more than five minutes off.
//!
//! Invariant: the same note gives the same bytes.
//!
//! Deliberately absent: the HMAC itself, requests, clocks and randomness.

use std::time::Duration;

use serde::Serialize;

use super::Note;

/// Carries the idempotency key.
pub const KEY_HEADER: &str = "Idempotency-Key";
/// Carries the time and the signature.
pub const SIGNATURE_HEADER: &str = "Zerogate-Signature";
/// How often a delivery is tried in all.
pub const TRIES: u32 = 3;

/// The bound of the first pause; it doubles with each try.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// What is posted.
#[derive(Serialize)]
struct Body<'a> {
    /// Of this shape.
    version: u32,
    worker_id: &'a str,
    /// RFC 3339, UTC.
    sent_at: &'a str,
    #[serde(flatten)]
    note: &'a Note,
}

/// The JSON text that is posted. `sent_at` is the time of the first try, so
/// that every try posts the same bytes.
#[must_use]
pub fn body(note: &Note, worker: &str, sent_at: &str) -> String {
    serde_json::to_string(&Body {
        version: 1,
        worker_id: worker,
        sent_at,
        note,
    })
    .expect("a note holds nothing that JSON refuses: numbers, strings and lists of them")
}

/// Names a note for ever: `<alert id>:<seq>`.
#[must_use]
pub fn idempotency_key(note: &Note) -> String {
    format!("{}:{}", note.id, note.seq)
}

/// What is signed: `<unix seconds>.<body>`.
#[must_use]
pub fn signed_text(unix_seconds: i64, body: &str) -> String {
    format!("{unix_seconds}.{body}")
}

/// The value of [`SIGNATURE_HEADER`].
#[must_use]
pub fn signature_header(unix_seconds: i64, signature_hex: &str) -> String {
    format!("t={unix_seconds},v1={signature_hex}")
}

/// How long to wait after the `failed`th try (from 1) has failed; `None` when
/// there is no further one. Full jitter: `unit` is a random number in [0, 1).
#[must_use]
pub fn pause(failed: u32, unit: f64) -> Option<Duration> {
    if failed == 0 || failed >= TRIES {
        return None;
    }
    let most = FIRST_PAUSE * 2u32.pow(failed - 1);
    Some(most.mul_f64(unit.clamp(0.0, 1.0)))
}
