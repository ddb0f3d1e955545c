//! The pure part of a delivery by webhook: what is sent, how it is named, and
//! when it is tried again. Signing and sending are the worker's.
//!
//! Invariant: the same note gives the same bytes.
//!
//! Deliberately absent: signatures, requests, clocks and randomness.

use std::time::Duration;

use serde::Serialize;

use super::Note;

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
///
/// # Panics
/// Never: a note holds nothing that JSON refuses.
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
